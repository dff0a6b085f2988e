use quorate_core::{Fatal, NodeId, Rejected};

use crate::{Entries, ForwardId, Forwarded, Index, Members, ReadId, Term};

/// What the application of a Raft node learns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// These entries are committed, durable here, and come next: apply them in order. Each index is given once between a start
    /// and the next, but for those a snapshot covers.
    Committed(Entries<'a>),
    /// This node led before, or [forwarded](crate::Raft::forward) commands that were proposed, and what it proposed in terms before `before` and did not come in [`Committed`](Self::Committed) is decided: it
    /// will never be committed, but for indexes up to `after`, in whose place a snapshot came. Only the state that was in it knows
    /// about those. It comes when something of a later term is committed, even if nothing was lost. That an entry is gone
    /// from this node's log would not do: another leader may still have it, and commit it (Raft thesis, figure 3.7).
    ///
    /// Nodes with [`Fixed`](crate::Fixed) storage do not tell: there, compare the terms in `Committed`.
    ProposalsDropped {
        /// Terms before this one.
        before: Term,
        /// The last index that a snapshot covers; 0 without.
        after: Index,
    },
    /// This node leads. Reads that were requested before are dropped, as with the next two events: request them again.
    Leading {
        /// The term.
        term: Term,
    },
    /// Another node leads.
    Following {
        /// Which one.
        leader: NodeId,
        /// The term.
        term: Term,
    },
    /// No leader is known: an election is under way. A node that led has stepped down.
    Leaderless {
        /// The present term. The event is repeated when it grows, or when this node becomes a candidate.
        term: Term,
    },
    /// The members of the cluster are others now: open the ways to those that are new. They are in force from the entry's append on
    /// (Raft thesis, 4.1), before it is committed; if another leader replaces the entry, the members before it come back.
    Members {
        /// The index of the entry that lists them; of the snapshot, if it was in one.
        index: Index,
        /// All of them, this node as well if it is one.
        members: Members<'a>,
    },
    /// A member said that a committed configuration does not include this node, which has not heard of it: it was removed
    /// while it was cut off. It starts no election any more, and follows a leader that contacts it. Stop it; a node comes
    /// back under a new id, with an empty disk (see [`Raft::change`](crate::Raft::change)). Nodes with
    /// [`Fixed`](crate::Fixed) storage do not tell.
    Removed {
        /// The index of the entry or snapshot that lists the members.
        index: Index,
    },
    /// This node keeps refusing the messages of `peer`: its leader, or on a leader a member whose term is too far ahead. It
    /// does not heal by itself: either log is damaged, or the terms are too far apart. Look at both nodes, remove the one
    /// that is wrong, and add a new one under a new id. See [`Status::refusing`](crate::Status::refusing). Nodes with
    /// [`Fixed`](crate::Fixed) storage do not tell.
    Refusing {
        /// Whose messages.
        peer: NodeId,
        /// Why the last one was refused.
        reason: Rejected,
    },
    /// Every read with an id up to `through` may be answered from what was applied so far, linearizably.
    Read {
        /// The last id.
        through: ReadId,
    },
    /// What became of commands that were [forwarded](crate::Raft::forward): these, one after the other, had the same end.
    Forwarded {
        /// The first.
        first: ForwardId,
        /// How many.
        count: u64,
        /// Their end.
        end: Forwarded,
    },
    /// An entry did not fit into the log: a command of this node or of a follower, a change of the
    /// members, a leader's entry at a follower, or the blank one that a new leader must begin its
    /// term with. Make room: take a snapshot, and call
    /// [`snapshot_taken`](crate::Raft::snapshot_taken) with the applied index as the compacted. If
    /// nothing was applied since the last one, there is nothing to do: the event comes again with
    /// the next entry that does not fit.
    LogFull,
    /// A peer lost entries that it had acknowledged to this leader: it refuses, in an answer to a
    /// message that was sent after the acknowledgement, an entry that it had reported as durable.
    /// Its disk was erased, replaced by an older copy, or cut short. It has lost its votes as well,
    /// so it may vote twice in a term, and nothing it says can be relied upon: the Raft thesis
    /// (3.8) assumes that disks forget nothing.
    ///
    /// For the rest of its term this leader counts the peer for no commit and no read, and sends it
    /// heartbeats only; what is committed stays committed. [`Progress::lost`](crate::Progress::lost)
    /// shows it for as long. The next leader does not know of it, and replicates to the peer again.
    /// Remove the peer ([`Change::Remove`](crate::Change::Remove)), and let the node come back with
    /// an empty disk under a new id. Told once per occurrence.
    PeerLostEntries {
        /// Who.
        peer: NodeId,
        /// The last index that it had acknowledged.
        acknowledged: Index,
    },
    /// A peer needs the snapshot that covers `index`, from `offset` on: answer with
    /// [`send_snapshot`](crate::Raft::send_snapshot) (the offset is what the peer says: it may be beyond the end), with that snapshot or, at offset 0, the newest one. It is asked again
    /// with every heartbeat until it is answered.
    SnapshotWanted {
        /// Who needs it.
        to: NodeId,
        /// The last index the snapshot covers.
        index: Index,
        /// Where to go on, in bytes.
        offset: u64,
        /// How many bytes a part may have.
        max_len: usize,
    },
    /// A follower needs a snapshot that covers at least `index`, and the newest here is older: take one (see
    /// [`snapshot_taken`](crate::Raft::snapshot_taken)). It is asked for again until there is one.
    SnapshotDue {
        /// The least index.
        index: Index,
    },
    /// A part of a snapshot from the leader: write it at `offset`; offset 0 begins anew and discards what came before. When
    /// `done`, make the whole durable, load it and call [`snapshot_installed`](crate::Raft::snapshot_installed) (or
    /// [`snapshot_refused`](crate::Raft::snapshot_refused) if it is damaged).
    SnapshotChunk {
        /// The last index the snapshot covers.
        index: Index,
        /// The term of the entry there.
        index_term: Term,
        /// Where the part belongs, in bytes.
        offset: u64,
        /// The part.
        data: &'a [u8],
        /// The snapshot ends with this part.
        done: bool,
    },
    /// The machine stopped itself and takes no further part.
    Fatal(Fatal),
}
