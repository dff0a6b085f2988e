//! What a node makes of messages and of time.

use quorate_core::{Instant, NodeId, Rejected};

use super::{Bully, Message, Owes};
use crate::members::bit;
use crate::storage::Storage;
use crate::{Epoch, Mode, Role, Takeover};

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
        if !self.office.epoch.admits(epoch) {
            return Err(Rejected::OutOfRange);
        }
        let impossible = match message {
            // only lower nodes ask, only higher ones answer
            Message::Election { .. } => from > me,
            Message::Answer { .. } => from < me,
            // nobody leads in another's epoch
            Message::Coordinator { .. } | Message::Alive { .. } => epoch.owner() != from,
            // nobody accepts what was not offered
            Message::Accept { epoch, round } => {
                // a leader of before a restart does not remember its rounds
                let held = matches!(self.role, Role::Leader | Role::Claiming);
                epoch.owner() != me
                    || epoch > self.office.epoch
                    || (held && epoch == self.office.epoch && round > self.round)
            }
            Message::Stale { .. } => false,
        };
        if impossible { Err(Rejected::Impossible) } else { Ok(from) }
    }

    pub(super) fn take(&mut self, from: usize, message: Message) {
        match message {
            Message::Election { epoch } => self.on_election(from, epoch),
            Message::Answer { epoch } => self.on_answer(epoch),
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

    /// A node that comes up holds an election (Garcia-Molina, section III), or waits to hear of a leader.
    fn start(&mut self) {
        if matches!(self.config.mode, Mode::Lease { .. }) {
            // whatever was promised before the restart is not known any more
            self.grant.grant(self.now);
        }
        match self.config.takeover {
            Takeover::Highest => self.start_election(),
            Takeover::Keep => self.follow(),
        }
    }

    /// The time of the present role is up.
    pub(super) fn expire(&mut self) {
        let again = self.attempt < self.config.attempts;
        match self.role {
            Role::Candidate if again => {
                self.owes.election = self.members.after_me();
                self.next_attempt();
            }
            Role::Candidate => self.claim(),
            Role::Claiming if again => {
                self.owes.coordinator = self.members.others() & !self.accepted;
                self.next_attempt();
            }
            Role::Leader => self.heartbeat(),
            Role::Follower | Role::Waiting | Role::Claiming => self.start_election(),
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

    /// Asks all that are better; if there are none, it leads.
    pub(super) fn start_election(&mut self) {
        self.office.filled = false;
        self.owes = Owes { answer: self.owes.answer, stale: self.owes.stale, ..Owes::default() };
        let better = self.members.after_me();
        if better == 0 {
            self.claim();
            return;
        }
        self.role = Role::Candidate;
        self.owes.election = better;
        self.attempt = 0;
        self.next_attempt();
    }

    /// Nobody better answered.
    fn claim(&mut self) {
        let me = self.members.me();
        if self.promised_to_other(me) {
            // no longer than a lease, and then once more from the start
            self.role = Role::Waiting;
            self.deadline = self.grant.until();
            return;
        }
        // A claim that failed is repeated in the same epoch: a node that nobody hears must not run up epochs meanwhile.
        if !(self.claim_open && self.office.epoch.owner() == me) {
            let Some(epoch) = self.office.epoch.after(me) else {
                self.follow(); // out of epochs: nothing can be done, but time must go on
                return;
            };
            self.office.raise(epoch);
            self.claim_open = true;
        }
        self.accepted = bit(me);
        self.round = 0;
        self.owes.coordinator = self.members.others();
        self.role = Role::Claiming;
        self.attempt = 0;
        self.next_attempt();
        if !self.config.mode.needs_quorum() || self.members.is_majority(self.accepted) {
            self.lead();
        }
    }

    fn lead(&mut self) {
        self.role = Role::Leader;
        self.office.filled = true;
        self.claim_open = false;
        self.confirmed_at = self.now;
        self.wait(self.config.heartbeat_us);
        if self.config.mode.needs_quorum() {
            // those that accepted a claim do not know yet what came of it
            self.owes.coordinator = 0;
            self.owes.alive = self.members.others();
            self.next_round();
        }
    }

    fn heartbeat(&mut self) {
        if self.config.mode.needs_quorum() {
            if self.members.is_majority(self.accepted) {
                self.next_round();
            }
            if self.now.since(self.confirmed_at) >= self.config.leader_timeout_us {
                self.follow();
                return;
            }
        }
        self.owes.alive = self.members.others();
        self.wait(self.config.heartbeat_us);
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
        self.role = Role::Follower;
        self.office.filled = false;
        self.lease.release();
        self.owes = Owes { answer: self.owes.answer, stale: self.owes.stale, ..Owes::default() };
        self.wait(self.config.leader_timeout_us);
    }

    /// Somebody knows of this epoch. Who led or claimed in an earlier one does so no more.
    fn learn(&mut self, epoch: Epoch) {
        if epoch <= self.office.epoch {
            return;
        }
        self.office.raise(epoch);
        self.owes.accept = 0;
        if matches!(self.role, Role::Leader | Role::Claiming) {
            self.follow();
        }
    }

    fn on_election(&mut self, from: usize, epoch: Epoch) {
        // An asker that does not know the present leader's epoch is late, or was away: that is no reason for an election.
        let late = epoch < self.office.epoch;
        self.learn(epoch);
        self.owes.answer |= bit(from);
        match self.role {
            Role::Leader => self.owes.coordinator |= bit(from),
            Role::Follower => {
                let content = late || self.config.takeover == Takeover::Keep;
                if !(self.office.filled && content) {
                    self.start_election();
                }
            }
            Role::Candidate | Role::Waiting | Role::Claiming => {}
        }
    }

    fn on_answer(&mut self, epoch: Epoch) {
        self.learn(epoch);
        if self.role == Role::Candidate {
            self.role = Role::Waiting;
            self.owes.election = 0;
            self.wait(self.config.outcome_timeout_us);
        }
    }

    /// Somebody leads, or claims to in quorum mode (round 0).
    fn on_leader(&mut self, from: usize, epoch: Epoch, round: u64) {
        if epoch < self.office.epoch {
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
        let quorum = self.config.mode.needs_quorum();
        if !known {
            self.learn(epoch);
            self.follow();
            self.heard_round = 0;
            self.office.filled = !quorum || round > 0;
        }
        self.wait(self.config.leader_timeout_us);
        if quorum {
            self.owes.accept = bit(from);
            if round > 0 {
                self.heard_round = self.heard_round.max(round);
                self.promise(from);
            }
        }
    }

    /// A lower node leads or wants to, and this one is alive.
    fn bully(&mut self, epoch: Epoch) {
        self.learn(epoch);
        if self.role == Role::Follower {
            self.start_election();
        }
    }

    fn on_accept(&mut self, from: usize, epoch: Epoch, round: u64) {
        if epoch != self.office.epoch {
            return; // late
        }
        match self.role {
            Role::Claiming => {
                self.accepted |= bit(from);
                if self.members.is_majority(self.accepted) {
                    self.lead();
                }
            }
            Role::Leader if round == self.round => self.accept_round(from),
            _ => {}
        }
    }

    pub(super) fn on_stale(&mut self, epoch: Epoch) {
        let held = matches!(self.role, Role::Leader | Role::Claiming);
        if epoch <= self.office.epoch {
            return; // known by now
        }
        self.learn(epoch);
        // Of two that claim, the higher goes on and the lower waits to hear of it, or they would outbid each other for ever.
        if held && epoch.owner() <= self.members.me() {
            self.claim();
        }
    }

    /// Accepts no other for the length of a lease.
    fn promise(&mut self, to: usize) {
        if matches!(self.config.mode, Mode::Lease { .. }) {
            self.grant.grant(self.now);
            self.granted_to = Some(to);
        }
    }

    fn promised_to_other(&self, to: usize) -> bool {
        self.grant.runs(self.now) && self.granted_to != Some(to)
    }
}
