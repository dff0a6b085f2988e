use core::fmt;

use quorate_core::wire;

wire! {
    /// Which list of members, or which placement, a node uses: the epoch of its last change, and a hash of what it is.
    ///
    /// The epoch alone is not enough: two operators who change the same list at once make two different ones with one epoch. With the hash
    /// both nodes notice that. Nothing is settled by the number of a node.
    ///
    /// ```
    /// use quorate_ring::topology::{Freshness, Version};
    /// let here = Version { epoch: 4, digest: 1 };
    /// assert_eq!(here.compare(Version { epoch: 3, digest: 7 }), Freshness::Newer);
    /// assert_eq!(here.compare(Version { epoch: 4, digest: 7 }), Freshness::Conflict);
    /// ```
    ///
    /// There are two of them, and it takes both sides to use the same:
    ///
    /// * [`Topology::version`](super::Topology::version) covers the list: what gossip compares.
    /// * [`Version::of`] covers the list and a placement that was made of it, with the scheme, the seed and all other parameters: what
    ///   requests carry. Two nodes with different lists, or of one list and different seeds, notice that by the first request.
    ///
    /// [`Slots`](crate::Slots), [`Ranges`](crate::ranges::Ranges) and [`Jump`](crate::Jump) are not made of a list: their assignments, or their history,
    /// come from a replicated log that orders the changes. Their epoch is the index of the last one in the log, and their digest the
    /// [fingerprint](crate::Placement::fingerprint): `Version { epoch: index, digest: slots.fingerprint() }`. The older side then reads the log
    /// on; a conflict there means that two logs were taken for one, and no merge settles it.
    ///
    /// Whatever [`compare`](Self::compare) says of versions of lists, [`Topology::merge`](super::Topology::merge) is the answer, and loses no change: a newer list
    /// may lack one of an older, if both were changed at once. A request of another version is refused with the list, or forwarded; it
    /// is never served by the list of one side. If the two sides still differ when their lists are equal, they were configured differently.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Version {
        /// A Lamport clock of changes: above all that the author of the last one knew. For assignments, the log's index.
        pub epoch: u64,
        /// The hash of the members, with the fingerprint of the placement in a request; for assignments, that fingerprint alone.
        pub digest: u64,
    }
}

/// How one version stands to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Freshness {
    /// It is the same.
    Same,
    /// Its epoch is lower.
    Older,
    /// Its epoch is higher. It may lack a change of the other all the same.
    Newer,
    /// They have one epoch, and differ: changes were made at once, or one is a merge of the other with such a change, or they are configured
    /// differently. [`Topology::merge`](super::Topology::merge) makes one of two lists.
    Conflict,
}

impl Version {
    /// How this version stands to the other.
    #[must_use]
    pub const fn compare(self, other: Self) -> Freshness {
        if self.epoch < other.epoch {
            Freshness::Older
        } else if self.epoch > other.epoch {
            Freshness::Newer
        } else if self.digest == other.digest {
            Freshness::Same
        } else {
            Freshness::Conflict
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.epoch, self.digest)
    }
}
