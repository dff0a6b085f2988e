use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use quorate_clocks::{Causality, Storage};
use quorate_core::{DecodeError, Full, List, Reader, Writer};

use crate::crdt::DECODED_REVISION;
use crate::{MergeError, Value};

/// A value that only grows.
pub(crate) trait Join: Value {
    /// Takes over what the other has. True if that changed anything. Only for
    /// [compatible](Self::is_compatible) ones.
    fn join(&mut self, other: &Self) -> bool;

    /// Whether the two can be of one history.
    #[inline]
    fn is_compatible(&self, _other: &Self) -> bool {
        true
    }

    /// How the two relate.
    fn compare_values(&self, other: &Self) -> Causality;
}

/// The kernel of all types from which nothing is ever taken out: a map from keys to values that only grow, sorted by key.
/// The join is that of the values, key by key (Almeida, Shoker, Baquero 2018, appendix B: maps to lattices).
#[derive(Clone)]
pub(crate) struct GrowMap<K: Value, V: Join, S: Storage> {
    entries: S::List<(K, V)>,
    /// Not part of the state, see [`Crdt::revision`](crate::Crdt::revision).
    revision: u64,
}

impl<K: Value, V: Join, S: Storage> GrowMap<K, V, S> {
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { entries: S::List::with_limit(limit), revision: 0 }
    }

    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    const fn bump_revision(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    pub(crate) fn limit(&self) -> usize {
        self.entries.limit()
    }

    pub(crate) fn entries(&self) -> &[(K, V)] {
        &self.entries
    }

    #[inline]
    pub(crate) fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.0.cmp(key))
    }

    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().and_then(|at| self.entries.get(at)).map(|entry| &entry.1)
    }

    /// Joins one entry.
    pub(crate) fn join(&mut self, key: &K, value: &V) -> Result<bool, MergeError> {
        let changed = self.join_entry(key, value)?;
        self.bump_revision();
        Ok(changed)
    }

    /// Whether the key has a value here that cannot be of one history with this one.
    pub(crate) fn conflicts(&self, key: &K, value: &V) -> bool {
        self.get(key).is_some_and(|own| !own.is_compatible(value))
    }

    fn join_entry(&mut self, key: &K, value: &V) -> Result<bool, MergeError> {
        match self.find(key) {
            Ok(at) => match self.entries.get_mut(at) {
                Some(entry) if entry.1.is_compatible(value) => Ok(entry.1.join(value)),
                Some(_) => Err(MergeError::Conflict),
                None => Ok(false),
            },
            Err(at) => {
                insert(&mut self.entries, at, (key.clone(), value.clone()))?;
                Ok(true)
            }
        }
    }

    /// Joins all of the other, or nothing.
    pub(crate) fn merge<T: Storage>(
        &mut self,
        other: &GrowMap<K, V, T>,
    ) -> Result<bool, MergeError> {
        let changed = self.join_all(other)?;
        self.bump_revision();
        Ok(changed)
    }

    fn join_all<T: Storage>(&mut self, other: &GrowMap<K, V, T>) -> Result<bool, MergeError> {
        if same_keys(&self.entries, &other.entries) {
            return join_same_keys(&mut self.entries, &other.entries);
        }
        let missing = count_missing_keys(&self.entries, &other.entries)?;
        if self.entries.limit().saturating_sub(self.entries.len()) < missing {
            return Err(MergeError::Full);
        }
        let len = self.entries.len();
        if let Some(filler) = other.entries.first() {
            for _ in 0..missing {
                self.entries.push(filler.clone())?; // to be overwritten
            }
        }
        Ok(merge_backward(&mut self.entries, len, &other.entries) || missing > 0)
    }

    pub(crate) fn compare(&self, other: &Self) -> Causality {
        let (mut more, mut less) = (false, false);
        let (mut a, mut b) = (self.entries(), other.entries());
        while let ([x, after_x @ ..], [y, after_y @ ..]) = (a, b) {
            match x.0.cmp(&y.0) {
                Ordering::Less => (more, a) = (true, after_x),
                Ordering::Greater => (less, b) = (true, after_y),
                Ordering::Equal => {
                    let relation = x.1.compare_values(&y.1);
                    more |= matches!(relation, Causality::After | Causality::Concurrent);
                    less |= matches!(relation, Causality::Before | Causality::Concurrent);
                    (a, b) = (after_x, after_y);
                }
            }
        }
        causality(more || !a.is_empty(), less || !b.is_empty())
    }

    #[cfg(feature = "serde")]
    pub(crate) fn from_entries(entries: S::List<(K, V)>) -> Option<Self> {
        entries
            .is_sorted_by(|a, b| a.0 < b.0)
            .then_some(Self { entries, revision: DECODED_REVISION })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.u64(self.entries.len() as u64);
        for (key, value) in self.entries() {
            key.write(out);
            value.write(out);
        }
    }

    /// Reads entries into an empty map of that limit.
    pub(crate) fn read(limit: usize, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut map = Self::with_limit(limit);
        for _ in 0..input.u64()? {
            let entry = (K::read(input)?, V::read(input)?);
            if map.entries.last().is_some_and(|last| last.0 >= entry.0) {
                return Err(DecodeError::Invalid);
            }
            map.entries.push(entry).map_err(|_| DecodeError::Invalid)?;
        }
        map.revision = DECODED_REVISION;
        Ok(map)
    }
}

/// From whether the first has more, and whether the second has.
pub(crate) const fn causality(more: bool, less: bool) -> Causality {
    match (more, less) {
        (false, false) => Causality::Equal,
        (false, true) => Causality::Before,
        (true, false) => Causality::After,
        (true, true) => Causality::Concurrent,
    }
}

/// Adds an element at `at`, moving the later ones up.
pub(crate) fn insert<T>(list: &mut impl List<T>, at: usize, value: T) -> Result<(), Full> {
    list.push(value)?;
    // a rotation by one; the library's has a panic that not every optimiser removes
    if let Some((last, before)) = list.get_mut(at..).and_then(<[T]>::split_last_mut) {
        for item in before {
            core::mem::swap(item, last);
        }
    }
    Ok(())
}

/// Replicas that have met know the same keys: then nothing moves.
fn same_keys<K: Value, V>(own: &[(K, V)], other: &[(K, V)]) -> bool {
    own.len() == other.len() && own.iter().zip(other).all(|(a, b)| a.0 == b.0)
}

/// Joins the values of lists with the same keys.
fn join_same_keys<K: Value, V: Join>(
    own: &mut [(K, V)],
    other: &[(K, V)],
) -> Result<bool, MergeError> {
    if !own.iter().zip(other).all(|(a, b)| a.1.is_compatible(&b.1)) {
        return Err(MergeError::Conflict);
    }
    let pairs = own.iter_mut().zip(other);
    Ok(pairs.fold(false, |changed, (mine, theirs)| changed | mine.1.join(&theirs.1)))
}

/// How many keys of the other are missing here; checks that those in both can be joined.
fn count_missing_keys<K: Value, V: Join>(
    own: &[(K, V)],
    other: &[(K, V)],
) -> Result<usize, MergeError> {
    let (mut mine, mut missing) = (own, 0usize);
    for theirs in other {
        while let [first, rest @ ..] = mine
            && first.0 < theirs.0
        {
            mine = rest;
        }
        match mine {
            [first, ..] if first.0 == theirs.0 => {
                if !first.1.is_compatible(&theirs.1) {
                    return Err(MergeError::Conflict);
                }
            }
            _ => missing = missing.saturating_add(1),
        }
    }
    Ok(missing)
}

/// Merges from the end, where the room is; the first `len` entries are in use, the others are to be overwritten.
fn merge_backward<K: Value, V: Join>(own: &mut [(K, V)], len: usize, other: &[(K, V)]) -> bool {
    let (mut rest, mut mine, mut changed) = (other, len, false);
    for at in (0..own.len()).rev() {
        let Some((theirs, before)) = rest.split_last() else { break };
        let last = mine.checked_sub(1);
        match last.and_then(|m| own.get(m)).map(|entry| entry.0.cmp(&theirs.0)) {
            Some(order @ (Ordering::Greater | Ordering::Equal)) => {
                mine = mine.saturating_sub(1);
                swap(own, mine, at);
                if order == Ordering::Equal {
                    rest = before;
                    changed |= own.get_mut(at).is_some_and(|slot| slot.1.join(&theirs.1));
                }
            }
            _ => {
                rest = before;
                if let Some(slot) = own.get_mut(at) {
                    slot.clone_from(theirs);
                }
            }
        }
    }
    changed
}

/// Swaps two elements, if both are there.
pub(crate) fn swap<T>(list: &mut [T], a: usize, b: usize) {
    if a != b
        && let Ok([a, b]) = list.get_disjoint_mut([a, b])
    {
        core::mem::swap(a, b);
    }
}

/// Limits do not count.
impl<K: Value, V: Join, S: Storage> PartialEq for GrowMap<K, V, S> {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries()
    }
}

impl<K: Value, V: Join, S: Storage> Eq for GrowMap<K, V, S> {}

impl<K: Value, V: Join, S: Storage> Hash for GrowMap<K, V, S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entries().hash(state);
    }
}

impl<K: Value, V: Join, S: Storage> fmt::Debug for GrowMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries().iter().map(|(k, v)| (k, v))).finish()
    }
}

/// The larger counts.
macro_rules! join_by_max {
    ($($type:ty),*) => {$(
        impl Join for $type {
            #[inline]
            fn join(&mut self, other: &Self) -> bool {
                let grows = *self < *other;
                *self = (*self).max(*other);
                grows
            }

            #[inline]
            fn compare_values(&self, other: &Self) -> Causality {
                causality(self > other, self < other)
            }
        }
    )*};
}

join_by_max!(u64, bool, ());

/// Both grow on their own.
impl<A: Join, B: Join> Join for (A, B) {
    #[inline]
    fn join(&mut self, other: &Self) -> bool {
        self.0.join(&other.0) | self.1.join(&other.1)
    }

    #[inline]
    fn is_compatible(&self, other: &Self) -> bool {
        self.0.is_compatible(&other.0) && self.1.is_compatible(&other.1)
    }

    fn compare_values(&self, other: &Self) -> Causality {
        let parts = [self.0.compare_values(&other.0), self.1.compare_values(&other.1)];
        let any = |which| parts.iter().any(|&part| part == which || part == Causality::Concurrent);
        causality(any(Causality::After), any(Causality::Before))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use quorate_clocks::{Causality, Inline};
    use quorate_core::{DecodeError, Reader, Writer};

    use super::{GrowMap, Join, causality};
    use crate::{MergeError, Value};

    /// A value that never becomes another.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    struct Fixed(u8);

    impl Value for Fixed {
        fn write(&self, out: &mut Writer<'_>) {
            out.u8(self.0);
        }

        fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
            input.u8().map(Self)
        }
    }

    impl Join for Fixed {
        fn join(&mut self, _other: &Self) -> bool {
            false
        }

        fn is_compatible(&self, other: &Self) -> bool {
            self == other
        }

        fn compare_values(&self, other: &Self) -> Causality {
            causality(self > other, self < other)
        }
    }

    /// Of two parts, either may be what cannot be joined.
    #[test]
    fn one_incompatible_part_is_a_conflict() {
        type Map = GrowMap<u8, (Fixed, Fixed), Inline<4>>;
        let map = |key: u8, a, b| {
            let mut map = Map::with_limit(4);
            map.join(&key, &(Fixed(a), Fixed(b))).unwrap();
            map
        };
        let before = map(1, 1, 1);
        for (a, b, is_compatible) in [(1, 1, true), (1, 2, false), (2, 1, false), (2, 2, false)] {
            let expected = if is_compatible { Ok(false) } else { Err(MergeError::Conflict) };
            let mut own = before.clone();
            assert_eq!(own.conflicts(&1, &(Fixed(a), Fixed(b))), !is_compatible);
            assert_eq!(own.join(&1, &(Fixed(a), Fixed(b))), expected);
            // of maps with the same keys, and with others
            assert_eq!(own.merge(&map(1, a, b)), expected);
            let mut more = map(1, a, b);
            more.join(&2, &(Fixed(0), Fixed(0))).unwrap();
            let expected = if is_compatible { Ok(true) } else { Err(MergeError::Conflict) };
            assert_eq!(own.clone().merge(&more), expected);
            assert_eq!(own, before);
        }
    }
}
