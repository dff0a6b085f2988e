use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

/// Where a [`Migration`](super::Migration) keeps its hand-overs and their buffers: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same and give the same errors; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List};

    pub trait Kinds {
        /// Bytes of a chunk and of a cursor; `None` where the configuration says.
        const CHUNK: Option<usize>;
        const CURSOR: Option<usize>;
        type Members<T: Clone + PartialEq + Eq + Hash + Debug>: List<T>
            + Clone
            + PartialEq
            + Eq
            + Hash
            + Debug;
        type Handovers<T: Clone + PartialEq + Eq + Hash + Debug>: List<T>
            + Clone
            + PartialEq
            + Eq
            + Hash
            + Debug;
        type Buffer: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        type Cursor: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(super) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | when it is full | RAM for each |
/// |---|---|---|---|
/// | `MEMBERS` | members, this node included | [`ConfigError::TooManyMembers`](super::ConfigError::TooManyMembers) | 96 bytes |
/// | `HANDOVERS` | hand-overs of each direction that are not [retired](super::Migration::retire) | [`BeginError::Full`](super::BeginError::Full); a source is refused | `3 * CHUNK + 4 * CURSOR + 512` bytes and four ranges |
/// | `CHUNK` | bytes of a chunk, and of the writes that wait to be forwarded | [`ProvideError::TooLong`](super::ProvideError::TooLong), [`ForwardError::Busy`](super::ForwardError::Busy) | |
/// | `CURSOR` | bytes that say where a chunk ended | [`ProvideError::TooLong`](super::ProvideError::TooLong) | |
///
/// and 256 bytes in all. `CHUNK` and `CURSOR` are the same on all nodes, or greater at those that take ranges.
///
/// ```
/// use quorate_ring::TokenRange;
/// use quorate_ring::migration::{Inline, Migration};
/// type Node = Migration<TokenRange, Inline<3, 2, 1024, 16>>;
/// assert!(size_of::<Node>() <= 256 + 3 * 96 + 2 * (3 * 1024 + 4 * 16 + 512 + 4 * 16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<
    const MEMBERS: usize,
    const HANDOVERS: usize,
    const CHUNK: usize,
    const CURSOR: usize,
>;

impl<const M: usize, const H: usize, const B: usize, const C: usize> Storage
    for Inline<M, H, B, C>
{
}

impl<const M: usize, const H: usize, const B: usize, const C: usize> Kinds for Inline<M, H, B, C> {
    const CHUNK: Option<usize> = Some(B);
    const CURSOR: Option<usize> = Some(C);
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, M>;
    type Handovers<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, H>;
    type Buffer = InlineList<u8, B>;
    type Cursor = InlineList<u8, C>;
}

#[cfg(feature = "alloc")]
impl Storage for crate::Heap {}

#[cfg(feature = "alloc")]
impl Kinds for crate::Heap {
    const CHUNK: Option<usize> = None;
    const CURSOR: Option<usize> = None;
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = quorate_core::HeapList<T>;
    type Handovers<T: Clone + PartialEq + Eq + Hash + Debug> = quorate_core::HeapList<T>;
    type Buffer = quorate_core::HeapList<u8>;
    type Cursor = quorate_core::HeapList<u8>;
}
