use quorate_core::{List, NodeId, majority};

use crate::storage::Storage;
use crate::{ConfigError, MAX_MEMBERS};

/// Who takes part: a list in an order that all nodes share, and sets of places in it as bits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Members<S: Storage> {
    ids: S::Ids,
    me: u8,
    /// All but this node.
    others: Set,
}

/// A set of members, a bit for each place.
pub(crate) type Set = u32;

impl<S: Storage> Members<S> {
    /// With the places in the order of the list, or in that of the ids.
    pub(crate) fn new(id: NodeId, members: &[NodeId], sorted: bool) -> Result<Self, ConfigError> {
        let mut list = Self { ids: S::Ids::with_limit(MAX_MEMBERS), me: 0, others: 0 };
        if members.len() > MAX_MEMBERS {
            return Err(ConfigError::TooManyMembers);
        }
        for &member in members {
            list.insert(member, sorted)?;
        }
        let me = list.place(id).ok_or(ConfigError::NotAMember)?;
        list.me = u8::try_from(me).unwrap_or_default();
        list.others = list.all() & !bit(me);
        Ok(list)
    }

    fn insert(&mut self, member: NodeId, sorted: bool) -> Result<(), ConfigError> {
        let mut last = member;
        for place in self.ids.iter_mut() {
            if *place == last {
                return Err(ConfigError::DuplicateMember(member));
            }
            // from here on everybody moves one place up
            if sorted && *place > last {
                core::mem::swap(place, &mut last);
            }
        }
        self.ids.push(last).map_err(|_| ConfigError::TooManyMembers)
    }

    pub(crate) fn place(&self, id: NodeId) -> Option<usize> {
        self.ids.iter().position(|&other| other == id)
    }

    /// The member at a place that exists.
    pub(crate) fn id(&self, place: usize) -> NodeId {
        self.ids.get(place).copied().unwrap_or_default()
    }

    pub(crate) const fn me(&self) -> usize {
        self.me as usize
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn all(&self) -> Set {
        let unused = MAX_MEMBERS.saturating_sub(self.len());
        Set::MAX.wrapping_shr(u32::try_from(unused).unwrap_or(0))
    }

    pub(crate) const fn others(&self) -> Set {
        self.others
    }

    /// The places after the own one.
    pub(crate) const fn after_me(&self) -> Set {
        self.others & !bit(self.me()).wrapping_sub(1)
    }

    #[inline(never)] // counting bits takes more code than a call
    pub(crate) fn count(set: Set) -> usize {
        set.count_ones() as usize
    }

    pub(crate) fn is_majority(&self, set: Set) -> bool {
        Self::count(set) >= majority(self.len())
    }

    /// Whether a set is a majority, or half of all with the member at the last place: of two sets without a common member one is at
    /// most (Gifford, "Weighted voting for replicated data", SOSP 1979, section 2).
    pub(crate) fn outweighs(&self, set: Set) -> bool {
        let last = bit(self.len().saturating_sub(1));
        let twice = Self::count(set).saturating_mul(2);
        twice.saturating_add(usize::from(set & last != 0)) > self.len()
    }

    /// How many others must have told what they know until a node that has forgotten what it accepted knows at least as much:
    /// `n - majority + 1`, as of any majority that accepted something, itself aside, one is among so many (Liskov and Cowling,
    /// "Viewstamped replication revisited", 2012, section 4.3).
    pub(crate) fn enough_to_recover(&self) -> usize {
        self.len().div_ceil(2).min(Self::count(self.others))
    }
}

/// The set of one place.
#[allow(clippy::cast_possible_truncation)] // places are below 32
pub(crate) const fn bit(place: usize) -> Set {
    1_u32.wrapping_shl(place as u32)
}

/// Takes the first place out of a set.
pub(crate) const fn take_first(set: &mut Set) -> Option<usize> {
    match *set {
        0 => None,
        some => {
            let place = some.trailing_zeros() as usize;
            *set = some & some.wrapping_sub(1);
            Some(place)
        }
    }
}
