use core::fmt;
use core::num::NonZeroU64;

use quorate_clocks::{Actor, Causality, Storage};
use quorate_core::{DecodeError, List as _, Reader, Wire, Writer};

use crate::grow_map::{GrowMap, Join, causality, insert};
use crate::{ApplyError, Crdt, Entry, MergeError, UpdateError, Value};

/// A sequence: text, a play list, steps of a recipe. Runs that are inserted at one place concurrently do not interleave (Weidner,
/// Gentle, Kleppmann, "The Art of the Fugue: Minimizing Interleaving in Collaborative Text Editing", 2023, algorithm 1: Fugue).
///
/// The elements are the nodes of a tree, and the sequence is the tree from left to right. RAM: 60 bytes for
/// each byte that is or was in the list, 76 for each number of 8 bytes, and 12 on the stack or heap while two lists are merged or
/// one is read. An update takes time in the length n of the list, n log n where others inserted at the same place at once, as does
/// a merge.
///
/// **Not** implemented: collecting what was removed. It keeps its place, as others may insert beside it; when the list is
/// full of it, [`UpdateError::Full`] says so. A list whose replicas are all known to be equal may be rewritten under a new name.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, List};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let (mut left, mut right) = (List::<u8, Inline<8>>::new(), List::new());
/// for (at, letter) in b"ab".iter().enumerate() {
///     left.insert(a, at, *letter)?;
/// }
/// for (at, letter) in b"xy".iter().enumerate() {
///     right.insert(b, at, *letter)?;
/// }
/// left.merge(&right)?;
/// assert!(left.iter().eq(b"abxy"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct List<V: Value, S: Storage> {
    nodes: GrowMap<ListId, Node<V>, S>,
    /// Where the nodes are in `nodes`, from left to right. Follows from them.
    order: S::List<u32>,
}

/// Which element: unique, and greater than every element its maker had seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ListId {
    counter: NonZeroU64,
    actor: Actor,
}

/// An element: where it hangs, and what it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node<V> {
    /// The root if `None`.
    parent: Option<ListId>,
    /// To the right of its parent, or to the left.
    right: bool,
    /// `None` once it was removed.
    value: Option<V>,
}

/// Why the list was not updated. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ListError {
    /// There is no such place.
    OutOfBounds,
    /// There is no room, or no number left.
    Update(UpdateError),
}

/// What a [`List`] sends.
type Update<V> = Entry<ListId, Node<V>>;

impl<V: Value, S: Storage> List<V, S> {
    /// Empty, with the limit of the storage.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::List;
    /// assert!(List::<u8, Inline<4>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(S::LIMIT)
    }

    /// Empty; takes at most so many elements, removed ones included, or as many as the storage does.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::List;
    /// assert_eq!(List::<u8, Inline<4>>::with_limit(9).limit(), 4);
    /// ```
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        let limit = limit.min(u32::MAX as usize);
        Self { nodes: GrowMap::with_limit(limit), order: quorate_core::List::with_limit(limit) }
    }

    /// Inserts a value before the element at `index`, or at the end.
    ///
    /// # Errors
    ///
    /// [`ListError::OutOfBounds`] beyond the end; [`ListError::Update`] if there is no room, or the largest number of an element is
    /// taken. The list is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{List, ListError};
    /// let mut list = List::<u8, Inline<4>>::new();
    /// list.insert(Actor::default(), 0, 2)?;
    /// list.insert(Actor::default(), 0, 1)?;
    /// assert!(list.iter().eq(&[1, 2]));
    /// assert_eq!(list.insert(Actor::default(), 3, 4), Err(ListError::OutOfBounds));
    /// # Ok::<(), ListError>(())
    /// ```
    pub fn insert(&mut self, actor: Actor, index: usize, value: V) -> Result<Update<V>, ListError> {
        let (parent, right) = self.insertion_point(index).ok_or(ListError::OutOfBounds)?;
        let last = self.nodes.entries().last().map_or(0, |node| node.0.counter.get());
        let counter = last.checked_add(1).and_then(NonZeroU64::new);
        let counter = counter.ok_or(ListError::Update(UpdateError::Exhausted))?;
        let key = ListId { counter, actor };
        let value = Node { parent, right, value: Some(value) };
        let full = ListError::Update(UpdateError::Full);
        self.integrate(&key, &value).map_err(|_| full)?;
        Ok(Entry { key, value })
    }

    /// Removes the element at `index`.
    ///
    /// # Errors
    ///
    /// [`ListError::OutOfBounds`] at or beyond the end; the list is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{List, ListError};
    /// let mut list = List::<u8, Inline<4>>::new();
    /// list.insert(Actor::default(), 0, 1)?;
    /// list.remove(0)?;
    /// assert!(list.is_empty());
    /// assert_eq!(list.remove(0), Err(ListError::OutOfBounds));
    /// # Ok::<(), ListError>(())
    /// ```
    pub fn remove(&mut self, index: usize) -> Result<Update<V>, ListError> {
        let (key, node) = self.visible().nth(index).ok_or(ListError::OutOfBounds)?;
        let (key, value) = (*key, Node { value: None, ..node.clone() });
        let _ = self.nodes.join(&key, &value); // it has a place
        Ok(Entry { key, value })
    }

    /// The value at `index`.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::List;
    /// let mut list = List::<u8, Inline<4>>::new();
    /// list.insert(Actor::default(), 0, 1)?;
    /// assert_eq!((list.get(0), list.get(1)), (Some(&1), None));
    /// # Ok::<(), quorate_crdt::ListError>(())
    /// ```
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&V> {
        self.iter().nth(index)
    }

    /// The values, in order.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::List;
    /// assert_eq!(List::<u8, Inline<4>>::new().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &V> + '_ {
        self.visible().filter_map(|(_, node)| node.value.as_ref())
    }

    /// How many elements there are.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::List;
    /// assert_eq!(List::<u8, Inline<4>>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.visible().count()
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::List;
    /// assert!(List::<u8, Inline<4>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.visible().next().is_none()
    }

    /// How many elements there may be, removed ones included.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::List;
    /// assert_eq!(List::<u8, Inline<4>>::new().limit(), 4);
    /// ```
    #[must_use]
    pub fn limit(&self) -> usize {
        self.nodes.limit()
    }

    /// The number of slots in use: by elements, and by tombstones of removed ones.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::List;
    /// let mut list = List::<u8, Inline<4>>::new();
    /// list.insert(Actor::default(), 0, 1)?;
    /// list.remove(0)?;
    /// assert_eq!((list.len(), list.slots_used()), (0, 1));
    /// # Ok::<(), quorate_crdt::ListError>(())
    /// ```
    #[must_use]
    pub fn slots_used(&self) -> usize {
        self.nodes.entries().len()
    }

    fn visible(&self) -> impl Iterator<Item = &(ListId, Node<V>)> + '_ {
        let nodes = self.order.iter().filter_map(|&at| self.node(at));
        nodes.filter(|(_, node)| node.value.is_some())
    }

    fn node(&self, at: u32) -> Option<&(ListId, Node<V>)> {
        self.nodes.entries().get(at as usize)
    }

    /// Fugue parent and side for an insertion at `index`: to the right of the one before it if
    /// nothing is there, else to the left of what follows that one, removed or not (Fugue,
    /// algorithm 1, `insert`).
    fn insertion_point(&self, index: usize) -> Option<(Option<ListId>, bool)> {
        let left = match index.checked_sub(1) {
            Some(before) => Some(self.visible().nth(before)?.0),
            None => None,
        };
        match self.order.get(self.index_after(left)?).and_then(|&at| self.node(at)) {
            Some((next, _)) if self.is_in_subtree(*next, left, true) => Some((Some(*next), false)),
            _ => Some((left, true)),
        }
    }

    /// Where in the order the place after a node is; after the root is at the front.
    fn index_after(&self, id: Option<ListId>) -> Option<usize> {
        let Some(id) = id else { return Some(0) };
        let at = u32::try_from(self.nodes.find(&id).ok()?).ok()?;
        self.order.iter().position(|&other| other == at)?.checked_add(1)
    }

    /// Whether the neighbour of `top` on that side is of what hangs on that side of it. If it is, it is at the inner end: to be
    /// reached from a child of `top` by steps to the other side only.
    fn is_in_subtree(&self, neighbour: ListId, top: Option<ListId>, right: bool) -> bool {
        let mut node = self.nodes.get(&neighbour);
        // parents have smaller numbers than their children: this ends
        while let Some(inner) = node.filter(|node| node.right != right) {
            node = inner.parent.and_then(|parent| self.nodes.get(&parent));
        }
        node.is_some_and(|node| node.parent == top)
    }

    /// Where in the order a new node goes that has no siblings on its side: beside its parent. `None` if it has.
    fn insertion_index(&self, parent: Option<ListId>, right: bool) -> Option<usize> {
        let after = self.index_after(parent)?;
        let (slot, neighbour) = if right {
            (after, Some(after))
        } else {
            let before = after.checked_sub(1)?;
            (before, before.checked_sub(1))
        };
        let neighbour = neighbour.and_then(|at| self.order.get(at)).and_then(|&at| self.node(at));
        let alone = neighbour.is_none_or(|(id, _)| !self.is_in_subtree(*id, parent, right));
        alone.then_some(slot)
    }

    /// Takes over a node whose parent is here.
    fn integrate(&mut self, id: &ListId, node: &Node<V>) -> Result<bool, MergeError> {
        let Err(at) = self.nodes.find(id) else { return self.nodes.join(id, node) };
        let slot = self.insertion_index(node.parent, node.right);
        self.nodes.join(id, node)?;
        let (Some(slot), Ok(index)) = (slot, u32::try_from(at)) else {
            self.rebuild_order();
            return Ok(true);
        };
        self.order.iter_mut().filter(|at| **at >= index).for_each(|at| *at = at.saturating_add(1));
        insert(&mut self.order, slot, index)?; // as many as nodes fit
        Ok(true)
    }

    /// Recomputes the order.
    fn rebuild_order(&mut self) {
        if let Some(order) = compute_order::<V, S>(self.nodes.entries(), self.limit()) {
            self.order = order;
        }
    }

    /// The list of these nodes; `None` if they cannot be one.
    fn from_nodes(nodes: GrowMap<ListId, Node<V>, S>) -> Option<Self> {
        if !nodes.entries().iter().all(|(id, node)| Self::is_valid(id, node)) {
            return None;
        }
        let order = compute_order::<V, S>(nodes.entries(), nodes.limit())?;
        Some(Self { nodes, order })
    }

    /// Whether a node can be: its number is above its parent's, and only the root has no left side.
    fn is_valid(id: &ListId, node: &Node<V>) -> bool {
        match node.parent {
            Some(parent) => parent.counter < id.counter,
            None => node.right,
        }
    }
}

impl<V: Value, S: Storage> Crdt for List<V, S> {
    type Delta = Update<V>;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeError> {
        let before = self.slots_used();
        let changed = self.nodes.merge(&other.nodes)?;
        if self.slots_used() > before {
            self.rebuild_order(); // the parents of theirs came with them
        }
        Ok(changed)
    }

    fn apply(&mut self, delta: &Self::Delta) -> Result<bool, ApplyError> {
        if !Self::is_valid(&delta.key, &delta.value) {
            return Err(ApplyError::Conflict);
        }
        if delta.value.parent.is_some_and(|parent| self.nodes.find(&parent).is_err()) {
            return Err(ApplyError::Missing);
        }
        Ok(self.integrate(&delta.key, &delta.value)?)
    }

    fn compare(&self, other: &Self) -> Causality {
        self.nodes.compare(&other.nodes)
    }

    fn actor_version(&self, actor: Actor) -> u64 {
        let own = self.nodes.entries().iter().rev().find(|(id, _)| id.actor == actor);
        own.map_or(0, |(id, _)| id.counter.get())
    }

    fn lacks(&self, delta: &Self::Delta, actor: Actor) -> bool {
        delta.key.actor == actor && self.nodes.find(&delta.key).is_err()
    }

    fn conflicting_actor(&self, delta: &Self::Delta) -> Option<Actor> {
        let contradicts = !Self::is_valid(&delta.key, &delta.value)
            || self.nodes.conflicts(&delta.key, &delta.value);
        contradicts.then_some(delta.key.actor)
    }

    fn conflicts_with(&self, other: &Self, actor: Actor) -> bool {
        let mut theirs = other.nodes.entries().iter().filter(|(id, _)| id.actor == actor);
        theirs.any(|(id, node)| self.nodes.conflicts(id, node))
    }

    fn revision(&self) -> u64 {
        self.nodes.revision()
    }

    fn actor_limit(&self) -> Option<usize> {
        None
    }

    fn empty(&self) -> Self {
        Self::with_limit(self.limit())
    }

    fn read_state(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let nodes = GrowMap::<ListId, Node<V>, S>::read(self.limit(), input)?;
        Self::from_nodes(nodes).ok_or(DecodeError::Invalid)
    }

    fn read_delta(&self, input: &mut Reader<'_>) -> Result<Self::Delta, DecodeError> {
        Entry::read(input)
    }

    fn write_delta(delta: &Self::Delta, out: &mut Writer<'_>) {
        delta.write(out);
    }
}

/// No node, in the lists of places below; before the first, there is the root.
const NONE: u32 = u32::MAX;

/// The places of the nodes from left to right; `None` if one hangs on what is not there.
///
/// Nodes come by number, so each is the last of its siblings so far: as a left child it goes right before its parent, as a right
/// child behind everything that hangs on its parent so far, which the chain of last right children ends with.
fn compute_order<V: Value, S: Storage>(
    nodes: &[(ListId, Node<V>)],
    limit: usize,
) -> Option<S::List<u32>> {
    let blank = || {
        let mut list: S::List<u32> = quorate_core::List::with_limit(limit);
        nodes.iter().try_for_each(|_| list.push(NONE)).is_ok().then_some(list)
    };
    let (mut before, mut after, mut last_right) = (blank()?, blank()?, blank()?);
    let (mut first, mut last_of_root) = (NONE, NONE);
    for (at, (_, node)) in nodes.iter().enumerate() {
        let new = u32::try_from(at).ok()?;
        let parent = match node.parent {
            Some(parent) => {
                let found = nodes.get(..at)?.binary_search_by(|other| other.0.cmp(&parent)).ok()?;
                u32::try_from(found).ok()?
            }
            None => NONE,
        };
        let left = if node.right {
            let mut end = parent;
            let mut next = link(&last_right, parent).unwrap_or(last_of_root);
            while next != NONE {
                end = next;
                next = link(&last_right, end)?;
            }
            match last_right.get_mut(parent as usize) {
                Some(last) => *last = new,
                None => last_of_root = new,
            }
            end
        } else {
            link(&before, parent)?
        };
        let right = link(&after, left).unwrap_or(first);
        match after.get_mut(left as usize) {
            Some(next) => *next = new,
            None => first = new,
        }
        before.get_mut(right as usize).into_iter().for_each(|previous| *previous = new);
        *before.get_mut(at)? = left;
        *after.get_mut(at)? = right;
    }
    let mut order: S::List<u32> = quorate_core::List::with_limit(limit);
    while first != NONE {
        order.push(first).ok()?;
        first = link(&after, first)?;
    }
    Some(order)
}

fn link(list: &[u32], at: u32) -> Option<u32> {
    list.get(at as usize).copied()
}

impl ListId {
    /// Who made the element.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::List;
    /// let mut list = List::<u8, Inline<4>>::new();
    /// let update = list.insert(Actor::default(), 0, 1)?;
    /// assert_eq!(update.id().actor(), Actor::default());
    /// # Ok::<(), quorate_crdt::ListError>(())
    /// ```
    #[must_use]
    pub const fn actor(self) -> Actor {
        self.actor
    }
}

impl<V> Entry<ListId, Node<V>> {
    /// Which element was inserted or removed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::List;
    /// let mut list = List::<u8, Inline<4>>::new();
    /// let inserted = list.insert(Actor::default(), 0, 1)?;
    /// let removed = list.remove(0)?;
    /// assert_eq!(inserted.id(), removed.id());
    /// # Ok::<(), quorate_crdt::ListError>(())
    /// ```
    #[must_use]
    pub const fn id(&self) -> ListId {
        self.key
    }
}

impl Value for ListId {
    fn write(&self, out: &mut Writer<'_>) {
        out.u64(self.counter.get());
        self.actor.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let counter = NonZeroU64::new(input.u64()?).ok_or(DecodeError::Invalid)?;
        Ok(Self { counter, actor: Actor::read(input)? })
    }
}

impl<V: Value> Value for Node<V> {
    fn write(&self, out: &mut Writer<'_>) {
        self.parent.write(out);
        self.right.write(out);
        self.value.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let parent = Value::read(input)?;
        Ok(Self { parent, right: Value::read(input)?, value: Value::read(input)? })
    }
}

impl<V: Value> Join for Node<V> {
    fn join(&mut self, other: &Self) -> bool {
        let removes = self.value.is_some() && other.value.is_none();
        if removes {
            self.value = None;
        }
        removes
    }

    fn is_compatible(&self, other: &Self) -> bool {
        let same = self.value == other.value || self.value.is_none() || other.value.is_none();
        same && self.parent == other.parent && self.right == other.right
    }

    fn compare_values(&self, other: &Self) -> Causality {
        let gone = |node: &Self| node.value.is_none();
        causality(gone(self) && !gone(other), gone(other) && !gone(self))
    }
}

impl<V: Value, S: Storage> PartialEq for List<V, S> {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl<V: Value, S: Storage> Eq for List<V, S> {}

impl<V: Value, S: Storage> core::hash::Hash for List<V, S> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.nodes.hash(state);
    }
}

impl<V: Value, S: Storage> fmt::Debug for List<V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for ListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.counter, self.actor)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for ListId {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}@{}", self.counter.get(), self.actor);
    }
}

impl<V: Value, S: Storage> Default for List<V, S> {
    fn default() -> Self {
        Self::new()
    }
}

/// The order of states: what one has that the other has not.
impl<V: Value, S: Storage> PartialOrd for List<V, S> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        self.compare(other).ordering()
    }
}

impl<V: Value, S: Storage> Wire<'_> for List<V, S> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.nodes.write(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new().read_state(input)
    }
}

impl From<UpdateError> for ListError {
    fn from(error: UpdateError) -> Self {
        Self::Update(error)
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds => f.write_str("the list ends before that place"),
            Self::Update(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ListError {}

#[cfg(feature = "serde")]
impl<V: Value + serde::Serialize, S: Storage> serde::Serialize for List<V, S> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.nodes.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, V: Value + serde::Deserialize<'de>, S: Storage> serde::Deserialize<'de> for List<V, S> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nodes = GrowMap::<ListId, Node<V>, S>::deserialize(deserializer)?;
        Self::from_nodes(nodes)
            .ok_or_else(|| serde::de::Error::custom("an element hangs on one that is not there"))
    }
}
