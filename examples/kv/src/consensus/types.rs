use core::fmt;

use quorate_core::{Fatal, NodeId, Rejected};
use quorate_log::{Index, ReadId};

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

/// What a node is in its cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    None,
    Learner,
    Voter,
    /// Between two configurations, in the protocol's own words.
    Between(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) standing: Standing,
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

/// One step of a change of the members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Add(NodeId),
    Promote(NodeId),
    Demote(NodeId),
    Remove(NodeId),
}

/// Why a command was not proposed. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProposeError {
    NotLeader,
    TooLarge,
    /// Some of what is proposed must be committed first.
    Busy,
    LogFull,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) index: Index,
    pub(crate) bytes: usize,
    pub(crate) content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    Command(&'a [u8]),
    /// The members from here on, encoded by the protocol.
    Members(&'a [u8]),
    /// Nothing for the application.
    Nothing,
}

/// What the machine tells the replica.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// Entries up to `last` are committed, and so many bytes of them were not before.
    Committed {
        last: Index,
        bytes: u64,
    },
    Leading {
        epoch: u64,
    },
    Following {
        leader: NodeId,
        epoch: u64,
    },
    Leaderless {
        epoch: u64,
    },
    Read {
        through: ReadId,
    },
    SnapshotWanted {
        to: NodeId,
        index: Index,
        offset: u64,
        max_len: usize,
    },
    SnapshotChunk {
        index: Index,
        offset: u64,
        data: &'a [u8],
        done: bool,
    },
    /// The members changed.
    Members,
    PeerLostEntries {
        peer: NodeId,
        acknowledged: Index,
    },
    Removed {
        index: Index,
    },
    Refusing {
        peer: NodeId,
        reason: Rejected,
    },
    LogFull,
    Fatal(Fatal),
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
