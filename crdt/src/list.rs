use core::fmt;
use core::num::NonZeroU64;

use quorate_clocks::{Actor, Causality, Storage};
use quorate_core::{DecodeError, List as _, Reader, Wire, Writer};

use crate::grow::{Grow, Join, causality, insert};
use crate::{ApplyError, Crdt, Entry, MergeError, UpdateError, Value};

/// A sequence: text, a play list, steps of a recipe. Runs that are inserted at one place concurrently do not interleave (Weidner,
/// Gentle, Kleppmann, "The Art of the Fugue: Minimizing Interleaving in Collaborative Text Editing", 2023, algorithm 1: Fugue).
///
/// The elements are the nodes of a tree, and the sequence is the tree from left to right. RAM: 60 bytes for
/// each byte that is or was in the list, 76 for each number of 8 bytes. An update takes time in the length of the list, and in the depth of
/// the tree where others inserted at the same place.
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
    nodes: Grow<ListId, Node<V>, S>,
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
        Self { nodes: Grow::with_limit(limit), order: quorate_core::List::with_limit(limit) }
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
        let (parent, right) = self.place_at(index).ok_or(ListError::OutOfBounds)?;
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

    /// How many places are taken, by elements that are and that were in the list.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::List;
    /// let mut list = List::<u8, Inline<4>>::new();
    /// list.insert(Actor::default(), 0, 1)?;
    /// list.remove(0)?;
    /// assert_eq!((list.len(), list.taken()), (0, 1));
    /// # Ok::<(), quorate_crdt::ListError>(())
    /// ```
    #[must_use]
    pub fn taken(&self) -> usize {
        self.nodes.entries().len()
    }

    fn visible(&self) -> impl Iterator<Item = &(ListId, Node<V>)> + '_ {
        let nodes = self.order.iter().filter_map(|&at| self.node(at));
        nodes.filter(|(_, node)| node.value.is_some())
    }

    fn node(&self, at: u32) -> Option<&(ListId, Node<V>)> {
        self.nodes.entries().get(at as usize)
    }

    /// Where a new element hangs that is to be at `index`: to the right of the one before it if nothing is there, else to the
    /// left of what follows that one, removed or not (Fugue, algorithm 1, `insert`).
    fn place_at(&self, index: usize) -> Option<(Option<ListId>, bool)> {
        let left = match index.checked_sub(1) {
            Some(before) => Some(self.visible().nth(before)?.0),
            None => None,
        };
        let next = self.order.get(self.after(left)?).and_then(|&at| self.node(at));
        match next {
            Some((next, _)) if self.branch(*next, left, true).is_some() => {
                Some((Some(*next), false))
            }
            _ => Some((left, true)),
        }
    }

    /// Where in the order the place after a node is; after the root is at the front.
    fn after(&self, id: Option<ListId>) -> Option<usize> {
        let Some(id) = id else { return Some(0) };
        let at = u32::try_from(self.nodes.find(&id).ok()?).ok()?;
        self.order.iter().position(|&other| other == at)?.checked_add(1)
    }

    /// The child of `top` on that side through which `id` hangs on it, if it does.
    fn branch(&self, id: ListId, top: Option<ListId>, right: bool) -> Option<ListId> {
        let mut at = id;
        // parents have smaller numbers than their children: this ends
        while top.is_none_or(|top| top < at) {
            let node = self.nodes.get(&at)?;
            if node.parent == top {
                return (node.right == right).then_some(at);
            }
            at = node.parent?;
        }
        None
    }

    /// Where in the order a new node goes: among its siblings by number, with all that hangs on each.
    fn slot(&self, id: ListId, parent: Option<ListId>, right: bool) -> Option<usize> {
        let after = self.after(parent)?;
        let sibling = |at: usize| {
            let (other, _) = self.node(*self.order.get(at)?)?;
            self.branch(*other, parent, right)
        };
        if right {
            let mut slot = after;
            while sibling(slot).is_some_and(|other| other < id) {
                slot = slot.checked_add(1)?;
            }
            return Some(slot);
        }
        let mut slot = after.checked_sub(1)?;
        while let Some(before) = slot.checked_sub(1)
            && sibling(before).is_some_and(|other| other > id)
        {
            slot = before;
        }
        Some(slot)
    }

    /// Takes over a node whose parent is here.
    fn integrate(&mut self, id: &ListId, node: &Node<V>) -> Result<bool, MergeError> {
        let Err(at) = self.nodes.find(id) else { return self.nodes.join(id, node) };
        let slot = self.slot(*id, node.parent, node.right).ok_or(MergeError::Conflict)?;
        let index = u32::try_from(at).map_err(|_| MergeError::Full)?;
        if self.order.len() >= self.order.limit() {
            return Err(MergeError::Full);
        }
        self.nodes.join(id, node)?;
        self.order.iter_mut().filter(|at| **at >= index).for_each(|at| *at = at.saturating_add(1));
        insert(&mut self.order, slot, index)?;
        Ok(true)
    }

    /// The list of these nodes, with the limit of this one; `None` if they cannot be one.
    fn rebuild(&self, nodes: &Grow<ListId, Node<V>, S>) -> Option<Self> {
        let mut list = self.empty();
        for (id, node) in nodes.entries() {
            list.apply(&Entry { key: *id, value: node.clone() }).ok()?;
        }
        Some(list)
    }

    /// Whether a node can be: its number is above its parent's, and only the root has no left side.
    fn valid(id: &ListId, node: &Node<V>) -> bool {
        match node.parent {
            Some(parent) => parent.counter < id.counter,
            None => node.right,
        }
    }
}

impl<V: Value, S: Storage> Crdt for List<V, S> {
    type Delta = Update<V>;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeError> {
        if self.nodes.missing(&other.nodes)? > self.limit().saturating_sub(self.taken()) {
            return Err(MergeError::Full);
        }
        let mut changed = false;
        // by number: a parent comes before its children
        for (id, node) in other.nodes.entries() {
            changed |= self.integrate(id, node)?;
        }
        Ok(changed)
    }

    fn apply(&mut self, delta: &Self::Delta) -> Result<bool, ApplyError> {
        if !Self::valid(&delta.key, &delta.value) {
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

    fn trace(&self, actor: Actor) -> u64 {
        let own = self.nodes.entries().iter().rev().find(|(id, _)| id.actor == actor);
        own.map_or(0, |(id, _)| id.counter.get())
    }

    fn empty(&self) -> Self {
        Self::with_limit(self.limit())
    }

    fn read_state(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let nodes = Grow::<ListId, Node<V>, S>::read(self.limit(), input)?;
        self.rebuild(&nodes).ok_or(DecodeError::Invalid)
    }

    fn read_delta(&self, input: &mut Reader<'_>) -> Result<Self::Delta, DecodeError> {
        Entry::read(input)
    }

    fn write_delta(delta: &Self::Delta, out: &mut Writer<'_>) {
        delta.write(out);
    }
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

    fn agrees(&self, other: &Self) -> bool {
        let same = self.value == other.value || self.value.is_none() || other.value.is_none();
        same && self.parent == other.parent && self.right == other.right
    }

    fn relate(&self, other: &Self) -> Causality {
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
        let nodes = Grow::<ListId, Node<V>, S>::deserialize(deserializer)?;
        Self::new()
            .rebuild(&nodes)
            .ok_or_else(|| serde::de::Error::custom("an element hangs on one that is not there"))
    }
}
