use quorate_core::{List, NodeId, majority};

use crate::storage::Storage;
use crate::{ConfigError, MAX_MEMBERS};

/// The members, in an order that all nodes share; sets of them are bits by index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Members<S: Storage> {
    ids: S::Ids,
    me: u8,
    /// All but this node.
    others: MemberSet,
}

/// A set of members, a bit for each index.
pub(crate) type MemberSet = u32;

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
        let me = list.index_of(id).ok_or(ConfigError::NotAMember)?;
        list.me = u8::try_from(me).unwrap_or_default();
        list.others = list.all() & !bit(me);
        Ok(list)
    }

    fn insert(&mut self, member: NodeId, sorted: bool) -> Result<(), ConfigError> {
        let mut last = member;
        for index in self.ids.iter_mut() {
            if *index == last {
                return Err(ConfigError::DuplicateMember(member));
            }
            // from here on everybody moves one place up
            if sorted && *index > last {
                core::mem::swap(index, &mut last);
            }
        }
        self.ids.push(last).map_err(|_| ConfigError::TooManyMembers)
    }

    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.ids.iter().position(|&other| other == id)
    }

    /// The member at an index below `len`.
    pub(crate) fn id(&self, index: usize) -> NodeId {
        self.ids.get(index).copied().unwrap_or_default()
    }

    pub(crate) const fn me(&self) -> usize {
        self.me as usize
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn all(&self) -> MemberSet {
        let unused = MAX_MEMBERS.saturating_sub(self.len());
        MemberSet::MAX.wrapping_shr(u32::try_from(unused).unwrap_or(0))
    }

    pub(crate) const fn others(&self) -> MemberSet {
        self.others
    }

    /// The members after this one: those with higher ids, where the list is sorted.
    pub(crate) const fn higher(&self) -> MemberSet {
        self.others & !bit(self.me()).wrapping_sub(1)
    }

    #[inline(never)] // counting bits takes more code than a call
    pub(crate) fn count(set: MemberSet) -> usize {
        set.count_ones() as usize
    }

    pub(crate) fn is_majority(&self, set: MemberSet) -> bool {
        Self::count(set) >= majority(self.len())
    }

    /// Whether a set is a majority, or half of all with the member at the last place: of two sets without a common member one is at
    /// most (Gifford, "Weighted voting for replicated data", SOSP 1979, section 2).
    pub(crate) fn outweighs(&self, set: MemberSet) -> bool {
        let last = bit(self.len().saturating_sub(1));
        let twice = Self::count(set).saturating_mul(2);
        twice.saturating_add(usize::from(set & last != 0)) > self.len()
    }

    /// How many others must have answered until a node that has forgotten what it accepted knows at
    /// least as much: `n - majority + 1`, as of any majority that accepted something, itself aside,
    /// one is among so many (Liskov and Cowling, "Viewstamped replication revisited", 2012, section
    /// 4.3).
    pub(crate) fn recovery_quorum(&self) -> usize {
        self.len().div_ceil(2).min(Self::count(self.others))
    }
}

/// The set of one index.
#[allow(clippy::cast_possible_truncation)] // indexes are below 32
pub(crate) const fn bit(index: usize) -> MemberSet {
    1_u32.wrapping_shl(index as u32)
}

/// Removes the first index from a set.
pub(crate) const fn pop_first(set: &mut MemberSet) -> Option<usize> {
    match *set {
        0 => None,
        some => {
            let index = some.trailing_zeros() as usize;
            *set = some & some.wrapping_sub(1);
            Some(index)
        }
    }
}
