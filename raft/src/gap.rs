//! Terms that are far apart, and messages that are refused again and again.
//!
//! No honest node is 2^32 terms ahead of another, so a message of such a term is not simply believed: it could use up the terms there are.
//! But neither may a gap last: nodes that refuse each other's terms, as stale on one side and as implausible on the other, never elect
//! anybody again. So a node that is told of a far term by a member raises its own by one step, at most once in an election timeout. Any
//! rise of a node's own term is safe (Raft thesis, 3.3: terms only have to grow), and after a few steps the terms meet.

use quorate_core::{Instant, NodeId, Rejected};

use crate::extras::Extra;
use crate::raft::{LIMIT, Raft, TERM_JUMP};
use crate::storage::Storage;
use crate::{Message, Role, Term};

/// The furthest that messages of nodes that are no members may raise this node's term before it times out for an election. Nodes need
/// it that have not heard of the latest members (4.1); more elections than that have not been held meanwhile.
const NON_MEMBER_JUMP: u64 = 1 << 16;

/// A node that has a leader gives it up for a gap of at most so many steps: each of them costs an election.
const MOST_STEPS: u64 = 64;

/// After so many election timeouts (on a leader, heartbeats) in a row with a refused message, it is reported.
const LOOKS: u8 = 3;

/// What a node knows of terms that are far from its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Gap {
    /// No step is taken before.
    step_at: Instant,
    /// By how much messages of non-members raised the own term since the last election timeout.
    raised: u32,
    /// Whose message was refused last, and why.
    refused: Option<(NodeId, Rejected)>,
    /// That was since the last look.
    fresh: bool,
    /// How many looks in a row found one.
    looks: u8,
    /// The application must be told.
    pub(crate) owed: bool,
}

impl Gap {
    /// Whose messages are refused again and again, and why the last one was.
    pub(crate) fn refusing(&self) -> Option<(NodeId, Rejected)> {
        self.refused.filter(|_| self.looks >= LOOKS)
    }

    /// The leader is heard, or another one.
    pub(crate) fn clear(&mut self) {
        (self.fresh, self.looks, self.owed) = (false, 0, false);
    }
}

/// What becomes of a message of a far term.
#[derive(PartialEq, Eq)]
enum Step {
    /// The own term was raised.
    Taken,
    /// It will be, at a later message.
    Later,
    /// Never for this message.
    Never,
}

impl<S: Storage> Raft<S> {
    /// A handler refused a message. If that is for its term, and a member sent it, the own term takes a step towards it: then
    /// the message is not refused.
    #[cold]
    #[inline(never)]
    pub(crate) fn on_refused(
        &mut self,
        from: usize,
        message: &Message<'_>,
        reason: Rejected,
    ) -> Result<(), Rejected> {
        let knows_nobody = self.members().is_empty();
        let member = |peer: &&crate::peer::Peer| knows_nobody || peer.membership.is_member();
        let Some(peer) = self.peers.get(from).filter(member).map(|peer| peer.id) else {
            self.count_raise(message, u32::saturating_sub);
            return Err(reason);
        };
        let step = match reason {
            Rejected::OutOfRange => self.step_towards(message),
            _ => Step::Never,
        };
        if step == Step::Taken {
            return Ok(());
        }
        let of_leader = matches!(
            message,
            Message::Append { .. }
                | Message::Snapshot { .. }
                | Message::SnapshotEnd { .. }
                | Message::Quiesce { .. }
        );
        let far = far_term(message).is_some_and(|term| term < LIMIT && !self.plausible(term));
        let lasts = match self.role {
            Role::Leader => far,
            _ => of_leader && (far || reason == Rejected::Impossible),
        };
        if lasts
            && step == Step::Never
            && let Some(extras) = self.extra.get_mut()
        {
            (extras.gap.refused, extras.gap.fresh) = (Some((peer, reason)), true);
        }
        Err(reason)
    }

    fn step_towards(&mut self, message: &Message<'_>) -> Step {
        let Some(term) = far_term(message) else { return Step::Never };
        if term >= LIMIT || self.plausible(term) {
            // another number was out of range
            return Step::Never;
        }
        if matches!(message, Message::RequestVote { .. }) && self.hears_leader() {
            // it is not to be lured away (4.2.3)
            return Step::Never;
        }
        let gap = term.saturating_sub(self.term);
        if self.leader.is_some() && gap > MOST_STEPS.saturating_mul(TERM_JUMP) {
            return Step::Never;
        }
        let (now, wait) = (self.now, self.config.election_max_us);
        let Some(extras) = self.extra.get_mut() else { return Step::Never };
        if now < extras.gap.step_at {
            return Step::Later;
        }
        extras.gap.step_at = now.after(wait);
        self.follow(self.term.saturating_add(TERM_JUMP), None);
        Step::Taken
    }

    /// An election timeout has passed without a leader, or it is time for a leader's heartbeat: what was refused all the while
    /// is reported.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_at_refusals(&mut self) {
        let Some(gap) = self.extra.get_mut().map(|extras| &mut extras.gap) else { return };
        if !core::mem::take(&mut gap.fresh) {
            gap.clear();
            return;
        }
        gap.looks = gap.looks.saturating_add(1);
        if gap.looks == LOOKS {
            gap.owed = true;
            self.work.events();
        }
    }

    /// Whether anything was refused lately, so that there is something to look at.
    #[inline]
    pub(crate) fn has_refused(&self) -> bool {
        self.extra.get().is_some_and(|extras| extras.gap.fresh || extras.gap.looks != 0)
    }

    pub(crate) fn refusing(&self) -> Option<(NodeId, Rejected)> {
        self.extra.get().and_then(|extras| extras.gap.refusing())
    }

    /// A message of a node that is no member, as far as this one knows: whether it is to be handled (`None`), and what becomes of it
    /// if not. What such a node may do is ask for a vote, and lead: this node may be the one that has not heard of the latest members (4.1).
    /// Its answers count for nothing, and its term is followed by a leader or a vote alone.
    #[cold]
    #[inline(never)]
    pub(crate) fn screen(
        &mut self,
        from: usize,
        message: &Message<'_>,
    ) -> Option<Result<(), Rejected>> {
        let (id, departs) = self.peers.get(from).map(|p| (p.id, p.membership.departs()))?;
        let leads = self.leader == Some(id) && self.role == Role::Follower;
        match *message {
            Message::Append { term, .. }
            | Message::Snapshot { term, .. }
            | Message::SnapshotEnd { term, .. }
            | Message::RequestVote { term, .. } => {
                // a node that waits to be added knows nobody, and the cluster's term may be any
                if self.members().is_empty() {
                    return None;
                }
                if self.too_far(term) {
                    return Some(Err(Rejected::OutOfRange));
                }
                // taken back if the message is refused
                self.count_raise(message, u32::saturating_add);
                None
            }
            Message::TimeoutNow { .. }
            | Message::ReadIndexConfirmed { .. }
            | Message::Quiesce { .. }
            | Message::Proposed { .. }
                if leads =>
            {
                None
            }
            Message::AppendAccepted { term, .. }
            | Message::AppendRejected { term, .. }
            | Message::SnapshotAck { term, .. }
                if departs =>
            {
                if term > self.term && term < LIMIT {
                    // it asked for votes since it was removed: nobody follows it there
                    self.owe_removed(from);
                    return Some(Ok(()));
                }
                None
            }
            Message::ReadIndex { .. }
            | Message::RequestSnapshot { .. }
            | Message::Propose { .. }
                if departs =>
            {
                None
            }
            _ => Some(Err(Rejected::UnknownSender)),
        }
    }
}

impl<S: Storage> Raft<S> {
    /// Whether a non-member of this term would raise this node's by more than it may.
    fn too_far(&self, term: Term) -> bool {
        let raised = self.extra.get().map_or(0, |extras| extras.gap.raised);
        let left = NON_MEMBER_JUMP.saturating_sub(raised.into());
        term > self.term.saturating_add(left)
    }

    /// Counts by how much the message of a non-member that leads raises this node's term, or takes that back. One that asks for a vote
    /// raises it only if it is up to date, and is counted there.
    fn count_raise(&mut self, message: &Message<'_>, count: fn(u32, u32) -> u32) {
        if let Message::Append { term, .. }
        | Message::Snapshot { term, .. }
        | Message::SnapshotEnd { term, .. } = *message
        {
            self.raise_for_non_member(term, count);
        }
    }

    pub(crate) fn raise_for_non_member(&mut self, term: Term, count: fn(u32, u32) -> u32) {
        let by = u32::try_from(term.saturating_sub(self.term)).unwrap_or(u32::MAX);
        if let Some(extras) = self.extra.get_mut() {
            extras.gap.raised = count(extras.gap.raised, by);
        }
    }

    /// An election timeout has passed.
    pub(crate) fn forget_raises(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            extras.gap.raised = 0;
        }
    }
}

/// The term that the sender of a message is in, if the message may tell this node of it.
const fn far_term(message: &Message<'_>) -> Option<Term> {
    match *message {
        // the term of a pre-vote is nobody's yet, but the one before is, and a step does not go further
        Message::RequestVote { term, .. }
        | Message::Vote { term, granted: false, .. }
        | Message::Append { term, .. }
        | Message::AppendAccepted { term, .. }
        | Message::AppendRejected { term, .. }
        | Message::Snapshot { term, .. }
        | Message::SnapshotEnd { term, .. }
        | Message::SnapshotAck { term, .. }
        | Message::Quiesce { term, .. } => Some(term),
        _ => None,
    }
}
