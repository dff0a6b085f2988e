use quorate_core::{Quorums, wire};

use super::{Ballots, Members, Slot};
use crate::Ballot;

wire! {
    /// What a node keeps on disk.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Record<'a> {
        /// The node is one of a new cluster, and not one whose disk was erased.
        0 => Founded {
            /// A digest of the founders and their quorums; 0 on a node that [joined](super::MultiPaxos::join) them.
            members: u64,
        },
        /// An acceptor's promise.
        1 => Promised {
            /// The ballot.
            ballot: Ballot,
        },
        /// An acceptor's votes: what the slots of these entries have from now on. Votes in the highest ballot promise it, too; those in lower
        /// ones than were promised are of other acceptors, and were told to this node when it was a candidate.
        2 => Accepted {
            /// The slot of the first entry.
            first: Slot,
            /// The ballot of the votes from there on; none for what was learned to be chosen, or where there is no vote.
            ballot: Ballot,
            /// The ballots of the votes from later slots on.
            then: Ballots<'a>,
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
        /// The configuration as of a snapshot that was received, and that a later [`Snapshot`](Self::Snapshot) names if it was installed. For a
        /// snapshot that this node took, its log tells.
        4 => Configuration {
            /// The last slot that the snapshot covers.
            slot: Slot,
            /// The number of the configuration; 0 where it is the founders', which are not listed.
            number: u64,
            /// The quorums of its acceptors.
            quorums: Quorums,
            /// Its members.
            members: Members<'a>,
        },
    }
}
