//! Phase 1b and phase 2b: what a node promises, and votes for.

use quorate_core::Rejected;

use super::peer::Due;
use super::{LIMIT, MultiPaxos, Slot, Storage};
use crate::{Ballot, Roles};

impl<S: Storage> MultiPaxos<S> {
    /// "If an acceptor receives a prepare request with number n greater than that of any prepare request to which it has already responded,
    /// then it responds" (Lamport, "Paxos Made Simple", 2001, section 2.2). One prepare is for all slots from one on (section 3).
    pub(super) fn on_prepare(
        &mut self,
        index: usize,
        ballot: Ballot,
        from: Slot,
    ) -> Result<(), Rejected> {
        if from == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.group.has_role(self.group.me(), Roles::ACCEPTOR) {
            return Err(Rejected::Impossible);
        }
        if from >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        self.check_own_ballot(index, ballot)?;
        if !self.founded {
            return Ok(());
        }
        let promised = self.election.promised();
        if ballot < promised {
            self.owe_preempted(index, ballot);
            return Ok(());
        }
        if ballot > promised {
            self.resign();
            self.promise_to(ballot);
        }
        if let Some(peer) = self.peers.get_mut(index) {
            peer.owed.promise = from;
            peer.owed.owe(Due::Promise);
        }
        self.be_patient();
        Ok(())
    }

    /// "If an acceptor receives an accept request for a proposal numbered n, it accepts the proposal unless it has already responded to a
    /// prepare request having a number greater than n" ("Paxos Made Simple", section 2.2). Learners do so, too; their votes count for
    /// nothing.
    #[inline]
    pub(super) fn on_accept(
        &mut self,
        index: usize,
        ballot: Ballot,
        (first, commit, entries): (Slot, Slot, &[u8]),
    ) -> Result<(), Rejected> {
        self.check_own_ballot(index, ballot)?;
        let count = self.check_entries(entries)?;
        if first == 0 || count == 0 {
            return Err(Rejected::Malformed);
        }
        if first.saturating_add(count) > LIMIT || commit >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if !self.founded && self.group.has_role(self.group.me(), Roles::ACCEPTOR) {
            return Ok(());
        }
        let promised = self.election.promised();
        self.work.records();
        self.work.member(index);
        if ballot < promised {
            self.owe_preempted(index, ballot);
            return Ok(());
        }
        let Ok(put) = self.slots.put(first, ballot, (count, entries)) else {
            // something else was chosen in a later ballot, of which this node has learned without a promise
            return Ok(());
        };
        self.is_full_owed |= put.is_log_full; // what has no room is sent again
        if let Some(changed) = put.changed {
            self.disk.changed(changed);
        }
        if ballot > promised {
            self.promise_to(ballot);
        }
        if self.election.leader() != Some((index, ballot)) {
            self.work.all();
            self.follow(index, ballot);
        }
        let now = self.now;
        if let Some(peer) = self.peers.get_mut(index) {
            peer.link.hear(now);
            peer.link.leads = ballot;
            peer.owed.owe(Due::Accepted);
        }
        if self.commit_to(commit.min(self.slots.voted_through(ballot))) || put.full {
            self.work.events();
        }
        Ok(())
    }

    /// Tells a candidate or leader that its ballot is too low.
    pub(super) fn owe_preempted(&mut self, index: usize, ballot: Ballot) {
        if let Some(peer) = self.peers.get_mut(index) {
            peer.owed.preempted = ballot;
            peer.owed.owe(Due::Preempted);
        }
    }
}
