use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::Peekable;

use quorate_core::{DecodeError, Full, List, Reader, Wire, Writer};

use crate::{
    Actor, Causality, Dot, Exhausted, IncrementError, Run, Storage, VersionVector, sorted,
};

/// Any set of events: a [`VersionVector`] for what is contiguous from the first event on, and runs of dots for what lies beyond a
/// gap: the dot cloud (Almeida, Shoker, Baquero, "Delta State Replicated Data Types", 2018, section
/// 7.2: the causal context).
///
/// The form is canonical: runs are sorted, do not touch each other, and move into the vector as soon as the gap closes, so
/// equal sets have equal bytes. `A` is room for actors, 24 bytes each; `G` for runs beyond a gap, 32 bytes each.
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
/// assert_eq!((seen.vector().get(actor), seen.cloud().len()), (1, 1));
/// seen.insert(two?)?;
/// assert_eq!((seen.vector().get(actor), seen.cloud().len()), (3, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The wire and serde forms are the entries of the vector, then the runs; what is read is refused unless it is in canonical form
/// and fits.
#[derive(Clone)]
pub struct DotContext<A: Storage, G: Storage = A> {
    vector: VersionVector<A>,
    cloud: G::List<Run>,
}

impl<A: Storage, G: Storage> DotContext<A, G> {
    /// No events, with the limits of the storages.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// assert!(DotContext::<Inline<4>, Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(A::LIMIT, G::LIMIT)
    }

    /// No events; takes at most so many actors in the vector, and so many runs in the cloud.
    ///
    /// ```
    /// # use quorate_clocks::DotContext;
    /// # #[cfg(feature = "alloc")] {
    /// use quorate_clocks::Heap;
    /// assert_eq!(DotContext::<Heap>::with_limits(16, 64).limits(), (16, 64));
    /// # }
    /// ```
    #[must_use]
    pub fn with_limits(actors: usize, runs: usize) -> Self {
        Self { vector: VersionVector::with_limit(actors), cloud: G::List::with_limit(runs) }
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
    /// let read = |actors| DotContext::<Heap>::decode_with_limits(actors, 4, &mut Reader::new(bytes));
    /// assert_eq!(read(1), Ok(seen));
    /// assert_eq!(read(0), Err(DecodeError::Invalid));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_with_limits(
        actors: usize,
        runs: usize,
        input: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut context = Self::with_limits(actors, runs);
        sorted::decode(context.vector.list(), input)?;
        sorted::decode(&mut context.cloud, input)?;
        if context.is_canonical() { Ok(context) } else { Err(DecodeError::Invalid) }
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
    /// assert_eq!(seen.insert(far(9)?), Err(Full)); // another run
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
        if self.last_cloud_run(run.actor()).is_none()
            && run.first() <= self.vector.get(run.actor()).saturating_add(1)
            && let Some(end) = Dot::new(run.actor(), run.last())
        {
            return self.vector.observe(end);
        }
        self.union_with(core::iter::once(run)).map(|()| true)
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
        if self.cloud.is_empty() && other.cloud.is_empty() {
            return self.vector.merge(&other.vector);
        }
        self.union_with(other.runs())
    }

    /// Removes all events.
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
        self.cloud.clear();
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
        self.vector.contains(dot) || find_run(&self.cloud, dot).is_some()
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
            || find_run(&self.cloud, run.start()).is_some_and(|found| run.last() <= found.last())
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
        match self.last_cloud_run(actor) {
            Some(run) => Dot::new(actor, run.last()).ok_or(Exhausted)?.next(),
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
        if self.cloud.is_empty() && other.cloud.is_empty() {
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
    /// assert!(seen.vector().is_empty()); // the first is count_missing
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn vector(&self) -> &VersionVector<A> {
        &self.vector
    }

    /// The dot cloud: the events beyond gaps as runs, sorted by actor and number.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, DotContext, Inline};
    /// let mut seen = DotContext::<Inline<2>>::new();
    /// seen.insert(Dot::new(Actor::default(), 2).ok_or("0")?)?;
    /// assert_eq!(seen.cloud().first().map(|run| run.first()), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cloud(&self) -> &[Run] {
        &self.cloud
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
        Runs { entries: self.vector.entries(), cloud: &self.cloud }
    }

    /// Whether there are no events.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// assert!(DotContext::<Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vector.is_empty() && self.cloud.is_empty()
    }

    /// The limits: actors in the vector, and runs in the cloud.
    ///
    /// ```
    /// # use quorate_clocks::{DotContext, Inline};
    /// assert_eq!(DotContext::<Inline<8>, Inline<3>>::new().limits(), (8, 3));
    /// ```
    #[must_use]
    pub fn limits(&self) -> (usize, usize) {
        (self.vector.limit(), self.cloud.limit())
    }

    /// The actor's last run in the cloud.
    fn last_cloud_run(&self, actor: Actor) -> Option<Run> {
        let last = last_run_up_to(&self.cloud, Dot::new(actor, u64::MAX)?);
        last.filter(|run| run.actor() == actor)
    }

    /// Adds runs that are sorted. Builds the result beside the present state, so that an error leaves that as it is.
    fn union_with(&mut self, other: impl Iterator<Item = Run>) -> Result<(), Full> {
        let (actors, runs) = self.limits();
        let mut union = Self::with_limits(actors, runs);
        let mut merged = MergedRuns { a: self.runs().peekable(), b: other.peekable() };
        let mut open = merged.next();
        for run in merged {
            match &mut open {
                Some(last) if last.touches(run) => last.extend(run),
                _ => union.push_run(open.replace(run))?,
            }
        }
        union.push_run(open)?;
        *self = union;
        Ok(())
    }

    /// Adds a run that comes after all others and does not touch them.
    fn push_run(&mut self, run: Option<Run>) -> Result<(), Full> {
        let Some(run) = run else { return Ok(()) };
        match Dot::new(run.actor(), run.last()) {
            Some(end) if run.first() == 1 => self.vector.list().push(end),
            _ => self.cloud.push(run),
        }
    }

    /// Whether the parts are in canonical form.
    fn is_canonical(&self) -> bool {
        let apart = |a: &Run, b: &Run| a < b && !a.touches(*b);
        sorted::is_canonical(self.vector.entries())
            && self.cloud.is_sorted_by(apart)
            && self.cloud.iter().all(|run| {
                self.vector.get(run.actor()).checked_add(1).is_some_and(|next| next < run.first())
            })
    }
}

/// The run that includes the event.
fn find_run(cloud: &[Run], dot: Dot) -> Option<Run> {
    last_run_up_to(cloud, dot).filter(|run| run.contains(dot))
}

/// The last run that begins with the event or before it.
fn last_run_up_to(cloud: &[Run], dot: Dot) -> Option<Run> {
    let after = cloud.partition_point(|run| run.start() <= dot);
    after.checked_sub(1).and_then(|at| cloud.get(at)).copied()
}

/// The entries of a vector, as runs from 1 on, and the runs of the cloud, in order.
#[derive(Clone)]
struct Runs<'a> {
    entries: &'a [Dot],
    cloud: &'a [Run],
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        match (self.entries, self.cloud) {
            ([entry, ..], [run, cloud @ ..]) if run.actor() < entry.actor() => {
                self.cloud = cloud;
                Some(*run)
            }
            ([entry, entries @ ..], _) => {
                self.entries = entries;
                Run::new(entry.actor(), 1, entry.counter())
            }
            ([], [run, cloud @ ..]) => {
                self.cloud = cloud;
                Some(*run)
            }
            ([], []) => None,
        }
    }
}

/// Two sorted sequences of runs as one.
struct MergedRuns<A: Iterator<Item = Run>, B: Iterator<Item = Run>> {
    a: Peekable<A>,
    b: Peekable<B>,
}

impl<A: Iterator<Item = Run>, B: Iterator<Item = Run>> Iterator for MergedRuns<A, B> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        match (self.a.peek(), self.b.peek()) {
            (Some(a), Some(b)) if b < a => self.b.next(),
            (Some(_), _) => self.a.next(),
            (None, _) => self.b.next(),
        }
    }
}

impl<A: Storage, G: Storage> Default for DotContext<A, G> {
    fn default() -> Self {
        Self::new()
    }
}

/// With an empty cloud.
impl<A: Storage, G: Storage> From<VersionVector<A>> for DotContext<A, G> {
    fn from(vector: VersionVector<A>) -> Self {
        Self { vector, cloud: G::List::with_limit(G::LIMIT) }
    }
}

/// Limits do not count: two sets are equal if their events are.
impl<A: Storage, G: Storage> PartialEq for DotContext<A, G> {
    fn eq(&self, other: &Self) -> bool {
        self.vector == other.vector && self.cloud() == other.cloud()
    }
}

impl<A: Storage, G: Storage> Eq for DotContext<A, G> {}

impl<A: Storage, G: Storage> Hash for DotContext<A, G> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.vector.hash(state);
        self.cloud().hash(state);
    }
}

impl<A: Storage, G: Storage> PartialOrd for DotContext<A, G> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.compare(other).ordering()
    }
}

impl<A: Storage, G: Storage> fmt::Debug for DotContext<A, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vector.entries()).entries(self.cloud()).finish()
    }
}

#[cfg(feature = "defmt")]
impl<A: Storage, G: Storage> defmt::Format for DotContext<A, G> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[?]} {=[?]}", self.vector.entries(), self.cloud());
    }
}

impl<A: Storage, G: Storage> Wire<'_> for DotContext<A, G> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.vector.encode(out);
        sorted::encode(self.cloud(), out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_with_limits(A::LIMIT, G::LIMIT, input)
    }
}

#[cfg(feature = "serde")]
impl<A: Storage, G: Storage> serde::Serialize for DotContext<A, G> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("DotContext", 2)?;
        fields.serialize_field("vector", &self.vector)?;
        fields.serialize_field("cloud", self.cloud())?;
        fields.end()
    }
}

#[cfg(feature = "serde")]
impl<'de, A: Storage, G: Storage> serde::Deserialize<'de> for DotContext<A, G> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "DotContext", bound = "")]
        struct Fields<A: Storage, G: Storage> {
            vector: VersionVector<A>,
            #[serde(deserialize_with = "crate::seq::deserialize::<G, Run, _>")]
            cloud: G::List<Run>,
        }
        let Fields { vector, cloud } = Fields::<A, G>::deserialize(deserializer)?;
        let context = Self { vector, cloud };
        if context.is_canonical() {
            return Ok(context);
        }
        Err(serde::de::Error::custom("runs are not sorted, or touch"))
    }
}
