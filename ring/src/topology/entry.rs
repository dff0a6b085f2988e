use core::cmp::Ordering;

use quorate_core::wire;

use super::MemberState;
use crate::Member;

wire! {
    /// A member, and what happens to it.
    ///
    /// Of two entries of one node the greater holds: the one of the later incarnation; in one incarnation a removal, or else the later
    /// change; and of two changes of one epoch the one that is further on its way out.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Entry {
        /// Which time it is a member: one more than the last removal that was known when it joined, or its own removal's epoch.
        incarnation: u64,
        /// The epoch of its last change.
        changed: u64,
        /// Where it is on its way in and out.
        state: MemberState,
        /// The node, its weight and its zone.
        member: Member,
    }
}

impl Entry {
    /// A member that joins.
    pub(super) const fn joining(incarnation: u64, epoch: u64, member: Member) -> Self {
        Self { incarnation, changed: epoch, state: MemberState::Joining, member }
    }

    /// A removal begins an incarnation, so that changes of the one before do not undo it.
    pub(super) const fn with_state(self, epoch: u64, state: MemberState) -> Self {
        let incarnation = match state {
            MemberState::Removed => epoch,
            _ => self.incarnation,
        };
        Self { incarnation, changed: epoch, state, ..self }
    }

    pub(super) const fn with_weight(self, epoch: u64, weight: u16) -> Self {
        Self { changed: epoch, member: self.member.with_weight(weight), ..self }
    }

    /// Whether changes can lead to it.
    pub(super) fn is_sound(&self) -> bool {
        let Self { incarnation, changed, state, member } = *self;
        let epochs = match state {
            MemberState::Joining => incarnation <= changed,
            MemberState::Removed => incarnation == changed,
            _ => incarnation < changed,
        };
        member.weight > 0 && incarnation > 0 && epochs
    }

    /// What an entry generated from bytes becomes, so that it is sound more often.
    pub(super) fn adjusted(self) -> Self {
        let incarnation = match self.state {
            MemberState::Removed => self.changed,
            _ => self.incarnation.min(self.changed),
        };
        Self { incarnation, ..self }
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

    /// The epoch of its last change.
    #[must_use]
    pub const fn changed(&self) -> u64 {
        self.changed
    }

    /// Which time it is a member: one more than the epoch of the last removal of any member that was known when it joined, and of
    /// a removed one the epoch of its own removal.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// topology.set_state(NodeId::new(1), MemberState::Up)?;
    /// let entry = topology.entries()[0];
    /// assert_eq!((entry.incarnation(), entry.changed()), (1, 2));
    /// # Ok::<(), TopologyError>(())
    /// ```
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    fn rank(&self) -> (u64, bool, u64, MemberState, Member) {
        let Self { incarnation, changed, state, member } = *self;
        (incarnation, state == MemberState::Removed, changed, state, member)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}
