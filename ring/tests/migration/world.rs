//! Three nodes that hand ranges over: their data, disks, clients and network, and what must hold after each step.

use std::collections::BTreeMap;

use quorate_core::{Instant, Machine, NodeId, Output, Rng, Ticket, Wire};
use quorate_ring::migration::{
    Config, Event, ForwardError, Inline, Item, Message, Migration, Ownership, Progress, Record,
    Refusal,
};
use quorate_ring::topology::Version;

pub(super) type Node = Migration<u64, Inline<3, 4, 40, 8>>;

pub(super) const NODES: u64 = 3;
pub(super) const RANGES: u64 = 3;
const KEYS: u8 = 8;

pub(super) const CONFIG: Config =
    Config { retry_us: 10_000, stall_us: 40_000, bytes_per_second: 20_000, ..Config::lan() };

pub(super) fn ids() -> Vec<NodeId> {
    (1..=NODES).map(NodeId::new).collect()
}

pub(super) fn boot(at: usize) -> Node {
    Node::new(ids()[at], &ids(), CONFIG).unwrap()
}

/// The contents of a range: of each key the number of the write that it has.
type Data = BTreeMap<u8, u64>;

/// A write of a client: a number that grows, and whether it deletes the key.
#[derive(Clone, Copy, Debug)]
struct Write {
    key: u8,
    number: u64,
    deletes: bool,
}

impl Write {
    fn to_bytes(self) -> [u8; 10] {
        let mut bytes = [self.key, u8::from(self.deletes), 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[2..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let number = u64::from_le_bytes(bytes[2..].try_into().unwrap());
        Self { key: bytes[0], deletes: bytes[1] == 1, number }
    }

    fn apply(self, data: &mut Data) {
        if self.deletes {
            data.remove(&self.key);
        } else {
            data.insert(self.key, self.number);
        }
    }
}

/// One node: what is on its disks, and what is lost in a crash.
#[derive(Default)]
pub(super) struct Host {
    machine: Option<Node>,
    /// Records that are durable, and those that are not.
    log: Vec<Vec<u8>>,
    pending: Vec<(Ticket, Vec<u8>)>,
    /// The application's: ranges that this node owns if no hand-over says otherwise, and the data.
    placement: BTreeMap<u64, bool>,
    data: BTreeMap<u64, Data>,
    /// Writes that are being forwarded, with their range and number there.
    forwarding: Vec<(u64, u64, Write)>,
    /// Its disk was erased once.
    was_erased: bool,
    /// Offers and chunks that the application takes its time for.
    later: Vec<Todo>,
}

#[derive(Clone, Debug)]
enum Todo {
    Accept(u64),
    Read(u64, Vec<u8>),
    Apply(u64, Vec<u8>, bool),
}

/// What a client knows of a key.
#[derive(Default)]
struct Known {
    /// The highest number that was acknowledged or read.
    least: u64,
    /// All writes, and whether they delete.
    writes: Vec<(u64, bool)>,
}

pub(super) struct World {
    pub(super) hosts: Vec<Host>,
    network: Vec<(usize, usize, Vec<u8>)>,
    pub(super) now: Instant,
    pub(super) rng: Rng,
    clients: BTreeMap<(u64, u8), Known>,
    writes: u64,
    pub(super) tally: Tally,
    /// Faults have stopped.
    pub(super) calm: bool,
}

/// What happened, so that a run in which nothing did proves nothing.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Tally {
    pub(super) handed_over: u64,
    pub(super) canceled: u64,
    pub(super) restarted: u64,
    pub(super) forwarded: u64,
    pub(super) crashes: u64,
    pub(super) lost_records: u64,
    pub(super) erased: u64,
    pub(super) reclaimed: u64,
    pub(super) rejected: u64,
    pub(super) stalled: u64,
    pub(super) released_at_crash: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut world = Self {
            hosts: (0..NODES).map(|_| Host::default()).collect(),
            network: Vec::new(),
            now: Instant::ZERO,
            rng: Rng::new(seed),
            clients: BTreeMap::new(),
            writes: 0,
            tally: Tally::default(),
            calm: false,
        };
        for range in 0..RANGES {
            let owner = world.rng.below(NODES) as usize;
            world.hosts[owner].placement.insert(range, true);
        }
        for at in 0..NODES as usize {
            world.start(at);
        }
        world
    }

    /// Something happens.
    pub(super) fn step(&mut self) {
        let at = self.rng.below(NODES) as usize;
        match self.rng.below(if self.calm { 60 } else { 100 }) {
            0..22 => self.deliver(),
            22..34 => {
                self.now = self.now.after(self.rng.below(4_000));
                let now = self.now;
                if let Some(machine) = &mut self.hosts[at].machine {
                    machine.tick(now);
                }
            }
            34..46 => self.sync(at),
            46..60 => self.work(at),
            60..84 => self.write(at),
            84..90 => self.operate(at),
            90..96 => {
                if let Some(place) = self.place_in_network() {
                    if self.rng.chance(1, 2) {
                        self.network.swap_remove(place);
                    } else {
                        self.network.push(self.network[place].clone());
                    }
                }
            }
            96..98 => self.crash(at),
            98 => self.erase(at),
            _ => self.swap_log(at),
        }
        for at in 0..NODES as usize {
            if self.hosts[at].machine.is_none() && (self.calm || self.rng.chance(1, 12)) {
                self.start(at);
            }
            self.collect(at);
        }
        self.check();
    }

    fn start(&mut self, at: usize) {
        let mut machine = restored(at, &self.hosts[at].log);
        machine.tick(self.now);
        self.hosts[at].machine = Some(machine);
        self.collect(at);
    }

    fn place_in_network(&mut self) -> Option<usize> {
        let len = self.network.len() as u64;
        (len > 0).then(|| self.rng.below(len) as usize)
    }

    fn deliver(&mut self) {
        let Some(place) = self.place_in_network() else { return };
        let (from, to, bytes) = self.network.swap_remove(place);
        let now = self.now;
        let Some(machine) = &mut self.hosts[to].machine else { return };
        let message = Message::from_slice(&bytes).unwrap();
        if let Err(reason) = machine.receive(now, ids()[from], message) {
            self.tally.rejected += 1;
            eprintln!("{reason}: {} -> {}: {message:?} {machine:#?}", from + 1, to + 1);
        }
    }

    fn sync(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        let mut last = None;
        for (ticket, record) in host.pending.drain(..) {
            host.log.push(record);
            last = Some(ticket);
        }
        if let (Some(machine), Some(last)) = (&mut host.machine, last) {
            machine.persisted(last);
        }
    }

    /// A checkpoint takes the place of the log.
    fn swap_log(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        let Some(machine) = &mut host.machine else { return };
        host.log = machine.checkpoint().map(|record| record.to_vec()).collect();
        if let Some((last, _)) = host.pending.pop() {
            host.pending.clear();
            machine.persisted(last);
        }
    }

    fn crash(&mut self, at: usize) {
        let kept = self.rng.below(self.hosts[at].pending.len() as u64 + 1) as usize;
        let host = &mut self.hosts[at];
        let Some(machine) = host.machine.take() else { return };
        self.tally.released_at_crash +=
            u64::from(machine.outgoing().any(|one| one.progress == Progress::Released));
        self.tally.crashes += 1;
        self.tally.lost_records += u64::from(kept < host.pending.len());
        let kept = host.pending.drain(..).take(kept).map(|(_, record)| record);
        host.log.extend(kept);
        (host.forwarding, host.later) = (Vec::new(), Vec::new());
        host.pending.clear();
    }

    /// A node loses its disks, if no range is lost with that.
    fn erase(&mut self, at: usize) {
        let me = ids()[at];
        let of_this = (0..RANGES).any(|range| {
            self.is_holder(at, range)
                || self.hosts.iter().enumerate().any(|(other, host)| {
                    let released = |one: quorate_ring::migration::Handover<u64>| {
                        one.progress == Progress::Released && (one.peer == me || other == at)
                    };
                    restored(other, &host.all_records()).outgoing().any(released)
                })
        });
        if of_this || !self.hosts[at].pending.is_empty() {
            return;
        }
        self.tally.erased += 1;
        self.hosts[at] = Host { was_erased: true, ..Host::default() };
        // what was said before a disk was erased does not arrive after that
        self.network.retain(|(from, to, _)| *from != at && *to != at);
    }

    /// The operator begins a hand-over, releases one or cancels one.
    fn operate(&mut self, at: usize) {
        let range = self.rng.below(RANGES);
        let to = ids()[self.rng.below(NODES) as usize];
        let what = self.rng.below(8);
        let is_owner = self.serves(at, range);
        let Some(machine) = &mut self.hosts[at].machine else { return };
        match what {
            0 => {
                let _ = machine.cancel(range);
            }
            _ if is_owner && machine.ownership(range) == Ownership::Settled => {
                let _ = machine.begin(range, to, Version::default());
            }
            _ => {}
        }
    }

    /// A client writes to a node, which takes that if it serves the key.
    fn write(&mut self, at: usize) {
        let (range, key) = (self.rng.below(RANGES), self.rng.below(u64::from(KEYS)) as u8);
        if !self.serves(at, range) {
            return;
        }
        self.writes += 1;
        let write = Write { key, number: self.writes, deletes: self.rng.chance(1, 4) };
        let known = self.clients.entry((range, key)).or_default();
        let host = &mut self.hosts[at];
        let Some(machine) = &mut host.machine else { return };
        match machine.ownership(range) {
            Ownership::HandingOver(_) => match machine.forward(range, &write.to_bytes()) {
                Ok(number) => {
                    known.writes.push((write.number, write.deletes));
                    host.forwarding.push((range, number, write));
                }
                Err(error) => assert_eq!(error, ForwardError::Busy),
            },
            Ownership::Settled | Ownership::Arrived(_) => {
                known.writes.push((write.number, write.deletes));
                known.least = write.number;
                write.apply(host.data.entry(range).or_default());
            }
            _ => {}
        }
    }

    /// Takes what a machine has to say, and lets the application answer.
    fn collect(&mut self, at: usize) {
        loop {
            let (mut todo, mut lost) = (Vec::new(), Vec::new());
            let (host, tally) = (&mut self.hosts[at], &mut self.tally);
            let Some(machine) = &mut host.machine else { return };
            while let Some(output) = machine.poll() {
                match output {
                    Output::Persist(ticket, record) => host.pending.push((ticket, record.to_vec())),
                    Output::Send(to, message) => {
                        self.network.push((at, to.get() as usize - 1, message.to_vec()));
                    }
                    Output::Event(event) => match event {
                        Event::Offered { range, .. } => host.later.push(Todo::Accept(range)),
                        Event::Read { range, after, .. } => {
                            host.later.push(Todo::Read(range, after.to_vec()));
                        }
                        Event::Apply { range, item, .. } => {
                            let (bytes, is_chunk) = match item {
                                Item::Chunk(bytes) => (bytes.to_vec(), true),
                                Item::Writes(writes) => {
                                    (writes.iter().flatten().copied().collect(), false)
                                }
                            };
                            host.later.push(Todo::Apply(range, bytes, is_chunk));
                        }
                        Event::Forwarded { range, write } => {
                            for (_, _, write) in host
                                .forwarding
                                .extract_if(.., |one| one.0 == range && one.1 <= write)
                            {
                                tally.forwarded += 1;
                                write.apply(host.data.entry(range).or_default());
                                let known = self.clients.entry((range, write.key)).or_default();
                                known.least = known.least.max(write.number);
                            }
                        }
                        Event::Copied { .. } => {}
                        Event::Released { range, .. } => {
                            let mut of_range = host.forwarding.iter().filter(|one| one.0 == range);
                            assert!(
                                of_range.next().is_none(),
                                "a write was taken, and left behind"
                            );
                        }
                        Event::Closed { range, .. } => {
                            host.placement.insert(range, false);
                            host.data.remove(&range);
                            tally.handed_over += 1;
                            todo.push(range);
                        }
                        Event::Arrived { range, .. } => {
                            host.placement.insert(range, true);
                        }
                        Event::Canceled { range, .. } => {
                            tally.canceled += 1;
                            host.later.retain(|todo| todo.range() != range);
                            if host.placement.get(&range) != Some(&true) {
                                host.data.remove(&range);
                            }
                        }
                        Event::Restarted { .. } => tally.restarted += 1,
                        Event::Stalled { .. } => tally.stalled += 1,
                        Event::TargetLost { range, .. } => {
                            tally.reclaimed += 1;
                            lost.push(range);
                        }
                        _ => {}
                    },
                }
            }
            for range in &todo {
                machine.retire(*range).unwrap();
            }
            for range in 0..RANGES {
                let _ = machine.retire(range);
            }
            for range in &lost {
                machine.reclaim(*range).unwrap();
            }
            if todo.is_empty() && lost.is_empty() {
                return;
            }
        }
    }

    /// The application does what it was asked for, in order, and releases what is copied.
    fn work(&mut self, at: usize) {
        let release = self.rng.chance(1, 2);
        let refuse = !self.calm && self.rng.chance(1, 6);
        let host = &mut self.hosts[at];
        let Some(machine) = &mut host.machine else { return };
        if release || self.calm {
            let copied: Vec<u64> = machine
                .outgoing()
                .filter(|one| one.progress == Progress::Copied)
                .map(|one| one.range)
                .collect();
            for range in copied {
                machine.release(range).unwrap();
            }
        }
        if host.later.is_empty() {
            return;
        }
        match host.later.remove(0) {
            Todo::Accept(range) => {
                if refuse {
                    let _ = machine.refuse(range, Refusal::Unwanted);
                } else {
                    host.data.remove(&range);
                    let _ = machine.accept(range);
                }
            }
            Todo::Read(range, after) => {
                let data = host.data.entry(range).or_default();
                let start = after.first().map_or(0, |last| last + 1);
                let rest: Vec<_> =
                    data.range(start..).map(|(key, number)| (*key, *number)).collect();
                let mut chunk = Vec::new();
                for (key, number) in rest.iter().take(2) {
                    chunk.extend(Write { key: *key, number: *number, deletes: false }.to_bytes());
                }
                let cursor = (rest.len() > 2).then(|| [rest[1].0]);
                let _ = machine.provide(range, &chunk, cursor.as_ref().map(|key| &key[..]));
            }
            Todo::Apply(range, bytes, is_chunk) => {
                let data = host.data.entry(range).or_default();
                for write in bytes.chunks(10).map(Write::from_bytes) {
                    assert!(!is_chunk || !write.deletes);
                    write.apply(data);
                }
                let _ = machine.applied(range);
            }
        }
    }

    // What must hold

    /// Whether a node serves a range now.
    fn serves(&self, at: usize, range: u64) -> bool {
        let host = &self.hosts[at];
        host.machine.as_ref().is_some_and(|machine| host.owns(machine, range))
    }

    /// Whether the records of a node, all that were written, say that it owns a range.
    fn is_holder(&self, at: usize, range: u64) -> bool {
        let host = &self.hosts[at];
        host.owns(&restored(at, &host.log), range)
    }

    fn check(&mut self) {
        for range in 0..RANGES {
            let serving: Vec<usize> =
                (0..NODES as usize).filter(|at| self.serves(*at, range)).collect();
            assert!(serving.len() <= 1, "{serving:?} serve {range}");
            self.check_record(range);
            for at in serving {
                self.read_all(at, range);
            }
        }
    }

    /// On record there is one owner: a node that says so of itself, or the one that a released range names.
    fn check_record(&self, range: u64) {
        let holders: Vec<usize> =
            (0..NODES as usize).filter(|at| self.is_holder(*at, range)).collect();
        let named = self.hosts.iter().enumerate().filter_map(|(at, host)| {
            let released = restored(at, &host.log)
                .outgoing()
                .find(|one| one.range == range && one.progress == Progress::Released)?;
            Some((ids()[at], released.peer.get() as usize - 1))
        });
        let named: Vec<_> = named.collect();
        assert!(named.len() <= 1 && holders.len() <= 1, "{range} has {holders:?} and {named:?}");
        match (holders.first(), named.first()) {
            (Some(holder), Some((_, to))) => assert_eq!(holder, to, "{range} has two owners"),
            (Some(_), None) => {}
            (None, None) => panic!("{range} has no owner"),
            // it has everything, if it did not forget that
            (None, Some((from, to))) => {
                let target = restored(*to, &self.hosts[*to].log);
                let has_all = target.incoming().any(|one| {
                    (one.range, one.peer, one.progress) == (range, *from, Progress::Copied)
                });
                assert!(has_all || self.hosts[*to].was_erased, "{range} is nowhere");
            }
        }
    }

    /// Reads never go back behind what was acknowledged or read before.
    fn read_all(&mut self, at: usize, range: u64) {
        for ((of, key), known) in &mut self.clients {
            if *of != range {
                continue;
            }
            let found = self.hosts[at].data.get(&range).and_then(|data| data.get(key)).copied();
            let least = known.least;
            let what = || format!("node {}, range {range}, key {key}: {found:?}", at + 1);
            match found {
                Some(number) => {
                    assert!(number >= least, "{}, and {least} was there before", what());
                    known.least = number;
                }
                None => {
                    let mut deletes = known
                        .writes
                        .iter()
                        .filter(|(number, deletes)| *number >= least && *deletes);
                    assert!(
                        least == 0 || deletes.next().is_some(),
                        "{}, and {least} was there before",
                        what()
                    );
                }
            }
        }
    }

    /// Whether all hand-overs have come to their end, and were forgotten.
    pub(super) fn is_settled(&self) -> bool {
        self.hosts.iter().all(|host| {
            host.machine.as_ref().is_some_and(|machine| {
                machine.outgoing().next().is_none() && machine.incoming().next().is_none()
            })
        })
    }

    pub(super) fn describe(&self) -> String {
        self.hosts.iter().map(|host| format!("{:#?}\n{:?}\n", host.machine, host.later)).collect()
    }
}

impl Todo {
    fn range(&self) -> u64 {
        match self {
            Self::Accept(range) | Self::Read(range, _) | Self::Apply(range, ..) => *range,
        }
    }
}

impl Host {
    fn all_records(&self) -> Vec<Vec<u8>> {
        self.log.iter().chain(self.pending.iter().map(|(_, record)| record)).cloned().collect()
    }

    fn owns(&self, machine: &Node, range: u64) -> bool {
        let settled = || self.placement.get(&range) == Some(&true);
        machine.ownership(range).is_here().unwrap_or_else(settled)
    }
}

pub(super) fn restored(at: usize, log: &[Vec<u8>]) -> Node {
    let mut machine = boot(at);
    for record in log {
        machine.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    machine
}
