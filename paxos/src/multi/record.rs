use quorate_core::wire;

use super::Slot;
use crate::Ballot;

wire! {
    /// What a node keeps on disk.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Record<'a> {
        /// The node is one of a new cluster, and not one whose disk was erased.
        0 => Founded {
            /// A digest of the members and their quorums.
            members: u64,
        },
        /// An acceptor's promise.
        1 => Promised {
            /// The ballot.
            ballot: Ballot,
        },
        /// An acceptor's votes. They promise their ballot, too.
        2 => Accepted {
            /// The slot of the first entry.
            first: Slot,
            /// The ballot of all of them; none for what was learned to be chosen.
            ballot: Ballot,
            /// All slots up to here are chosen, at most the last of the entries.
            commit: Slot,
            /// Entries, one slot after the other.
            entries: &'a [u8],
        },
        /// The application has a durable snapshot, and the log begins after `compacted`.
        3 => Snapshot {
            /// The last slot that the snapshot covers.
            slot: Slot,
            /// The slot just before the log's first, at most `slot`.
            compacted: Slot,
        },
    }
}
