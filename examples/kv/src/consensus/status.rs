use quorate_core::{Fatal, NodeId, Rejected};
use quorate_log::Index;

use super::Standing;

/// What a node tells of itself and of its log, in words that every protocol has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Status {
    pub(crate) id: NodeId,
    pub(crate) role: Role,
    /// Grows with every leader: Raft's term, a number made of Multi-Paxos's ballot.
    pub(crate) epoch: u64,
    /// The ballot, where the protocol has such: its round, and the node whose it is.
    pub(crate) ballot: Option<(u64, NodeId)>,
    pub(crate) leader: Option<NodeId>,
    pub(crate) first: Index,
    pub(crate) last: Index,
    /// Entries up to here are certainly on this node's disk.
    pub(crate) durable: Index,
    pub(crate) commit: Index,
    /// Entries up to here were given to the replica.
    pub(crate) applied: Index,
    pub(crate) snapshot: Index,
    /// The entry of the members that count, or one after it.
    pub(crate) members_index: Index,
    /// The number of the configuration, where the protocol numbers them.
    pub(crate) configuration: Option<u64>,
    /// A change of the members is under way.
    pub(crate) is_changing: bool,
    pub(crate) standing: Standing,
    /// This node was removed while it was cut off, by this entry.
    pub(crate) removed: Option<Index>,
    /// Nothing is applied until a snapshot comes.
    pub(crate) awaits_snapshot: bool,
    /// The peer whose messages are refused again and again.
    pub(crate) refusing: Option<(NodeId, Rejected)>,
    pub(crate) fatal: Option<Fatal>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Follower,
    PreCandidate,
    Candidate,
    Leader,
}

/// How far a peer is, as the leader knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub(crate) id: NodeId,
    /// How entries are sent to it, in a word.
    pub(crate) state: &'static str,
    /// Everything up to here is on its disk.
    pub(crate) match_index: Index,
    pub(crate) silent_us: u64,
    /// It had acknowledged entries up to here, and lost some.
    pub(crate) lost: Option<Index>,
}
