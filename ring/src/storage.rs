use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

use crate::Member;
use crate::bounded::Held;
use crate::jump::Bucket;
use crate::slots::SlotRun;
use crate::topology::Entry;

/// Where a placement keeps its members and points: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same and give the same errors; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Bucket, Debug, Entry, Hash, Held, List, Member, SlotRun};

    pub trait Kinds {
        type Members: List<Member> + Clone + PartialEq + Eq + Hash + Debug;
        type Seeds: List<u64> + Clone + PartialEq + Eq + Hash + Debug;
        type Tokens: List<u64> + Clone + PartialEq + Eq + Hash + Debug;
        type Entries: List<Entry> + Clone + PartialEq + Eq + Hash + Debug;
        type Held: List<Held> + Clone + PartialEq + Eq + Hash + Debug;
        type Buckets: List<Bucket> + Clone + PartialEq + Eq + Hash + Debug;
        type Runs: List<SlotRun> + Clone + PartialEq + Eq + Hash + Debug;
        type Owners: List<u16> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(crate) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `MEMBERS` | members | 65,535 | [`MemberError::Full`](crate::MemberError::Full) | 16 bytes; 24 in [`Rendezvous`](crate::Rendezvous), 32 in [`Bounded`](crate::Bounded), 40 in [`Topology`](crate::topology::Topology), none in [`Jump`](crate::Jump) |
/// | `POINTS` | points of all members of a [`HashRing`](crate::HashRing) or [`Bounded`](crate::Bounded) | `MEMBERS` × 65,535 | the same | 10 bytes |
/// | | buckets of a [`Jump`](crate::Jump): the sum of the weights | 2^24 | the same | 16 bytes |
/// | | runs of [`Slots`](crate::Slots): neighbouring slots of one owner | 16,384 | the same | 24 bytes |
///
/// The other placements have no use for `POINTS`: leave it out.
///
/// ```
/// use quorate_ring::{HashRing, Inline};
/// assert!(size_of::<HashRing<Inline<8, 256>>>() <= 96 + 16 * 8 + 10 * 256);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const MEMBERS: usize, const POINTS: usize = 0>;

impl<const MEMBERS: usize, const POINTS: usize> Storage for Inline<MEMBERS, POINTS> {}

impl<const MEMBERS: usize, const POINTS: usize> Kinds for Inline<MEMBERS, POINTS> {
    type Members = InlineList<Member, MEMBERS>;
    type Seeds = InlineList<u64, MEMBERS>;
    type Tokens = InlineList<u64, POINTS>;
    type Entries = InlineList<Entry, MEMBERS>;
    type Held = InlineList<Held, MEMBERS>;
    type Buckets = InlineList<Bucket, POINTS>;
    type Runs = InlineList<SlotRun, POINTS>;
    type Owners = InlineList<u16, POINTS>;
}

/// Everything on the heap, up to the limits that the placement is made with. RAM for each is that of [`Inline`], and up to twice as much
/// after additions one by one, as lists grow by doubling.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    type Members = quorate_core::HeapList<Member>;
    type Seeds = quorate_core::HeapList<u64>;
    type Tokens = quorate_core::HeapList<u64>;
    type Entries = quorate_core::HeapList<Entry>;
    type Held = quorate_core::HeapList<Held>;
    type Buckets = quorate_core::HeapList<Bucket>;
    type Runs = quorate_core::HeapList<SlotRun>;
    type Owners = quorate_core::HeapList<u16>;
}
