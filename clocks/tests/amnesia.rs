//! Groups in which a disk was erased, or is an older copy: what happens to the member it belongs
//! to, and to the others.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use quorate_clocks::causal::{BroadcastError, Config, Event, Message, Record, ResumeError};
use quorate_clocks::{Actor, Causal, Dot, Inline, VersionVector};
use quorate_core::{Fatal, Instant, Machine, NodeId, Output, Rng, Wire};

type Member = Causal<Inline<5>, Inline<16>, Inline<8>>;
type Vector = VersionVector<Inline<5>>;

const NODES: usize = 4;
const SEEDS: u64 = 40;

/// A member, its disk, and its application, which is durable with each delivery.
struct Node {
    member: Option<Member>,
    actor: Actor,
    disk: Vec<Vec<u8>>,
    state: BTreeMap<Dot, Vec<u8>>,
    vector: Vector,
}

/// What was on a disk at some time: so many records, and the application's state.
#[derive(Clone, Default)]
struct Backup {
    records: usize,
    state: BTreeMap<Dot, Vec<u8>>,
    vector: Vector,
}

struct Group {
    rng: Rng,
    now_ms: u64,
    nodes: Vec<Node>,
    in_flight: Vec<(u64, usize, usize, Vec<u8>)>,
    loss: u64,
    broadcasts: u8,
    /// Who told that it stopped.
    stopped: Vec<usize>,
}

fn id(at: usize) -> NodeId {
    NodeId::new(at as u64 + 1)
}

impl Group {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let loss = rng.below(40);
        let nodes = (0..NODES).map(|at| Node {
            member: None,
            actor: id(at).into(),
            disk: Vec::new(),
            state: BTreeMap::new(),
            vector: Vector::new(),
        });
        let mut group = Self {
            nodes: nodes.collect(),
            rng,
            now_ms: 0,
            in_flight: Vec::new(),
            loss,
            broadcasts: 0,
            stopped: Vec::new(),
        };
        (0..NODES).for_each(|at| group.start(at).unwrap());
        group
    }

    fn start(&mut self, at: usize) -> Result<(), ResumeError> {
        let mut member = self.restored(at);
        member.resume(&self.nodes[at].vector)?;
        self.run_from_now(at, member);
        Ok(())
    }

    /// Its application has nothing, and does not say so.
    fn start_without_state(&mut self, at: usize) {
        let member = self.restored(at);
        self.run_from_now(at, member);
    }

    fn restored(&self, at: usize) -> Member {
        let ids: Vec<NodeId> = (0..NODES).map(id).collect();
        let node = &self.nodes[at];
        let mut member = Member::new(node.actor, &ids, Config::lan()).unwrap();
        for record in &node.disk {
            member.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        member
    }

    fn run_from_now(&mut self, at: usize, mut member: Member) {
        member.tick(Instant::from_millis(self.now_ms));
        self.nodes[at].member = Some(member);
        self.drain(at);
    }

    fn broadcast(&mut self, at: usize) -> Result<Dot, BroadcastError> {
        self.broadcasts = self.broadcasts.wrapping_add(1);
        let payload = [self.broadcasts, at as u8];
        let result = self.nodes[at].member.as_mut().unwrap().broadcast(&payload);
        self.drain(at);
        result
    }

    /// Everybody broadcasts, and everything goes back and forth for so long.
    fn run_with_broadcasts(&mut self, ms: u64, who: &[usize]) {
        for _ in 0..ms / 40 {
            self.run(40);
            for &at in who {
                if self.rng.chance(1, 3) {
                    let result = self.broadcast(at);
                    assert!(matches!(result, Ok(_) | Err(BroadcastError::Busy)), "{result:?}");
                }
            }
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now_ms += 10;
            for at in 0..NODES {
                let now = Instant::from_millis(self.now_ms);
                let Some(member) = &mut self.nodes[at].member else { continue };
                if member.deadline().is_some_and(|due| due <= now) {
                    member.tick(now);
                    self.drain(at);
                }
            }
            while let Some(next) = self.in_flight.iter().position(|(due, ..)| *due <= self.now_ms) {
                let (_, from, to, bytes) = self.in_flight.swap_remove(next);
                let now = Instant::from_millis(self.now_ms);
                let Some(member) = &mut self.nodes[to].member else { continue };
                let _ = member.receive(now, id(from), Message::from_slice(&bytes).unwrap());
                self.drain(to);
            }
        }
    }

    fn drain(&mut self, at: usize) {
        let mut behind = None;
        loop {
            let node = &mut self.nodes[at];
            let Some(member) = &mut node.member else { return };
            let mut durable = None;
            while let Some(output) = member.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        node.disk.push(bytes(&record));
                        durable = Some(ticket);
                    }
                    Output::Send(to, message) => {
                        let to = to.get() as usize - 1;
                        for _ in 0..self.rng.below(100) / 90 + 1 {
                            if self.rng.below(100) >= self.loss {
                                let due = self.now_ms + self.rng.below(30);
                                self.in_flight.push((due, at, to, bytes(&message)));
                            }
                        }
                    }
                    Output::Event(Event::Deliver { dot, payload }) => {
                        node.vector.observe(dot).unwrap();
                        assert!(node.state.insert(dot, payload.to_vec()).is_none());
                    }
                    Output::Event(Event::Behind { peer }) => behind = Some(peer),
                    Output::Event(Event::Fatal(_)) => self.stopped.push(at),
                    Output::Event(_) => {}
                }
            }
            let Some(ticket) = durable else { break };
            member.persisted(ticket);
        }
        if let Some(peer) = behind {
            self.merge(at, peer.get() as usize - 1);
            self.drain(at);
        }
    }

    /// The application takes over the state of another.
    fn merge(&mut self, at: usize, from: usize) {
        let (theirs, vector) = (self.nodes[from].state.clone(), self.nodes[from].vector.clone());
        let node = &mut self.nodes[at];
        let mut merged = node.vector.clone();
        merged.merge(&vector).unwrap();
        if node.member.as_mut().unwrap().resume(&merged).is_ok() {
            node.vector = merged;
            node.state.extend(theirs);
        }
    }

    fn backup(&self, at: usize) -> Backup {
        let Node { disk, state, vector, .. } = &self.nodes[at];
        Backup { records: disk.len(), state: state.clone(), vector: vector.clone() }
    }

    /// The disk is what it was.
    fn restore_backup(&mut self, at: usize, backup: Backup) {
        let node = &mut self.nodes[at];
        node.member = None;
        node.disk.truncate(backup.records);
        (node.state, node.vector) = (backup.state, backup.vector);
    }

    fn restart(&mut self, at: usize, times: u64) {
        for _ in 0..times {
            self.nodes[at].member = None;
            self.run(50);
            self.start(at).unwrap();
            self.run(100);
        }
    }

    fn is_stopped(&mut self, at: usize) -> bool {
        self.nodes[at].member.clone().unwrap().broadcast(b"?") == Err(BroadcastError::Stopped)
    }

    /// All applications agree, and nobody thinks of itself that it forgot.
    fn assert_converged(&mut self) {
        self.loss = 0;
        self.run(10_000);
        for at in 0..NODES {
            assert_eq!(self.nodes[at].state, self.nodes[0].state, "{} and 1", at + 1);
            assert!(!self.is_stopped(at), "{}", at + 1);
        }
    }
}

fn bytes<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}

const ALL: [usize; NODES] = [0, 1, 2, 3];

#[test]
fn erased_member_returns_as_next_incarnation() {
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        let who = group.rng.below(NODES as u64) as usize;
        group.run_with_broadcasts(1_000, &ALL);
        // however often it was started before: it starts from 1 again
        let times = group.rng.below(4);
        group.restart(who, times);
        let others: Vec<usize> = ALL.into_iter().filter(|at| *at != who).collect();
        group.restore_backup(who, Backup::default());
        let down = group.rng.below(3) * 400;
        group.run_with_broadcasts(down, &others);
        group.nodes[who].actor = group.nodes[who].actor.next_incarnation().unwrap();
        group.start(who).unwrap();
        group.run_with_broadcasts(1_000, &ALL);
        group.assert_converged();
        let actor = group.nodes[who].actor;
        let counter = group.nodes[who].vector.get(actor);
        assert!(counter > 0, "seed {seed}: it broadcasts");
        assert!(group.nodes.iter().all(|node| node.vector.get(actor) == counter), "seed {seed}");
    }
}

#[test]
fn amnesiac_member_detects_its_loss() {
    let mut older = 0;
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        let who = group.rng.below(NODES as u64) as usize;
        let half = group.rng.chance(1, 2);
        group.run_with_broadcasts(if half { 500 } else { 0 }, &ALL);
        let backup = if half { group.backup(who) } else { Backup::default() };
        group.run_with_broadcasts(1_000, &ALL);
        let times = group.rng.below(4);
        group.restart(who, times);
        group.broadcast(who).unwrap_or(Dot::first(Actor::default()));
        group.run(500);
        // all of it is lost, or what came after a copy was made
        older += u64::from(backup.records > 0);
        group.restore_backup(who, backup);
        group.start(who).unwrap();
        let start = group.now_ms;
        while !group.is_stopped(who) {
            assert!(group.now_ms - start < 10_000, "seed {seed}: it does not find out");
            group.run(10);
        }
        // its application and its driver learn it, too
        assert_eq!(group.stopped, [who], "seed {seed}");
        let member = group.nodes[who].member.as_ref().unwrap();
        assert_eq!(member.fatal(), Some(Fatal::LostState), "seed {seed}");
        // the others go on without it, and nobody has two broadcasts for one
        let others: Vec<usize> = ALL.into_iter().filter(|at| *at != who).collect();
        group.run_with_broadcasts(500, &others);
        for dot in group.nodes.iter().flat_map(|node| node.state.keys()) {
            let mut payloads = group.nodes.iter().filter_map(|node| node.state.get(dot));
            let first = payloads.next();
            assert!(payloads.all(|payload| Some(payload) == first), "seed {seed}: {dot}");
        }
        // told to be another, it is welcome
        group.restore_backup(who, Backup::default());
        group.nodes[who].actor = group.nodes[who].actor.next_incarnation().unwrap();
        group.start(who).unwrap();
        group.run_with_broadcasts(500, &ALL);
        group.assert_converged();
    }
    assert!(older > 5, "an older copy was hardly ever tried");
}

#[test]
fn resume_detects_disk_older_than_state() {
    let mut group = Group::new(7);
    let lost = group.broadcast(0).unwrap();
    group.run(500);
    group.nodes[0].member = None;
    group.nodes[0].disk.clear();
    assert_eq!(group.start(0), Err(ResumeError::LostState(lost)));
}

#[test]
fn restarts_with_intact_disk_are_not_amnesia() {
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        for _ in 0..4 {
            let who = group.rng.below(NODES as u64) as usize;
            group.run_with_broadcasts(300, &ALL);
            group.restart(who, 1);
        }
        group.assert_converged();
    }
}

/// Broadcasts of one are stable within a second each, once patience has ended.
fn assert_progress(group: &mut Group, at: usize) {
    let mut result = group.broadcast(at);
    for _ in 0..20 {
        group.run(1_000);
        result = group.broadcast(at);
    }
    if result == Err(BroadcastError::Busy) {
        group.run(60_000);
    }
    for _ in 0..20 {
        let dot = group.broadcast(at).unwrap();
        group.run(2_000);
        let member = group.nodes[at].member.as_ref().unwrap();
        assert!(member.stable().contains(dot), "{dot} of {:?}", member.stable());
    }
}

#[test]
fn amnesiac_listener_blocks_nobody() {
    for (seed, broadcasts) in [(1, true), (2, true), (3, false), (4, false)] {
        let mut group = Group::new(seed);
        group.loss = 0;
        if broadcasts {
            group.broadcast(2).unwrap();
        }
        group.run_with_broadcasts(1_000, &[0, 1]);
        group.restart(2, seed % 2);
        group.run(1_000);
        group.restore_backup(2, Backup::default());
        group.start(2).unwrap();
        assert_progress(&mut group, 0);
        // it stops if others have broadcasts of it, and stops nobody else
        assert_eq!(group.stopped, if broadcasts { vec![2] } else { vec![] });
    }
}

#[test]
fn stable_recovers_after_restart_without_state() {
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        group.run_with_broadcasts(500, &ALL);
        group.assert_converged();
        // one forgets its application's state, and nobody broadcasts any more
        let who = group.rng.below(NODES as u64) as usize;
        let node = &mut group.nodes[who];
        node.member = None;
        (node.state, node.vector) = (BTreeMap::new(), Vector::new());
        group.loss = 30;
        group.start_without_state(who);
        group.run(10_000);
        group.loss = 0;
        group.run(2_000);
        let vector = group.nodes[0].vector.clone();
        for node in &group.nodes {
            let member = node.member.as_ref().unwrap();
            assert_eq!((member.stable(), &node.vector), (vector.clone(), &vector), "seed {seed}");
            assert_eq!(member.deadline(), None, "seed {seed}: it is quiet again");
        }
    }
}
