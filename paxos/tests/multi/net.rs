//! Nodes of a log, their disks, and links that lose what a test says.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Instant, Machine, NodeId, Output, Quorums, Rejected, Wire};
use quorate_log::Proposal;
use quorate_paxos::multi::{Config, Event, Inline, Message, MultiPaxos, Record, Role};
use quorate_paxos::{Ballot, Member};

pub(crate) type Node = MultiPaxos<Inline<6, 4096, 256, 64>>;

pub(crate) const BEAT_US: u64 = 50_000;

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Applied {
    Command(u64, Vec<u8>),
    NoOp(u64),
    /// A snapshot through this slot came instead.
    Snapshot(u64),
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Option<Node>>,
    members: Vec<Member>,
    /// Nodes from this one on join.
    founders: usize,
    quorums: Quorums,
    config: Config,
    pub(crate) disks: Vec<Vec<Vec<u8>>>,
    pub(crate) applied: Vec<Vec<Applied>>,
    epochs: Vec<Vec<u64>>,
    pub(crate) reads: Vec<u64>,
    pub(crate) dropped: Vec<Option<u64>>,
    pub(crate) snapshots: Vec<u64>,
    /// The last configuration that was told, and the last leader since.
    pub(crate) entered: Vec<u64>,
    pub(crate) followed: Vec<Option<NodeId>>,
    queue: VecDeque<(usize, usize, Vec<u8>)>,
    pub(crate) now: u64,
    /// Links that work, by sender and receiver; all if there are none.
    pub(crate) cut: Vec<(usize, usize)>,
    /// Applications that answer no event about snapshots.
    pub(crate) deaf: Vec<usize>,
    /// Disks do not come back with tickets.
    pub(crate) slow_disks: Vec<usize>,
    pub(crate) sent: BTreeMap<&'static str, usize>,
    pub(crate) written: Vec<usize>,
    seed: u64,
}

pub(crate) fn id(index: usize) -> NodeId {
    NodeId::new(index as u64 + 1)
}

pub(crate) fn ballot(round: u64, index: usize) -> Ballot {
    Ballot::new(round, id(index))
}

fn kind(message: &Message<'_>) -> &'static str {
    match message {
        Message::Heartbeat { .. } => "heartbeat",
        Message::Prepare { .. } => "prepare",
        Message::Promise { .. } => "promise",
        Message::Accept { .. } => "accept",
        Message::Accepted { .. } => "accepted",
        Message::Preempted { .. } => "preempted",
        Message::Fetch { .. } => "fetch",
        Message::Chosen { .. } => "chosen",
        Message::Chunk { .. } => "chunk",
        Message::Query { .. } => "query",
        Message::Answer { .. } => "answer",
        Message::LastChunk { .. } => "last chunk",
        Message::Stand { .. } => "stand",
        _ => "other",
    }
}

impl Net {
    pub(crate) fn new(size: usize) -> Self {
        let members = (0..size).map(|index| Member::new(id(index))).collect();
        Self::with(members, Quorums::majority(size as u8), Config::lan())
    }

    pub(crate) fn with(members: Vec<Member>, quorums: Quorums, config: Config) -> Self {
        let size = members.len();
        let mut net = Self {
            nodes: (0..size).map(|_| None).collect(),
            founders: size,
            members,
            quorums,
            config,
            disks: vec![Vec::new(); size],
            applied: vec![Vec::new(); size],
            epochs: vec![Vec::new(); size],
            reads: vec![0; size],
            dropped: vec![None; size],
            snapshots: vec![0; size],
            entered: vec![0; size],
            followed: vec![None; size],
            queue: VecDeque::new(),
            now: 0,
            cut: Vec::new(),
            deaf: Vec::new(),
            slow_disks: Vec::new(),
            sent: BTreeMap::new(),
            written: vec![0; size],
            seed: 7,
        };
        for index in 0..size {
            let mut node = net.make(index);
            node.found();
            net.nodes[index] = Some(node);
        }
        net
    }

    pub(crate) fn make(&mut self, index: usize) -> Node {
        self.seed += 1;
        if index >= self.founders {
            return Node::join(id(index), self.config, self.seed).unwrap();
        }
        let members = self.members.iter().copied();
        Node::new(id(index), members, self.quorums, self.config, self.seed).unwrap()
    }

    /// One more node, which joins.
    pub(crate) fn join(&mut self) -> usize {
        let index = self.nodes.len();
        let mut node = self.make(index);
        node.found();
        self.nodes.push(Some(node));
        self.disks.push(Vec::new());
        self.applied.push(Vec::new());
        self.epochs.push(Vec::new());
        self.reads.push(0);
        self.dropped.push(None);
        self.snapshots.push(0);
        self.written.push(0);
        self.entered.push(0);
        self.followed.push(None);
        index
    }

    pub(crate) fn make_with(&mut self, index: usize, config: Config) -> Node {
        let present = std::mem::replace(&mut self.config, config);
        let node = self.make(index);
        self.config = present;
        node
    }

    pub(crate) fn node(&mut self, index: usize) -> &mut Node {
        self.nodes[index].as_mut().unwrap()
    }

    pub(crate) fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// Does what a node says; messages go into the queue.
    pub(crate) fn drive(&mut self, index: usize) {
        loop {
            let mut last = None;
            let Some(mut node) = self.nodes[index].take() else { return };
            let mut answers = Vec::new();
            while let Some(output) = node.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        self.disks[index].push(record.to_vec());
                        self.written[index] += 1;
                        last = Some(ticket);
                    }
                    Output::Send(to, message) => {
                        *self.sent.entry(kind(&message)).or_default() += 1;
                        let to = to.get() as usize - 1;
                        if !self.cut.contains(&(index, to)) {
                            self.queue.push_back((index, to, message.to_vec()));
                        }
                    }
                    Output::Event(event) => match event {
                        Event::Committed(entries) => {
                            for entry in entries.iter() {
                                self.epochs[index].push(entry.epoch);
                                self.applied[index].push(match entry.kind {
                                    quorate_paxos::multi::EntryKind::Command => {
                                        Applied::Command(entry.slot, entry.data.to_vec())
                                    }
                                    _ => Applied::NoOp(entry.slot),
                                });
                            }
                        }
                        Event::Read { through } => self.reads[index] = through.get(),
                        Event::ProposalsDropped { before, .. } => {
                            self.dropped[index] = Some(before);
                        }
                        Event::Reconfigured { number, .. } => {
                            (self.entered[index], self.followed[index]) = (number, None);
                        }
                        Event::Following { leader, .. } => self.followed[index] = Some(leader),
                        Event::SnapshotWanted { .. } if self.deaf.contains(&index) => {}
                        Event::SnapshotWanted { to, slot, offset, .. } => {
                            answers.push((Some((to, offset)), slot));
                        }
                        Event::SnapshotChunk { slot, done: true, .. } => answers.push((None, slot)),
                        _ => {}
                    },
                }
            }
            let is_answering = !answers.is_empty();
            for (wanted, slot) in answers {
                match wanted {
                    // a snapshot is a hundred bytes
                    Some((to, offset)) => {
                        let data = [1; 64];
                        let len = if offset == 0 { 64 } else { 36 };
                        let _ = node.send_snapshot(to, slot, offset, &data[..len], offset > 0);
                    }
                    None => {
                        if node.snapshot_installed(slot).is_ok() {
                            self.applied[index].push(Applied::Snapshot(slot));
                            self.snapshots[index] = slot;
                        }
                    }
                }
            }
            let is_slow = self.slow_disks.contains(&index);
            if let Some(ticket) = last
                && !is_slow
            {
                node.persisted(ticket);
            }
            self.nodes[index] = Some(node);
            if !is_answering && (last.is_none() || is_slow) {
                return;
            }
        }
    }

    /// Delivers everything that is on its way, and what follows from it.
    pub(crate) fn settle(&mut self) {
        for index in 0..self.nodes.len() {
            self.drive(index);
        }
        let mut steps = 0;
        while let Some((from, to, bytes)) = self.queue.pop_front() {
            steps += 1;
            assert!(steps < 100_000, "never becomes idle");
            let now = self.instant();
            let message = Message::from_slice(&bytes).unwrap();
            if let Some(node) = &mut self.nodes[to] {
                let result = node.receive(now, id(from), message);
                // it was removed, and does not know so
                let is_known = result != Err(Rejected::UnknownSender);
                assert!(result.is_ok() || !is_known, "{from} to {to}: {message:?}: {result:?}");
            }
            self.drive(to);
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, us: u64) {
        let end = self.now + us;
        loop {
            let now = self.instant();
            for index in 0..self.nodes.len() {
                if let Some(node) = &mut self.nodes[index] {
                    node.tick(now);
                }
            }
            self.settle();
            let next = self.nodes.iter().flatten().filter_map(Machine::deadline).min();
            let next = next.map_or(end, Instant::as_micros).max(self.now + 1);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
        }
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        let leads = |node: &Node| node.status().role == Role::Leader;
        let leaders = self.nodes.iter().enumerate();
        let leaders = leaders.filter(|(_, node)| node.as_ref().is_some_and(leads));
        leaders
            .max_by_key(|(_, node)| node.as_ref().map(|node| node.status().promised))
            .map(|l| l.0)
    }

    /// Runs until there is a leader.
    pub(crate) fn elect(&mut self) -> usize {
        for _ in 0..40 {
            self.run(BEAT_US);
            if let Some(leader) = self.leader() {
                self.run(BEAT_US);
                return leader;
            }
        }
        panic!("no leader");
    }

    pub(crate) fn propose(&mut self, index: usize, command: &[u8]) -> Proposal {
        let proposal = self.node(index).propose(command).unwrap();
        self.settle();
        proposal
    }

    /// Stops a node, and starts it from its disk.
    pub(crate) fn restart(&mut self, index: usize) {
        self.nodes[index] = None;
        let mut node = self.make(index);
        for record in &self.disks[index] {
            node.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        node.resume(self.snapshots[index]).unwrap();
        self.applied[index].clear();
        self.epochs[index].clear();
        self.nodes[index] = Some(node);
    }

    pub(crate) fn commands(&self, index: usize) -> Vec<&[u8]> {
        self.applied[index]
            .iter()
            .filter_map(|applied| match applied {
                Applied::Command(_, data) => Some(&data[..]),
                _ => None,
            })
            .collect()
    }

    /// Those of all entries that a node has applied since its start.
    pub(crate) fn epochs(&self, index: usize) -> &[u64] {
        &self.epochs[index]
    }

    /// Cuts all links, but those between these pairs.
    pub(crate) fn connect_only(&mut self, pairs: &[(usize, usize)]) {
        let size = self.nodes.len();
        self.cut.clear();
        for from in 0..size {
            for to in 0..size {
                if from != to && !pairs.contains(&(from, to)) && !pairs.contains(&(to, from)) {
                    self.cut.push((from, to));
                }
            }
        }
    }
}
