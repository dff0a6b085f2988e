//! Rings of every size settle in the time that they tell, with the presets, though each message takes as long as it may.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use quorate_core::{Instant, Machine, NodeId, Output, Rng};
use quorate_election::ring::{Algorithm, ChangRoberts, Collecting, HirschbergSinclair, Message};
use quorate_election::{Config, Inline, Ring, Takeover};

type Node<A> = Ring<A, Inline<32>>;

/// Nodes and the messages between them, which take at most half an `answer_timeout_us`.
struct Net<A: Algorithm> {
    ids: Vec<NodeId>,
    /// A node that is down takes and sends nothing.
    nodes: Vec<Option<Node<A>>>,
    /// By the time of their arrival, in µs, and in the order in which they were sent.
    messages: BTreeMap<(u64, u64), (usize, usize, Message)>,
    sent: u64,
    rng: Rng,
    config: Config,
}

impl<A: Algorithm> Net<A> {
    fn new(members: usize, down: usize, config: Config, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut ids: Vec<NodeId> = (1..=members as u64).map(NodeId::new).collect();
        for at in (1..members).rev() {
            ids.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let nodes = ids.iter().map(|&id| Some(Node::new(id, &ids, config).unwrap())).collect();
        let mut net = Self { ids, nodes, messages: BTreeMap::new(), sent: 0, rng, config };
        for _ in 0..down {
            let at = net.rng.below(members as u64) as usize;
            net.nodes[at] = None;
        }
        net
    }

    fn drain(&mut self, at: usize, now: u64) {
        let most = self.config.answer_timeout_us / 2;
        let Some(node) = &mut self.nodes[at] else { return };
        while let Some(output) = node.poll() {
            match output {
                Output::Persist(ticket, _) => node.persisted(ticket),
                Output::Send(to, message) => {
                    let to = self.ids.iter().position(|&id| id == to).unwrap();
                    let arrival = now + self.rng.range(most - most / 10, most);
                    self.sent += 1;
                    self.messages.insert((arrival, self.sent), (at, to, message));
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Until this time, in µs.
    fn run(&mut self, until: u64) {
        for at in 0..self.nodes.len() {
            if let Some(node) = &mut self.nodes[at] {
                node.tick(Instant::ZERO);
            }
            self.drain(at, 0);
        }
        loop {
            let deadlines = self.nodes.iter().enumerate();
            let deadlines = deadlines.filter_map(|(at, n)| Some((n.as_ref()?.deadline()?, at)));
            let (deadline, ticks) = deadlines.min().unwrap();
            let arrival = self.messages.keys().next().map_or(u64::MAX, |&(at, _)| at);
            let now = arrival.min(deadline.as_micros());
            if now > until {
                return;
            }
            let at = if arrival == now {
                let (_, (from, to, message)) = self.messages.pop_first().unwrap();
                if let Some(node) = &mut self.nodes[to] {
                    let _ = node.receive(Instant::from_micros(now), self.ids[from], message);
                }
                to
            } else {
                self.nodes[ticks].as_mut().unwrap().tick(Instant::from_micros(now));
                ticks
            };
            self.drain(at, now);
        }
    }
}

fn settles<A: Algorithm>() {
    for takeover in [Takeover::Highest, Takeover::Keep] {
        for members in [2, 3, 5, 7, 8, 9, 10, 12, 16, 17, 24, 32] {
            for down in [0, members / 2] {
                let config = Config { takeover, ..Config::lan() };
                let mut net = Net::<A>::new(members, down, config, (members + down) as u64);
                let up = net.nodes.iter().flatten();
                let settle_us = up.map(Ring::settle_us).max().unwrap();
                net.run(settle_us);
                let mut leaders: Vec<_> =
                    net.nodes.iter().flatten().map(|node| node.status().leader).collect();
                leaders.dedup();
                assert!(
                    leaders.len() == 1 && leaders[0].is_some(),
                    "{members} members, {down} down, {takeover:?}: {leaders:?} after {settle_us} \u{b5}s"
                );
            }
        }
    }
}

#[test]
fn collecting_ring_settles() {
    settles::<Collecting>();
}

#[test]
fn chang_roberts_ring_settles() {
    settles::<ChangRoberts>();
}

#[test]
fn hirschberg_sinclair_ring_settles() {
    settles::<HirschbergSinclair>();
}
