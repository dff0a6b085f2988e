//! Linearizable reads without writing to the log (Raft thesis, 6.4).

use crate::raft::Raft;
use crate::storage::Storage;
use crate::{ReadError, Role};

/// Names a read, or a group of them: [`Event::Read`](crate::Event::Read) answers every id up to one.
///
/// Ids grow within the life of a machine; reads asked for together share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadId(pub(crate) u64);

impl<S: Storage> Raft<S> {
    /// Asks to read the application's state linearizably. When [`Event::Read`](crate::Event::Read) comes with this id or a
    /// later one, everything committed before this call was applied, and this node was still the leader after it: answer from
    /// the state as it is then. If [`Event::Role`](crate::Event::Role) comes first, ask again, elsewhere.
    ///
    /// All reads asked for until the next message goes out share one round of messages, which any append on its way carries.
    /// It takes no memory, so there is no limit to their number. They wait for the first commit of the term.
    ///
    /// # Errors
    ///
    /// [`ReadError`] on a node that does not lead; nothing was changed.
    pub fn read(&mut self) -> Result<ReadId, ReadError> {
        if self.role != Role::Leader {
            return Err(match self.fatal {
                Some(_) => ReadError::Stopped,
                None => ReadError::NotLeader(self.leader),
            });
        }
        if self.peers.is_empty() {
            self.round = self.round.saturating_add(1);
        } else if self.round_sent {
            self.next_round();
            self.peers.iter_mut().for_each(|peer| peer.heartbeat_due = true);
        }
        if self.reads_wanted <= self.reads_done {
            // none is open: rounds before this one answer nothing
            self.reads_done = self.round.saturating_sub(1);
        }
        self.reads_wanted = self.round;
        self.work.all();
        Ok(ReadId(self.round))
    }

    /// Up to which round reads may be answered now, if that is news.
    ///
    /// A majority has followed this leader after the round began, so no other committed anything before it did (6.4, step 3);
    /// something of the own term is committed, so the commit index is current (step 1); and what was committed when that was
    /// known is applied (step 4). Later commits need not be: under load there always are some.
    pub(crate) fn readable(&mut self) -> Option<ReadId> {
        if self.reads_wanted <= self.reads_done || self.role != Role::Leader {
            return None;
        }
        if self.reads_confirmed.is_none() {
            let heard = self.reached(self.reads_done, self.round, |peer| peer.round)?;
            let through = heard.min(self.reads_wanted);
            if through <= self.reads_done || self.commit < self.term_start {
                return None;
            }
            self.reads_confirmed = Some((through, self.commit));
        }
        let (through, _) = self.reads_confirmed.take_if(|(_, index)| self.applied >= *index)?;
        Some(ReadId(through))
    }
}
