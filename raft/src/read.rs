//! Linearizable reads without writing to the log (Raft thesis, 6.4).

use quorate_core::Phase;

use crate::raft::{Raft, succ};
use crate::storage::Storage;
use crate::{ReadError, Role};

/// Names a read, or a group of them: [`Event::Read`](crate::Event::Read) answers every id up to one.
///
/// Ids grow within the life of a machine; reads asked for together share one. A machine with [`Fixed`](crate::Fixed) storage may give the id of a
/// read that was lost with its role, before any message of it went out, once more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadId(pub(crate) u64);

impl<S: Storage> Raft<S> {
    /// Asks to read the application's state linearizably. When [`Event::Read`](crate::Event::Read) comes with this id or a
    /// later one, everything committed before this call was applied, and whoever led then still led after it: answer from
    /// the state as it is then. If another leader or term comes first
    /// ([`Event::Following`](crate::Event::Following) and those beside it), the read is dropped: request it again, elsewhere.
    ///
    /// All reads asked for until the next message goes out share one round of messages, which any append on its way carries.
    /// It takes no memory, so there is no limit to their number. They wait for the first commit of the term.
    ///
    /// A follower or learner asks its leader, one question at a time for all reads that wait by then, and asks again when no answer comes.
    /// That takes two messages where the leader and the asking node are a majority, and a round besides where they are not. A leader
    /// whose storage is [`Fixed`](crate::Fixed) does not answer, and a follower of that storage does not ask.
    ///
    /// What this costs is not needed for a stale read: the application may always answer from what it has applied. Such an answer
    /// may be older than one that was given before, and nothing limits its age.
    ///
    /// # Errors
    ///
    /// [`ReadError`] where no leader can be asked; nothing was changed.
    pub fn read(&mut self) -> Result<ReadId, ReadError> {
        self.stir();
        if self.role != Role::Leader {
            return self.read_elsewhere();
        }
        if self.peers.is_empty() {
            self.round = succ(self.round);
        } else {
            // a round that has begun may have nothing of its own to be sent
            self.next_round();
            self.peers.iter_mut().for_each(|peer| peer.heartbeat_due = true);
        }
        self.work.all();
        Ok(self.want_read())
    }

    /// A read of the present round.
    pub(crate) fn want_read(&mut self) -> ReadId {
        if self.reads_wanted <= self.reads_done {
            // none is open: rounds before this one answer nothing
            self.reads_done = self.round.saturating_sub(1);
        }
        self.reads_wanted = self.round;
        ReadId(self.round)
    }

    /// What was asked for in another term, of another leader or in another role is lost.
    pub(crate) fn lose_reads(&mut self) {
        self.reads_wanted = 0;
        self.reads_done = self.round;
        self.reads_confirmed = None;
        self.lose_questions();
    }

    /// Up to which round reads may be answered now, if that is news.
    ///
    /// A majority has followed this leader after the round began, so no other committed anything before it did (6.4, step 3);
    /// something of the own term is committed, so the commit index is current (step 1); and what was committed when that was
    /// known is applied (step 4). Later commits need not be: under load there always are some.
    pub(crate) fn readable(&mut self) -> Option<ReadId> {
        if self.reads_wanted <= self.reads_done {
            return None;
        }
        if self.reads_confirmed.is_none() {
            if self.role != Role::Leader {
                // the leader was asked
                return None;
            }
            let heard = self.reached(Phase::One, self.reads_done, self.round, |peer| peer.round)?;
            let through = heard.min(self.reads_wanted);
            if through <= self.reads_done || self.commit < self.term_start {
                return None;
            }
            self.reads_confirmed = Some((through, self.commit));
        }
        if self.awaits_snapshot() {
            return None;
        }
        let (through, _) = self.reads_confirmed.take_if(|(_, index)| self.applied >= *index)?;
        Some(ReadId(through))
    }
}
