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

    /// The fewest records that restore the present state; see [`Machine::checkpoint`](quorate_core::Machine::checkpoint).
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
        core::iter::once(self.office.record())
    }

    fn take_message(&mut self) -> Option<(usize, Message)> {
        let epoch = self.office.epoch;
        let (owes, counts) = (&mut self.owes, &mut self.counts);
        let accept = Message::Accept { epoch, round: self.heard_round };
        let alive = Message::Alive { epoch, round: self.round };
        let kinds = [
            (&mut owes.answer, &mut counts.answer, Message::Answer { epoch }),
            (&mut owes.election, &mut counts.election, Message::Election { epoch }),
            (&mut owes.coordinator, &mut counts.coordinator, Message::Coordinator { epoch }),
            (&mut owes.accept, &mut counts.accept, accept),
            (&mut owes.alive, &mut counts.alive, alive),
            (&mut owes.stale, &mut counts.stale, Message::Stale { epoch }),
        ];
        for (owed, counter, message) in kinds {
            if let Some(to) = take_first(owed) {
                one(counter);
                return Some((to, message));
            }
        }
        None
    }
}
