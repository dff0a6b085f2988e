use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

/// Where a list is kept, and how long it gets: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both give the same errors when they are full; what differs is where the memory is. A type with
/// several lists takes one of these for each, so that each gets its own length:
///
/// | parameter | its list holds |
/// |---|---|
/// | `S` | what the type is a collection of, where the others have names: elements, values, entries |
/// | `A` | actors (members, servers, replicas and their former incarnations) |
/// | `G` | runs of dots beyond a gap |
/// | `M` | messages |
/// | `B` | bytes of a payload |
/// | `P` | peers |
/// | `L` | bytes of a log of deltas |
///
/// The type's documentation says what each takes.
pub trait Storage: Clone + Copy + PartialEq + Eq + Hash + Debug + sealed::Kinds {
    /// A bounded list of this storage.
    type List<T: Element>: List<T> + Clone + PartialEq + Eq + Hash + Debug;

    /// The limit of a list that is made without naming one.
    const LIMIT: usize;

    /// Whether a list takes [`LIMIT`](Self::LIMIT) elements, whatever limit it is made with.
    const FIXED: bool;
}

/// What lists may hold: plain values that can be compared. Implemented for everything that can.
pub trait Element: Clone + Eq + Hash + Debug {}

impl<T: Clone + Eq + Hash + Debug> Element for T {}

#[allow(unnameable_types)] // the two choices are all there is
mod sealed {
    pub trait Kinds {}
}

/// Everything inside the value: no heap.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `N` | elements of the list | what memory allows | an error `Full`, the value unchanged | 24 bytes for an actor of a clock, 32 for a run of dots, else the element |
///
/// and 8 bytes for each list.
///
/// ```
/// use quorate_clocks::{Inline, VersionVector};
/// assert!(size_of::<VersionVector<Inline<8>>>() <= 8 * 24 + 8);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const N: usize>;

impl<const N: usize> Storage for Inline<N> {
    type List<T: Element> = InlineList<T, N>;
    const LIMIT: usize = N;
    const FIXED: bool = true;
}

impl<const N: usize> sealed::Kinds for Inline<N> {}

/// Everything on the heap: at most so many elements as the limit that is chosen when the value is made, 1024 unless told, with the
/// same errors beyond; RAM for each as with [`Inline`], and up to twice that while a list grows.
///
/// ```
/// use quorate_clocks::{Heap, VersionVector};
/// assert_eq!(VersionVector::<Heap>::new().limit(), 1024);
/// assert_eq!(VersionVector::<Heap>::with_limit(5).limit(), 5);
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {
    type List<T: Element> = quorate_core::HeapList<T>;
    const LIMIT: usize = 1024;
    const FIXED: bool = false;
}

#[cfg(feature = "alloc")]
impl sealed::Kinds for Heap {}
