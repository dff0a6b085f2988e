//! Linearizable reads without writing to the log (Raft thesis, 6.4).

use quorate_core::Phase;

use crate::raft::{Raft, succ};
use crate::storage::Storage;
use crate::{ReadError, ReadId, Role};

impl<S: Storage> Raft<S> {
    /// Registers a read: [`ReplicatedLog::read`](quorate_log::ReplicatedLog::read).
    pub(crate) fn register_read(&mut self) -> Result<ReadId, ReadError> {
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
        ReadId::new(self.round)
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
        Some(ReadId::new(through))
    }
}
