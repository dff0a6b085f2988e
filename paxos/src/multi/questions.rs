//! What acceptors are asked before a read is answered.

use quorate_core::{Phase, Rejected};

use super::peer::{Due, Peer};
use super::{LIMIT, MultiPaxos, Role, Slot, Storage};
use crate::{Ballot, Roles};

impl<S: Storage> MultiPaxos<S> {
    /// Asks for all reads that wait.
    pub(super) fn ask(&mut self) {
        let (ballot, index) = match self.role {
            // a new leader may not know yet that what it found was chosen
            Role::Leader => (self.election.promised(), self.slots.commit().max(self.takeover)),
            _ if self.votes() => (Ballot::ZERO, self.slots.last()),
            _ => (Ballot::ZERO, self.slots.commit()),
        };
        self.reads.ask(ballot, index, self.now);
        self.work.all();
        let me = self.group.me();
        for (index, peer) in self.peers.iter_mut().enumerate() {
            let votes = index != me && self.group.has_role(index, Roles::ACCEPTOR);
            peer.owed.set(Due::Query, votes);
        }
        self.conclude_question();
    }

    fn conclude_question(&mut self) {
        let Some(question) = self.reads.question else { return };
        let has_answered = |peer: &Peer| peer.answered.0 == question.number;
        let is_answered = if question.ballot.is_zero() {
            self.is_quorum(Phase::One, |_, peer| has_answered(peer))
        } else {
            let agrees = |peer: &Peer| peer.answered.1 <= question.ballot;
            self.is_quorum(Phase::Two, |_, peer| has_answered(peer) && agrees(peer))
        };
        if is_answered {
            self.reads.confirm();
            self.work.all();
        }
    }

    pub(super) fn on_query(&mut self, index: usize, number: u64) -> Result<(), Rejected> {
        if !self.group.has_role(self.group.me(), Roles::ACCEPTOR) {
            return Err(Rejected::Impossible);
        }
        if number >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if self.founded
            && let Some(peer) = self.peers.get_mut(index)
        {
            peer.owed.answer = number;
            peer.owed.owe(Due::Answer);
            if self.role == Role::Leader {
                self.answer_reader(index);
            }
        }
        Ok(())
    }

    /// Another node will wait until all that is voted for now is chosen, and known there to be: it should not wait for a heartbeat.
    fn answer_reader(&mut self, index: usize) {
        let (commit, last) = (self.slots.commit(), self.slots.last());
        let Some(peer) = self.peers.get_mut(index) else { return };
        if last > commit {
            self.reads.others_await = last;
            peer.awaits = last;
        } else if peer.link.commit < commit {
            peer.owed.owe(Due::Heartbeat);
        }
    }

    /// Tells those who wait for it how far the log is chosen now.
    #[cold]
    pub(super) fn tell_readers(&mut self) {
        let commit = self.slots.commit();
        let mut others_await = 0;
        for (index, peer) in self.peers.iter_mut().enumerate() {
            if peer.awaits > commit {
                others_await = peer.awaits.max(others_await);
            } else if core::mem::take(&mut peer.awaits) > 0 {
                peer.owed.owe(Due::Heartbeat);
                self.work.member(index);
            }
        }
        self.reads.others_await = others_await;
    }

    pub(super) fn on_answer(
        &mut self,
        index: usize,
        number: u64,
        promised: Ballot,
        last: Slot,
    ) -> Result<(), Rejected> {
        let listens = self.listens_to(index)?;
        if last >= LIMIT || number >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        self.check_ballot(promised)?;
        self.election.see(promised);
        let question = self.reads.question.as_mut().filter(|_| listens);
        let Some(question) = question.filter(|asked| asked.number == number) else {
            return Ok(());
        };
        if question.ballot.is_zero() {
            question.index = question.index.max(last);
        }
        if let Some(peer) = self.peers.get_mut(index) {
            peer.answered = (number, promised);
        }
        if self.role == Role::Leader && promised > self.election.promised() {
            self.resign();
            self.consider();
        }
        self.conclude_question();
        Ok(())
    }
}
