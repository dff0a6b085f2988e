use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use quorate_core::{DecodeError, Full, List, Reader, Wire, Writer};

use crate::{Actor, Causality, Dot, Exhausted, IncrementError, Storage, Versions, sorted};

/// All events up to the `n`th of each actor (Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", 1983). As
/// a vector clock (Fidge 1988, Mattern 1989) it stands for an event and all its causes.
///
/// Entries are sorted by actor and never 0, so equal vectors have equal bytes. Looking up is a binary search; merging and
/// comparing are one pass over both. RAM: 24 bytes an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline, VersionVector};
/// use quorate_core::NodeId;
///
/// let (a, b) = (Actor::from(NodeId::new(1)), Actor::from(NodeId::new(2)));
/// let mut here = VersionVector::<Inline<4>>::new();
/// let dot = here.increment(a)?; // an event here
/// let mut there = VersionVector::<Inline<4>>::new();
/// there.increment(b)?;
/// there.merge(&here)?; // a message arrived
/// assert!(there.contains(dot) && there > here);
/// assert_eq!(format!("{there:?}"), "{1:1, 2:1}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The wire and serde forms are the sequence of entries; what is read is refused unless it is in canonical form and fits.
#[derive(Clone)]
pub struct VersionVector<S: Storage> {
    entries: S::List<Dot>,
}

impl<S: Storage> VersionVector<S> {
    /// No events. Takes as many actors as the storage has room for: `N` for `Inline<N>`, 1024 for `Heap`.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, VersionVector};
    /// let clock = VersionVector::<Inline<4>>::new();
    /// assert_eq!((clock.len(), clock.limit()), (0, 4));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(S::LIMIT)
    }

    /// No events; takes at most `limit` actors (or fewer, where the capacity is fixed by the type).
    ///
    /// ```
    /// # use quorate_clocks::{Inline, VersionVector};
    /// assert_eq!(VersionVector::<Inline<4>>::with_limit(300).limit(), 4);
    /// # #[cfg(feature = "alloc")] {
    /// use quorate_clocks::Heap;
    /// assert_eq!(VersionVector::<Heap>::with_limit(300).limit(), 300);
    /// # }
    /// ```
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { entries: S::List::with_limit(limit) }
    }

    /// Counts an event of the actor, and returns it.
    ///
    /// # Errors
    ///
    /// [`IncrementError::Full`] if the actor is new and there is no room; [`IncrementError::Exhausted`] if its counter is at the
    /// maximum. The clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, IncrementError, Inline, VersionVector};
    /// # use quorate_core::NodeId;
    /// let (a, b) = (Actor::from(NodeId::new(1)), Actor::from(NodeId::new(2)));
    /// let mut clock = VersionVector::<Inline<1>>::new();
    /// clock.increment(a)?;
    /// assert_eq!(clock.increment(a)?.counter(), 2);
    /// assert_eq!(clock.increment(b), Err(IncrementError::Full));
    /// # Ok::<(), IncrementError>(())
    /// ```
    pub fn increment(&mut self, actor: Actor) -> Result<Dot, IncrementError> {
        match sorted::find(&self.entries, actor) {
            Ok(at) => {
                let entry = self.entries.get_mut(at).ok_or(IncrementError::Full)?;
                *entry = entry.next()?;
                Ok(*entry)
            }
            Err(at) => {
                sorted::insert(&mut self.entries, at, Dot::first(actor))?;
                Ok(Dot::first(actor))
            }
        }
    }

    /// Adds the event and all before it of its actor. True if any of them was new.
    ///
    /// # Errors
    ///
    /// [`Full`] if the actor is new and there is no room; the clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Inline, VersionVector};
    /// let mut clock = VersionVector::<Inline<4>>::new();
    /// let dot = Dot::new(Actor::default(), 5).ok_or("0")?;
    /// assert_eq!(clock.observe(dot), Ok(true));
    /// assert_eq!(clock.observe(dot), Ok(false));
    /// assert_eq!(clock.get(Actor::default()), 5);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn observe(&mut self, dot: Dot) -> Result<bool, Full> {
        match sorted::find(&self.entries, dot.actor()) {
            Ok(at) => {
                let Some(entry) = self.entries.get_mut(at) else { return Ok(false) };
                let new = entry.counter() < dot.counter();
                entry.raise(dot);
                Ok(new)
            }
            Err(at) => sorted::insert(&mut self.entries, at, dot).map(|()| true),
        }
    }

    /// Adds all events of the other: the least clock that includes both.
    ///
    /// # Errors
    ///
    /// [`Full`] if not all actors fit; the clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// # use quorate_core::{Full, NodeId};
    /// let (a, b) = (Actor::from(NodeId::new(1)), Actor::from(NodeId::new(2)));
    /// let mut big = VersionVector::<Inline<9>>::new();
    /// big.increment(a)?;
    /// big.increment(b)?;
    /// let mut small = VersionVector::<Inline<1>>::new();
    /// small.increment(b)?;
    /// assert_eq!(small.merge(&big), Err(Full));
    /// assert_eq!(small.get(a), 0);
    /// big.merge(&small)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<T: Storage>(&mut self, other: &VersionVector<T>) -> Result<(), Full> {
        sorted::merge(&mut self.entries, &other.entries)
    }

    /// Adds all events that a message tells of.
    ///
    /// # Errors
    ///
    /// [`Full`] if not all actors fit; the clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// let mut a = VersionVector::<Inline<2>>::new();
    /// let mut b = a.clone();
    /// a.increment(Actor::default())?;
    /// b.observe_all(a.versions())?;
    /// assert_eq!(a, b);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe_all(&mut self, versions: Versions<'_>) -> Result<(), Full> {
        let new =
            versions.iter().filter(|dot| sorted::find(&self.entries, dot.actor()).is_err()).count();
        if self.limit().saturating_sub(self.len()) < new {
            return Err(Full);
        }
        versions.iter().try_for_each(|dot| self.observe(dot).map(|_| ()))
    }

    /// Keeps the events that the other has as well: the greatest clock that both include.
    ///
    /// The meet of what all members have seen is what is causally stable: nobody will ever be concurrent with it.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// # use quorate_core::NodeId;
    /// let (a, b) = (Actor::from(NodeId::new(1)), Actor::from(NodeId::new(2)));
    /// let mut clock = VersionVector::<Inline<2>>::new();
    /// clock.increment(a)?;
    /// let other = clock.clone();
    /// clock.increment(a)?;
    /// clock.increment(b)?;
    /// clock.meet(&other);
    /// assert_eq!(clock, other);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn meet<T: Storage>(&mut self, other: &VersionVector<T>) {
        let mut kept = 0;
        for at in 0..self.entries.len() {
            let Some(entry) = self.entries.get(at).copied() else { break };
            let least = entry.counter().min(other.get(entry.actor()));
            let Some(least) = Dot::new(entry.actor(), least) else { continue };
            if let Some(slot) = self.entries.get_mut(kept) {
                *slot = least;
            }
            kept = kept.saturating_add(1);
        }
        self.entries.truncate(kept);
    }

    /// Forgets everything.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// let mut clock = VersionVector::<Inline<2>>::new();
    /// clock.increment(Actor::default())?;
    /// clock.clear();
    /// assert!(clock.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// How many of the actor's events are included: all up to this one; 0 for none.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// let mut clock = VersionVector::<Inline<2>>::new();
    /// assert_eq!(clock.get(Actor::default()), 0);
    /// clock.increment(Actor::default())?;
    /// assert_eq!(clock.get(Actor::default()), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn get(&self, actor: Actor) -> u64 {
        sorted::counter(&self.entries, actor)
    }

    /// Whether the event is included.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Inline, VersionVector};
    /// let mut clock = VersionVector::<Inline<2>>::new();
    /// let dot = clock.increment(Actor::default())?;
    /// assert!(clock.contains(dot) && !clock.contains(dot.next()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        dot.counter() <= self.get(dot.actor())
    }

    /// The actor's next event, without counting it.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if its counter is at the maximum.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Inline, VersionVector};
    /// let clock = VersionVector::<Inline<2>>::new();
    /// assert_eq!(clock.next(Actor::default()), Ok(Dot::first(Actor::default())));
    /// ```
    pub fn next(&self, actor: Actor) -> Result<Dot, Exhausted> {
        let at = sorted::find(&self.entries, actor).ok();
        at.and_then(|at| self.entries.get(at)).map_or(Ok(Dot::first(actor)), |last| last.next())
    }

    /// How the two relate. `<`, `<=` and so on tell the same.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Causality, Inline, VersionVector};
    /// # use quorate_core::NodeId;
    /// let mut a = VersionVector::<Inline<2>>::new();
    /// let mut b = VersionVector::<Inline<5>>::new();
    /// assert_eq!(a.compare(&b), Causality::Equal);
    /// a.increment(NodeId::new(1).into())?;
    /// assert_eq!(a.compare(&b), Causality::After);
    /// b.increment(NodeId::new(2).into())?;
    /// assert_eq!(a.compare(&b), Causality::Concurrent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn compare<T: Storage>(&self, other: &VersionVector<T>) -> Causality {
        sorted::compare(&self.entries, &other.entries)
    }

    /// Whether every event of the other is included: after or equal.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// let old = VersionVector::<Inline<2>>::new();
    /// let mut new = old.clone();
    /// new.increment(Actor::default())?;
    /// assert!(new.includes(&old) && new.includes(&new) && !old.includes(&new));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn includes<T: Storage>(&self, other: &VersionVector<T>) -> bool {
        matches!(self.compare(other), Causality::After | Causality::Equal)
    }

    /// Whether every event that a message tells of is included.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// let old = VersionVector::<Inline<2>>::new();
    /// let mut new = old.clone();
    /// new.increment(Actor::default())?;
    /// assert!(new.includes_all(old.versions()) && !old.includes_all(new.versions()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn includes_all(&self, versions: Versions<'_>) -> bool {
        versions.iter().all(|dot| self.contains(dot))
    }

    /// The last event of each actor, sorted by actor.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Inline, VersionVector};
    /// let mut clock = VersionVector::<Inline<2>>::new();
    /// clock.increment(Actor::default())?;
    /// assert_eq!(clock.entries(), [Dot::first(Actor::default())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn entries(&self) -> &[Dot] {
        &self.entries
    }

    /// The entries, for a message.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, VersionVector};
    /// assert!(VersionVector::<Inline<4>>::new().versions().is_empty());
    /// ```
    #[must_use]
    pub fn versions(&self) -> Versions<'_> {
        Versions::plain(self.entries())
    }

    /// How many actors have events.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, VersionVector};
    /// assert_eq!(VersionVector::<Inline<2>>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no events.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, VersionVector};
    /// assert!(VersionVector::<Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many actors there may be.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, VersionVector};
    /// assert_eq!(VersionVector::<Inline<2>>::new().limit(), 2);
    /// ```
    #[must_use]
    pub fn limit(&self) -> usize {
        self.entries.limit()
    }

    /// Drops an actor's entry.
    pub(crate) fn remove(&mut self, actor: Actor) {
        if let Ok(at) = sorted::find(&self.entries, actor) {
            self.entries.remove(at);
        }
    }

    /// The list itself, for the types built on this one.
    pub(crate) const fn list(&mut self) -> &mut S::List<Dot> {
        &mut self.entries
    }
}

impl<S: Storage> Default for VersionVector<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Limits do not count: two vectors are equal if their events are.
impl<S: Storage> PartialEq for VersionVector<S> {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries()
    }
}

impl<S: Storage> Eq for VersionVector<S> {}

impl<S: Storage> Hash for VersionVector<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entries().hash(state);
    }
}

impl<S: Storage> PartialOrd for VersionVector<S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.compare(other).ordering()
    }
}

impl<S: Storage> fmt::Debug for VersionVector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries()).finish()
    }
}

#[cfg(feature = "defmt")]
impl<S: Storage> defmt::Format for VersionVector<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[?]}", self.entries());
    }
}

impl<S: Storage> Wire<'_> for VersionVector<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        sorted::encode(self.entries(), out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut vector = Self::new();
        sorted::decode(&mut vector.entries, input)?;
        if sorted::is_canonical(&vector.entries) { Ok(vector) } else { Err(DecodeError::Invalid) }
    }
}

#[cfg(feature = "serde")]
impl<S: Storage> serde::Serialize for VersionVector<S> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.entries())
    }
}

#[cfg(feature = "serde")]
impl<'de, S: Storage> serde::Deserialize<'de> for VersionVector<S> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = crate::seq::deserialize::<S, Dot, D>(deserializer)?;
        if sorted::is_canonical(&entries) {
            return Ok(Self { entries });
        }
        Err(serde::de::Error::custom("entries are not sorted by actor, each once"))
    }
}
