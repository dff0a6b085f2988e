//! Random changes of topologies.

use quorate_core::{NodeId, Rng};
use quorate_ring::topology::{MemberState, Topology, TopologyError};
use quorate_ring::{Inline, Member, Zone};

/// A list with room for all that random changes add.
pub(crate) type List = Topology<Inline<16>>;

/// A random change of a random member, but that none is forgotten. Many are refused.
pub(crate) fn change(list: &mut List, rng: &mut Rng) -> Result<List, TopologyError> {
    let id = NodeId::new(1 + rng.below(6));
    match rng.below(10) {
        0..3 => list.join(Member::new(id).in_zone(Zone::new(rng.below(2) as u16))),
        3 => list.set_weight(id, 1 + rng.below(3) as u16),
        4 => list.set_state(id, MemberState::Up),
        5 => list.set_state(id, MemberState::Leaving),
        6 | 7 => list.set_state(id, MemberState::Removed),
        8 => list.complete_moves(),
        _ => list.set_state(id, MemberState::Down),
    }
}

/// The same, but that any removed member may be forgotten, also before all nodes know of the removal.
pub(crate) fn change_or_forget(list: &mut List, rng: &mut Rng) -> Result<List, TopologyError> {
    match rng.below(6) {
        0 => list.forget(NodeId::new(1 + rng.below(6))),
        _ => change(list, rng),
    }
}

/// Random changes of some lists, and random merges of them.
pub(crate) fn histories<const LISTS: usize>(
    rng: &mut Rng,
    steps: u64,
) -> ([List; LISTS], Vec<List>) {
    let mut lists = core::array::from_fn(|_| List::new());
    let mut deltas = Vec::new();
    for _ in 0..steps {
        let at = rng.below(LISTS as u64) as usize;
        if rng.chance(1, 4) {
            let other = lists[rng.below(LISTS as u64) as usize].clone();
            let merged = lists[at].merge(&other);
            assert!(merged.is_ok(), "there is room");
        } else {
            deltas.extend(change_or_forget(&mut lists[at], rng));
        }
    }
    (lists, deltas)
}
