//! Getting a message to the next live node: what is under way, what has passed, and what is to be acknowledged.

use quorate_core::{Instant, List};

use super::hop::{OutstandingHop, SeenAttempt};
use super::message::{Direction, Message};
use super::{Algorithm, Ring};
use crate::Epoch;
use crate::members::{MemberSet, bit};
use crate::storage::Storage;

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// The next live member that way; `None` if there is no other.
    pub(super) fn next_live(&self, direction: Direction) -> Option<usize> {
        let (len, me) = (self.members.len(), self.members.me());
        let mut index = me;
        for _ in 1..len {
            index = match direction {
                Direction::Forward => index.saturating_add(1),
                Direction::Backward => index.checked_sub(1).unwrap_or(len.saturating_sub(1)),
            };
            if index >= len {
                index = 0;
            }
            if self.suspected & bit(index) == 0 {
                return Some(index);
            }
        }
        None
    }

    /// Whether a message has not passed before; late ones and those that come round a second time have. Whoever sent it is owed
    /// an acknowledgement either way.
    pub(super) fn record_pass(
        &mut self,
        from: usize,
        (token, slot, phase): (Epoch, u8, u8),
    ) -> bool {
        let Some(seen_attempt) = self.seen_attempts.get_mut(token.owner()) else { return false };
        if token > seen_attempt.token {
            // what is owed for an earlier attempt is covered by what is owed for this one
            seen_attempt.begin(token);
        }
        seen_attempt.owe_ack(slot, from);
        let Some(next_phase) = seen_attempt.phases.get_mut(usize::from(slot)) else { return false };
        let new = token == seen_attempt.token && phase >= *next_phase;
        if new {
            *next_phase = phase.saturating_add(1);
        } else if self.leadership.has_leader
            && let Some(later) = self.leadership.epoch.next_for(token.owner())
            && later > seen_attempt.token
        {
            // that attempt is over; its owner lost its disk, perhaps, and does not know that it makes it again
            seen_attempt.begin(later);
        }
        new
    }

    /// Whether a token has passed here: the latest of its owner's.
    pub(super) fn has_passed(&self, token: Epoch) -> bool {
        let seen_attempt = self.seen_attempts.get(token.owner());
        seen_attempt.is_some_and(|seen_attempt| {
            seen_attempt.token == token
                && seen_attempt.phases.first().is_some_and(|&phase| phase > 0)
        })
    }

    /// The own attempt begins: nothing of it has passed.
    pub(super) fn begin_attempt(&mut self, token: Epoch) {
        if let Some(seen_attempt) = self.seen_attempts.get_mut(token.owner()) {
            seen_attempt.begin(token);
        }
    }

    /// Sends a message on its way. False if there is nobody to send it to; where there is no room the message is lost.
    pub(super) fn send(&mut self, message: Message) -> bool {
        let next = self.next_live(message.direction());
        if let Some(to) = next {
            self.send_to(to, message);
        }
        next.is_some()
    }

    /// The same, past all others.
    pub(super) fn send_to(&mut self, to: usize, message: Message) {
        let mut hop = OutstandingHop {
            message,
            to: u8::try_from(to).unwrap_or(0),
            attempt: 1,
            due: true,
            ack_deadline: self.now,
        };
        let same = |other: &Message| match (other.key(), message.key()) {
            (Some(a), Some(b)) => (a.0.owner(), a.1) == (b.0.owner(), b.1),
            _ => false,
        };
        let mut slot = self.outstanding.iter_mut().find(|p| same(&p.message));
        if slot.is_none() {
            slot = self.outstanding.iter_mut().find(|p| p.is_free());
        }
        match slot {
            Some(slot) => {
                if slot.to == hop.to {
                    // it is silent since the message before this: it would never be passed over otherwise, if its owner
                    // begins again sooner than that takes
                    (hop.attempt, hop.ack_deadline) = (slot.attempt, slot.ack_deadline);
                }
                *slot = hop;
            }
            None => {
                let _ = self.outstanding.push(hop);
            }
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.outstanding.len() < self.outstanding.limit()
            || self.outstanding.iter().any(OutstandingHop::is_free)
    }

    pub(super) fn on_ack(&mut self, from: usize, token: Epoch, slot: u8, phase: u8) {
        let owner = token.owner();
        if owner != self.members.me()
            && let Some(seen_attempt) = self.seen_attempts.get_mut(owner)
            && token > seen_attempt.token
        {
            // The next node has seen a later attempt of this owner's, and drops the one that came by here: let its owner know.
            seen_attempt.begin(token);
            seen_attempt.owe_ack(slot, owner);
        }
        for hop in self.outstanding.iter_mut() {
            let done = hop.message.key().is_some_and(|key| {
                key.0.owner() == owner && key.1 == slot && (key.0, key.2) <= (token, phase)
            });
            if done && usize::from(hop.to) == from {
                hop.release();
            }
        }
    }

    /// Hops whose acknowledgement is overdue, or whose next node is in `dead`: once more, or to the one after.
    pub(super) fn retransmit(&mut self, dead: MemberSet) {
        for at in 0..self.outstanding.len() {
            let Some(hop) = self.outstanding.get(at) else { return };
            let (message, to) = (hop.message, usize::from(hop.to));
            let overdue = !hop.due && self.now >= hop.ack_deadline;
            let dead = dead & bit(to) != 0;
            if hop.is_free() || !(overdue || dead) {
                continue;
            }
            let again = !dead && hop.attempt < self.config.attempts;
            let next = if again {
                Some(to)
            } else {
                self.suspected |= bit(to);
                self.next_live(message.direction())
            };
            let Some(hop) = self.outstanding.get_mut(at) else { return };
            if let Some(next) = next.and_then(|next| u8::try_from(next).ok()) {
                hop.attempt = if again { hop.attempt.saturating_add(1) } else { 1 };
                (hop.to, hop.due) = (next, true);
            } else {
                hop.release();
                self.on_no_successor(message);
            }
        }
    }

    /// When the next acknowledgement is overdue.
    pub(super) fn next_retransmission(&self) -> Option<Instant> {
        let waiting = |hop: &&OutstandingHop| !hop.due && !hop.is_free();
        self.outstanding.iter().filter(waiting).map(|hop| hop.ack_deadline).min()
    }

    /// A message to send, and to whom.
    pub(super) fn take_hop(&mut self) -> Option<(usize, Message)> {
        let overdue = self.now.after(self.config.answer_timeout_us);
        let hop = self.outstanding.iter_mut().find(|hop| hop.due)?;
        hop.due = false;
        if hop.ack_deadline <= self.now {
            hop.ack_deadline = overdue;
        }
        Some((usize::from(hop.to), hop.message))
    }

    /// An acknowledgement to send, and to whom.
    pub(super) fn take_ack(&mut self) -> Option<(usize, Message)> {
        self.seen_attempts.iter_mut().find_map(SeenAttempt::take_ack)
    }
}
