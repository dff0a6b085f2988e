//! Nodes, and the messages between them, under a test's hand.

use std::collections::VecDeque;

use quorate_core::{Instant, Machine as _, NodeId, Output, Rejected, Ticket, Wire as _};
use quorate_ring::quorum::{
    Config, Event, Failure, Inline, Layout, Membership, Message, Node, Record, Request, Value,
};
use quorate_ring::topology::Version;
use quorate_ring::{KeyHash, PreferenceList, Token, Zone};

/// Names the replicas and fallbacks of all keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Same {
    pub(crate) epoch: u64,
    pub(crate) replicas: Vec<u64>,
    pub(crate) fallbacks: Vec<u64>,
    pub(crate) next: Option<Vec<u64>>,
    pub(crate) topology: Vec<u8>,
}

impl Same {
    pub(crate) fn new(replicas: &[u64]) -> Self {
        Self {
            epoch: 1,
            replicas: replicas.to_vec(),
            fallbacks: Vec::new(),
            next: None,
            topology: Vec::new(),
        }
    }
}

fn list(replicas: &[u64], fallbacks: &[u64]) -> PreferenceList {
    let walk = || replicas.iter().chain(fallbacks).map(|id| (NodeId::new(*id), Zone::default()));
    PreferenceList::select(walk, 1, replicas.len(), fallbacks.len())
}

impl Layout for Same {
    fn version(&self) -> Version {
        Version { epoch: self.epoch, digest: 0 }
    }

    fn token(&self, key: &[u8]) -> Token {
        KeyHash::default().token(key)
    }

    fn replicas(&self, _at: Token) -> PreferenceList {
        list(&self.replicas, &self.fallbacks)
    }

    fn node_after(&self, after: Option<NodeId>) -> Option<NodeId> {
        let nodes = self.replicas.iter().chain(&self.fallbacks).chain(self.next.iter().flatten());
        let nodes = nodes.map(|id| NodeId::new(*id));
        nodes.filter(|node| after.is_none_or(|after| *node > after)).min()
    }

    fn is_moving(&self) -> bool {
        self.next.is_some()
    }

    fn membership(&self, node: NodeId) -> Membership {
        let node = node.get();
        let holds = self.replicas.contains(&node) || self.fallbacks.contains(&node);
        match (holds, self.next.as_ref().map(|next| next.contains(&node))) {
            (true, Some(false)) => Membership::Leaving,
            (true, _) => Membership::Member,
            (false, Some(true)) => Membership::Joining,
            (false, _) => Membership::None,
        }
    }

    fn end_of_range(&self, _at: Token) -> Token {
        Token::MAX
    }

    fn next_replicas(&self, _at: Token) -> Option<PreferenceList> {
        Some(list(self.next.as_ref()?, &[]))
    }

    fn topology(&self) -> &[u8] {
        &self.topology
    }

    /// The topology is the epoch, and the number of replicas from 1 on.
    fn learn(&mut self, topology: &[u8]) -> bool {
        let [epoch, replicas] = topology else { return false };
        let newer = u64::from(*epoch) > self.epoch;
        if newer {
            self.epoch = u64::from(*epoch);
            self.replicas = (1..=u64::from(*replicas)).collect();
            self.topology = topology.to_vec();
        }
        newer
    }
}

pub(crate) type Store<V> = Node<V, Same, Inline<8, 16, 4, 16, 4>>;

/// A message on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What an application was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told<V> {
    Written { superseded: bool },
    Found(Option<V>),
    Failed(Failure, Option<V>),
    LayoutChanged,
    Swept(u64),
    Outdated(u64, Version),
}

/// A node, what is on its disk, and what is not yet.
type Disk = (u64, Vec<Vec<u8>>, Vec<(Ticket, Vec<u8>)>);

pub(crate) struct Net<V: Value + 'static> {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<(u64, Store<V>)>,
    pub(crate) wire: VecDeque<Envelope>,
    pub(crate) told: Vec<(u64, Option<Request>, Told<V>)>,
    /// What is on the disk of each node, and the tickets that were not returned.
    pub(crate) disks: Vec<Disk>,
    /// Disks of these nodes do not finish.
    pub(crate) slow_disks: Vec<u64>,
    /// How many messages were sent.
    pub(crate) sent: usize,
    /// Of each failure, whether the value was sent.
    pub(crate) failed_sent: Vec<bool>,
}

pub(crate) const fn config() -> Config {
    Config { retry_us: 1_000, attempts: 4, sweep_us: 1 << 30, ..Config::lan() }
}

impl<V: Value + 'static> Net<V> {
    pub(crate) fn new(nodes: &[u64], layout: &Same) -> Self {
        let mut net = Self {
            now: Instant::ZERO,
            nodes: Vec::new(),
            wire: VecDeque::new(),
            told: Vec::new(),
            disks: Vec::new(),
            slow_disks: Vec::new(),
            sent: 0,
            failed_sent: Vec::new(),
        };
        net.add(nodes, layout);
        for id in nodes {
            net.node(*id).found();
        }
        net.settle_disks();
        net
    }

    /// More nodes, without records.
    pub(crate) fn add(&mut self, nodes: &[u64], layout: &Same) {
        for id in nodes {
            let node = Store::new(NodeId::new(*id), 7, layout.clone(), config()).unwrap();
            self.nodes.push((*id, node));
            self.disks.push((*id, Vec::new(), Vec::new()));
        }
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut Store<V> {
        &mut self.nodes.iter_mut().find(|(other, _)| *other == id).unwrap().1
    }

    /// Polls all nodes dry, with the disks.
    pub(crate) fn settle_disks(&mut self) {
        loop {
            let mut wrote = false;
            for (id, node) in &mut self.nodes {
                let (_, durable, pending) =
                    self.disks.iter_mut().find(|(at, ..)| at == id).unwrap();
                while let Some(output) = node.poll() {
                    match output {
                        Output::Persist(ticket, record) => pending.push((ticket, bytes(&record))),
                        Output::Send(to, message) => {
                            self.sent += 1;
                            let envelope =
                                Envelope { from: *id, to: to.get(), bytes: bytes(&message) };
                            self.wire.push_back(envelope);
                        }
                        Output::Event(event) => {
                            if let Event::Failed { sent, .. } = event {
                                self.failed_sent.push(sent);
                            }
                            self.told.push(told(*id, event));
                        }
                    }
                }
                if !self.slow_disks.contains(id)
                    && let Some((ticket, _)) = pending.last()
                {
                    node.persisted(*ticket);
                    durable.extend(pending.drain(..).map(|(_, record)| record));
                    wrote = true;
                }
            }
            if !wrote {
                return;
            }
        }
    }

    pub(crate) fn give(&mut self, envelope: &Envelope) -> Result<(), Rejected> {
        let now = self.now;
        let message = Message::from_slice(&envelope.bytes).unwrap();
        let result = self.node(envelope.to).receive(now, NodeId::new(envelope.from), message);
        self.settle_disks();
        result
    }

    /// Delivers what is on its way to and from these nodes only; the rest is lost.
    pub(crate) fn run_among(&mut self, nodes: &[u64]) {
        self.settle_disks();
        while let Some(envelope) = self.wire.pop_front() {
            let both = nodes.contains(&envelope.from) && nodes.contains(&envelope.to);
            if both && self.nodes.iter().any(|(id, _)| *id == envelope.to) {
                // one that is full is asked again
                self.give(&envelope)
                    .or_else(
                        |rejected| {
                            if rejected == Rejected::Full { Ok(()) } else { Err(rejected) }
                        },
                    )
                    .unwrap();
            }
        }
    }

    pub(crate) fn run(&mut self) {
        let all: Vec<u64> = self.nodes.iter().map(|(id, _)| *id).collect();
        self.run_among(&all);
    }

    /// Time passes.
    pub(crate) fn tick(&mut self, us: u64) {
        self.now = self.now.after(us);
        let now = self.now;
        self.nodes.iter_mut().for_each(|(_, node)| node.tick(now));
        self.settle_disks();
    }

    /// What the application of the node was told since the last call.
    pub(crate) fn told(&mut self, id: u64) -> Vec<Told<V>> {
        let of = |told: &(u64, _, Told<V>)| told.0 == id && !matches!(told.2, Told::Outdated(..));
        let (its, others) = core::mem::take(&mut self.told).into_iter().partition(of);
        self.told = others;
        let its: Vec<(u64, Option<Request>, Told<V>)> = its;
        its.into_iter().map(|(_, _, told)| told).collect()
    }

    /// Of which newer layouts the node was told since the last call, and by whom.
    pub(crate) fn outdated(&mut self, id: u64) -> Vec<(u64, Version)> {
        let mut layouts = Vec::new();
        self.told.retain(|told| match told.2 {
            Told::Outdated(by, version) if told.0 == id => {
                layouts.push((by, version));
                false
            }
            _ => true,
        });
        layouts
    }

    /// The node's process ends, and starts again with what is on its disk.
    pub(crate) fn restart(&mut self, id: u64, layout: &Same) {
        let (_, durable, pending) = self.disks.iter_mut().find(|(at, ..)| *at == id).unwrap();
        pending.clear();
        let mut node = Store::new(NodeId::new(id), 8, layout.clone(), config()).unwrap();
        for record in durable {
            node.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        *self.node(id) = node;
    }
}

pub(crate) fn told<V: Value>(id: u64, event: Event<'_, V>) -> (u64, Option<Request>, Told<V>) {
    match event {
        Event::Written { request, superseded, .. } => {
            (id, Some(request), Told::Written { superseded })
        }
        Event::Found { request, value } => (id, Some(request), Told::Found(value.cloned())),
        Event::Failed { request, failure, seen, .. } => {
            (id, Some(request), Told::Failed(failure, seen.cloned()))
        }
        Event::LayoutChanged { .. } => (id, None, Told::LayoutChanged),
        Event::Swept { with } => (id, None, Told::Swept(with.get())),
        Event::LayoutOutdated { by, version } => (id, None, Told::Outdated(by.get(), version)),
        other => panic!("{other:?}"),
    }
}

fn bytes<'a>(value: &impl quorate_core::Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}
