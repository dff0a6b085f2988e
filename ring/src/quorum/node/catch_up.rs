//! Catching up: this node asks the others for what they have.

use quorate_core::NodeId;

use super::Node;
use crate::quorum::holdings::{Asked, Origin};
use crate::quorum::message::{Cause, RecordBody};
use crate::quorum::{Layout, Membership, Storage, Value};
use crate::topology::Version;

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    /// All records are restored.
    pub(super) fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.enter_layout();
        }
    }

    /// The layout is another, or this node has just started.
    pub(super) fn enter_layout(&mut self) {
        let has_caught_up = self.holdings.standing().has_caught_up_with(self.layout.version());
        match self.membership {
            // what it holds goes soon; if it is a member again before that is so, it may be purged
            Membership::None if self.holdings.is_founded() => {
                self.holdings.fall_behind();
                self.holdings.set_founded(false);
            }
            // what it holds is of a time when it was a member, or of another attempt to join: it may be purged
            Membership::Joining if !has_caught_up => {
                self.holdings.fall_behind();
                self.holdings.set_founded(false);
            }
            _ => {}
        }
        self.catch_up.restart(self.now);
    }

    /// Whether this node has to ask the others for what they have.
    pub(super) fn has_to_ask(&self) -> bool {
        let standing = self.holdings.standing();
        let lacks_all = !standing.is_founded() || standing.is_behind();
        let asks = match self.membership {
            Membership::None => false,
            // first it is told the floor
            Membership::Joining => standing.is_founded() && standing.is_behind(),
            Membership::Member => lacks_all || !standing.has_caught_up_with(self.layout.version()),
            Membership::Leaving => lacks_all,
        };
        asks && !self.holdings.is_dropping()
    }

    pub(super) fn tick_catch_up(&mut self) {
        // before anything else is looked at: there are more ticks than deadlines
        if self.catch_up.deadline() > self.now {
            return;
        }
        if !self.has_to_ask() {
            if !self.holdings.is_dropping() {
                self.catch_up.rest();
            }
            return;
        }
        let Self { catch_up, layout, config, now, id, .. } = self;
        if catch_up.tick(*now, *id, layout, config) {
            self.end_catching_up();
        }
    }

    /// The sweep that this node has asked for is over.
    pub(super) fn on_swept(&mut self, (floor, sealed): (u64, u64)) {
        let drops = self.learn_floor(floor);
        self.seal(sealed.max(floor));
        // if what it holds goes now, it asks anew
        let Self { catch_up, layout, config, now, id, .. } = self;
        if !drops && catch_up.on_swept(*now, *id, layout, config) {
            self.end_catching_up();
        }
    }

    fn end_catching_up(&mut self) {
        self.holdings.catch_up(self.layout.version());
        self.requests.raise_floor(self.holdings.frontier().sealed());
        self.holdings.set_founded(true);
    }

    /// Another node has this floor. True if this node drops what it has up to there, and asks for it.
    pub(super) fn learn_floor(&mut self, floor: u64) -> bool {
        let standing = self.holdings.standing();
        // no floor rises above what a member has sealed: this one has lost its records
        let has_lost = self.membership.is_member() && floor > self.holdings.frontier().sealed();
        if !standing.is_behind() && standing.is_founded() && has_lost {
            self.holdings.fall_behind();
        }
        let standing = self.holdings.standing();
        if standing.is_founded() && !standing.is_behind() {
            self.holdings.raise_floor(floor);
            self.requests.raise_floor(self.holdings.frontier().sealed());
            return false;
        }
        let is_news = self.holdings.tell_floor(floor);
        self.requests.raise_floor(self.holdings.frontier().sealed());
        if is_news && self.holdings.is_dropping() {
            self.catch_up.restart(self.now);
        }
        self.holdings.is_dropping()
    }

    /// Where a value comes from.
    pub(super) fn origin(&self, asked: Asked, cause: Cause) -> Origin {
        match cause {
            Cause::New => Origin::Client,
            Cause::Asked { incarnation, number }
                if self.has_asked(asked.by, incarnation, number) =>
            {
                Origin::Asked
            }
            Cause::Repair | Cause::Asked { .. } => Origin::Replica,
        }
    }

    pub(super) fn has_asked(&self, node: NodeId, incarnation: u64, number: u64) -> bool {
        incarnation == self.requests.incarnation()
            && self.catch_up.has_asked(node, number)
            && self.has_to_ask()
    }

    /// Whether it has all that the members have of this layout's keys, and nothing is left to do here of an earlier one.
    pub(super) fn is_synchronized(&self) -> bool {
        let standing = self.holdings.standing();
        let has_all = match self.membership {
            Membership::None => true,
            Membership::Leaving => standing.is_founded() && !standing.is_behind(),
            Membership::Joining | Membership::Member => {
                standing.is_founded() && standing.has_caught_up_with(self.layout.version())
            }
        };
        has_all
            && self.holdings.is_standing_durable()
            && self.holdings.hints().len() == 0
            && self.holdings.is_scrubbed()
    }

    /// The record of whether it has caught up; `None` where none was made.
    pub(super) fn standing_record(&self) -> Option<RecordBody<'_, V>> {
        let standing = self.holdings.standing();
        if standing.is_behind() {
            return Some(RecordBody::Behind);
        }
        let Version { epoch, digest } = standing.caught_up_with()?;
        Some(RecordBody::CaughtUp { epoch, digest })
    }
}
