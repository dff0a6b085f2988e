//! Phase 1a: what a candidate finds, and proposes then.

use quorate_core::{Phase, Rejected};

use super::peer::Due;
use super::{LIMIT, Message, MultiPaxos, Role, Slot, Storage, entry, succ};
use crate::Ballot;

impl<S: Storage> MultiPaxos<S> {
    pub(super) fn on_promise(
        &mut self,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), Rejected> {
        let &Message::Promise { ballot, from, first, accepted, entries, commit, last } = message
        else {
            return Ok(());
        };
        let listens = self.listens_to(index)?;
        let count = self.check_entries(entries)?;
        let next = first.saturating_add(count);
        let is_chosen = accepted.is_zero();
        let fits = if is_chosen { next <= succ(commit) } else { first > commit };
        let is_page = from > 0 && first >= from && commit <= last && accepted <= ballot;
        if !is_page || (count > 0 && (!fits || next > succ(last))) {
            return Err(Rejected::Malformed);
        }
        if last >= LIMIT || next > LIMIT {
            return Err(Rejected::OutOfRange);
        }
        self.check_ballot(ballot)?;
        let is_mine = ballot.node == self.group.my_id();
        if !is_mine || ballot > self.election.promised() {
            return Err(Rejected::Impossible); // nobody asked for it
        }
        let page = self.peers.get(index).map(|peer| peer.page.clone()).unwrap_or_default();
        let is_wanted = self.role == Role::Candidate && ballot == self.election.promised();
        // a prepare that came late is answered with votes in the ballot itself
        if !listens || !is_wanted || page.is_last || page.next != from || accepted == ballot {
            return Ok(());
        }
        let own = self.slots.commit();
        if first > from && from <= commit && first > succ(own) {
            // its log begins later: this node catches up first, and others may lead meanwhile
            let is_busy = self.is_receiving_from_another(index);
            if let Some(peer) = self.peers.get_mut(index) {
                peer.link.commit = commit;
                if !is_busy {
                    peer.owed.owe(Due::Fetch);
                }
            }
            self.resign();
            self.be_patient();
            return Ok(());
        }
        if is_chosen && count > 0 && first > succ(own) {
            // it has learned what was chosen since the page before, whose votes may be for something else: all of it is asked for again
            if let Some(peer) = self.peers.get_mut(index) {
                peer.page.next = succ(own);
                peer.owed.owe(Due::Prepare);
            }
            return Ok(());
        }
        let present = self.reconfiguration.number;
        let is_full = if is_chosen {
            !self.learn(first, entries)?
        } else {
            self.merge(first, accepted, entries)
        };
        if self.reconfiguration.number != present {
            return Ok(()); // what it was a candidate for has ended
        }
        if is_full {
            // another one may have more room
            self.is_full_owed = true;
            self.resign();
            self.be_patient();
            return Ok(());
        }
        if let Some(peer) = self.peers.get_mut(index) {
            peer.link.commit = peer.link.commit.max(commit);
            peer.page.next = next.max(from);
            peer.page.is_last = count == 0 || next > last;
            peer.owed.set(Due::Prepare, !peer.page.is_last);
        }
        self.conclude();
        Ok(())
    }

    /// Entries that are chosen, from at most the first slot on that is not known to be. False if they have no room.
    pub(super) fn learn(&mut self, first: Slot, entries: &[u8]) -> Result<bool, Rejected> {
        let (mut first, mut rest) = (first, entries);
        while !rest.is_empty() {
            // what follows a stop-sign is of the next configuration
            let (count, part, after) = entry::through_stop_sign(rest);
            let put = self.slots.put(first, Ballot::ZERO, (count, part));
            let put = put.map_err(|_| Rejected::Impossible)?;
            if let Some(changed) = put.changed {
                self.disk.changed(changed);
            }
            self.commit_to(put.through);
            if put.full {
                return Ok(false);
            }
            if !after.is_empty() {
                self.slots.has_stop_sign(); // there may be more of them
            }
            (first, rest) = (first.wrapping_add(count), after);
        }
        Ok(true)
    }

    /// For each slot, the vote in the highest ballot counts ("Paxos Made Simple", section 2.2, P2c). This node adopts it as if it were its
    /// own: it may tell a later candidate of it, but has not voted for it. True if there is no room.
    fn merge(&mut self, first: Slot, accepted: Ballot, entries: &[u8]) -> bool {
        let (mut slot, mut rest) = (first, entries);
        while let Some((entry, after)) = entry::split(rest) {
            let put = self.slots.merge(slot, accepted, entry);
            if let Some(changed) = put.changed {
                self.disk.changed(changed);
            }
            if put.full {
                return true;
            }
            (slot, rest) = (succ(slot), after);
        }
        false
    }

    pub(super) fn on_preempted(
        &mut self,
        index: usize,
        ballot: Ballot,
        promised: Ballot,
    ) -> Result<(), Rejected> {
        if promised <= ballot || ballot.is_zero() {
            return Err(Rejected::Malformed);
        }
        self.check_ballot(promised)?;
        let is_mine = ballot.node == self.group.my_id();
        if !is_mine || ballot > self.election.promised() {
            return Err(Rejected::Impossible);
        }
        let is_learner = self.acceptor(index).is_err();
        self.election.see(promised);
        let is_present = self.role != Role::Follower && ballot == self.election.promised();
        if is_present && !is_learner {
            self.resign();
            self.consider();
        }
        Ok(())
    }

    /// When a quorum has promised, and all that it voted for is known: phase 1 is over for all slots there will ever be.
    ///
    /// The candidate proposes, in its ballot, what it found for each slot that is not known to be chosen; and a no-op where it found nothing,
    /// though there is a later slot for which it did ("Paxos Made Simple", section 3). Only now may it: before, a quorum could have voted for
    /// something there.
    pub(super) fn conclude(&mut self) {
        let is_over = self.role == Role::Candidate
            && self.disk.is_open()
            && self.is_quorum(Phase::One, |_, peer| peer.page.is_last);
        if !is_over {
            return;
        }
        let ballot = self.election.promised();
        let open = succ(self.slots.commit());
        self.disk.changed(open);
        if self.slots.vote_for_all(ballot, self.epoch_of(ballot)).is_err() {
            self.is_full_owed = true;
            self.resign();
            self.be_patient();
            return;
        }
        self.takeover = self.slots.last();
        self.lead();
    }
}
