use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use quorate_clocks::{Actor, Causality, Dot, DotContext, Storage};
use quorate_core::{DecodeError, Full, List, Reader, Wire, Writer, sort};

use crate::crdt::DECODED_REVISION;
use crate::grow_map::{causality, insert, swap};
use crate::{ApplyError, MergeError, UpdateError, Value};

/// What one update of a type with removal did: at most one new entry, and the entries it took the place of.
///
/// It names removed entries by their dots, one each, and nothing else: a delta that is lost or late is never taken for a removal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Change<P: Value, S: Storage> {
    pub(crate) added: Option<(P, Dot)>,
    /// Sorted, so that applying it is a search for each entry.
    pub(crate) removed: S::List<Dot>,
}

/// The kernel of all types from which things are taken out: what is there, each with the dot of the update that put it there, and the
/// set of all dots ever seen. What is in the set and not there was removed; no tombstone is kept (Bieniusa et al., "An
/// Optimized Conflict-free Replicated Set", 2012; Almeida, Shoker, Baquero 2018, section 7.2: causal CRDTs, here with the
/// dot store flattened into one list sorted by payload and dot, whatever the nesting).
#[allow(unreachable_pub, unnameable_types)] // the kernel of a map and its values
#[derive(Clone)]
pub struct DotStore<P: Value, S: Storage, A: Storage> {
    entries: S::List<(P, Dot)>,
    context: DotContext<A>,
    /// Not part of the state, see [`Crdt::revision`](crate::Crdt::revision).
    revision: u64,
}

impl<P: Value, S: Storage, A: Storage> DotStore<P, S, A> {
    pub(crate) fn with_limits(entries: usize, actors: usize) -> Self {
        Self {
            entries: S::List::with_limit(entries),
            context: DotContext::with_limits(actors, actors),
            revision: 0,
        }
    }

    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    const fn bump_revision(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    pub(crate) fn limits(&self) -> (usize, usize) {
        (self.entries.limit(), self.context.limits().0)
    }

    pub(crate) fn entries(&self) -> &[(P, Dot)] {
        &self.entries
    }

    pub(crate) const fn context(&self) -> &DotContext<A> {
        &self.context
    }

    /// The entries that `cmp` finds equal; they are next to each other.
    #[inline]
    pub(crate) fn range(&self, cmp: impl Fn(&P) -> Ordering) -> &[(P, Dot)] {
        let (from, to) = equal_range(&self.entries, cmp);
        self.entries.get(from..to).unwrap_or_default()
    }

    /// Whether `cmp` finds an entry equal.
    #[inline]
    pub(crate) fn contains(&self, cmp: impl Fn(&P) -> Ordering) -> bool {
        self.entries.binary_search_by(|entry| cmp(&entry.0)).is_ok()
    }

    /// Removes the entries that `cmp` finds equal, and adds another one with a new dot of the
    /// actor.
    pub(crate) fn update(
        &mut self,
        actor: Actor,
        added: Option<P>,
        cmp: impl Fn(&P) -> Ordering,
    ) -> Result<Change<P, S>, UpdateError> {
        let (from, to) = equal_range(&self.entries, cmp);
        let mut change = self.range_removal(from, to)?;
        if let Some(payload) = added {
            let left = self.entries.len().saturating_sub(change.removed.len());
            if left >= self.entries.limit() {
                return Err(UpdateError::Full);
            }
            let dot = self.context.increment(actor)?;
            change.added = Some((payload, dot));
        }
        if !self.replace_in_place(from, to, &change) {
            self.remove_range(from, to);
            self.insert_added(&change)?;
        }
        self.bump_revision();
        Ok(change)
    }

    /// Replaces all entries of the actor, of which there are some, by one or none.
    pub(crate) fn replace_actor_entries(
        &mut self,
        actor: Actor,
        added: Option<P>,
    ) -> Result<Change<P, S>, UpdateError> {
        let mut removed = S::List::<Dot>::with_limit(self.entries.limit());
        for (_, dot) in self.entries.iter().filter(|entry| entry.1.actor() == actor) {
            removed.push(*dot)?;
        }
        sort(&mut removed);
        let mut change = Change::<P, S> { added: None, removed };
        if let Some(payload) = added {
            change.added = Some((payload, self.context.increment(actor)?));
        }
        self.commit(&change)?;
        self.bump_revision();
        Ok(change)
    }

    /// Removes the entries that `cmp` finds equal.
    pub(crate) fn remove(&mut self, cmp: impl Fn(&P) -> Ordering) -> Change<P, S> {
        let (from, to) = equal_range(&self.entries, cmp);
        let empty = || Change { added: None, removed: S::List::with_limit(0) };
        let change = self.range_removal(from, to).unwrap_or_else(|_| empty()); // as many as there are fit
        self.remove_range(from, to);
        self.bump_revision();
        change
    }

    /// The change that removes a range.
    fn range_removal(&self, from: usize, to: usize) -> Result<Change<P, S>, Full> {
        let mut removed = S::List::<Dot>::with_limit(self.entries.limit());
        for (_, dot) in self.entries.get(from..to).unwrap_or_default() {
            removed.push(*dot)?;
        }
        sort(&mut removed);
        Ok(Change { added: None, removed })
    }

    /// Removes a range.
    fn remove_range(&mut self, from: usize, to: usize) {
        let removed = to.saturating_sub(from);
        if let Some(tail) = self.entries.get_mut(from..) {
            tail.rotate_left(removed.min(tail.len()));
        }
        let len = self.entries.len();
        self.entries.truncate(len.saturating_sub(removed));
    }

    /// Puts what a change adds where what it removes begins, if that keeps the order: then little moves.
    fn replace_in_place(&mut self, from: usize, to: usize, change: &Change<P, S>) -> bool {
        let Some(entry) = &change.added else { return false };
        let before = from.checked_sub(1).and_then(|at| self.entries.get(at));
        let fits = from < to
            && before.is_none_or(|before| before < entry)
            && self.entries.get(to).is_none_or(|after| entry < after);
        if fits && let Some(slot) = self.entries.get_mut(from) {
            slot.clone_from(entry);
            self.remove_range(from.saturating_add(1), to);
            return true;
        }
        false
    }

    /// Puts in what a change adds; there is room.
    fn insert_added(&mut self, change: &Change<P, S>) -> Result<(), Full> {
        if let Some(entry) = &change.added
            && let Err(at) = self.entries.binary_search(entry)
        {
            insert(&mut self.entries, at, entry.clone())?;
        }
        Ok(())
    }

    /// Applies an update whose removals and whose predecessor by the same actor are known here.
    ///
    /// What a change removes is independent of whether what it adds is known: a state that was
    /// merged may have brought the one without the other (Almeida, Shoker, Baquero 2018, section
    /// 7.2: the join of the delta, `{added}` with the context `{added} ∪ removed`).
    pub(crate) fn apply(&mut self, change: &Change<P, S>) -> Result<bool, ApplyError> {
        let changed = self.apply_change(change)?;
        self.bump_revision();
        Ok(changed)
    }

    fn apply_change(&mut self, change: &Change<P, S>) -> Result<bool, ApplyError> {
        if !change.removed.iter().all(|dot| self.context.contains(*dot)) {
            return Err(ApplyError::Missing);
        }
        let Some((_, dot)) = change.added.as_ref() else {
            return Ok(self.commit(change)?);
        };
        if self.conflicting_actor(change).is_some() {
            return Err(ApplyError::Conflict);
        }
        if self.context.contains(*dot) {
            return Ok(self.remove_entries(change));
        }
        if !self.has_predecessor(*dot) {
            return Err(ApplyError::Missing);
        }
        let gone = self.entries.iter().filter(|entry| change.removes(entry.1)).count();
        if self.entries.len().saturating_sub(gone) >= self.entries.limit() {
            return Err(ApplyError::Full);
        }
        self.context.insert(*dot)?;
        self.commit(change)?;
        Ok(true)
    }

    /// The actor of the dot that a change adds, if the dot stands for another entry here.
    pub(crate) fn conflicting_actor(&self, change: &Change<P, S>) -> Option<Actor> {
        let added = change.added.as_ref()?;
        let contradicts = self.context.contains(added.1)
            && self.entries.binary_search(added).is_err()
            && self.entries.iter().any(|entry| entry.1 == added.1);
        contradicts.then_some(added.1.actor())
    }

    /// Whether the update before this one, by the same actor, is known.
    fn has_predecessor(&self, dot: Dot) -> bool {
        Dot::new(dot.actor(), dot.counter().saturating_sub(1))
            .is_none_or(|previous| self.context.contains(previous))
    }

    /// Removes and adds what a change says. There is room for it. True if anything was removed.
    fn commit(&mut self, change: &Change<P, S>) -> Result<bool, Full> {
        let removed = self.remove_entries(change);
        self.insert_added(change)?;
        Ok(removed)
    }

    /// Removes what a change says. True if any of it was there.
    fn remove_entries(&mut self, change: &Change<P, S>) -> bool {
        let before = self.entries.len();
        if !change.removed.is_empty() {
            retain(&mut self.entries, |entry| !change.removes(entry.1));
        }
        self.entries.len() < before
    }

    /// Takes over all of the other: what both have stays, and what one has stays unless the other has seen and removed it.
    pub(crate) fn merge<T: Storage, B: Storage>(
        &mut self,
        other: &DotStore<P, T, B>,
    ) -> Result<bool, MergeError> {
        let has_new_dots = !self.context.includes(&other.context);
        let (kept, added_count) = count_merge(self, other);
        if kept < self.entries.len() && self.conflicts_with(other, |_| true) {
            return Err(MergeError::Conflict);
        }
        if kept.saturating_add(added_count) > self.entries.limit() {
            return Err(MergeError::Full);
        }
        let context = if has_new_dots {
            let mut context = self.context.clone();
            context.merge(&other.context)?;
            Some(context)
        } else {
            None
        };
        let gone = kept < self.entries.len();
        if gone {
            remove_missing(&mut self.entries, other);
        }
        if added_count > 0
            && let Some(filler) = other.entries.first()
        {
            for _ in 0..added_count {
                self.entries.push(filler.clone())?; // to be overwritten
            }
            merge_backward(&mut self.entries, kept, other, &self.context);
        }
        if let Some(context) = context {
            self.context = context;
        }
        self.bump_revision();
        Ok(has_new_dots || gone || added_count > 0)
    }

    /// Whether one of some dots stands for one thing here and for another there: each would take the other's for removed. Looked
    /// for only if both sides have something that the other has seen and lacks.
    pub(crate) fn conflicts_with<T: Storage, B: Storage>(
        &self,
        other: &DotStore<P, T, B>,
        of: impl Fn(Dot) -> bool,
    ) -> bool {
        let mut gone = T::List::<Dot>::with_limit(other.entries.limit());
        let theirs = removed_entries(other.entries(), self.entries(), &self.context);
        for entry in theirs.filter(|entry| of(entry.1)) {
            let _ = gone.push(entry.1); // no more than there are
        }
        if gone.is_empty() {
            return false;
        }
        sort(&mut gone);
        removed_entries(self.entries(), other.entries(), &other.context)
            .any(|entry| gone.binary_search(&entry.1).is_ok())
    }

    pub(crate) fn compare(&self, other: &Self) -> Causality {
        let seen = self.context.compare(&other.context);
        let (own_gone, other_gone) =
            (has_removed_entries(self, other), has_removed_entries(other, self));
        // what one has removed and the other still has puts the one ahead
        let more = matches!(seen, Causality::After | Causality::Concurrent) || other_gone;
        let less = matches!(seen, Causality::Before | Causality::Concurrent) || own_gone;
        causality(more, less)
    }

    /// The state that consists of a change alone. Dots that are not next to each other take a run each: a change that removes much
    /// may need more of them than there are, and is an error then.
    pub(crate) fn change_state(&self, change: &Change<P, S>) -> Result<Self, MergeError> {
        let (entries, actors) = self.limits();
        let mut state = Self::with_limits(entries, actors);
        for dot in change.removed.iter() {
            state.context.insert(*dot)?;
        }
        if let Some((_, dot)) = &change.added {
            state.context.insert(*dot)?;
        }
        state.entries.extend_from_slice(change.added.as_slice())?;
        Ok(state)
    }

    /// Some entries, sorted, with all of the context.
    pub(crate) fn restrict<Q: Value>(
        &self,
        entries: impl Iterator<Item = (Q, Dot)>,
    ) -> DotStore<Q, S, A> {
        let mut restricted: DotStore<Q, S, A> = DotStore {
            entries: S::List::with_limit(self.entries.limit()),
            context: self.context.clone(),
            revision: 0,
        };
        for entry in entries {
            let _ = restricted.entries.push(entry); // no more than here
        }
        restricted
    }

    pub(crate) fn actor_version(&self, actor: Actor) -> u64 {
        self.context.next(actor).map_or(u64::MAX, |dot| dot.counter().saturating_sub(1))
    }

    /// Whether a change names an update of the actor that was not seen here.
    pub(crate) fn lacks(&self, change: &Change<P, S>, actor: Actor) -> bool {
        let mut dots = change.removed.iter().copied().chain(change.dot());
        dots.any(|dot| dot.actor() == actor && !self.context.contains(dot))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn from_parts(entries: S::List<(P, Dot)>, context: DotContext<A>) -> Option<Self> {
        let state = Self { entries, context, revision: DECODED_REVISION };
        state.is_canonical().then_some(state)
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.u64(self.entries.len() as u64);
        for (payload, dot) in self.entries() {
            payload.write(out);
            dot.encode(out);
        }
        self.context.encode(out);
    }

    /// Reads entries and context with those limits.
    pub(crate) fn read(
        (entries, actors): (usize, usize),
        input: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut state = Self::with_limits(entries, actors);
        for _ in 0..input.u64()? {
            let entry = (P::read(input)?, Dot::decode(input)?);
            state.entries.push(entry).map_err(|_| DecodeError::Invalid)?;
        }
        state.context = DotContext::decode_with_limits(actors, actors, input)?;
        state.revision = DECODED_REVISION;
        if state.is_canonical() { Ok(state) } else { Err(DecodeError::Invalid) }
    }

    fn is_canonical(&self) -> bool {
        self.entries.is_sorted_by(|a, b| a < b)
            && self.entries.iter().all(|entry| self.context.contains(entry.1))
            && self.dots_are_unique()
    }

    /// Two entries of one dot are two things under one identity: a removal elsewhere would take out both, or one.
    fn dots_are_unique(&self) -> bool {
        let mut dots = S::List::<Dot>::with_limit(self.entries.limit());
        let fits = self.entries.iter().all(|entry| dots.push(entry.1).is_ok());
        sort(&mut dots);
        fits && dots.is_sorted_by(|a, b| a < b)
    }
}

impl<P: Value, S: Storage> Change<P, S> {
    /// The dots of the entries that were taken out, sorted.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::OrSet;
    /// let mut set = OrSet::<u8, Inline<4>>::new();
    /// let added = set.add(Actor::default(), 7)?;
    /// let removed = set.remove(&7);
    /// assert_eq!(removed.removed(), [added.dot().ok_or("none")?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn removed(&self) -> &[Dot] {
        &self.removed
    }

    /// The dot of what was put in, if anything was.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Inline};
    /// # use quorate_crdt::OrSet;
    /// let mut set = OrSet::<u8, Inline<4>>::new();
    /// assert_eq!(set.add(Actor::default(), 7)?.dot(), Some(Dot::first(Actor::default())));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    #[must_use]
    pub fn dot(&self) -> Option<Dot> {
        self.added.as_ref().map(|added| added.1)
    }

    pub(crate) fn removes(&self, dot: Dot) -> bool {
        self.removed.binary_search(&dot).is_ok()
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.bool(self.added.is_some());
        if let Some((payload, dot)) = &self.added {
            payload.write(out);
            dot.encode(out);
        }
        out.u64(self.removed.len() as u64);
        self.removed.iter().for_each(|dot| dot.encode(out));
    }

    pub(crate) fn read(limit: usize, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut change = Self { added: Value::read(input)?, removed: S::List::with_limit(limit) };
        for _ in 0..input.u64()? {
            let dot = Dot::decode(input)?;
            change.removed.push(dot).map_err(|_| DecodeError::Invalid)?;
        }
        let is_canonical = change.removed.is_sorted_by(|a, b| a < b)
            && change.added.as_ref().is_none_or(|added| !change.removes(added.1));
        if is_canonical { Ok(change) } else { Err(DecodeError::Invalid) }
    }
}

/// The range of the entries that `cmp` finds equal.
#[inline]
fn equal_range<P>(entries: &[(P, Dot)], cmp: impl Fn(&P) -> Ordering) -> (usize, usize) {
    let from = entries.partition_point(|entry| cmp(&entry.0) == Ordering::Less);
    let rest = entries.get(from..).unwrap_or_default();
    // mostly one: look at the next few before searching
    let len = match rest {
        [] => 0,
        [first, ..] if cmp(&first.0) != Ordering::Equal => 0,
        [_, second, ..] if cmp(&second.0) != Ordering::Equal => 1,
        _ => rest.partition_point(|entry| cmp(&entry.0) == Ordering::Equal),
    };
    (from, from.saturating_add(len))
}

/// Keeps the elements that are to be kept, in order.
fn retain<T>(list: &mut impl List<T>, mut keep: impl FnMut(&T) -> bool) {
    let mut kept = 0;
    for at in 0..list.len() {
        if list.get(at).is_some_and(&mut keep) {
            swap(list, kept, at);
            kept = kept.saturating_add(1);
        }
    }
    list.truncate(kept);
}

/// How many of our entries are kept, and how many of theirs are added.
fn count_merge<P: Value, S: Storage, A: Storage, T: Storage, B: Storage>(
    own: &DotStore<P, S, A>,
    other: &DotStore<P, T, B>,
) -> (usize, usize) {
    let (mut kept, mut added_count) = (0usize, 0usize);
    let (mut a, mut b) = (own.entries(), other.entries());
    loop {
        let order = match (a, b) {
            ([x, ..], [y, ..]) => x.cmp(y),
            ([_, ..], []) => Ordering::Less,
            ([], [_, ..]) => Ordering::Greater,
            ([], []) => return (kept, added_count),
        };
        if order != Ordering::Greater
            && let [x, rest @ ..] = a
        {
            let stays = order == Ordering::Equal || !other.context.contains(x.1);
            kept = kept.saturating_add(usize::from(stays));
            a = rest;
        }
        if order != Ordering::Less
            && let [y, rest @ ..] = b
        {
            let comes = order == Ordering::Greater && !own.context.contains(y.1);
            added_count = added_count.saturating_add(usize::from(comes));
            b = rest;
        }
    }
}

/// Drops what the other has seen and no longer has.
fn remove_missing<P: Value, T: Storage, B: Storage>(
    own: &mut impl List<(P, Dot)>,
    other: &DotStore<P, T, B>,
) {
    let mut theirs = other.entries();
    retain(own, |entry| {
        while let [first, rest @ ..] = theirs
            && first < entry
        {
            theirs = rest;
        }
        theirs.first() == Some(entry) || !other.context.contains(entry.1)
    });
}

/// The entries of one that the other has seen and removed.
fn removed_entries<'a, P: Value, B: Storage>(
    one: &'a [(P, Dot)],
    other: &'a [(P, Dot)],
    seen: &'a DotContext<B>,
) -> impl Iterator<Item = &'a (P, Dot)> + 'a {
    let mut theirs = other;
    one.iter().filter(move |entry| {
        while let [first, rest @ ..] = theirs
            && first < *entry
        {
            theirs = rest;
        }
        theirs.first() != Some(*entry) && seen.contains(entry.1)
    })
}

/// Whether `one` still has something that `other` has seen and removed.
fn has_removed_entries<P: Value, S: Storage, A: Storage>(
    one: &DotStore<P, S, A>,
    other: &DotStore<P, S, A>,
) -> bool {
    removed_entries(one.entries(), other.entries(), &other.context).next().is_some()
}

/// Puts in what of the other was not seen here, from the end, where the room is; `len` entries are in use.
fn merge_backward<P: Value, T: Storage, A: Storage, B: Storage>(
    own: &mut [(P, Dot)],
    len: usize,
    other: &DotStore<P, T, B>,
    seen: &DotContext<A>,
) {
    let mut mine = len;
    let mut at = own.len();
    for theirs in other.entries().iter().rev().filter(|entry| !seen.contains(entry.1)) {
        while let Some(last) = mine.checked_sub(1)
            && own.get(last).is_some_and(|entry| entry > theirs)
        {
            at = at.saturating_sub(1);
            swap(own, last, at);
            mine = last;
        }
        at = at.saturating_sub(1);
        if let Some(slot) = own.get_mut(at) {
            slot.clone_from(theirs);
        }
    }
}

/// Limits do not count.
impl<P: Value, S: Storage, A: Storage> PartialEq for DotStore<P, S, A> {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries() && self.context == other.context
    }
}

impl<P: Value, S: Storage, A: Storage> Eq for DotStore<P, S, A> {}

impl<P: Value, S: Storage, A: Storage> Hash for DotStore<P, S, A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entries().hash(state);
        self.context.hash(state);
    }
}

impl<P: Value, S: Storage, A: Storage> fmt::Debug for DotStore<P, S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries().iter().map(|(p, d)| (p, d))).finish()?;
        write!(f, " of {:?}", self.context)
    }
}

/// The first of each run of elements that are the same. (`chunk_by` would do, but for its panics.)
pub(crate) fn dedup<T>(list: &[T], same: fn(&T, &T) -> bool) -> impl Iterator<Item = &T> + '_ {
    let before = core::iter::once(None).chain(list.iter().map(Some));
    let first = move |(item, before): &(&T, Option<&T>)| before.is_none_or(|b| !same(b, item));
    list.iter().zip(before).filter(first).map(|(item, _)| item)
}
