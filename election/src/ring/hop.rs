use core::hash::{Hash, Hasher};

use quorate_core::Instant;

use super::message::Message;
use crate::Epoch;

/// What has passed of one owner's latest attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SeenAttempt {
    pub(super) token: Epoch,
    /// For each slot: the phase that passed, and 1; 0 for none.
    pub(super) phases: [u8; 4],
    /// For each slot: the index of the member to acknowledge to, and 1; 0 for none.
    ack_to: [u8; 4],
}

/// A message that has not been acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutstandingHop {
    pub(super) message: Message,
    /// The next hop, or [`NO_HOP`]: the message has arrived, and its slot is free.
    pub(super) to: u8,
    pub(super) attempt: u8,
    /// To be sent, or sent again.
    pub(super) due: bool,
    /// When the acknowledgement is overdue.
    pub(super) ack_deadline: Instant,
}

const NO_HOP: u8 = u8::MAX;

impl SeenAttempt {
    /// Nothing has passed of this attempt; what is owed for an earlier one stays owed.
    pub(super) const fn begin(&mut self, token: Epoch) {
        (self.token, self.phases) = (token, [0; 4]);
    }

    /// The member at this index is to be sent an acknowledgement.
    pub(super) fn owe_ack(&mut self, slot: u8, index: usize) {
        if let Some(to) = self.ack_to.get_mut(usize::from(slot)) {
            *to = u8::try_from(index.saturating_add(1)).unwrap_or(0);
        }
    }

    /// An acknowledgement that is owed, and to whom.
    pub(super) fn take_ack(&mut self) -> Option<(usize, Message)> {
        for (slot, (to, phase)) in (0..).zip(self.ack_to.iter_mut().zip(self.phases)) {
            if let Some(index) = core::mem::take(to).checked_sub(1) {
                let ack = Message::Ack { token: self.token, slot, phase: phase.saturating_sub(1) };
                return Some((usize::from(index), ack));
            }
        }
        None
    }
}

impl OutstandingHop {
    pub(super) const fn is_free(&self) -> bool {
        self.to == NO_HOP
    }

    pub(super) const fn release(&mut self) {
        (self.to, self.due) = (NO_HOP, false);
    }

    pub(super) fn hash<H: Hasher>(&self, now: Instant, state: &mut H) {
        if self.is_free() {
            return; // what was there tells nothing of what is to come
        }
        (self.message, self.to, self.attempt, self.due).hash(state);
        if !self.due {
            self.ack_deadline.since(now).hash(state);
        }
    }
}
