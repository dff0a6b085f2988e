//! Getting a message to the next live node: what is under way, what has passed, and what is to be acknowledged.

use quorate_core::{Instant, List};

use super::message::{Message, Way};
use super::{Algorithm, Ring};
use crate::Epoch;
use crate::members::{Set, bit};
use crate::storage::Storage;

/// What has passed of one owner's latest attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lane {
    token: Epoch,
    /// For each slot: the phase that passed, and 1; 0 for none.
    seen: [u8; 4],
    /// For each slot: whom an acknowledgement is owed to, and 1; 0 for nobody.
    ack_to: [u8; 4],
}

/// A message that has not been acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parcel {
    message: Message,
    /// The next hop, or [`NOBODY`]: the message has arrived, and its place is free.
    to: u8,
    attempt: u8,
    /// To be sent, or sent again.
    due: bool,
    /// When the acknowledgement is overdue.
    at: Instant,
}

/// How a lane notes whom an acknowledgement is owed to.
fn mark(place: usize) -> u8 {
    u8::try_from(place.saturating_add(1)).unwrap_or(0)
}

const NOBODY: u8 = u8::MAX;

impl Parcel {
    const fn is_free(&self) -> bool {
        self.to == NOBODY
    }

    const fn free(&mut self) {
        (self.to, self.due) = (NOBODY, false);
    }

    pub(super) fn hash<H: core::hash::Hasher>(&self, now: Instant, state: &mut H) {
        use core::hash::Hash;
        if self.is_free() {
            return; // what was there tells nothing of what is to come
        }
        (self.message, self.to, self.attempt, self.due).hash(state);
        if !self.due {
            self.at.since(now).hash(state);
        }
    }
}

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// The next live member that way; `None` if there is no other.
    pub(super) fn next(&self, way: Way) -> Option<usize> {
        let (len, me) = (self.members.len(), self.members.me());
        let mut place = me;
        for _ in 1..len {
            place = match way {
                Way::Forth => place.saturating_add(1),
                Way::Back => place.checked_sub(1).unwrap_or(len.saturating_sub(1)),
            };
            if place >= len {
                place = 0;
            }
            if self.skip & bit(place) == 0 {
                return Some(place);
            }
        }
        None
    }

    /// Whether a message has not passed before; late ones and those that come round a second time have. Whoever sent it is owed
    /// an acknowledgement either way.
    pub(super) fn passes(&mut self, from: usize, (token, slot, phase): (Epoch, u8, u8)) -> bool {
        let Some(lane) = self.lanes.get_mut(token.owner()) else { return false };
        let slot = usize::from(slot);
        if token > lane.token {
            // what is owed for an earlier attempt is covered by what is owed for this one
            *lane = Lane { token, ack_to: lane.ack_to, seen: [0; 4] };
        }
        if let Some(to) = lane.ack_to.get_mut(slot) {
            *to = mark(from);
        }
        let Some(seen) = lane.seen.get_mut(slot) else { return false };
        let new = token == lane.token && phase >= *seen;
        if new {
            *seen = phase.saturating_add(1);
        }
        new
    }

    /// Whether a token has passed here: the latest of its owner's.
    pub(super) fn has_passed(&self, token: Epoch) -> bool {
        let lane = self.lanes.get(token.owner());
        lane.is_some_and(|lane| {
            lane.token == token && lane.seen.first().is_some_and(|&phase| phase > 0)
        })
    }

    /// The own attempt begins: nothing of it has passed.
    pub(super) fn begins(&mut self, token: Epoch) {
        if let Some(lane) = self.lanes.get_mut(token.owner()) {
            *lane = Lane { token, ack_to: lane.ack_to, seen: [0; 4] };
        }
    }

    /// Sends a message on its way. False if there is nobody to send it to; where there is no room the message is lost.
    pub(super) fn send(&mut self, message: Message) -> bool {
        let next = self.next(message.way());
        if let Some(to) = next {
            self.send_to(to, message);
        }
        next.is_some()
    }

    /// The same, past all others.
    pub(super) fn send_to(&mut self, to: usize, message: Message) {
        let parcel = Parcel {
            message,
            to: u8::try_from(to).unwrap_or(0),
            attempt: 1,
            due: true,
            at: self.now,
        };
        let same = |other: &Message| match (other.key(), message.key()) {
            (Some(a), Some(b)) => (a.0.owner(), a.1) == (b.0.owner(), b.1),
            _ => false,
        };
        let mut place = self.parcels.iter_mut().find(|p| same(&p.message));
        if place.is_none() {
            place = self.parcels.iter_mut().find(|p| p.is_free());
        }
        match place {
            Some(place) => *place = parcel,
            None => {
                let _ = self.parcels.push(parcel);
            }
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.parcels.len() < self.parcels.limit() || self.parcels.iter().any(Parcel::is_free)
    }

    pub(super) fn acknowledged(&mut self, from: usize, token: Epoch, slot: u8, phase: u8) {
        let owner = token.owner();
        if owner != self.members.me()
            && let Some(lane) = self.lanes.get_mut(owner)
            && token > lane.token
        {
            // The next node has seen a later attempt of this owner's, and drops the one that came by here: let its owner know.
            *lane = Lane { token, ack_to: lane.ack_to, seen: [0; 4] };
            if let Some(to) = lane.ack_to.get_mut(usize::from(slot)) {
                *to = mark(owner);
            }
        }
        for parcel in self.parcels.iter_mut() {
            let done = parcel.message.key().is_some_and(|key| {
                key.0.owner() == owner && key.1 == slot && (key.0, key.2) <= (token, phase)
            });
            if done && usize::from(parcel.to) == from {
                parcel.free();
            }
        }
    }

    /// Hops whose acknowledgement is overdue, or whose next node is in `dead`: once more, or to the one after.
    pub(super) fn chase(&mut self, dead: Set) {
        for at in 0..self.parcels.len() {
            let Some(parcel) = self.parcels.get(at) else { return };
            let (message, to) = (parcel.message, usize::from(parcel.to));
            let overdue = !parcel.due && self.now >= parcel.at;
            let dead = dead & bit(to) != 0;
            if parcel.is_free() || !(overdue || dead) {
                continue;
            }
            let again = !dead && parcel.attempt < self.config.attempts;
            let next = if again {
                Some(to)
            } else {
                self.skip |= bit(to);
                self.next(message.way())
            };
            let Some(parcel) = self.parcels.get_mut(at) else { return };
            if let Some(next) = next.and_then(|next| u8::try_from(next).ok()) {
                parcel.attempt = if again { parcel.attempt.saturating_add(1) } else { 1 };
                (parcel.to, parcel.due) = (next, true);
            } else {
                parcel.free();
                self.alone(message);
            }
        }
    }

    /// When the next acknowledgement is overdue.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        let waiting = |parcel: &&Parcel| !parcel.due && !parcel.is_free();
        self.parcels.iter().filter(waiting).map(|parcel| parcel.at).min()
    }

    /// A message to send, and to whom.
    pub(super) fn take_parcel(&mut self) -> Option<(usize, Message)> {
        let overdue = self.now.after(self.config.answer_timeout_us);
        let parcel = self.parcels.iter_mut().find(|parcel| parcel.due)?;
        parcel.due = false;
        parcel.at = overdue;
        Some((usize::from(parcel.to), parcel.message))
    }

    /// An acknowledgement to send, and to whom.
    pub(super) fn take_ack(&mut self) -> Option<(usize, Message)> {
        for lane in self.lanes.iter_mut() {
            for (slot, (to, seen)) in (0..).zip(lane.ack_to.iter_mut().zip(lane.seen)) {
                if let Some(place) = core::mem::take(to).checked_sub(1) {
                    let phase = seen.saturating_sub(1);
                    let ack = Message::Ack { token: lane.token, slot, phase };
                    return Some((usize::from(place), ack));
                }
            }
        }
        None
    }
}
