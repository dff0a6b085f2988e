use core::fmt;

use quorate_core::wire;

use crate::Placement;

wire! {
    /// Which list of members, or which placement, somebody goes by: how many changes led to it, and a hash of what it is.
    ///
    /// The epoch alone is not enough: two operators who change the same list at once make two different ones with one epoch. With the hash
    /// that is noticed, whoever of the two is asked. Nothing is settled by the number of a node.
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
    /// * [`Version::of`] covers a placement that was made of a list, with the scheme, the seed and all other parameters: what
    ///   requests carry. Two nodes of one list and different seeds notice that by the first request.
    ///
    /// Whatever [`compare`](Self::compare) says, [`Topology::merge`](super::Topology::merge) is the answer, and loses no change: a newer list
    /// may lack one of an older, if both were changed at once. A request of another version is refused with the list, or forwarded; it
    /// is never served by the list of one side. If the two sides still differ when their lists are equal, they were configured differently.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Version {
        /// How many changes led to the list, or more.
        pub epoch: u64,
        /// The hash of the members, or the fingerprint of the placement.
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
    /// Fewer changes led to it.
    Older,
    /// More changes led to it. It may lack one of the other all the same.
    Newer,
    /// As many changes led to both, and they differ: neither replaces the other. [`Topology::merge`](super::Topology::merge) makes one of both.
    Conflict,
}

impl Version {
    /// The version of a placement made of the list of this epoch, for requests.
    ///
    /// It takes as long as [`Placement::fingerprint`] does: keep it until the list changes.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_ring::topology::{Freshness, Topology, Version};
    /// use quorate_ring::{HashRing, Inline, KeyHash, Member};
    /// let mut topology = Topology::<Inline<4, 64>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// let ring = |seed| {
    ///     let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::new([seed, 0]), 16);
    ///     topology.next_holders().try_for_each(|member| ring.add(member))?;
    ///     Ok::<_, quorate_ring::MemberError>(Version::of(topology.epoch(), &ring))
    /// };
    /// assert_eq!(ring(1)?.compare(ring(1)?), Freshness::Same);
    /// assert_eq!(ring(1)?.compare(ring(2)?), Freshness::Conflict);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(epoch: u64, placement: &impl Placement) -> Self {
        Self { epoch, digest: placement.fingerprint() }
    }

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
