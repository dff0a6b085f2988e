use core::fmt;

use quorate_core::{Full, NodeId};

/// Why a change of the ranges was refused. They are unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RangeError {
    /// A range begins at this key already: what is on one side of the split would be empty.
    Empty,
    /// No range begins at this key.
    NotABoundary,
    /// The two ranges are held by different nodes: assign both to the same nodes before they are merged.
    DifferentNodes,
    /// A range needs a node.
    NoNodes,
    /// This node is listed twice.
    DuplicateNode(NodeId),
    /// There are more nodes than a range may have.
    TooManyNodes,
    /// The key is longer than a boundary may be. Longer keys have a range like all others; only boundaries are kept.
    KeyTooLong,
    /// There is no room for another range.
    Full,
}

impl From<Full> for RangeError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a range begins at this key already"),
            Self::NotABoundary => f.write_str("no range begins at this key"),
            Self::DifferentNodes => f.write_str("the ranges are held by different nodes"),
            Self::NoNodes => f.write_str("a range needs a node"),
            Self::DuplicateNode(id) => write!(f, "node {id} is listed twice"),
            Self::TooManyNodes => f.write_str("more nodes than a range may have"),
            Self::KeyTooLong => f.write_str("the key is longer than a boundary may be"),
            Self::Full => f.write_str("there is no room for another range"),
        }
    }
}

impl core::error::Error for RangeError {}
