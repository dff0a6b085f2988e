use quorate_core::{List, NodeId, majority};

use crate::storage::Storage;
use crate::{ConfigError, MAX_MEMBERS};

/// Who takes part: a list in an order that all nodes share, and sets of places in it as bits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Members<S: Storage> {
    ids: S::Ids,
    me: usize,
}

/// A set of members, a bit for each place.
pub(crate) type Set = u32;

impl<S: Storage> Members<S> {
    pub(crate) fn new(id: NodeId, members: &[NodeId]) -> Result<Self, ConfigError> {
        let mut ids = S::Ids::with_limit(MAX_MEMBERS);
        if members.len() > MAX_MEMBERS {
            return Err(ConfigError::TooManyMembers);
        }
        for &member in members {
            if ids.contains(&member) {
                return Err(ConfigError::DuplicateMember(member));
            }
            ids.push(member).map_err(|_| ConfigError::TooManyMembers)?;
        }
        let me = ids.iter().position(|&other| other == id).ok_or(ConfigError::NotAMember)?;
        Ok(Self { ids, me })
    }

    /// With the places in the order of the ids.
    pub(crate) fn sorted(id: NodeId, members: &[NodeId]) -> Result<Self, ConfigError> {
        let mut list = Self::new(id, members)?;
        // a selection: the members are few, and a sort takes more flash than all the rest of this file
        for at in 0..list.ids.len() {
            let rest = list.ids.iter().enumerate().skip(at);
            if let Some((least, _)) = rest.min_by_key(|&(_, &id)| id) {
                let (a, b) = (list.id(at), list.id(least));
                list.put(at, b);
                list.put(least, a);
            }
        }
        list.me = list.place(id).ok_or(ConfigError::NotAMember)?;
        Ok(list)
    }

    fn put(&mut self, at: usize, id: NodeId) {
        if let Some(place) = self.ids.get_mut(at) {
            *place = id;
        }
    }

    pub(crate) fn place(&self, id: NodeId) -> Option<usize> {
        self.ids.iter().position(|&other| other == id)
    }

    /// The member at a place that exists.
    pub(crate) fn id(&self, place: usize) -> NodeId {
        self.ids.get(place).copied().unwrap_or_default()
    }

    pub(crate) const fn me(&self) -> usize {
        self.me
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn all(&self) -> Set {
        let unused = MAX_MEMBERS.saturating_sub(self.len());
        Set::MAX.wrapping_shr(u32::try_from(unused).unwrap_or(0))
    }

    pub(crate) fn others(&self) -> Set {
        self.all() & !bit(self.me)
    }

    /// The places after the own one.
    pub(crate) fn after_me(&self) -> Set {
        self.others() & !bit(self.me).wrapping_sub(1)
    }

    pub(crate) fn is_majority(&self, set: Set) -> bool {
        set.count_ones() as usize >= majority(self.len())
    }
}

/// The set of one place.
pub(crate) const fn bit(place: usize) -> Set {
    if place < MAX_MEMBERS { 1 << place } else { 0 }
}

/// Takes the first place out of a set.
pub(crate) const fn take_first(set: &mut Set) -> Option<usize> {
    match *set {
        0 => None,
        some => {
            let place = some.trailing_zeros() as usize;
            *set &= !bit(place);
            Some(place)
        }
    }
}
