use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};
#[cfg(feature = "alloc")]
use quorate_log::Heap;
use quorate_log::InlineLog;

use crate::entry::Header;
use crate::extras::{Errand, Extra, With};
use crate::log::Log;
use crate::member::Encoded;
use crate::peer::Peer;

/// Where a Raft node keeps its log, its peers and the one chunk of a snapshot it holds: [`Inline`] or [`Fixed`] in the value, or `Heap`.
///
/// Sealed: these are all there are. All give the same errors when they are full; what differs is where the memory is, and that [`Fixed`] leaves
/// out what clusters with the same members for ever do without.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Encoded, Extra, Hash, Header, List, Log, Peer};

    pub trait Kinds {
        type Log: Log<Header = Header>;
        type Peers: List<Peer> + Clone + PartialEq + Eq + Hash + Debug;
        type Chunk: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        /// Whether the members of the cluster may change.
        const CHANGES: bool;
        /// Bytes the log holds at most; as many as configured where that is the greatest number.
        const LOG_BYTES: usize;
        /// Bytes of entries that lie one after the other at most, besides a single entry.
        const RUN_BYTES: usize;
        /// Bytes of a snapshot part at most.
        const PART_BYTES: usize;
        /// Members at most; as many as configured where that is the greatest number.
        const MEMBERS: usize;
        type Members: List<Encoded> + Clone + PartialEq + Eq + Hash + Debug;
        /// The founders, where they may be others than the members.
        type Founders: List<Encoded> + Clone + PartialEq + Eq + Hash + Debug;
        /// What goes beyond the bare protocol.
        type Extra: Extra;
    }
}

pub(crate) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `MEMBERS` | members: voters, learners and witnesses | what memory allows | [`ConfigError::TooManyMembers`](crate::ConfigError::TooManyMembers), [`ChangeError::TooMany`](crate::ChangeError::TooMany) | 256 bytes |
/// | `LOG_BYTES` | bytes of encoded entries; a command takes its length and 2 to 20 more | `u32::MAX` | [`ProposeError::LogFull`](crate::ProposeError::LogFull) and [`Event::LogFull`](crate::Event::LogFull) | 1 byte |
/// | `LOG_ENTRIES` | entries in the log | what memory allows | as for `LOG_BYTES` | 4 bytes |
/// | `CHUNK_BYTES` | bytes of a snapshot chunk, or of forwarded commands | what a frame carries | [`SnapshotError::Chunk`](crate::SnapshotError::Chunk); a longer one of a peer is refused | 1 byte |
///
/// and 1480 bytes in all. Leaders that fail one after the other before anything is committed leave an entry each, if the next one has it, and
/// a log that is full of those takes no leader any more: so `LOG_ENTRIES` should be far above the number of commands that are under way.
///
/// ```
/// use quorate_raft::{Inline, Raft};
/// type Board = Raft<Inline<3, 4096, 128, 256>>;
/// assert!(size_of::<Board>() <= 4096 + 4 * 128 + 256 + 3 * 256 + 1480);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
>;

impl<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
> Storage for Inline<MEMBERS, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>
{
}

impl<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
> Kinds for Inline<MEMBERS, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>
{
    type Log = InlineLog<Header, LOG_BYTES, LOG_ENTRIES>;
    type Peers = InlineList<Peer, MEMBERS>;
    type Chunk = InlineList<u8, CHUNK_BYTES>;
    const CHANGES: bool = true;
    const LOG_BYTES: usize = LOG_BYTES;
    const RUN_BYTES: usize = LOG_BYTES;
    const PART_BYTES: usize = CHUNK_BYTES;
    const MEMBERS: usize = MEMBERS;
    type Members = InlineList<Encoded, MEMBERS>;
    type Founders = InlineList<Encoded, MEMBERS>;
    type Extra = With<InlineList<Errand, MEMBERS>>;
}

/// As [`Inline`], for a cluster whose members never change and all vote: 192 bytes a member and 896 in all besides the content, and less code. The smallest
/// program on a Cortex-M4F (`thumbv7em-none-eabihf`, `opt-level = "z"`) takes <!-- size: thumbv7em-none-eabihf raft code -->24.5 KB,
/// with [`Inline`] <!-- size: thumbv7em-none-eabihf raft_inline code -->45.3 KB.
///
/// Such a node refuses entries that change the members, and hears nobody but those that [`Raft::new`](crate::Raft::new) is given. It
/// takes reads and commands only as the leader, and answers no follower that would hand it some. Appends that are lost are sent again as
/// long as they were: check at compile time that the transport takes [`Raft::max_message_len`](crate::Raft::max_message_len).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fixed<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
>;

impl<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
> Storage for Fixed<MEMBERS, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>
{
}

impl<
    const MEMBERS: usize,
    const LOG_BYTES: usize,
    const LOG_ENTRIES: usize,
    const CHUNK_BYTES: usize,
> Kinds for Fixed<MEMBERS, LOG_BYTES, LOG_ENTRIES, CHUNK_BYTES>
{
    type Log = InlineLog<Header, LOG_BYTES, LOG_ENTRIES>;
    type Peers = InlineList<Peer, MEMBERS>;
    type Chunk = InlineList<u8, CHUNK_BYTES>;
    const CHANGES: bool = false;
    const LOG_BYTES: usize = LOG_BYTES;
    const RUN_BYTES: usize = LOG_BYTES;
    const PART_BYTES: usize = CHUNK_BYTES;
    const MEMBERS: usize = MEMBERS;
    type Members = InlineList<Encoded, MEMBERS>;
    type Founders = InlineList<Encoded, 0>;
    type Extra = ();
}

/// Everything on the heap: at most what [`Config`](crate::Config) says (`max_members`, `max_log_bytes`, `max_snapshot_chunk_bytes`), with the same
/// errors beyond. RAM grows with what is there.
#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    type Log = quorate_log::HeapLog<Header>;
    type Peers = quorate_core::HeapList<Peer>;
    type Chunk = quorate_core::HeapList<u8>;
    const CHANGES: bool = true;
    const LOG_BYTES: usize = usize::MAX;
    const RUN_BYTES: usize = quorate_log::MAX_RUN_LEN;
    const PART_BYTES: usize = usize::MAX;
    const MEMBERS: usize = usize::MAX;
    type Members = quorate_core::HeapList<Encoded>;
    type Founders = quorate_core::HeapList<Encoded>;
    type Extra = With<quorate_core::HeapList<Errand>>;
}
