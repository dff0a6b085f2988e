use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

use crate::Member;
use crate::log::{InlineLog, Log};
use crate::peer::Peer;

/// Where a Raft node keeps its log, its peers and the one part of a snapshot it holds: [`Inline`] or `Heap`.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List, Log, Member, Peer};

    pub trait Kinds {
        type Log: Log;
        type Peers: List<Peer> + Clone + PartialEq + Eq + Hash + Debug;
        type Part: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        type Members: List<Member> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(crate) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// At most `MEMBERS` nodes (voters, learners and witnesses), `BYTES` bytes of encoded entries (a command takes its length and 2 to 20 bytes more), `ENTRIES`
/// entries and snapshot parts of `PART` bytes. RAM: `BYTES + 4 * ENTRIES + PART`, 192 bytes a member, and
/// 832.
///
/// ```
/// use quorate_raft::{Inline, Raft};
/// type Board = Raft<Inline<3, 4096, 128, 256>>;
/// assert!(size_of::<Board>() <= 4096 + 4 * 128 + 256 + 3 * 192 + 832);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const MEMBERS: usize, const BYTES: usize, const ENTRIES: usize, const PART: usize>;

impl<const MEMBERS: usize, const BYTES: usize, const ENTRIES: usize, const PART: usize> Storage
    for Inline<MEMBERS, BYTES, ENTRIES, PART>
{
}

impl<const MEMBERS: usize, const BYTES: usize, const ENTRIES: usize, const PART: usize> Kinds
    for Inline<MEMBERS, BYTES, ENTRIES, PART>
{
    type Log = InlineLog<BYTES, ENTRIES>;
    type Peers = InlineList<Peer, MEMBERS>;
    type Part = InlineList<u8, PART>;
    type Members = InlineList<Member, MEMBERS>;
}

/// The log and the rest on the heap, bounded by the limits in [`Config`](crate::Config).
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    type Log = crate::log::HeapLog;
    type Peers = quorate_core::HeapList<Peer>;
    type Part = quorate_core::HeapList<u8>;
    type Members = quorate_core::HeapList<Member>;
}
