//! What a node makes of messages and of time.

use quorate_core::{Instant, NodeId, Rejected};

use super::{Bully, Message, Owes};
use crate::members::{Members, bit};
use crate::storage::Storage;
use crate::{Epoch, Mode, Role, Takeover};

/// A node that recovers asks up to 16 times as seldom as at first.
const MOST_DOUBLINGS: u8 = 4;

impl<S: Storage> Bully<S> {
    /// The sender's place, if an honest node could send this.
    pub(super) fn check(&self, from: NodeId, message: Message) -> Result<usize, Rejected> {
        let me = self.members.me();
        let place = self.members.place(from).filter(|&place| place != me);
        let from = place.ok_or(Rejected::UnknownSender)?;
        let epoch = message.epoch();
        if epoch.owner() >= self.members.len() {
            return Err(Rejected::Malformed);
        }
        if !self.office.known().admits(epoch) {
            return Err(Rejected::OutOfRange);
        }
        let impossible = match message {
            Message::Election { .. } | Message::Answer { .. } | Message::Stale { .. } => false,
            // nobody leads in another's epoch
            Message::Coordinator { .. } | Message::Alive { .. } => epoch.owner() != from,
            // nobody accepts what was not offered
            Message::Accept { epoch, round } => epoch.owner() != me || self.is_beyond(epoch, round),
        };
        if impossible { Err(Rejected::Impossible) } else { Ok(from) }
    }

    /// Whether this node, as the leader in an epoch of its own, or as the one that claims it, has not come as far as this round. It does not
    /// remember the rounds of before a restart.
    fn is_beyond(&self, epoch: Epoch, round: u64) -> bool {
        if epoch > self.office.epoch {
            // a claim, if it is one of the next epoch, is round 0
            return round > 0 || self.office.epoch.after(self.members.me()) != Some(epoch);
        }
        self.role == Role::Leader && epoch == self.office.epoch && round > self.round
    }

    pub(super) fn take(&mut self, from: usize, message: Message) {
        if self.role == Role::Recovering && !self.recover(from, message) {
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
        if self.office.informed() {
            self.take_part();
            return;
        }
        self.role = Role::Recovering;
        self.ask();
        self.end_recovery(self.members.enough_to_recover());
    }

    /// A node that comes up holds an election (Garcia-Molina, section III), or waits to hear of a leader.
    fn take_part(&mut self) {
        match self.config.takeover {
            Takeover::Highest => self.start_election(),
            Takeover::Keep => self.follow(),
        }
    }

    /// A node without a record asks all others which epochs there have been (Liskov and Cowling, "Viewstamped replication revisited",
    /// 2012, section 4.3): it may have led, or accepted a leader, and forgotten it. Meanwhile nothing that it says promises anything,
    /// so that nothing of it needs to be on disk; and what it learns must not be, or it would pass for all it knew before.
    fn ask(&mut self) {
        self.owes.election = self.members.others() & !self.accepted;
        self.next_attempt();
        // while nobody new answers, it asks less and less often
        let mut wait_us = self.config.answer_timeout_us;
        for _ in 0..self.attempt.saturating_sub(self.patience()).min(MOST_DOUBLINGS) {
            if wait_us <= self.config.leader_timeout_us >> 1 {
                wait_us = wait_us.wrapping_add(wait_us); // no more than that timeout
            }
        }
        self.wait(wait_us);
    }

    /// How often a node that recovers asks before it says that it cannot take part, and takes its time.
    fn patience(&self) -> u8 {
        self.config.attempts.min(u8::MAX - MOST_DOUBLINGS)
    }

    /// Any message tells what its sender knows. True if that is enough, and this node takes part from here on.
    fn recover(&mut self, from: usize, message: Message) -> bool {
        if self.accepted & bit(from) == 0 && self.attempt > self.patience() {
            self.attempt = self.patience().saturating_add(1);
            self.wait(self.config.answer_timeout_us);
        }
        self.accepted |= bit(from);
        self.office.learn(message.epoch());
        if matches!(message, Message::Election { .. }) {
            self.owes.answer |= bit(from);
        }
        let classic = !self.config.mode.needs_quorum();
        // no majority tells what there was: any node may have been led by this one
        let enough = if classic {
            Members::<S>::count(self.members.others())
        } else {
            self.members.enough_to_recover()
        };
        self.end_recovery(enough)
    }

    fn end_recovery(&mut self, enough: usize) -> bool {
        let ends = Members::<S>::count(self.accepted) >= enough;
        if ends {
            self.office.write();
            self.take_part();
        }
        ends
    }

    /// The time of the present role is up.
    pub(super) fn expire(&mut self) {
        let again = self.attempt < self.config.attempts;
        match self.role {
            // whoever does not answer is dead, as the algorithm takes for granted
            Role::Recovering if !again && !self.config.mode.needs_quorum() => {
                self.end_recovery(0);
            }
            Role::Recovering => {
                if self.attempt == self.patience() {
                    self.office.tell_that_nobody_leads();
                }
                self.ask();
            }
            Role::Candidate if again => {
                self.owes.election = self.members.others() & !self.accepted;
                self.next_attempt();
            }
            Role::Candidate if self.may_claim() => self.claim(),
            Role::Claiming if again => {
                self.owes.coordinator = self.members.others() & !self.accepted;
                self.next_attempt();
            }
            Role::Leader => self.heartbeat(),
            _ => self.start_election(),
        }
    }

    fn next_attempt(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.wait(self.config.answer_timeout_us);
    }

    #[inline(never)] // adding times takes more code than a call
    fn wait(&mut self, for_us: u64) {
        self.deadline = self.now.after(for_us);
    }

    /// Leaves office, and takes back what was to be said as a candidate, leader or follower.
    fn leave(&mut self) {
        self.office.filled = false;
        self.rival = Epoch::ZERO;
        self.attempt = 0;
        self.owes = Owes { answer: self.owes.answer, stale: self.owes.stale, ..Owes::default() };
    }

    /// Asks all that are better, and where a majority keeps its leader, all; if there is nobody to ask, it leads.
    pub(super) fn start_election(&mut self) {
        let mut asked = self.members.after_me();
        if self.polls() {
            asked = self.members.others();
        } else if self.keeps()
            && let Some(leader) = self.office.leader()
        {
            // "AreYouThere" (Garcia-Molina, section III): the one that is missed may be alive
            asked |= bit(leader);
        }
        self.leave();
        if asked == 0 {
            self.claim();
            return;
        }
        self.role = Role::Candidate;
        self.accepted = self.members.all() & !asked;
        self.owes.election = asked;
        self.next_attempt();
    }

    /// Whether a candidate asks all nodes if they miss the leader, too, before it claims: a claim that some accept and no majority does
    /// would leave a later epoch behind, which the leader that there is had to outbid (pre-vote: Raft thesis, section 9.6).
    fn polls(&self) -> bool {
        self.keeps() && self.config.mode.needs_quorum()
    }

    fn may_claim(&self) -> bool {
        !self.polls() || self.members.is_majority(self.accepted)
    }

    /// Nobody better answered. A claim is made in the next epoch of this node's, and as often as it fails in the same one: whom nobody
    /// accepts does not get there, and must not run up epochs.
    fn claim(&mut self) {
        let me = self.members.me();
        if self.promised_to_other(me) {
            // no longer than a lease, and then once more from the start
            self.role = Role::Waiting;
            self.deadline = self.grant.until();
            return;
        }
        if self.office.epoch.after(me).is_none() {
            self.follow(); // out of epochs: nothing can be done, but time must go on
            return;
        }
        self.leave();
        self.owes.coordinator = self.members.others();
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
        self.office.raise(self.offer());
        self.office.filled = true;
        self.role = Role::Leader;
        self.confirmed_at = self.now;
        self.wait(self.config.heartbeat_us);
        if self.config.mode.needs_quorum() {
            // those that accepted a claim do not know yet what came of it
            self.owes.coordinator = 0;
            self.owes.alive = self.members.others();
            self.next_round();
        }
    }

    /// The epoch that this node claims, or else the highest it knows.
    pub(super) fn offer(&self) -> Epoch {
        let claimed = self.office.epoch.after(self.members.me());
        claimed.filter(|_| self.role == Role::Claiming).unwrap_or(self.office.epoch)
    }

    fn heartbeat(&mut self) {
        let challenged = self.rival > Epoch::ZERO;
        if self.config.mode.needs_quorum() {
            if challenged {
                self.office.raise(self.rival);
                self.claim();
                return;
            }
            if self.members.is_majority(self.accepted) {
                self.next_round();
            }
            if self.now.since(self.confirmed_at) >= self.config.leader_timeout_us {
                self.follow();
                return;
            }
        } else if challenged && self.attempt >= self.config.attempts {
            // those that are led are led by another
            self.office.raise(self.rival);
            self.follow();
            return;
        }
        self.owes.alive = self.members.others();
        if challenged {
            self.next_attempt();
        } else {
            self.wait(self.config.heartbeat_us);
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
            self.promise(from);
        }
        if self.members.is_majority(self.accepted) && !before {
            self.confirmed_at = self.round_at;
            if matches!(self.config.mode, Mode::Lease { .. }) {
                self.lease.granted(self.round_at);
            }
        }
    }

    /// No longer a leader or candidate: waits to hear of one.
    fn follow(&mut self) {
        self.leave();
        self.role = Role::Follower;
        self.lease.release();
        self.wait(self.config.leader_timeout_us);
    }

    fn keeps(&self) -> bool {
        self.config.takeover == Takeover::Keep
    }

    /// Whether this node hears its leader, and so wants no other (Ongaro, Raft thesis, section 4.2.3).
    fn is_content(&self) -> bool {
        let follows = self.role == Role::Follower && self.office.filled;
        self.keeps() && follows && self.now < self.deadline
    }

    /// Whether this node hears a leader, and that is another than this one.
    fn is_kept_by_another(&self, than: usize) -> bool {
        self.is_content() && self.office.leader() != Some(than)
    }

    /// Somebody knows of this epoch. Who led or claimed in an earlier one does so no more, unless leaders are kept.
    fn learn(&mut self, epoch: Epoch) {
        if epoch <= self.offer() || self.is_content() {
            return;
        }
        if self.role == Role::Leader && self.keeps() {
            self.challenge(epoch);
            return;
        }
        self.adopt(epoch);
    }

    fn adopt(&mut self, epoch: Epoch) {
        self.office.raise(epoch);
        self.owes.accept = 0;
        if matches!(self.role, Role::Leader | Role::Claiming) {
            self.follow();
        }
    }

    /// There is a later epoch than that of this leader: of a node that was cut off, perhaps, and misses nobody any more. If it is still
    /// followed, it goes on in an epoch after that. A leader that needs a quorum claims that epoch in place of its next heartbeat,
    /// and is accepted or not: at once, two could outbid each other as fast as the network is. In classic mode it asks: it goes on
    /// if it is followed by a majority, as of two leaders one has that at most.
    fn challenge(&mut self, epoch: Epoch) {
        if self.config.mode.needs_quorum() {
            self.rival = self.rival.max(epoch);
            return;
        }
        if self.rival == Epoch::ZERO {
            self.attempt = 0;
            self.next_attempt();
            self.next_round();
            self.owes.alive = self.members.others();
        }
        self.rival = self.rival.max(epoch);
        self.outbid_if_followed();
    }

    fn outbid_if_followed(&mut self) {
        let asks = self.rival > Epoch::ZERO && !self.config.mode.needs_quorum();
        if asks && self.members.outweighs(self.accepted) {
            self.office.raise(self.rival);
            self.claim();
        }
    }

    fn on_election(&mut self, from: usize, epoch: Epoch) {
        // An asker that does not know the present leader's epoch is late, or was away: that is no reason for an election.
        let late = epoch < self.office.epoch;
        self.learn(epoch);
        // Who hears a leader supports no other, and only says what it knows; the answer of a higher node is no support. The leader
        // says below that it leads (Raft thesis, section 4.2.3).
        let supports = !self.polls() || from < self.members.me();
        if supports || !(self.role == Role::Leader || self.is_kept_by_another(from)) {
            self.owes.answer |= bit(from);
        } else if self.role != Role::Leader {
            self.owes.stale |= bit(from);
        }
        match self.role {
            Role::Leader => self.owes.coordinator |= bit(from),
            // it would not ask if it heard a leader; nodes of before do not answer a higher one
            Role::Candidate if from < self.members.me() => self.support(from),
            // a higher node asks what it missed
            Role::Follower if from < self.members.me() => {
                let content = late || self.keeps();
                if !(self.office.filled && content) {
                    self.start_election();
                }
            }
            _ => {}
        }
    }

    fn on_answer(&mut self, from: usize, epoch: Epoch) {
        self.learn(epoch);
        if self.role != Role::Candidate {
            return;
        }
        if from > self.members.me() {
            self.role = Role::Waiting;
            self.owes.election = 0;
            self.wait(self.config.outcome_timeout_us);
        } else {
            self.support(from);
        }
    }

    /// A lower node misses the leader, too.
    fn support(&mut self, from: usize) {
        if !self.polls() {
            return;
        }
        self.accepted |= bit(from);
        // who is better has to be waited for, and who led: all may have missed it for a moment
        let awaited = self.members.after_me() | bit(self.office.epoch.owner());
        if awaited & !self.accepted == 0 && self.may_claim() {
            self.claim();
        }
    }

    /// Somebody leads, or claims to in quorum mode (round 0).
    fn on_leader(&mut self, from: usize, epoch: Epoch, round: u64) {
        let quorum = self.config.mode.needs_quorum();
        // a majority made it leader
        let elected = quorum && round > 0;
        // what this node claims itself is no later epoch, unless it is to bully the other out of office
        let yields = elected && (self.keeps() || from > self.members.me());
        let known = if yields { self.office.epoch } else { self.offer() };
        if epoch < known {
            self.owes.stale |= bit(from);
            return;
        }
        if self.promised_to_other(from) {
            return; // the claim is repeated, and the promise runs out
        }
        let known = self.office.filled && epoch == self.office.epoch;
        if !known && self.config.takeover == Takeover::Highest && from < self.members.me() {
            self.bully(epoch);
            return;
        }
        if !known && !elected && self.is_kept_from(from, epoch) {
            return;
        }
        if !known {
            self.adopt(epoch);
            self.follow();
            self.heard_round = 0;
            self.office.filled = !quorum || round > 0;
        }
        self.wait(self.config.leader_timeout_us);
        if quorum || round > 0 {
            self.owes.accept = bit(from);
            if round > 0 {
                self.heard_round = self.heard_round.max(round);
                self.promise(from);
            }
        }
    }

    /// Whether the leader that there is keeps this node from accepting another.
    fn is_kept_from(&mut self, other: usize, epoch: Epoch) -> bool {
        if self.is_content() {
            return self.is_kept_by_another(other);
        }
        let leads = self.role == Role::Leader && self.keeps();
        if leads && !self.config.mode.needs_quorum() {
            self.challenge(epoch);
        }
        leads
    }

    /// A lower node leads or wants to, and this one is alive.
    fn bully(&mut self, epoch: Epoch) {
        self.learn(epoch);
        if self.role == Role::Follower {
            self.start_election();
        }
    }

    fn on_accept(&mut self, from: usize, epoch: Epoch, round: u64) {
        if epoch != self.offer() {
            return; // late
        }
        match self.role {
            Role::Claiming => {
                self.accepted |= bit(from);
                self.lead_if_accepted();
            }
            Role::Leader if round == self.round => {
                self.accept_round(from);
                self.outbid_if_followed();
            }
            _ => {}
        }
    }

    pub(super) fn on_stale(&mut self, epoch: Epoch) {
        if epoch <= self.offer() {
            return; // known by now
        }
        let held = matches!(self.role, Role::Leader | Role::Claiming);
        self.learn(epoch);
        // Of two that claim, the higher goes on and the lower waits to hear of it, or they would outbid each other for ever.
        if held && self.role == Role::Follower && epoch.owner() <= self.members.me() {
            self.claim();
        }
    }

    /// Accepts no other for the length of a lease.
    fn promise(&mut self, to: usize) {
        if matches!(self.config.mode, Mode::Lease { .. }) {
            self.grant.grant(self.now);
            self.granted_to = bit(to);
        }
    }

    fn promised_to_other(&self, to: usize) -> bool {
        self.grant.runs(self.now) && self.granted_to != bit(to)
    }
}
