use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

/// Where a machine keeps its members and values: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same and give the same errors; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List};

    /// Where lists of members are.
    pub trait Lists {
        type Members<T: Clone + PartialEq + Eq + Hash + Debug>: List<T>
            + Clone
            + PartialEq
            + Eq
            + Hash
            + Debug;
    }

    pub trait Kinds: Lists {
        /// Bytes of a value; `None` where the configuration says.
        const VALUE: Option<usize>;
        type Value: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(crate) use sealed::{Kinds, Lists};

/// Everything inside the value: no heap.
///
/// | parameter | unit | when it is full |
/// |---|---|---|
/// | `MEMBERS` | members, this node included | [`ConfigError::TooManyMembers`](crate::ConfigError::TooManyMembers) |
/// | `VALUE` | bytes of a value; the same on all nodes | [`ProposeError::TooLong`](crate::ProposeError::TooLong); a longer one of another node is refused |
///
/// ```
/// use quorate_paxos::{Inline, synod::{Acceptor, Synod}};
/// assert!(size_of::<Acceptor<Inline<3, 16>>>() <= 256 + 80 * 3 + 16);
/// assert!(size_of::<Synod<Inline<3, 16>>>() <= 640 + 120 * 3 + 4 * 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const MEMBERS: usize, const VALUE: usize>;

impl<const MEMBERS: usize, const VALUE: usize> Storage for Inline<MEMBERS, VALUE> {}

impl<const MEMBERS: usize, const VALUE: usize> Lists for Inline<MEMBERS, VALUE> {
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, MEMBERS>;
}

impl<const MEMBERS: usize, const VALUE: usize> Kinds for Inline<MEMBERS, VALUE> {
    const VALUE: Option<usize> = Some(VALUE);
    type Value = InlineList<u8, VALUE>;
}

/// Everything on the heap; the limits are those of the configuration.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Lists for Heap {
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = quorate_core::HeapList<T>;
}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    const VALUE: Option<usize> = None;
    type Value = quorate_core::HeapList<u8>;
}
