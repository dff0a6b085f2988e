//! What a node says, made when it is asked: nothing is queued.

use quorate_core::Output;

use super::{Bully, Message};
use crate::Record;
use crate::counts::one;
use crate::members::take_first;
use crate::storage::Storage;

impl<S: Storage> Bully<S> {
    /// The next thing to do; see [`Machine::poll`](quorate_core::Machine::poll). The front of [`Bully`] shows the loop.
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

    /// The fewest records that restore the present state; see [`Machine::checkpoint`](quorate_core::Machine::checkpoint). A node that
    /// recovers has none.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_election::{Bully, Config, Epoch, Inline, Record};
    /// let ids = [1, 2].map(NodeId::new);
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// let record = Record { epoch: Epoch::from_token(33) };
    /// node.restore(record)?;
    /// assert!(node.checkpoint().eq([record]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkpoint(&self) -> impl Iterator<Item = Record> {
        self.office.checkpoint().into_iter()
    }

    fn take_message(&mut self) -> Option<(usize, Message)> {
        let (epoch, offer) = (self.office.epoch, self.offer());
        let (owes, counts) = (&mut self.owes, &mut self.counts);
        let (counter, to, message);
        if let Some(place) = take_first(&mut owes.answer) {
            (counter, to, message) = (&mut counts.answer, place, Message::Answer { epoch });
        } else if let Some(place) = take_first(&mut owes.election) {
            (counter, to, message) = (&mut counts.election, place, Message::Election { epoch });
        } else if let Some(place) = take_first(&mut owes.coordinator) {
            (counter, to, message) =
                (&mut counts.coordinator, place, Message::Coordinator { epoch: offer });
        } else if let Some(place) = take_first(&mut owes.accept) {
            let round = self.heard_round;
            (counter, to, message) = (&mut counts.accept, place, Message::Accept { epoch, round });
        } else if let Some(place) = take_first(&mut owes.alive) {
            let round = self.round;
            (counter, to, message) = (&mut counts.alive, place, Message::Alive { epoch, round });
        } else {
            to = take_first(&mut owes.stale)?;
            (counter, message) = (&mut counts.stale, Message::Stale { epoch: offer });
        }
        one(counter);
        Some((to, message))
    }
}
