use core::fmt;

use quorate_core::NodeId;

/// A member of the cluster, and as what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) standing: Standing,
}

/// What a node is in its cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    None,
    Learner,
    Voter,
    /// Between two configurations, in the protocol's own words.
    Between(&'static str),
}

/// One step of a change of the members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Add(NodeId),
    Promote(NodeId),
    Demote(NodeId),
    Remove(NodeId),
}

impl Standing {
    pub(crate) fn is_member(self) -> bool {
        self != Self::None
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no member",
            Self::Learner => "learner",
            Self::Voter => "voter",
            Self::Between(words) => words,
        })
    }
}
