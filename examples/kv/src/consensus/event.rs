use quorate_core::{Fatal, NodeId, Rejected};
use quorate_log::{Index, ReadId};

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
