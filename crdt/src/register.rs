use core::cmp::Ordering;

use quorate_clocks::{Actor, Causality, Inline, Stamp, Storage};

use crate::dot_store::{Change, DotStore};
use crate::grow_map::{GrowMap, Join, causality};
use crate::{Entry, UpdateError, Value};

/// A register in which the last write wins: the latest by time, then actor, then value, so that two replicas never decide
/// otherwise (Shapiro et al. 2011, specification 8).
///
/// **What it loses**: of concurrent writes all but one, and with clocks that are not synchronised even later writes to earlier
/// ones. Stamps from [`Hlc`](quorate_clocks::Hlc) are never behind what that clock has received. For a register that keeps
/// concurrent writes see [`MvRegister`].
///
/// # A stamp ahead of the clocks
///
/// A stamp ahead of the clocks locks the value for others until they get there: their writes are
/// [`UpdateError::Stale`], and so are those of a clock that was corrected. An
/// [`Hlc`](quorate_clocks::Hlc) does not help then, as it refuses to receive a stamp that is too far
/// ahead. So refuse what [`Hlc::receive`](quorate_clocks::Hlc::receive) refuses before you apply it,
/// and before you merge a state that holds it:
///
/// ```
/// use quorate_clocks::{Actor, Hlc, HlcConfig, HlcError, Reading, Stamp, Timestamp};
/// use quorate_core::{Instant, NodeId};
/// use quorate_crdt::{Crdt, LwwRegister};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let (mut here, mut there) = (LwwRegister::new(), LwwRegister::new());
/// let (mut clock, wall_us) = (Hlc::new(HlcConfig::lan()), 1_700_000_000_000_000);
/// // a's clock is an hour ahead
/// let hour_ahead = Timestamp::from_micros(wall_us + 3_600_000_000);
/// there.set(Stamp { time: hour_ahead, actor: a }, 1)?;
///
/// let now = Reading::new(Instant::ZERO, wall_us);
/// if let Some(latest) = there.latest() {
///     match clock.receive(now, latest.stamp.time) {
///         Ok(_) => _ = here.merge(&there)?,
///         Err(HlcError::TooFarAhead { .. }) => {} // not now; it may come again
///         Err(error) => return Err(error.into()),
///     }
/// }
/// // had it been merged, this would fail for an hour
/// here.set(Stamp { time: clock.stamp(now)?, actor: b }, 2)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Example
///
/// ```
/// use quorate_clocks::{Actor, Stamp, Timestamp};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, LwwRegister};
///
/// let stamp = |us, n| Stamp { time: Timestamp::from_micros(us), actor: Actor::from(NodeId::new(n)) };
/// let (mut left, mut right) = (LwwRegister::new(), LwwRegister::new());
/// left.set(stamp(5, 1), *b"red ")?;
/// right.set(stamp(5, 2), *b"blue")?;
/// left.merge(&right)?;
/// assert_eq!(left.get(), Some(b"blue"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LwwRegister<V: Value>(GrowMap<(), Latest<V>, Inline<1>>);

/// A value and when it was written; the greatest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Latest<V> {
    /// When, and by whom.
    pub stamp: Stamp,
    /// What.
    pub value: V,
}

impl<V: Value> Latest<V> {
    /// Whether this may be written where the other is known: it is later, or the same write.
    pub(crate) fn may_replace(&self, known: &Self) -> bool {
        self.stamp > known.stamp || self == known
    }
}

impl<V: Value> Value for Latest<V> {
    fn write(&self, out: &mut quorate_core::Writer<'_>) {
        self.stamp.write(out);
        self.value.write(out);
    }

    fn read(input: &mut quorate_core::Reader<'_>) -> Result<Self, quorate_core::DecodeError> {
        Ok(Self { stamp: Stamp::read(input)?, value: V::read(input)? })
    }
}

impl<V: Value> Join for Latest<V> {
    fn join(&mut self, other: &Self) -> bool {
        let later = *self < *other;
        if later {
            self.clone_from(other);
        }
        later
    }

    fn compare_values(&self, other: &Self) -> Causality {
        causality(self > other, self < other)
    }
}

impl<V: Value> LwwRegister<V> {
    /// Nothing was written.
    ///
    /// ```
    /// # use quorate_crdt::LwwRegister;
    /// assert_eq!(LwwRegister::<u8>::new().get(), None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(GrowMap::with_limit(1))
    }

    /// Writes, unless that write would be lost.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Stale`] if a write with a later stamp is known, or another value with this very
    /// stamp; the register is unchanged. The same write again is no error.
    ///
    /// ```
    /// # use quorate_clocks::{Stamp, Timestamp};
    /// # use quorate_crdt::{LwwRegister, UpdateError};
    /// let mut register = LwwRegister::new();
    /// let late = Stamp { time: Timestamp::from_micros(9), ..Stamp::default() };
    /// register.set(late, 1)?;
    /// assert_eq!(register.set(Stamp::default(), 2), Err(UpdateError::Stale));
    /// assert_eq!(register.set(late, 2), Err(UpdateError::Stale));
    /// assert_eq!(register.get(), Some(&1));
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn set(&mut self, stamp: Stamp, value: V) -> Result<Entry<(), Latest<V>>, UpdateError> {
        let value = Latest { stamp, value };
        if self.latest().is_some_and(|known| !value.may_replace(known)) {
            return Err(UpdateError::Stale);
        }
        self.0.join(&(), &value).map_err(|_| UpdateError::Full)?; // there is room for one
        Ok(Entry { key: (), value })
    }

    /// The value.
    ///
    /// ```
    /// # use quorate_clocks::Stamp;
    /// # use quorate_crdt::LwwRegister;
    /// let mut register = LwwRegister::new();
    /// register.set(Stamp::default(), 2)?;
    /// assert_eq!(register.get(), Some(&2));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    #[must_use]
    pub fn get(&self) -> Option<&V> {
        self.latest().map(|latest| &latest.value)
    }

    /// The value, and when it was written by whom.
    ///
    /// ```
    /// # use quorate_clocks::Stamp;
    /// # use quorate_crdt::LwwRegister;
    /// let mut register = LwwRegister::new();
    /// register.set(Stamp::default(), 2)?;
    /// assert_eq!(register.latest().map(|latest| latest.stamp), Some(Stamp::default()));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    #[must_use]
    pub fn latest(&self) -> Option<&Latest<V>> {
        self.0.get(&())
    }

    #[allow(clippy::unused_self)] // as the other types have one
    fn limit(&self) -> usize {
        1
    }

    fn with_limit(_limit: usize) -> Self {
        Self::new()
    }

    fn is_valid((): &(), _latest: &Latest<V>) -> bool {
        true
    }
}

impl_common!(LwwRegister [V: Value] [V]);
impl_lww_crdt!();
impl_serde!(LwwRegister [V: Value] [V] GrowMap<(), Latest<V>, Inline<1>>, |_| true);

/// A register that keeps concurrent writes, for the reader to decide: a write takes the place of those it has seen, and of no
/// others (Shapiro et al. 2011, specification 10).
///
/// RAM: 24 bytes and the value for each of the concurrent writes, 56 an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, MvRegister};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let (mut left, mut right) = (MvRegister::<u8, Inline<2>>::new(), MvRegister::new());
/// left.set(a, 7)?;
/// right.set(b, 8)?;
/// left.merge(&right)?;
/// assert!(left.values().eq(&[7, 8]));
/// left.set(a, 9)?; // has seen both
/// assert!(left.values().eq(&[9]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MvRegister<V: Value, S: Storage, A: Storage = S>(pub(crate) DotStore<V, S, A>);

impl_dot_store!(MvRegister [V: Value] V, "<u8, Inline<4>, Inline<2>>", "concurrent values");

impl<V: Value, S: Storage, A: Storage> MvRegister<V, S, A> {
    /// Writes in place of all values that are here.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if it made 2^64 − 1 updates; the
    /// register is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::MvRegister;
    /// let mut register = MvRegister::<u8, Inline<2>>::new();
    /// register.set(Actor::default(), 7)?;
    /// register.set(Actor::default(), 8)?;
    /// assert!(register.values().eq(&[8]));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn set(&mut self, actor: Actor, value: V) -> Result<Change<V, S>, UpdateError> {
        self.0.update(actor, Some(value), |_| Ordering::Equal)
    }

    /// Takes out all values that are here.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::MvRegister;
    /// let mut register = MvRegister::<u8, Inline<2>>::new();
    /// register.set(Actor::default(), 7)?;
    /// register.clear();
    /// assert_eq!(register.values().next(), None);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn clear(&mut self) -> Change<V, S> {
        self.0.remove(|_| Ordering::Equal)
    }

    /// The values written concurrently, in their order.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::MvRegister;
    /// assert_eq!(MvRegister::<u8, Inline<2>>::new().values().count(), 0);
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &V> + '_ {
        self.0.entries().iter().map(|entry| &entry.0)
    }
}
