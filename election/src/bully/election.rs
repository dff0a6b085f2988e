//! Messages and time: the transitions of a node.

use quorate_core::{Instant, NodeId, Rejected};

use super::{Bully, DueMessages, Message};
use crate::members::{Members, bit};
use crate::storage::Storage;
use crate::{Epoch, Mode, Role, Takeover};

/// A node that recovers asks up to 16 times as seldom as at first.
const MAX_BACKOFF: u8 = 4;

impl<S: Storage> Bully<S> {
    /// The sender's place, if an honest node could send this.
    pub(super) fn check(&self, from: NodeId, message: Message) -> Result<usize, Rejected> {
        let me = self.members.me();
        let index = self.members.index_of(from).filter(|&index| index != me);
        let from = index.ok_or(Rejected::UnknownSender)?;
        let epoch = message.epoch();
        if epoch.owner() >= self.members.len() {
            return Err(Rejected::Malformed);
        }
        if !self.leadership.reference_epoch().admits(epoch) {
            return Err(Rejected::OutOfRange);
        }
        let impossible = match message {
            Message::Election { .. } | Message::Answer { .. } | Message::Stale { .. } => false,
            // nobody leads in another's epoch
            Message::Coordinator { .. } | Message::Alive { .. } => epoch.owner() != from,
            // nobody accepts what was not offered
            Message::Accept { epoch, round } => {
                epoch.owner() != me || self.is_from_future(epoch, round)
            }
        };
        if impossible { Err(Rejected::Impossible) } else { Ok(from) }
    }

    /// Whether this node, as the leader in an epoch of its own, or as the one that claims it, has not come as far as this round. It does not
    /// remember the rounds of before a restart.
    fn is_from_future(&self, epoch: Epoch, round: u64) -> bool {
        if epoch > self.leadership.epoch {
            // a claim, if it is one of the next epoch, is round 0
            return round > 0 || self.leadership.epoch.next_for(self.members.me()) != Some(epoch);
        }
        self.role == Role::Leader && epoch == self.leadership.epoch && round > self.round
    }

    pub(super) fn handle_message(&mut self, from: usize, message: Message) {
        if self.role == Role::Recovering && !self.on_recovery_message(from, message) {
            return;
        }
        match message {
            Message::Election { epoch } => self.on_election(from, epoch),
            Message::Answer { epoch } => self.on_answer(from, epoch),
            Message::Coordinator { epoch } => self.on_leader(from, epoch, 0),
            Message::Alive { epoch, round } => self.on_leader(from, epoch, round),
            Message::Accept { epoch, round } => self.on_accept(from, epoch, round),
            Message::Stale { epoch } => self.on_stale(epoch),
        }
    }

    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.started {
            self.started = true;
            self.start();
        }
    }

    fn start(&mut self) {
        if matches!(self.config.mode, Mode::Lease { .. }) {
            // whatever was promised before the restart is not known any more
            self.grant.grant(self.now);
        }
        if self.leadership.is_recovered() {
            self.participate();
            return;
        }
        self.role = Role::Recovering;
        self.query_epochs();
        self.try_finish_recovery(self.members.recovery_quorum());
    }

    /// A node that comes up holds an election (Garcia-Molina, section III), or waits to hear of a leader.
    fn participate(&mut self) {
        match self.config.takeover {
            Takeover::Highest => self.start_election(),
            Takeover::Keep => self.become_follower(),
        }
    }

    /// A node without a record asks all others which epochs there have been (Liskov and Cowling, "Viewstamped replication revisited",
    /// 2012, section 4.3): it may have led, or accepted a leader, and forgotten it. Meanwhile nothing that it says promises anything,
    /// so that nothing of it needs to be on disk; and what it learns must not be, or it would pass for all it knew before.
    fn query_epochs(&mut self) {
        self.due.election = self.members.others() & !self.accepted;
        self.next_attempt();
        // while nobody new answers, it asks less and less often
        let mut wait_us = self.config.answer_timeout_us;
        for _ in 0..self.attempt.saturating_sub(self.recovery_attempts()).min(MAX_BACKOFF) {
            if wait_us <= self.config.leader_timeout_us >> 1 {
                wait_us = wait_us.wrapping_add(wait_us); // no more than that timeout
            }
        }
        self.set_timer(wait_us);
    }

    /// How often a node that recovers asks before it reports
    /// [`Event::Leaderless`](crate::Event::Leaderless) and backs off.
    fn recovery_attempts(&self) -> u8 {
        self.config.attempts.min(u8::MAX - MAX_BACKOFF)
    }

    /// Learns the sender's epoch from any message. True if enough members have answered, and this
    /// node takes part from here on.
    fn on_recovery_message(&mut self, from: usize, message: Message) -> bool {
        if self.accepted & bit(from) == 0 && self.attempt > self.recovery_attempts() {
            self.attempt = self.recovery_attempts().saturating_add(1);
            self.set_timer(self.config.answer_timeout_us);
        }
        self.accepted |= bit(from);
        self.leadership.observe_epoch(message.epoch());
        if matches!(message, Message::Election { .. }) {
            self.due.answer |= bit(from);
        }
        let classic = !self.config.mode.needs_quorum();
        // no majority tells what there was: any node may have been led by this one
        let enough = if classic {
            Members::<S>::count(self.members.others())
        } else {
            self.members.recovery_quorum()
        };
        self.try_finish_recovery(enough)
    }

    fn try_finish_recovery(&mut self, enough: usize) -> bool {
        let ends = Members::<S>::count(self.accepted) >= enough;
        if ends {
            self.leadership.finish_recovery();
            self.participate();
        }
        ends
    }

    /// The time of the present role is up.
    pub(super) fn on_timeout(&mut self) {
        let again = self.attempt < self.config.attempts;
        self.reclaimed = false;
        match self.role {
            // whoever does not answer is dead, as the algorithm takes for granted
            Role::Recovering if !again && !self.config.mode.needs_quorum() => {
                self.try_finish_recovery(0);
            }
            Role::Recovering => {
                if self.attempt == self.recovery_attempts() {
                    self.leadership.report_leaderless();
                }
                self.query_epochs();
            }
            Role::Candidate if again => {
                self.due.election = self.members.others() & !self.accepted;
                self.next_attempt();
            }
            Role::Candidate if self.may_claim() => self.claim(),
            Role::Claiming if again => {
                self.due.coordinator = self.members.others() & !self.accepted;
                self.next_attempt();
            }
            Role::Leader => self.send_heartbeats(),
            _ => self.start_election(),
        }
    }

    fn next_attempt(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.set_timer(self.config.answer_timeout_us);
    }

    #[inline(never)] // adding times takes more code than a call
    fn set_timer(&mut self, for_us: u64) {
        self.deadline = self.now.after(for_us);
    }

    /// Ends the present role, and drops the messages that are due in it.
    fn clear_role(&mut self) {
        self.leadership.has_leader = false;
        self.rival = Epoch::ZERO;
        self.attempt = 0;
        self.due = DueMessages {
            answer: self.due.answer,
            stale: self.due.stale,
            ..DueMessages::default()
        };
    }

    /// Asks all that are better, and where a majority keeps its leader, all; if there is nobody to ask, it leads.
    pub(super) fn start_election(&mut self) {
        let mut targets = self.members.higher();
        if self.uses_pre_vote() {
            targets = self.members.others();
        } else if self.keeps_leader()
            && let Some(leader) = self.leadership.leader()
        {
            // "AreYouThere" (Garcia-Molina, section III): the one that is missed may be alive
            targets |= bit(leader);
        }
        self.clear_role();
        // an election takes its time, so that a leader it makes may ask at once
        self.asked = false;
        if targets == 0 {
            self.claim();
            return;
        }
        self.role = Role::Candidate;
        self.accepted = self.members.all() & !targets;
        self.due.election = targets;
        self.next_attempt();
    }

    /// Whether a candidate asks all nodes if they miss the leader, too, before it claims: a claim that some accept and no majority does
    /// would leave a later epoch behind, which the leader that there is had to supersede (pre-vote:
    /// Raft thesis, section 9.6).
    fn uses_pre_vote(&self) -> bool {
        self.keeps_leader() && self.config.mode.needs_quorum()
    }

    fn may_claim(&self) -> bool {
        !self.uses_pre_vote() || self.members.is_majority(self.accepted)
    }

    /// Nobody better answered. A claim is made in the next epoch of this node's, and as often as it fails in the same one: whom nobody
    /// accepts does not get there, and must not run up epochs.
    fn claim(&mut self) {
        let me = self.members.me();
        if self.lease_granted_to_other(me) {
            // no longer than a lease, and then once more from the start
            self.role = Role::Waiting;
            self.deadline = self.grant.until();
            return;
        }
        if self.leadership.epoch.next_for(me).is_none() {
            self.become_follower(); // out of epochs: nothing can be done, but time must go on
            return;
        }
        self.clear_role();
        self.due.coordinator = self.members.others();
        self.role = Role::Claiming;
        self.accepted = bit(me);
        self.round = 0;
        self.next_attempt();
        self.lead_if_accepted();
    }

    fn lead_if_accepted(&mut self) {
        if self.config.mode.needs_quorum() && !self.members.is_majority(self.accepted) {
            return;
        }
        self.leadership.raise_epoch(self.claimed_epoch());
        self.leadership.has_leader = true;
        self.role = Role::Leader;
        self.confirmed_at = self.now;
        self.set_timer(self.config.heartbeat_us);
        if self.config.mode.needs_quorum() {
            // those that accepted a claim do not know yet what came of it
            self.due.coordinator = 0;
            self.due.alive = self.members.others();
            self.next_round();
        }
    }

    /// The epoch that this node claims, or else the highest it knows.
    pub(super) fn claimed_epoch(&self) -> Epoch {
        let claimed = self.leadership.epoch.next_for(self.members.me());
        claimed.filter(|_| self.role == Role::Claiming).unwrap_or(self.leadership.epoch)
    }

    fn send_heartbeats(&mut self) {
        let has_rival = self.rival > Epoch::ZERO;
        if self.config.mode.needs_quorum() {
            if has_rival {
                self.leadership.raise_epoch(self.rival);
                self.claim();
                return;
            }
            if self.members.is_majority(self.accepted) {
                self.next_round();
            }
            if self.now.since(self.confirmed_at) >= self.config.leader_timeout_us {
                self.become_follower();
                return;
            }
        } else if has_rival && self.attempt >= self.config.attempts {
            // those that are led are led by another
            self.leadership.raise_epoch(self.rival);
            self.become_follower();
            return;
        }
        self.due.alive = self.members.others();
        if !has_rival {
            self.asked = false;
            self.set_timer(self.config.heartbeat_us);
        } else if self.attempt == 0 {
            self.ask_followers();
            self.supersede_rival_if_followed();
        } else {
            self.next_attempt();
        }
    }

    fn next_round(&mut self) {
        self.round = self.round.wrapping_add(1); // not in 10,000 years
        self.round_at = self.now;
        self.accepted = 0;
        self.accept_round(self.members.me());
    }

    /// A member, this one included, has answered the present round.
    fn accept_round(&mut self, from: usize) {
        let before = self.members.is_majority(self.accepted);
        self.accepted |= bit(from);
        if from == self.members.me() {
            self.grant_lease(from);
        }
        if self.members.is_majority(self.accepted) && !before {
            self.confirmed_at = self.round_at;
            if matches!(self.config.mode, Mode::Lease { .. }) {
                self.lease.renew(self.round_at);
            }
        }
    }

    /// No longer a leader or candidate: waits to hear of one.
    fn become_follower(&mut self) {
        self.clear_role();
        self.role = Role::Follower;
        self.lease.release();
        self.set_timer(self.config.leader_timeout_us);
    }

    fn keeps_leader(&self) -> bool {
        self.config.takeover == Takeover::Keep
    }

    /// Whether this node hears from its leader, and so accepts no other (Ongaro, Raft thesis,
    /// section 4.2.3).
    fn has_live_leader(&self) -> bool {
        let follows = self.role == Role::Follower && self.leadership.has_leader;
        self.keeps_leader() && follows && self.now < self.deadline
    }

    /// Whether this node hears a leader, and that is another than this one.
    fn has_other_live_leader(&self, than: usize) -> bool {
        self.has_live_leader() && self.leadership.leader() != Some(than)
    }

    /// Another node knows this epoch. A node that led or claimed in an earlier one steps down,
    /// unless leaders are kept.
    fn observe_epoch(&mut self, epoch: Epoch) {
        if epoch <= self.claimed_epoch() || self.has_live_leader() {
            return;
        }
        if self.role == Role::Leader && self.keeps_leader() {
            self.on_rival(epoch);
            return;
        }
        self.adopt_epoch(epoch);
    }

    fn adopt_epoch(&mut self, epoch: Epoch) {
        self.leadership.raise_epoch(epoch);
        self.due.accept = 0;
        if matches!(self.role, Role::Leader | Role::Claiming) {
            self.become_follower();
        }
    }

    /// There is a later epoch than that of this leader: of a node that was cut off, perhaps, and misses nobody any more. If it is still
    /// followed, it goes on in an epoch after that. A leader that needs a quorum claims that epoch in place of its next heartbeat,
    /// and is accepted or not: at once, two could supersede each other as fast as the network is.
    /// In classic mode it asks: it goes on if it is followed by a majority, as of two leaders one
    /// has that at most. It asks once between two heartbeats, or a node that always knows a later
    /// epoch would make it ask and claim without end.
    fn on_rival(&mut self, epoch: Epoch) {
        if self.config.mode.needs_quorum() {
            self.rival = self.rival.max(epoch);
            return;
        }
        if self.rival == Epoch::ZERO {
            self.attempt = 0;
            if !self.asked {
                self.ask_followers();
            }
        }
        self.rival = self.rival.max(epoch);
        self.supersede_rival_if_followed();
    }

    /// In classic mode: asks all nodes whether they still follow this leader.
    fn ask_followers(&mut self) {
        self.asked = true;
        self.next_attempt();
        self.next_round();
        self.due.alive = self.members.others();
    }

    fn supersede_rival_if_followed(&mut self) {
        let asks = self.rival > Epoch::ZERO && self.attempt > 0;
        if asks && !self.config.mode.needs_quorum() && self.members.outweighs(self.accepted) {
            self.leadership.raise_epoch(self.rival);
            self.claim();
        }
    }

    fn on_election(&mut self, from: usize, epoch: Epoch) {
        // An asker that does not know the present leader's epoch is late, or was away: that is no reason for an election.
        let late = epoch < self.leadership.epoch;
        let deposed = self.is_deposed_by(epoch);
        // Who hears a leader supports no other, and only says what it knows; the answer of a higher node is no support. The leader
        // says below that it leads (Raft thesis, section 4.2.3).
        let supports = !self.uses_pre_vote() || from < self.members.me();
        if supports || !(self.role == Role::Leader || self.has_other_live_leader(from)) {
            self.due.answer |= bit(from);
        } else if self.role != Role::Leader {
            self.due.stale |= bit(from);
        }
        match self.role {
            Role::Leader => self.due.coordinator |= bit(from),
            // it would not ask if it heard a leader; nodes of before do not answer a higher one
            Role::Candidate if from < self.members.me() => self.on_pre_vote(from),
            // a higher node asks what it missed
            Role::Follower if from < self.members.me() => {
                let content = late || self.keeps_leader();
                if !(self.leadership.has_leader && content) && (!deposed || self.may_claim_again())
                {
                    self.start_election();
                }
            }
            _ => {}
        }
    }

    fn on_answer(&mut self, from: usize, epoch: Epoch) {
        self.observe_epoch(epoch);
        if self.role != Role::Candidate {
            return;
        }
        if from > self.members.me() {
            self.role = Role::Waiting;
            self.due.election = 0;
            self.set_timer(self.config.outcome_timeout_us);
        } else {
            self.on_pre_vote(from);
        }
    }

    /// A node supports this candidate: it misses the leader, too.
    fn on_pre_vote(&mut self, from: usize) {
        if !self.uses_pre_vote() {
            return;
        }
        self.accepted |= bit(from);
        // who is better has to be waited for, and who led: all may have missed it for a moment
        let awaited = self.members.higher() | bit(self.leadership.epoch.owner());
        if awaited & !self.accepted == 0 && self.may_claim() {
            self.claim();
        }
    }

    /// Somebody leads, or claims to in quorum mode (round 0).
    fn on_leader(&mut self, from: usize, epoch: Epoch, round: u64) {
        let quorum = self.config.mode.needs_quorum();
        // a majority made it leader
        let elected = quorum && round > 0;
        // what this node claims itself is no later epoch, unless it is to depose the other
        let yields = elected && (self.keeps_leader() || from > self.members.me());
        let known = if yields { self.leadership.epoch } else { self.claimed_epoch() };
        if epoch < known {
            self.due.stale |= bit(from);
            return;
        }
        if self.lease_granted_to_other(from) {
            if self.role == Role::Leader && !self.keeps_leader() && from > self.members.me() {
                self.become_follower(); // or its heartbeats would renew what is promised to it
            }
            return; // the claim is repeated, and the promise runs out
        }
        let known = self.leadership.has_leader && epoch == self.leadership.epoch;
        if !known && self.config.takeover == Takeover::Highest && from < self.members.me() {
            self.contest(epoch);
            return;
        }
        if !known && !elected && self.rejects_other_leader(from, epoch) {
            return;
        }
        if !known {
            self.adopt_epoch(epoch);
            self.become_follower();
            self.reclaimed = false;
            self.leader_round = 0;
            self.leadership.has_leader = !quorum || round > 0;
        }
        self.set_timer(self.config.leader_timeout_us);
        if quorum || round > 0 {
            self.due.accept = bit(from);
            if round > 0 {
                self.leader_round = self.leader_round.max(round);
                self.grant_lease(from);
            }
        }
    }

    /// Whether this node rejects another leader, as it has one.
    fn rejects_other_leader(&mut self, other: usize, epoch: Epoch) -> bool {
        if self.has_live_leader() {
            return self.has_other_live_leader(other);
        }
        let leads = self.role == Role::Leader && self.keeps_leader();
        if leads && !self.config.mode.needs_quorum() {
            self.on_rival(epoch);
        }
        leads
    }

    /// A lower node leads or claims to: this one contests that.
    fn contest(&mut self, epoch: Epoch) {
        let deposed = self.is_deposed_by(epoch);
        if self.role == Role::Follower && (!deposed || self.may_claim_again()) {
            self.start_election();
        }
    }

    fn on_accept(&mut self, from: usize, epoch: Epoch, round: u64) {
        if epoch != self.claimed_epoch() {
            return; // late
        }
        match self.role {
            Role::Claiming => {
                self.accepted |= bit(from);
                self.lead_if_accepted();
            }
            Role::Leader if round == self.round => {
                self.accept_round(from);
                self.supersede_rival_if_followed();
            }
            _ => {}
        }
    }

    pub(super) fn on_stale(&mut self, epoch: Epoch) {
        if epoch <= self.claimed_epoch() {
            return; // known by now
        }
        let deposed = self.is_deposed_by(epoch);
        // Of two that claim, the higher goes on and the lower waits to hear of it, or they would
        // supersede each other for ever.
        if deposed && epoch.owner() <= self.members.me() && self.may_claim_again() {
            self.claim();
        }
    }

    /// Observes the epoch. True if this node led or claimed to, and follows now because of it.
    fn is_deposed_by(&mut self, epoch: Epoch) -> bool {
        let was_leading = matches!(self.role, Role::Leader | Role::Claiming);
        self.observe_epoch(epoch);
        was_leading && self.role == Role::Follower
    }

    /// Whether this node, which a message deposed, claims again at once: one time until its next timeout. Otherwise it waits as
    /// long as for an answer, as a peer that always names a later epoch would make it claim without end.
    fn may_claim_again(&mut self) -> bool {
        if core::mem::replace(&mut self.reclaimed, true) {
            self.role = Role::Waiting;
            self.set_timer(self.config.answer_timeout_us);
            return false;
        }
        true
    }

    /// Grants the lease: no other leader is accepted while it runs.
    fn grant_lease(&mut self, to: usize) {
        if matches!(self.config.mode, Mode::Lease { .. }) {
            self.grant.grant(self.now);
            self.granted_to = bit(to);
        }
    }

    fn lease_granted_to_other(&self, to: usize) -> bool {
        self.grant.is_active(self.now) && self.granted_to != bit(to)
    }
}
