use quorate_core::{List, NodeId, Phase, Quorums, Rng, Tally, Votes, Wire as _};

use crate::ConfigError;
use crate::storage::Lists;

/// What a member does (Lamport, "Paxos Made Simple", 2001, section 2.1: "we let the three roles be performed by three classes of
/// agents").
///
/// A node has all roles ([`Synod`](crate::synod::Synod)), or one; a proposer may be listed as a learner, too, and learns in any case.
///
/// ```
/// use quorate_paxos::Roles;
/// let roles = Roles::PROPOSER.and(Roles::LEARNER);
/// assert!(roles.contains(Roles::LEARNER) && !roles.contains(Roles::ACCEPTOR));
/// assert_eq!(roles.and(Roles::ACCEPTOR), Roles::ALL);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Roles(u8);

impl Roles {
    /// Proposes values, in ballots of its own.
    pub const PROPOSER: Self = Self(1);
    /// Votes.
    pub const ACCEPTOR: Self = Self(2);
    /// Learns which value was chosen.
    pub const LEARNER: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// None: the node is a member no more, or not yet.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// These roles and others.
    ///
    /// ```
    /// use quorate_paxos::Roles;
    /// assert_eq!(Roles::PROPOSER.and(Roles::PROPOSER), Roles::PROPOSER);
    /// ```
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `roles` are among these.
    ///
    /// ```
    /// use quorate_paxos::Roles;
    /// assert!(Roles::ALL.contains(Roles::ACCEPTOR));
    /// ```
    #[must_use]
    pub const fn contains(self, roles: Self) -> bool {
        self.0 & roles.0 == roles.0
    }
}

/// A node of an instance, what it does, and how many votes it has as an acceptor. All nodes are given the same members, in any order.
///
/// ```
/// use quorate_core::{NodeId, Votes};
/// use quorate_paxos::{Member, Roles};
/// let member = Member::new(NodeId::new(1));
/// assert_eq!((member.roles, member.votes), (Roles::ALL, Votes::ONE));
/// let observer = Member::new(NodeId::new(4)).with_roles(Roles::LEARNER);
/// assert!(!observer.roles.contains(Roles::ACCEPTOR));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Member {
    /// Which node.
    pub id: NodeId,
    /// What it does.
    pub roles: Roles,
    /// Its votes, if it is an acceptor.
    pub votes: Votes,
}

impl Member {
    /// A node with all roles and one vote.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::{Member, Roles};
    /// assert!(Member::new(NodeId::new(1)).roles.contains(Roles::PROPOSER));
    /// ```
    #[must_use]
    pub const fn new(id: NodeId) -> Self {
        Self { id, roles: Roles::ALL, votes: Votes::ONE }
    }

    /// The same node with these roles alone.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::{Member, Roles};
    /// let acceptor = Member::new(NodeId::new(1)).with_roles(Roles::ACCEPTOR);
    /// assert_eq!(acceptor.roles, Roles::ACCEPTOR);
    /// ```
    #[must_use]
    pub const fn with_roles(self, roles: Roles) -> Self {
        Self { roles, ..self }
    }

    /// The same node with so many votes.
    ///
    /// ```
    /// use quorate_core::{NodeId, Votes};
    /// use quorate_paxos::Member;
    /// let strong = Member::new(NodeId::new(1)).with_votes(Votes::new(2));
    /// assert_eq!(strong.votes, Votes::new(2));
    /// ```
    #[must_use]
    pub const fn with_votes(self, votes: Votes) -> Self {
        Self { votes, ..self }
    }
}

/// The members of an instance and their quorums.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Group<S: Lists> {
    members: S::Members<Member>,
    quorums: Quorums,
    /// The place of this node.
    me: usize,
}

impl<S: Lists> Group<S> {
    pub(crate) fn new(
        id: NodeId,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
        (roles, limit): (Roles, usize),
    ) -> Result<Self, ConfigError> {
        let group = Self::any(id, members, quorums, limit)?;
        let learns = roles.contains(Roles::PROPOSER) && !roles.contains(Roles::ACCEPTOR);
        let has = group.members.get(group.me).map(|member| member.roles);
        // a proposer learns, whether it is listed as a learner or not
        if has != Some(roles) && !(learns && has == Some(roles.and(Roles::LEARNER))) {
            return Err(ConfigError::Roles);
        }
        Ok(group)
    }

    /// This node may have any role.
    pub(crate) fn any(
        id: NodeId,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
        limit: usize,
    ) -> Result<Self, ConfigError> {
        let mut list = S::Members::with_limit(limit);
        for member in members {
            if list.iter().any(|other: &Member| other.id == member.id) {
                return Err(ConfigError::DuplicateMember(member.id));
            }
            list.push(member).map_err(|_| ConfigError::TooManyMembers)?;
            // in the order of the ids: the places in a grid do not depend on that of the list
            let mut at = list.len().saturating_sub(1);
            while let Some([before, last]) = list.get_mut(at.saturating_sub(1)..=at)
                && before.id > last.id
            {
                core::mem::swap(before, last);
                at = at.saturating_sub(1);
            }
        }
        let me = list.iter().position(|member| member.id == id).ok_or(ConfigError::NotAMember)?;
        let group = Self { members: list, quorums, me };
        let is_ever_met = group.is_quorum(Phase::One, |_| true);
        if !is_ever_met || !quorums.is_for(group.acceptors().map(|member| member.votes)) {
            return Err(ConfigError::Quorums);
        }
        Ok(group)
    }

    /// This node and nobody else, and it has no part in anything.
    pub(crate) fn nobody_but(id: NodeId, limit: usize) -> Self {
        let mut members = S::Members::with_limit(limit);
        let _ = members.push(Member::new(id).with_roles(Roles::NONE)); // any list has room for one
        Self { members, quorums: Quorums::majority(1), me: 0 }
    }

    /// Of those that were checked before, in the order of their ids; this node and some others, that are no members, are known besides, as
    /// far as there is room.
    pub(crate) fn entered(
        id: NodeId,
        (members, quorums): (impl Iterator<Item = Member>, Quorums),
        others: impl Iterator<Item = NodeId>,
        limit: usize,
    ) -> Self {
        let mut group = Self { members: S::Members::with_limit(limit), quorums, me: 0 };
        group.add(Member::new(id).with_roles(Roles::NONE));
        for member in members {
            match group.members.iter_mut().find(|other| other.id == member.id) {
                Some(own) => *own = member,
                None => group.add(member),
            }
        }
        for other in others {
            if group.index_of(other).is_none() {
                group.add(Member::new(other).with_roles(Roles::NONE));
            }
        }
        group.me = group.index_of(id).unwrap_or_default();
        group
    }

    /// Adds a member in its place, if there is room.
    fn add(&mut self, member: Member) {
        if self.members.push(member).is_ok() {
            let mut at = self.members.len().saturating_sub(1);
            while let Some([before, last]) = self.members.get_mut(at.saturating_sub(1)..=at)
                && before.id > last.id
            {
                core::mem::swap(before, last);
                at = at.saturating_sub(1);
            }
        }
    }

    /// Those that have a part.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member> {
        self.members.iter().copied().filter(|member| member.roles != Roles::NONE)
    }

    pub(crate) const fn quorums(&self) -> Quorums {
        self.quorums
    }

    fn acceptors(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.roles.contains(Roles::ACCEPTOR))
    }

    pub(crate) const fn me(&self) -> usize {
        self.me
    }

    pub(crate) fn my_id(&self) -> NodeId {
        self.id(self.me)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    pub(crate) fn id(&self, index: usize) -> NodeId {
        self.members.get(index).map_or(NodeId::new(0), |member| member.id)
    }

    pub(crate) fn has_role(&self, index: usize, roles: Roles) -> bool {
        self.members.get(index).is_some_and(|member| member.roles.contains(roles))
    }

    pub(crate) fn roles(&self, index: usize) -> Roles {
        self.members.get(index).map_or(Roles::NONE, |member| member.roles)
    }

    pub(crate) fn has_no_role(&self, index: usize) -> bool {
        self.members.get(index).is_none_or(|member| member.roles == Roles::NONE)
    }

    /// A number that differs with the members, their roles and votes, and the quorums.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = Rng::mix(self.members.len() as u64);
        let mut add = |number: u64| digest = Rng::mix(digest ^ number);
        let mut buffer = [0; 32];
        for byte in self.quorums.to_slice(&mut buffer).unwrap_or_default() {
            add((*byte).into());
        }
        for member in self.members.iter() {
            add(member.id.get());
            add(member.roles.0.into());
            for byte in member.votes.to_slice(&mut buffer).unwrap_or_default() {
                add((*byte).into());
            }
        }
        digest
    }

    /// The greatest of the acceptors' numbers that a quorum reached, if it is above `floor`.
    pub(crate) fn reached(
        &self,
        phase: Phase,
        floor: u64,
        number: impl Fn(usize) -> u64 + Clone,
    ) -> Option<u64> {
        let acceptors = self.members.iter().enumerate();
        let acceptors = acceptors.filter(|(_, member)| member.roles.contains(Roles::ACCEPTOR));
        let numbers = acceptors.map(|(index, member)| (member.votes, number(index)));
        self.quorums.reached(phase, floor, numbers)
    }

    /// Whether the acceptors for which `agrees` is true, by their places, are a quorum: each counts once, however often it was heard.
    pub(crate) fn is_quorum(&self, phase: Phase, agrees: impl Fn(usize) -> bool) -> bool {
        let mut tally = Tally::default();
        for index in 0..self.members.len() {
            self.count(&mut tally, index, agrees(index));
        }
        self.quorums.is_met_by(phase, &tally)
    }

    /// A member's answer: apart, as the loops around it are one for each kind of answers.
    fn count(&self, tally: &mut Tally, index: usize, agrees: bool) {
        let member = self.members.get(index);
        if let Some(member) = member.filter(|member| member.roles.contains(Roles::ACCEPTOR)) {
            tally.count(member.votes, agrees);
        }
    }
}
