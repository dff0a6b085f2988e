use core::fmt;

use quorate_core::NodeId;

/// Why a log did not take a command. Nothing was changed, and the command is certainly not in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubmitError {
    /// This node does not lead, and the log does not forward commands from here: the protocol
    /// cannot, or its configuration has that off (Raft's `Config::forward`). Send the command to
    /// this leader yourself; without one, wait for a [change](crate::Notice::LeaderChanged).
    NotLeader(Option<NodeId>),
    /// The command is larger than an entry may be, or than what can be forwarded. Submitting it
    /// again will not help.
    TooLarge,
    /// Too much is on its way: try again after the next [`Committed`](crate::Notice::Committed).
    Busy,
    /// The log has no room: take a snapshot, then try again.
    LogFull,
    /// The machine stopped itself: stop the node and inspect its disk.
    Stopped,
}

/// Why a read was not registered. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReadError {
    /// Only a leader can confirm reads, and this node knows of none, or cannot ask it. Send the
    /// read to this leader yourself; without one, wait for a
    /// [change](crate::Notice::LeaderChanged).
    NotLeader(Option<NodeId>),
    /// This node is a witness, and has no state to read: ask another.
    Witness,
    /// This node is no member: what it has may be of long ago. Ask another.
    NotAMember,
    /// The machine stopped itself.
    Stopped,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::TooLarge => f.write_str("the command is larger than the log takes"),
            Self::Busy => f.write_str("too much is under way: try again"),
            Self::LogFull => f.write_str("the log is full: take a snapshot"),
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::NotAMember => f.write_str("this node is no member: ask another"),
            Self::Witness => f.write_str("a witness has no state to read: ask another node"),
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl core::error::Error for SubmitError {}
impl core::error::Error for ReadError {}
