use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List, NodeId};

use crate::ring::{OutstandingHop, SeenAttempt};

/// Where an election keeps its members and what it knows of each: [`Inline`] in the value, or `Heap`.
///
/// Sealed: these are all there are. Both take the same members and give the same errors; what differs is where the memory is.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List, NodeId};
    use crate::ring::{OutstandingHop, SeenAttempt};

    pub trait Kinds {
        /// The most members.
        const MEMBERS: usize;
        type Ids: List<NodeId> + Clone + PartialEq + Eq + Hash + Debug;
        type SeenAttempts: List<SeenAttempt> + Clone + PartialEq + Eq + Hash + Debug;
        type OutstandingHops: List<OutstandingHop> + Clone + PartialEq + Eq + Debug;
    }
}

pub(crate) use sealed::Kinds;

/// Everything inside the value: no heap.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `MEMBERS` | members, this node included; of a ring also messages under way through one node | 32, [`MAX_MEMBERS`](crate::MAX_MEMBERS) | `new` gives [`ConfigError::TooManyMembers`](crate::ConfigError::TooManyMembers); a ring's message waits for its retransmission | 8 bytes for bully, 64 for a ring |
///
/// and 304 bytes in all for bully, 256 for a ring.
///
/// ```
/// use quorate_election::{Bully, Inline, Ring, ring::Collecting};
/// assert!(size_of::<Bully<Inline<5>>>() <= 304 + 8 * 5);
/// assert!(size_of::<Ring<Collecting, Inline<5>>>() <= 256 + 64 * 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inline<const MEMBERS: usize>;

impl<const MEMBERS: usize> Storage for Inline<MEMBERS> {}

impl<const MEMBERS: usize> Kinds for Inline<MEMBERS> {
    const MEMBERS: usize = MEMBERS;
    type Ids = InlineList<NodeId, MEMBERS>;
    type SeenAttempts = InlineList<SeenAttempt, MEMBERS>;
    type OutstandingHops = InlineList<OutstandingHop, MEMBERS>;
}

/// Everything on the heap: at most [`MAX_MEMBERS`](crate::MAX_MEMBERS) members, with the same error beyond; RAM for each as with [`Inline`].
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    const MEMBERS: usize = crate::MAX_MEMBERS;
    type Ids = quorate_core::HeapList<NodeId>;
    type SeenAttempts = quorate_core::HeapList<SeenAttempt>;
    type OutstandingHops = quorate_core::HeapList<OutstandingHop>;
}
