//! Each placement against a simple one, or against what its paper promises, over random changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::map_entry)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{NodeId, Rng};
use quorate_ring::{
    Bounded, HashRing, Inline, Jump, KeyHash, LoadFactor, Member, MemberError, Placement,
    Rendezvous, Slot, Slots, Token, Zone,
};

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

fn tokens(rng: &mut Rng, count: usize) -> Vec<Token> {
    (0..count).map(|_| Token::new(rng.next_u64())).collect()
}

/// The preference list as the text of the crate has it, from a sorted list of points.
fn naive_list(
    points: &BTreeSet<(u64, u64)>,
    zones: &BTreeMap<u64, u16>,
    token: u64,
    replicas: usize,
    fallbacks: usize,
) -> (Vec<u64>, Vec<u64>) {
    let mut order: Vec<u64> = Vec::new();
    let from = points.range((token, 0)..).chain(points.range(..(token, 0)));
    for (_, id) in from {
        if !order.contains(id) {
            order.push(*id);
        }
    }
    let all_zones: BTreeSet<u16> = order.iter().map(|id| zones[id]).collect();
    let mut repeats = replicas.saturating_sub(all_zones.len());
    let mut used = BTreeSet::new();
    let mut chosen = Vec::new();
    for id in &order {
        if chosen.len() == replicas {
            break;
        }
        if used.contains(&zones[id]) {
            if repeats == 0 {
                continue;
            }
            repeats -= 1;
        }
        used.insert(zones[id]);
        chosen.push(*id);
    }
    let rest = order.into_iter().filter(|id| !chosen.contains(id)).take(fallbacks).collect();
    (chosen, rest)
}

#[test]
fn ring_matches_a_sorted_set_of_points() {
    type Ring = HashRing<Inline<8, 64>>;
    let mut rng = Rng::new(11);
    for round in 0..150 {
        let mut ring = Ring::new(KeyHash::new([round, 1]), 3);
        let (mut points, mut zones) = (BTreeSet::new(), BTreeMap::new());
        for _ in 0..20 {
            let id = 1 + rng.below(8);
            if rng.chance(1, 3) {
                let was = zones.remove(&id).is_some();
                let expected = if was { Ok(()) } else { Err(MemberError::Unknown(node(id))) };
                assert_eq!(ring.remove(node(id)), expected);
                points.retain(|(_, owner)| *owner != id);
            } else {
                // few different tokens, so that some are equal
                let spread = [50, u64::MAX][rng.below(2) as usize];
                let new: BTreeSet<u64> =
                    (0..1 + rng.below(10)).map(|_| rng.below(spread)).collect();
                let zone = rng.below(3) as u16;
                let list: Vec<Token> = new.iter().rev().copied().map(Token::new).collect();
                let result = ring.add_at(Member::new(node(id)).in_zone(Zone::new(zone)), &list);
                if zones.contains_key(&id) {
                    assert_eq!(result, Err(MemberError::Duplicate(node(id))));
                } else if points.len() + new.len() > 64 {
                    assert_eq!(result, Err(MemberError::Full));
                } else {
                    assert_eq!(result, Ok(()));
                    points.extend(new.into_iter().map(|token| (token, id)));
                    zones.insert(id, zone);
                }
            }
            assert_eq!(ring.points(), points.len());
            for _ in 0..20 {
                let spread = [60, u64::MAX][rng.below(2) as usize];
                let (token, n, k) = (rng.below(spread), rng.below(5), rng.below(5));
                let list = ring.preference_list(Token::new(token), n as usize, k as usize);
                let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect();
                let found: (Vec<u64>, Vec<u64>) = (ids(list.replicas()), ids(list.fallbacks()));
                assert_eq!(found, naive_list(&points, &zones, token, n as usize, k as usize));
            }
        }
    }
}

#[test]
fn ring_depends_on_its_members_alone() {
    type Ring = HashRing<Inline<8, 200>>;
    let members = [1, 2, 3, 4, 5].map(|id| Member::new(node(id)).with_weight(id as u16));
    let mut all = Ring::new(KeyHash::default(), 10);
    all.add_all(&members).unwrap();
    let mut other = Ring::new(KeyHash::default(), 10);
    for at in [3, 0, 4, 1] {
        other.add(members[at]).unwrap();
    }
    other.add(Member::new(node(9))).unwrap();
    other.add_all(&members[2..3]).unwrap();
    other.remove(node(9)).unwrap();
    assert_eq!(all, other);
}

/// The ways to change a placement that the properties below need.
trait Changing: Placement + Clone {
    fn add(&mut self, member: Member);
    fn remove(&mut self, id: NodeId);
    fn owners(&self, tokens: &[Token]) -> Vec<NodeId>;
}

macro_rules! changing {
    ($($placement:ty),*) => {$(
        impl Changing for $placement {
            fn add(&mut self, member: Member) {
                <$placement>::add(self, member).unwrap();
            }
            fn remove(&mut self, id: NodeId) {
                <$placement>::remove(self, id).unwrap();
            }
            fn owners(&self, tokens: &[Token]) -> Vec<NodeId> {
                tokens.iter().map(|token| self.owner(*token).unwrap()).collect()
            }
        }
    )*};
}

changing!(HashRing<Inline<64, 4096>>, Rendezvous<Inline<64>>, Jump<Inline<64, 256>>);

/// Keys move to a member that comes, and from one that goes: never between others.
fn moves_are_minimal<P: Changing>(mut placement: P, seed: u64) {
    let mut rng = Rng::new(seed);
    let tokens = tokens(&mut rng, 1_000);
    let mut members: BTreeSet<u64> = BTreeSet::new();
    for id in 1..=8 {
        placement.add(Member::new(node(id)));
        members.insert(id);
    }
    for _ in 0..60 {
        let before = placement.owners(&tokens);
        let id = 1 + rng.below(20);
        let comes = !members.contains(&id);
        if comes {
            placement.add(Member::new(node(id)).with_weight(1 + rng.below(3) as u16));
            members.insert(id);
        } else if members.len() > 1 {
            placement.remove(node(id));
            members.remove(&id);
        }
        for (old, new) in before.iter().zip(placement.owners(&tokens)) {
            let moved_by_it = if comes { new == node(id) } else { *old == node(id) };
            assert!(*old == new || moved_by_it, "{old} to {new} when {id} changed");
        }
    }
}

#[test]
fn only_keys_of_the_changed_member_move() {
    for seed in 0..4 {
        moves_are_minimal(HashRing::<Inline<64, 4096>>::new(KeyHash::new([seed, 0]), 32), seed);
        moves_are_minimal(Rendezvous::<Inline<64>>::new(KeyHash::new([seed, 0])), seed);
        moves_are_minimal(Jump::<Inline<64, 256>>::new(KeyHash::new([seed, 0])), seed);
    }
}

/// How many of so many random tokens each of the nodes has.
fn shares(placement: &impl Changing, nodes: u64, count: usize) -> Vec<u64> {
    let mut shares = vec![0; nodes as usize + 1];
    let owners = placement.owners(&tokens(&mut Rng::new(99), count));
    owners.iter().for_each(|owner| shares[owner.get() as usize] += 1);
    shares.split_off(1)
}

#[test]
fn weights_are_shares() {
    let members = [1, 2, 3].map(|id| Member::new(node(id)).with_weight(id as u16));
    let mut rendezvous = Rendezvous::<Inline<64>>::new(KeyHash::default());
    let mut jump = Jump::<Inline<64, 256>>::new(KeyHash::default());
    let mut ring = HashRing::<Inline<64, 4096>>::new(KeyHash::default(), 600);
    for member in members {
        Changing::add(&mut rendezvous, member);
        Changing::add(&mut jump, member);
        Changing::add(&mut ring, member);
    }
    // of 600,000: 100,000, 200,000 and 300,000, within 1 %, and of a ring's points within 8 %
    for (found, percent) in [
        (shares(&rendezvous, 3, 600_000), 1),
        (shares(&jump, 3, 600_000), 1),
        (shares(&ring, 3, 600_000), 8),
    ] {
        for (share, expected) in found.iter().zip([100_000_u64, 200_000, 300_000]) {
            assert!(share.abs_diff(expected) * 100 <= expected * percent, "{found:?}");
        }
    }
}

#[test]
fn weight_that_grows_only_takes() {
    let mut nodes = Rendezvous::<Inline<64>>::new(KeyHash::default());
    (1..=5).for_each(|id| Changing::add(&mut nodes, Member::new(node(id))));
    let tokens = tokens(&mut Rng::new(5), 5_000);
    let before = nodes.owners(&tokens);
    nodes.set_weight(node(2), 7).unwrap();
    for (old, new) in before.iter().zip(nodes.owners(&tokens)) {
        assert!(*old == new || new == node(2));
    }
}

#[test]
fn jump_stays_even_after_removals() {
    let mut nodes = Jump::<Inline<64, 256>>::new(KeyHash::default());
    (1..=40).for_each(|id| Changing::add(&mut nodes, Member::new(node(id))));
    let mut rng = Rng::new(2);
    let mut left: Vec<u64> = (1..=40).collect();
    while left.len() > 10 {
        let at = rng.below(left.len() as u64) as usize;
        Changing::remove(&mut nodes, node(left.remove(at)));
    }
    let shares = shares(&nodes, 40, 100_000);
    for (id, share) in (1..).zip(shares) {
        let expected = if left.contains(&id) { 9_400..=10_600 } else { 0..=0 };
        assert!(expected.contains(&share), "node {id} has {share}");
    }
}

#[test]
fn slots_match_an_array() {
    let mut rng = Rng::new(4);
    for _ in 0..6 {
        let mut slots = Slots::<Inline<5, 12>>::new();
        let mut array = vec![None; 16_384];
        for id in 1..=4 {
            slots.add(Member::new(node(id))).unwrap();
        }
        for _ in 0..40 {
            let (first, last) = (rng.below(16_384) as u16, rng.below(16_384) as u16);
            let id = 1 + rng.below(5);
            let before = slots.clone();
            let [from, to] = [first, last].map(|slot| Slot::new(slot).unwrap());
            match slots.assign(from, to, node(id)) {
                Ok(()) => {
                    assert!(first <= last);
                    array[usize::from(first)..=usize::from(last)].fill(Some(node(id)));
                }
                Err(MemberError::EmptyRange) => assert!(last < first && slots == before),
                Err(MemberError::Unknown(_)) => assert_eq!((id, &slots), (5, &before)),
                Err(error) => {
                    assert_eq!(error, MemberError::Full);
                    assert_eq!(slots, before);
                }
            }
            for (slot, owner) in (0..).zip(&array).step_by(61) {
                assert_eq!(slots.owner(Slot::new(slot).unwrap()), *owner);
            }
            for id in 1..=4 {
                let count = array.iter().filter(|owner| **owner == Some(node(id))).count();
                assert_eq!(slots.count(node(id)), count);
            }
        }
    }
}

#[test]
fn readers_find_what_spilled() {
    let mut rng = Rng::new(6);
    for round in 0..50 {
        let mut ring = HashRing::<Inline<64, 4096>>::new(KeyHash::new([round, 0]), 8);
        let members = 1 + rng.below(8);
        (1..=members).for_each(|id| Changing::add(&mut ring, Member::new(node(id))));
        let keys = 50;
        let mut bounded = Bounded::new(ring, LoadFactor::new(5, 4).unwrap(), keys);
        let mut placed = Vec::new();
        for _ in 0..200 {
            if placed.len() as u64 == keys || (!placed.is_empty() && rng.chance(1, 4)) {
                let at = rng.below(placed.len() as u64) as usize;
                let (_, node) = placed.swap_remove(at);
                bounded.release(node);
            } else {
                let token = Token::new(rng.next_u64());
                placed.push((token, bounded.place(token).unwrap()));
            }
            for (token, node) in &placed {
                assert!(bounded.chain(*token).any(|asked| asked == *node));
            }
            let loads = (1..=members).map(|id| bounded.keys_of(node(id)).unwrap());
            assert_eq!(loads.clone().sum::<u64>(), placed.len() as u64);
            assert!(loads.max().unwrap() <= bounded.capacity());
        }
    }
}
