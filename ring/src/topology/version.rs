use core::fmt;

use quorate_core::{DecodeError, Reader, Wire, Writer};

/// Which list of members somebody goes by: how many changes led to it, and a hash of its contents.
///
/// The epoch alone is not enough: two operators who change the same list at once make two different ones with one epoch. With the hash
/// that is noticed, whoever of the two is asked.
///
/// ```
/// use quorate_ring::topology::{Freshness, Version};
/// let here = Version { epoch: 4, digest: 1 };
/// assert_eq!(here.compare(Version { epoch: 3, digest: 7 }), Freshness::Newer);
/// assert_eq!(here.compare(Version { epoch: 4, digest: 7 }), Freshness::Conflict);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Version {
    /// The number of changes.
    pub epoch: u64,
    /// The hash of the members.
    pub digest: u64,
}

/// How one version stands to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Freshness {
    /// It is the same.
    Same,
    /// It came before the other.
    Older,
    /// It came after the other.
    Newer,
    /// The two were made at once, and differ: neither replaces the other. [`Topology::merge`](super::Topology::merge) makes one of both.
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

impl Wire<'_> for Version {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.epoch);
        out.u64(self.digest);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: input.u64()?, digest: input.u64()? })
    }
}
