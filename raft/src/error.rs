use core::fmt;

use quorate_core::NodeId;

/// Why a node cannot be made from a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// This node is not among the voters.
    NotAVoter,
    /// A node is listed twice.
    DuplicateVoter(NodeId),
    /// More members than the storage has room for.
    TooManyMembers,
    /// The election timeout must be at least twice the heartbeat interval, and neither may be 0.
    ElectionTimeout,
    /// The upper election timeout must be above the lower one, so that ties break.
    ElectionSpread,
    /// A limit is 0, or too small for one entry of `max_entry_bytes`; or the priority is beyond 15.
    Limits,
    /// Leases need `check_quorum`, and clocks that are not further off than a quarter.
    Lease,
    /// Leases, paced snapshots, rest and forwarding are not for `Fixed` storage.
    Fixed,
}

/// Why a command was not proposed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProposeError {
    /// Only the leader takes proposals: ask it, if it is known.
    NotLeader(Option<NodeId>),
    /// The command is larger than `max_entry_bytes`, than half of the log's bytes, or than all of them
    /// less 100 for headers and blank entries. Of [`forward`](crate::Raft::forward), larger than
    /// `max_entry_bytes`, or with its header than the buffer.
    TooLarge,
    /// With this command, more than `max_uncommitted_bytes`, or more than half of the log's bytes,
    /// would not be committed; or half of the entries of an inline log are not, already. Try again
    /// when some have been committed. Of [`forward`](crate::Raft::forward): others are on their way.
    Busy,
    /// The log has no room: take a snapshot, then try again. [`Event::LogFull`](crate::Event::LogFull)
    /// asks for the snapshot.
    LogFull,
    /// Leadership is being transferred to this node: ask it in a moment.
    Transferring(NodeId),
    /// This node leads: propose the command here.
    IsLeader,
    /// The machine stopped itself.
    Stopped,
}

/// Why leadership was not transferred. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TransferError {
    /// Only the leader transfers leadership: ask it, if it is known.
    NotLeader(Option<NodeId>),
    /// There is no such node in the cluster.
    NoSuchNode,
    /// That node has no vote, or is a witness.
    CannotLead,
    /// This node leads already.
    AlreadyLeader,
    /// Leadership is being transferred to this node already; abort that first.
    InProgress(NodeId),
    /// The machine stopped itself.
    Stopped,
}

/// Why the members were not changed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChangeError {
    /// Only the leader changes the members: ask it, if it is known.
    NotLeader(Option<NodeId>),
    /// Leadership is being transferred to this node: ask it in a moment.
    Transferring(NodeId),
    /// No entry of the leader's term is committed yet (the flaw of 2015 in the one-step change): try again in a moment.
    TermNotCommitted,
    /// A change is under way: wait until it is committed, or leave joint consensus first.
    InProgress,
    /// Joint consensus cannot be left: it was not entered.
    NotJoint,
    /// There is no such node in the cluster.
    NoSuchNode(NodeId),
    /// The node is that already, or is named twice.
    Already(NodeId),
    /// The learner lacks more of the log than is on its way to it: promote it when it has caught up.
    Behind(NodeId),
    /// Nobody would be left who votes and may lead.
    NoVoter,
    /// More members than the storage has room for.
    TooMany,
    /// The log has no room: take a snapshot, then try again. [`Event::LogFull`](crate::Event::LogFull)
    /// asks for the snapshot.
    LogFull,
    /// The storage is for members that never change.
    Fixed,
    /// The machine stopped itself.
    Stopped,
}

/// Why a call about snapshots was refused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SnapshotError {
    /// The index is beyond what was applied, or behind the present snapshot.
    Index,
    /// The part is larger than the event allowed, or is not the one that was asked for.
    Chunk,
    /// Nobody waits for it any more.
    NotWanted,
    /// This node leads, has no state, or its storage is `Fixed`: it cannot ask for a snapshot.
    NotFollower,
    /// No other member may lead, and so send one: restore the state from this node's own snapshot and log, or from a backup.
    NoSource,
    /// The machine stopped itself.
    Stopped,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAVoter => f.write_str("this node is not among the voters"),
            Self::DuplicateVoter(node) => write!(f, "node {node} is listed twice"),
            Self::TooManyMembers => f.write_str("more members than the storage has room for"),
            Self::ElectionTimeout => f.write_str(
                "the election timeout must be at least twice the heartbeat interval, and neither \
                 may be 0",
            ),
            Self::ElectionSpread => {
                f.write_str("the upper election timeout must be above the lower one")
            }
            Self::Limits => {
                f.write_str("a limit is 0, or too small for one entry, or the priority is above 15")
            }
            Self::Fixed => {
                f.write_str("fixed storage knows no leases, paced snapshots, rest or forwarding")
            }
            Self::Lease => {
                f.write_str("leases need check_quorum and a drift of at most 250,000 ppm")
            }
        }
    }
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::TooLarge => f.write_str("the command is larger than the configured entry limit"),
            Self::Busy => f.write_str("too much is under way: try again"),
            Self::LogFull => f.write_str("the log is full: take a snapshot"),
            Self::Transferring(to) => {
                write!(f, "leadership is being transferred to node {to}: ask it in a moment")
            }
            Self::IsLeader => f.write_str("this node leads: propose the command here"),
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::NoSuchNode => f.write_str("there is no such node in the cluster"),
            Self::CannotLead => {
                f.write_str("that node has no vote, or is a witness: it cannot lead")
            }
            Self::AlreadyLeader => f.write_str("that node leads already"),
            Self::InProgress(to) => {
                write!(f, "leadership is being transferred to node {to} already")
            }
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(Some(leader)) => write!(f, "not the leader: ask node {leader}"),
            Self::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Self::Transferring(to) => {
                write!(f, "leadership is being transferred to node {to}: ask it in a moment")
            }
            Self::TermNotCommitted => {
                f.write_str("the leader's term has no committed entry yet: try again")
            }
            Self::InProgress => f.write_str("a change of the members is under way"),
            Self::NotJoint => f.write_str("the cluster is not in joint consensus"),
            Self::NoSuchNode(node) => write!(f, "there is no node {node} in the cluster"),
            Self::Already(node) => write!(f, "node {node} is that already, or is named twice"),
            Self::Behind(node) => write!(f, "node {node} has not caught up with the log yet"),
            Self::NoVoter => f.write_str("nobody would be left who may lead"),
            Self::TooMany => f.write_str("more members than the storage has room for"),
            Self::Fixed => f.write_str("this node's storage is for members that never change"),
            Self::LogFull => f.write_str("the log is full: take a snapshot"),
            Self::Stopped => f.write_str("the machine has stopped itself"),
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "the index is beyond what was applied, or behind the present snapshot",
            Self::Chunk => "the part is not the one that was asked for",
            Self::NotWanted => "nobody waits for it any more",
            Self::NotFollower => "only a follower with state asks for a snapshot",
            Self::NoSource => {
                "no other member may lead and send a snapshot: restore the state from this node's \
                 disk or a backup"
            }
            Self::Stopped => "the machine has stopped itself",
        })
    }
}

impl core::error::Error for ChangeError {}
impl core::error::Error for ConfigError {}
impl core::error::Error for ProposeError {}
impl core::error::Error for SnapshotError {}
impl core::error::Error for TransferError {}
