use quorate_core::wire;

use super::MemberState;
use crate::Member;

wire! {
    /// A member, and what happens to it.
    ///
    /// Of two entries of one node the greater holds: the one that changed later, and of two that changed at one epoch the one that is
    /// further on its way out.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Entry {
        /// The epoch of its last change.
        changed: u64,
        /// Where it is on its way in and out.
        state: MemberState,
        /// The node, its weight and its zone.
        member: Member,
    }
}

impl Entry {
    pub(super) const fn new(changed: u64, state: MemberState, member: Member) -> Self {
        Self { changed, state, member }
    }

    /// The node, its weight and its zone.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// let entry = topology.entries()[0];
    /// assert_eq!(entry.member(), Member::new(NodeId::new(1)));
    /// assert_eq!((entry.state(), entry.changed()), (MemberState::Joining, 1));
    /// # Ok::<(), TopologyError>(())
    /// ```
    #[must_use]
    pub const fn member(&self) -> Member {
        self.member
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> MemberState {
        self.state
    }

    /// The epoch of its last change. [`Topology::forget`](super::Topology::forget) raises it where that is long ago.
    #[must_use]
    pub const fn changed(&self) -> u64 {
        self.changed
    }

    /// The last epoch that its last change took: a removal takes two, and the second is what [`Topology::forget`](super::Topology::forget)
    /// raises entries to.
    pub(super) const fn last_epoch(&self) -> u64 {
        match self.state {
            MemberState::Removed => self.changed.saturating_add(1),
            _ => self.changed,
        }
    }
}
