//! Handing the lead to another node (Raft thesis, 3.10).

use quorate_core::{Instant, NodeId, Rejected};

use crate::log::Log;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, Role, Term, TransferError};

/// A handover that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Handover {
    pub(crate) to: NodeId,
    /// The leader takes its place again then.
    pub(crate) until: Instant,
}

impl<S: Storage> Raft<S> {
    /// Hands the lead to `to`: sends it what it lacks, then asks it to start an election at once, which nobody refuses for the sake
    /// of the present leader. Meanwhile proposals are refused, so that the log stands still; reads are answered as ever.
    ///
    /// It is given up after the longest election timeout, and with [`abort_transfer`](Self::abort_transfer); then this node leads on. That it
    /// came about shows in [`Event::Following`](crate::Event::Following), and what is under way in [`Status::transfer`](crate::Status::transfer).
    ///
    /// # Errors
    ///
    /// [`TransferError`]; nothing was changed.
    pub fn transfer(&mut self, to: NodeId) -> Result<(), TransferError> {
        if self.fatal.is_some() {
            return Err(TransferError::Stopped);
        }
        if self.role != Role::Leader {
            return Err(TransferError::NotLeader(self.leader));
        }
        if let Some(handover) = self.handover {
            return Err(TransferError::InProgress(handover.to));
        }
        if to == self.id {
            return Err(TransferError::AlreadyLeader);
        }
        let Some(at) = self.peers.iter().position(|peer| peer.id == to) else {
            return Err(TransferError::NoSuchNode);
        };
        if !self.peers.get(at).is_some_and(|peer| peer.membership.may_lead()) {
            return Err(TransferError::CannotLead);
        }
        self.stir();
        let until = self.now.after(self.config.election_max_us);
        self.handover = Some(Handover { to, until });
        self.hand_over_to(at);
        Ok(())
    }

    /// Gives up a handover, so that proposals are taken again. The other node may have been asked already, and win all the same.
    pub fn abort_transfer(&mut self) {
        self.handover = None;
        // it may not have been sent yet
        self.peers.iter_mut().for_each(|peer| peer.time_out_due = false);
    }

    /// Asks the peer to start an election, if the lead is to be its and it has the whole log.
    pub(crate) fn hand_over_to(&mut self, at: usize) {
        let Some(handover) = self.handover else { return };
        let last = self.log.last();
        if let Some(peer) = self.peers.get_mut(at)
            && peer.id == handover.to
            && peer.match_index == last
        {
            peer.time_out_due = true;
            self.work.peer(at);
        }
    }

    /// A heartbeat is due: asks again, for the message may be lost, or gives up.
    pub(crate) fn hand_over(&mut self) {
        let Some(handover) = self.handover else { return };
        if self.now >= handover.until {
            self.abort_transfer();
            if S::CHANGES && !self.membership.is_voter() {
                // no member any more: the others elect one of theirs
                self.follow(self.term, None);
            }
        } else if let Some(at) = self.peers.iter().position(|peer| peer.id == handover.to) {
            self.hand_over_to(at);
        }
    }

    /// The leader wants this node to lead.
    pub(crate) fn on_time_out(&mut self, from: usize, term: Term) -> Result<(), Rejected> {
        if term == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) {
            return Err(Rejected::OutOfRange);
        }
        let sender = self.peers.get(from).map(|peer| peer.id);
        // one of an earlier term, or from a leader this node has not heard of, is late or lost its way
        // and a node whose state is damaged leaves it to others
        if term == self.term
            && self.role == Role::Follower
            && self.leader == sender
            && !self.awaits_snapshot()
        {
            self.take_over();
        }
        Ok(())
    }

    /// Answers a candidate whom the leader itself asked to take over: nobody protects the present leader then (4.2.3).
    pub(crate) fn on_take_over(
        &mut self,
        from: usize,
        term: Term,
        candidate_log: (Term, Index),
    ) -> Result<(), Rejected> {
        // Only a node that may lead is asked to take over; from any other, and from one that this node does not know yet, an
        // ordinary request comes in time.
        if S::CHANGES && !self.peers.get(from).is_some_and(|peer| peer.membership.may_lead()) {
            return Err(Rejected::UnknownSender);
        }
        let (last_term, last_index) = candidate_log;
        if term == 0 || last_term >= term || (last_index == 0) != (last_term == 0) {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || last_index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        self.judge(from, term, candidate_log);
        Ok(())
    }
}
