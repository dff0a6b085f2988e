//! Phase 2a: a leader streams its proposals, in the order of the slots, and counts votes.

use quorate_core::{Phase, Rejected};
use quorate_log::Span;

use super::entry::Header;
use super::{LIMIT, MultiPaxos, Role, Slot, Storage, succ};
use crate::Ballot;

/// No-ops that fill up the log at once, at most.
const MAX_FILL: u64 = 64;

impl<S: Storage> MultiPaxos<S> {
    #[inline]
    pub(super) fn on_accepted(
        &mut self,
        index: usize,
        ballot: Ballot,
        through: Slot,
    ) -> Result<(), Rejected> {
        if ballot.is_zero() {
            return Err(Rejected::Malformed);
        }
        if through >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        let is_mine = ballot.node == self.group.my_id();
        if !is_mine || ballot > self.election.promised() {
            return Err(Rejected::Impossible);
        }
        if self.role != Role::Leader || ballot != self.election.promised() {
            return Ok(());
        }
        // it may have learned of more
        let through = through.min(self.slots.last());
        if let Some(peer) = self.peers.get_mut(index) {
            peer.flow.accepted(through);
        }
        self.work.member(index); // there may be room for more
        if self.handover.is_some() {
            self.hand_over(index);
        }
        if through > self.slots.commit() {
            self.advance_commit();
        }
        Ok(())
    }

    /// A slot is chosen when a quorum of phase 2 has voted for it in one ballot. Votes come in the order of the slots, so that how far each
    /// acceptor has come tells all there is to know.
    #[inline]
    pub(super) fn advance_commit(&mut self) {
        if self.role != Role::Leader {
            return;
        }
        let (me, own) = (self.group.me(), self.disk.durable().min(self.slots.last()));
        let peers = &self.peers;
        let voted = |index: usize| match index == me {
            true => own,
            false => peers.get(index).map_or(0, |peer| peer.flow.matched),
        };
        if let Some(slot) = self.group.reached(Phase::Two, self.slots.commit(), voted) {
            self.work.events();
            self.commit_to(slot);
            if self.reads.others_await > 0 {
                self.tell_readers();
            }
        }
    }

    /// Another node has votes for later slots, which were proposed in an earlier ballot: phase 1 covered those slots as well, so a no-op
    /// decides what became of them.
    pub(super) fn fill_to(&mut self, last: Slot) {
        let end = last.min(self.slots.last().saturating_add(MAX_FILL));
        let ballot = self.election.promised();
        let header = Header::no_op(self.epoch_of(ballot));
        let (half_entries, _) = self.slots.half();
        while self.slots.last() < end {
            let open = self.slots.last().saturating_sub(self.slots.commit());
            if open >= half_entries || self.slots.add(header, &[], ballot).is_err() {
                return;
            }
        }
    }

    /// The next entries for a member, as many as the windows allow.
    #[inline]
    pub(super) fn plan_accept(&mut self, index: usize) -> Option<Span> {
        let (last, timeout) = (self.slots.last(), self.config.election_us);
        let peer = self.peers.get_mut(index)?;
        let next = peer.flow.next;
        // what the log no longer has, it fetches
        if next > last || next <= self.slots.compacted() || !peer.link.is_heard(self.now, timeout) {
            return None;
        }
        // those in another configuration, or in none, fetch what is chosen
        let is_foreign = peer.link.configuration != self.reconfiguration.number;
        if S::CHANGES && (is_foreign || self.group.has_no_role(index)) {
            return None;
        }
        let (sent, has) = (next.saturating_sub(1), peer.flow.matched.max(peer.link.commit));
        let entries = sent.saturating_sub(has);
        let bytes = if entries > 0 { self.slots.bytes_between(has, sent) } else { 0 };
        let room = self.config.max_inflight_entries.saturating_sub(entries);
        let limit = self.config.max_inflight_bytes as u64;
        if entries > 0 && (room == 0 || bytes >= limit) {
            return None;
        }
        let bytes = usize::try_from(limit.saturating_sub(bytes)).unwrap_or(usize::MAX);
        let bytes = bytes.min(self.config.max_accept_bytes);
        let to = last.min(sent.saturating_add(room.max(1)));
        let span = self.slots.span(next, to, bytes);
        peer.flow.next = succ(span.last());
        Some(span)
    }
}
