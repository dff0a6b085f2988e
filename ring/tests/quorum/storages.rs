//! A node whose memory is in the value and one whose memory is on the heap, with the same limits, say the same.

use std::collections::BTreeMap;

use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Rng, Ticket, Wire as _};
use quorate_ring::quorum::{
    Config, Heap, Inline, Level, Message, Node, Order, ReadOptions, ReadRepair, Record,
    RequestError, Storage, Tagged, WriteOptions,
};

use super::net::Same;

const CONFIG: Config = Config {
    retry_us: 1_000,
    attempts: 3,
    handoff_us: 2_000,
    hint_life_us: 20_000,
    sweep_us: 1_000,
    sweep_pause_us: 3_000,
    purge_us: 10_000,
    max_key_len: 2,
    max_keys: 3,
    max_repairs: 2,
    max_requests: 3,
    max_answers: 4,
    max_hints: 2,
};

type InValue = Node<Tagged<u8>, Same, Inline<3, 2, 3, 4, 2>>;
type OnHeap = Node<Tagged<u8>, Same, Heap>;

/// The same node twice.
struct Pair {
    value: InValue,
    heap: OnHeap,
}

/// What a node puts out, and with what it comes back.
#[derive(PartialEq, Debug, Default)]
struct Said {
    records: Vec<(Ticket, Vec<u8>)>,
    messages: Vec<(NodeId, Vec<u8>)>,
    events: Vec<String>,
}

fn boot<S: Storage>(id: u64, incarnation: u64, disk: &[Vec<u8>]) -> Node<Tagged<u8>, Same, S> {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut node = Node::new(NodeId::new(id), incarnation, layout, CONFIG).unwrap();
    for record in disk {
        node.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    if disk.is_empty() {
        node.found();
    }
    node
}

fn poll<S: Storage>(node: &mut Node<Tagged<u8>, Same, S>) -> Said {
    let mut said = Said::default();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(ticket, record) => said.records.push((ticket, record.to_vec())),
            Output::Send(to, message) => said.messages.push((to, message.to_vec())),
            Output::Event(event) => said.events.push(format!("{event:?}")),
        }
    }
    said
}

fn view<S: Storage>(node: &Node<Tagged<u8>, Same, S>) -> (String, Option<Instant>, Vec<Vec<u8>>) {
    let records = node.checkpoint().map(|record: Record<'_, Tagged<u8>>| record.to_vec());
    let values = (0..5).map(|key| format!("{:?}", node.local(&[key])));
    let text =
        format!("{:?} {:?} {}", node.status(), node.rejections(), values.collect::<String>());
    (text, node.deadline(), records.collect())
}

impl Pair {
    fn new(id: u64, incarnation: u64, disk: &[Vec<u8>]) -> Self {
        Self { value: boot(id, incarnation, disk), heap: boot(id, incarnation, disk) }
    }

    /// Does the same to both, and compares.
    fn both<T: PartialEq + core::fmt::Debug>(
        &mut self,
        value: impl FnOnce(&mut InValue) -> T,
        heap: impl FnOnce(&mut OnHeap) -> T,
    ) -> (T, Said) {
        let (one, other) = (value(&mut self.value), heap(&mut self.heap));
        assert_eq!(one, other);
        let (said, also) = (poll(&mut self.value), poll(&mut self.heap));
        assert_eq!(said, also);
        assert_eq!(view(&self.value), view(&self.heap));
        (one, said)
    }
}

/// The same call of both.
macro_rules! both {
    ($pair:expr, $node:ident => $call:expr) => {
        $pair.both(|$node| $call, |$node| $call)
    };
}

/// What is on its disk, and what is not yet.
type WithDisk = (Pair, Vec<Vec<u8>>, Vec<(Ticket, Vec<u8>)>);

struct World {
    rng: Rng,
    now: Instant,
    nodes: BTreeMap<u64, WithDisk>,
    wire: Vec<(u64, u64, Vec<u8>)>,
    incarnation: u64,
    tally: Tally,
}

#[derive(Default, Debug)]
struct Tally {
    busy: u64,
    too_long: u64,
    no_room_for_answers: u64,
    refused_as_full: u64,
    hints: usize,
    events: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: Rng::new(seed),
            now: Instant::ZERO,
            nodes: BTreeMap::new(),
            wire: Vec::new(),
            incarnation: 1,
            tally: Tally::default(),
        };
        for id in 1..=4 {
            world.nodes.insert(id, (Pair::new(id, 1, &[]), Vec::new(), Vec::new()));
        }
        world
    }

    fn step(&mut self) {
        let id = 1 + self.rng.below(4);
        let (now, choice) = (self.now, self.rng.below(12));
        match choice {
            0..6 if !self.wire.is_empty() => return self.deliver(),
            8 => {
                self.now = self.now.after(self.rng.below(3_000));
            }
            9 if self.rng.chance(1, 20) => return self.restart(id),
            _ => {}
        }
        let key = vec![self.rng.below(5) as u8; 1 + self.rng.below(8) as usize / 5];
        let level = [Level::One, Level::Quorum, Level::All][self.rng.below(3) as usize];
        let (sloppy, byte) = (self.rng.chance(1, 2), self.rng.below(256) as u8);
        let (down, other) = (self.rng.chance(1, 3), NodeId::new(1 + self.rng.below(4)));
        let long = self.rng.chance(1, 20);
        let key = if long { vec![0; 3] } else { key };
        let (pair, durable, pending) = self.nodes.get_mut(&id).unwrap();
        let (result, said) = match choice {
            9 => both!(pair, node => { node.set_down(other, down); Ok(()) }),
            10 => {
                let value = if byte < 80 { Tagged::tombstone() } else { Tagged::new(byte) };
                let options = WriteOptions { level, sloppy, order: Order::AfterRead, primaries: 0 };
                both!(pair, node => node.write(now, &key, value.clone(), options).map(drop))
            }
            11 => {
                let repair = [ReadRepair::Off, ReadRepair::Background, ReadRepair::Blocking];
                let repair = repair[usize::from(byte % 3)];
                let options = ReadOptions { level, sloppy, repair, primaries: 0 };
                both!(pair, node => node.read(now, &key, options).map(drop))
            }
            7 => {
                let ticket = pending.last().map_or(Ticket::default(), |(ticket, _)| *ticket);
                durable.extend(pending.drain(..).map(|(_, record)| record));
                both!(pair, node => { node.persisted(ticket); Ok(()) })
            }
            _ => both!(pair, node => { node.tick(now); Ok(()) }),
        };
        self.tally.busy += u64::from(result == Err(RequestError::Busy));
        self.tally.too_long += u64::from(result == Err(RequestError::KeyTooLong));
        self.send(id, said);
    }

    fn deliver(&mut self) {
        let at = self.rng.below(self.wire.len() as u64) as usize;
        let (from, to, bytes) = self.wire[at].clone();
        if !self.rng.chance(1, 20) {
            self.wire.remove(at); // otherwise it comes again
        }
        if self.rng.chance(1, 20) {
            return; // lost
        }
        let now = self.now;
        let message = || Message::from_slice(&bytes).unwrap();
        let (pair, ..) = self.nodes.get_mut(&to).unwrap();
        let (result, said) = both!(pair, node => node.receive(now, NodeId::new(from), message()));
        self.tally.no_room_for_answers += u64::from(result == Err(Rejected::Full));
        self.send(to, said);
    }

    /// It comes back with what is on its disk.
    fn restart(&mut self, id: u64) {
        self.incarnation += 1;
        let (pair, durable, pending) = self.nodes.get_mut(&id).unwrap();
        pending.clear();
        *pair = Pair::new(id, self.incarnation, durable);
        let (_, said) = both!(pair, _node => ());
        self.send(id, said);
    }

    fn send(&mut self, id: u64, said: Said) {
        let (pair, _, pending) = self.nodes.get_mut(&id).unwrap();
        pending.extend(said.records);
        self.tally.hints = self.tally.hints.max(pair.value.status().hints);
        self.tally.events += said.events.len();
        let full = said.events.iter().filter(|event| event.contains("failure: Full"));
        self.tally.refused_as_full += full.count() as u64;
        self.wire.extend(said.messages.into_iter().map(|(to, bytes)| (id, to.get(), bytes)));
        if self.wire.len() > 60 {
            self.wire.drain(..20);
        }
    }
}

#[test]
fn both_storages_say_the_same() {
    let mut all = Tally::default();
    for seed in 0..40 {
        let mut world = World::new(seed);
        (0..4_000).for_each(|_| world.step());
        all.busy += world.tally.busy;
        all.too_long += world.tally.too_long;
        all.no_room_for_answers += world.tally.no_room_for_answers;
        all.refused_as_full += world.tally.refused_as_full;
        all.hints = all.hints.max(world.tally.hints);
        all.events += world.tally.events;
    }
    let limits = [all.busy, all.too_long, all.no_room_for_answers, all.refused_as_full];
    assert!(limits.iter().all(|count| *count > 0), "a limit was not reached: {all:?}");
    assert!(all.hints == 2 && all.events > 1_000, "{all:?}");
}
