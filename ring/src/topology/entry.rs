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
        /// The weight that it is to have: its own, unless that is to change.
        next_weight: u16,
    }
}

impl Entry {
    /// A member that joins.
    pub(super) const fn joining(incarnation: u64, epoch: u64, member: Member) -> Self {
        let (state, next_weight) = (MemberState::Joining, member.weight);
        Self { incarnation, changed: epoch, state, member, next_weight }
    }

    /// A removal begins an incarnation, so that changes of the one before do not undo it.
    pub(super) const fn with_state(self, epoch: u64, state: MemberState) -> Self {
        let incarnation = match state {
            MemberState::Removed => epoch,
            _ => self.incarnation,
        };
        Self { incarnation, changed: epoch, state, ..self }.without_idle_weight()
    }

    /// Only one that holds keys is to have another weight.
    const fn without_idle_weight(self) -> Self {
        match self.state {
            MemberState::Joining | MemberState::Removed => {
                Self { next_weight: self.member.weight, ..self }
            }
            _ => self,
        }
    }

    /// One that holds keys has its old weight until they are moved.
    pub(super) const fn with_weight(self, epoch: u64, next_weight: u16) -> Self {
        let member = match self.state {
            MemberState::Joining => self.member.with_weight(next_weight),
            _ => self.member,
        };
        Self { changed: epoch, member, next_weight, ..self }
    }

    /// What it is once keys are moved; `None` if it is that already.
    pub(super) fn moved(self, epoch: u64) -> Option<Self> {
        let member = self.next_member();
        let moved = Self { changed: epoch, member, ..self };
        match self.state {
            MemberState::Joining => Some(moved.with_state(epoch, MemberState::Up)),
            MemberState::Leaving => Some(moved.with_state(epoch, MemberState::Removed)),
            MemberState::Removed => None,
            _ => (self.member != member).then_some(moved),
        }
    }

    /// Whether changes can lead to it.
    pub(super) fn is_sound(&self) -> bool {
        let Self { incarnation, changed, state, member, next_weight } = *self;
        let epochs = match state {
            MemberState::Joining => incarnation <= changed,
            MemberState::Removed => incarnation == changed,
            _ => incarnation < changed,
        };
        let weights = next_weight > 0 && self.without_idle_weight().next_weight == next_weight;
        member.weight > 0 && weights && incarnation > 0 && epochs
    }

    /// What an entry generated from bytes becomes, so that it is sound more often.
    pub(super) fn adjusted(self) -> Self {
        let incarnation = match self.state {
            MemberState::Removed => self.changed,
            _ => self.incarnation.min(self.changed),
        };
        Self { incarnation, next_weight: self.next_weight.max(1), ..self }.without_idle_weight()
    }

    /// The node with the weight that it is to have, and its zone.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// topology.set_state(NodeId::new(1), MemberState::Up)?;
    /// topology.set_weight(NodeId::new(1), 3)?;
    /// let entry = topology.entries()[0];
    /// assert_eq!((entry.member().weight, entry.next_member().weight), (1, 3));
    /// # Ok::<(), TopologyError>(())
    /// ```
    #[must_use]
    pub const fn next_member(&self) -> Member {
        self.member.with_weight(self.next_weight)
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

    fn rank(&self) -> (u64, bool, u64, MemberState, Member, u16) {
        let Self { incarnation, changed, state, member, next_weight } = *self;
        (incarnation, state == MemberState::Removed, changed, state, member, next_weight)
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
