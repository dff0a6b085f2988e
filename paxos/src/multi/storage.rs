use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};
use quorate_log::{InlineLog, Log};

use super::configuration;
use super::entry::Header;
use super::runs::Encoded;
use crate::storage::Lists;

/// Where a node keeps its log, its members and the one chunk of a snapshot that it holds: [`Inline`] in the value, or
/// [`Heap`](crate::Heap).
///
/// Sealed: these are all there are. Both give the same errors when they are full; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Encoded, Hash, Header, List, Lists, Log, configuration};

    pub trait Kinds: Lists {
        type Log: Log<Header = Header>;
        type Runs: List<Encoded> + Clone + PartialEq + Eq + Hash + Debug;
        type Chunk: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        /// Whether the members may change.
        const CHANGES: bool;
        /// Members at most; as many as configured where that is the greatest number.
        const MEMBERS: usize;
        /// The members of a configuration, encoded.
        type Configuration: List<configuration::Encoded> + Clone + PartialEq + Eq + Hash + Debug;
        /// Bytes that the log holds; as many as configured where that is the greatest number.
        const LOG_BYTES: usize;
        /// Bytes of entries that lie one after the other at most, besides a single entry.
        const RUN_BYTES: usize;
        /// Runs of ballots at most.
        const RUNS: usize;
        /// Bytes of a part of a snapshot at most.
        const CHUNK_BYTES: usize;
    }
}

pub(super) use sealed::Kinds;

/// Runs of ballots that an inline log has room for: votes make two less at most.
const RUNS: usize = 18;

/// Runs of ballots that a log on the heap has room for.
pub(super) const MOST_RUNS: usize = 4096;

/// Everything inside the value: no heap.
///
/// | parameter | unit | when it is full | RAM for each |
/// |---|---|---|---|
/// | `MEMBERS` | members, learners included | [`ConfigError::TooManyMembers`](crate::ConfigError::TooManyMembers) | 272 bytes |
/// | `LOG_BYTES` | bytes of encoded entries; a command takes its length and 2 to 19 more | [`ProposeError::LogFull`](super::ProposeError::LogFull) and [`Event::LogFull`](super::Event::LogFull) | 1 byte |
/// | `LOG_ENTRIES` | entries in the log | as for `LOG_BYTES` | 4 bytes |
/// | `CHUNK_BYTES` | bytes of a chunk of a snapshot | [`SnapshotError::Chunk`](super::SnapshotError::Chunk); a longer one of a peer is refused | 1 byte |
///
/// While members change, there is room for the old and the new ones together.
///
/// There is room for votes in sixteen ballots among the slots that are not chosen. A node that has votes in so many, of as many leaders that
/// failed one after the other, takes an accept of the next one only if it covers all of the first run.
///
/// ```
/// use quorate_paxos::multi::{Inline, MultiPaxos};
/// type Board = MultiPaxos<Inline<3, 4096, 128, 256>>;
/// assert!(size_of::<Board>() <= 4096 + 4 * 128 + 256 + 3 * 272 + 1500);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
>;

impl<const M: usize, const B: usize, const E: usize, const C: usize> Storage
    for Inline<M, B, E, C>
{
}

impl<const M: usize, const B: usize, const E: usize, const C: usize> Lists for Inline<M, B, E, C> {
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, M>;
}

impl<const M: usize, const B: usize, const E: usize, const C: usize> Kinds for Inline<M, B, E, C> {
    type Log = InlineLog<Header, B, E>;
    type Runs = InlineList<Encoded, RUNS>;
    type Chunk = InlineList<u8, C>;
    const CHANGES: bool = true;
    const MEMBERS: usize = M;
    type Configuration = InlineList<configuration::Encoded, M>;
    const LOG_BYTES: usize = B;
    const RUN_BYTES: usize = B;
    const RUNS: usize = RUNS;
    const CHUNK_BYTES: usize = C;
}

/// As [`Inline`], for a cluster whose members never change: less memory, and less code. Such a node refuses stop-signs.
///
/// ```
/// use quorate_paxos::multi::{Fixed, MultiPaxos};
/// type Board = MultiPaxos<Fixed<3, 4096, 128, 256>>;
/// assert!(size_of::<Board>() <= 4096 + 4 * 128 + 256 + 3 * 248 + 1440);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fixed<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
>;

impl<const M: usize, const B: usize, const E: usize, const C: usize> Storage for Fixed<M, B, E, C> {}

impl<const M: usize, const B: usize, const E: usize, const C: usize> Lists for Fixed<M, B, E, C> {
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, M>;
}

impl<const M: usize, const B: usize, const E: usize, const C: usize> Kinds for Fixed<M, B, E, C> {
    type Log = InlineLog<Header, B, E>;
    type Runs = InlineList<Encoded, RUNS>;
    type Chunk = InlineList<u8, C>;
    const CHANGES: bool = false;
    const MEMBERS: usize = M;
    type Configuration = InlineList<configuration::Encoded, 0>;
    const LOG_BYTES: usize = B;
    const RUN_BYTES: usize = B;
    const RUNS: usize = RUNS;
    const CHUNK_BYTES: usize = C;
}

#[cfg(feature = "alloc")]
impl Storage for crate::Heap {}

#[cfg(feature = "alloc")]
impl Kinds for crate::Heap {
    type Log = quorate_log::HeapLog<Header>;
    type Runs = quorate_core::HeapList<Encoded>;
    type Chunk = quorate_core::HeapList<u8>;
    const CHANGES: bool = true;
    const MEMBERS: usize = usize::MAX;
    type Configuration = quorate_core::HeapList<configuration::Encoded>;
    const LOG_BYTES: usize = usize::MAX;
    const RUN_BYTES: usize = quorate_log::MAX_RUN_LEN;
    const RUNS: usize = MOST_RUNS;
    const CHUNK_BYTES: usize = usize::MAX;
}
