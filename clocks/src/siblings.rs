use core::fmt;

use quorate_core::{DecodeError, Full, List, Reader, Wire, Writer};

use crate::{Actor, Dot, Element, IncrementError, Storage, VersionVector, sorted};

/// The values of one key that nobody has replaced yet: a dotted version vector set (Preguiça, Baquero, Almeida, Fonte, Gonçalves,
/// "Efficient Causality Tracking in Distributed Storage Systems With Dotted Version Vectors", PODC 2012; Almeida et al.,
/// "Scalable and Accurate Causality Tracking for Eventually Consistent Stores", 2014, section 5).
///
/// A client reads the values with their [`context`](Self::context), and hands that context back with what it writes: the write
/// replaces what the client had seen and nothing else. Each value has the dot of its write, made by the server that took it, so
/// clocks have an entry a server, not a client, and two values are siblings only if their writes were concurrent: however many
/// clients take turns, there are never more siblings than writes that did not know of each other.
///
/// A server that forgot what it wrote must write as its next
/// [incarnation](Actor::next_incarnation): a dot that it makes again stands for a write that others
/// have seen, or [conflicts](SiblingsError::Conflict) with it. A context that says more of a
/// server's writes than that server knows is believed, so that their dots are not made again;
/// contexts come from [`context`](Self::context), and one that a client made up can use up a
/// server's dots.
///
/// `A` is room for actors, which are servers here, 24 bytes each; `S` for values, 24 bytes and the value's size each.
///
/// ```
/// use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
///
/// let server = Actor::default();
/// let mut key = Siblings::<&str, Inline<3>, Inline<4>>::new();
/// let nothing = VersionVector::<Inline<3>>::new();
/// key.write(server, &nothing, "tea")?;
/// let read_by_ann = key.context().clone();
/// key.write(server, &nothing, "milk")?; // Bob has read nothing: concurrent with "tea"
/// assert_eq!(key.values().copied().collect::<Vec<_>>(), ["tea", "milk"]);
/// key.write(server, &read_by_ann, "coffee")?; // instead of "tea", which is all that Ann had read
/// assert_eq!(key.values().copied().collect::<Vec<_>>(), ["milk", "coffee"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Siblings<V: Element, A: Storage, S: Storage = A> {
    /// All writes there were.
    context: VersionVector<A>,
    /// The values that are left, sorted by the dots of their writes.
    values: S::List<(Dot, V)>,
}

impl<V: Element, A: Storage, S: Storage> Siblings<V, A, S> {
    /// No values, with the limits of the storages.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert!(Siblings::<u8, Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(A::LIMIT, S::LIMIT)
    }

    /// No values; takes at most so many servers, and so many values.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert_eq!(Siblings::<u8, Inline<2>, Inline<5>>::with_limits(9, 9).limits(), (2, 5));
    /// ```
    #[must_use]
    pub fn with_limits(servers: usize, values: usize) -> Self {
        Self { context: VersionVector::with_limit(servers), values: S::List::with_limit(values) }
    }

    /// Takes a value that a client wrote, having read `context`; replaces the values that were read. Returns the write's dot.
    ///
    /// # Errors
    ///
    /// [`IncrementError::Full`] if there is no room for another value or server; [`IncrementError::Exhausted`] at the last of the
    /// server's dots. Nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, IncrementError, Inline, Siblings, VersionVector};
    /// let nothing = VersionVector::<Inline<2>>::new();
    /// let mut key = Siblings::<u8, Inline<2>, Inline<1>>::new();
    /// key.write(Actor::default(), &nothing, 1)?;
    /// assert_eq!(key.write(Actor::default(), &nothing, 2), Err(IncrementError::Full));
    /// let context = key.context().clone();
    /// assert!(key.write(Actor::default(), &context, 2).is_ok()); // knows what it replaces
    /// # Ok::<(), IncrementError>(())
    /// ```
    pub fn write<T: Storage>(
        &mut self,
        server: Actor,
        context: &VersionVector<T>,
        value: V,
    ) -> Result<Dot, IncrementError> {
        self.write_above(server, context, value, 0)
    }

    /// The same, with a dot whose counter is above `floor`: for a store that takes no writes up to a number any more, as it has
    /// forgotten deletions that may be as late as that. Values that were not read stay.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
    /// let nothing = VersionVector::<Inline<2>>::new();
    /// let mut key = Siblings::<u8, Inline<2>>::new();
    /// key.write(Actor::default(), &nothing, 1)?;
    /// assert_eq!(key.write_above(Actor::default(), &nothing, 2, 8)?.counter(), 9);
    /// assert_eq!(key.values().copied().collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), quorate_clocks::IncrementError>(())
    /// ```
    pub fn write_above<T: Storage>(
        &mut self,
        server: Actor,
        context: &VersionVector<T>,
        value: V,
        floor: u64,
    ) -> Result<Dot, IncrementError> {
        let kept = self.values.iter().filter(|(dot, _)| !context.contains(*dot)).count();
        if kept >= self.values.limit() {
            return Err(IncrementError::Full);
        }
        let (merged, dot) = self.next_above(server, context, floor)?;
        self.context = merged;
        self.discard(context);
        self.insert(dot, value)?;
        Ok(dot)
    }

    /// Removes the values that a client had read when it asked for that.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room for another server; nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
    /// let mut key = Siblings::<u8, Inline<2>>::new();
    /// key.write(Actor::default(), &VersionVector::<Inline<2>>::new(), 1)?;
    /// let context = key.context().clone();
    /// key.delete(&context)?;
    /// assert!(key.is_empty() && !key.context().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete<T: Storage>(&mut self, context: &VersionVector<T>) -> Result<(), Full> {
        self.context.merge(context)?;
        self.discard(context);
        Ok(())
    }

    /// The same as an event of the server, with a dot whose counter is above `floor`; see [`write_above`](Self::write_above).
    ///
    /// # Errors
    ///
    /// [`IncrementError::Full`] if there is no room for another server; [`IncrementError::Exhausted`] at the last of the server's
    /// dots. Nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
    /// let mut key = Siblings::<u8, Inline<2>>::new();
    /// key.write(Actor::default(), &VersionVector::<Inline<2>>::new(), 1)?;
    /// let context = key.context().clone();
    /// assert_eq!(key.delete_above(Actor::default(), &context, 8)?.counter(), 9);
    /// assert!(key.is_empty());
    /// # Ok::<(), quorate_clocks::IncrementError>(())
    /// ```
    pub fn delete_above<T: Storage>(
        &mut self,
        server: Actor,
        context: &VersionVector<T>,
        floor: u64,
    ) -> Result<Dot, IncrementError> {
        let (merged, dot) = self.next_above(server, context, floor)?;
        self.context = merged;
        self.discard(context);
        Ok(dot)
    }

    /// Adds what another replica has: its values that were not replaced here stay, ours that were replaced there go.
    ///
    /// # Errors
    ///
    /// [`SiblingsError::Full`] if there is no room; [`SiblingsError::Conflict`] if one dot has two values, so that one actor was in
    /// two places. Nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
    /// # use quorate_core::NodeId;
    /// let nothing = VersionVector::<Inline<2>>::new();
    /// let mut here = Siblings::<u8, Inline<2>>::new();
    /// let mut there = here.clone();
    /// here.write(NodeId::new(1).into(), &nothing, 1)?;
    /// there.write(NodeId::new(2).into(), &nothing, 2)?;
    /// here.merge(&there)?;
    /// assert_eq!(here.values().copied().collect::<Vec<_>>(), [1, 2]);
    /// let context = here.context().clone();
    /// there.write(NodeId::new(2).into(), &context, 3)?;
    /// here.merge(&there)?;
    /// assert_eq!(here.values().copied().collect::<Vec<_>>(), [3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<T: Storage, M: Storage>(
        &mut self,
        other: &Siblings<V, T, M>,
    ) -> Result<(), SiblingsError> {
        let mut kept = 0usize;
        for (dot, value) in self.values.iter() {
            match other.value_of(*dot) {
                Some(theirs) if theirs != value => return Err(SiblingsError::Conflict(*dot)),
                Some(_) => kept = kept.saturating_add(1),
                None if other.context.contains(*dot) => {}
                None => kept = kept.saturating_add(1),
            }
        }
        let new = other.values.iter().filter(|(dot, _)| !self.context.contains(*dot));
        if kept.saturating_add(new.clone().count()) > self.values.limit() {
            return Err(SiblingsError::Full);
        }
        let before = self.context.clone();
        self.context.merge(&other.context)?;
        self.retain(|(dot, _)| !other.context.contains(*dot) || other.value_of(*dot).is_some());
        for (dot, value) in other.values.iter().filter(|(dot, _)| !before.contains(*dot)) {
            self.insert(*dot, value.clone())?;
        }
        Ok(())
    }

    /// The values, by the dots of their writes; more than one if writes were concurrent.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert_eq!(Siblings::<u8, Inline<2>>::new().values().count(), 0);
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &V> + '_ {
        self.values.iter().map(|(_, value)| value)
    }

    /// The values with their dots.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
    /// let mut key = Siblings::<u8, Inline<2>>::new();
    /// let dot = key.write(Actor::default(), &VersionVector::<Inline<2>>::new(), 7)?;
    /// assert_eq!(key.entries(), [(dot, 7)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn entries(&self) -> &[(Dot, V)] {
        &self.values
    }

    /// What a reader of all the values hands back with its next write.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert!(Siblings::<u8, Inline<2>>::new().context().is_empty());
    /// ```
    #[must_use]
    pub const fn context(&self) -> &VersionVector<A> {
        &self.context
    }

    /// How many values there are.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert_eq!(Siblings::<u8, Inline<2>>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values: nothing was written, or all was deleted.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert!(Siblings::<u8, Inline<2>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many servers and how many values there may be.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Siblings};
    /// assert_eq!(Siblings::<u8, Inline<2>>::new().limits(), (2, 2));
    /// ```
    #[must_use]
    pub fn limits(&self) -> (usize, usize) {
        (self.context.limit(), self.values.limit())
    }

    /// All writes there were and were read, and the server's next, which is above `floor`.
    fn next_above<T: Storage>(
        &self,
        server: Actor,
        context: &VersionVector<T>,
        floor: u64,
    ) -> Result<(VersionVector<A>, Dot), IncrementError> {
        let mut merged = self.context.clone();
        merged.merge(context)?;
        if let Some(skipped) = Dot::new(server, floor) {
            merged.observe(skipped)?;
        }
        let dot = merged.increment(server)?;
        Ok((merged, dot))
    }

    /// Drops the values that a client had read.
    fn discard<T: Storage>(&mut self, context: &VersionVector<T>) {
        self.retain(|(dot, _)| !context.contains(*dot));
    }

    fn value_of(&self, dot: Dot) -> Option<&V> {
        let at = self.values.binary_search_by_key(&dot, |(dot, _)| *dot).ok()?;
        self.values.get(at).map(|(_, value)| value)
    }

    fn insert(&mut self, dot: Dot, value: V) -> Result<(), Full> {
        let at = self.values.partition_point(|(other, _)| *other < dot);
        sorted::insert(&mut self.values, at, (dot, value))
    }

    fn retain(&mut self, mut keep: impl FnMut(&(Dot, V)) -> bool) {
        let mut at = 0;
        while let Some(entry) = self.values.get(at) {
            if keep(entry) {
                at = at.saturating_add(1);
            } else {
                self.values.remove(at);
            }
        }
    }

    fn is_canonical(&self) -> bool {
        self.values.is_sorted_by(|a, b| a.0 < b.0)
            && self.values.iter().all(|(dot, _)| self.context.contains(*dot))
    }
}

impl<V: Element, A: Storage, S: Storage> Default for Siblings<V, A, S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Why values were not merged. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SiblingsError {
    /// There is no room for another value, or another server.
    Full,
    /// One dot with two values: two replicas act as the same actor. Give one of them the next incarnation.
    Conflict(Dot),
}

impl From<Full> for SiblingsError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for SiblingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room for another value or server"),
            Self::Conflict(dot) => {
                write!(f, "two values for {dot}: give one of the replicas the next incarnation")
            }
        }
    }
}

impl core::error::Error for SiblingsError {}

impl<V, A: Storage, S: Storage> Wire<'_> for Siblings<V, A, S>
where
    V: Element + for<'a> Wire<'a>,
{
    fn encode(&self, out: &mut Writer<'_>) {
        self.context.encode(out);
        out.u64(self.values.len() as u64);
        for (dot, value) in self.values.iter() {
            dot.encode(out);
            value.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut siblings = Self { context: VersionVector::decode(input)?, ..Self::new() };
        for _ in 0..input.u64()? {
            let value = (Dot::decode(input)?, V::decode(input)?);
            siblings.values.push(value).map_err(|_| DecodeError::Invalid)?;
        }
        if siblings.is_canonical() { Ok(siblings) } else { Err(DecodeError::Invalid) }
    }
}

#[cfg(feature = "serde")]
impl<V: Element + serde::Serialize, A: Storage, S: Storage> serde::Serialize for Siblings<V, A, S> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Siblings", 2)?;
        fields.serialize_field("context", &self.context)?;
        fields.serialize_field("values", self.entries())?;
        fields.end()
    }
}

#[cfg(feature = "serde")]
impl<'de, V, A: Storage, S: Storage> serde::Deserialize<'de> for Siblings<V, A, S>
where
    V: Element + serde::Deserialize<'de>,
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "Siblings", bound = "V: Element + serde::Deserialize<'de>")]
        struct Fields<V: Element, A: Storage, S: Storage> {
            context: VersionVector<A>,
            #[serde(deserialize_with = "crate::seq::deserialize::<S, (Dot, V), _>")]
            values: S::List<(Dot, V)>,
        }
        let Fields { context, values } = Fields::<V, A, S>::deserialize(deserializer)?;
        let siblings = Self { context, values };
        if siblings.is_canonical() {
            return Ok(siblings);
        }
        Err(serde::de::Error::custom(
            "values are not sorted by dot, or not of writes that were seen",
        ))
    }
}
