use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

/// Where a [`Register`](super::Register) keeps its members, keys, values and requests: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same and give the same errors; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List};

    pub trait Kinds {
        /// Bytes of a key and of a value; `None` where the configuration says.
        const KEY: Option<usize>;
        const VALUE: Option<usize>;
        type Members<T: Clone + PartialEq + Eq + Hash + Debug>: List<T>
            + Clone
            + PartialEq
            + Eq
            + Hash
            + Debug;
        type Cells<T: Clone + PartialEq + Eq + Hash + Debug>: List<T>
            + Clone
            + PartialEq
            + Eq
            + Hash
            + Debug;
        type Requests<T: Clone + PartialEq + Eq + Hash + Debug>: List<T>
            + Clone
            + PartialEq
            + Eq
            + Hash
            + Debug;
        type Key: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        type Value: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(crate) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | when it is full |
/// |---|---|---|
/// | `MEMBERS` | nodes, this one included; those that leave count until they have left | [`ConfigError::TooManyMembers`](crate::ConfigError::TooManyMembers), [`StepError::TooManyMembers`](super::StepError::TooManyMembers) |
/// | `KEYS` | keys; those that are deleted count until they are collected | [`SubmitError::NoRoom`](super::SubmitError::NoRoom); of another node: [`Rejected::Full`](quorate_core::Rejected::Full) |
/// | `REQUESTS` | requests of the application of this node at a time | [`SubmitError::Busy`](super::SubmitError::Busy) |
/// | `KEY`, `VALUE` | bytes of a key and of a value; the same on all nodes | [`SubmitError::TooLong`](super::SubmitError::TooLong) |
///
/// ```
/// use quorate_paxos::register::{Inline, Register};
/// type Small = Register<Inline<3, 8, 2, 8, 16>>;
/// assert!(size_of::<Small>() <= 700 + 3 * 160 + 8 * (180 + 8 + 16) + 2 * (230 + 8 + 2 * 16) + 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<
    const MEMBERS: usize,
    const KEYS: usize,
    const REQUESTS: usize,
    const KEY: usize,
    const VALUE: usize,
>;

impl<const M: usize, const K: usize, const R: usize, const KEY: usize, const VALUE: usize> Storage
    for Inline<M, K, R, KEY, VALUE>
{
}

impl<const M: usize, const K: usize, const R: usize, const KEY: usize, const VALUE: usize> Kinds
    for Inline<M, K, R, KEY, VALUE>
{
    const KEY: Option<usize> = Some(KEY);
    const VALUE: Option<usize> = Some(VALUE);
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, M>;
    type Cells<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, K>;
    type Requests<T: Clone + PartialEq + Eq + Hash + Debug> = InlineList<T, R>;
    type Key = InlineList<u8, KEY>;
    type Value = InlineList<u8, VALUE>;
}

/// Everything on the heap; the limits are those of the configuration.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    const KEY: Option<usize> = None;
    const VALUE: Option<usize> = None;
    type Members<T: Clone + PartialEq + Eq + Hash + Debug> = quorate_core::HeapList<T>;
    type Cells<T: Clone + PartialEq + Eq + Hash + Debug> = quorate_core::HeapList<T>;
    type Requests<T: Clone + PartialEq + Eq + Hash + Debug> = quorate_core::HeapList<T>;
    type Key = quorate_core::HeapList<u8>;
    type Value = quorate_core::HeapList<u8>;
}
