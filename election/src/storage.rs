use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::{InlineList, List, NodeId};

use crate::ring::{Lane, Parcel};

/// Where an election keeps its member list: [`Inline`] or `Heap`.
pub trait Storage: Clone + PartialEq + Eq + Hash + Debug + sealed::Kinds {}

#[allow(unnameable_types)] // sealed: the two choices are all there is
mod sealed {
    use super::{Debug, Hash, List, NodeId};
    use crate::ring::{Lane, Parcel};

    pub trait Kinds {
        type Ids: List<NodeId> + Clone + PartialEq + Eq + Hash + Debug;
        type Lanes: List<Lane> + Clone + PartialEq + Eq + Hash + Debug;
        type Parcels: List<Parcel> + Clone + PartialEq + Eq + Debug;
    }
}

pub(crate) use sealed::Kinds;

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

impl<const MEMBERS: usize> Kinds for Inline<MEMBERS> {
    type Ids = InlineList<NodeId, MEMBERS>;
    type Lanes = InlineList<Lane, MEMBERS>;
    type Parcels = InlineList<Parcel, MEMBERS>;
}

/// The member list on the heap.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl Kinds for Heap {
    type Ids = quorate_core::HeapList<NodeId>;
    type Lanes = quorate_core::HeapList<Lane>;
    type Parcels = quorate_core::HeapList<Parcel>;
}
