use core::fmt;

use quorate_core::wire;

wire! {
    /// Where a member is on its way in and out.
    ///
    /// | state | holds keys now | will hold keys |
    /// |---|---|---|
    /// | `Joining` | | yes |
    /// | `Up`, `Down` | yes | yes |
    /// | `Leaving` | yes | |
    /// | `Removed` | | |
    ///
    /// ```
    /// use quorate_ring::topology::MemberState;
    /// assert!(MemberState::Leaving.holds() && !MemberState::Leaving.will_hold());
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub enum MemberState {
        /// It is given its keys. Writes go to it, reads do not.
        0 => Joining,
        /// It is a member like all others.
        1 => Up,
        /// It is a member, and an operator knows that it is down for a while: it keeps its keys, and others stand in for it.
        2 => Down,
        /// It gives its keys away.
        3 => Leaving,
        /// It was a member. It stays in the list so that a list from before does not bring it back, until
        /// [`Topology::forget`](super::Topology::forget).
        4 => Removed,
    }
}

impl MemberState {
    /// Whether a member in this state holds keys as of now.
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Leaving)
    }

    /// Whether it does when all moves that have begun are done.
    ///
    /// ```
    /// # use quorate_ring::topology::MemberState;
    /// assert!(MemberState::Joining.will_hold());
    /// ```
    #[must_use]
    pub const fn will_hold(self) -> bool {
        matches!(self, Self::Joining | Self::Up | Self::Down)
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Joining => 0,
            Self::Up => 1,
            Self::Down => 2,
            Self::Leaving => 3,
            Self::Removed => 4,
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joining => "joining",
            Self::Up => "up",
            Self::Down => "down",
            Self::Leaving => "leaving",
            Self::Removed => "removed",
        })
    }
}
