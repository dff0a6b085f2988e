//! The lead goes to another node on purpose. The papers do not have it; it is Raft's (Ongaro's thesis, 2014, section 3.10) with a ballot in the
//! place of a term: the leader lets its successor catch up, and then asks it to begin a ballot of its own at once. Phase 1 is what it is
//! for any candidate, so nothing that goes wrong here can harm the log.

use quorate_core::{NodeId, Phase, Rejected};

use super::handover::Handover;
use super::peer::Due;
use super::{MultiPaxos, Role, Storage, TransferError};
use crate::{Ballot, Roles};

impl<S: Storage> MultiPaxos<S> {
    /// Hands the lead to an acceptor: sends it what it lacks, then asks it to become a candidate at once, without waiting until the present
    /// leader is lost. It does so if it reaches a quorum. Meanwhile this node takes no proposals
    /// ([`Transferring`](super::ProposeError::Transferring)), and what was proposed before is decided all the same.
    ///
    /// That it came about shows in [`Event::Following`](super::Event::Following), that it is under way in
    /// [`Status::transfer`](super::Status::transfer). After an election timeout it is given up, and this node leads on.
    ///
    /// # Errors
    ///
    /// [`TransferError`] tells why it was not begun; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, TransferError}};
    /// # type Node = MultiPaxos<Inline<3, 1024, 16, 64>>;
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let mut node = Node::new(NodeId::new(1), members, Quorums::majority(3), Config::lan(), 42)?;
    /// assert_eq!(node.transfer(NodeId::new(2)), Err(TransferError::NotLeader(None)));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn transfer(&mut self, to: NodeId) -> Result<(), TransferError> {
        if self.fatal.is_some() {
            return Err(TransferError::Stopped);
        }
        if self.role != Role::Leader {
            return Err(TransferError::NotLeader(self.leader_id()));
        }
        if let Some(handover) = self.handover {
            return Err(TransferError::InProgress(handover.to));
        }
        if S::CHANGES && self.reconfiguration.is_ending {
            return Err(TransferError::Reconfiguring);
        }
        let index = self.group.index_of(to).filter(|&index| !self.group.has_no_role(index));
        let index = index.ok_or(TransferError::NoSuchNode)?;
        if index == self.group.me() {
            return Err(TransferError::AlreadyLeader);
        }
        if !self.group.has_role(index, Roles::ACCEPTOR) {
            return Err(TransferError::CannotLead);
        }
        let until = self.now.after(self.config.election_us);
        self.handover = Some(Handover { to, until });
        self.hand_over(index);
        Ok(())
    }

    /// Leads no more, and is no candidate for an election timeout: as when this node is about to be stopped, or its disk takes no more. Better
    /// is to [hand the lead over](Self::transfer). A node that does not lead does nothing.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, Role}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// node.found();
    /// node.tick(Instant::ZERO); // a cluster of one is led as soon as its disk is done
    /// node.step_down();
    /// assert_ne!(node.status().role, Role::Leader);
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn step_down(&mut self) {
        if self.role != Role::Leader || self.fatal.is_some() {
            return;
        }
        self.resign();
        self.be_patient();
        let me = self.group.me();
        for (index, peer) in self.peers.iter_mut().enumerate() {
            // the others need not find out by themselves
            peer.owed.set(Due::Heartbeat, index != me);
        }
        self.work.all();
    }

    /// Asks a member to lead, if the lead is to be its and it has voted for all there is.
    #[cold]
    pub(super) fn hand_over(&mut self, index: usize) {
        let Some(handover) = self.handover else { return };
        let last = self.slots.last();
        if self.group.id(index) == handover.to
            && let Some(peer) = self.peers.get_mut(index)
            && peer.flow.matched.max(peer.link.commit) >= last
        {
            peer.owed.owe(Due::Stand);
            self.work.member(index);
        }
    }

    /// Once in a heartbeat interval: asks again, as what was said may be lost, or gives up.
    pub(super) fn hand_over_again(&mut self) {
        let Some(handover) = self.handover else { return };
        if self.now >= handover.until {
            self.handover = None;
        } else if let Some(index) = self.group.index_of(handover.to) {
            self.hand_over(index);
        }
    }

    /// The leader wants this node to lead.
    #[cold]
    pub(super) fn on_stand(&mut self, index: usize, ballot: Ballot) -> Result<(), Rejected> {
        if !self.group.has_role(self.group.me(), Roles::ACCEPTOR) {
            return Err(Rejected::Impossible);
        }
        self.check_own_ballot(index, ballot)?;
        if !self.founded {
            return Ok(());
        }
        if ballot < self.election.promised() {
            self.owe_preempted(index, ballot);
            return Ok(());
        }
        let follows =
            self.role == Role::Follower && self.election.leader() == Some((index, ballot));
        let (now, timeout) = (self.now, self.config.election_us);
        let number = self.reconfiguration.number;
        let alive = |_: usize, peer: &super::peer::Peer| peer.link.is_alive(now, timeout, number);
        // from one that it has not heard of as a leader, it is late or lost its way
        if follows && self.is_quorum(Phase::One, alive) && self.is_quorum(Phase::Two, alive) {
            self.stand();
        }
        Ok(())
    }
}
