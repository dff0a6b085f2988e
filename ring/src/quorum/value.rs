use core::fmt;
use core::fmt::Debug;
use core::hash::Hash;

use quorate_clocks::Causality;
use quorate_core::Wire;

use super::WriteId;

/// What replicas keep for a key: a state that can be merged with another state of the same key, so
/// that replicas with the same writes have the same state, whatever the order in which the writes
/// arrived.
///
/// | value | of concurrent writes | formed by |
/// |---|---|---|
/// | [`Lww`](super::Lww) | the one with the later timestamp stays | any node with a hybrid clock |
/// | [`Tagged`](super::Tagged) | the one with the higher tag stays | any node |
/// | [`Siblings`](quorate_clocks::Siblings) | all stay, and a later write settles them | a replica of the key |
/// | `Merged` (feature `crdt`) | any CRDT: they are merged | a replica of the key |
///
/// [`merge`](Self::merge) is commutative, associative and idempotent, and never goes back.
///
/// ```
/// use quorate_clocks::Causality;
/// use quorate_core::{DecodeError, Reader, Wire, Writer};
/// use quorate_ring::quorum::{FollowRefused, MergeRefused, Value, WriteId};
///
/// /// The highest number that was ever written: a CRDT that needs no place for each writer.
/// #[derive(Clone, PartialEq, Eq, Hash, Debug)]
/// struct Highest(u64);
///
/// impl Wire<'_> for Highest {
///     fn encode(&self, out: &mut Writer<'_>) {
///         out.u64(self.0);
///     }
///
///     fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
///         input.u64().map(Self)
///     }
/// }
///
/// impl Value for Highest {
///     const FORMED_BY_REPLICAS: bool = false;
///     type Context = u64;
///
///     fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused> {
///         let changed = other.0 > self.0;
///         self.0 = self.0.max(other.0);
///         Ok(changed)
///     }
///
///     fn context(&self) -> u64 {
///         self.0
///     }
///
///     fn includes(&self, seen: &u64) -> bool {
///         self.0 >= *seen
///     }
///
///     fn clock_of_seen(seen: &u64) -> u64 {
///         if *seen == 0 { 0 } else { u64::MAX }
///     }
///
///     fn is_tombstone(&self) -> bool {
///         false
///     }
///
///     fn clock(&self) -> u64 {
///         u64::MAX // there are no tombstones, and so no floor that it could be below
///     }
///
///     fn follow(&mut self, seen: Option<&Self>, _floor: u64, _write: WriteId) -> Result<(), FollowRefused> {
///         self.0 = self.0.max(seen.map_or(0, |seen| seen.0));
///         Ok(())
///     }
/// }
///
/// let mut value = Highest(3);
/// assert!(value.merge(&Highest(5))?);
/// assert_eq!(value.compare(&Highest(4)), Causality::After);
/// assert!(value.includes(&Highest(4).context()));
/// # Ok::<(), MergeRefused>(())
/// ```
pub trait Value: Clone + PartialEq + Eq + Hash + Debug + for<'a> Wire<'a> {
    /// Whether only a replica of the key may form its values, because each write takes the next
    /// number of the node that formed it. Such a write is sent to others once it is durable here.
    const FORMED_BY_REPLICAS: bool;

    /// What a client has seen of a key: everything that a later read must include.
    type Context: Clone + PartialEq + Eq + Hash + Debug;

    /// Takes over what the other has. True if that changed this one.
    ///
    /// # Errors
    ///
    /// [`MergeRefused`] if the result does not fit, or the two contradict each other; nothing was
    /// changed.
    fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused>;

    /// How the two relate. Two that cannot be merged are concurrent.
    #[must_use]
    fn compare(&self, other: &Self) -> Causality {
        let mut merged = self.clone();
        match merged.merge(other) {
            Ok(false) if self == other => Causality::Equal,
            Ok(false) => Causality::After,
            Ok(true) if merged == *other => Causality::Before,
            Ok(true) | Err(_) => Causality::Concurrent,
        }
    }

    /// What somebody has seen who has seen this value.
    #[must_use]
    fn context(&self) -> Self::Context;

    /// Whether this value includes everything that was seen.
    #[must_use]
    fn includes(&self, seen: &Self::Context) -> bool;

    /// A tombstone that includes what was seen has at least this [clock](Self::clock), and so had what was seen: once tombstones up to that are
    /// purged, all replicas have what was seen, or have purged it. 0 of one who has seen nothing.
    #[must_use]
    fn clock_of_seen(seen: &Self::Context) -> u64;

    /// Whether the key was deleted, and nothing was written since.
    #[must_use]
    fn is_tombstone(&self) -> bool;

    /// A number that grows with the value: merging never lowers it, and a value that [follows](Self::follow) another has a higher one. Concurrent
    /// writes may have the same. Once tombstones up to a number may be purged, no change with that number or a lower one is taken any more; see
    /// [`Node`](super::Node#deletes).
    #[must_use]
    fn clock(&self) -> u64;

    /// Makes this value, which is about to be written, a later one than what was read; `None` if the key is not there. Its
    /// [`clock`](Self::clock) must be above the floor.
    ///
    /// # Errors
    ///
    /// [`FollowRefused`] if that cannot be; nothing was changed.
    fn follow(
        &mut self,
        seen: Option<&Self>,
        floor: u64,
        write: WriteId,
    ) -> Result<(), FollowRefused>;
}

/// Why two values cannot be merged. Nothing was changed.
///
/// ```
/// use quorate_ring::quorum::{MergeRefused, Tagged, Value};
/// let mut value = Tagged::nth(1, 7_u32);
/// assert_eq!(value.merge(&Tagged::nth(1, 8)), Err(MergeRefused::Conflict)); // a second writer counts too
/// assert_eq!(value.get(), Some(&7));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MergeRefused {
    /// There is no room for the result.
    Full,
    /// The two say different things of one write: one node writes in two places, or lost its
    /// memory.
    Conflict,
}

impl fmt::Display for MergeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "there is no room for the merged value",
            Self::Conflict => "the two values say different things of one write",
        })
    }
}

impl core::error::Error for MergeRefused {}

/// Why a value cannot be made a later one. Nothing was changed.
///
/// ```
/// use quorate_clocks::{Actor, Stamp, Timestamp};
/// use quorate_ring::quorum::{FollowRefused, Lww, Value, WriteId};
/// let at = |micros| Stamp { time: Timestamp::from_micros(micros), actor: Actor::default() };
/// let read = Lww::new(at(6), 7_u32);
/// let mut value = Lww::new(at(5), 8); // the writer's clock is behind
/// assert_eq!(value.follow(Some(&read), 0, WriteId::default()), Err(FollowRefused::Behind));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FollowRefused {
    /// It has to be formed again: its order is given by a clock of the writer's, which is behind.
    Behind,
    /// There is no room for the result, or no later value.
    Full,
    /// The two say different things of one write.
    Conflict,
}

impl From<MergeRefused> for FollowRefused {
    fn from(refused: MergeRefused) -> Self {
        match refused {
            MergeRefused::Full => Self::Full,
            MergeRefused::Conflict => Self::Conflict,
        }
    }
}

impl fmt::Display for FollowRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind => f.write_str("the value is earlier than the one that it is to follow"),
            Self::Full => fmt::Display::fmt(&MergeRefused::Full, f),
            Self::Conflict => fmt::Display::fmt(&MergeRefused::Conflict, f),
        }
    }
}

impl core::error::Error for FollowRefused {}
