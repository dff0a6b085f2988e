//! A cluster in one thread whose messages, disks and clocks the test moves by hand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;

pub mod timed;

use quorate_core::{Instant, NodeId, Output, Rejected, Ticket, Wire};
use quorate_raft::{
    Config, Event, Forwarded, Inline, Message, Raft, ReadId, Record, Role, Storage,
};

pub type Node = Raft<Inline<7, 8192, 256, 64>>;

/// Bytes of a message on their way.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub from: u64,
    pub to: u64,
    pub bytes: Vec<u8>,
}

impl Envelope {
    pub fn message(&self) -> Message<'_> {
        Message::from_slice(&self.bytes).unwrap()
    }
}

pub struct Host {
    pub raft: Node,
    /// Records that are durable.
    pub disk: Vec<Vec<u8>>,
    /// Records whose write was not finished.
    pub pending: Vec<(Ticket, Vec<u8>)>,
    /// Whether writes finish at once.
    pub fast_disk: bool,
    pub applied: Vec<(u64, Vec<u8>)>,
    pub reads: Vec<ReadId>,
    /// Terms and indexes of what was told to be lost, and how much had been applied then.
    pub lost: Vec<(u64, u64, usize)>,
    pub wanted: Vec<(u64, u64, u64)>,
    pub parts: Vec<(u64, u64, Vec<u8>, bool)>,
    pub due: Vec<u64>,
    /// Peers that lost entries, and what they had acknowledged.
    pub peer_losses: Vec<(u64, u64)>,
    /// What it was told of its removal.
    pub removed: Vec<u64>,
    /// Whose messages it was told to be refused, and why.
    pub refusing: Vec<(u64, Rejected)>,
    /// What was told of forwarded commands: the number of the first, how many, and their end.
    pub ends: Vec<(u64, u64, Forwarded)>,
    /// Where the members that it was told of are listed, and the list.
    pub members: Vec<(u64, Vec<u8>)>,
    pub up: bool,
}

pub struct Cluster {
    pub hosts: Vec<Host>,
    pub net: VecDeque<Envelope>,
    pub now: Instant,
    pub config: Config,
    voters: Vec<NodeId>,
}

pub fn id(node: u64) -> NodeId {
    NodeId::new(node)
}

impl Host {
    fn new(raft: Node) -> Self {
        Self {
            raft,
            disk: Vec::new(),
            pending: Vec::new(),
            fast_disk: true,
            applied: Vec::new(),
            reads: Vec::new(),
            lost: Vec::new(),
            wanted: Vec::new(),
            parts: Vec::new(),
            due: Vec::new(),
            peer_losses: Vec::new(),
            removed: Vec::new(),
            refusing: Vec::new(),
            ends: Vec::new(),
            members: Vec::new(),
            up: true,
        }
    }
}

impl Cluster {
    pub fn new(nodes: u64) -> Self {
        Self::with(nodes, Config { snapshot_part_bytes: 64, ..Config::default() })
    }

    pub fn with(nodes: u64, config: Config) -> Self {
        let voters: Vec<NodeId> = (1..=nodes).map(NodeId::new).collect();
        let hosts = (1..=nodes)
            .map(|node| Host::new(Node::new(id(node), &voters, config.clone(), node).unwrap()))
            .collect();
        let mut cluster =
            Self { hosts, net: VecDeque::new(), now: Instant::from_millis(1), config, voters };
        for node in 1..=nodes {
            let now = cluster.now;
            cluster.host(node).raft.tick(now);
            cluster.drain(node);
        }
        cluster
    }

    /// The next node, which belongs to no cluster yet.
    pub fn join(&mut self, node: u64) {
        self.hosts.push(Host::new(Node::join(id(node), self.config.clone(), node).unwrap()));
        assert_eq!(self.hosts.len() as u64, node);
    }

    pub fn host(&mut self, node: u64) -> &mut Host {
        &mut self.hosts[node as usize - 1]
    }

    pub fn raft(&mut self, node: u64) -> &mut Node {
        &mut self.host(node).raft
    }

    /// Polls a node until it is quiet.
    pub fn drain(&mut self, node: u64) {
        loop {
            let host = &mut self.hosts[node as usize - 1];
            if !host.up {
                return;
            }
            let mut wrote = false;
            while let Some(output) = host.raft.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        wrote = true;
                        host.pending.push((ticket, encode(&record)));
                    }
                    Output::Send(to, message) => self.net.push_back(Envelope {
                        from: node,
                        to: to.get(),
                        bytes: encode(&message),
                    }),
                    Output::Event(event) => match event {
                        Event::Committed(entries) => {
                            for entry in entries {
                                let next = host.applied.last().map(|e| e.0 + 1);
                                assert!(next.is_none_or(|n| n == entry.index));
                                host.applied.push((entry.index, entry.data.to_vec()));
                            }
                        }
                        Event::Read { through } => host.reads.push(through),
                        Event::Lost { before, after } => {
                            host.lost.push((before, after, host.applied.len()));
                        }
                        Event::SnapshotWanted { to, index, offset, .. } => {
                            host.wanted.push((to.get(), index, offset));
                        }
                        Event::SnapshotPart { index, offset, data, done, .. } => {
                            host.parts.push((index, offset, data.to_vec(), done));
                        }
                        Event::Members { index, members } => {
                            host.members.push((index, members.bytes().to_vec()));
                        }
                        Event::SnapshotDue { index } => host.due.push(index),
                        Event::PeerLostEntries { peer, acknowledged } => {
                            host.peer_losses.push((peer.get(), acknowledged));
                        }
                        Event::Removed { index } => host.removed.push(index),
                        Event::Refusing { peer, reason } => {
                            host.refusing.push((peer.get(), reason));
                        }
                        Event::Forwarded { first, count, end } => {
                            host.ends.push((first.get(), count, end));
                        }
                        Event::Fatal(reason) => panic!("node {node} stopped: {reason}"),
                        _ => {}
                    },
                }
            }
            if !(wrote && host.fast_disk) {
                return;
            }
            self.sync_quietly(node);
        }
    }

    fn sync_quietly(&mut self, node: u64) {
        let host = self.host(node);
        let mut last = None;
        for (ticket, bytes) in host.pending.drain(..) {
            host.disk.push(bytes);
            last = Some(ticket);
        }
        if let Some(ticket) = last {
            host.raft.persisted(ticket);
        }
    }

    /// Finishes all writes of a node.
    pub fn sync(&mut self, node: u64) {
        self.sync_quietly(node);
        self.drain(node);
    }

    /// Delivers one message.
    pub fn deliver(&mut self, envelope: &Envelope) {
        let now = self.now;
        let host = &mut self.hosts[envelope.to as usize - 1];
        if host.up {
            let _ = host.raft.receive(now, id(envelope.from), envelope.message());
            self.drain(envelope.to);
        }
    }

    /// Delivers messages until none are left, but only those that `pass` lets through.
    pub fn settle_if(&mut self, mut pass: impl FnMut(&Envelope) -> bool) {
        for _ in 0..10_000 {
            let Some(envelope) = self.net.pop_front() else { return };
            if pass(&envelope) {
                self.deliver(&envelope);
            }
        }
        panic!("the messages never end");
    }

    pub fn settle(&mut self) {
        self.settle_if(|_| true);
    }

    /// Lets time pass for everybody, delivering what `pass` lets through.
    pub fn run_if(&mut self, ms: u64, mut pass: impl FnMut(&Envelope) -> bool) {
        for _ in 0..ms / 10 {
            self.now = self.now.after(10_000);
            for node in 1..=self.hosts.len() as u64 {
                let now = self.now;
                if self.host(node).up {
                    self.raft(node).tick(now);
                    self.drain(node);
                }
            }
            self.settle_if(&mut pass);
        }
    }

    pub fn run(&mut self, ms: u64) {
        self.run_if(ms, |_| true);
    }

    /// Makes a node campaign until it leads, with all links up.
    pub fn elect(&mut self, node: u64) {
        for _ in 0..20 {
            // others forget their leader first
            self.now = self.now.after(self.config.election_min_us);
            let now = self.now;
            self.raft(node).campaign(now);
            self.drain(node);
            self.settle();
            if self.raft(node).status().role == Role::Leader {
                return;
            }
        }
        panic!("node {node} was not elected: {:?}", self.raft(node).status());
    }

    pub fn propose(&mut self, node: u64, command: &str) -> u64 {
        let proposal = self.raft(node).propose(command.as_bytes()).unwrap();
        self.drain(node);
        proposal.index
    }

    /// Crashes a node: what was not written is gone; then starts it from its disk.
    pub fn restart(&mut self, node: u64) {
        let (voters, config, now) = (self.voters.clone(), self.config.clone(), self.now);
        let host = self.host(node);
        let founder = voters.contains(&id(node));
        let mut raft = if founder {
            Node::new(id(node), &voters, config, node + 100).unwrap()
        } else {
            Node::join(id(node), config, node + 100).unwrap()
        };
        for bytes in &host.disk {
            raft.restore(Record::from_slice(bytes).unwrap()).unwrap();
        }
        has_its_snapshot(&mut raft);
        raft.tick(now);
        host.raft = raft;
        host.pending.clear();
        host.applied.clear();
        host.up = true;
        self.drain(node);
    }

    pub fn leader(&mut self) -> Option<u64> {
        let leaders = self.hosts.iter().filter(|h| h.up).map(|h| h.raft.status());
        let leaders = leaders.filter(|s| s.role == Role::Leader);
        leaders.max_by_key(|s| s.term).map(|s| s.id.get())
    }

    pub fn commands(&mut self, node: u64) -> Vec<String> {
        let applied = self.host(node).applied.iter();
        applied
            .filter(|(_, data)| !data.is_empty())
            .map(|(_, data)| String::from_utf8_lossy(data).into_owned())
            .collect()
    }
}

/// The application of a restarted node has the snapshot that the records name.
pub fn has_its_snapshot<S: Storage>(raft: &mut Raft<S>) {
    let covers = raft.status().snapshot;
    raft.resume(covers, raft.term(covers).unwrap()).unwrap();
}

/// Takes every output of a node, as if all of it were done; what it wrote is durable.
pub fn finish_start<S: Storage>(raft: &mut Raft<S>) {
    let mut last = None;
    while let Some(output) = raft.poll() {
        if let Output::Persist(ticket, _) = output {
            last = Some(ticket);
        }
    }
    if let Some(ticket) = last {
        raft.persisted(ticket);
    }
}

/// Node 1 of three, in term 3, with entries of terms 1 to 3, of which two are committed.
pub fn without_leader(now: Instant) -> Node {
    let config = Config { check_quorum: true, ..Config::default() };
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap();
    let entries = [1_u8, 2, 3].map(|term| [term, 1 << 2, b'x']).concat();
    raft.restore(Record::Vote { term: 3, vote: None }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 2, entries: &entries }).unwrap();
    raft.tick(now);
    finish_start(&mut raft);
    assert_eq!((raft.status().commit, raft.status().last), (2, 3));
    raft
}

/// The same node, which has just heard node 2 lead its term.
pub fn following(now: Instant) -> Node {
    let mut raft = without_leader(now);
    let (term, prev_index, prev_term) = (3, 3, 3);
    let heartbeat =
        Message::Append { term, prev_index, prev_term, commit: 2, round: 1, entries: &[] };
    raft.receive(now, id(2), heartbeat).unwrap();
    finish_start(&mut raft);
    raft
}

pub fn encode<'a, T: Wire<'a>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}
