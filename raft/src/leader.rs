//! Replication, the leader's side (Raft thesis, 3.5, 3.6, 6.2 and 10.2).

use quorate_core::{Instant, Phase, Rejected};

use crate::extras::Extra;
use crate::log::Log;
use crate::peer::Stage;
use crate::raft::{LIMIT, Raft, succ};
use crate::storage::Storage;
use crate::{Index, Replication, Role, Term};

impl<S: Storage> Raft<S> {
    /// A heartbeat is due: lets everybody hear it, or steps down where a majority is not heard any more.
    pub(crate) fn lead_on(&mut self) {
        if self.config.check_quorum && !self.hears_quorum() {
            self.follow(self.term, None);
            return;
        }
        self.heartbeat_at = self.now.after(self.config.heartbeat_us);
        self.hand_over();
        if self.unsettled && self.config_at <= self.commit {
            self.settle();
        }
        if self.role != Role::Leader {
            return;
        }
        if self.has_refused() {
            self.look_at_refusals();
        }
        self.dismiss();
        self.leave_if_damaged();
        self.next_round();
        self.renew_lease();
        self.ask_to_rest();
        let (now, heartbeat_us) = (self.now, self.config.heartbeat_us);
        for peer in self.peers.iter_mut() {
            peer.heartbeat_due = true;
            peer.count_heartbeat(now, heartbeat_us);
            if peer.transfer.stage == Stage::Asked {
                // the application may have missed it, or have a newer snapshot by now
                peer.transfer.stage = Stage::Wanted;
            }
        }
        self.work.all();
    }

    /// Whether a majority was heard within the longest election timeout (6.2): otherwise another may lead already.
    fn hears_quorum(&self) -> bool {
        // one more, as even the first instant there is was heard after nothing
        let after = |instant: Instant| instant.as_micros().saturating_add(1);
        let long_ago = after(self.now).saturating_sub(self.config.election_max_us);
        self.reached(Phase::One, long_ago, u64::MAX, |p| p.heard.as_micros().saturating_add(1))
            .is_some()
    }

    /// Begins a round, unless nothing of the present one was sent yet.
    pub(crate) fn next_round(&mut self) {
        if self.round_sent {
            self.round = succ(self.round);
            self.round_sent = false;
        }
    }

    /// Probing or streaming begins: what is sent from now on is told by its round from what is still on its way. Without that,
    /// each late refusal would start the whole window anew.
    pub(crate) fn fresh_round(&mut self, at: usize) {
        self.next_round();
        let round = self.round;
        if let Some(peer) = self.peers.get_mut(at) {
            peer.since = round;
        }
    }

    pub(crate) fn on_accept(
        &mut self,
        from: usize,
        term: Term,
        round: u64,
        match_index: Index,
    ) -> Result<(), Rejected> {
        if match_index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if !self.heeds_answer(term, round)? {
            return Ok(());
        }
        if match_index > self.log.last() {
            return Err(Rejected::Impossible);
        }
        let (now, compacted, commit) = (self.now, self.log.compacted(), self.commit);
        let (extra, current_round) = (self.extra.get().is_some(), self.round);
        let Some(peer) = self.peers.get_mut(from) else { return Ok(()) };
        peer.heard = now;
        if peer.replication == Replication::Halted {
            return Ok(());
        }
        peer.round = peer.round.max(round);
        let newer = match_index > peer.match_index;
        if newer {
            peer.match_index = match_index;
            peer.next_index = peer.next_index.max(succ(match_index));
            peer.flow.advance(current_round);
        }
        let mut turned = false;
        match peer.replication {
            Replication::Probe if round >= peer.since => {
                peer.replication = Replication::Replicate;
                turned = true;
            }
            Replication::Probe if newer => peer.flow.overtaken(),
            // the snapshot was installed, or turned out not to be needed; if it is behind the log by now, another follows
            Replication::Snapshot
                if peer.match_index >= compacted.min(peer.transfer.index).max(1)
                    && !(extra && peer.transfer.asked_for && round < peer.since) =>
            {
                if peer.transfer.stage == Stage::Ready {
                    self.chunk.clear();
                }
                // another transfer may use the buffer now
                self.work.events();
                peer.replication = Replication::Replicate;
                peer.next_index = succ(peer.match_index);
            }
            _ => {}
        }
        let quiet = !turned
            && peer.replication == Replication::Replicate
            && peer.next_index > self.log.last()
            && !peer.heartbeat_due;
        if !quiet {
            self.work.peer(from);
        }
        self.look_at_reads();
        if turned {
            self.start_streaming(from);
        }
        if newer && match_index > commit {
            self.advance_commit();
        }
        if self.handover.is_some() {
            self.hand_over_to(from);
        }
        if self.asks_to_rest() {
            self.rest_with_all();
        }
        Ok(())
    }

    pub(crate) fn on_reject(
        &mut self,
        from: usize,
        term: Term,
        round: u64,
        prev_index: Index,
        hint: (Index, Term),
    ) -> Result<(), Rejected> {
        let (hint_index, hint_term) = hint;
        if prev_index >= LIMIT || hint_term >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if hint_index >= prev_index || hint_term > term {
            return Err(Rejected::Malformed);
        }
        if !self.heeds_answer(term, round)? {
            return Ok(());
        }
        if prev_index > self.log.last() {
            return Err(Rejected::Impossible);
        }
        let next = succ(self.last_at_or_below(hint_index, hint_term));
        let now = self.now;
        let Some(peer) = self.peers.get_mut(from) else { return Ok(()) };
        peer.heard = now;
        if hint_index < peer.match_index || peer.replication == Replication::Halted {
            self.reject_of_matched(from, round);
            return Ok(());
        }
        peer.round = peer.round.max(round);
        let current = match peer.replication {
            Replication::Replicate => prev_index > peer.match_index && round >= peer.since,
            Replication::Probe => prev_index == peer.next_index.saturating_sub(1),
            Replication::Snapshot | Replication::Halted => false,
        };
        if current {
            self.back_up(from, next);
        }
        self.work.peer(from);
        self.look_at_reads();
        Ok(())
    }

    /// Whether an answer is to this leader's messages of this term. A newer term is adopted.
    pub(crate) fn heeds_answer(&mut self, term: Term, round: u64) -> Result<bool, Rejected> {
        if term == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) {
            return Err(Rejected::OutOfRange);
        }
        if term > self.term {
            self.follow(term, None);
            return Ok(false);
        }
        if term < self.term || self.role != Role::Leader {
            return Ok(false);
        }
        if round > self.round {
            return Err(Rejected::Impossible);
        }
        Ok(true)
    }

    /// The last index up to `from` whose entry has a term of at most `term`: where the logs may agree, seen from either side.
    /// It passes over a whole term of conflicting entries at once (3.5). Terms do not decrease along the log, so halving works.
    /// One before the compacted if there is none in the log.
    pub(crate) fn last_at_or_below(&self, from: Index, term: Term) -> Index {
        let compacted = self.log.compacted();
        let mut high = from.min(self.log.last());
        if high < compacted || self.term_at(compacted) > term {
            return high.min(compacted.saturating_sub(1));
        }
        let mut low = compacted;
        while low < high {
            // rounds up, so that it ends
            let middle = high.saturating_sub(high.saturating_sub(low) / 2);
            if self.term_at(middle) <= term {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        low
    }

    /// Commits what a majority has on its disks, this node's own included once it is there (10.2.1). Only an entry of the own
    /// term is committed by counting (3.6.2, figure 3.7); all before it go with it.
    pub(crate) fn advance_commit(&mut self) {
        if let Some(index) =
            self.reached(Phase::Two, self.commit, self.disk.durable(), |p| p.match_index)
            && index >= self.term_start
        {
            self.commit = index;
            self.work.events();
            self.look_at_reads();
            if self.unsettled && self.config_at <= index {
                self.settle();
            }
        }
    }
}
