use quorate_clocks::{Stamp, Storage};

use crate::grow_map::GrowMap;
use crate::register::Latest;
use crate::{Entry, UpdateError, Value};

/// A set into which elements go and never come out (Shapiro et al. 2011, specification 11). RAM: the elements.
///
/// ```
/// use quorate_clocks::Inline;
/// use quorate_crdt::{Crdt, GSet};
///
/// let (mut left, mut right) = (GSet::<u8, Inline<4>>::new(), GSet::new());
/// left.add(1)?;
/// right.add(2)?;
/// left.merge(&right)?;
/// assert!(left.iter().eq(&[1, 2]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GSet<E: Value, S: Storage>(GrowMap<E, (), S>);

impl_grow_map!(GSet [E] "<u8, Inline<4>>", "elements");
impl_crdt_with_entry_deltas!(GSet [E] E, (), |_| None, |_, _| 0, |_, _, _| false);

impl<E: Value, S: Storage> GSet<E, S> {
    /// Adds an element.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{GSet, UpdateError};
    /// let mut set = GSet::<u8, Inline<1>>::new();
    /// set.add(1)?;
    /// assert_eq!(set.add(2), Err(UpdateError::Full));
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn add(&mut self, element: E) -> Result<Entry<E, ()>, UpdateError> {
        self.0.join(&element, &()).map_err(|_| UpdateError::Full)?;
        Ok(Entry { key: element, value: () })
    }

    /// Whether the element is in the set.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::GSet;
    /// assert!(!GSet::<u8, Inline<1>>::new().contains(&1));
    /// ```
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        self.0.find(element).is_ok()
    }

    /// The elements, in order.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::GSet;
    /// assert_eq!(GSet::<u8, Inline<1>>::new().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> + '_ {
        self.0.entries().iter().map(|entry| &entry.0)
    }

    fn is_valid(_element: &E, (): &()) -> bool {
        true
    }
}

/// A set from which an element that came out never goes in again (Shapiro et al. 2011, specification 12). No actors, no clocks: for
/// identities that are used once. What came out keeps its place. RAM: the elements, and one byte (padded) each.
///
/// ```
/// use quorate_clocks::Inline;
/// use quorate_crdt::{Crdt, TwoPhaseSet};
///
/// let mut left = TwoPhaseSet::<u8, Inline<4>>::new();
/// left.add(1)?;
/// let mut right = left.clone();
/// right.remove(&1);
/// left.add(1)?;
/// left.merge(&right)?;
/// assert!(!left.contains(&1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TwoPhaseSet<E: Value, S: Storage>(GrowMap<E, bool, S>);

impl_grow_map!(TwoPhaseSet [E] "<u8, Inline<4>>", "elements");
impl_crdt_with_entry_deltas!(TwoPhaseSet [E] E, bool, |_| None, |_, _| 0, |_, _, _| false);

impl<E: Value, S: Storage> TwoPhaseSet<E, S> {
    /// Adds an element, unless it came out already.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::TwoPhaseSet;
    /// let mut set = TwoPhaseSet::<u8, Inline<1>>::new();
    /// set.add(1)?;
    /// assert!(set.contains(&1));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn add(&mut self, element: E) -> Result<Entry<E, bool>, UpdateError> {
        self.0.join(&element, &false).map_err(|_| UpdateError::Full)?;
        let removed = self.0.get(&element).copied().unwrap_or(false);
        Ok(Entry { key: element, value: removed })
    }

    /// Takes an element out for good; `None` if it never was in.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::TwoPhaseSet;
    /// let mut set = TwoPhaseSet::<u8, Inline<1>>::new();
    /// assert_eq!(set.remove(&1), None);
    /// set.add(1)?;
    /// assert!(set.remove(&1).is_some());
    /// assert!(!set.contains(&1));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn remove(&mut self, element: &E) -> Option<Entry<E, bool>> {
        self.0.find(element).ok()?;
        let _ = self.0.join(element, &true); // it has a place
        Some(Entry { key: element.clone(), value: true })
    }

    /// Whether the element is in the set.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::TwoPhaseSet;
    /// assert!(!TwoPhaseSet::<u8, Inline<1>>::new().contains(&1));
    /// ```
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        self.0.get(element) == Some(&false)
    }

    /// The elements, in order.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::TwoPhaseSet;
    /// assert_eq!(TwoPhaseSet::<u8, Inline<1>>::new().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> + '_ {
        self.0.entries().iter().filter(|entry| !entry.1).map(|entry| &entry.0)
    }

    fn is_valid(_element: &E, _removed: &bool) -> bool {
        true
    }
}

/// A set in which the last addition or removal of an element wins, by time, then actor (Shapiro et al. 2011, section 3.3.3).
/// One replica refuses a second write with the same stamp; where two replicas made them, an addition wins over a removal.
/// It loses what [`LwwRegister`](crate::LwwRegister) loses, and a stamp ahead of the clocks locks an element as it locks
/// [a register](crate::LwwRegister#a-stamp-ahead-of-the-clocks). What was removed keeps its place. RAM: 32 bytes and the
/// element each.
///
/// ```
/// use quorate_clocks::{Actor, Inline, Stamp, Timestamp};
/// use quorate_crdt::{LwwSet, UpdateError};
///
/// let at = |us| Stamp { time: Timestamp::from_micros(us), actor: Actor::default() };
/// let mut set = LwwSet::<u8, Inline<4>>::new();
/// set.add(at(1), 7)?;
/// set.remove(at(3), 7)?;
/// assert_eq!(set.add(at(2), 7), Err(UpdateError::Stale));
/// assert!(!set.contains(&7));
/// # Ok::<(), UpdateError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LwwSet<E: Value, S: Storage>(GrowMap<E, Latest<bool>, S>);

impl_grow_map!(LwwSet [E] "<u8, Inline<4>>", "elements");
impl_crdt_with_entry_deltas!(LwwSet [E] E, Latest<bool>, |_| None, |_, _| 0, |_, _, _| false);

impl<E: Value, S: Storage> LwwSet<E, S> {
    /// Adds an element, if its stamp is later than what is known of the element.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room, [`UpdateError::Stale`] if a later addition or removal
    /// of the element is known, or a removal with this very stamp; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Stamp};
    /// # use quorate_crdt::LwwSet;
    /// let mut set = LwwSet::<u8, Inline<1>>::new();
    /// set.add(Stamp::default(), 7)?;
    /// assert!(set.contains(&7));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn add(&mut self, stamp: Stamp, element: E) -> Result<Entry<E, Latest<bool>>, UpdateError> {
        self.write_latest(element, Latest { stamp, value: true })
    }

    /// Takes an element out, unless that would be lost. Takes a place even if it never was in: the
    /// addition may come yet.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room, [`UpdateError::Stale`] if a later addition or removal
    /// of the element is known, or an addition with this very stamp; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Stamp};
    /// # use quorate_crdt::{LwwSet, UpdateError};
    /// let mut set = LwwSet::<u8, Inline<1>>::new();
    /// set.remove(Stamp::default(), 7)?;
    /// assert_eq!(set.add(Stamp::default(), 8), Err(UpdateError::Full));
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn remove(
        &mut self,
        stamp: Stamp,
        element: E,
    ) -> Result<Entry<E, Latest<bool>>, UpdateError> {
        self.write_latest(element, Latest { stamp, value: false })
    }

    /// Whether the element is in the set.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::LwwSet;
    /// assert!(!LwwSet::<u8, Inline<1>>::new().contains(&1));
    /// ```
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        self.0.get(element).is_some_and(|latest| latest.value)
    }

    /// The elements, in order.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::LwwSet;
    /// assert_eq!(LwwSet::<u8, Inline<1>>::new().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> + '_ {
        self.0.entries().iter().filter(|entry| entry.1.value).map(|entry| &entry.0)
    }

    fn write_latest(
        &mut self,
        element: E,
        latest: Latest<bool>,
    ) -> Result<Entry<E, Latest<bool>>, UpdateError> {
        if self.0.get(&element).is_some_and(|known| !latest.may_replace(known)) {
            return Err(UpdateError::Stale);
        }
        self.0.join(&element, &latest).map_err(|_| UpdateError::Full)?;
        Ok(Entry { key: element, value: latest })
    }

    fn is_valid(_element: &E, _latest: &Latest<bool>) -> bool {
        true
    }
}
