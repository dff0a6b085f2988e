use core::hash::Hasher as _;

use quorate_core::{DecodeError, List, NodeId, Reader, Wire, Writer};
use siphasher::sip::SipHasher13;

use super::{Freshness, MemberState, TopologyError, Version};
use crate::members::insert_at;
use crate::storage::Kinds;
use crate::{Member, Storage, Zone};

/// No list has so many changes behind it.
const MAX_EPOCH: u64 = 1 << 62;

/// The members, each with its weight, zone and state, in a version.
///
/// Each change makes the next version. The list is one and the same in whatever order members joined. Nothing is decided here: an
/// operator changes the list on one node, a replicated log orders changes, or nodes gossip their lists and [`adopt`](Self::adopt) newer ones.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::topology::{MemberState, Topology, TopologyError};
/// use quorate_ring::{HashRing, Inline, KeyHash, Member};
/// let mut here = Topology::<Inline<4, 64>>::new();
/// for id in [1, 2, 3].map(NodeId::new) {
///     here.join(Member::new(id))?;
///     here.set_state(id, MemberState::Up)?;
/// }
/// let mut there = here.clone();
/// here.set_state(NodeId::new(1), MemberState::Leaving)?;
/// assert_eq!(there.adopt(&here), Ok(true)); // it is newer
/// there.join(Member::new(NodeId::new(4)))?;
/// here.set_state(NodeId::new(2), MemberState::Down)?;
/// assert_eq!(there.adopt(&here), Err(TopologyError::Conflict)); // both were made at once
/// assert!(there.merge(&here)?);
/// assert_eq!(there.version().epoch, 9);
///
/// let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
/// for member in there.holders() {
///     ring.add(member)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Topology<S: Storage> {
    epoch: u64,
    /// In the order of their ids.
    entries: S::Entries,
}

/// A member, and what happens to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Entry {
    /// The epoch of its last change.
    changed: u64,
    state: MemberState,
    member: Member,
}

impl Entry {
    /// The node, its weight and its zone.
    #[must_use]
    pub const fn member(&self) -> Member {
        self.member
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> MemberState {
        self.state
    }

    /// The epoch of its last change.
    #[must_use]
    pub const fn changed(&self) -> u64 {
        self.changed
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
        Self { epoch: 0, entries: <S as Kinds>::Entries::with_limit(usize::from(u16::MAX)) }
    }

    /// A member joins. One that was removed may join again.
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn join(&mut self, member: Member) -> Result<(), TopologyError> {
        if member.weight == 0 {
            return Err(TopologyError::ZeroWeight);
        }
        let epoch = self.next_epoch()?;
        let entry = Entry { changed: epoch, state: MemberState::Joining, member };
        match self.place_of(member.id) {
            Ok(place) => match self.entries.get_mut(place) {
                Some(old) if old.state == MemberState::Removed => *old = entry,
                _ => return Err(TopologyError::Duplicate(member.id)),
            },
            Err(place) => insert_at(&mut self.entries, place, entry)?,
        }
        self.epoch = epoch;
        Ok(())
    }

    /// A member's state changes. It goes the way of [`MemberState`], forward only, but for `Up` and `Down`, which it may change between, and
    /// for one that leaves, which may come up again.
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn set_state(&mut self, node: NodeId, state: MemberState) -> Result<(), TopologyError> {
        use MemberState::{Down, Joining, Leaving, Removed, Up};
        self.change(node, |entry| {
            let may = match (entry.state, state) {
                (Joining, Up | Removed) | (Up, Down | Leaving | Removed) => true,
                (Down, Up | Leaving | Removed) | (Leaving, Up | Removed) => true,
                (_, _) => false,
            };
            if !may {
                return Err(TopologyError::State(entry.state));
            }
            entry.state = state;
            Ok(())
        })
    }

    /// A member's weight changes.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// topology.join(Member::new(NodeId::new(1)))?;
    /// topology.set_weight(NodeId::new(1), 3)?;
    /// assert_eq!(topology.entries()[0].member().weight, 3);
    /// # Ok::<(), TopologyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn set_weight(&mut self, node: NodeId, weight: u16) -> Result<(), TopologyError> {
        if weight == 0 {
            return Err(TopologyError::ZeroWeight);
        }
        self.change(node, |entry| {
            entry.member.weight = weight;
            Ok(())
        })
    }

    /// A removed member goes out of the list. A list from before would bring it back: wait until all nodes have this one.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member};
    /// # use quorate_ring::topology::{MemberState, Topology, TopologyError};
    /// let mut topology = Topology::<Inline<4>>::new();
    /// let node = NodeId::new(1);
    /// topology.join(Member::new(node))?;
    /// assert_eq!(topology.forget(node), Err(TopologyError::State(MemberState::Joining)));
    /// topology.set_state(node, MemberState::Removed)?;
    /// topology.forget(node)?;
    /// assert!(topology.entries().is_empty());
    /// # Ok::<(), TopologyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TopologyError`]; nothing was changed.
    pub fn forget(&mut self, node: NodeId) -> Result<(), TopologyError> {
        let epoch = self.next_epoch()?;
        let place = self.place_of(node).map_err(|_| TopologyError::Unknown(node))?;
        match self.entries.get(place) {
            Some(entry) if entry.state != MemberState::Removed => {
                return Err(TopologyError::State(entry.state));
            }
            _ => {}
        }
        self.entries.remove(place);
        self.epoch = epoch;
        Ok(())
    }

    /// Takes over another list if it is newer. True if it was.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Conflict`] if the two were made at once, and differ; [`TopologyError::Full`] if the other does not fit. Nothing was changed.
    pub fn adopt(&mut self, other: &Self) -> Result<bool, TopologyError> {
        match self.version().compare(other.version()) {
            Freshness::Same | Freshness::Newer => Ok(false),
            Freshness::Conflict => Err(TopologyError::Conflict),
            Freshness::Older if other.entries.len() > self.entries.limit() => {
                Err(TopologyError::Full)
            }
            Freshness::Older => {
                self.entries.clear();
                self.entries.extend_from_slice(&other.entries)?; // it fits
                self.epoch = other.epoch;
                Ok(true)
            }
        }
    }

    /// Takes over another list, also one that was made at once with this one. True if that changed this one.
    ///
    /// Of two in conflict comes a third, in the next epoch, the same on both sides: of each member the later change, and of two at once the one
    /// that is further on its way out. So no change of either list is lost but where both changed one member.
    ///
    /// # Errors
    ///
    /// [`TopologyError`] if the result does not fit; nothing was changed.
    pub fn merge(&mut self, other: &Self) -> Result<bool, TopologyError> {
        if self.version().compare(other.version()) != Freshness::Conflict {
            return self.adopt(other);
        }
        let epoch = self.next_epoch()?;
        let new = |entry: &&Entry| self.place_of(entry.member.id).is_err();
        let added = other.entries.iter().filter(new).count();
        if self.entries.len().saturating_add(added) > self.entries.limit() {
            return Err(TopologyError::Full);
        }
        for entry in other.entries.iter() {
            match self.place_of(entry.member.id) {
                Ok(place) => {
                    if let Some(own) = self.entries.get_mut(place) {
                        *own = (*own).max(*entry);
                    }
                }
                Err(place) => insert_at(&mut self.entries, place, *entry)?, // there is room
            }
        }
        self.epoch = epoch;
        Ok(true)
    }

    /// The version of this list.
    #[must_use]
    pub fn version(&self) -> Version {
        let mut hasher = SipHasher13::new();
        for entry in self.entries.iter() {
            // not when it changed: that depends on the order in which members joined
            let Entry { state, member: Member { id, weight, zone }, .. } = *entry;
            hasher.write(&id.get().to_le_bytes());
            hasher.write(&weight.to_le_bytes());
            hasher.write(&zone.get().to_le_bytes());
            hasher.write(&[state.number()]);
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
        let holders = self.entries.iter().filter(|entry| entry.state.holds());
        holders.map(|entry| entry.member)
    }

    /// The members that will hold keys when all moves that have begun are done: the placement to move to.
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
        let holders = self.entries.iter().filter(|entry| entry.state.will_hold());
        holders.map(|entry| entry.member)
    }

    fn change(
        &mut self,
        node: NodeId,
        change: impl FnOnce(&mut Entry) -> Result<(), TopologyError>,
    ) -> Result<(), TopologyError> {
        let epoch = self.next_epoch()?;
        let place = self.place_of(node).map_err(|_| TopologyError::Unknown(node))?;
        let entry = self.entries.get_mut(place).ok_or(TopologyError::Unknown(node))?;
        change(entry)?;
        entry.changed = epoch;
        self.epoch = epoch;
        Ok(())
    }

    const fn next_epoch(&self) -> Result<u64, TopologyError> {
        if self.epoch >= MAX_EPOCH {
            return Err(TopologyError::Exhausted);
        }
        Ok(self.epoch.saturating_add(1))
    }

    fn place_of(&self, node: NodeId) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&node, |entry| entry.member.id)
    }
}

/// The epoch, the number of entries, and of each the node, its weight, zone, state and last change.
impl<S: Storage> Wire<'_> for Topology<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.epoch);
        out.u64(self.entries.len() as u64);
        for entry in self.entries.iter() {
            out.u64(entry.member.id.get());
            out.u64(u64::from(entry.member.weight));
            out.u64(u64::from(entry.member.zone.get()));
            out.u8(entry.state.number());
            out.u64(entry.changed);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut topology = Self { epoch: input.u64()?, ..Self::new() };
        for _ in 0..input.u64()? {
            let id = NodeId::new(input.u64()?);
            let number = |number: u64| u16::try_from(number).map_err(|_| DecodeError::Invalid);
            let (weight, zone) = (number(input.u64()?)?, Zone::new(number(input.u64()?)?));
            let state = MemberState::of_number(input.u8()?).ok_or(DecodeError::Invalid)?;
            let entry = Entry { changed: input.u64()?, state, member: Member { id, weight, zone } };
            let follows = topology.entries.last().is_none_or(|last| last.member.id < id);
            if !follows || weight == 0 || entry.changed == 0 || entry.changed > topology.epoch {
                return Err(DecodeError::Invalid);
            }
            topology.entries.push(entry).map_err(|_| DecodeError::Invalid)?;
        }
        if topology.epoch > MAX_EPOCH { Err(DecodeError::Invalid) } else { Ok(topology) }
    }
}
