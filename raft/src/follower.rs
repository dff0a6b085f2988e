//! Replication, the follower's side (Raft thesis, 3.5).

use quorate_core::Rejected;

use crate::entry::{Encoded, Run};
use crate::log::Log;
use crate::peer::Reply;
use crate::raft::{LIMIT, Raft, succ};
use crate::storage::Storage;
use crate::{Index, Role, Term};

impl<S: Storage> Raft<S> {
    pub(crate) fn on_append(
        &mut self,
        from: usize,
        term: Term,
        prev: (Index, Term),
        commit: Index,
        round: u64,
        entries: &[u8],
    ) -> Result<(), Rejected> {
        let (prev_index, prev_term) = prev;
        if term == 0 || (prev_index == 0) != (prev_term == 0) || prev_term > term {
            return Err(Rejected::Malformed);
        }
        let run = Run::check(entries, prev_term).map_err(|_| Rejected::Malformed)?;
        if run.last_term > term {
            return Err(Rejected::Malformed);
        }
        let end = prev_index.saturating_add(run.count);
        if !self.plausible(term) || end >= LIMIT || commit >= LIMIT || round >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if run.config {
            self.check_configs(entries).map_err(|_| Rejected::Malformed)??;
        }
        let agrees = self.agrees(prev_index, prev_term);
        if term >= self.term && self.contradicts(term, agrees, prev_index, entries) {
            return Err(Rejected::Impossible);
        }
        if !self.heed(from, term, round)? {
            return Ok(());
        }
        if !agrees {
            self.owe(from, Reply::Reject { prev_index, prev_term, round });
            return Ok(());
        }
        let config_at = self.config_at;
        let verified = if run.count == 0 { prev_index } else { self.take(prev_index, entries) };
        let moved = run.config || self.config_at != config_at;
        if moved {
            // they are in force once they are in the log (4.1), and out of it they are not
            self.reconfigure();
        }
        self.verified = self.verified.max(verified);
        if self.acknowledged == 0 && run.count > 0 {
            // the leader found this place, and needs no answer about it before the one about these entries
            self.acknowledged = prev_index.min(self.disk.durable());
        }
        // what is beyond the verified prefix may not be the leader's (figure 3.1: "index of last new entry")
        self.commit = self.commit.max(commit.min(self.verified));
        if self.applied < self.commit {
            self.work.events();
        }
        if run.count > 0 && verified == prev_index {
            // There is no room for any of it. An answer would bring the same entries, and those behind them, back at once: the
            // leader hears how far this node is when it sends the next heartbeat.
            return Ok(());
        }
        // the leader's place may be another now
        let from = if S::CHANGES && moved { self.leader_at() } else { Some(from) };
        if let Some(from) = from {
            self.owe_accept(from, run.count == 0);
        }
        Ok(())
    }

    /// Whether the sender leads this term; makes it the leader if it is new. A stale one is told the term.
    pub(crate) fn heed(&mut self, from: usize, term: Term, round: u64) -> Result<bool, Rejected> {
        let sender = self.peers.get(from).map(|p| p.id);
        if term < self.term {
            self.owe(from, Reply::Stale);
            return Ok(false);
        }
        if term == self.term {
            let other = self.leader.is_some() && self.leader != sender;
            if other || self.role == Role::Leader {
                // two leaders in one term: never among honest nodes (3.4)
                return Err(Rejected::Impossible);
            }
        }
        if term > self.term || self.role != Role::Follower || self.leader.is_none() {
            self.follow(term, sender);
        }
        self.leader_heard = self.now;
        if round > self.leader_round {
            self.leader_round = round;
            self.owe_promise();
        }
        self.restart_election_timer();
        Ok(true)
    }

    fn agrees(&self, index: Index, term: Term) -> bool {
        // what is compacted away was committed, and every leader has that (3.6.3, leader completeness)
        index < self.log.compacted() || self.term_at(index) == term
    }

    /// Whether the message would replace an entry that is committed, or that this same leader sent before: no honest leader
    /// does (3.6.3, leader completeness; 3.5, leader append-only).
    #[inline]
    fn contradicts(&self, term: Term, agrees: bool, prev_index: Index, run: &[u8]) -> bool {
        // what is verified is of this term's leader, whatever this node has become since: there is but one
        let floor = if term == self.term { self.verified.max(self.commit) } else { self.commit };
        if prev_index >= floor {
            return prev_index == floor && !agrees;
        }
        if !agrees {
            return true;
        }
        let (matched, rest) = self.skip_known(prev_index, run);
        matched < floor && !rest.is_empty()
    }

    /// Takes a run of entries that follow `prev`, where the logs agree. Returns the last index verified by it.
    fn take(&mut self, prev: Index, run: &[u8]) -> Index {
        let last = self.log.last();
        if prev == last {
            return prev.wrapping_add(self.extend(run));
        }
        let (matched, rest) = self.skip_known(prev, run);
        if rest.is_empty() {
            return matched;
        }
        if matched < last {
            // an existing entry conflicts with a new one: delete it and all that follow it (figure 3.1)
            self.log.truncate(matched);
            self.disk.truncated(matched);
            if matched < self.config_at {
                self.config_at = self.snapshot;
            }
        }
        matched.wrapping_add(self.extend(rest))
    }

    /// Passes over the entries of the run that are in the log already: a late or repeated message must not shorten it.
    fn skip_known<'r>(&self, prev: Index, run: &'r [u8]) -> (Index, &'r [u8]) {
        let mut matched = prev;
        let mut entries = Encoded::new(run);
        loop {
            let rest = entries.rest();
            let Some((term, _)) = entries.next() else { return (matched, rest) };
            let index = succ(matched);
            if index >= self.log.compacted() && self.term_at(index) != term {
                return (matched, rest);
            }
            matched = index;
        }
    }

    /// Puts the entries that fit at the end of the log. What does not fit is not acknowledged, so the leader sends it again.
    fn extend(&mut self, run: &[u8]) -> u64 {
        let taken = self.log.append(run);
        self.work.records();
        if taken == 0 {
            self.owe_log_full();
        }
        taken
    }

    pub(crate) fn owe_accept(&mut self, from: usize, at_once: bool) {
        let at_once = at_once
            || matches!(
                self.peers.get(from),
                Some(peer) if matches!(peer.owed, Reply::Accept { at_once: true })
            );
        self.owe(from, Reply::Accept { at_once });
    }

    pub(crate) fn owe(&mut self, from: usize, reply: Reply) {
        self.work.peer(from);
        if let Some(peer) = self.peers.get_mut(from) {
            peer.owed = reply;
        }
    }

    /// What can be acknowledged: it agrees with the leader's log and is on the disk.
    pub(crate) fn acknowledgeable(&self) -> Index {
        self.verified.min(self.disk.durable())
    }
}
