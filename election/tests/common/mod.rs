//! A cluster on one thread: messages arrive in the order in which they were sent, writes are durable at once.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::VecDeque;

use quorate_core::{Instant, Machine, NodeId, Output, Wire};

pub struct Cluster<M: Machine> {
    pub ids: Vec<NodeId>,
    /// `None` while a node is down.
    pub nodes: Vec<Option<M>>,
    pub now: Instant,
    /// From, to, and the message as it is on the wire.
    pub post: VecDeque<(usize, usize, Vec<u8>)>,
    pub sent: u64,
    /// What is lost on its way: from, to.
    pub lost: Box<dyn FnMut(usize, usize) -> bool>,
    /// What each node has on disk.
    pub disks: Vec<Vec<Vec<u8>>>,
}

impl<M: Machine> Cluster<M> {
    pub fn new(ids: &[NodeId], make: impl Fn(NodeId) -> M) -> Self {
        let nodes = ids.iter().map(|&id| Some(make(id))).collect();
        Self {
            ids: ids.to_vec(),
            nodes,
            now: Instant::ZERO,
            post: VecDeque::new(),
            sent: 0,
            lost: Box::new(|_, _| false),
            disks: vec![Vec::new(); ids.len()],
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
                    let mut bytes = vec![0; record.encoded_len()];
                    record.to_slice(&mut bytes).unwrap();
                    self.disks[at].push(bytes);
                    durable = Some(ticket);
                }
                Some(Output::Send(to, message)) => {
                    let mut bytes = vec![0; message.encoded_len()];
                    message.to_slice(&mut bytes).unwrap();
                    let to = self.ids.iter().position(|&id| id == to).unwrap();
                    self.post.push_back((at, to, bytes));
                    self.sent += 1;
                }
                Some(Output::Event(_)) => {}
            }
            if let Some(ticket) = durable {
                node.persisted(ticket);
            }
        }
    }

    /// Everything that was sent arrives, and what follows from it.
    pub fn settle(&mut self) {
        (0..self.nodes.len()).for_each(|at| self.drain(at));
        for _ in 0..1_000_000 {
            let Some((from, to, bytes)) = self.post.pop_front() else { return };
            let (now, id) = (self.now, self.ids[from]);
            if (self.lost)(from, to) {
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
        self.settle();
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
