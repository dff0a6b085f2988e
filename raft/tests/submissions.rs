//! Commands through [`Submissions`] on a cluster that loses messages and leaders: what is told of each is true.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{Instant, Machine, NodeId, Output, Rng, Wire};
use quorate_log::submission::{Config, Due, Heap, Outcome, Submissions};
use quorate_log::{Proposal, ReplicatedLog};
use quorate_raft::{Config as RaftConfig, Event, Message, Raft};

/// A command: its node, its number there.
type Command = (u64, u64);

/// A node and its clients.
struct Node {
    raft: Raft<quorate_raft::Heap>,
    submissions: Submissions<Command, Heap>,
    /// Commands in the order of the log.
    applied: Vec<Command>,
    /// Which of them were new, where each is to be executed once.
    executed: BTreeSet<Command>,
    /// What was told of the node's own.
    outcomes: BTreeMap<u64, Result<(), Outcome>>,
}

struct Cluster {
    nodes: Vec<Node>,
    net: Vec<(u64, u64, Vec<u8>)>,
    now: Instant,
    rng: Rng,
    resubmit: bool,
    /// The node whose messages are all lost.
    cut_off: u64,
    /// Percent of messages that are lost.
    loss: u64,
}

impl Cluster {
    fn new(seed: u64, config: Config) -> Self {
        let ids = [1, 2, 3].map(NodeId::new);
        let raft_config = RaftConfig { forward: true, ..RaftConfig::lan() };
        let nodes = ids.map(|id| Node {
            raft: Raft::new(id, &ids, raft_config.clone(), seed).unwrap(),
            submissions: Submissions::new(config),
            applied: Vec::new(),
            executed: BTreeSet::new(),
            outcomes: BTreeMap::new(),
        });
        Self {
            nodes: nodes.into(),
            net: Vec::new(),
            now: Instant::ZERO,
            rng: Rng::new(seed),
            resubmit: config.resubmit,
            cut_off: 0,
            loss: 0,
        }
    }

    fn turn(&mut self, id: u64) {
        let (now, resubmit) = (self.now, self.resubmit);
        let node = &mut self.nodes[id as usize - 1];
        node.raft.tick(now);
        loop {
            let mut written = None;
            while let Some(output) = node.raft.poll() {
                match output {
                    Output::Persist(ticket, _) => written = Some(ticket),
                    Output::Send(to, message) => {
                        let lost = [id, to.get()].contains(&self.cut_off)
                            || self.rng.below(100) < self.loss;
                        if !lost {
                            self.net.push((id, to.get(), message.to_vec()));
                        }
                    }
                    Output::Event(event) => {
                        if let Event::Committed(entries) = event {
                            for entry in entries.commands() {
                                let command = (u64::from(entry.data[0]), u64::from(entry.data[1]));
                                node.applied.push(command);
                                let place = Proposal { epoch: entry.term, index: entry.index };
                                let new = node.executed.insert(command);
                                let done = if !resubmit {
                                    node.submissions.applied_at(place)
                                } else if command.0 == id && new {
                                    let done = node.submissions.applied(command.1);
                                    done.map(|done| (command.1, done))
                                } else {
                                    None
                                };
                                if let Some((number, done)) = done {
                                    assert_eq!((done, number), (command, command.1));
                                    assert_eq!(node.outcomes.insert(number, Ok(())), None);
                                }
                            }
                        }
                        node.submissions.event::<Raft<quorate_raft::Heap>>(now, &event);
                    }
                }
            }
            match written {
                Some(ticket) => node.raft.persisted(ticket),
                None => break,
            }
        }
        let leadership = node.raft.leadership();
        while let Some(Due { number, command, .. }) = node.submissions.due(now, leadership) {
            let bytes = [command.0 as u8, command.1 as u8];
            let result = node.raft.submit(&bytes);
            node.submissions.submitted(now, leadership, number, result);
        }
        while let Some((number, _, outcome)) = node.submissions.outcome(now) {
            let told = if outcome == Outcome::Committed { Ok(()) } else { Err(outcome) };
            assert_eq!(node.outcomes.insert(number, told), None);
        }
    }

    fn step(&mut self) {
        self.now = self.now.after(2_000);
        let mut late = Vec::new();
        for (from, to, bytes) in core::mem::take(&mut self.net) {
            if self.rng.below(3) == 0 {
                late.push((from, to, bytes));
                continue;
            }
            let node = &mut self.nodes[to as usize - 1];
            let message = Message::from_slice(&bytes).unwrap();
            node.raft.receive(self.now, NodeId::new(from), message).unwrap();
            self.turn(to);
        }
        self.net.extend(late);
        (1..=3).for_each(|id| self.turn(id));
    }

    fn submit(&mut self, id: u64) {
        let (now, node) = (self.now, &mut self.nodes[id as usize - 1]);
        let number = node.submissions.last_number() + 1;
        if number < 200 {
            let _ = node.submissions.submit(now, (id, number));
        }
    }

    /// Chaos, then quiet until everything is decided.
    fn run(&mut self) {
        for step in 0..1_500 {
            if step % 150 == 0 {
                self.cut_off = self.rng.below(4);
                self.loss = [0, 5, 30][self.rng.below(3) as usize];
            }
            if self.rng.below(4) == 0 {
                let id = 1 + self.rng.below(3);
                self.submit(id);
            }
            self.step();
        }
        (self.cut_off, self.loss) = (0, 0);
        for _ in 0..2_000 {
            self.step();
        }
    }

    /// Whether a command is in the log, and how often.
    fn count(&self, command: Command) -> usize {
        self.nodes[0].applied.iter().filter(|applied| **applied == command).count()
    }
}

#[derive(Default, Debug)]
struct Tally {
    committed: u32,
    absent: u32,
    unknown: u32,
    duplicates: usize,
}

fn check(config: Config) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..30 {
        let mut cluster = Cluster::new(seed, config);
        cluster.run();
        let log = &cluster.nodes[0].applied;
        assert!(cluster.nodes.iter().all(|node| node.applied == *log), "seed {seed}: no agreement");
        for (id, node) in (1..).zip(&cluster.nodes) {
            assert!(node.submissions.is_empty(), "seed {seed}: something is undecided");
            assert_eq!(node.outcomes.len() as u64, node.submissions.last_number());
            for (&number, told) in &node.outcomes {
                let count = cluster.count((id, number));
                let true_of = match told {
                    Ok(()) => count > 0,
                    Err(outcome) if outcome.is_certainly_absent() => count == 0,
                    Err(_) => true,
                };
                assert!(true_of, "seed {seed}: {told:?} of {id}/{number}, {count} in the log");
                assert!(config.resubmit || count <= 1, "seed {seed}: {id}/{number} is there twice");
                tally.duplicates += count.saturating_sub(1);
                match told {
                    Ok(()) => tally.committed += 1,
                    Err(Outcome::Unknown) => tally.unknown += 1,
                    Err(_) => tally.absent += 1,
                }
            }
        }
    }
    tally
}

#[test]
fn at_most_once_is_true_and_says_what_it_does_not_know() {
    let tally = check(Config::at_most_once(400_000));
    assert!(tally.committed > 1_000 && tally.absent > 50 && tally.unknown > 50, "{tally:?}");
}

#[test]
fn exactly_once_brings_in_what_leaders_lost() {
    let tally = check(Config::exactly_once(60_000_000));
    assert!(tally.absent == 0 && tally.unknown == 0, "{tally:?}");
    assert!(tally.committed > 1_000 && tally.duplicates > 20, "{tally:?}");
}

#[test]
fn exactly_once_with_a_short_patience_is_true_as_well() {
    let tally = check(Config::exactly_once(400_000));
    assert!(tally.absent > 50 && tally.unknown > 50 && tally.duplicates > 20, "{tally:?}");
}
