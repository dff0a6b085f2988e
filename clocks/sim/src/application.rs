use std::collections::{BTreeMap, BTreeSet};

use quorate_clocks::{Dot, Guarantees, Heap, Session, VersionVector};

pub(crate) type Vector = VersionVector<Heap>;

/// The application beside a member: the set of what was delivered. Durable with each delivery.
#[derive(Clone, Default)]
pub(crate) struct Application {
    pub(crate) set: BTreeSet<Dot>,
    pub(crate) vector: Vector,
}

impl Application {
    pub(crate) fn add(&mut self, dot: Dot) {
        self.set.insert(dot);
        self.vector.observe(dot).unwrap();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.set.extend(&other.set);
        self.vector.merge(&other.vector).unwrap();
    }
}

/// A broadcast as its sender made it.
pub(crate) struct Sent {
    pub(crate) payload: Vec<u8>,
    /// What the sender's application had.
    pub(crate) causes: Vector,
    /// What the client that wrote it had seen or written.
    pub(crate) needs: BTreeSet<Dot>,
}

/// All broadcasts there were.
#[derive(Default)]
pub(crate) struct Broadcasts(BTreeMap<Dot, Sent>);

impl Broadcasts {
    pub(crate) fn add(&mut self, dot: Dot, sent: Sent) {
        self.0.insert(dot, sent);
    }

    pub(crate) fn get(&self, dot: Dot) -> Option<&Sent> {
        self.0.get(&dot)
    }
}

/// A client that goes from member to member, with its token and with what it really saw.
pub(crate) struct Client {
    pub(crate) token: Session<Heap>,
    pub(crate) seen: BTreeSet<Dot>,
    /// A write on its way: the member, the dot, and the payload.
    pub(crate) pending: Option<(usize, Dot, Vec<u8>)>,
    /// Refusals in a row.
    pub(crate) refused: u32,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            token: Session::new(Guarantees::ALL),
            seen: BTreeSet::new(),
            pending: None,
            refused: 0,
        }
    }
}
