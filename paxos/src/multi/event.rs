use quorate_core::{Fatal, NodeId};
use quorate_log::ReadId;

use super::{Entries, Slot};
use crate::{Ballot, Roles};

/// What the application of a node learns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// These entries are chosen, durable here, and come next: apply them in order. Each slot is given once between a start and the next,
    /// but for those that a snapshot covers.
    Committed(Entries<'a>),
    /// What this node proposed in epochs before `before` is decided: what did not come in [`Committed`](Self::Committed) never will, but
    /// for slots up to `after`, in whose place a snapshot came. Only the state that was in it knows about those.
    ProposalsDropped {
        /// Epochs before this one.
        before: u64,
        /// The last slot that a snapshot covers; 0 without.
        after: Slot,
    },
    /// This node leads.
    Leading {
        /// Its ballot.
        ballot: Ballot,
        /// The number of that in entries and proposals: see [`epoch_of`](super::MultiPaxos::epoch_of).
        epoch: u64,
    },
    /// Another node leads.
    Following {
        /// Which one.
        leader: NodeId,
        /// Its ballot.
        ballot: Ballot,
        /// The number of that in entries and proposals: see [`epoch_of`](super::MultiPaxos::epoch_of).
        epoch: u64,
    },
    /// No leader is known. A node that led has stepped down.
    Leaderless {
        /// The highest ballot that this node has promised.
        ballot: Ballot,
        /// The number of that in entries and proposals.
        epoch: u64,
    },
    /// Every read with an id up to `through` may be answered from what was applied so far, linearizably.
    Read {
        /// The last id.
        through: ReadId,
    },
    /// An entry did not fit into the log: take a snapshot, and call [`snapshot_taken`](super::MultiPaxos::snapshot_taken) with the applied
    /// slot as the compacted one. If nothing was applied since the last one, there is nothing to do: the event comes again with the next
    /// entry that does not fit.
    LogFull,
    /// A peer needs a snapshot: that which covers `slot`, from `offset` on. Answer with
    /// [`send_snapshot`](super::MultiPaxos::send_snapshot); with that snapshot or, at offset 0, the newest one. The offset is what the
    /// peer says: it may be beyond the end. Every node may be asked, not the leader alone, and is asked again with
    /// each heartbeat until it answers.
    SnapshotWanted {
        /// Who needs it.
        to: NodeId,
        /// The last slot that the snapshot covers.
        slot: Slot,
        /// Where to go on, in bytes.
        offset: u64,
        /// How many bytes a part may have.
        max_len: usize,
    },
    /// A part of a snapshot from another node: write it at `offset`; offset 0 begins anew and discards what came before. When `done`, make
    /// the whole durable, load it and call [`snapshot_installed`](super::MultiPaxos::snapshot_installed), or
    /// [`snapshot_refused`](super::MultiPaxos::snapshot_refused) if it is damaged.
    SnapshotChunk {
        /// The last slot that the snapshot covers.
        slot: Slot,
        /// Where the part belongs, in bytes.
        offset: u64,
        /// The part.
        data: &'a [u8],
        /// The snapshot ends with this part.
        done: bool,
    },
    /// A configuration is in force: the slot of its stop-sign is chosen. It is told before that is given to the application, and once more
    /// after each start. Connect to its [`members`](super::MultiPaxos::members); a node that is not among them
    /// may be shut down when it hears of a leader after this.
    Reconfigured {
        /// The number of the configuration.
        number: u64,
        /// The slot of the stop-sign, or the last slot of a snapshot that came with it.
        slot: Slot,
    },
    /// The machine stopped itself and takes no further part.
    Fatal(Fatal),
}

/// A view of a node, for people and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// It has a record that it was founded.
    pub founded: bool,
    /// What it does.
    pub role: Role,
    /// The leader, if one is known.
    pub leader: Option<NodeId>,
    /// The highest ballot that it has promised.
    pub promised: Ballot,
    /// The last slot in its log.
    pub last: Slot,
    /// All slots up to here are chosen, as far as it knows.
    pub commit: Slot,
    /// All slots up to here were given to the application.
    pub applied: Slot,
    /// The last slot that the application's newest snapshot covers; 0 without.
    pub snapshot: Slot,
    /// The slot just before the log's first.
    pub compacted: Slot,
    /// Runs of votes in one ballot that its log consists of, after what is chosen.
    pub runs: usize,
    /// It hears a quorum of phase 1, and is heard by it.
    pub connected: bool,
    /// The number of the configuration.
    pub configuration: u64,
    /// What it is in that.
    pub roles: Roles,
    /// Messages of other configurations, which had no effect.
    pub foreign: u64,
    /// The node to which this leader [hands the lead](super::MultiPaxos::transfer).
    pub transfer: Option<NodeId>,
    /// The slots up to here are on this node's disk, as they are in its log.
    pub durable: Slot,
}

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Role {
    /// It votes, or learns.
    #[default]
    Follower,
    /// Phase 1: it waits for promises.
    Candidate,
    /// It proposes.
    Leader,
}
