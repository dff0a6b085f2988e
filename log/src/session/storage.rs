use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List};

use super::table::{Session, StoredResponse};

/// Where a table of sessions is stored: [`Inline`] in the value, or `Heap`. Sealed: these are all
/// there are.
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
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `SESSIONS` | sessions at a time | what memory allows | as [`WhenFull`](super::WhenFull) says | 48 bytes and the responses |
/// | `WINDOW` | responses stored for each session | 64 | [`SessionError::WindowExceeded`](super::SessionError::WindowExceeded) | `RESPONSE_BYTES` rounded up to a multiple of 8, and 24 |
/// | `RESPONSE_BYTES` | bytes of a response | what memory allows | [`Response::ResponseDropped`](super::Response::ResponseDropped) | 1 byte |
///
/// and 72 bytes in all, together `SESSIONS * (48 + WINDOW * (RESPONSE_BYTES + 24)) + 72`. A
/// [`Config`](super::Config) beyond these is refused.
///
/// ```
/// use quorate_log::session::{Inline, Sessions};
/// // eight boards that each wait for one response of at most 16 bytes
/// assert!(size_of::<Sessions<Inline<8, 1, 16>>>() <= 8 * (48 + 16 + 24) + 72);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const SESSIONS: usize, const WINDOW: usize, const RESPONSE_BYTES: usize>;

impl<const SESSIONS: usize, const WINDOW: usize, const RESPONSE_BYTES: usize> Storage
    for Inline<SESSIONS, WINDOW, RESPONSE_BYTES>
{
}

impl<const SESSIONS: usize, const WINDOW: usize, const RESPONSE_BYTES: usize> Kinds
    for Inline<SESSIONS, WINDOW, RESPONSE_BYTES>
{
    type Bytes = InlineList<u8, RESPONSE_BYTES>;
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
