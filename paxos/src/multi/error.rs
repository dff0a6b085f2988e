use core::fmt;

use quorate_core::NodeId;
use quorate_log::SubmitError;

use crate::ConfigError;

/// Why a command was not proposed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProposeError {
    /// Only the leader proposes: ask it, if it is known.
    NotLeader(Option<NodeId>),
    /// The command is larger than `max_entry_bytes`, or than half of the log's bytes.
    TooLarge,
    /// With this command, more than `max_uncommitted_bytes` would not be chosen, or more than half of the log. Try again when some was.
    Busy,
    /// The members are about to change: propose again when the next configuration has a leader.
    Reconfiguring,
    /// The lead is on its way to this node: propose to it in a moment.
    Transferring(NodeId),
    /// The log has no room: take a snapshot, then try again. [`Event::LogFull`](super::Event::LogFull) asks for the snapshot.
    LogFull,
    /// The machine stopped itself.
    Stopped,
}

/// Why the members were not changed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReconfigureError {
    /// The next configuration is none, or has no room: see there. Old and new members together must have room.
    Config(ConfigError),
    /// The stop-sign cannot be proposed: see there. [`TooLarge`](ProposeError::TooLarge) says that the list of members is larger
    /// than an entry may be, [`Reconfiguring`](ProposeError::Reconfiguring) that another change is under way.
    Propose(ProposeError),
    /// The [storage](super::Fixed) is for members that never change.
    Fixed,
}

/// Why the lead was not handed over. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TransferError {
    /// Only the leader hands the lead over: ask it, if it is known.
    NotLeader(Option<NodeId>),
    /// There is no such member.
    NoSuchNode,
    /// That node is no acceptor.
    CannotLead,
    /// This node leads already.
    AlreadyLeader,
    /// The lead is on its way to this node already: that ends within an election timeout.
    InProgress(NodeId),
    /// The members are about to change: the next configuration has its own leader.
    Reconfiguring,
    /// The machine stopped itself.
    Stopped,
}

/// Why a call about snapshots was refused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SnapshotError {
    /// The slot is beyond what was applied, or behind the present snapshot.
    Slot,
    /// The part is larger than the event allowed, or is not the one that was asked for.
    Chunk,
    /// Nobody waits for it any more.
    NotWanted,
    /// The machine stopped itself.
    Stopped,
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::TooLarge => f.write_str("the command is larger than the log takes"),
            Self::Busy => f.write_str("too much is under way: try again"),
            Self::Reconfiguring => {
                f.write_str("the members are about to change: propose again to the next leader")
            }
            Self::Transferring(to) => {
                write!(f, "the lead is on its way to node {to}: propose to it in a moment")
            }
            Self::LogFull => f.write_str("the log is full: take a snapshot"),
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl fmt::Display for ReconfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Propose(error) => error.fmt(f),
            Self::Fixed => f.write_str("the storage is for members that never change"),
        }
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::NoSuchNode => f.write_str("there is no such node in the cluster"),
            Self::CannotLead => f.write_str("that node is no acceptor"),
            Self::AlreadyLeader => f.write_str("this node leads already"),
            Self::InProgress(to) => write!(f, "the lead is on its way to node {to} already"),
            Self::Reconfiguring => f.write_str("the members are about to change: try again then"),
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slot => "the slot is beyond what was applied, or behind the present snapshot",
            Self::Chunk => "the part is too large, or not the one that was asked for",
            Self::NotWanted => "nobody waits for it any more",
            Self::Stopped => "the machine has stopped itself",
        })
    }
}

impl core::error::Error for ProposeError {}
impl core::error::Error for ReconfigureError {}
impl core::error::Error for TransferError {}
impl core::error::Error for SnapshotError {}

impl From<ProposeError> for SubmitError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader(leader) => Self::NotLeader(leader),
            ProposeError::TooLarge => Self::TooLarge,
            ProposeError::Busy | ProposeError::Reconfiguring | ProposeError::Transferring(_) => {
                Self::Busy
            }
            ProposeError::LogFull => Self::LogFull,
            ProposeError::Stopped => Self::Stopped,
        }
    }
}
