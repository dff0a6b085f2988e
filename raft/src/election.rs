//! Elections (Raft thesis, 3.4), pre-vote (9.6) and leader stickiness (4.2.3).

use quorate_core::{Instant, NodeId, Phase, Rejected};

use crate::log::{Log, TermLog};
use crate::peer::{Peer, Reply, VoteReply};
use crate::raft::{LIMIT, Raft, succ};
use crate::storage::Storage;
use crate::{EntryKind, Index, Role, Term};
use quorate_log::Held;

/// Steps of election priority that a node whose state is damaged waits longer. Not many: it may be the only one whose log is complete.
const DAMAGED: u8 = 3;

impl<S: Storage> Raft<S> {
    /// Starts an election now instead of at the timeout. A leader does nothing, nor does a node that may not lead: a learner, a witness, or one
    /// that is no member. With leases, nor does a node that has heard a leader within the shortest election timeout: the leader counts on that.
    pub fn campaign(&mut self, now: Instant) {
        if self.fatal.is_some() {
            return;
        }
        if self.removed_by().is_some() {
            // whoever tells it to stand knows better
            self.forget_removal();
        }
        if self.may_lead() {
            self.advance(now);
            if self.leases() && self.hears_leader() {
                return;
            }
            self.start_election(self.config.pre_vote);
        }
    }

    /// Gives up leading, so that another node is elected, as when this one's disk takes no more. It may be elected again; a node
    /// whose disk does not take its vote is not. Whoever does not lead does nothing.
    pub fn step_down(&mut self) {
        if self.role == Role::Leader {
            self.follow(self.term, None);
        }
    }

    /// Asks for votes, or with `pre` whether they would be given, in which case nobody's term changes.
    pub(crate) fn start_election(&mut self, pre: bool) {
        if self.role == Role::Leader || self.fatal.is_some() {
            return;
        }
        if !self.may_lead() {
            // no vote, or no commands: it waits for others to lead
            self.follow(self.term, None);
            self.draw_election_timeout();
            self.ask_whether_removed();
            return;
        }
        if self.term.saturating_add(2) >= LIMIT {
            // out of terms: nothing can be done, but time must go on
            self.draw_election_timeout();
            return;
        }
        self.taking_over = false;
        self.ask_for_votes(pre);
        self.count_votes();
    }

    /// Gives up the leader that this node follows, for one that knows it to be dead: it votes for another at once, where it would protect
    /// a leader it has heard lately. A leader that is alive is followed again with its next message. Whoever follows nobody does nothing,
    /// nor does a node with leases: what it promised to its leader, nobody can take back.
    pub fn forget_leader(&mut self) {
        if self.role == Role::Follower && self.leader.is_some() && !self.leases() {
            self.follow(self.term, None);
        }
    }

    /// Starts an election that the leader itself asked for: nobody's opinion is asked first, and no node protects the leader (3.10).
    pub(crate) fn take_over(&mut self) {
        self.start_election(false);
        self.taking_over = true;
    }

    fn ask_for_votes(&mut self, pre: bool) {
        self.draw_election_timeout();
        self.heartbeat_at = self.now.after(self.config.heartbeat_us);
        self.turn(if pre { Role::PreCandidate } else { Role::Candidate }, None);
        if !pre {
            self.enter(succ(self.term), Some(self.id));
        }
        self.peers.iter_mut().for_each(Peer::ask);
    }

    /// Asks those that have not answered: the network may have lost it.
    pub(crate) fn ask_again(&mut self) {
        self.work.all();
        self.heartbeat_at = self.now.after(self.config.heartbeat_us);
        for peer in self.peers.iter_mut() {
            peer.ask_vote = peer.vote.is_none() && peer.membership.is_voter();
        }
    }

    pub(crate) fn on_request_vote(
        &mut self,
        from: usize,
        pre: bool,
        term: Term,
        candidate_log: (Term, Index),
    ) -> Result<(), Rejected> {
        let (last_term, last_index) = candidate_log;
        if term == 0 || last_term >= term || (last_index == 0) != (last_term == 0) {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || last_index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if S::CHANGES && !self.peers.get(from).is_some_and(|peer| peer.membership.is_voter()) {
            self.on_request_of_non_voter(from, pre, term, candidate_log);
            return Ok(());
        }
        // A node that hears a leader is not to be lured away (4.2.3, 6.2), but one that asks at an old term is told ours, or
        // it would never catch up.
        if term >= self.term && self.hears_leader() {
            return Ok(());
        }
        self.answer_request(from, pre, term, candidate_log);
        Ok(())
    }

    fn answer_request(&mut self, from: usize, pre: bool, term: Term, candidate_log: (Term, Index)) {
        if pre {
            let granted = term > self.term && self.up_to_date(candidate_log);
            self.owe_vote(from, VoteReply { pre, term, granted });
        } else {
            self.judge(from, term, candidate_log);
        }
    }

    /// A node asks for a vote that has none itself, as far as this node knows. It may be one that is new (4.1), so that it can
    /// be given a vote; it may also be one that was removed and has not heard of it. That raises its own term again and again,
    /// so its term is not followed but with a vote.
    #[cold]
    #[inline(never)]
    fn on_request_of_non_voter(
        &mut self,
        from: usize,
        pre: bool,
        term: Term,
        candidate_log: (Term, Index),
    ) {
        let up_to_date = self.up_to_date(candidate_log);
        if term < self.term || !self.hears_leader() {
            if term > self.term && !up_to_date {
                self.owe_vote(from, VoteReply { pre, term, granted: false });
            } else {
                if !pre {
                    self.raise_for_non_member(term, u32::saturating_add);
                }
                self.answer_request(from, pre, term, candidate_log);
            }
        }
        // Even a removed node with an up-to-date log: its removal is committed, so a majority of the
        // remaining voters has that entry and can elect a leader without it.
        self.owe_removed(from);
        self.work.all();
    }

    /// Gives the vote or refuses it.
    pub(crate) fn judge(&mut self, from: usize, term: Term, candidate_log: (Term, Index)) {
        if term > self.term {
            self.follow(term, None);
        }
        let granted =
            term == self.term && self.up_to_date(candidate_log) && self.may_vote_for(from);
        if granted {
            self.give_vote(from);
        }
        self.owe_vote(from, VoteReply { pre: false, term, granted });
    }

    /// "Up-to-date": by the last entry's term, then by the index (3.6.1).
    fn up_to_date(&self, candidate_log: (Term, Index)) -> bool {
        candidate_log >= (self.log.last_term(), self.log.last())
    }

    fn owe_vote(&mut self, from: usize, reply: VoteReply) {
        self.work.all();
        if let Some(peer) = self.peers.get_mut(from) {
            peer.owed_vote = Some(reply);
        }
    }

    pub(crate) fn on_vote(
        &mut self,
        from: usize,
        pre: bool,
        term: Term,
        granted: bool,
    ) -> Result<(), Rejected> {
        if term == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) {
            return Err(Rejected::OutOfRange);
        }
        // A refusal carries the voter's own term; a pre-vote's grant carries the one asked for, which is nobody's yet.
        let asked = if pre && granted { succ(self.term) } else { self.term };
        if term > asked && !granted {
            self.follow(term, None);
            return Ok(());
        }
        let expected = if pre { Role::PreCandidate } else { Role::Candidate };
        if self.role != expected || term != asked {
            // an answer to an earlier election; a grant for a later one than was asked cannot be
            return if term > asked { Err(Rejected::Impossible) } else { Ok(()) };
        }
        if let Some(peer) = self.peers.get_mut(from) {
            peer.vote.get_or_insert(granted);
            peer.ask_vote = false;
        }
        self.count_votes();
        Ok(())
    }

    /// Goes on to the next stage if a majority has granted. The own vote counts when it is durable.
    pub(crate) fn count_votes(&mut self) {
        if self.reached(Phase::One, 0, 1, |peer| u64::from(peer.vote == Some(true))).is_none() {
            return;
        }
        match self.role {
            // nothing is counted yet: the own vote is not durable
            Role::PreCandidate => self.ask_for_votes(false),
            Role::Candidate if self.disk.vote_durable() => self.become_leader(),
            _ => {}
        }
    }

    fn become_leader(&mut self) {
        let last = self.log.last();
        // Something of the own term must be committed before anything older is (3.6.2) and before a read (6.4).
        if self.log.add(self.term, EntryKind::Blank, &[]).is_err() {
            // no room even for that: only an application that compacts its log can help
            self.full_owed = true;
            self.follow(self.term, None);
            return;
        }
        self.term_start = succ(last);
        self.turn(Role::Leader, Some(self.id));
        self.incoming = None;
        self.drop_strangers();
        self.unsettled = true;
        if matches!(self.chunk.held(), Held::Incoming { .. }) {
            // the application will not hear of it, and so not say what became of it
            self.received = None;
        }
        self.chunk.clear();
        self.next_round();
        let now = self.now;
        self.peers.iter_mut().for_each(|peer| peer.lead(now, last));
        self.heartbeat_at = now.after(self.config.heartbeat_us);
        self.work.all();
    }

    /// Follows `leader`, or nobody yet, in `term`.
    pub(crate) fn follow(&mut self, term: Term, leader: Option<NodeId>) {
        let newer = term > self.term;
        let led = self.term;
        if newer {
            self.enter(term, None);
        }
        if !newer && self.role == Role::Follower && self.leader == leader {
            return;
        }
        if self.role != Role::Follower {
            self.draw_election_timeout();
        }
        if self.role == Role::Leader {
            self.chunk.clear();
            self.handover = None;
            self.leave_open(led);
        }
        self.turn(Role::Follower, leader);
        self.peers.iter_mut().for_each(Peer::follow);
    }

    /// Enters a later term. What was learnt of an earlier leader's log and rounds says nothing of the next one's: only what is
    /// committed is known to be in its log (3.6.3).
    pub(crate) fn enter(&mut self, term: Term, vote: Option<NodeId>) {
        // drawn for each election anew: a follower that kept its timeout would lose, or win, every one of them
        self.timeout_us = self.draw_timeout();
        self.term = term;
        self.vote = vote;
        self.disk.vote_dirty = true;
        self.verified = self.commit;
        self.acknowledged = 0;
        self.leader_round = 0;
        // what is owed answers messages of earlier terms
        self.peers.iter_mut().for_each(|peer| peer.owed = Reply::Nothing);
    }

    fn turn(&mut self, role: Role, leader: Option<NodeId>) {
        self.role_changed = true;
        self.lose_reads();
        self.work.all();
        self.role = role;
        self.leader = leader;
        if S::CHANGES && leader.is_some() {
            self.forget_removal();
        }
    }

    /// Whether a leader is known to be alive: heard within the least election timeout, or this node.
    pub(crate) fn hears_leader(&self) -> bool {
        self.config.check_quorum
            && match self.role {
                Role::Leader => true,
                Role::Follower => {
                    // a leader's lease outlasts what makes this node forget it
                    (self.leader.is_some() || self.leases())
                        && (self.is_waking()
                            || self.now.since(self.leader_heard) < self.config.election_min_us)
                }
                _ => false,
            }
    }

    /// One vote a term, and none where a leader is known already.
    fn may_vote_for(&self, from: usize) -> bool {
        let candidate = self.peers.get(from).map(|p| p.id);
        candidate.is_some()
            && (self.vote == candidate || (self.vote.is_none() && self.leader.is_none()))
    }

    fn give_vote(&mut self, from: usize) {
        let candidate = self.peers.get(from).map(|p| p.id);
        if self.vote != candidate {
            self.vote = candidate;
            self.disk.vote_dirty = true;
        }
        self.restart_election_timer();
    }

    /// Draws another election timeout and waits that long.
    pub(crate) fn draw_election_timeout(&mut self) {
        self.timeout_us = self.draw_timeout();
        self.restart_election_timer();
    }

    /// An election timeout (3.4: chosen at random, so that votes seldom split).
    fn draw_timeout(&mut self) -> u64 {
        let (least, most) = (self.config.election_min_us, self.config.election_max_us);
        // each step waits until those before it have had their time
        let damaged = if self.awaits_snapshot() { DAMAGED } else { 0 };
        let steps = self.config.priority.saturating_add(damaged);
        let later = most.saturating_sub(least).saturating_mul(steps.into());
        self.rng.range(least, most).saturating_add(later)
    }

    #[inline]
    pub(crate) fn restart_election_timer(&mut self) {
        self.election_at = self.now.after(self.timeout_us);
    }
}
