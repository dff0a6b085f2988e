use core::fmt;

use quorate_core::{Full, NodeId};

use super::MemberState;

/// Why a topology cannot be changed like that. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TopologyError {
    /// This node is in the list already.
    Duplicate(NodeId),
    /// This node is not in the list.
    Unknown(NodeId),
    /// A member in this state does not get there.
    State(MemberState),
    /// The weight is 0.
    ZeroWeight,
    /// There is no room for another member.
    Full,
    /// There have been 2^62 changes.
    Exhausted,
}

impl From<Full> for TopologyError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(id) => write!(f, "node {id} is in the list already"),
            Self::Unknown(id) => write!(f, "node {id} is not in the list"),
            Self::State(state) => write!(f, "a member that is {state} does not get there"),
            Self::ZeroWeight => f.write_str("a member's weight must be 1 or more"),
            Self::Full => f.write_str("there is no room for another member"),
            Self::Exhausted => f.write_str("there have been 2^62 changes"),
        }
    }
}

impl core::error::Error for TopologyError {}
