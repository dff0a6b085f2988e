//! Keys that hold one value each, that of the last write.

use core::fmt::Debug;

use quorate_clocks::{Actor, Hlc, HlcConfig, Reading, Stamp, Timestamp};
use quorate_core::{Instant, NodeId, Rng};
use quorate_ring::quorum::{Failure, Lww, Order, Tag, Tagged, Value};

use crate::history::{History, Mark};
use crate::kind::{Kind, Place};

/// Keys whose writes have an order that the values tell.
#[derive(Debug)]
pub struct Ordered<F: Former> {
    history: History<<F::Value as Value>::Context>,
    former: F,
}

/// Registers: requests with a quorum are linearizable, without clocks.
pub type Registers = Ordered<Tags>;

/// The last write wins, by hybrid clocks that are not set right.
pub type LastWrites = Ordered<HybridClocks>;

/// How clients form values.
pub trait Former: 'static {
    /// What keys hold.
    type Value: Data<Context: Mark> + 'static;

    /// The clients of so many nodes.
    fn new(nodes: usize, rng: &mut Rng) -> Self;

    /// A node starts.
    fn started(&mut self, node: usize, incarnation: u64);

    /// A value, or a tombstone, of a client that has seen this; whether its order is known, and how it is to be written.
    fn form(
        &mut self,
        node: usize,
        now: Instant,
        data: Option<u64>,
        seen: Option<&<Self::Value as Value>::Context>,
        rng: &mut Rng,
    ) -> (Self::Value, Order, bool);

    /// A client at the node was told this value, or that a new one must have a higher clock than this.
    fn saw(&mut self, node: usize, now: Instant, clock: u64);
}

/// A value with a number in it.
pub trait Data: Value {
    /// The number; `None` in a tombstone.
    fn data(&self) -> Option<u64>;
}

/// A write of an ordered value.
#[derive(Clone, Copy, Debug)]
pub struct Write<T> {
    called: u64,
    data: Option<u64>,
    tag: Option<T>,
    after_read: bool,
}

fn found<V: Data>(value: &V) -> (Option<u64>, V::Context) {
    (value.data(), value.context())
}

impl<F: Former> Kind for Ordered<F> {
    type Value = F::Value;
    type Write = Write<<F::Value as Value>::Context>;

    fn new(nodes: usize, rng: &mut Rng) -> Self {
        Self { history: History::default(), former: F::new(nodes, rng) }
    }

    fn started(&mut self, node: usize, incarnation: u64) {
        self.former.started(node, incarnation);
    }

    fn forgot(&mut self, _node: usize) {}

    fn form(
        &mut self,
        place: Place<'_, F::Value>,
        data: Option<u64>,
        rng: &mut Rng,
    ) -> Option<(F::Value, Order, Self::Write)> {
        let Place { node, now, seen, .. } = place;
        let (value, order, known) = self.former.form(node, now, data, seen, rng);
        let tag = known.then(|| value.context());
        let write = Write { called: 0, data, tag, after_read: order == Order::AfterRead };
        Some((value, order, write))
    }

    fn called(&mut self, key: u8, write: &mut Self::Write) {
        write.called = match write.data {
            Some(data) => self.history.call_write(key, data),
            None => self.history.call_delete(key, write.tag),
        };
    }

    fn wrote(
        &mut self,
        key: u8,
        write: &Self::Write,
        value: &F::Value,
        strict: bool,
    ) -> Result<(), String> {
        let (tag, deleted) = (value.context(), value.is_tombstone());
        if write.tag.is_some_and(|formed| formed != tag) {
            return Err(format!("key {key}: {:?} was written as {tag:?}", write.tag));
        }
        if strict {
            return self.history.wrote(key, write.called, tag, deleted, write.after_read);
        }
        self.history.wrote_weakly(key, tag, deleted);
        Ok(())
    }

    fn failed(
        &mut self,
        place: Place<'_, F::Value>,
        failure: Failure,
        write: Option<&Self::Write>,
    ) -> Option<&'static str> {
        let Place { node, now, stored, .. } = place;
        match failure {
            Failure::Purged { floor } => {
                self.former.saw(node, now, floor);
                Some("refused below the floor")
            }
            // only a value whose order the client has given can be behind
            Failure::Behind { .. } if write.is_some_and(|write| write.tag.is_some()) => {
                self.former.saw(node, now, stored.map_or(place.floor, Value::clock));
                Some("behind")
            }
            _ => None,
        }
    }

    fn never_sent(&mut self, key: u8, write: &Self::Write) {
        if let Some(data) = write.data {
            self.history.never_sent(key, data);
        }
    }

    fn abandoned(&mut self, _node: usize, _key: u8, _write: &Self::Write) {}

    fn call_read(&mut self) -> u64 {
        self.history.call()
    }

    fn read(
        &mut self,
        key: u8,
        called: u64,
        value: Option<&F::Value>,
        atomic: bool,
    ) -> Result<(), String> {
        self.history.read(key, called, value.map(found), atomic)
    }

    fn read_after(
        &mut self,
        key: u8,
        seen: &<F::Value as Value>::Context,
        value: Option<&F::Value>,
    ) -> Result<(), String> {
        self.history.read_after(key, *seen, value.map(found))
    }

    fn saw(&mut self, node: usize, now: Instant, _key: u8, value: &F::Value) {
        self.former.saw(node, now, value.clock());
    }

    fn join(seen: &mut <F::Value as Value>::Context, also: <F::Value as Value>::Context) {
        *seen = also.max(*seen);
    }

    fn forget_weak(&mut self) {
        self.history.forget_weak();
    }

    fn left(&mut self) {
        self.history.left();
    }

    fn end(&self, key: u8, value: Option<&F::Value>) -> Result<(), String> {
        self.history.end(key, value.map(found))
    }
}

/// Tags are given by the nodes.
#[derive(Debug)]
pub struct Tags;

impl Data for Tagged<u64> {
    fn data(&self) -> Option<u64> {
        self.get().copied()
    }
}

impl Former for Tags {
    type Value = Tagged<u64>;

    fn new(_nodes: usize, _rng: &mut Rng) -> Self {
        Self
    }

    fn started(&mut self, _node: usize, _incarnation: u64) {}

    fn form(
        &mut self,
        _node: usize,
        _now: Instant,
        data: Option<u64>,
        _seen: Option<&Tag>,
        _rng: &mut Rng,
    ) -> (Tagged<u64>, Order, bool) {
        (data.map_or_else(Tagged::tombstone, Tagged::new), Order::AfterRead, false)
    }

    fn saw(&mut self, _node: usize, _now: Instant, _clock: u64) {}
}

/// A hybrid clock of each node, on a wall clock that is behind or ahead.
#[derive(Debug)]
pub struct HybridClocks {
    nodes: Vec<Clock>,
}

#[derive(Debug)]
struct Clock {
    clock: Hlc,
    actor: Actor,
    ahead_us: u64,
}

const TRUSTING: HlcConfig = HlcConfig {
    max_offset_us: u64::MAX,
    max_ahead_us: u64::MAX,
    max_jump_us: u64::MAX,
    window_us: 0,
};

impl Data for Lww<u64> {
    fn data(&self) -> Option<u64> {
        self.get().copied()
    }
}

impl Clock {
    fn reading(&self, now: Instant) -> Reading {
        Reading::new(now, now.as_micros() + self.ahead_us)
    }
}

impl Former for HybridClocks {
    type Value = Lww<u64>;

    fn new(nodes: usize, rng: &mut Rng) -> Self {
        let most_us = [1, 50_000, 3_000_000][rng.below(3) as usize];
        let clock = |node: usize| Clock {
            clock: Hlc::new(TRUSTING),
            actor: Actor::from(NodeId::new(node as u64 + 1)),
            ahead_us: 1_000_000 + rng.below(most_us),
        };
        Self { nodes: (0..nodes).map(clock).collect() }
    }

    /// The clock forgets, and its stamps are those of another incarnation.
    fn started(&mut self, node: usize, incarnation: u64) {
        let clock = &mut self.nodes[node];
        clock.clock = Hlc::new(TRUSTING);
        clock.actor = Actor::new(clock.actor.node(), incarnation as u32);
    }

    fn form(
        &mut self,
        node: usize,
        now: Instant,
        data: Option<u64>,
        seen: Option<&Stamp>,
        rng: &mut Rng,
    ) -> (Lww<u64>, Order, bool) {
        if let Some(seen) = seen {
            self.saw(node, now, seen.time.to_bits());
        }
        let order = if rng.chance(1, 2) { Order::Formed } else { Order::AfterRead };
        let clock = &mut self.nodes[node];
        let reading = clock.reading(now);
        let stamp = Stamp { time: clock.clock.stamp(reading).unwrap(), actor: clock.actor };
        let value = data.map_or_else(|| Lww::tombstone(stamp), |data| Lww::new(stamp, data));
        (value, order, true)
    }

    fn saw(&mut self, node: usize, now: Instant, clock: u64) {
        let reading = self.nodes[node].reading(now);
        self.nodes[node].clock.receive(reading, Timestamp::from_bits(clock)).unwrap();
    }
}
