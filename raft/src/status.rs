use quorate_core::{Fatal, NodeId, Rejected};

use crate::{Index, Membership, Term};

/// What a node is in its term.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it would be voted for (Raft thesis, 9.6).
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads its term.
    Leader,
}

/// A view of a node, for people and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// Who this is.
    pub id: NodeId,
    /// What it is.
    pub role: Role,
    /// The current term.
    pub term: Term,
    /// Who has this node's vote in the term.
    pub vote: Option<NodeId>,
    /// Whom it follows; itself when it leads.
    pub leader: Option<NodeId>,
    /// The first index in the log.
    pub first: Index,
    /// The last index in the log.
    pub last: Index,
    /// Everything up to here is on this node's disk.
    pub durable: Index,
    /// Everything up to here is committed.
    pub commit: Index,
    /// Everything up to here was handed to the application.
    pub applied: Index,
    /// The last index the application's snapshot covers.
    pub snapshot: Index,
    /// What this node is in the cluster.
    pub membership: Membership,
    /// The index of the entry that lists the members; of the snapshot, or 0, if none in the log does.
    pub config: Index,
    /// Two configurations overlap: decisions take a majority of each.
    pub joint: bool,
    /// The target of the leadership transfer in progress.
    pub transfer: Option<NodeId>,
    /// It rests: it sends nothing, and waits for nothing (see [`Config::quiesce_us`](crate::Config::quiesce_us)).
    pub quiescent: bool,
    /// A member said that the committed configuration of this index does not include this node, and no leader was heard
    /// since: it was removed while it was cut off, and starts no election (see [`Event::Removed`](crate::Event::Removed)).
    pub removed: Option<Index>,
    /// The application's state is damaged, and nothing is applied until a snapshot was installed, however far `commit` is
    /// (see [`Raft::request_snapshot`](crate::Raft::request_snapshot)).
    pub awaits_snapshot: bool,
    /// The messages of this peer are refused again and again, for this reason (see
    /// [`Event::Refusing`](crate::Event::Refusing)).
    pub refusing: Option<(NodeId, Rejected)>,
    /// Why the machine stopped itself, if it did.
    pub fatal: Option<Fatal>,
}

/// How a leader replicates to one peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Replication {
    /// Looking for the place where the logs agree: one message at a time.
    Probe,
    /// Streaming entries, several messages on their way.
    Replicate,
    /// The peer needs entries that are compacted away: sending a snapshot.
    Snapshot,
    /// The peer lost entries that it had acknowledged, and is sent heartbeats only: see
    /// [`Event::PeerLostEntries`](crate::Event::PeerLostEntries).
    Halted,
}

/// A leader's view of one peer, from [`Raft::peers`](crate::Raft::peers).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Progress {
    /// Who.
    pub id: NodeId,
    /// What it is in the cluster.
    pub membership: Membership,
    /// How it is being replicated to.
    pub replication: Replication,
    /// Everything up to here is on the peer's disk as in the leader's log.
    pub match_index: Index,
    /// The next index to send.
    pub next_index: Index,
    /// The last index that the peer had acknowledged before it turned out to have lost some of that;
    /// `None` while it keeps what it acknowledges. Such a peer's `match_index` is 0.
    pub lost: Option<Index>,
    /// Bytes of entries on their way.
    pub inflight_bytes: u64,
    /// Microseconds since it was last heard.
    pub silent_us: u64,
}
