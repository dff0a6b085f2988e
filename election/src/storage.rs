use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List, NodeId};

use crate::ring::{OutstandingHop, SeenAttempt};

/// Where an election keeps its member list: [`Inline`] or `Heap`.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Lists {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List, NodeId};
    use crate::ring::{OutstandingHop, SeenAttempt};

    pub trait Lists {
        type Ids: List<NodeId> + Clone + PartialEq + Eq + Hash + Debug;
        type SeenAttempts: List<SeenAttempt> + Clone + PartialEq + Eq + Hash + Debug;
        type OutstandingHops: List<OutstandingHop> + Clone + PartialEq + Eq + Debug;
    }
}

pub(crate) use sealed::Lists;

/// At most `MEMBERS` members inside the value itself: no heap.
///
/// ```
/// use quorate_election::{Bully, Inline, Ring, ring::Collecting};
/// assert!(size_of::<Bully<Inline<5>>>() <= 304 + 8 * 5);
/// assert!(size_of::<Ring<Collecting, Inline<5>>>() <= 248 + 64 * 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const MEMBERS: usize>;

impl<const MEMBERS: usize> Storage for Inline<MEMBERS> {}

impl<const MEMBERS: usize> Lists for Inline<MEMBERS> {
    type Ids = InlineList<NodeId, MEMBERS>;
    type SeenAttempts = InlineList<SeenAttempt, MEMBERS>;
    type OutstandingHops = InlineList<OutstandingHop, MEMBERS>;
}

/// The member list on the heap.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Lists for Heap {
    type Ids = quorate_core::HeapList<NodeId>;
    type SeenAttempts = quorate_core::HeapList<SeenAttempt>;
    type OutstandingHops = quorate_core::HeapList<OutstandingHop>;
}
