use quorate_core::{Full, List, NodeId};

use super::storage::Kinds;
use super::{KeyRange, RangeError, Storage};
use crate::fingerprint::Fingerprint;
use crate::{MAX_PREFERENCE, Placement, PreferenceList, Zone};

/// The longest boundary, where the storage does not say.
pub(super) const KEY_BYTES: usize = 65_536;

/// Which nodes hold which range of ordered keys: as in Bigtable, TiKV or CockroachDB, and unlike hashing it keeps neighbours
/// together, for scans.
///
/// The ranges cover all keys, without gaps and without overlaps: each begins where the one before ends. Every lookup and every
/// change compares keys in the same way. All nodes must apply the same changes in the same order, for
/// example as commands of a replicated log. A split is one step: the left range shrinks and the right one appears at once.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::Placement;
/// use quorate_ring::ranges::{Inline, Ranges};
/// let nodes = [1, 2, 3, 4].map(NodeId::new);
/// let mut ranges = Ranges::<Inline<8, 16, 3>>::new(&nodes[..1])?;
/// for (start, node) in [b"G", b"M", b"S"].into_iter().zip(&nodes[1..]) {
///     ranges.split(start)?;
///     ranges.assign(start, &[*node])?;
/// }
/// assert_eq!([&b"F"[..], b"G", b"Rust", b"S"].map(|key| ranges.owner(key)), nodes.map(Some));
/// # Ok::<(), quorate_ring::ranges::RangeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ranges<S: Storage> {
    /// In the order of their keys; the first begins at the empty key.
    pub(super) entries: S::Entries,
    pub(super) key_bytes: usize,
}

/// A range, which ends where the next begins.
#[allow(unnameable_types)] // of the sealed storage
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Entry<K, N> {
    pub(super) start: K,
    pub(super) nodes: N,
}

impl<S: Storage> Ranges<S> {
    /// One range with all keys, held by these nodes, the owner first. With `Heap` storage there is room for any number of ranges, with
    /// boundaries of up to 65,536 bytes.
    ///
    /// # Errors
    ///
    /// [`RangeError::NoNodes`], [`DuplicateNode`](RangeError::DuplicateNode) or [`TooManyNodes`](RangeError::TooManyNodes).
    pub fn new(nodes: &[NodeId]) -> Result<Self, RangeError> {
        Self::with_limits(nodes, usize::MAX, KEY_BYTES)
    }

    /// The same for at most so many ranges, and boundaries of so many bytes, where the storage has no limits of its own.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::ranges::{Inline, RangeError, Ranges};
    /// let mut ranges = Ranges::<Inline<8, 2, 1>>::with_limits(&[NodeId::new(1)], 8, 2)?;
    /// assert_eq!(ranges.split(b"long"), Err(RangeError::KeyTooLong));
    /// # Ok::<(), RangeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); [`RangeError::Full`] if there is no room for one range.
    pub fn with_limits(
        nodes: &[NodeId],
        ranges: usize,
        key_bytes: usize,
    ) -> Result<Self, RangeError> {
        let mut entries = <S as Kinds>::Entries::with_limit(ranges);
        let start = <S as Kinds>::Key::with_limit(key_bytes);
        entries.push(Entry { start, nodes: list_of::<S>(nodes)? })?;
        Ok(Self { entries, key_bytes })
    }

    /// Splits the range that this key is in: the left one ends before the key, and the right one begins with it. Both are held by
    /// the same nodes.
    ///
    /// # Errors
    ///
    /// [`RangeError::Empty`] at a boundary or the empty key, [`KeyTooLong`](RangeError::KeyTooLong) or [`Full`](RangeError::Full);
    /// nothing was changed.
    pub fn split(&mut self, at: &[u8]) -> Result<(), RangeError> {
        let Err(place) = self.place_of(at) else { return Err(RangeError::Empty) };
        let mut start = <S as Kinds>::Key::with_limit(self.key_bytes);
        start.extend_from_slice(at).map_err(|Full| RangeError::KeyTooLong)?;
        let left = place.checked_sub(1).and_then(|left| self.entries.get(left));
        let nodes = left.ok_or(RangeError::Empty)?.nodes.clone();
        self.entries.push(Entry { start, nodes })?;
        self.entries.get_mut(place..).unwrap_or_default().rotate_right(1);
        Ok(())
    }

    /// Merges the range that begins at this key into the one before it.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::ranges::{Inline, RangeError, Ranges};
    /// let mut ranges = Ranges::<Inline<8, 16, 1>>::new(&[NodeId::new(1)])?;
    /// ranges.split(b"M")?;
    /// ranges.merge(b"M")?;
    /// assert_eq!(ranges.len(), 1);
    /// assert_eq!(ranges.merge(b"M"), Err(RangeError::NotABoundary));
    /// # Ok::<(), RangeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RangeError::NotABoundary`] if no range begins at this key, or only the first;
    /// [`DifferentNodes`](RangeError::DifferentNodes). Nothing was changed.
    pub fn merge(&mut self, at: &[u8]) -> Result<(), RangeError> {
        let place = self.place_of(at).map_err(|_| RangeError::NotABoundary)?;
        let left = place.checked_sub(1).ok_or(RangeError::NotABoundary)?;
        let nodes = |place: usize| self.entries.get(place).map(|entry| &entry.nodes);
        if nodes(left) != nodes(place) {
            return Err(RangeError::DifferentNodes);
        }
        self.entries.remove(place);
        Ok(())
    }

    /// Assigns the range that begins at this key to these nodes, the owner first.
    ///
    /// # Errors
    ///
    /// [`RangeError::NotABoundary`], [`NoNodes`](RangeError::NoNodes), [`DuplicateNode`](RangeError::DuplicateNode) or
    /// [`TooManyNodes`](RangeError::TooManyNodes); nothing was changed.
    pub fn assign(&mut self, start: &[u8], nodes: &[NodeId]) -> Result<(), RangeError> {
        let place = self.place_of(start).map_err(|_| RangeError::NotABoundary)?;
        let nodes = list_of::<S>(nodes)?;
        if let Some(entry) = self.entries.get_mut(place) {
            entry.nodes = nodes;
        }
        Ok(())
    }

    /// The range that a key is in: there is always one.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::ranges::{Inline, Ranges};
    /// let mut ranges = Ranges::<Inline<8, 16, 1>>::new(&[NodeId::new(1)])?;
    /// ranges.split(b"M")?;
    /// let range = ranges.range_of(b"N");
    /// assert_eq!((range.start, range.end), (&b"M"[..], None));
    /// # Ok::<(), quorate_ring::ranges::RangeError>(())
    /// ```
    #[must_use]
    pub fn range_of(&self, key: &[u8]) -> KeyRange<'_> {
        let place = self.place_of(key).unwrap_or_else(|next| next.saturating_sub(1));
        self.range_at(place)
    }

    /// All ranges, in the order of their keys.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::ranges::{Inline, Ranges};
    /// let mut ranges = Ranges::<Inline<8, 16, 1>>::new(&[NodeId::new(1)])?;
    /// ranges.split(b"M")?;
    /// assert!(ranges.iter().map(|range| range.start).eq([&b""[..], b"M"]));
    /// # Ok::<(), quorate_ring::ranges::RangeError>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = KeyRange<'_>> {
        (0..self.entries.len()).map(|place| self.range_at(place))
    }

    /// The number of ranges: 1 or more.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The place of the range that begins at the key, or of the one behind it.
    fn place_of(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (*entry.start).cmp(key))
    }

    fn range_at(&self, place: usize) -> KeyRange<'_> {
        let entry = self.entries.get(place);
        let next = self.entries.get(place.saturating_add(1));
        KeyRange {
            start: entry.map(|entry| &*entry.start).unwrap_or_default(),
            end: next.map(|entry| &*entry.start),
            nodes: entry.map(|entry| &*entry.nodes).unwrap_or_default(),
        }
    }
}

/// The nodes of a range are those that it was assigned to, so zones are ignored.
impl<S: Storage> Placement for Ranges<S> {
    type Position<'k> = &'k [u8];

    fn position<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        key
    }

    /// The nodes of the range, and then those of the ranges behind it, once round.
    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        let place = self.place_of(at).unwrap_or_else(|next| next.saturating_sub(1));
        let (before, from) = self.entries.split_at_checked(place).unwrap_or_default();
        let nodes = from.iter().chain(before).flat_map(|entry| entry.nodes.iter());
        nodes.map(|node| (*node, Zone::default()))
    }

    fn zones(&self) -> usize {
        1
    }

    /// The replicas are nodes that the range was assigned to, and no others: of more than `replicas` the first ones. The fallbacks are
    /// the rest of the walk, so the range's other nodes come first.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::Placement;
    /// # use quorate_ring::ranges::{Inline, Ranges};
    /// let [a, b, c] = [1, 2, 3].map(NodeId::new);
    /// let mut ranges = Ranges::<Inline<8, 16, 2>>::new(&[a])?;
    /// ranges.split(b"M")?;
    /// ranges.assign(b"M", &[b, c])?;
    /// let list = ranges.preference_list(b"A", 3, 1);
    /// assert_eq!((list.replicas(), list.fallbacks()), (&[a][..], &[b][..]));
    /// let list = ranges.preference_list(b"N", 1, 3);
    /// assert_eq!((list.replicas(), list.fallbacks()), (&[b][..], &[c, a][..]));
    /// # Ok::<(), quorate_ring::ranges::RangeError>(())
    /// ```
    fn preference_list(
        &self,
        at: Self::Position<'_>,
        replicas: usize,
        fallbacks: usize,
    ) -> PreferenceList {
        let replicas = replicas.min(self.range_of(at).nodes.len());
        PreferenceList::select(|| self.walk(at), self.zones(), replicas, fallbacks)
    }

    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("ranges");
        fingerprint.length(self.entries.len());
        for Entry { start, nodes } in self.entries.iter() {
            fingerprint.bytes(start);
            fingerprint.length(nodes.len());
            nodes.iter().for_each(|node| fingerprint.number(node.get()));
        }
        fingerprint.finish()
    }
}

pub(super) fn list_of<S: Storage>(nodes: &[NodeId]) -> Result<S::Nodes, RangeError> {
    if nodes.is_empty() {
        return Err(RangeError::NoNodes);
    }
    let mut list = <S as Kinds>::Nodes::with_limit(MAX_PREFERENCE);
    for node in nodes {
        if list.contains(node) {
            return Err(RangeError::DuplicateNode(*node));
        }
        list.push(*node).map_err(|Full| RangeError::TooManyNodes)?;
    }
    Ok(list)
}
