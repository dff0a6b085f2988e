//! `poll`: what is due, made when polled; nothing is queued.

use quorate_core::Output;

use super::{Algorithm, Message, Ring};
use crate::Epoch;
use crate::members::pop_first;
use crate::message_counts::increment;
use crate::storage::Storage;

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// What [`Machine::poll`](quorate_core::Machine::poll) returns. The front of the type shows the loop.
    pub(crate) fn next_output(&mut self) -> Option<Output<'_, Self>> {
        if let Some(ticket) = self.leadership.take_record() {
            return Some(Output::Persist(ticket, self.leadership.record()));
        }
        if self.leadership.is_durable()
            && let Some((to, message)) = self.take_message()
        {
            return Some(Output::Send(self.members.id(to), message));
        }
        self.leadership.take_event(&self.members).map(Output::Event)
    }

    fn take_message(&mut self) -> Option<(usize, Message)> {
        if let Some(ack) = self.take_ack() {
            increment(&mut self.counts.ack);
            return Some(ack);
        }
        if let Some((to, message)) = self.take_hop() {
            let counter = match message {
                Message::Reply { .. } => &mut self.counts.answer,
                Message::Coordinator { .. } => &mut self.counts.coordinator,
                _ => &mut self.counts.election,
            };
            increment(counter);
            return Some((to, message));
        }
        let epoch = self.leadership.epoch;
        if core::mem::take(&mut self.follow_due) {
            increment(&mut self.counts.accept);
            return Some((epoch.owner(), Message::Alive { epoch }));
        }
        let to = pop_first(&mut self.alive_due)?;
        increment(&mut self.counts.alive);
        let asks = self.rival > Epoch::ZERO;
        Some((
            to,
            if asks { Message::ConfirmLeadership { epoch } } else { Message::Alive { epoch } },
        ))
    }
}
