use core::hash::{Hash, Hasher};

use quorate_core::{Full, List, NodeId};
use siphasher::sip::SipHasher13;

use super::revision::Revision;
use super::{Entry, MemberState, TopologyError, Version};
use crate::members::{MAX_MEMBERS, insert_at};
use crate::storage::Kinds;
use crate::{Member, Storage};

/// No list has so many changes behind it.
pub(super) const MAX_EPOCH: u64 = 1 << 62;

/// The members, each with its weight, zone and state, in a version.
///
/// Each change makes the next version. Placements of the list are the same in whatever order members joined, but for
/// [`Jump`](crate::Jump): its placement depends on the order of its own changes, so do not make one anew of a list, whose members are in the order
/// of their ids. Nothing is decided here: an
/// operator changes the list on one node, a replicated log orders changes, or nodes gossip their lists.
///
/// # Merging
///
/// Lists are a join-semilattice (Shapiro, Preguiça, Baquero, Zawirski, "Conflict-free Replicated Data Types", SSS 2011, section 3):
/// [`merge`](Self::merge) takes over what another list has, in any order, any number of times, and all that have merged the same lists
/// are equal. Of each member the later change holds. So the answer to another version is to merge, whichever is newer; and no change is
/// lost but where two nodes changed *one* member before they heard of each other. Then the change of the higher epoch holds as a
/// whole, and of two of one epoch the one that is further on its way out. A change gets an epoch above all that was merged before, so it
/// holds against everything that its author knew.
///
/// A removal holds against all changes but a later join, whatever their epochs: each removal begins another
/// [incarnation](Entry::incarnation) of the member, and so does a join that follows one; changes of an earlier incarnation do not count. So
/// a node that has not heard of the removal does not bring the member back by setting its weight, after its keys were dropped.
///
/// Each change returns a *delta*: a list with that change alone, to be merged elsewhere in place of the whole list. It is no list to
/// place keys by.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::topology::{Freshness, MemberState, Topology};
/// use quorate_ring::{HashRing, Inline, KeyHash, Member};
/// let mut here = Topology::<Inline<4, 64>>::new();
/// for id in [1, 2, 3].map(NodeId::new) {
///     here.join(Member::new(id))?;
///     here.set_state(id, MemberState::Up)?;
/// }
/// let mut there = here.clone();
/// let delta = here.set_state(NodeId::new(1), MemberState::Leaving)?;
/// assert!(there.merge(&delta)?);
/// assert_eq!(there.version(), here.version());
///
/// // two changes at once: neither list is the newer one, and each takes over what the other has
/// there.join(Member::new(NodeId::new(4)))?;
/// here.set_state(NodeId::new(2), MemberState::Down)?;
/// assert_eq!(here.version().compare(there.version()), Freshness::Conflict);
/// let before = here.clone();
/// here.merge(&there)?;
/// there.merge(&before)?;
/// assert_eq!(here, there);
///
/// let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
/// for member in there.holders() {
///     ring.add(member)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Removed members
///
/// A removed member stays in the list, and takes its room, so that a list from before does not bring it back.
/// [`forget`](Self::forget) takes it out once no such list can matter.
///
/// # Limits
///
/// A list takes as many members as its storage does, or on the heap as [`with_limit`](Self::with_limit) says, 65,535 at most, removed ones included, and 40 bytes for each; so does a delta, and for a while a merge. Give
/// all nodes the same limit. Changes, merges and versions take time in proportion to the members.
///
/// ```
/// use quorate_ring::{Inline, topology::Topology};
/// assert!(size_of::<Topology<Inline<64>>>() <= 32 + 40 * 64);
/// ```
#[derive(Clone, Debug)]
pub struct Topology<S: Storage> {
    pub(super) epoch: u64,
    /// What happened to a node up to this epoch, and is not in the list, is forgotten: all entries changed after it.
    pub(super) forgotten: u64,
    /// In the order of their ids.
    pub(super) entries: S::Entries,
    pub(super) revision: Revision,
}

/// What lists say, and not how long they may get: one that was read from bytes is equal to the one that was written.
impl<S: Storage> PartialEq for Topology<S> {
    fn eq(&self, other: &Self) -> bool {
        (self.epoch, self.forgotten) == (other.epoch, other.forgotten)
            && *self.entries == *other.entries
    }
}

impl<S: Storage> Eq for Topology<S> {}

impl<S: Storage> Hash for Topology<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.epoch, self.forgotten).hash(state);
        let entries: &[Entry] = &self.entries;
        entries.hash(state);
    }
}

impl<S: Storage> Default for Topology<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Storage> Topology<S> {
    /// No members, in epoch 0. With `Heap` storage there may be 65,535.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(MAX_MEMBERS)
    }

    /// The same for at most so many members, removed ones among them, where the storage has no limit of its own: what a peer can make this
    /// list grow to.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{Topology, TopologyError};
    /// let mut topology = Topology::<Inline<1>>::with_limit(1);
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// assert_eq!(topology.join(Member::new(NodeId::new(2))), Err(TopologyError::Full));
    /// # Ok::<(), TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_limit(members: usize) -> Self {
        let entries = <S as Kinds>::Entries::with_limit(members.min(MAX_MEMBERS));
        Self { epoch: 0, forgotten: 0, entries, revision: Revision::default() }
    }

    /// A member joins. One that was removed may join again.
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn join(&mut self, member: Member) -> Result<Self, TopologyError> {
        if member.weight == 0 {
            return Err(TopologyError::ZeroWeight);
        }
        let entry = Entry::joining(self.next_incarnation(), self.next_epoch()?, member);
        match self.place_of(member.id) {
            Ok(place) => match self.entries.get_mut(place) {
                Some(old) if old.state() == MemberState::Removed => *old = entry,
                _ => return Err(TopologyError::Duplicate(member.id)),
            },
            Err(_) if self.entries.len() >= MAX_MEMBERS => return Err(TopologyError::Full),
            Err(place) => insert_at(&mut self.entries, place, entry)?,
        }
        self.changed_to(entry)
    }

    /// A member's state changes. Use [`complete_moves`](Self::complete_moves) where keys were moved to or from it. It goes the way of [`MemberState`], forward only, but for `Up` and `Down`, which it may change between, and
    /// for one that leaves, which may come up again.
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn set_state(&mut self, node: NodeId, state: MemberState) -> Result<Self, TopologyError> {
        use MemberState::{Down, Joining, Leaving, Removed, Up};
        self.change(node, |epoch, entry| {
            let may = match (entry.state(), state) {
                (Joining, Up | Removed) | (Up, Down | Leaving | Removed) => true,
                (Down, Up | Leaving | Removed) | (Leaving, Up | Removed) => true,
                (_, _) => false,
            };
            if !may {
                return Err(TopologyError::State(entry.state()));
            }
            Ok(entry.with_state(epoch, state))
        })
    }

    /// A member's weight is to change: that of [`next_holders`](Self::next_holders) does at once, and that of [`holders`](Self::holders) with
    /// [`complete_moves`](Self::complete_moves), when its keys are moved. One that joins holds none yet, and has it at once.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// topology.set_state(NodeId::new(1), MemberState::Up)?;
    /// topology.set_weight(NodeId::new(1), 3)?;
    /// let weights = |list: &Topology<_>| (list.holders().next().map(|it| it.weight), list.next_holders().next().map(|it| it.weight));
    /// assert_eq!(weights(&topology), (Some(1), Some(3)));
    /// // copy what `Plan` lists
    /// topology.complete_moves()?;
    /// assert_eq!(weights(&topology), (Some(3), Some(3)));
    /// # Ok::<(), TopologyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn set_weight(&mut self, node: NodeId, weight: u16) -> Result<Self, TopologyError> {
        if weight == 0 {
            return Err(TopologyError::ZeroWeight);
        }
        self.change(node, |epoch, entry| match entry.state() {
            MemberState::Removed => Err(TopologyError::State(entry.state())),
            _ => Ok(entry.with_weight(epoch, weight)),
        })
    }

    /// Every member that joins is up, every one that leaves is removed, and every one has the weight that it was to have, all in one change: the members of
    /// [`next_holders`](Self::next_holders) become those of [`holders`](Self::holders). If none is on its way, nothing changes.
    ///
    /// **Call it when the moves of a [`Plan`](crate::Plan) are copied**, from the placement of `holders` to that of `next_holders`, and drop after
    /// it. With [`set_state`](Self::set_state) for one member after the other, the placements in between would be read from nodes that
    /// nobody copied their keys to.
    ///
    /// One plan at a time: if a member joins or leaves, or a weight changes, before this call, here or by a merge, `next_holders` is another placement. Compare the
    /// [version](Self::version) with that of which the plan was made, and if it differs, make a new plan before this call.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// for id in [1, 2].map(NodeId::new) {
    ///     topology.join(Member::new(id))?;
    /// }
    /// let planned = topology.version();
    /// // copy what `Plan` lists
    /// assert_eq!(topology.version(), planned);
    /// topology.complete_moves()?;
    /// assert_eq!((topology.holders().count(), topology.epoch()), (2, planned.epoch + 1));
    /// # Ok::<(), TopologyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn complete_moves(&mut self) -> Result<Self, TopologyError> {
        let epoch = self.next_epoch()?;
        let mut delta = self.like();
        for entry in self.entries.iter_mut() {
            let Some(moved) = entry.moved(epoch) else { continue };
            *entry = moved;
            delta.entries.push(*entry)?; // there is room for as many as here
        }
        if !delta.entries.is_empty() {
            (self.epoch, delta.epoch) = (epoch, epoch);
            self.revision.advance();
        }
        Ok(delta)
    }

    /// A removed member goes out of the list, and those that were removed before it, for good: a list from before the removal cannot
    /// bring them back.
    ///
    /// The list keeps no trace of them but one number, the epoch of the removal. Incarnations in other lists that began up to that epoch, and
    /// are not in this one, count as forgotten.
    ///
    /// **Call it when every node has reported the [version](Self::version) of this list**, at some time since the removal. Otherwise the
    /// lists still become equal, but a member that joined elsewhere before that node heard of the removal, and that nobody told this one of,
    /// is lost with what is forgotten, and has to join again.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// let node = NodeId::new(1);
    /// topology.join(Member::new(node))?;
    /// let old = topology.clone();
    /// assert_eq!(topology.forget(node), Err(TopologyError::State(MemberState::Joining)));
    /// topology.set_state(node, MemberState::Removed)?;
    /// topology.forget(node)?;
    /// topology.merge(&old)?;
    /// assert!(topology.entries().is_empty());
    /// # Ok::<(), TopologyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn forget(&mut self, node: NodeId) -> Result<Self, TopologyError> {
        let epoch = self.next_epoch()?;
        let place = self.place_of(node).map_err(|_| TopologyError::Unknown(node))?;
        let entry = self.entries.get(place).ok_or(TopologyError::Unknown(node))?;
        if entry.state() != MemberState::Removed {
            return Err(TopologyError::State(entry.state()));
        }
        let removed = entry.incarnation();
        let forgotten = self.forgotten.max(removed);
        let mut kept = self.like();
        let mut delta = self.like();
        for entry in self.entries.iter() {
            if entry.state() == MemberState::Removed && entry.incarnation() <= removed {
                continue;
            }
            kept.entries.push(*entry)?; // there is room for as many as here
            if entry.incarnation() <= forgotten {
                delta.entries.push(*entry)?;
            }
        }
        self.entries = kept.entries;
        (self.epoch, self.forgotten) = (epoch, forgotten);
        (delta.epoch, delta.forgotten) = (epoch, forgotten);
        self.revision.advance();
        Ok(delta)
    }

    /// A Lamport clock of changes: each gets an epoch above all that its author knew. Lists that were changed at once may share an epoch.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member, topology::{Topology, TopologyError}};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// assert_eq!(topology.epoch(), 1);
    /// # Ok::<(), TopologyError>(())
    /// ```
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The version of this list: its epoch, and a hash of all entries without the epochs at which they changed, which depend on the
    /// order in which members joined.
    ///
    /// A placement has parameters besides its members: [`Version::of`] covers both.
    #[must_use]
    pub fn version(&self) -> Version {
        let mut hasher = SipHasher13::new();
        for entry in self.entries.iter() {
            let Member { id, weight, zone } = entry.member();
            hasher.write(&id.get().to_le_bytes());
            hasher.write(&weight.to_le_bytes());
            hasher.write(&zone.get().to_le_bytes());
            hasher.write(&[entry.state().number()]);
            let next = entry.next_member().weight;
            if next != weight {
                hasher.write(&next.to_le_bytes());
            }
        }
        Version { epoch: self.epoch, digest: hasher.finish() }
    }

    /// All that are or were members, in the order of their ids.
    ///
    /// ```
    /// # use quorate_ring::{Inline, topology::Topology};
    /// assert!(Topology::<Inline<4>>::new().entries().is_empty());
    /// ```
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is known of a node; `None` of one that is not in the list.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, topology::Topology};
    /// assert_eq!(Topology::<Inline<4>>::new().get(NodeId::new(1)), None);
    /// ```
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<&Entry> {
        self.entries.get(self.place_of(node).ok()?)
    }

    /// The members that hold keys as of now: the placement to read from.
    pub fn holders(&self) -> impl Iterator<Item = Member> {
        let holders = self.entries.iter().filter(|entry| entry.state().holds());
        holders.map(Entry::member)
    }

    /// The members that will hold keys when all moves that have begun are done: the placement to move to, which
    /// [`complete_moves`](Self::complete_moves) makes that of [`holders`](Self::holders).
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member, topology::{Topology, TopologyError}};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// assert_eq!((topology.holders().count(), topology.next_holders().count()), (0, 1));
    /// # Ok::<(), TopologyError>(())
    /// ```
    pub fn next_holders(&self) -> impl Iterator<Item = Member> {
        let holders = self.entries.iter().filter(|entry| entry.state().will_hold());
        holders.map(Entry::next_member)
    }

    /// How many members there may be, removed ones included.
    pub(super) fn limit(&self) -> usize {
        self.entries.limit().min(MAX_MEMBERS)
    }

    /// An empty list with the limit of this one.
    pub(super) fn like(&self) -> Self {
        let entries = <S as Kinds>::Entries::with_limit(self.entries.limit());
        Self { entries, ..Self::new() }
    }

    pub(super) fn place_of(&self, node: NodeId) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&node, |entry| entry.member().id)
    }

    fn change(
        &mut self,
        node: NodeId,
        change: impl FnOnce(u64, &Entry) -> Result<Entry, TopologyError>,
    ) -> Result<Self, TopologyError> {
        let epoch = self.next_epoch()?;
        let place = self.place_of(node).map_err(|_| TopologyError::Unknown(node))?;
        let entry = self.entries.get_mut(place).ok_or(TopologyError::Unknown(node))?;
        *entry = change(epoch, entry)?;
        let entry = *entry;
        self.changed_to(entry)
    }

    /// An entry has changed: the epoch follows, and this is the delta.
    fn changed_to(&mut self, entry: Entry) -> Result<Self, TopologyError> {
        self.epoch = entry.changed();
        self.revision.advance();
        let mut delta = self.like();
        delta.epoch = self.epoch;
        // its `forgotten` is 0, so that it ends no incarnation but those of this node
        delta.entries.push(entry).map_err(|Full| TopologyError::Full)?; // there is room for one
        Ok(delta)
    }

    /// That of a member that joins: after all removals, also of others, so that forgetting those does not end it; and the same in
    /// lists that know the same removals, in whatever order members join.
    fn next_incarnation(&self) -> u64 {
        let known = |entry: &Entry| match entry.state() {
            MemberState::Removed => entry.incarnation(),
            _ => entry.incarnation().saturating_sub(1), // it joined again since
        };
        let removed = self.entries.iter().map(known);
        removed.fold(self.forgotten, u64::max).saturating_add(1)
    }

    const fn next_epoch(&self) -> Result<u64, TopologyError> {
        if self.epoch >= MAX_EPOCH {
            return Err(TopologyError::Exhausted);
        }
        Ok(self.epoch.saturating_add(1))
    }
}
