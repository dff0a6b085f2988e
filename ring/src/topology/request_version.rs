use core::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::{Topology, Version};
use crate::{Placement, Storage};

impl Version {
    /// The version of a list and a placement made of it, for requests.
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
    ///     Ok::<_, quorate_ring::MemberError>(Version::of(&topology, &ring))
    /// };
    /// assert_eq!(ring(1)?.compare(ring(1)?), Freshness::Same);
    /// assert_eq!(ring(1)?.compare(ring(2)?), Freshness::Conflict);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of<S: Storage>(topology: &Topology<S>, placement: &impl Placement) -> Self {
        let Self { epoch, digest } = topology.version();
        let mut hasher = SipHasher13::new();
        for half in [digest, placement.fingerprint()] {
            hasher.write(&half.to_le_bytes());
        }
        Self { epoch, digest: hasher.finish() }
    }
}
