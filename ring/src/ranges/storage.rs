use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List, NodeId};

use super::table::Entry;

/// Where [`Ranges`](super::Ranges) keeps its boundaries and nodes: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same and give the same errors; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Entry, Hash, List, NodeId};

    pub trait Kinds {
        type Key: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        type Nodes: List<NodeId> + Clone + PartialEq + Eq + Hash + Debug;
        type Entries: List<Entry<Self::Key, Self::Nodes>> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(super) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `RANGES` | ranges | memory | [`RangeError::Full`](super::RangeError::Full) | `KEY_BYTES + 8 * NODES + 16` bytes |
/// | `KEY_BYTES` | bytes of a boundary | memory | [`RangeError::KeyTooLong`](super::RangeError::KeyTooLong) | |
/// | `NODES` | nodes of a range | 32 | [`RangeError::TooManyNodes`](super::RangeError::TooManyNodes) | |
///
/// ```
/// use quorate_ring::ranges::{Inline, Ranges};
/// assert!(size_of::<Ranges<Inline<16, 8, 3>>>() <= 32 + 16 * (8 + 8 * 3 + 16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const RANGES: usize, const KEY_BYTES: usize, const NODES: usize>;

impl<const R: usize, const K: usize, const N: usize> Storage for Inline<R, K, N> {}

impl<const R: usize, const K: usize, const N: usize> Kinds for Inline<R, K, N> {
    type Key = InlineList<u8, K>;
    type Nodes = InlineList<NodeId, N>;
    type Entries = InlineList<Entry<Self::Key, Self::Nodes>, R>;
}

#[cfg(feature = "alloc")]
impl Storage for crate::Heap {}

#[cfg(feature = "alloc")]
impl Kinds for crate::Heap {
    type Key = quorate_core::HeapList<u8>;
    type Nodes = quorate_core::HeapList<NodeId>;
    type Entries = quorate_core::HeapList<Entry<Self::Key, Self::Nodes>>;
}
