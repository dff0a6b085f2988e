//! Keys that hold all values that nobody has replaced yet.

use std::collections::BTreeMap;

use quorate_clocks::{Actor, Dot, Heap, Siblings, VersionVector};
use quorate_core::{Instant, NodeId, Rng};
use quorate_ring::quorum::{Failure, Order};

use crate::kind::{Kind, Place};

type Versions = VersionVector<Heap>;
type Values = Siblings<u64, Heap>;

/// Keys with siblings. A write replaces what its client had seen, and nothing else.
#[derive(Debug)]
pub struct Dotted {
    /// Under which name each node writes: it has another one where it may have forgotten what it wrote.
    actors: Vec<Actor>,
    /// No new value up to this is taken, as nodes were told.
    floors: Vec<u64>,
    /// What clients at a node have read last.
    seen: BTreeMap<(usize, u8), Versions>,
    /// The last write of a node to a key, if it is on its way: until the node holds it, another one would have the same dot.
    formed: BTreeMap<(usize, u8), Write>,
    keys: BTreeMap<u8, Vec<Past>>,
    clock: u64,
}

/// A write that a client makes.
#[derive(Clone, Debug)]
pub struct Write {
    node: usize,
    number: u64,
    data: Option<u64>,
    /// What it replaces.
    seen: Versions,
    dot: Dot,
}

/// A write that was made.
#[derive(Clone, Debug)]
struct Past {
    write: Write,
    /// Somebody was told of it: otherwise it may never have been made, and another write may have its dot.
    observed: bool,
    /// When it was acknowledged by a quorum.
    acknowledged: Option<u64>,
    /// It was acknowledged, and not by a quorum.
    weak: bool,
    /// It was not on a quorum when a disk was erased, or a node left: that may have held the only copy, even if clients observed the write.
    may_be_lost: bool,
    /// A client that had seen it has replaced it, or tried to.
    may_be_replaced: bool,
    /// When that was acknowledged.
    replaced: Option<u64>,
}

impl Past {
    fn is_in(&self, seen: &Versions) -> bool {
        seen.contains(self.write.dot)
    }
}

impl Dotted {
    const fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn end_write(&mut self, node: usize, key: u8, write: &Write) {
        let formed = self.formed.get(&(node, key));
        if formed.is_some_and(|formed| formed.number == write.number) {
            self.formed.remove(&(node, key));
        }
    }

    fn observe(&mut self, key: u8, value: Option<&Values>) {
        let values: Vec<u64> = value.into_iter().flat_map(Values::values).copied().collect();
        for past in self.keys.get_mut(&key).into_iter().flatten() {
            past.observed |= past.write.data.is_some_and(|data| values.contains(&data));
        }
    }

    /// Each write that must be there is there, or was replaced by one that had seen it; and none is there that was replaced before.
    fn check(
        &self,
        key: u8,
        value: Option<&Values>,
        must: impl Fn(&Past) -> bool,
        before: u64,
    ) -> Result<(), String> {
        let values: Vec<u64> = value.into_iter().flat_map(Values::values).copied().collect();
        let mut known = 0;
        for past in self.keys.get(&key).into_iter().flatten() {
            let is_there = past.write.data.is_some_and(|data| values.contains(&data));
            known += usize::from(is_there);
            if is_there && past.replaced.is_some_and(|at| at < before) {
                return Err(format!("key {key}: {past:?} was replaced, and is in {value:?}"));
            }
            if !is_there && past.write.data.is_some() && must(past) && !past.may_be_replaced {
                return Err(format!("key {key}: {past:?} is not in {value:?}"));
            }
        }
        if known < values.len() {
            return Err(format!("key {key}: in {value:?} is what was never written"));
        }
        Ok(())
    }
}

impl Kind for Dotted {
    type Value = Values;
    type Write = Write;

    fn new(nodes: usize, _rng: &mut Rng) -> Self {
        let actor = |node: usize| Actor::from(NodeId::new(node as u64 + 1));
        Self {
            actors: (0..nodes).map(actor).collect(),
            floors: vec![0; nodes],
            seen: BTreeMap::new(),
            formed: BTreeMap::new(),
            keys: BTreeMap::new(),
            clock: 0,
        }
    }

    fn started(&mut self, _node: usize, _incarnation: u64) {}

    fn forgot(&mut self, node: usize) {
        self.actors[node] = self.actors[node].next_incarnation().unwrap();
    }

    fn form(
        &mut self,
        place: Place<'_, Values>,
        data: Option<u64>,
        rng: &mut Rng,
    ) -> Option<(Values, Order, Write)> {
        let Place { node, key, stored, .. } = place;
        let mut value = stored.cloned().unwrap_or_default();
        let formed = self.formed.get(&(node, key));
        if formed.is_some_and(|formed| !value.context().contains(formed.dot)) {
            return None;
        }
        let seen = match (place.seen, rng.below(3)) {
            (Some(seen), _) => seen.clone(),
            (None, 0) => Versions::new(),
            (None, 1) => value.context().clone(),
            (None, _) => self.seen.get(&(node, key)).cloned().unwrap_or_default(),
        };
        let floor = self.floors[node].max(place.floor);
        let dot = match data {
            Some(data) => value.write_above(self.actors[node], &seen, data, floor),
            None => value.delete_above(self.actors[node], &seen, floor),
        };
        let dot = dot.unwrap();
        let order = if rng.chance(1, 4) { Order::AfterRead } else { Order::Formed };
        Some((value, order, Write { node, number: 0, data, seen, dot }))
    }

    fn called(&mut self, key: u8, write: &mut Write) {
        write.number = self.now();
        self.formed.insert((write.node, key), write.clone());
        let pasts = self.keys.entry(key).or_default();
        pasts.iter_mut().filter(|past| past.is_in(&write.seen)).for_each(|past| {
            past.may_be_replaced = true;
        });
        pasts.push(Past {
            write: write.clone(),
            observed: false,
            acknowledged: None,
            weak: false,
            may_be_lost: false,
            may_be_replaced: false,
            replaced: None,
        });
    }

    fn wrote(
        &mut self,
        key: u8,
        write: &Write,
        value: &Values,
        strict: bool,
    ) -> Result<(), String> {
        self.end_write(write.node, key, write);
        self.observe(key, Some(value));
        let now = self.now();
        let (number, seen) = (write.number, &write.seen);
        if !value.context().contains(write.dot) {
            return Err(format!(
                "key {key}: {write:?} is not in {value:?}, which was acknowledged"
            ));
        }
        for past in self.keys.entry(key).or_default() {
            if past.write.number == number {
                past.weak |= !strict;
                past.acknowledged = strict.then_some(now);
            } else if strict && past.is_in(seen) {
                past.replaced = past.replaced.or(Some(now));
            }
        }
        Ok(())
    }

    fn failed(
        &mut self,
        place: Place<'_, Values>,
        failure: Failure,
        write: Option<&Write>,
    ) -> Option<&'static str> {
        let Place { node, key, .. } = place;
        if let Some(write) = write {
            self.end_write(node, key, write);
        }
        match failure {
            Failure::Purged { floor } => {
                self.floors[node] = self.floors[node].max(floor);
                Some("refused below the floor")
            }
            Failure::Behind { .. } => Some("behind"),
            _ => None,
        }
    }

    fn abandoned(&mut self, node: usize, key: u8, write: &Write) {
        self.end_write(node, key, write);
    }

    fn call_read(&mut self) -> u64 {
        self.now()
    }

    fn read(
        &mut self,
        key: u8,
        called: u64,
        value: Option<&Values>,
        _atomic: bool,
    ) -> Result<(), String> {
        self.observe(key, value);
        let must = |past: &Past| past.acknowledged.is_some_and(|at| at < called);
        self.check(key, value, must, called)
    }

    fn read_after(
        &mut self,
        key: u8,
        seen: &Versions,
        value: Option<&Values>,
    ) -> Result<(), String> {
        self.observe(key, value);
        let must = |past: &Past| past.observed && !past.may_be_lost && past.is_in(seen);
        self.check(key, value, must, 0)
    }

    fn saw(&mut self, node: usize, _now: Instant, key: u8, value: &Values) {
        self.seen.insert((node, key), value.context().clone());
    }

    fn join(seen: &mut Versions, also: Versions) {
        seen.merge(&also).unwrap();
    }

    fn forget_weak(&mut self) {
        for past in self.keys.values_mut().flatten() {
            past.weak = false;
            past.may_be_lost |= past.acknowledged.is_none();
        }
    }

    fn left(&mut self) {
        for past in self.keys.values_mut().flatten() {
            past.may_be_lost |= past.acknowledged.is_none() && !past.weak;
        }
    }

    fn end(&self, key: u8, value: Option<&Values>) -> Result<(), String> {
        let must = |past: &Past| past.acknowledged.is_some() || past.weak;
        self.check(key, value, must, u64::MAX)
    }
}
