//! Messages and time: the transitions of a node.

use quorate_core::{Instant, NodeId, Rejected};

use super::algorithm::Kind;
use super::message::{Direction, Message};
use super::{Algorithm, Ring};
use crate::members::bit;
use crate::storage::Storage;
use crate::{Epoch, Role, Takeover};

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// The sender's place, if an honest node could send this.
    pub(super) fn check(&self, from: NodeId, message: Message) -> Result<usize, Rejected> {
        let index = self.members.index_of(from).filter(|&index| index != self.members.me());
        let from = index.ok_or(Rejected::UnknownSender)?;
        let epochs = message.epochs();
        if epochs.iter().any(|epoch| epoch.owner() >= self.members.len()) {
            return Err(Rejected::Malformed);
        }
        let known = self.leadership.reference_epoch().max(self.token);
        if epochs.iter().any(|&epoch| !known.admits(epoch)) {
            return Err(Rejected::OutOfRange);
        }
        let hirschberg_sinclair = A::KIND == Kind::HirschbergSinclair;
        let malformed = match message {
            Message::Elect { passed, .. } => {
                hirschberg_sinclair || passed & !self.members.all() != 0
            }
            Message::Probe { phase, hops, .. } => {
                !hirschberg_sinclair || hops == 0 || phase > 5 || hops > probe_distance(phase)
            }
            Message::Reply { phase, .. } => !hirschberg_sinclair || phase > 5,
            Message::Ack { slot, phase, .. } => slot > 3 || phase > 7,
            Message::Coordinator { .. }
            | Message::Alive { .. }
            | Message::ConfirmLeadership { .. } => false,
        };
        if malformed {
            return Err(Rejected::Malformed);
        }
        let impossible = match message {
            // nobody leads in another's epoch, or is led by this node without its doing
            Message::Alive { epoch } => {
                let led = epoch.owner() == self.members.me() && epoch <= self.leadership.epoch;
                epoch.owner() != from && !led
            }
            Message::ConfirmLeadership { epoch } => epoch.owner() != from,
            // nobody has a later token of this node's than this node
            _ => message.key().is_some_and(|(token, ..)| self.is_later_token(token)),
        };
        if impossible {
            return Err(Rejected::Impossible);
        }
        if message.key().is_some() && !self.has_room() { Err(Rejected::Full) } else { Ok(from) }
    }

    pub(super) fn handle_message(&mut self, from: usize, message: Message) {
        self.suspected &= !bit(from);
        match message {
            Message::Ack { token, slot, phase } => {
                if self.is_later_token(token) {
                    self.on_later_token(token);
                }
                self.on_ack(from, token, slot, phase);
            }
            Message::Alive { epoch } if epoch.owner() == from => self.on_leader(epoch),
            Message::Alive { epoch } => self.on_follower(from, epoch),
            Message::ConfirmLeadership { epoch } => {
                self.on_leader(epoch);
                // not in an epoch that the leader has won, and does not know of yet
                let present = epoch == self.leadership.epoch;
                self.follow_due = present && self.leadership.leader() == Some(from);
            }
            _ => {
                let Some(key) = message.key() else { return };
                self.told = message.epochs().into_iter().fold(self.told, Epoch::max);
                // its owner made it, and so is alive; or was, and then does not answer
                self.suspected &= !bit(key.0.owner());
                if self.record_pass(from, key) {
                    self.on_pass(message);
                }
            }
        }
    }

    /// Whether this is a later attempt of this node's than it has made. It does not know those of before a restart until it makes
    /// one.
    fn is_later_token(&self, token: Epoch) -> bool {
        token.owner() == self.members.me() && token > self.token && self.token > Epoch::ZERO
    }

    /// Somebody has seen a later attempt of this node's than this node has made: of before it lost its disk, or a lie. Earlier
    /// ones are dropped there.
    fn on_later_token(&mut self, token: Epoch) {
        self.token = token;
        if self.role == Role::Waiting {
            // at once, a node that always knows a later one would make it begin without end
            self.deadline = self.deadline.min(self.now.after(self.config.answer_timeout_us));
        }
    }

    fn on_pass(&mut self, message: Message) {
        match message {
            Message::Elect { token, highest, .. } | Message::Probe { token, highest, .. }
                if self.is_sticky_leader() && token.owner() != self.members.me() =>
            {
                self.on_candidate(token, highest);
            }
            // who hears its leader takes no part, and lets the leader know, unless that itself leads no more
            Message::Elect { token, .. } | Message::Probe { token, .. }
                if self.has_live_leader()
                    && ![self.members.me(), self.leadership.epoch.owner()]
                        .contains(&token.owner()) =>
            {
                self.send_to(self.leadership.epoch.owner(), message);
            }
            Message::Elect { token, highest, passed } => {
                let highest = highest.max(self.known_epoch());
                if A::KIND == Kind::Collecting {
                    self.collect(token, highest, passed);
                } else {
                    self.relay(token, highest, Message::Elect { token, highest, passed });
                }
            }
            Message::Probe { token, highest, phase, hops, direction } => {
                let highest = highest.max(self.known_epoch());
                let hops = hops.saturating_sub(1);
                let message = if hops == 0 {
                    Message::Reply { token, highest, phase, direction: direction.opposite() }
                } else {
                    Message::Probe { token, highest, phase, hops, direction }
                };
                self.relay(token, highest, message);
            }
            Message::Reply { token, highest, phase, direction } => {
                let highest = highest.max(self.known_epoch());
                if token.owner() == self.members.me() {
                    self.on_reply(token, highest, phase, direction);
                } else {
                    self.send(Message::Reply { token, highest, phase, direction });
                }
            }
            Message::Coordinator { token, epoch } => {
                if token.owner() != self.members.me() {
                    self.send(message);
                }
                if epoch.owner() == self.members.me() {
                    self.on_elected(token, epoch);
                } else {
                    self.on_leader(epoch);
                }
            }
            Message::Ack { .. } | Message::Alive { .. } | Message::ConfirmLeadership { .. } => {}
        }
    }

    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.started {
            self.started = true;
            match self.config.takeover {
                Takeover::Highest => self.start_election(),
                Takeover::Keep => self.set_role(Role::Follower, self.config.leader_timeout_us),
            }
        }
    }

    pub(super) fn on_timeout(&mut self) {
        if self.role != Role::Leader {
            self.start_election();
        } else if self.rival == Epoch::ZERO {
            self.asked = false;
            self.alive_due = self.members.others();
            self.deadline = self.now.after(self.config.heartbeat_us);
        } else if self.attempt < self.config.attempts {
            self.query_followers();
            self.on_follower(self.members.me(), self.leadership.epoch);
        } else if self.rival_leader == Epoch::ZERO {
            // those that do not answer are dead, or led by nobody
            self.supersede(self.rival);
        } else {
            // those that are led are led by another
            self.leadership.raise_epoch(self.rival_leader);
            self.clear_role();
            self.set_role(Role::Follower, self.config.leader_timeout_us);
        }
    }

    /// Ends the present role, and drops the messages that are due in it.
    fn clear_role(&mut self) {
        self.leadership.has_leader = false;
        (self.rival, self.rival_leader) = (Epoch::ZERO, Epoch::ZERO);
        self.alive_due = 0;
        self.follow_due = false;
    }

    fn set_role(&mut self, role: Role, for_us: u64) {
        self.role = role;
        self.deadline = self.now.after(for_us);
    }

    pub(super) fn on_fenced(&mut self, later: Epoch) {
        if later <= self.leadership.epoch {
            return;
        }
        // whoever has it may be among those that are passed over: two halves of a ring would
        // supersede each other for ever
        self.suspected = 0;
        if self.is_sticky_leader() {
            self.on_rival_leader(later);
        } else {
            self.leadership.raise_epoch(later);
            self.start_election();
        }
    }

    /// Begins an attempt of its own.
    pub(super) fn start_election(&mut self) {
        let me = self.members.me();
        self.clear_role();
        // an election takes its time, so that a leader it makes may ask at once
        self.asked = false;
        self.set_role(Role::Waiting, self.outcome_timeout_us());
        let Some(token) = self.leadership.epoch.max(self.token).next_for(me) else {
            return; // out of epochs: nothing can be done, but time must go on
        };
        // on disk, so that a restarted node's tokens are not taken for old ones
        self.leadership.raise_epoch(token);
        self.token = token;
        self.begin_attempt(token);
        (self.phase, self.replied) = (0, [false; 2]);
        let sent = match A::KIND {
            Kind::Collecting => {
                self.send(Message::Elect { token, highest: token, passed: bit(me) })
            }
            Kind::ChangRoberts => self.send(Message::Elect { token, highest: token, passed: 0 }),
            Kind::HirschbergSinclair => self.probe(token),
        };
        if !sent {
            self.win(token);
        }
    }

    /// Nobody is left to send a message to.
    pub(super) fn on_no_successor(&mut self, message: Message) {
        let own = message.key().is_some_and(|(token, ..)| token == self.token);
        if own && self.role == Role::Waiting {
            self.win(self.token);
        }
    }

    /// Collecting: the token passes.
    fn collect(&mut self, token: Epoch, highest: Epoch, passed: u32) {
        let me = self.members.me();
        if token.owner() != me {
            self.await_outcome();
            self.send(Message::Elect { token, highest, passed: passed | bit(me) });
            return;
        }
        if token != self.token || self.role != Role::Waiting {
            return;
        }
        let live = (0..self.members.len()).filter(|&index| passed & bit(index) != 0);
        let best = live.max_by_key(|&index| self.members.id(index)).unwrap_or(me);
        if best == me {
            self.win(highest);
        } else if let Some(epoch) = highest.max(self.leadership.epoch).next_for(best) {
            self.send(Message::Coordinator { token, epoch });
            self.on_leader(epoch);
        }
    }

    /// Chang-Roberts, Hirschberg-Sinclair: a candidate passes. `onward` is what becomes of its message if it is better.
    fn relay(&mut self, token: Epoch, highest: Epoch, onward: Message) {
        let me = self.members.me();
        if token.owner() == me {
            // all the way round
            if token == self.token && self.role == Role::Waiting {
                self.win(highest);
            }
            return;
        }
        if self.members.id(token.owner()) > self.members.id(me) {
            self.await_outcome();
            self.send(onward);
        } else if self.role != Role::Waiting {
            // better than the candidate, and not yet one itself
            self.start_election();
        }
    }

    /// An election passes here: its outcome is to come.
    fn await_outcome(&mut self) {
        if self.role == Role::Follower {
            self.set_role(Role::Waiting, self.outcome_timeout_us());
        }
    }

    /// Hirschberg-Sinclair: asks both ways.
    fn probe(&mut self, token: Epoch) -> bool {
        let phase = self.phase;
        let highest = self.leadership.epoch;
        let hops = probe_distance(phase);
        let probe = |direction| Message::Probe { token, highest, phase, hops, direction };
        self.send(probe(Direction::Forward)) && self.send(probe(Direction::Backward))
    }

    fn on_reply(&mut self, token: Epoch, highest: Epoch, phase: u8, direction: Direction) {
        if token != self.token || phase != self.phase || self.role != Role::Waiting {
            return;
        }
        self.leadership.raise_epoch(highest);
        match direction {
            Direction::Forward => self.replied[1] = true,
            Direction::Backward => self.replied[0] = true,
        }
        if self.replied == [true; 2] {
            self.replied = [false; 2];
            self.phase = phase.saturating_add(1).min(5);
            self.probe(token);
        }
    }

    /// The latest epoch that there is, as far as this node was told.
    fn known_epoch(&self) -> Epoch {
        self.leadership.epoch.max(self.told)
    }

    /// This node leads, in an epoch above all that are known.
    fn win(&mut self, highest: Epoch) {
        let Some(epoch) = highest.max(self.known_epoch()).next_for(self.members.me()) else {
            return;
        };
        self.send(Message::Coordinator { token: self.token, epoch });
        self.lead(epoch);
    }

    /// Leads on, in an epoch after another. It is an attempt of its own, so that nodes that saw the last one pass do not drop this.
    fn supersede(&mut self, later: Epoch) {
        let known = later.max(self.leadership.epoch).max(self.token);
        let Some(epoch) = known.next_for(self.members.me()) else { return };
        self.token = epoch;
        self.begin_attempt(epoch);
        self.send(Message::Coordinator { token: epoch, epoch });
        self.lead(epoch);
    }

    fn lead(&mut self, epoch: Epoch) {
        self.clear_role();
        self.leadership.raise_epoch(epoch);
        self.leadership.confirm_leader();
        self.set_role(Role::Leader, self.config.heartbeat_us);
        // nothing that goes round reaches those that are passed over, here or on the way, and they may be alive; and a leader that
        // is fenced again and again has no other heartbeats
        self.alive_due = self.members.others();
    }

    /// Somebody else's attempt made this node leader, in an epoch above all that those knew which it passed. If it did not pass this
    /// node, it is of before a restart: with its disk erased, this node might have led in that epoch already.
    fn on_elected(&mut self, token: Epoch, epoch: Epoch) {
        if epoch <= self.leadership.epoch {
            return; // it leads in each epoch once
        }
        if self.has_passed(token) {
            self.lead(epoch);
        } else if self.role == Role::Leader {
            self.supersede(epoch); // of its own
        } else {
            self.clear_role();
            self.leadership.raise_epoch(epoch);
        }
    }

    /// Another node leads.
    fn on_leader(&mut self, epoch: Epoch) {
        if epoch < self.leadership.epoch {
            return; // late, or of a leader that does not know yet
        }
        let (leader, me) = (epoch.owner(), self.members.me());
        let known = self.leadership.has_leader && epoch == self.leadership.epoch;
        let better = self.members.id(me) > self.members.id(leader);
        if !known && better && !self.keeps_leader() {
            self.leadership.raise_epoch(epoch);
            if self.role != Role::Waiting {
                self.start_election();
            }
            return;
        }
        if !known && self.rejects_other_leader(leader, epoch) {
            return;
        }
        self.clear_role();
        self.leadership.raise_epoch(epoch);
        self.leadership.confirm_leader();
        self.set_role(Role::Follower, self.config.leader_timeout_us);
    }

    fn keeps_leader(&self) -> bool {
        self.config.takeover == Takeover::Keep
    }

    fn is_sticky_leader(&self) -> bool {
        self.keeps_leader() && self.role == Role::Leader
    }

    /// Whether this node hears from its leader, and so accepts no other (Ongaro, Raft thesis,
    /// section 4.2.3).
    fn has_live_leader(&self) -> bool {
        let follows = self.role == Role::Follower && self.leadership.has_leader;
        self.keeps_leader() && follows && self.now < self.deadline
    }

    /// Whether this node rejects another leader, as it has one.
    fn rejects_other_leader(&mut self, other: usize, epoch: Epoch) -> bool {
        if self.has_live_leader() {
            return self.leadership.leader() != Some(other);
        }
        let leads = self.is_sticky_leader();
        if leads {
            self.on_rival_leader(epoch);
        }
        leads
    }

    /// There is a later epoch than that of this leader: another leader's, or only a candidate's. It asks all whether they still follow
    /// it, and goes on, in an epoch after that, if a majority does, as of two leaders one has that at most; or if there is no other
    /// leader. It asks once between two heartbeats, or a node that always knows a later epoch would make it ask and claim without end.
    fn on_rival(&mut self, epoch: Epoch) {
        if self.rival == Epoch::ZERO {
            (self.followers, self.attempt) = (0, 0);
            if !self.asked {
                self.query_followers();
            }
        }
        self.rival = self.rival.max(epoch);
        self.on_follower(self.members.me(), self.leadership.epoch);
    }

    /// Another leader has it, or had it.
    fn on_rival_leader(&mut self, epoch: Epoch) {
        self.on_rival(epoch);
        if self.rival > Epoch::ZERO {
            self.rival_leader = self.rival_leader.max(epoch);
        }
    }

    fn query_followers(&mut self) {
        self.asked = true;
        self.attempt = self.attempt.saturating_add(1);
        self.alive_due = self.members.others();
        self.deadline = self.now.after(self.config.answer_timeout_us);
    }

    /// A node, this one included, follows this leader, or nobody.
    fn on_follower(&mut self, from: usize, epoch: Epoch) {
        if self.rival == Epoch::ZERO || epoch != self.leadership.epoch {
            return;
        }
        self.followers |= bit(from);
        if self.attempt > 0 && self.members.outweighs(self.followers) {
            self.supersede(self.rival);
        }
    }

    /// A node misses this leader, or never heard of it. If its attempt is in a later epoch, it can only follow in an epoch after that.
    fn on_candidate(&mut self, token: Epoch, highest: Epoch) {
        let later = token.max(highest);
        if later > self.leadership.epoch {
            self.on_rival(later);
            self.on_follower(token.owner(), self.leadership.epoch);
        }
        self.alive_due |= bit(token.owner());
    }
}

/// How far a probe goes in a phase: in the last it goes round any ring.
const fn probe_distance(phase: u8) -> u8 {
    if phase < 5 { 1 << phase } else { 32 }
}
