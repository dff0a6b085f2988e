use quorate_core::{InlineList, List, NodeId};

use super::{Layout, Level, LevelError};
use crate::{MAX_PREFERENCE, Token};

/// The nodes of a request, and which of them have answered: a bit for each, so that no node counts twice, whatever it sends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Targets {
    nodes: InlineList<NodeId, MAX_PREFERENCE>,
    /// Those that hold the key.
    owners: u32,
    /// Those that will hold it, while replicas change; none otherwise.
    next_owners: u32,
    /// The fallbacks that stand in for an owner.
    stand_ins: u32,
    /// For which owner each of them does; `NOBODY` for a node that does not.
    stands_for: [u8; MAX_PREFERENCE],
}

/// How many answers are needed: of the owners, of the next owners, and of owners themselves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Need {
    pub(crate) owners: u8,
    pub(crate) next_owners: u8,
    pub(crate) primaries: u8,
}

const NOBODY: u8 = u8::MAX;

impl Targets {
    pub(crate) fn new<L: Layout>(layout: &L, at: Token) -> Result<Self, LevelError> {
        let mut targets = Self {
            nodes: InlineList::with_limit(MAX_PREFERENCE),
            owners: 0,
            next_owners: 0,
            stand_ins: 0,
            stands_for: [NOBODY; MAX_PREFERENCE],
        };
        let list = layout.replicas(at);
        for node in list.replicas() {
            targets.owners |= targets.add(*node)?;
        }
        if let Some(next) = layout.next_replicas(at) {
            for node in next.replicas() {
                targets.next_owners |= targets.add(*node)?;
            }
        }
        for node in list.fallbacks() {
            if targets.add(*node).is_err() {
                break; // there are enough without it
            }
        }
        Ok(targets)
    }

    /// One node, whatever it holds.
    pub(crate) fn only(node: NodeId) -> Self {
        let mut targets = Self {
            nodes: InlineList::with_limit(MAX_PREFERENCE),
            owners: 0,
            next_owners: 0,
            stand_ins: 0,
            stands_for: [NOBODY; MAX_PREFERENCE],
        };
        targets.owners = targets.add(node).unwrap_or(0); // there is room
        targets
    }

    /// How many answers a level asks for.
    pub(crate) fn need(&self, level: Level, primaries: u8) -> Result<Need, LevelError> {
        let (owners, next) = (count(self.owners), count(self.next_owners));
        if usize::from(primaries) > owners {
            return Err(LevelError::Above { replicas: owners });
        }
        let next_owners = if next == 0 { 0 } else { level.of(next)? };
        Ok(Need { owners: byte(level.of(owners)?), next_owners: byte(next_owners), primaries })
    }

    /// How many answers are needed to meet every quorum of so many, and each other: of two replicas a write to both is met by one,
    /// but two reads of one each may miss each other.
    pub(crate) fn need_to_meet(&self, need: Need) -> Need {
        let meet = |set: u32, size: u8| {
            let (all, majority) = (byte(count(set)), byte(count(set) / 2).saturating_add(1));
            if all == 0 { 0 } else { all.saturating_sub(size).saturating_add(1).max(majority) }
        };
        Need {
            owners: meet(self.owners, need.owners),
            next_owners: meet(self.next_owners, need.next_owners),
            primaries: 0,
        }
    }

    /// Whether the nodes that answered are enough.
    pub(crate) fn is_met(&self, answered: u32, need: Need) -> bool {
        let covered = self.covered(answered);
        count(covered & self.owners) >= usize::from(need.owners)
            && count(covered & self.next_owners) >= usize::from(need.next_owners)
            && count(answered & self.owners) >= usize::from(need.primaries)
    }

    /// The owners and next owners that answered, or in whose place a fallback did.
    pub(crate) fn covered(&self, answered: u32) -> u32 {
        let mut covered = answered & self.holders();
        for place in places(answered & self.stand_ins) {
            let owner = self.stands_for.get(place as usize);
            covered |= owner.map_or(0, |owner| bit(u32::from(*owner)));
        }
        covered
    }

    /// How many that is, and how many were needed: of the condition that is not met.
    pub(crate) fn progress(&self, answered: u32, need: Need) -> (usize, usize) {
        let covered = self.covered(answered);
        let primaries = count(answered & self.owners);
        if primaries < usize::from(need.primaries) {
            return (primaries, usize::from(need.primaries));
        }
        let (own, next) = (count(covered & self.owners), count(covered & self.next_owners));
        if own >= usize::from(need.owners) && next < usize::from(need.next_owners) {
            (next, usize::from(need.next_owners))
        } else {
            (own, usize::from(need.owners))
        }
    }

    /// The nodes that hold the key.
    pub(crate) const fn owners(&self) -> u32 {
        self.owners
    }

    /// The nodes that hold the key, or will.
    pub(crate) const fn holders(&self) -> u32 {
        self.owners | self.next_owners
    }

    /// All nodes that are asked: the holders, and the fallbacks that stand in for some of them.
    pub(crate) const fn asked(&self) -> u32 {
        self.holders() | self.stand_ins
    }

    /// A fallback for an owner that has none: the first that is usable. Returns its bit; 0 if there is none.
    pub(crate) fn stand_in_for(&mut self, owner: u32, usable: impl Fn(NodeId) -> bool) -> u32 {
        let Ok(owner) = u8::try_from(owner) else { return 0 };
        if self.stands_for.contains(&owner) {
            return 0;
        }
        let holders = self.holders();
        for (place, node) in (0_u32..).zip(self.nodes.iter()) {
            let Some(stands_for) = self.stands_for.get_mut(place as usize) else { return 0 };
            if holders & bit(place) == 0 && *stands_for == NOBODY && usable(*node) {
                *stands_for = owner;
                self.stand_ins |= bit(place);
                return bit(place);
            }
        }
        0
    }

    /// Whom the node at this place stands in for; `None` for one that does not.
    pub(crate) fn owner_of(&self, place: u32) -> Option<NodeId> {
        let owner = *self.stands_for.get(place as usize)?;
        self.nodes.get(usize::from(owner)).copied()
    }

    pub(crate) fn node(&self, place: u32) -> Option<NodeId> {
        self.nodes.get(place as usize).copied()
    }

    /// The bit of a node; 0 of one that is none of them.
    pub(crate) fn bit_of(&self, node: NodeId) -> u32 {
        let place = self.nodes.iter().position(|other| *other == node);
        place.and_then(|place| u32::try_from(place).ok()).map_or(0, bit)
    }

    /// The bits of the nodes of a set that satisfy a condition.
    pub(crate) fn filter(&self, set: u32, mut keep: impl FnMut(NodeId) -> bool) -> u32 {
        let nodes = (0_u32..).zip(self.nodes.iter());
        let kept = nodes.filter(|(place, node)| set & bit(*place) != 0 && keep(**node));
        kept.fold(0, |kept, (place, _)| kept | bit(place))
    }

    fn add(&mut self, node: NodeId) -> Result<u32, LevelError> {
        let known = self.bit_of(node);
        if known != 0 {
            return Ok(known);
        }
        let place = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(node).map_err(|_| LevelError::TooMany)?;
        Ok(bit(place))
    }
}

/// The places of the bits that are set, in ascending order.
pub(crate) fn places(mut set: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let place = first(set)?;
        set &= !bit(place);
        Some(place)
    })
}

/// The lowest place whose bit is set.
pub(crate) const fn first(set: u32) -> Option<u32> {
    if set == 0 { None } else { Some(set.trailing_zeros()) }
}

pub(crate) const fn bit(place: u32) -> u32 {
    match 1_u32.checked_shl(place) {
        Some(bit) => bit,
        None => 0,
    }
}

pub(crate) const fn count(set: u32) -> usize {
    set.count_ones() as usize
}

/// A count of places, of which there are 32.
#[allow(clippy::cast_possible_truncation)]
const fn byte(count: usize) -> u8 {
    if count > 32 { 32 } else { count as u8 }
}
