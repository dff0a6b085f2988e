use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

use super::table::{Session, StoredResponse};

/// Where a table of sessions is stored: [`Inline`] or `Heap`.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List, Session, StoredResponse};

    pub trait Kinds {
        type Bytes: List<u8> + Clone + PartialEq + Eq + Hash + Debug;
        type Responses: List<StoredResponse<Self::Bytes>> + Clone + PartialEq + Eq + Hash + Debug;
        type Sessions: List<Session<Self::Responses>> + Clone + PartialEq + Eq + Hash + Debug;
    }
}

pub(super) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// At most `SESSIONS` sessions, a window of `WINDOW` commands and responses of `BYTES` bytes. RAM,
/// at most, with `BYTES` rounded up to a multiple of 8: `SESSIONS * (48 + WINDOW * (BYTES + 24)) +
/// 72` bytes.
///
/// ```
/// use quorate_log::session::{Inline, Sessions};
/// // eight boards that each wait for one response of at most 16 bytes
/// assert!(size_of::<Sessions<Inline<8, 1, 16>>>() <= 8 * (48 + 16 + 24) + 72);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const SESSIONS: usize, const WINDOW: usize, const BYTES: usize>;

impl<const SESSIONS: usize, const WINDOW: usize, const BYTES: usize> Storage
    for Inline<SESSIONS, WINDOW, BYTES>
{
}

impl<const SESSIONS: usize, const WINDOW: usize, const BYTES: usize> Kinds
    for Inline<SESSIONS, WINDOW, BYTES>
{
    type Bytes = InlineList<u8, BYTES>;
    type Responses = InlineList<StoredResponse<Self::Bytes>, WINDOW>;
    type Sessions = InlineList<Session<Self::Responses>, SESSIONS>;
}

#[cfg(feature = "alloc")]
impl Storage for crate::Heap {}

#[cfg(feature = "alloc")]
impl Kinds for crate::Heap {
    type Bytes = quorate_core::HeapList<u8>;
    type Responses = quorate_core::HeapList<StoredResponse<Self::Bytes>>;
    type Sessions = quorate_core::HeapList<Session<Self::Responses>>;
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::Heap;

    /// What `Sessions` and README.md say of the heap, on machines of 64 bits.
    #[test]
    fn heap_usage_is_as_documented() {
        if size_of::<usize>() == 8 {
            assert_eq!(size_of::<Session<<Heap as Kinds>::Responses>>(), 72);
            assert_eq!(size_of::<StoredResponse<<Heap as Kinds>::Bytes>>(), 48);
            assert_eq!(size_of::<crate::session::Sessions<Heap>>(), 88);
        }
    }
}
