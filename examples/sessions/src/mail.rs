use std::collections::BTreeMap;

use quorate_core::{Instant, Rng};
use quorate_raft::session::SessionId;

/// One message in so many is lost.
const LOST: u64 = 10;
/// The longest that a message takes, in µs.
const SLOW_US: u64 = 20_000;

/// Who sends and receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    Node(usize),
    Customer(usize),
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    /// Between nodes: an encoded message of Raft.
    Raft(Vec<u8>),
    /// To a node: an encoded call, without a time yet.
    Ask(Vec<u8>),
    /// To a customer.
    Reply(Reply),
}

/// What a customer is told.
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
    /// The session lives.
    Alive {
        session: SessionId,
    },
    /// It does not.
    Gone {
        session: SessionId,
    },
    /// Another node leads.
    AskNode(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) letter: Letter,
}

/// Messages on their way, some of which get lost, and overtake each other.
pub(crate) struct Mail {
    rng: Rng,
    number: u64,
    on_the_way: BTreeMap<(Instant, u64), Envelope>,
    /// The node that the other nodes do not hear, and that does not hear them. Customers reach it.
    pub(crate) cut_off: Option<usize>,
}

impl Mail {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), number: 0, on_the_way: BTreeMap::new(), cut_off: None }
    }

    pub(crate) fn send(&mut self, now: Instant, from: Address, to: Address, letter: Letter) {
        let (lost, takes) = (self.rng.below(LOST) == 0, 1 + self.rng.below(SLOW_US));
        let apart = match (from, to) {
            (Address::Node(a), Address::Node(b)) => [a, b].map(Some).contains(&self.cut_off),
            _ => false,
        };
        if !(lost || apart) {
            self.number += 1;
            self.on_the_way.insert((now.after(takes), self.number), Envelope { from, to, letter });
        }
    }

    /// The next that has arrived by now.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Envelope> {
        let first = self.on_the_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
