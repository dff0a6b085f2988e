use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::{SystemTime, UNIX_EPOCH};

use quorate_clocks::{Actor, Hlc, HlcConfig, Reading, Stamp, Timestamp};
use quorate_core::{Instant, Machine as _, NodeId};
use quorate_election::detector::{Heartbeat, HeartbeatConfig, Monitor};
use quorate_ring::quorum::{
    Event, Failure, Heap, Node, ReadOptions, Request, RequestError, Status, WriteOptions,
};
use quorate_tokio::{App, Outbox};

use crate::members::{Layout, MAX_NODES};
use crate::value::Stored;

/// How often a node says that it is there, in µs.
pub(crate) const BEAT_US: u64 = 100_000;
/// So many may be missed: the threads of a busy machine wait for each other.
const MISSED: u32 = 15;

pub(crate) type Store<V> = Node<V, Layout, Heap>;

/// What a node is asked.
pub(crate) enum Ask<V> {
    /// Write, or delete.
    Write(Vec<u8>, Option<Vec<u8>>, WriteOptions, Sender<Done<V>>),
    /// Read.
    Read(Vec<u8>, ReadOptions, Sender<Done<V>>),
    /// Go by another layout.
    Follow(Box<Layout>),
    /// A node will not come back, or is back.
    GiveUp(NodeId, bool),
    /// A node is reached at this address from now on.
    Reach(NodeId, String),
    /// Say what there is to see, of these keys as well.
    Look(Vec<Vec<u8>>, Sender<View<V>>),
    /// Tell the others that this node is there.
    Beat,
}

/// How a request ended.
pub(crate) enum Done<V> {
    Written {
        superseded: bool,
    },
    Found(Option<V>),
    Failed(Failure),
    NotBegun(RequestError),
    /// The clock gives no time.
    NoTime(String),
}

/// What is to be seen of a node.
#[derive(Clone, Debug)]
pub struct View<V> {
    /// What the machine says of itself.
    pub status: Status,
    /// Hints that it took, and that it handed over, since it was started.
    pub hints: (u64, u64),
    /// Sweeps that it completed since it was started.
    pub sweeps: u64,
    /// Nodes that it takes for dead.
    pub suspected: Vec<NodeId>,
    /// What it holds of the keys that it was asked for.
    pub held: Vec<Option<V>>,
}

/// The application of a node: answers people, and watches the other nodes.
pub(crate) struct Keeper<V: Stored> {
    actor: Actor,
    clock: Hlc,
    waiting: BTreeMap<Request, Sender<Done<V>>>,
    /// Events since the application last had its turn.
    done: Vec<(Request, Done<V>)>,
    detectors: Monitor<Heartbeat, { MAX_NODES as usize }>,
    suspected: Vec<NodeId>,
    beat_due: bool,
    reach: Vec<(NodeId, String)>,
    hints: usize,
    taken: u64,
    handed: u64,
    sweeps: u64,
}

impl<V: Stored> Keeper<V> {
    pub(crate) fn new(actor: Actor, peers: &[NodeId]) -> Self {
        let config = HlcConfig { max_jump_us: u64::MAX, ..HlcConfig::lan() };
        let mut keeper = Self {
            actor,
            clock: Hlc::new(config),
            waiting: BTreeMap::new(),
            done: Vec::new(),
            detectors: Monitor::new(BEAT_US * u64::from(MISSED) / 2),
            suspected: Vec::new(),
            beat_due: false,
            reach: Vec::new(),
            hints: 0,
            taken: 0,
            handed: 0,
            sweeps: 0,
        };
        for peer in peers {
            keeper.watch(Instant::ZERO, *peer);
        }
        keeper
    }

    /// A node counts as alive until it was silent for long enough, from now on.
    fn watch(&mut self, now: Instant, peer: NodeId) {
        let config = HeartbeatConfig { interval_us: BEAT_US, max_missed: MISSED };
        if let Ok(detector) = Heartbeat::new(config)
            && self.detectors.add(peer, detector).is_ok()
        {
            self.detectors.heartbeat(now, peer);
        }
    }

    /// Takes what the detectors found out.
    fn watch_others(&mut self, machine: &mut Store<V>, now: Instant) {
        self.detectors.tick(now);
        while let Some(change) = self.detectors.poll() {
            machine.set_down(change.node, change.suspected);
            self.suspected.retain(|node| *node != change.node);
            if change.suspected {
                self.suspected.push(change.node);
            }
        }
    }

    fn stamp(&mut self, now: Instant) -> Result<Stamp, String> {
        let time = self.clock.stamp(Reading::new(now, wall_us())).map_err(|e| e.to_string())?;
        Ok(Stamp { time, actor: self.actor })
    }

    /// What was read is earlier than all that this node writes from now on.
    fn observe(&mut self, now: Instant, time: Timestamp) {
        // a time that is refused is too far in the future: the write that follows is refused for it
        let _ = self.clock.receive(Reading::new(now, wall_us()), time);
    }

    fn begin(&mut self, begun: Result<Request, RequestError>, reply: Sender<Done<V>>) {
        match begun {
            Ok(request) => {
                self.waiting.insert(request, reply);
            }
            Err(error) => {
                let _ = reply.send(Done::NotBegun(error));
            }
        }
    }

    fn view(&self, machine: &Store<V>, keys: &[Vec<u8>]) -> View<V> {
        View {
            status: machine.status(),
            hints: (self.taken, self.handed),
            sweeps: self.sweeps,
            suspected: self.suspected.clone(),
            held: keys.iter().map(|key| machine.local(key).cloned()).collect(),
        }
    }
}

impl<V: Stored> App for Keeper<V> {
    type Machine = Store<V>;
    type Command = Ask<V>;

    fn command(&mut self, machine: &mut Store<V>, now: Instant, ask: Ask<V>) {
        match ask {
            Ask::Write(key, data, options, reply) => match self.stamp(now) {
                Ok(stamp) => {
                    let begun = machine.write(now, &key, V::form(stamp, data), options);
                    self.begin(begun, reply);
                }
                Err(why) => {
                    let _ = reply.send(Done::NoTime(why));
                }
            },
            Ask::Read(key, options, reply) => {
                let begun = machine.read(now, &key, options);
                self.begin(begun, reply);
            }
            Ask::Follow(layout) => {
                if let Err(refused) = machine.set_layout(*layout) {
                    eprintln!("a node does not go by the next layout: {refused}");
                }
            }
            Ask::GiveUp(node, lost) => machine.set_lost(node, lost),
            Ask::Reach(node, address) => {
                self.watch(now, node);
                self.reach.push((node, address));
            }
            Ask::Look(keys, reply) => {
                let _ = reply.send(self.view(machine, &keys));
            }
            Ask::Beat => {
                self.beat_due = true;
                // what a clock that is ahead has deleted is kept, and does not end all writes
                if let Some(limit) = V::clock_at(Timestamp::from_micros(wall_us())) {
                    machine.limit_floor(limit);
                }
            }
        }
    }

    fn event(&mut self, event: Event<'_, V>) {
        match event {
            Event::Written { request, superseded, .. } => {
                self.done.push((request, Done::Written { superseded }));
            }
            Event::Found { request, value } => {
                self.done.push((request, Done::Found(value.cloned())));
            }
            Event::Failed { request, failure, .. } => {
                self.done.push((request, Done::Failed(failure)));
            }
            Event::Swept { .. } => self.sweeps += 1,
            _ => {}
        }
    }

    /// Every frame of an application says that its node is there.
    fn frame(&mut self, _: &mut Store<V>, now: Instant, from: NodeId, _: &[u8]) {
        self.detectors.heartbeat(now, from);
    }

    fn settle(&mut self, machine: &mut Store<V>, now: Instant, outbox: &mut Outbox) {
        for (node, address) in self.reach.drain(..) {
            outbox.connect(node, &address);
        }
        if core::mem::take(&mut self.beat_due) {
            for peer in outbox.peers() {
                outbox.send(peer, b"here");
            }
        }
        self.watch_others(machine, now);
        let hints = machine.status().hints;
        self.taken += hints.saturating_sub(self.hints) as u64;
        self.handed += self.hints.saturating_sub(hints) as u64;
        self.hints = hints;
        for (request, done) in core::mem::take(&mut self.done) {
            match &done {
                Done::Found(Some(value)) => {
                    if let Some(stamp) = value.stamp() {
                        self.observe(now, stamp.time);
                    }
                }
                Done::Failed(Failure::Purged { floor }) => {
                    self.observe(now, Timestamp::from_bits(*floor));
                }
                _ => {}
            }
            if let Some(reply) = self.waiting.remove(&request) {
                let _ = reply.send(done); // nobody may wait any more
            }
        }
    }
}

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
