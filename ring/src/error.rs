use core::fmt;

use quorate_core::{Full, NodeId};

/// Why a change of a placement's members, or of what is assigned to them, was refused. The placement is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MemberError {
    /// This node is a member already.
    Duplicate(NodeId),
    /// This node is no member.
    Unknown(NodeId),
    /// The weight is 0: the member would hold nothing.
    ZeroWeight,
    /// The member would have more points than [`MAX_POINTS`](crate::MAX_POINTS), or none.
    Points,
    /// There are no members to divide the [`Slots`](crate::Slots) among.
    NoMembers,
    /// The last slot is before the first: there is nothing to assign.
    EmptyRange,
    /// The placement has no room for another member, or for its points, buckets or runs: a limit of its storage was reached.
    Full,
}

impl From<Full> for MemberError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(id) => write!(f, "node {id} is a member already"),
            Self::Unknown(id) => write!(f, "node {id} is no member"),
            Self::ZeroWeight => f.write_str("a member's weight must be 1 or more"),
            Self::Points => f.write_str("a member must have 1 to 65,535 points"),
            Self::NoMembers => f.write_str("there are no members to divide slots among"),
            Self::EmptyRange => f.write_str("the last slot is before the first"),
            Self::Full => f.write_str("there is no room for another member or its points"),
        }
    }
}

impl core::error::Error for MemberError {}
