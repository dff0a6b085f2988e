//! What a node makes of messages and of time.

use quorate_core::{Instant, NodeId, Rejected};

use super::algorithm::Kind;
use super::message::{Message, Way};
use super::{Algorithm, Ring};
use crate::members::bit;
use crate::storage::Storage;
use crate::{Epoch, Role, Takeover};

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// The sender's place, if an honest node could send this.
    pub(super) fn check(&self, from: NodeId, message: Message) -> Result<usize, Rejected> {
        let place = self.members.place(from).filter(|&place| place != self.members.me());
        let from = place.ok_or(Rejected::UnknownSender)?;
        let epochs = message.epochs();
        if epochs.iter().any(|epoch| epoch.owner() >= self.members.len()) {
            return Err(Rejected::Malformed);
        }
        let known = self.office.known().max(self.token);
        if epochs.iter().any(|&epoch| !known.admits(epoch)) {
            return Err(Rejected::OutOfRange);
        }
        let hirschberg_sinclair = A::KIND == Kind::HirschbergSinclair;
        let malformed = match message {
            Message::Elect { passed, .. } => {
                hirschberg_sinclair || passed & !self.members.all() != 0
            }
            Message::Probe { phase, hops, .. } => {
                !hirschberg_sinclair || hops == 0 || phase > 5 || hops > far(phase)
            }
            Message::Reply { phase, .. } => !hirschberg_sinclair || phase > 5,
            Message::Ack { slot, phase, .. } => slot > 3 || phase > 7,
            Message::Coordinator { .. } | Message::Alive { .. } | Message::Ask { .. } => false,
        };
        if malformed {
            return Err(Rejected::Malformed);
        }
        let impossible = match message {
            // nobody leads in another's epoch, or is led by this node without its doing
            Message::Alive { epoch } => {
                let led = epoch.owner() == self.members.me() && epoch <= self.office.epoch;
                epoch.owner() != from && !led
            }
            Message::Ask { epoch } => epoch.owner() != from,
            // nobody has a later token of this node's than this node
            _ => message.key().is_some_and(|(token, ..)| self.is_later_token(token)),
        };
        if impossible {
            return Err(Rejected::Impossible);
        }
        if message.key().is_some() && !self.has_room() { Err(Rejected::Full) } else { Ok(from) }
    }

    pub(super) fn take(&mut self, from: usize, message: Message) {
        self.skip &= !bit(from);
        match message {
            Message::Ack { token, .. } if self.is_later_token(token) => self.on_later_token(token),
            Message::Ack { token, slot, phase } => self.acknowledged(from, token, slot, phase),
            Message::Alive { epoch } if epoch.owner() == from => self.on_leader(epoch),
            Message::Alive { epoch } => self.on_follower(from, epoch),
            Message::Ask { epoch } => {
                self.on_leader(epoch);
                // not in an epoch that the leader has won, and does not know of yet
                let present = epoch == self.office.epoch;
                self.owes_follower = present && self.office.leader() == Some(from);
            }
            _ => {
                let Some(key) = message.key() else { return };
                // its owner made it, and so is alive; or was, and then does not answer
                self.skip &= !bit(key.0.owner());
                if self.passes(from, key) {
                    self.on_passing(message);
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
            self.start_election();
        }
    }

    fn on_passing(&mut self, message: Message) {
        match message {
            Message::Elect { token, highest, .. } | Message::Probe { token, highest, .. }
                if self.is_kept_leader() && token.owner() != self.members.me() =>
            {
                self.on_candidate(token, highest);
            }
            // who hears its leader takes no part, and lets the leader know, unless that itself leads no more
            Message::Elect { token, .. } | Message::Probe { token, .. }
                if self.is_content()
                    && ![self.members.me(), self.office.epoch.owner()].contains(&token.owner()) =>
            {
                self.send_to(self.office.epoch.owner(), message);
            }
            Message::Elect { token, highest, passed } => {
                let highest = highest.max(self.office.epoch);
                if A::KIND == Kind::Collecting {
                    self.collect(token, highest, passed);
                } else {
                    self.relay(token, highest, Message::Elect { token, highest, passed });
                }
            }
            Message::Probe { token, highest, phase, hops, way } => {
                let highest = highest.max(self.office.epoch);
                let hops = hops.saturating_sub(1);
                let message = if hops == 0 {
                    Message::Reply { token, highest, phase, way: way.other() }
                } else {
                    Message::Probe { token, highest, phase, hops, way }
                };
                self.relay(token, highest, message);
            }
            Message::Reply { token, highest, phase, way } => {
                let highest = highest.max(self.office.epoch);
                if token.owner() == self.members.me() {
                    self.on_reply(token, highest, phase, way);
                } else {
                    self.send(Message::Reply { token, highest, phase, way });
                }
            }
            Message::Coordinator { token, epoch } => {
                if token.owner() != self.members.me() {
                    self.send(message);
                }
                if epoch.owner() == self.members.me() {
                    self.on_office(token, epoch);
                } else {
                    self.on_leader(epoch);
                }
            }
            Message::Ack { .. } | Message::Alive { .. } | Message::Ask { .. } => {}
        }
    }

    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.started {
            self.started = true;
            match self.config.takeover {
                Takeover::Highest => self.start_election(),
                Takeover::Keep => self.wait(Role::Follower, self.config.leader_timeout_us),
            }
        }
    }

    pub(super) fn expire(&mut self) {
        if self.role != Role::Leader {
            self.start_election();
        } else if self.rival == Epoch::ZERO {
            self.owes_alive = self.members.others();
            self.deadline = self.now.after(self.config.heartbeat_us);
        } else if self.attempt < self.config.attempts {
            self.ask();
        } else {
            // those that are led are led by another
            self.office.raise(self.rival);
            self.leave();
            self.wait(Role::Follower, self.config.leader_timeout_us);
        }
    }

    /// Leaves office, and takes back what was to be said in it or of it.
    fn leave(&mut self) {
        self.office.filled = false;
        self.rival = Epoch::ZERO;
        self.owes_alive = 0;
        self.owes_follower = false;
    }

    fn wait(&mut self, role: Role, for_us: u64) {
        self.role = role;
        self.deadline = self.now.after(for_us);
    }

    pub(super) fn on_fenced(&mut self, later: Epoch) {
        if later <= self.office.epoch {
            return;
        }
        // whoever has it may be among those that are passed over: two halves of a ring would outbid each other for ever
        self.skip = 0;
        if self.is_kept_leader() {
            self.challenge(later);
        } else {
            self.office.raise(later);
            self.start_election();
        }
    }

    /// Begins an attempt of its own.
    pub(super) fn start_election(&mut self) {
        let me = self.members.me();
        self.leave();
        self.wait(Role::Waiting, self.config.outcome_timeout_us);
        let Some(token) = self.office.epoch.max(self.token).after(me) else {
            return; // out of epochs: nothing can be done, but time must go on
        };
        // on disk, so that a restarted node's tokens are not taken for old ones
        self.office.raise(token);
        self.token = token;
        self.begins(token);
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
    pub(super) fn alone(&mut self, message: Message) {
        let own = message.key().is_some_and(|(token, ..)| token == self.token);
        if own && self.role == Role::Waiting {
            self.win(self.token);
        }
    }

    /// Collecting: the token passes.
    fn collect(&mut self, token: Epoch, highest: Epoch, passed: u32) {
        let me = self.members.me();
        if token.owner() != me {
            self.take_part();
            self.send(Message::Elect { token, highest, passed: passed | bit(me) });
            return;
        }
        if token != self.token || self.role != Role::Waiting {
            return;
        }
        let live = (0..self.members.len()).filter(|&place| passed & bit(place) != 0);
        let best = live.max_by_key(|&place| self.members.id(place)).unwrap_or(me);
        if best == me {
            self.win(highest);
        } else if let Some(epoch) = highest.max(self.office.epoch).after(best) {
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
            self.take_part();
            self.send(onward);
        } else if self.role != Role::Waiting {
            // better than the candidate, and not yet one itself
            self.start_election();
        }
    }

    /// An election passes here: its outcome is to come.
    fn take_part(&mut self) {
        if self.role == Role::Follower {
            self.wait(Role::Waiting, self.config.outcome_timeout_us);
        }
    }

    /// Hirschberg-Sinclair: asks both ways.
    fn probe(&mut self, token: Epoch) -> bool {
        let phase = self.phase;
        let highest = token.max(self.office.epoch);
        let hops = far(phase);
        let probe = |way| Message::Probe { token, highest, phase, hops, way };
        self.send(probe(Way::Forth)) && self.send(probe(Way::Back))
    }

    fn on_reply(&mut self, token: Epoch, highest: Epoch, phase: u8, way: Way) {
        if token != self.token || phase != self.phase || self.role != Role::Waiting {
            return;
        }
        self.office.raise(highest);
        match way {
            Way::Forth => self.replied[1] = true,
            Way::Back => self.replied[0] = true,
        }
        if self.replied == [true; 2] {
            self.replied = [false; 2];
            self.phase = phase.saturating_add(1).min(5);
            self.probe(token);
        }
    }

    /// This node leads, in an epoch above all that are known.
    fn win(&mut self, highest: Epoch) {
        let Some(epoch) = highest.max(self.office.epoch).after(self.members.me()) else { return };
        self.send(Message::Coordinator { token: self.token, epoch });
        self.lead(epoch);
    }

    /// Leads on, in an epoch after another. It is an attempt of its own, so that nodes that saw the last one pass do not drop this.
    fn outbid(&mut self, later: Epoch) {
        let known = later.max(self.office.epoch).max(self.token);
        let Some(epoch) = known.after(self.members.me()) else { return };
        self.token = epoch;
        self.begins(epoch);
        self.send(Message::Coordinator { token: epoch, epoch });
        self.lead(epoch);
    }

    fn lead(&mut self, epoch: Epoch) {
        self.leave();
        self.office.raise(epoch);
        self.office.fill();
        self.wait(Role::Leader, self.config.heartbeat_us);
        // nothing that goes round reaches those that are passed over, here or on the way, and they may be alive; and a leader that
        // is fenced again and again has no other heartbeats
        self.owes_alive = self.members.others();
    }

    /// Somebody else's attempt made this node leader, in an epoch above all that those knew which it passed. If it did not pass this
    /// node, it is of before a restart: with its disk erased, this node might have led in that epoch already.
    fn on_office(&mut self, token: Epoch, epoch: Epoch) {
        if epoch <= self.office.epoch {
            return; // it leads in each epoch once
        }
        if self.has_passed(token) {
            self.lead(epoch);
        } else if self.role == Role::Leader {
            self.outbid(epoch); // of its own
        } else {
            self.leave();
            self.office.raise(epoch);
        }
    }

    /// Another node leads.
    fn on_leader(&mut self, epoch: Epoch) {
        if epoch < self.office.epoch {
            return; // late, or of a leader that does not know yet
        }
        let (leader, me) = (epoch.owner(), self.members.me());
        let known = self.office.filled && epoch == self.office.epoch;
        let better = self.members.id(me) > self.members.id(leader);
        if !known && better && !self.keeps() {
            self.office.raise(epoch);
            if self.role != Role::Waiting {
                self.start_election();
            }
            return;
        }
        if !known && self.is_kept_from(leader, epoch) {
            return;
        }
        self.leave();
        self.office.raise(epoch);
        self.office.fill();
        self.wait(Role::Follower, self.config.leader_timeout_us);
    }

    fn keeps(&self) -> bool {
        self.config.takeover == Takeover::Keep
    }

    fn is_kept_leader(&self) -> bool {
        self.keeps() && self.role == Role::Leader
    }

    /// Whether this node hears its leader, and so wants no other (Ongaro, Raft thesis, section 4.2.3).
    fn is_content(&self) -> bool {
        let follows = self.role == Role::Follower && self.office.filled;
        self.keeps() && follows && self.now < self.deadline
    }

    /// Whether the leader that there is keeps this node from following another.
    fn is_kept_from(&mut self, other: usize, epoch: Epoch) -> bool {
        if self.is_content() {
            return self.office.leader() != Some(other);
        }
        let leads = self.is_kept_leader();
        if leads {
            self.challenge(epoch);
        }
        leads
    }

    /// There is a later epoch than that of this leader. It asks all whether they still follow it, and goes on, in an epoch after that,
    /// if a majority does, as of two leaders one has that at most.
    fn challenge(&mut self, epoch: Epoch) {
        if self.rival == Epoch::ZERO {
            (self.followers, self.attempt) = (0, 0);
            self.ask();
        }
        self.rival = self.rival.max(epoch);
        self.on_follower(self.members.me(), self.office.epoch);
    }

    fn ask(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.owes_alive = self.members.others();
        self.deadline = self.now.after(self.config.answer_timeout_us);
    }

    /// A node, this one included, follows this leader.
    fn on_follower(&mut self, from: usize, epoch: Epoch) {
        if self.rival == Epoch::ZERO || epoch != self.office.epoch {
            return;
        }
        self.followers |= bit(from);
        if self.members.outweighs(self.followers) {
            self.outbid(self.rival);
        }
    }

    /// A node misses this leader, or never heard of it. If its attempt is in a later epoch, it can only follow in an epoch after that.
    fn on_candidate(&mut self, token: Epoch, highest: Epoch) {
        let later = token.max(highest);
        if later > self.office.epoch {
            self.challenge(later);
        }
        self.owes_alive |= bit(token.owner());
    }
}

/// How far a probe goes in a phase: in the last it goes round any ring.
const fn far(phase: u8) -> u8 {
    if phase < 5 { 1 << phase } else { 32 }
}
