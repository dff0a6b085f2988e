use std::collections::BTreeMap;

use quorate_core::{Instant, Rng};
use quorate_log::session::SessionId;

/// One packet in so many is lost.
const LOSS_ONE_IN: u64 = 10;
/// The longest that a message takes, in µs.
const MAX_LATENCY_US: u64 = 20_000;

/// Who sends and receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    Node(usize),
    Customer(usize),
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// Between nodes: an encoded message of Raft.
    Raft(Vec<u8>),
    /// To a node: an encoded call, without a time yet.
    Request(Vec<u8>),
    /// To a customer.
    Reply(Reply),
}

/// A reply to a customer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Registered {
        token: u64,
        session: SessionId,
    },
    Paid {
        session: SessionId,
        serial: u64,
    },
    /// The session is alive.
    SessionAlive {
        session: SessionId,
    },
    /// The session expired.
    SessionEnded {
        session: SessionId,
    },
    /// Another node is the leader.
    Redirect(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) packet: Packet,
}

/// Messages on their way, some of which get lost, and overtake each other.
pub(crate) struct Network {
    rng: Rng,
    number: u64,
    in_flight: BTreeMap<(Instant, u64), Envelope>,
    /// The node that the other nodes do not hear, and that does not hear them. Customers reach it.
    pub(crate) isolated: Option<usize>,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), number: 0, in_flight: BTreeMap::new(), isolated: None }
    }

    pub(crate) fn send(&mut self, now: Instant, from: Address, to: Address, packet: Packet) {
        let (lost, takes) = (self.rng.below(LOSS_ONE_IN) == 0, 1 + self.rng.below(MAX_LATENCY_US));
        let apart = match (from, to) {
            (Address::Node(a), Address::Node(b)) => [a, b].map(Some).contains(&self.isolated),
            _ => false,
        };
        if !(lost || apart) {
            self.number += 1;
            self.in_flight.insert((now.after(takes), self.number), Envelope { from, to, packet });
        }
    }

    /// The next that has arrived by now.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Envelope> {
        let first = self.in_flight.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
