use quorate_core::{List, NodeId};

use crate::log::{Log, TermLog};
use crate::member::Encoded;
use crate::raft::{LIMIT, Raft, succ};
use crate::storage::Storage;
use crate::{ChangeError, EntryKind, Index, Member, Members, Membership, Proposal, Role};

/// A change of the cluster's members, for [`Raft::change`].
///
/// A voter comes in two steps: [`Add`](Self::Add) makes a learner of it, which is given the log without holding anybody up, and
/// [`Promote`](Self::Promote) gives it a vote when it has caught up (Raft thesis, 4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Change {
    /// A node comes in as a learner: it is given the log, and has no vote.
    Add(NodeId),
    /// A node comes in as a witness that learns; promoted, it votes and counts for the commit, and never stores a command
    /// (Raft thesis, 11.7.2).
    AddWitness(NodeId),
    /// A learner is given a vote.
    Promote(NodeId),
    /// A voter becomes a learner.
    Demote(NodeId),
    /// A node is no member any more.
    Remove(NodeId),
}

impl<S: Storage> Raft<S> {
    /// Changes the members. What differs by one voter is one step (Raft thesis, 4.1); more goes through joint consensus (4.3), which the
    /// leader leaves by itself as soon as that is committed. The members are those of the new entry from its append on; another leader
    /// may replace it as any other entry. See [`Event::Members`](crate::Event::Members).
    ///
    /// A node that is removed is told so by the leader, as long as it answers. One that was cut off asks for votes when its links are back, or
    /// for pre-votes if it is a learner or a witness: then every member that has the change committed tells it
    /// ([`Event::Removed`](crate::Event::Removed)), and it asks no more. A leader that is removed or demoted leads until that is
    /// committed, and then transfers leadership to the member with the most of the log (4.2.2).
    ///
    /// A node that was removed comes back as a new one: with an empty disk, and under a new number. Under its old one it might vote twice in
    /// a term; and an answer from its earlier life that arrives late would make the leader take it for further than it is, and send it what
    /// it cannot place for as long as that leader leads. With its old disk, one that was a witness would lead with a log without commands.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing was changed. After [`LogFull`](ChangeError::LogFull),
    /// [`Event::LogFull`](crate::Event::LogFull) comes as well.
    pub fn change(&mut self, changes: &[Change]) -> Result<Proposal, ChangeError> {
        self.put_changed(changes, false)
    }

    /// Changes the members through joint consensus, in which the cluster stays until [`leave_joint`](Self::leave_joint) is called.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing was changed. After [`LogFull`](ChangeError::LogFull),
    /// [`Event::LogFull`](crate::Event::LogFull) comes as well.
    pub fn change_jointly(&mut self, changes: &[Change]) -> Result<Proposal, ChangeError> {
        self.put_changed(changes, true)
    }

    /// Leaves joint consensus, which must be committed.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing was changed. After [`LogFull`](ChangeError::LogFull),
    /// [`Event::LogFull`](crate::Event::LogFull) comes as well.
    pub fn leave_joint(&mut self) -> Result<Proposal, ChangeError> {
        self.may_change()?;
        if self.voters.old == 0 {
            return Err(ChangeError::NotJoint);
        }
        self.put_left()
    }

    fn put_changed(&mut self, changes: &[Change], hold: bool) -> Result<Proposal, ChangeError> {
        self.may_change()?;
        if self.voters.old != 0 {
            return Err(ChangeError::InProgress);
        }
        let mut next = S::Members::with_limit(self.config.max_members);
        for member in self.members() {
            next.push(member.encode()).map_err(|_| ChangeError::TooMany)?;
        }
        for (at, &change) in changes.iter().enumerate() {
            let node = change.node();
            if changes.iter().take(at).any(|other| other.node() == node) {
                return Err(ChangeError::Already(node));
            }
            self.apply_change(change, &mut next)?;
        }
        let old = |id| self.members().membership(id);
        let differs = |m: &Member| m.membership.votes_next() != old(m.id).votes_next();
        if hold || next.iter().map(Member::decode).filter(differs).count() > 1 {
            for encoded in next.iter_mut() {
                let member = Member::decode(encoded);
                let membership = member.membership.joint(old(member.id), hold);
                *encoded = Member { membership, ..member }.encode();
            }
        }
        self.put_config(&next)
    }

    fn apply_change(&self, change: Change, next: &mut S::Members) -> Result<(), ChangeError> {
        let id = change.node();
        let known = next.iter_mut().find(|encoded| Member::decode(encoded).id == id);
        if let Change::Add(_) | Change::AddWitness(_) = change {
            let membership = match change {
                Change::Add(_) => Membership::LEARNER,
                _ => Membership::witness(),
            };
            return match known {
                Some(_) => Err(ChangeError::Already(id)),
                None => {
                    next.push(Member { id, membership }.encode()).map_err(|_| ChangeError::TooMany)
                }
            };
        }
        let Some(encoded) = known else { return Err(ChangeError::NoSuchNode(id)) };
        let membership = Member::decode(encoded).membership;
        let votes = membership.votes_next();
        let membership = match change {
            Change::Promote(_) if votes => return Err(ChangeError::Already(id)),
            Change::Demote(_) if !votes => return Err(ChangeError::Already(id)),
            Change::Promote(_) => {
                let peer = self.peers.iter().find(|peer| peer.id == id);
                // a leader that was demoted has all there is
                if !peer.is_none_or(|peer| self.caught_up(peer)) {
                    return Err(ChangeError::Behind(id));
                }
                membership.with_vote(true)
            }
            Change::Demote(_) => membership.with_vote(false),
            _ => membership.removed(),
        };
        *encoded = Member { id, membership }.encode();
        Ok(())
    }

    /// Whether the members may be changed now: one change at a time (4.1), and none before something of the own term is committed.
    fn may_change(&self) -> Result<(), ChangeError> {
        if !S::CHANGES {
            return Err(ChangeError::Fixed);
        }
        if self.fatal.is_some() {
            return Err(ChangeError::Stopped);
        }
        if self.role != Role::Leader {
            return Err(ChangeError::NotLeader(self.leader));
        }
        if let Some(handover) = self.handover {
            return Err(ChangeError::Transferring(handover.to));
        }
        if self.commit < self.term_start {
            // or two leaders could change the same configuration without seeing each other (erratum of 2015 to 4.1)
            return Err(ChangeError::TermNotCommitted);
        }
        if self.config_at > self.commit {
            return Err(ChangeError::InProgress);
        }
        Ok(())
    }

    /// Appends the configuration after the joint one.
    pub(crate) fn put_left(&mut self) -> Result<Proposal, ChangeError> {
        let mut next = S::Members::with_limit(self.config.max_members);
        for member in self.members() {
            let membership = member.membership.left();
            next.push(Member { membership, ..member }.encode())
                .map_err(|_| ChangeError::TooMany)?;
        }
        self.put_config(&next)
    }

    /// Appends a configuration, and goes by it at once.
    fn put_config(&mut self, next: &[Encoded]) -> Result<Proposal, ChangeError> {
        let mut kept = S::Members::with_limit(self.config.max_members);
        for member in next.iter().filter(|m| Member::decode(m).membership.is_member()) {
            let _ = kept.push(*member);
        }
        let members = Members::of(&kept);
        if !members.iter().any(|m| m.membership.votes_next() && m.membership.may_lead()) {
            return Err(ChangeError::NoVoter);
        }
        if !self.holds(members) {
            return Err(ChangeError::TooMany);
        }
        let data = members.bytes();
        let last: Index = self.log.last();
        if last >= LIMIT || !self.log.fits(data.len(), crate::raft::SPARE_BLANKS) {
            self.owe_log_full();
            return Err(ChangeError::LogFull);
        }
        self.stir();
        self.log.add(self.term, EntryKind::Config, data).map_err(|_| ChangeError::LogFull)?;
        self.reconfigure();
        Ok(Proposal { term: self.term, index: succ(last) })
    }
}

impl Change {
    /// Whom it is about.
    #[must_use]
    pub const fn node(self) -> NodeId {
        match self {
            Self::Add(node)
            | Self::AddWitness(node)
            | Self::Promote(node)
            | Self::Demote(node)
            | Self::Remove(node) => node,
        }
    }
}
