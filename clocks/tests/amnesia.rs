//! Groups in which a disk was erased, or is an older copy: what happens to the member it belongs
//! to, and to the others.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use quorate_clocks::{
    Actor, BroadcastError, Causal, CausalConfig, Dot, Event, Inline, Message, Record, ResumeError,
    VersionVector,
};
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
struct Copy {
    records: usize,
    state: BTreeMap<Dot, Vec<u8>>,
    vector: Vector,
}

struct Group {
    rng: Rng,
    now_ms: u64,
    nodes: Vec<Node>,
    on_the_way: Vec<(u64, usize, usize, Vec<u8>)>,
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
            on_the_way: Vec::new(),
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
        let mut member = Member::new(node.actor, &ids, CausalConfig::LAN).unwrap();
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
        let made = self.nodes[at].member.as_mut().unwrap().broadcast(&payload);
        self.drain(at);
        made
    }

    /// Everybody broadcasts, and everything goes back and forth for so long.
    fn talk(&mut self, ms: u64, who: &[usize]) {
        for _ in 0..ms / 40 {
            self.run(40);
            for &at in who {
                if self.rng.chance(1, 3) {
                    let made = self.broadcast(at);
                    assert!(matches!(made, Ok(_) | Err(BroadcastError::Busy)), "{made:?}");
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
            while let Some(next) = self.on_the_way.iter().position(|(due, ..)| *due <= self.now_ms)
            {
                let (_, from, to, bytes) = self.on_the_way.swap_remove(next);
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
                                self.on_the_way.push((due, at, to, bytes(&message)));
                            }
                        }
                    }
                    Output::Event(Event::Deliver { dot, payload }) => {
                        node.vector.observe(dot).unwrap();
                        assert!(node.state.insert(dot, payload.to_vec()).is_none());
                    }
                    Output::Event(Event::Behind { peer }) => behind = Some(peer),
                    Output::Event(Event::Stopped(_)) => self.stopped.push(at),
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

    fn copy(&self, at: usize) -> Copy {
        let Node { disk, state, vector, .. } = &self.nodes[at];
        Copy { records: disk.len(), state: state.clone(), vector: vector.clone() }
    }

    /// The disk is what it was.
    fn forget(&mut self, at: usize, copy: Copy) {
        let node = &mut self.nodes[at];
        node.member = None;
        node.disk.truncate(copy.records);
        (node.state, node.vector) = (copy.state, copy.vector);
    }

    fn restart(&mut self, at: usize, times: u64) {
        for _ in 0..times {
            self.nodes[at].member = None;
            self.run(50);
            self.start(at).unwrap();
            self.run(100);
        }
    }

    fn is_doubted(&mut self, at: usize) -> bool {
        self.nodes[at].member.clone().unwrap().broadcast(b"?") == Err(BroadcastError::Doubted)
    }

    /// All applications agree, and nobody thinks of itself that it forgot.
    fn converges(&mut self) {
        self.loss = 0;
        self.run(10_000);
        for at in 0..NODES {
            assert_eq!(self.nodes[at].state, self.nodes[0].state, "{} and 1", at + 1);
            assert!(!self.is_doubted(at), "{}", at + 1);
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
fn an_erased_member_comes_back_as_its_next_incarnation() {
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        let who = group.rng.below(NODES as u64) as usize;
        group.talk(1_000, &ALL);
        // however often it was started before: it starts from 1 again
        let times = group.rng.below(4);
        group.restart(who, times);
        let others: Vec<usize> = ALL.into_iter().filter(|at| *at != who).collect();
        group.forget(who, Copy::default());
        let down = group.rng.below(3) * 400;
        group.talk(down, &others);
        group.nodes[who].actor = group.nodes[who].actor.reborn().unwrap();
        group.start(who).unwrap();
        group.talk(1_000, &ALL);
        group.converges();
        let actor = group.nodes[who].actor;
        let made = group.nodes[who].vector.get(actor);
        assert!(made > 0, "seed {seed}: it broadcasts");
        assert!(group.nodes.iter().all(|node| node.vector.get(actor) == made), "seed {seed}");
    }
}

#[test]
fn a_member_that_forgot_and_does_not_know_finds_it_out() {
    let mut older = 0;
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        let who = group.rng.below(NODES as u64) as usize;
        let half = group.rng.chance(1, 2);
        group.talk(if half { 500 } else { 0 }, &ALL);
        let copy = if half { group.copy(who) } else { Copy::default() };
        group.talk(1_000, &ALL);
        let times = group.rng.below(4);
        group.restart(who, times);
        group.broadcast(who).unwrap_or(Dot::first(Actor::default()));
        group.run(500);
        // all of it is lost, or what came after a copy was made
        older += u64::from(copy.records > 0);
        group.forget(who, copy);
        group.start(who).unwrap();
        let start = group.now_ms;
        while !group.is_doubted(who) {
            assert!(group.now_ms - start < 10_000, "seed {seed}: it does not find out");
            group.run(10);
        }
        // its application and its driver learn it, too
        assert_eq!(group.stopped, [who], "seed {seed}");
        let member = group.nodes[who].member.as_ref().unwrap();
        assert_eq!(member.fatal(), Some(Fatal::LostState), "seed {seed}");
        // the others go on without it, and nobody has two broadcasts for one
        let others: Vec<usize> = ALL.into_iter().filter(|at| *at != who).collect();
        group.talk(500, &others);
        for dot in group.nodes.iter().flat_map(|node| node.state.keys()) {
            let mut said = group.nodes.iter().filter_map(|node| node.state.get(dot));
            let first = said.next();
            assert!(said.all(|payload| Some(payload) == first), "seed {seed}: {dot}");
        }
        // told to be another, it is welcome
        group.forget(who, Copy::default());
        group.nodes[who].actor = group.nodes[who].actor.reborn().unwrap();
        group.start(who).unwrap();
        group.talk(500, &ALL);
        group.converges();
    }
    assert!(older > 5, "an older copy was hardly ever tried");
}

#[test]
fn a_member_whose_disk_is_older_than_its_state_is_told_at_once() {
    let mut group = Group::new(7);
    let made = group.broadcast(0).unwrap();
    group.run(500);
    group.nodes[0].member = None;
    group.nodes[0].disk.clear();
    assert_eq!(group.start(0), Err(ResumeError::Forgotten(made)));
}

#[test]
fn restarts_with_a_disk_and_bad_links_are_no_amnesia() {
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        for _ in 0..4 {
            let who = group.rng.below(NODES as u64) as usize;
            group.talk(300, &ALL);
            group.restart(who, 1);
        }
        group.converges();
    }
}

/// Broadcasts of one are stable within a second each, once patience has ended.
fn goes_on(group: &mut Group, at: usize) {
    let mut made = group.broadcast(at);
    for _ in 0..20 {
        group.run(1_000);
        made = group.broadcast(at);
    }
    if made == Err(BroadcastError::Busy) {
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
fn a_listener_that_forgot_and_does_not_know_keeps_nobody_waiting() {
    for (seed, broadcasts) in [(1, true), (2, true), (3, false), (4, false)] {
        let mut group = Group::new(seed);
        group.loss = 0;
        if broadcasts {
            group.broadcast(2).unwrap();
        }
        group.talk(1_000, &[0, 1]);
        group.restart(2, seed % 2);
        group.run(1_000);
        group.forget(2, Copy::default());
        group.start(2).unwrap();
        goes_on(&mut group, 0);
        // it stops if others have broadcasts of it, and stops nobody else
        assert_eq!(group.stopped, if broadcasts { vec![2] } else { vec![] });
    }
}

#[test]
fn what_is_stable_comes_back_after_a_restart_without_the_state() {
    for seed in 0..SEEDS {
        let mut group = Group::new(seed);
        group.talk(500, &ALL);
        group.converges();
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
