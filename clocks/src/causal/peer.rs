use quorate_core::{Instant, NodeId};

use crate::{Storage, VersionVector};

/// State of another member: what it is known to have, and which messages to it are due.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Peer<A: Storage> {
    pub(super) id: NodeId,
    /// What it has delivered: a row of the matrix clock (Wuu, Bernstein, "Efficient Solutions to the Replicated Log and
    /// Dictionary Problems", PODC 1984).
    pub(super) known: VersionVector<A>,
    /// The boot number of its last status; 0 before its first one.
    pub(super) boot: u32,
    /// When its last status showed progress, or it had everything. [`JUST_NOW`] until time passes.
    pub(super) progressed_at: Instant,
    /// From when on a request makes messages go to it again: those that it lacks.
    pub(super) resend_at: Instant,
    /// The next message of the store to consider for it.
    pub(super) cursor: usize,
    /// It requested messages of other origins, too.
    pub(super) relay_requested: bool,
    /// A status to it is due.
    pub(super) status_due: bool,
    /// A status request to it is due. A request is no reply: both may be due.
    pub(super) request_due: bool,
    /// A [`Behind`](super::Message::Behind) to it is due.
    pub(super) behind_due: bool,
    /// It reported that this node is behind; the event to the application is due.
    pub(super) ahead: bool,
    /// Its claim that is not confirmed yet.
    pub(super) unconfirmed: Option<Unconfirmed>,
}

/// Stands for the time of what happened between two inputs that have one: the next `now`.
pub(super) const JUST_NOW: Instant = Instant::from_micros(u64::MAX);

/// A status of another start, or one that claims own broadcasts which this node did not make. It
/// is no proof: a single message may be wrong, and networks deliver one twice. It is confirmed when
/// the peer repeats it in a reply to a request that was sent after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Unconfirmed {
    pub(super) boot: u32,
    pub(super) is_claim: bool,
    /// It was a request, so no copy of it can be taken for a reply.
    pub(super) request: bool,
    /// Otherwise its reply must differ in this flag, which replies repeat from requests.
    pub(super) relay: bool,
    /// The request was sent.
    pub(super) is_requested: bool,
}

impl Unconfirmed {
    /// Whether a status with these flags is the reply to the request.
    pub(super) const fn is_reply(&self, request: bool, relay: bool) -> bool {
        self.is_requested && !request && (self.request || relay != self.relay)
    }
}

impl<A: Storage> Peer<A> {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            known: VersionVector::new(),
            boot: 0,
            progressed_at: Instant::ZERO,
            resend_at: Instant::ZERO,
            cursor: 0,
            relay_requested: false,
            status_due: false,
            request_due: false,
            behind_due: false,
            ahead: false,
            unconfirmed: None,
        }
    }

    /// The `relay` flag of the next request. A request that is to confirm a reply has the other
    /// flag: neither that reply nor a copy of it can then be taken for the new one.
    pub(super) fn requests_relay(&self, is_gap_overdue: bool) -> bool {
        match self.unconfirmed {
            Some(unconfirmed) if !unconfirmed.request => !unconfirmed.relay,
            _ => is_gap_overdue,
        }
    }

    /// Whether it may have started anew, and have less than is known of it.
    pub(super) fn may_have_restarted(&self) -> bool {
        self.unconfirmed.is_some_and(|unconfirmed| unconfirmed.boot != self.boot)
    }

    /// Whether others should wait for it.
    pub(super) fn is_timed_out(&self, now: Instant, member_timeout_us: u64) -> bool {
        now.since(self.progressed_at) >= member_timeout_us
    }
}
