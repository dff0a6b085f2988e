use quorate_core::{Instant, NodeId};

use crate::{Storage, VersionVector};

/// What is known of another member, and owed to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Peer<A: Storage> {
    pub(super) id: NodeId,
    /// What it has delivered: a row of the matrix clock (Wuu, Bernstein, "Efficient Solutions to the Replicated Log and
    /// Dictionary Problems", PODC 1984).
    pub(super) known: VersionVector<A>,
    /// The start it said that in; 0 before it was heard.
    pub(super) boot: u32,
    pub(super) heard_at: Instant,
    /// The next message of the store to consider for it.
    pub(super) cursor: usize,
    /// It asked for messages of others, too.
    pub(super) helped: bool,
    /// It is owed a status.
    pub(super) status: bool,
    /// The status is to ask for its own.
    pub(super) ask: bool,
    /// It is owed the news that it is behind.
    pub(super) behind: bool,
    /// It said that this node is behind it, and the application was not told yet.
    pub(super) ahead: bool,
    /// Its statuses of this start that claim own broadcasts which this node did not make: bit 0
    /// without `help`, bit 1 with it.
    pub(super) claims: u8,
}

/// A claim was made in a question, and again in the answer to another: it is no stray message.
pub(super) const CONFIRMED: u8 = 0b11;

impl<A: Storage> Peer<A> {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            known: VersionVector::new(),
            boot: 0,
            heard_at: Instant::ZERO,
            cursor: 0,
            helped: false,
            status: false,
            ask: false,
            behind: false,
            ahead: false,
            claims: 0,
        }
    }

    /// Whether a question should ask for help. One that a claim is to be confirmed by says what the
    /// claim did not, as an answer repeats it: neither the message that made the claim nor a copy
    /// of it can be taken for the answer.
    pub(super) const fn asks_help(&self, is_gap_old: bool) -> bool {
        match self.claims {
            0 | CONFIRMED => is_gap_old,
            claims => claims & 1 != 0,
        }
    }

    /// Whether it is to confirm a claim.
    pub(super) const fn is_questioned(&self) -> bool {
        !matches!(self.claims, 0 | CONFIRMED)
    }

    /// Whether others should wait for it.
    pub(super) fn is_silent(&self, now: Instant, patience_us: u64) -> bool {
        now.since(self.heard_at) >= patience_us
    }
}
