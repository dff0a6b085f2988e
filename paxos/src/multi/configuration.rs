use core::fmt;

use quorate_core::{
    DecodeError, Field, Form, NodeId, Quorums, Reader, Source, Votes, Wire, Writer, wire,
};

use super::LIMIT;
use super::work::Work;
use crate::{Member, Roles};

wire! {
    /// Who keeps the log, from the slot after a [stop-sign](super::EntryKind::StopSign) on: what is in the data of that entry.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub struct Configuration<'a> {
        /// Its number: that of the founders is 0, each further one is one more than the one before.
        pub number: u64,
        /// The quorums of its acceptors.
        pub quorums: Quorums,
        /// Its members.
        pub members: Members<'a>,
    }
}

/// The members of a log as an entry, a record or a message lists them, in the order of their ids.
///
/// Encoded, each is eleven bytes: its roles, its votes in the system that is entered and in the one that is left, and its id, the lowest byte
/// first.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Members<'a>(pub(super) &'a [Encoded]);

/// A member in its encoded form.
pub(super) type Encoded = [u8; 11];

pub(super) fn encode(member: Member) -> Encoded {
    let [a, b, c, d, e, f, g, h] = member.id.get().to_le_bytes();
    let mut votes = [0; 2];
    let _ = member.votes.to_slice(&mut votes); // it takes two bytes
    let [new, old] = votes;
    [member.roles.bits(), new, old, a, b, c, d, e, f, g, h]
}

pub(super) fn decode(encoded: &Encoded) -> Member {
    let &[roles, new, old, a, b, c, d, e, f, g, h] = encoded;
    let id = NodeId::new(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    Member { id, roles: Roles::of(roles), votes: Votes::joint(old, new) }
}

impl<'a> Members<'a> {
    /// Goes through them, in the order of their ids.
    ///
    /// ```
    /// use quorate_paxos::multi::Members;
    /// assert_eq!(Members::default().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Member> + 'a {
        self.0.iter().map(decode)
    }

    /// How many there are.
    ///
    /// ```
    /// use quorate_paxos::multi::Members;
    /// assert_eq!(Members::default().len(), 0);
    /// ```
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: a node that waits to be added knows nobody.
    ///
    /// ```
    /// use quorate_paxos::multi::Members;
    /// assert!(Members::default().is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Wire<'a> for Members<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self.0.as_flattened());
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match input.bytes()?.as_chunks() {
            (members, []) => Ok(Self(members)),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl<'a> Field<'a> for Members<'a> {
    const FORM: Form = Form::named("acceptors and learners");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, member) in self.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            let after = if member.roles == Roles::ALL { "" } else { " (learner)" };
            write!(f, "{before}{}{after}", member.id)?;
        }
        f.write_str(if self.is_empty() { "none" } else { "" })
    }

    fn generate(source: &mut Source<'a>) -> Self {
        Self(source.bytes().as_chunks().0)
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|member| (member.id, member.roles))).finish()
    }
}

impl<'a> Configuration<'a> {
    /// What a peer or a disk calls a configuration, if it could be one of a log.
    pub(super) fn check(data: &'a [u8]) -> Result<Self, DecodeError> {
        let configuration = Self::from_slice(data)?;
        if configuration.is_valid() { Ok(configuration) } else { Err(DecodeError::Invalid) }
    }

    pub(super) fn is_valid(&self) -> bool {
        let (mut before, mut is_sound) = (None, true);
        for member in self.members.iter() {
            is_sound &= before < Some(member.id) && is_sound_role(member.roles);
            before = Some(member.id);
        }
        let is_for = self.quorums.is_for(
            self.members.iter().filter(|m| m.roles.contains(Roles::ACCEPTOR)).map(|m| m.votes),
        );
        let has_room = self.members.len() <= Work::MEMBERS;
        self.number > 0 && self.number < LIMIT && is_sound && is_for && has_room
    }
}

/// A node votes and may lead, or it learns.
pub(super) const fn is_sound_role(roles: Roles) -> bool {
    !roles.contains(Roles::ACCEPTOR) && roles.contains(Roles::LEARNER) || roles.contains(Roles::ALL)
}
