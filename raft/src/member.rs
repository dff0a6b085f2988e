use core::fmt;

use quorate_core::{DecodeError, Field, Form, NodeId, Reader, Source, Votes, Wire, Writer};

use crate::storage::Storage;
use crate::work::Work;

/// A node of the cluster and what it is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Member {
    /// Who.
    pub id: NodeId,
    /// As what.
    pub membership: Membership,
}

/// What a node is in the cluster: a voter, a learner, a witness; in joint consensus (Raft thesis, 4.3) by both configurations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Membership(u8);

impl Membership {
    /// No member.
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const LEARNER: Self = Self(IN);
    pub(crate) const VOTER: Self = Self(IN | VOTES);

    /// Whether it has a vote: in the configuration there is, or, while two overlap, in either.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_raft::{Config, Inline, Raft};
    /// let me = NodeId::new(1);
    /// let raft = Raft::<Inline<3, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
    /// let mut members = raft.members().iter();
    /// assert!(members.next().is_some_and(|member| member.id == me && member.membership.is_voter()));
    /// # Ok::<(), quorate_raft::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_voter(self) -> bool {
        self.0 & (VOTES | VOTED) != 0
    }

    /// Whether it is given the log, and has no vote.
    #[must_use]
    pub const fn is_learner(self) -> bool {
        self.0 & IN != 0 && !self.is_voter()
    }

    /// Whether it is no member any more once joint consensus is left.
    #[must_use]
    pub const fn is_leaving(self) -> bool {
        self.0 & (IN | VOTED) == VOTED
    }

    /// Whether it stores no commands, only that there are some: it never leads.
    #[must_use]
    pub const fn is_witness(self) -> bool {
        self.0 & WITNESS != 0
    }

    /// Whether it is a member at all.
    #[must_use]
    pub const fn is_member(self) -> bool {
        self.0 & (IN | VOTED) != 0
    }

    /// Whether it may lead.
    pub(crate) const fn may_lead(self) -> bool {
        self.is_voter() && !self.is_witness()
    }

    /// Its votes. Where members never change, all have one, and the compiler knows.
    #[inline]
    pub(crate) const fn in_quorums<S: Storage>(self) -> Votes {
        if S::CHANGES {
            Votes::joint(self.voted() as u8, self.votes_next() as u8)
        } else {
            Votes::ONE
        }
    }

    /// Whether it votes in the configuration that is entered, or there is.
    pub(crate) const fn votes_next(self) -> bool {
        self.0 & VOTES != 0
    }

    /// Whether it votes in the configuration that is being left.
    pub(crate) const fn voted(self) -> bool {
        self.0 & VOTED != 0
    }

    /// Whether it was removed, and the leader still lets it know.
    pub(crate) const fn departs(self) -> bool {
        self.0 & DEPARTS != 0
    }

    /// Whether joint consensus is left on request only.
    pub(crate) const fn holds(self) -> bool {
        self.0 & HOLD != 0
    }

    /// A removed member that the leader still notifies. A removed witness keeps its flag: until it
    /// has the removal, it must not store an entry that no disk of a full member has.
    pub(crate) const fn departed(self) -> Self {
        Self(DEPARTS | (self.0 & WITNESS))
    }

    pub(crate) const fn with_vote(self, votes: bool) -> Self {
        Self(if votes { self.0 | VOTES } else { self.0 & !VOTES })
    }

    pub(crate) const fn witness() -> Self {
        Self(IN | WITNESS)
    }

    /// No member of the new configuration any more.
    pub(crate) const fn removed(self) -> Self {
        Self(self.0 & !(IN | VOTES))
    }

    /// The old vote is kept until joint consensus is left.
    pub(crate) const fn joint(self, old: Self, hold: bool) -> Self {
        let kept = if old.votes_next() { self.0 | VOTED } else { self.0 };
        Self(if hold { kept | HOLD } else { kept })
    }

    /// After joint consensus was left.
    pub(crate) const fn left(self) -> Self {
        if self.0 & IN == 0 { Self::NONE } else { Self(self.0 & (IN | VOTES | WITNESS)) }
    }

    const fn is_valid(self) -> bool {
        let known = self.0 & !(IN | VOTES | VOTED | WITNESS | HOLD) == 0;
        known && self.is_member() && (self.0 & VOTES == 0 || self.0 & IN != 0)
    }
}

/// A member of the configuration there is, or that is entered.
const IN: u8 = 1;
/// It votes there.
const VOTES: u8 = 2;
/// It votes in the configuration that is being left.
const VOTED: u8 = 4;
/// It stores no commands.
const WITNESS: u8 = 8;
/// Joint consensus is left on request only.
const HOLD: u8 = 16;
/// No member, but still to be told so. Never on disk or wire.
const DEPARTS: u8 = 32;

impl core::fmt::Debug for Membership {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl core::fmt::Display for Membership {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match (self.votes_next(), self.voted()) {
            (true, true) => "voter before and after",
            (true, false) => "voter",
            (false, true) if self.is_leaving() => "voter until it leaves",
            (false, true) => "voter until it learns",
            (false, false) if self.is_learner() => "learner",
            (false, false) => "no member",
        })?;
        f.write_str(if self.is_witness() { ", witness" } else { "" })
    }
}

/// The members of a cluster, as an entry, a record or a message lists them.
///
/// Encoded, each is nine bytes: its membership and its number, the lowest byte first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Members<'a>(&'a [Encoded]);

/// A member in its encoded form.
pub(crate) type Encoded = [u8; 9];

impl<'a> Members<'a> {
    pub(crate) const NONE: Self = Self(&[]);

    pub(crate) const fn of(members: &'a [Encoded]) -> Self {
        Self(members)
    }

    /// Reads the data of an entry of the kind [`Config`](crate::EntryKind::Config).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when that is not what it is: a membership that does not exist, a node twice, nobody who votes, or more members than
    /// any cluster has.
    pub fn decode(data: &'a [u8]) -> Result<Self, DecodeError> {
        let members = Self::split(data)?;
        if members.is_valid() { Ok(members) } else { Err(DecodeError::Invalid) }
    }

    /// Whether they could be those of a cluster.
    pub(crate) fn is_valid(&self) -> bool {
        let mut voters = false;
        for (at, member) in self.iter().enumerate() {
            let twice = self.iter().take(at).any(|other| other.id == member.id);
            if twice || at >= Work::PEERS || !member.membership.is_valid() {
                return false;
            }
            voters |= member.membership.votes_next();
        }
        voters
    }

    /// Any list, of whatever is in it.
    const fn split(data: &'a [u8]) -> Result<Self, DecodeError> {
        match data.as_chunks() {
            (members, []) => Ok(Self(members)),
            _ => Err(DecodeError::Invalid),
        }
    }

    /// Goes through the members.
    #[must_use]
    pub fn iter(&self) -> MembersIter<'a> {
        MembersIter(self.0.iter())
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: a node that waits to be added knows nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether two configurations overlap: decisions take a majority of each (Raft thesis, 4.3).
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.iter().any(|member| member.membership.voted())
    }

    /// What a node is in this list.
    #[must_use]
    pub fn membership(&self, id: NodeId) -> Membership {
        self.iter()
            .find(|member| member.id == id)
            .map_or(Membership::NONE, |member| member.membership)
    }

    /// The encoded members.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.0.as_flattened()
    }

    pub(crate) const fn encoded(&self) -> &'a [Encoded] {
        self.0
    }

    /// Reads what was written with its length before it; who takes it looks at what is in it.
    pub(crate) fn read(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::split(input.bytes()?)
    }
}

/// With its length before it, as messages and records have it; a machine looks at what is in it when it takes it.
impl<'a> Wire<'a> for Members<'a> {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self.bytes());
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::read(input)
    }
}

impl<'a> Field<'a> for Members<'a> {
    const FORM: Form = Form::named("members");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for Member { id, membership } in *self {
            write!(f, "{before}{id}")?;
            if membership != Membership::VOTER {
                write!(f, " ({membership})")?;
            }
            before = ", ";
        }
        f.write_str(if self.is_empty() { "none" } else { "" })
    }

    fn generate(source: &mut Source<'a>) -> Self {
        Self(source.bytes().as_chunks().0)
    }
}

impl Member {
    pub(crate) const fn decode(encoded: &Encoded) -> Self {
        let &[membership, a, b, c, d, e, f, g, h] = encoded;
        let id = NodeId::new(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        Self { id, membership: Membership(membership) }
    }

    pub(crate) const fn encode(self) -> Encoded {
        let [a, b, c, d, e, f, g, h] = self.id.get().to_le_bytes();
        [self.membership.0, a, b, c, d, e, f, g, h]
    }
}

impl<'a> IntoIterator for Members<'a> {
    type Item = Member;
    type IntoIter = MembersIter<'a>;
    fn into_iter(self) -> MembersIter<'a> {
        self.iter()
    }
}

/// The members of a list, one after the other.
#[derive(Clone)]
pub struct MembersIter<'a>(core::slice::Iter<'a, Encoded>);

impl Iterator for MembersIter<'_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        self.0.next().map(Member::decode)
    }
}

/// Nobody.
impl Default for Members<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

impl core::fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(self.iter().map(|m| (m.id, m.membership))).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }
}

#[cfg(feature = "serde")]
impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = crate::message::bytes::deserialize(deserializer)?;
        Self::split(bytes).map_err(serde::de::Error::custom)
    }
}
