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
        let known = self.office.epoch.max(self.token);
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
            Message::Coordinator { .. } | Message::Alive { .. } => false,
        };
        if malformed {
            return Err(Rejected::Malformed);
        }
        let impossible = match message {
            // nobody leads in another's epoch, or is led by this node without its doing
            Message::Alive { epoch } => epoch.owner() != from,
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
            Message::Alive { epoch } => self.on_leader(epoch),
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
                self.on_leader(epoch);
            }
            Message::Ack { .. } | Message::Alive { .. } => {}
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
        if self.role == Role::Leader {
            self.owes_alive = self.members.others();
            self.deadline = self.now.after(self.config.heartbeat_us);
        } else {
            self.start_election();
        }
    }

    fn wait(&mut self, role: Role, for_us: u64) {
        self.role = role;
        self.deadline = self.now.after(for_us);
    }

    pub(super) fn on_fenced(&mut self, later: Epoch) {
        if later > self.office.epoch {
            self.office.raise(later);
            // whoever has it may be among those that are passed over: two halves of a ring would outbid each other for ever
            self.skip = 0;
            self.start_election();
        }
    }

    /// Begins an attempt of its own.
    pub(super) fn start_election(&mut self) {
        let me = self.members.me();
        self.office.filled = false;
        self.owes_alive = 0;
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

    fn lead(&mut self, epoch: Epoch) {
        self.office.raise(epoch);
        self.office.filled = true;
        self.wait(Role::Leader, self.config.heartbeat_us);
        // nothing that goes round reaches those that are passed over, and they may be alive
        self.owes_alive = self.skip & self.members.others();
    }

    /// Somebody leads, perhaps this node.
    fn on_leader(&mut self, epoch: Epoch) {
        let (leader, me) = (epoch.owner(), self.members.me());
        if leader == me {
            // not in an office it had before a restart: it leads in each epoch once
            if epoch > self.office.epoch {
                self.lead(epoch);
            }
            return;
        }
        if epoch < self.office.epoch {
            return; // late, or of a leader that does not know yet
        }
        let known = self.office.filled && epoch == self.office.epoch;
        self.office.raise(epoch);
        let better = self.members.id(me) > self.members.id(leader);
        if !known && better && self.config.takeover == Takeover::Highest {
            if self.role != Role::Waiting {
                self.start_election();
            }
            return;
        }
        self.office.filled = true;
        self.owes_alive = 0;
        self.wait(Role::Follower, self.config.leader_timeout_us);
    }
}

/// How far a probe goes in a phase: in the last it goes round any ring.
const fn far(phase: u8) -> u8 {
    if phase < 5 { 1 << phase } else { 32 }
}
