use core::num::NonZeroU64;

use crate::Index;

/// A command on its way: it is committed when the entry at this index is committed with this epoch, and lost when that entry is
/// committed with another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Proposal {
    /// The epoch of the leader that proposed it: Raft's term, Multi-Paxos's ballot.
    pub epoch: u64,
    /// Its place in the log.
    pub index: Index,
}

/// Names a command that was handed to the leader. The numbers of one machine follow on each other, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ForwardId(NonZeroU64);

/// Names a read, or a group of them: [`Notice::Read`](crate::Notice::Read) answers every id up to one. Ids grow within the life
/// of a machine; reads asked for together may share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadId(u64);

impl ForwardId {
    /// For protocols: the id with this number; taken as 1 if it is 0.
    ///
    /// ```
    /// assert_eq!(quorate_log::ForwardId::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn new(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(quorate_log::ForwardId::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl ReadId {
    /// For protocols: the id with this number.
    ///
    /// ```
    /// use quorate_log::ReadId;
    /// assert!(ReadId::new(7) < ReadId::new(8));
    /// ```
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(quorate_log::ReadId::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}
