//! `poll`: what is due, made when polled; nothing is queued.

use quorate_core::Output;

use super::{Bully, Message};
use crate::members::pop_first;
use crate::message_counts::increment;
use crate::storage::Storage;

impl<S: Storage> Bully<S> {
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
        let (epoch, claimed_epoch) = (self.leadership.epoch, self.claimed_epoch());
        let (due, counts) = (&mut self.due, &mut self.counts);
        let (counter, to, message);
        if let Some(index) = pop_first(&mut due.answer) {
            (counter, to, message) = (&mut counts.answer, index, Message::Answer { epoch });
        } else if let Some(index) = pop_first(&mut due.election) {
            (counter, to, message) = (&mut counts.election, index, Message::Election { epoch });
        } else if let Some(index) = pop_first(&mut due.coordinator) {
            (counter, to, message) =
                (&mut counts.coordinator, index, Message::Coordinator { epoch: claimed_epoch });
        } else if let Some(index) = pop_first(&mut due.accept) {
            let round = self.leader_round;
            (counter, to, message) = (&mut counts.accept, index, Message::Accept { epoch, round });
        } else if let Some(index) = pop_first(&mut due.alive) {
            let round = self.round;
            (counter, to, message) = (&mut counts.alive, index, Message::Alive { epoch, round });
        } else {
            to = pop_first(&mut due.stale)?;
            (counter, message) = (&mut counts.stale, Message::Stale { epoch: claimed_epoch });
        }
        increment(counter);
        Some((to, message))
    }
}
