use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::Peekable;

use quorate_core::{DecodeError, Full, List, Reader, Wire, Writer};

use crate::{
    Actor, Causality, Dot, Exhausted, IncrementError, Run, Storage, VersionVector, sorted,
};

/// Any set of events: a [`VersionVector`] for what is contiguous from the first event on, and runs of dots for what lies beyond a
/// gap (Almeida, Shoker, Baquero, "Delta State Replicated Data Types", 2018, section 7.2: the causal context).
///
/// The form is canonical: runs are sorted, do not touch each other, and move into the vector as soon as the gap closes, so
/// equal sets have equal bytes. `S` is where the vector lives, `G` where the runs do. RAM: 24 bytes an actor, 32 a run.
///
/// ```
/// use quorate_clocks::{Actor, Dot, DotContext, Inline};
///
/// let actor = Actor::default();
/// let [one, two, three] = [1, 2, 3].map(|n| Dot::new(actor, n).ok_or("0"));
/// let mut seen = DotContext::<Inline<4>>::new();
/// seen.insert(one?)?;
/// seen.insert(three?)?; // the second is still on its way
/// assert!(!seen.contains(two?) && seen.contains(three?));
/// assert_eq!((seen.vector().get(actor), seen.gaps().len()), (1, 1));
/// seen.insert(two?)?;
/// assert_eq!((seen.vector().get(actor), seen.gaps().len()), (3, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The wire and serde forms are the entries of the vector, then the runs; what is read is refused unless it is in canonical form
/// and fits.
#[derive(Clone)]
pub struct DotContext<S: Storage, G: Storage = S> {
    vector: VersionVector<S>,
    gaps: G::List<Run>,
}

impl<S: Storage, G: Storage> DotContext<S, G> {
    /// No events, with the limits of the storages.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// assert!(DotContext::<Inline<4>, Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(S::LIMIT, G::LIMIT)
    }

    /// No events; takes at most so many actors, and so many runs beyond gaps.
    ///
    /// ```
    /// # use quorate_clocks::DotContext;
    /// # #[cfg(feature = "alloc")] {
    /// use quorate_clocks::Heap;
    /// assert_eq!(DotContext::<Heap>::with_limits(16, 64).limits(), (16, 64));
    /// # }
    /// ```
    #[must_use]
    pub fn with_limits(actors: usize, gaps: usize) -> Self {
        Self { vector: VersionVector::with_limit(actors), gaps: G::List::with_limit(gaps) }
    }

    /// Makes the actor's next event, the one after all that are included, and returns it.
    ///
    /// # Errors
    ///
    /// [`IncrementError::Full`] if there is no room; [`IncrementError::Exhausted`] if the counter is at its maximum. The set is
    /// unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, DotContext, IncrementError, Inline};
    /// let mut seen = DotContext::<Inline<4>>::new();
    /// let dot = seen.increment(Actor::default())?;
    /// assert!(seen.contains(dot));
    /// # Ok::<(), IncrementError>(())
    /// ```
    pub fn increment(&mut self, actor: Actor) -> Result<Dot, IncrementError> {
        let dot = self.next(actor)?;
        self.insert(dot)?;
        Ok(dot)
    }

    /// Reads the wire form into a set of those limits; [`Wire::decode`] has the limits of the storages.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no set in canonical form, or it does not fit.
    ///
    /// ```
    /// # use quorate_core::{DecodeError, Reader, Wire};
    /// # #[cfg(feature = "alloc")] {
    /// use quorate_clocks::{Actor, DotContext, Heap};
    /// let mut seen = DotContext::<Heap>::new();
    /// seen.increment(Actor::default())?;
    /// let mut bytes = [0; 16];
    /// let bytes = seen.to_slice(&mut bytes)?;
    /// let read = |actors| DotContext::<Heap>::read(actors, 4, &mut Reader::new(bytes));
    /// assert_eq!(read(1), Ok(seen));
    /// assert_eq!(read(0), Err(DecodeError::Invalid));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(actors: usize, gaps: usize, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut context = Self::with_limits(actors, gaps);
        sorted::decode(context.vector.list(), input)?;
        sorted::decode(&mut context.gaps, input)?;
        if context.canonical() { Ok(context) } else { Err(DecodeError::Invalid) }
    }

    /// Adds one event. True if it was new.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room for another actor or another run; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, DotContext, Inline};
    /// # use quorate_core::Full;
    /// let mut seen = DotContext::<Inline<1>>::new();
    /// let far = |n| Dot::new(Actor::default(), n).ok_or("0");
    /// assert_eq!(seen.insert(far(3)?), Ok(true));
    /// assert_eq!(seen.insert(far(3)?), Ok(false));
    /// assert_eq!(seen.insert(far(4)?), Ok(true)); // goes on where the run ends
    /// assert_eq!(seen.insert(far(9)?), Err(Full)); // another gap
    /// # Ok::<(), &str>(())
    /// ```
    pub fn insert(&mut self, dot: Dot) -> Result<bool, Full> {
        self.insert_run(dot.into())
    }

    /// Adds consecutive events. True if any of them was new.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room for another actor or another run; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, DotContext, Inline, Run};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// let run = Run::new(Actor::default(), 1, 1000).ok_or("empty")?;
    /// assert_eq!(seen.insert_run(run), Ok(true));
    /// assert_eq!(seen.vector().get(Actor::default()), 1000);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn insert_run(&mut self, run: Run) -> Result<bool, Full> {
        if self.contains_run(run) {
            return Ok(false);
        }
        if self.last_gap(run.actor()).is_none()
            && run.first() <= self.vector.get(run.actor()).saturating_add(1)
            && let Some(end) = Dot::new(run.actor(), run.last())
        {
            return self.vector.observe(end);
        }
        self.unite(core::iter::once(run)).map(|()| true)
    }

    /// Adds all events of the other.
    ///
    /// # Errors
    ///
    /// [`Full`] if not all fit; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// # use quorate_core::NodeId;
    /// let mut a = DotContext::<Inline<2>>::new();
    /// let mut b = a.clone();
    /// a.increment(NodeId::new(1).into())?;
    /// let dot = b.increment(NodeId::new(2).into())?;
    /// a.merge(&b)?;
    /// assert!(a.contains(dot));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<T: Storage, H: Storage>(&mut self, other: &DotContext<T, H>) -> Result<(), Full> {
        if self.gaps.is_empty() && other.gaps.is_empty() {
            return self.vector.merge(&other.vector);
        }
        self.unite(other.runs())
    }

    /// Forgets everything.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, DotContext, Inline};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// seen.increment(Actor::default())?;
    /// seen.clear();
    /// assert!(seen.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&mut self) {
        self.vector.clear();
        self.gaps.clear();
    }

    /// Whether the event is included.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, DotContext, Inline};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// let dot = seen.increment(Actor::default())?;
    /// assert!(seen.contains(dot) && !seen.contains(dot.next()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        self.vector.contains(dot) || gap_around(&self.gaps, dot).is_some()
    }

    /// Whether all of the events are included.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, DotContext, Inline, Run};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// let dot = seen.increment(Actor::default())?;
    /// assert!(seen.contains_run(Run::from(dot)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn contains_run(&self, run: Run) -> bool {
        run.last() <= self.vector.get(run.actor())
            || gap_around(&self.gaps, run.start()).is_some_and(|gap| run.last() <= gap.last())
    }

    /// The actor's next event: the one after all of its events that are included, beyond gaps too. It is not added.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if the counter is at its maximum.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, DotContext, Inline};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// seen.insert(Dot::new(Actor::default(), 7).ok_or("0")?)?;
    /// assert_eq!(seen.next(Actor::default())?.counter(), 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next(&self, actor: Actor) -> Result<Dot, Exhausted> {
        match self.last_gap(actor) {
            Some(gap) => Dot::new(actor, gap.last()).ok_or(Exhausted)?.next(),
            None => self.vector.next(actor),
        }
    }

    /// How the two relate as sets. `<`, `<=` and so on tell the same.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Causality, DotContext, Inline};
    /// let old = DotContext::<Inline<2>>::new();
    /// let mut new = old.clone();
    /// new.increment(Actor::default())?;
    /// assert_eq!(old.compare(&new), Causality::Before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn compare<T: Storage, H: Storage>(&self, other: &DotContext<T, H>) -> Causality {
        if self.gaps.is_empty() && other.gaps.is_empty() {
            return self.vector.compare(&other.vector);
        }
        Causality::of(!other.includes(self), !self.includes(other))
    }

    /// Whether every event of the other is included.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, DotContext, Inline};
    /// let old = DotContext::<Inline<2>>::new();
    /// let mut new = old.clone();
    /// new.increment(Actor::default())?;
    /// assert!(new.includes(&old) && !old.includes(&new));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn includes<T: Storage, H: Storage>(&self, other: &DotContext<T, H>) -> bool {
        other.runs().all(|run| self.contains_run(run))
    }

    /// Everything up to the first gap of each actor.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, DotContext, Inline};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// seen.insert(Dot::new(Actor::default(), 2).ok_or("0")?)?;
    /// assert!(seen.vector().is_empty()); // the first is missing
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn vector(&self) -> &VersionVector<S> {
        &self.vector
    }

    /// What lies beyond gaps, sorted by actor and number.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, DotContext, Inline};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// seen.insert(Dot::new(Actor::default(), 2).ok_or("0")?)?;
    /// assert_eq!(seen.gaps().first().map(|run| run.first()), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gaps(&self) -> &[Run] {
        &self.gaps
    }

    /// All events as the fewest runs, sorted by actor and number.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, DotContext, Inline, Run};
    /// let actor = Actor::default();
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// for n in [1, 2, 5] {
    ///     seen.insert(Dot::new(actor, n).ok_or("0")?)?;
    /// }
    /// let runs: Vec<_> = seen.runs().map(|run| (run.first(), run.last())).collect();
    /// assert_eq!(runs, [(1, 2), (5, 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runs(&self) -> impl Iterator<Item = Run> + Clone + '_ {
        Runs { entries: self.vector.entries(), gaps: &self.gaps }
    }

    /// Whether there are no events.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// assert!(DotContext::<Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vector.is_empty() && self.gaps.is_empty()
    }

    /// How many actors in the vector, and how many runs beyond gaps, there may be.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// assert_eq!(DotContext::<Inline<8>, Inline<3>>::new().limits(), (8, 3));
    /// ```
    #[must_use]
    pub fn limits(&self) -> (usize, usize) {
        (self.vector.limit(), self.gaps.limit())
    }

    /// The actor's last run beyond a gap.
    fn last_gap(&self, actor: Actor) -> Option<Run> {
        let last = last_from(&self.gaps, Dot::new(actor, u64::MAX)?);
        last.filter(|gap| gap.actor() == actor)
    }

    /// Adds runs that are sorted. Builds the result beside the present state, so that an error leaves that as it is.
    fn unite(&mut self, other: impl Iterator<Item = Run>) -> Result<(), Full> {
        let (actors, gaps) = self.limits();
        let mut united = Self::with_limits(actors, gaps);
        let mut both = Both { a: self.runs().peekable(), b: other.peekable() };
        let mut open = both.next();
        for run in both {
            match &mut open {
                Some(last) if last.reaches(run) => last.extend(run),
                _ => united.append(open.replace(run))?,
            }
        }
        united.append(open)?;
        *self = united;
        Ok(())
    }

    /// Adds a run that comes after all others and does not touch them.
    fn append(&mut self, run: Option<Run>) -> Result<(), Full> {
        let Some(run) = run else { return Ok(()) };
        match Dot::new(run.actor(), run.last()) {
            Some(end) if run.first() == 1 => self.vector.list().push(end),
            _ => self.gaps.push(run),
        }
    }

    /// Whether the parts are in canonical form.
    fn canonical(&self) -> bool {
        let apart = |a: &Run, b: &Run| a < b && !a.reaches(*b);
        sorted::canonical(self.vector.entries())
            && self.gaps.is_sorted_by(apart)
            && self.gaps.iter().all(|gap| {
                self.vector.get(gap.actor()).checked_add(1).is_some_and(|next| next < gap.first())
            })
    }
}

/// The run beyond a gap that includes the event.
fn gap_around(gaps: &[Run], dot: Dot) -> Option<Run> {
    last_from(gaps, dot).filter(|gap| gap.contains(dot))
}

/// The last run that begins with the event or before it.
fn last_from(gaps: &[Run], dot: Dot) -> Option<Run> {
    let after = gaps.partition_point(|gap| gap.start() <= dot);
    after.checked_sub(1).and_then(|at| gaps.get(at)).copied()
}

/// The entries of a vector, as runs from 1 on, and the runs beyond gaps, in order.
#[derive(Clone)]
struct Runs<'a> {
    entries: &'a [Dot],
    gaps: &'a [Run],
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        match (self.entries, self.gaps) {
            ([entry, ..], [gap, gaps @ ..]) if gap.actor() < entry.actor() => {
                self.gaps = gaps;
                Some(*gap)
            }
            ([entry, entries @ ..], _) => {
                self.entries = entries;
                Run::new(entry.actor(), 1, entry.counter())
            }
            ([], [gap, gaps @ ..]) => {
                self.gaps = gaps;
                Some(*gap)
            }
            ([], []) => None,
        }
    }
}

/// Two sorted sequences of runs as one.
struct Both<A: Iterator<Item = Run>, B: Iterator<Item = Run>> {
    a: Peekable<A>,
    b: Peekable<B>,
}

impl<A: Iterator<Item = Run>, B: Iterator<Item = Run>> Iterator for Both<A, B> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        match (self.a.peek(), self.b.peek()) {
            (Some(a), Some(b)) if b < a => self.b.next(),
            (Some(_), _) => self.a.next(),
            (None, _) => self.b.next(),
        }
    }
}

impl<S: Storage, G: Storage> Default for DotContext<S, G> {
    fn default() -> Self {
        Self::new()
    }
}

/// Without gaps.
impl<S: Storage, G: Storage> From<VersionVector<S>> for DotContext<S, G> {
    fn from(vector: VersionVector<S>) -> Self {
        Self { vector, gaps: G::List::with_limit(G::LIMIT) }
    }
}

/// Limits do not count: two sets are equal if their events are.
impl<S: Storage, G: Storage> PartialEq for DotContext<S, G> {
    fn eq(&self, other: &Self) -> bool {
        self.vector == other.vector && self.gaps() == other.gaps()
    }
}

impl<S: Storage, G: Storage> Eq for DotContext<S, G> {}

impl<S: Storage, G: Storage> Hash for DotContext<S, G> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.vector.hash(state);
        self.gaps().hash(state);
    }
}

impl<S: Storage, G: Storage> PartialOrd for DotContext<S, G> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.compare(other).ordering()
    }
}

impl<S: Storage, G: Storage> fmt::Debug for DotContext<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vector.entries()).entries(self.gaps()).finish()
    }
}

#[cfg(feature = "defmt")]
impl<S: Storage, G: Storage> defmt::Format for DotContext<S, G> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[?]} {=[?]}", self.vector.entries(), self.gaps());
    }
}

impl<S: Storage, G: Storage> Wire<'_> for DotContext<S, G> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.vector.encode(out);
        sorted::encode(self.gaps(), out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read(S::LIMIT, G::LIMIT, input)
    }
}

#[cfg(feature = "serde")]
impl<S: Storage, G: Storage> serde::Serialize for DotContext<S, G> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("DotContext", 2)?;
        fields.serialize_field("vector", &self.vector)?;
        fields.serialize_field("gaps", self.gaps())?;
        fields.end()
    }
}

#[cfg(feature = "serde")]
impl<'de, S: Storage, G: Storage> serde::Deserialize<'de> for DotContext<S, G> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "DotContext", bound = "")]
        struct Fields<S: Storage, G: Storage> {
            vector: VersionVector<S>,
            #[serde(deserialize_with = "crate::seq::deserialize::<G, Run, _>")]
            gaps: G::List<Run>,
        }
        let Fields { vector, gaps } = Fields::<S, G>::deserialize(deserializer)?;
        let context = Self { vector, gaps };
        if context.canonical() {
            return Ok(context);
        }
        Err(serde::de::Error::custom("runs are not sorted, or touch"))
    }
}
