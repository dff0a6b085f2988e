//! A cluster in one thread. The test moves its messages, disks and clocks by hand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;

pub mod timed;

use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Ticket, Wire};
use quorate_raft::{
    Config, Event, Forwarded, Inline, Message, Raft, ReadId, Record, Role, Storage,
};

pub type Node = Raft<Inline<7, 8192, 256, 64>>;

/// An encoded message in flight.
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
    /// Durable records.
    pub disk: Vec<Vec<u8>>,
    /// Records whose write has not finished.
    pub pending: Vec<(Ticket, Vec<u8>)>,
    /// Whether writes finish immediately.
    pub fast_disk: bool,
    pub applied: Vec<(u64, Vec<u8>)>,
    pub reads: Vec<ReadId>,
    /// Reported dropped proposals: the bounds (term, index), and how many entries had been applied by then.
    pub dropped: Vec<(u64, u64, usize)>,
    pub chunk_requests: Vec<(u64, u64, u64)>,
    pub chunks: Vec<(u64, u64, Vec<u8>, bool)>,
    pub snapshots_due: Vec<u64>,
    /// Peers reported to have lost entries, and the index that each had acknowledged.
    pub peer_losses: Vec<(u64, u64)>,
    /// Reported removals of this node, by index.
    pub removed: Vec<u64>,
    /// How often the log was reported to be full.
    pub full_logs: u64,
    /// Peers whose messages were reported as refused, and the reason.
    pub refusing: Vec<(u64, Rejected)>,
    /// Results of forwarded commands: the id of the first, the count, and the outcome.
    pub forwarded: Vec<(u64, u64, Forwarded)>,
    /// Reported member lists, each with the index of its entry.
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
            dropped: Vec::new(),
            chunk_requests: Vec::new(),
            chunks: Vec::new(),
            snapshots_due: Vec::new(),
            peer_losses: Vec::new(),
            removed: Vec::new(),
            full_logs: 0,
            refusing: Vec::new(),
            forwarded: Vec::new(),
            members: Vec::new(),
            up: true,
        }
    }
}

impl Cluster {
    pub fn new(nodes: u64) -> Self {
        Self::with(nodes, Config { max_snapshot_chunk_bytes: 64, ..Config::default() })
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

    /// Adds a node that belongs to no cluster yet.
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

    /// Polls a node until it has no more output.
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
                        Event::ProposalsDropped { before, after } => {
                            host.dropped.push((before, after, host.applied.len()));
                        }
                        Event::SnapshotWanted { to, index, offset, .. } => {
                            host.chunk_requests.push((to.get(), index, offset));
                        }
                        Event::SnapshotChunk { index, offset, data, done, .. } => {
                            host.chunks.push((index, offset, data.to_vec(), done));
                        }
                        Event::Members { index, members } => {
                            host.members.push((index, members.bytes().to_vec()));
                        }
                        Event::SnapshotDue { index } => host.snapshots_due.push(index),
                        Event::PeerLostEntries { peer, acknowledged } => {
                            host.peer_losses.push((peer.get(), acknowledged));
                        }
                        Event::Removed { index } => host.removed.push(index),
                        Event::LogFull => host.full_logs += 1,
                        Event::Refusing { peer, reason } => {
                            host.refusing.push((peer.get(), reason));
                        }
                        Event::Forwarded { first, count, end } => {
                            host.forwarded.push((first.get(), count, end));
                        }
                        Event::Fatal(reason) => panic!("node {node} stopped: {reason}"),
                        _ => {}
                    },
                }
            }
            if !(wrote && host.fast_disk) {
                return;
            }
            self.finish_writes(node);
        }
    }

    fn finish_writes(&mut self, node: u64) {
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

    /// Finishes all writes of a node and polls it.
    pub fn sync(&mut self, node: u64) {
        self.finish_writes(node);
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

    /// Delivers messages until none are left. Messages for which `pass` returns false are dropped.
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

    /// Advances the time of all nodes, and delivers the messages for which `pass` returns true.
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
            // the other nodes lose their leader first
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

    /// Crashes a node, which loses its unfinished writes, and restarts it from its disk.
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
        resume_from_snapshot(&mut raft);
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

/// Resumes a restarted node from the snapshot that its records name.
pub fn resume_from_snapshot<S: Storage>(raft: &mut Raft<S>) {
    let covers = raft.status().snapshot;
    raft.resume(covers, raft.term(covers).unwrap()).unwrap();
}

/// Polls a node until it has no more output, and makes its writes durable.
pub fn drain_and_persist<S: Storage>(raft: &mut Raft<S>) {
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

/// Node 1 of three, in term 3 without a leader. It has entries of terms 1 to 3; two are committed.
pub fn without_leader(now: Instant) -> Node {
    let config = Config { check_quorum: true, ..Config::default() };
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap();
    let entries = [1_u8, 2, 3].map(|term| [term, 1 << 2, b'x']).concat();
    raft.restore(Record::Vote { term: 3, vote: None }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 2, entries: &entries }).unwrap();
    raft.tick(now);
    drain_and_persist(&mut raft);
    assert_eq!((raft.status().commit, raft.status().last), (2, 3));
    raft
}

/// The same node after a heartbeat of node 2, the leader of term 3.
pub fn with_leader(now: Instant) -> Node {
    let mut raft = without_leader(now);
    let (term, prev_index, prev_term) = (3, 3, 3);
    let heartbeat =
        Message::Append { term, prev_index, prev_term, commit: 2, round: 1, entries: &[] };
    raft.receive(now, id(2), heartbeat).unwrap();
    drain_and_persist(&mut raft);
    raft
}

pub fn encode<'a, T: Wire<'a>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}
