//! A cluster on one thread: messages arrive in the order in which they were sent, writes are durable at once.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::VecDeque;

use quorate_core::{Instant, Machine, NodeId, Output, Ticket, Tickets, Wire};
use quorate_election::ring::{self, Algorithm};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Ring, Status, bully};

/// What the elections have in common.
pub trait Node: for<'a> Machine<Event<'a> = Event, Status = Status> {
    fn make(id: NodeId, ids: &[NodeId], config: Config) -> Self;
    fn holds_lease(&self, now: Instant) -> bool;
    fn suspect(&mut self, now: Instant, node: NodeId);
    fn fenced(&mut self, now: Instant, later: Epoch);
    /// A claim to lead in this epoch.
    fn claim(epoch: Epoch) -> Vec<u8>;
}

/// The `n`th ticket of some other machine.
pub fn nth_ticket(n: u64) -> Ticket {
    let mut tickets = Tickets::default();
    for _ in 1..n {
        tickets.issue();
    }
    tickets.issue()
}

pub fn bytes<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.to_slice(&mut bytes).unwrap();
    bytes
}

macro_rules! node {
    () => {
        fn make(id: NodeId, ids: &[NodeId], config: Config) -> Self {
            Self::new(id, ids, config).unwrap()
        }
        fn suspect(&mut self, now: Instant, node: NodeId) {
            self.suspect(now, node);
        }
        fn fenced(&mut self, now: Instant, later: Epoch) {
            self.fenced(now, later);
        }
    };
}

impl<const N: usize> Node for Bully<Inline<N>> {
    node!();
    fn holds_lease(&self, now: Instant) -> bool {
        self.holds_lease(now)
    }
    fn claim(epoch: Epoch) -> Vec<u8> {
        bytes(&bully::Message::Alive { epoch, round: 1 })
    }
}

impl<A: Algorithm, const N: usize> Node for Ring<A, Inline<N>> {
    node!();
    fn holds_lease(&self, _now: Instant) -> bool {
        false
    }
    fn claim(epoch: Epoch) -> Vec<u8> {
        bytes(&ring::Message::Alive { epoch })
    }
}

pub struct Cluster<M: Machine> {
    pub ids: Vec<NodeId>,
    /// `None` while a node is down.
    pub nodes: Vec<Option<M>>,
    pub now: Instant,
    /// From, to, and the message as it is on the wire.
    pub in_flight: VecDeque<(usize, usize, Vec<u8>)>,
    pub sent: u64,
    /// What is lost on its way: from, to.
    pub is_lost: Box<dyn FnMut(usize, usize) -> bool>,
    /// What each node has on disk.
    pub disks: Vec<Vec<Vec<u8>>>,
    /// What each node was told, in order.
    pub events: Vec<(usize, Event)>,
}

impl<M: for<'a> Machine<Event<'a> = Event>> Cluster<M> {
    pub fn new(ids: &[NodeId], make: impl Fn(NodeId) -> M) -> Self {
        let nodes = ids.iter().map(|&id| Some(make(id))).collect();
        Self {
            ids: ids.to_vec(),
            nodes,
            now: Instant::ZERO,
            in_flight: VecDeque::new(),
            sent: 0,
            is_lost: Box::new(|_, _| false),
            disks: vec![Vec::new(); ids.len()],
            events: Vec::new(),
        }
    }

    pub fn node(&mut self, at: usize) -> &mut M {
        self.nodes[at].as_mut().unwrap()
    }

    /// Does what a node asks.
    pub fn drain(&mut self, at: usize) {
        let Some(node) = self.nodes[at].as_mut() else { return };
        loop {
            let mut durable = None;
            match node.poll() {
                None => return,
                Some(Output::Persist(ticket, record)) => {
                    self.disks[at].push(bytes(&record));
                    durable = Some(ticket);
                }
                Some(Output::Send(to, message)) => {
                    let bytes = bytes(&message);
                    let to = self.ids.iter().position(|&id| id == to).unwrap();
                    self.in_flight.push_back((at, to, bytes));
                    self.sent += 1;
                }
                Some(Output::Event(event)) => self.events.push((at, event)),
            }
            if let Some(ticket) = durable {
                node.persisted(ticket);
            }
        }
    }

    /// Everything that was sent arrives, and what follows from it.
    pub fn deliver_all(&mut self) {
        (0..self.nodes.len()).for_each(|at| self.drain(at));
        for _ in 0..1_000_000 {
            let Some((from, to, bytes)) = self.in_flight.pop_front() else { return };
            let (now, id) = (self.now, self.ids[from]);
            if (self.is_lost)(from, to) {
                continue;
            }
            if let Some(node) = self.nodes[to].as_mut() {
                node.receive(now, id, M::Message::from_slice(&bytes).unwrap()).unwrap();
                self.drain(to);
            }
        }
        unreachable!("messages without end");
    }

    /// A node starts with what its disk holds.
    pub fn boot(&mut self, at: usize, mut node: M) {
        for record in &self.disks[at] {
            node.restore(M::Record::from_slice(record).unwrap()).unwrap();
        }
        self.nodes[at] = Some(node);
    }

    /// All that are up are ticked, and everything arrives.
    pub fn tick(&mut self) {
        let now = self.now;
        self.nodes.iter_mut().flatten().for_each(|node| node.tick(now));
        self.deliver_all();
    }

    /// Time passes for so long, from deadline to deadline.
    pub fn run(&mut self, us: u64) {
        let end = self.now.after(us);
        loop {
            let next = self.nodes.iter().flatten().filter_map(Machine::deadline).min();
            match next {
                Some(next) if next <= end => {
                    self.now = self.now.max(next);
                    self.tick();
                }
                _ => break,
            }
        }
        self.now = end;
    }
}

pub fn ids(numbers: &[u64]) -> Vec<NodeId> {
    numbers.iter().map(|&n| NodeId::new(n)).collect()
}

/// All orders of `1..=n`.
pub fn orders(n: u64) -> Vec<Vec<u64>> {
    let mut all = vec![vec![]];
    for number in 1..=n {
        all = all
            .iter()
            .flat_map(|order: &Vec<u64>| {
                (0..=order.len()).map(move |at| {
                    let mut longer = order.clone();
                    longer.insert(at, number);
                    longer
                })
            })
            .collect();
    }
    all
}
