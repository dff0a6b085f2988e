use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

/// Where a clock keeps its lists, and how long they get: [`Inline`] or `Heap`.
///
/// A type with two kinds of lists takes two of these, so that each gets its own length.
pub trait Storage: Clone + Copy + PartialEq + Eq + Hash + Debug + sealed::Sealed {
    /// A bounded list of this storage.
    type List<T: Element>: List<T> + Clone + PartialEq + Eq + Hash + Debug;

    /// The limit of a list that is made without naming one.
    const LIMIT: usize;
}

/// What lists may hold: plain values that can be compared. Implemented for everything that can.
pub trait Element: Clone + Eq + Hash + Debug {}

impl<T: Clone + Eq + Hash + Debug> Element for T {}

#[allow(unnameable_types)] // the two choices are all there is
mod sealed {
    pub trait Sealed {}
}

/// At most `N` elements inside the value itself: no heap. An entry of a clock takes 24 bytes, a run of dots 32.
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
}

impl<const N: usize> sealed::Sealed for Inline<N> {}

/// On the heap, up to a limit chosen when the clock is made; 1024 unless told.
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
}

#[cfg(feature = "alloc")]
impl sealed::Sealed for Heap {}
