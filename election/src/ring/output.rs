//! What a node says, made when it is asked: nothing is queued.

use quorate_core::Output;

use super::{Algorithm, Message, Ring};
use crate::counts::one;
use crate::members::take_first;
use crate::storage::Storage;
use crate::{Epoch, Record};

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// The next thing to do; see [`Machine::poll`](quorate_core::Machine::poll). The front of [`Ring`] shows the loop.
    pub fn poll(&mut self) -> Option<Output<'_, Self>> {
        if let Some(ticket) = self.office.take_record() {
            return Some(Output::Persist(ticket, self.office.record()));
        }
        if self.office.durable()
            && let Some((to, message)) = self.take_message()
        {
            return Some(Output::Send(self.members.id(to), message));
        }
        self.office.take_event(&self.members).map(Output::Event)
    }

    /// The fewest records that restore the present state; see [`Machine::checkpoint`](quorate_core::Machine::checkpoint).
    pub fn checkpoint(&self) -> impl Iterator<Item = Record> {
        self.office.checkpoint().into_iter()
    }

    fn take_message(&mut self) -> Option<(usize, Message)> {
        if let Some(ack) = self.take_ack() {
            one(&mut self.counts.ack);
            return Some(ack);
        }
        if let Some((to, message)) = self.take_parcel() {
            let counter = match message {
                Message::Reply { .. } => &mut self.counts.answer,
                Message::Coordinator { .. } => &mut self.counts.coordinator,
                _ => &mut self.counts.election,
            };
            one(counter);
            return Some((to, message));
        }
        let epoch = self.office.epoch;
        if core::mem::take(&mut self.owes_follower) {
            one(&mut self.counts.accept);
            return Some((epoch.owner(), Message::Alive { epoch }));
        }
        let to = take_first(&mut self.owes_alive)?;
        one(&mut self.counts.alive);
        let asks = self.rival > Epoch::ZERO;
        Some((to, if asks { Message::Ask { epoch } } else { Message::Alive { epoch } }))
    }
}
