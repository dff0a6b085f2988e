//! Lists of members, their versions, and lists that were made at once.
#![allow(clippy::unwrap_used)]

use quorate_core::{NodeId, Rng, Wire};
use quorate_ring::topology::{Freshness, MemberState, Topology, TopologyError};
use quorate_ring::{Inline, Member};

type Small = Topology<Inline<4>>;
type Large = Topology<Inline<16>>;

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

#[test]
fn join_order_does_not_matter() {
    let orders = [[1, 2, 3], [3, 1, 2], [2, 3, 1]];
    let versions = orders.map(|order| {
        let mut topology = Large::new();
        for id in order {
            topology.join(Member::new(node(id)).with_weight(id as u16)).unwrap();
        }
        topology.version()
    });
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
}

#[test]
fn lists_made_at_once_are_in_conflict_whichever_is_asked() {
    let mut here = Large::new();
    here.join(Member::new(node(1))).unwrap();
    let mut there = here.clone();
    here.join(Member::new(node(2))).unwrap();
    there.join(Member::new(node(3))).unwrap();
    assert_eq!(here.version().compare(there.version()), Freshness::Conflict);
    assert_eq!(there.version().compare(here.version()), Freshness::Conflict);
    for (one, other) in [(&here, &there), (&there, &here)] {
        let mut adopted = one.clone();
        assert_eq!(adopted.adopt(other), Err(TopologyError::Conflict));
        assert_eq!(adopted, *one);
    }
    let mut merged = here.clone();
    assert_eq!(merged.merge(&there), Ok(true));
    there.merge(&here).unwrap();
    assert_eq!(merged, there);
    assert_eq!((merged.entries().len(), merged.version().epoch), (3, 3));
    assert_eq!(merged.version().compare(here.version()), Freshness::Newer);
}

/// A random change of a random member.
fn change(topology: &mut Large, rng: &mut Rng) {
    let id = node(1 + rng.below(6));
    let _ = match rng.below(8) {
        0..3 => topology.join(Member::new(id)),
        3 => topology.set_weight(id, 1 + rng.below(3) as u16),
        4 => topology.set_state(id, MemberState::Up),
        5 => topology.set_state(id, MemberState::Leaving),
        6 => topology.set_state(id, MemberState::Removed),
        _ => topology.set_state(id, MemberState::Down),
    };
}

#[test]
fn gossip_converges_whatever_was_changed_at_once() {
    let mut rng = Rng::new(5);
    for _ in 0..200 {
        let mut lists = vec![Large::new(); 4];
        for _ in 0..30 {
            let at = rng.below(4) as usize;
            change(&mut lists[at], &mut rng);
            let (from, to) = (rng.below(4) as usize, rng.below(4) as usize);
            let other = lists[from].clone();
            lists[to].merge(&other).unwrap();
        }
        for _ in 0..4 {
            for from in 0..4 {
                let other = lists[from].clone();
                for list in &mut lists {
                    list.merge(&other).unwrap();
                }
            }
        }
        let versions: Vec<_> = lists.iter().map(Large::version).collect();
        assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
    }
}

#[test]
fn removed_member_is_not_brought_back() {
    let mut here = Large::new();
    here.join(Member::new(node(1))).unwrap();
    let mut there = here.clone();
    here.set_state(node(1), MemberState::Removed).unwrap();
    there.set_state(node(1), MemberState::Up).unwrap();
    there.merge(&here).unwrap();
    assert_eq!(there.get(node(1)).unwrap().state(), MemberState::Removed);
    there.join(Member::new(node(1))).unwrap();
    assert_eq!(there.get(node(1)).unwrap().state(), MemberState::Joining);
}

#[test]
fn refused_changes_change_nothing() {
    let mut topology = Small::new();
    for id in 1..=4 {
        topology.join(Member::new(node(id))).unwrap();
    }
    let before = topology.clone();
    assert_eq!(topology.join(Member::new(node(5))), Err(TopologyError::Full));
    assert_eq!(topology.join(Member::new(node(1))), Err(TopologyError::Duplicate(node(1))));
    let weightless = Member::new(node(5)).with_weight(0);
    assert_eq!(topology.join(weightless), Err(TopologyError::ZeroWeight));
    assert_eq!(topology.set_weight(node(1), 0), Err(TopologyError::ZeroWeight));
    assert_eq!(topology.set_weight(node(9), 1), Err(TopologyError::Unknown(node(9))));
    let state = topology.set_state(node(1), MemberState::Leaving);
    assert_eq!(state, Err(TopologyError::State(MemberState::Joining)));
    assert_eq!(topology.forget(node(1)), Err(TopologyError::State(MemberState::Joining)));
    assert_eq!(topology, before);
    let mut other = Small::new();
    (5..=8).for_each(|id| other.join(Member::new(node(id))).unwrap());
    assert_eq!(topology.merge(&other), Err(TopologyError::Full));
    assert_eq!(topology, before);
}

#[test]
fn bytes_read_back_and_hostile_ones_are_refused() {
    let mut rng = Rng::new(7);
    for _ in 0..300 {
        let mut topology = Large::new();
        (0..rng.below(20)).for_each(|_| change(&mut topology, &mut rng));
        let mut buffer = [0; 400];
        let bytes = topology.to_slice(&mut buffer).unwrap();
        assert_eq!(Large::from_slice(bytes).as_ref(), Ok(&topology));
        let mut bytes = bytes.to_vec();
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << rng.below(8);
        if let Ok(read) = Large::from_slice(&bytes) {
            assert_eq!(read.to_slice(&mut [0; 400]), Ok(&bytes[..]), "two encodings");
        }
    }
}
