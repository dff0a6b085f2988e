use core::cell::Cell;
use core::fmt;

use crc::{CRC_16_XMODEM, Crc};
use quorate_core::{List, NodeId};

use crate::fingerprint::Fingerprint;
use crate::members::{cells, count_zones_of, insert, insert_at, place_of};
use crate::storage::Kinds;
use crate::{Divided, Member, MemberError, Placement, PreferenceList, Storage, Token, Zone};

/// The number of slots, as in Redis Cluster.
pub const SLOTS: u16 = 16_384;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// One of the 16,384 classes that Redis Cluster divides its keys into, numbered from 0.
///
/// ```
/// use quorate_ring::Slot;
/// assert_eq!(Slot::of(b"foo").get(), 12_182);
/// assert_eq!(Slot::of(b"{user1000}.following"), Slot::of(b"{user1000}.followers"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Slot(u16);

impl Slot {
    /// The first.
    pub const MIN: Self = Self(0);
    /// The last.
    pub const MAX: Self = Self(SLOTS - 1);

    /// The slot of this number; `None` from [`SLOTS`] on.
    ///
    /// ```
    /// # use quorate_ring::Slot;
    /// assert_eq!(Slot::new(16_383), Some(Slot::MAX));
    /// assert_eq!(Slot::new(16_384), None);
    /// ```
    #[must_use]
    pub const fn new(slot: u16) -> Option<Self> {
        if slot < SLOTS { Some(Self(slot)) } else { None }
    }

    /// The slot of a key: CRC-16/XMODEM modulo 16,384 of its [hash tag](hash_tag) (Redis Cluster specification, "Key distribution
    /// model").
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(CRC.checksum(hash_tag(key)) % SLOTS)
    }

    /// Its number.
    ///
    /// ```
    /// # use quorate_ring::Slot;
    /// assert_eq!(Slot::MIN.get(), 0);
    /// ```
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part of a key that is hashed: what is between its first `{` and the first `}` after that, unless it is empty, and otherwise
/// the whole key (Redis Cluster specification, "Hash tags"). Keys with the same tag are in one slot.
///
/// ```
/// use quorate_ring::hash_tag;
/// assert_eq!(hash_tag(b"{user1000}.x"), b"user1000");
/// assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
/// assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
/// ```
#[must_use]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let find = |bytes: &[u8], wanted: u8| bytes.iter().position(|byte| *byte == wanted);
    let tag = || {
        let (_, behind) = key.split_at_checked(find(key, b'{')?.checked_add(1)?)?;
        behind.get(..find(behind, b'}')?).filter(|tag| !tag.is_empty())
    };
    tag().unwrap_or(key)
}

/// Slots in a row that belong to one member: those from `first` up to the next run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(unnameable_types)] // of the sealed storage
pub struct SlotRun {
    first: u16,
    owner: Option<NodeId>,
}

/// A fixed number of slots, each assigned to a member: Redis Cluster's placement.
///
/// Slots are not computed from the members: the program assigns them, in runs of neighbouring slots, and no key moves by itself. Memory
/// depends on the number of runs, not on that of slots. Weights are ignored. All nodes must have the same assignments.
///
/// An assignment changes the owners of the slots that it names, and no others. The further replicas of a slot are the owners of the runs
/// behind it, spread over their zones, so an assignment may change the further replicas of other slots too: those of nearly all slots where
/// the first slot goes to a zone, or the last one leaves it. A [`Plan`](crate::Plan) lists what moves. A member without slots holds
/// no keys, neither as an owner nor as a replica or fallback, and its zone does not count.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Inline, Member, Placement, Slot, Slots};
/// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
/// let mut slots = Slots::<Inline<3, 8>>::even(&members)?;
/// assert_eq!(members.map(|member| slots.count(member.id)), [5461, 5462, 5461]);
/// let [first, last] = [0, 99].map(|slot| Slot::new(slot).unwrap_or_default());
/// slots.assign(first, last, NodeId::new(3))?;
/// assert_eq!(slots.owner(Slot::MIN), Some(NodeId::new(3)));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Slots<S: Storage> {
    /// In the order of their ids.
    members: S::Members,
    /// In their order, no two next to each other with one owner; the first begins at 0, or there is none.
    runs: S::Runs,
    /// Of the members that own slots.
    zones: usize,
}

impl<S: Storage> Default for Slots<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Storage> Slots<S> {
    /// No members, and no slot assigned. With `Heap` storage there is room for 65,535 members. Of the storage, the second parameter
    /// counts runs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            members: <S as Kinds>::Members::with_limit(usize::from(u16::MAX)),
            runs: <S as Kinds>::Runs::with_limit(usize::from(SLOTS)),
            zones: 0,
        }
    }

    /// Divides the slots among the members, in the order of the list, as `redis-cli --cluster create` does.
    ///
    /// # Errors
    ///
    /// [`MemberError::NoMembers`] of an empty list, [`Full`](MemberError::Full) if the members or their runs do not fit,
    /// [`Duplicate`](MemberError::Duplicate), or [`ZeroWeight`](MemberError::ZeroWeight).
    pub fn even(members: &[Member]) -> Result<Self, MemberError> {
        if members.is_empty() {
            return Err(MemberError::NoMembers);
        }
        let mut slots = Self::new();
        for member in members {
            slots.add(*member)?;
        }
        let count = members.len() as u64;
        let mut first = 0;
        for (number, member) in (1_u64..).zip(members) {
            // number * SLOTS / count, rounded to the nearest
            let doubled = number.saturating_mul(u64::from(SLOTS)).saturating_mul(2);
            let end = doubled.saturating_add(count).checked_div(count.saturating_mul(2));
            let end = end.and_then(|end| u16::try_from(end).ok()).unwrap_or(SLOTS);
            let last = Slot::new(end.saturating_sub(1)).unwrap_or(Slot::MAX);
            if end > first {
                slots.assign(Slot(first), last, member.id)?;
            }
            first = end;
        }
        Ok(slots)
    }

    /// Adds a member without slots: no key moves.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member, MemberError, Slots};
    /// let mut slots = Slots::<Inline<1, 8>>::new();
    /// slots.add(Member::new(NodeId::new(1)))?;
    /// assert_eq!(slots.count(NodeId::new(1)), 0);
    /// assert_eq!(slots.add(Member::new(NodeId::new(2))), Err(MemberError::Full));
    /// # Ok::<(), MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::ZeroWeight`], [`Duplicate`](MemberError::Duplicate) or [`Full`](MemberError::Full); nothing was changed.
    pub fn add(&mut self, member: Member) -> Result<(), MemberError> {
        insert(&mut self.members, member)?;
        Ok(())
    }

    /// Removes a member. Its slots are assigned to no member after that: assign them before, to keep their keys.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member, Placement, Slot, Slots};
    /// let mut slots = Slots::<Inline<3, 8>>::even(&[Member::new(NodeId::new(1))])?;
    /// slots.remove(NodeId::new(1))?;
    /// assert_eq!(slots.owner(Slot::MIN), None);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::Unknown`]; nothing was changed.
    pub fn remove(&mut self, node: NodeId) -> Result<(), MemberError> {
        let place = place_of(&self.members, node).map_err(|_| MemberError::Unknown(node))?;
        self.members.remove(place);
        for run in self.runs.iter_mut().filter(|run| run.owner == Some(node)) {
            run.owner = None;
        }
        self.join_runs();
        Ok(())
    }

    /// Assigns the slots from `first` to `last`, both included, to a member.
    ///
    /// # Errors
    ///
    /// [`MemberError::Unknown`], [`EmptyRange`](MemberError::EmptyRange) if `last` is below `first`, or
    /// [`Full`](MemberError::Full) if there would be too many runs: one assignment makes up to two more. Nothing was changed.
    pub fn assign(&mut self, first: Slot, last: Slot, node: NodeId) -> Result<(), MemberError> {
        place_of(&self.members, node).map_err(|_| MemberError::Unknown(node))?;
        if last < first {
            return Err(MemberError::EmptyRange);
        }
        let end = last.0.saturating_add(1);
        let more = [first.0, end].into_iter().filter(|slot| !self.has_boundary(*slot)).count();
        let more = more.saturating_add(usize::from(self.runs.is_empty()));
        if more > self.runs.limit().saturating_sub(self.runs.len()) {
            return Err(MemberError::Full);
        }
        self.split_at(first.0)?; // there is room
        self.split_at(end)?;
        for run in self.runs.iter_mut() {
            if (first.0..=last.0).contains(&run.first) {
                run.owner = Some(node);
            }
        }
        self.join_runs();
        Ok(())
    }

    /// The number of slots that are assigned to a node.
    #[must_use]
    pub fn count(&self, node: NodeId) -> usize {
        let ends = self.runs.iter().skip(1).map(|run| run.first).chain([SLOTS]);
        let owned = self.runs.iter().zip(ends).filter(|(run, _)| run.owner == Some(node));
        owned.map(|(run, end)| usize::from(end.saturating_sub(run.first))).sum()
    }

    /// The members, in the order of their ids.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, Member, Slots};
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// assert_eq!(Slots::<Inline<3, 3>>::even(&members)?.members(), members);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether a run begins at this slot, or will as soon as there are any.
    fn has_boundary(&self, slot: u16) -> bool {
        let begins = || self.runs.binary_search_by_key(&slot, |run| run.first).is_ok();
        slot == 0 || slot >= SLOTS || begins()
    }

    /// A run begins at this slot.
    fn split_at(&mut self, slot: u16) -> Result<(), MemberError> {
        if self.runs.is_empty() {
            self.runs.push(SlotRun { first: 0, owner: None })?;
        }
        if self.has_boundary(slot) {
            return Ok(());
        }
        let place = self.runs.partition_point(|run| run.first < slot);
        let owner = place.checked_sub(1).and_then(|before| self.runs.get(before)?.owner);
        insert_at(&mut self.runs, place, SlotRun { first: slot, owner })?;
        Ok(())
    }

    /// Runs next to each other with one owner are one, and without any owner there is none, so that equal assignments are equal values.
    fn join_runs(&mut self) {
        if self.runs.iter().all(|run| run.owner.is_none()) {
            self.runs.clear();
        }
        let (mut kept, mut last) = (0_usize, None);
        let runs = cells(&mut self.runs);
        for run in runs.iter().map(Cell::get) {
            if last == Some(run.owner) {
                continue;
            }
            last = Some(run.owner);
            if let Some(cell) = runs.get(kept) {
                cell.set(run);
            }
            kept = kept.saturating_add(1);
        }
        self.runs.truncate(kept);
        self.zones = count_zones_of(self.owners(self.runs.iter()));
    }

    /// The owners of some runs with their zones.
    fn owners<'s>(
        &'s self,
        runs: impl Iterator<Item = &'s SlotRun>,
    ) -> impl Iterator<Item = (NodeId, Zone)> {
        runs.filter_map(|run| {
            let member = self.members.get(place_of(&self.members, run.owner?).ok()?)?;
            Some((member.id, member.zone))
        })
    }
}

impl<S: Storage> Placement for Slots<S> {
    type Position<'k> = Slot;

    fn position(&self, key: &[u8]) -> Slot {
        Slot::of(key)
    }

    /// The owner of the slot, and the owners of the runs behind it, once around. A slot that is assigned to no member has no nodes.
    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        let place = self.runs.partition_point(|run| run.first <= at.0).saturating_sub(1);
        let (before, from) = self.runs.split_at_checked(place).unwrap_or_default();
        let assigned = from.first().is_some_and(|run| run.owner.is_some());
        self.owners(from.iter().chain(before)).filter(move |_| assigned)
    }

    fn zones(&self) -> usize {
        self.zones
    }

    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("slots");
        fingerprint.members(&self.members);
        fingerprint.length(self.runs.len());
        for SlotRun { first, owner } in self.runs.iter() {
            fingerprint.number(*first);
            fingerprint.node(*owner);
        }
        fingerprint.finish()
    }
}

/// The tokens are the numbers of slots.
impl<S: Storage> Divided for Slots<S> {
    fn first_token(&self) -> Token {
        Token::MIN
    }

    fn last_token(&self) -> Token {
        Token::new(u64::from(Slot::MAX.0))
    }

    fn end_of_range(&self, at: Token) -> Token {
        let mut behind = self.runs.iter().map(|run| u64::from(run.first));
        let end = behind.find(|first| *first > at.get()).unwrap_or(u64::from(SLOTS));
        Token::new(end.saturating_sub(1))
    }

    fn replicas_at(&self, at: Token, replicas: usize) -> PreferenceList {
        let slot = u16::try_from(at.get()).ok().and_then(Slot::new).unwrap_or(Slot::MAX);
        self.replicas(slot, replicas)
    }
}

#[cfg(feature = "serde")]
mod serde_form {
    //! Members and runs, as they are kept, and checked.

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::{Serialize, SerializeStruct, Serializer};

    use super::{Kinds, Member, NodeId, SLOTS, Slot, SlotRun, Slots, Storage};
    use crate::members::{MAX_MEMBERS, are_sound, count_zones_of, place_of};
    use crate::serde_list::deserialize;

    impl Serialize for Slot {
        fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
            self.0.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Slot {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let slot = Self::new(u16::deserialize(deserializer)?);
            slot.ok_or_else(|| D::Error::custom("a slot is below 16,384"))
        }
    }

    impl<S: Storage> Serialize for Slots<S> {
        fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
            let mut fields = serializer.serialize_struct("Slots", 2)?;
            fields.serialize_field("members", self.members())?;
            fields.serialize_field("runs", &*self.runs)?;
            fields.end()
        }
    }

    impl<'de, S: Storage> Deserialize<'de> for Slots<S> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(serde::Deserialize)]
            #[serde(rename = "Slots", bound = "S: Storage")]
            struct Fields<S: Storage> {
                #[serde(deserialize_with = "deserialize::<MAX_MEMBERS, Member, _, _>")]
                members: <S as Kinds>::Members,
                #[serde(deserialize_with = "deserialize::<{ SLOTS as usize }, SlotRun, _, _>")]
                runs: <S as Kinds>::Runs,
            }
            let Fields { members, runs } = Fields::<S>::deserialize(deserializer)?;
            let mut slots = Self { members, runs, zones: 0 };
            if slots.is_sound() {
                slots.zones = count_zones_of(slots.owners(slots.runs.iter()));
                return Ok(slots);
            }
            Err(D::Error::custom("members or runs are not sorted, or a run is not a member's"))
        }
    }

    impl<S: Storage> Slots<S> {
        /// Whether additions and assignments can lead to this.
        fn is_sound(&self) -> bool {
            let is_member = |node: NodeId| place_of(&self.members, node).is_ok();
            let next = self.runs.iter().skip(1);
            are_sound(&self.members)
                && self.runs.first().is_none_or(|run| run.first == 0)
                && (self.runs.is_empty() || self.runs.iter().any(|run| run.owner.is_some()))
                && self.runs.iter().all(|run| run.first < SLOTS && run.owner.is_none_or(is_member))
                && self
                    .runs
                    .iter()
                    .zip(next)
                    .all(|(run, next)| run.first < next.first && run.owner != next.owner)
        }
    }
}
