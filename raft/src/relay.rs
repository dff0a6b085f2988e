//! Reads through followers and learners (Raft thesis, 6.4): whoever has the state asks the leader from which index on it may be read.

use quorate_core::{Instant, NodeId, Phase, Rejected};

use crate::beyond::Beyond;
use crate::extras::{Asked, Errand, Extra, is_late};
use crate::lease::Lease;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, ReadError, ReadId, Replication, Role, Term};

impl<S: Storage> Raft<S> {
    /// Registers a read with a node that does not lead.
    #[cold]
    pub(crate) fn read_elsewhere(&mut self) -> Result<ReadId, ReadError> {
        if self.fatal.is_some() {
            return Err(ReadError::Stopped);
        }
        if self.extra.get().is_none() {
            return Err(ReadError::NotLeader(self.leader));
        }
        if self.membership.is_witness() {
            return Err(ReadError::Witness);
        }
        let follows = self.role == Role::Follower && self.leader.is_some();
        if !follows || !self.membership.is_member() {
            return Err(ReadError::NotLeader(self.leader));
        }
        self.next_round();
        let id = self.want_read();
        self.ask_leader();
        Ok(id)
    }

    /// Asks the leader about the reads that wait, unless it was asked already, or has answered, and that is not applied yet: a later
    /// answer must not put off what an earlier one allows.
    #[cold]
    pub(crate) fn ask_leader(&mut self) {
        if self.extra.get().is_none() {
            return;
        }
        let waits = self.reads_wanted > self.reads_done && self.reads_confirmed.is_none();
        if self.role != Role::Follower || !waits {
            return;
        }
        if let Some(extras) = self.extra.get_mut()
            && extras.asked.id == 0
        {
            extras.asked.due = true;
            self.work.extras();
        }
    }

    /// Time has passed: the question or its answer may be lost.
    pub(crate) fn ask_leader_again(&mut self) {
        if self.now >= self.ask_at()
            && let Some(extras) = self.extra.get_mut()
        {
            extras.asked.due = true;
            self.work.extras();
        }
    }

    /// When the leader is to be asked again.
    pub(crate) fn ask_at(&self) -> Instant {
        match self.extra.get() {
            Some(extras) if extras.asked.id != 0 => extras.asked.again_at,
            _ => Instant::MAX,
        }
    }

    /// When anything that the leader owes is to be asked for again.
    pub(crate) fn asks_at(&self) -> Instant {
        self.ask_at().min(self.renew_at()).min(self.forward_at())
    }

    /// What was asked of a leader, and by followers of this node, is void.
    #[cold]
    pub(crate) fn lose_questions(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            extras.asked = Asked::default();
            extras.asked_here = false;
            // the next read has another number than any before
            self.round_sent = true;
            extras.lease = Lease::default();
        }
        self.end_forward();
        self.forget_rest();
        self.extra.forget_errands();
    }

    /// What a follower asks of its leader, and what a leader owes those that asked.
    #[cold]
    pub(crate) fn plan_extra(&mut self) -> Option<(NodeId, Beyond)> {
        self.extra.get()?;
        match self.role {
            Role::Follower => {
                let leader = self.leader?;
                if self.plan_promise() {
                    return Some((leader, Beyond::Promise));
                }
                if self.plan_renewal() {
                    return Some((leader, Beyond::Renew));
                }
                let draft = self.plan_question().or_else(|| self.plan_forward())?;
                Some((leader, draft))
            }
            Role::Leader => {
                for at in 0..self.peers.len() {
                    let to = self.peers.get(at)?.id;
                    if let Some(draft) = self.plan_answer(at).or_else(|| self.plan_taken(at)) {
                        return Some((to, draft));
                    }
                }
                None
            }
            _ => None,
        }
    }

    fn plan_question(&mut self) -> Option<Beyond> {
        let extras = self.extra.get_mut()?;
        if !core::mem::take(&mut extras.asked.due) {
            return None;
        }
        extras.asked.again_at = self.now.after(self.config.heartbeat_us);
        if extras.asked.id == 0 {
            extras.asked.through = self.reads_wanted;
            extras.asked.id = extras.number(&mut self.rng, self.now, self.reads_wanted);
            // whoever asks from now on does so after the question was sent
            self.round_sent = true;
        }
        Some(Beyond::ReadIndex { id: extras.asked.id })
    }

    /// A follower asks.
    #[cold]
    pub(crate) fn on_read_index(
        &mut self,
        from: usize,
        term: Term,
        id: u64,
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if term == 0 || id == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || id >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if term != self.term || self.role != Role::Leader {
            return Ok(());
        }
        // who asks does not rest, and so does not answer who wants it to
        self.stir();
        let round = self.round.saturating_add(u64::from(self.round_sent));
        let Some(peer) = self.peers.get(from).map(|peer| peer.id) else { return Ok(()) };
        let Some(errand) = self.errand(peer) else { return Ok(()) };
        if is_late(id, errand.read) {
            // it waits already
            return Ok(());
        }
        (errand.read, errand.round) = (id, round);
        if let Some(extras) = self.extra.get_mut() {
            extras.asked_here = true;
        }
        if !self.confirmed(from) {
            self.next_round();
            self.peers.iter_mut().for_each(|peer| peer.heartbeat_due = true);
        }
        self.work.all();
        Ok(())
    }

    /// The place for what a peer asks.
    pub(crate) fn errand(&mut self, of: NodeId) -> Option<&mut Errand> {
        let peers = &self.peers;
        self.extra.errand(of, |id| peers.iter().any(|peer| peer.id == id))
    }

    /// Whether what a follower asked may be answered: something of the own term is committed (6.4, step 1), and a majority has followed
    /// this leader after the read was asked for (step 3).
    ///
    /// The asking node counts as one of them, without a round: when it asked, it was in this term and followed this leader, and
    /// that was after the read. So no other leader can have committed anything before the read with its vote.
    fn confirmed(&mut self, from: usize) -> bool {
        let Some(peer) = self.peers.get(from).map(|peer| peer.id) else { return false };
        let Some(errand) = self.extra.errands().iter().find(|errand| errand.is_of(peer)) else {
            return false;
        };
        let round = errand.round;
        if errand.read == 0 || self.commit < self.term_start {
            return false;
        }
        let Some(asking) = self.peers.get_mut(from) else { return false };
        if asking.replication == Replication::Halted {
            // it may have forgotten that it follows another leader
            return false;
        }
        let heard = asking.round;
        asking.round = heard.max(round);
        let reached = self.reached(Phase::One, round.saturating_sub(1), round, |peer| peer.round);
        if let Some(asking) = self.peers.get_mut(from) {
            asking.round = heard;
        }
        reached.is_some()
    }

    /// What a leader owes a peer that asked something of it.
    fn plan_answer(&mut self, at: usize) -> Option<Beyond> {
        if !self.confirmed(at) {
            return None;
        }
        let peer = self.peers.get(at)?.id;
        let errand = self.extra.errands_mut().iter_mut().find(|errand| errand.is_of(peer))?;
        let id = core::mem::take(&mut errand.read);
        let more = self.extra.errands().iter().any(|errand| errand.read != 0);
        if let Some(extras) = self.extra.get_mut() {
            extras.asked_here = more;
        }
        Some(Beyond::ReadAt { id })
    }

    /// A round was answered, or the commit moved: reads may wait for that, here or at followers.
    #[inline]
    pub(crate) fn look_at_reads(&mut self) {
        if self.reads_wanted > self.reads_done {
            self.work.events();
        }
        if self.extra.get().is_some_and(|extras| extras.asked_here) {
            self.work.extras();
        }
    }

    /// The leader answers.
    #[cold]
    pub(crate) fn on_read_at(
        &mut self,
        from: usize,
        term: Term,
        id: u64,
        index: Index,
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if term == 0 || id == 0 {
            return Err(Rejected::Malformed);
        }
        if !self.plausible(term) || index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        let sender = self.peers.get(from).map(|peer| peer.id);
        if term != self.term || self.role != Role::Follower || self.leader != sender {
            return Ok(());
        }
        let Some(extras) = self.extra.get_mut() else { return Ok(()) };
        if extras.asked.id != id {
            return Ok(());
        }
        self.reads_confirmed = Some((extras.asked.through, index));
        extras.asked = Asked::default();
        // the leader has that committed, and this node knows the leader's log up to where it is verified
        self.commit = self.commit.max(index.min(self.verified));
        self.work.events();
        Ok(())
    }
}
