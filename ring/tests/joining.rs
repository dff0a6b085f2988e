//! When a member joins, only that member gets copies, whatever the replicas and zones; with jump hashing that holds for owners.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_ring::{
    Divided, HashRing, Heap, Jump, KeyHash, Member, Move, Partitions, Plan, Rendezvous, Zone,
};

const JOINING: NodeId = NodeId::new(11);

/// The copies to the member that joins, and those to others.
fn copies<P: Divided>(old: &P, new: &P, replicas: usize) -> (usize, usize) {
    let mut count = (0, 0);
    for step in Plan::new(old, new, replicas).unwrap().moves() {
        match step {
            Move::Copy { to: JOINING, .. } => count.0 += 1,
            Move::Copy { .. } => count.1 += 1,
            _ => {}
        }
    }
    count
}

macro_rules! before_and_after {
    ($placement:expr, $zones:expr, $zone:expr) => {{
        let mut old = $placement;
        for id in 1..=10 {
            let zone = Zone::new(u16::try_from(id % $zones).unwrap());
            old.add(Member::new(NodeId::new(id)).in_zone(zone)).unwrap();
        }
        let mut new = old.clone();
        new.add(Member::new(JOINING).in_zone(Zone::new($zone))).unwrap();
        (old, new)
    }};
}

#[test]
fn only_the_member_that_joins_gets_copies() {
    let hash = KeyHash::default();
    for replicas in 1..=5 {
        for zones in [1, 2, 3, 5] {
            // into a zone that there is, and into a new one
            for zone in [0, 9] {
                let (old, new) = before_and_after!(HashRing::<Heap>::new(hash, 20), zones, zone);
                let (to_joining, to_others) = copies(&old, &new, replicas);
                assert!(to_joining > 0 && to_others == 0, "ring, {replicas} in {zones}");
                let (old, new) = before_and_after!(Rendezvous::<Heap>::new(hash), zones, zone);
                let (old, new) =
                    (Partitions::new(old, 8).unwrap(), Partitions::new(new, 8).unwrap());
                let (to_joining, to_others) = copies(&old, &new, replicas);
                assert!(to_joining > 0 && to_others == 0, "rendezvous, {replicas} in {zones}");
            }
        }
    }
}

#[test]
fn further_replicas_of_jump_hashing_may_move_between_old_members() {
    let (old, new) = before_and_after!(Jump::<Heap>::new(KeyHash::default()), 3, 0);
    let (old, new) = (Partitions::new(old, 12).unwrap(), Partitions::new(new, 12).unwrap());
    assert_eq!(copies(&old, &new, 1).1, 0);
    let (to_joining, to_others) = copies(&old, &new, 3);
    let share = 100 * to_others / (to_joining + to_others);
    assert!((25..=40).contains(&share), "{share} % of the copies go to old members");
}
