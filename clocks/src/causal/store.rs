use quorate_core::{Full, List, Ticket};

use crate::{Dot, Storage, VersionVector, Versions};

/// A message that is kept: until its causes arrived, and then until everybody has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoredMessage<A: Storage, B: Storage> {
    pub(super) dot: Dot,
    pub(super) causes: A::List<Dot>,
    pub(super) payload: B::List<u8>,
    /// The application has it.
    pub(super) delivered: bool,
    /// Where it comes from, and whether it is on disk.
    pub(super) origin: Origin,
}

/// Where a message comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Origin {
    /// Another node.
    Remote,
    /// This node; its record was not issued yet.
    OwnUnissued,
    /// This node, with the ticket of its record; ticket 0 if it was replayed from disk.
    Own(Ticket),
}

impl<A: Storage, B: Storage> StoredMessage<A, B> {
    pub(super) fn new(
        dot: Dot,
        causes: Versions<'_>,
        payload: &[u8],
        origin: Origin,
    ) -> Result<Self, Full> {
        let mut list = A::List::with_limit(A::LIMIT);
        for cause in causes.iter() {
            list.push(cause)?;
        }
        let mut bytes = B::List::with_limit(B::LIMIT);
        bytes.extend_from_slice(payload)?;
        Ok(Self { dot, causes: list, payload: bytes, delivered: false, origin })
    }

    pub(super) fn is_own(&self) -> bool {
        self.origin != Origin::Remote
    }

    /// Whether others may have it, and the application: an own message must be on disk.
    pub(super) fn is_durable(&self, durable: Ticket) -> bool {
        match self.origin {
            Origin::Remote => true,
            Origin::OwnUnissued => false,
            Origin::Own(ticket) => ticket <= durable,
        }
    }

    /// The condition of causal delivery (Birman, Schiper, Stephenson, "Lightweight Causal and Atomic Group Multicast", 1991,
    /// section 5.1), with the causes that are new since the same actor's last message.
    pub(super) fn is_next(&self, delivered: &VersionVector<A>) -> bool {
        is_next(self.dot, Versions::plain(&self.causes), delivered)
    }
}

/// Whether a message's causes were all delivered, and itself was not.
pub(super) fn is_next<A: Storage>(
    dot: Dot,
    causes: Versions<'_>,
    delivered: &VersionVector<A>,
) -> bool {
    delivered.next(dot.actor()) == Ok(dot) && delivered.includes_all(causes)
}

/// Whether the dot's actor is among those delivered, or fits among them.
pub(super) fn has_room<A: Storage>(delivered: &VersionVector<A>, dot: Dot) -> bool {
    delivered.len() < delivered.limit() || delivered.get(dot.actor()) > 0
}
