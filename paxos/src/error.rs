use core::fmt;

use quorate_core::NodeId;

/// Why a machine cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// This node is not among the members.
    NotAMember,
    /// A member is listed twice.
    DuplicateMember(NodeId),
    /// More members than there is room for.
    TooManyMembers,
    /// This node does not have the roles of the machine, or others besides: one machine has all the roles of its node. In a
    /// [log](crate::multi), each member has all roles, or is a learner and nothing else.
    Roles,
    /// The quorum system is not one for these acceptors: it was made for other votes, or another number of members.
    Quorums,
    /// A timeout is 0; or `election_us` is less than twice `heartbeat_us`, in a [log](crate::multi).
    Timeouts,
    /// The sizes of classic and fast quorums do not fit each other, or the members: see [`FastQuorums`](crate::fast::FastQuorums).
    FastQuorums,
    /// The storage is for members that never change: nobody joins them.
    Fixed,
    /// A limit is 0, or too small for one entry of `max_entry_bytes`: see [`multi::Config`](crate::multi::Config).
    Limits,
}

/// Why a value was not proposed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProposeError {
    /// The node has no record that it was founded: it is new, or its disk was erased.
    NotFounded,
    /// A value was chosen already, as the event said.
    Decided,
    /// This node has proposed a value, of which the outcome is not known.
    Busy,
    /// The value is longer than there is room for.
    TooLong,
    /// There are no further rounds.
    Exhausted,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this node is not among the members"),
            Self::DuplicateMember(id) => write!(f, "member {id} is listed twice"),
            Self::TooManyMembers => f.write_str("more members than there is room for"),
            Self::Roles => f.write_str(
                "a node has other roles than its machine; in a log it has all roles, or learns",
            ),
            Self::Quorums => f.write_str("the quorum system is for other acceptors or votes"),
            Self::Timeouts => f.write_str(
                "a timeout is 0, or an election timeout is less than two heartbeat intervals",
            ),
            Self::FastQuorums => f.write_str(
                "a classic quorum and two fast quorums must share an acceptor: twice the fast \
                 size and the classic size must add up to more than twice the members",
            ),
            Self::Fixed => f.write_str("the storage is for members that never change"),
            Self::Limits => f.write_str("a limit is 0, or too small for one entry"),
        }
    }
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFounded => {
                "this node was not founded: call found() if it is new; if its disk was erased, \
                 replace it by a node with another id"
            }
            Self::Decided => "a value was chosen already",
            Self::Busy => "this node has proposed a value whose outcome is not known",
            Self::TooLong => "the value is longer than there is room for",
            Self::Exhausted => "there are no further rounds",
        })
    }
}

impl core::error::Error for ConfigError {}
impl core::error::Error for ProposeError {}
