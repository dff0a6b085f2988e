//! Jump hashing with zones of few buckets, its state through serde, and its equality.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{NodeId, Rng};
use quorate_ring::{Heap, Jump, KeyHash, Member, Placement, Token, Zone};

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

/// Many members in one zone and few in another.
fn skewed(many: u64, weight: u16, few: u64) -> Jump<Heap> {
    let mut nodes = Jump::new(KeyHash::default());
    for id in 1..=many + few {
        let member = Member::new(node(id));
        let rare = member.in_zone(Zone::new(1));
        nodes.add(if id > many { rare } else { member.with_weight(weight) }).unwrap();
    }
    nodes
}

#[test]
fn rare_zone_has_its_replicas_on_all_its_nodes() {
    let check = |nodes: &Jump<Heap>, few: u64| {
        let rare: BTreeSet<_> =
            nodes.members().filter(|(_, zone)| zone.get() == 1).map(|(node, _)| node).collect();
        let mut rng = Rng::new(6);
        let mut held = BTreeMap::<NodeId, u64>::new();
        let keys = 400 * few;
        for _ in 0..keys {
            let list = nodes.replicas(Token::new(rng.next_u64()), 2);
            let mut found = list.replicas().iter().filter(|node| rare.contains(node));
            *held.entry(*found.next().unwrap()).or_default() += 1;
        }
        assert_eq!((held.len() as u64, held.values().sum()), (few, keys));
        // one of them had 2,300 of 4,000 when the last pass began at the same bucket for all keys
        let (least, most) = (held.values().min().unwrap(), held.values().max().unwrap());
        assert!(*least >= 300 && *most <= 500, "{held:?}");
    };
    for (many, weight, few) in [(1_000, 1, 10), (200, 1, 4), (3, 200, 3)] {
        let mut nodes = skewed(many, weight, few);
        check(&nodes, few);
        // with buckets that nobody has, anywhere, and more of the zone among the others
        for id in (1..many).step_by(3) {
            nodes.remove(node(id)).unwrap();
        }
        check(&nodes, few);
        nodes.add(Member::new(node(9_999)).in_zone(Zone::new(1))).unwrap();
        check(&nodes, few + 1);
    }
}

/// How many of the replicas that change a node when one comes go from an old one to an old one, in percent.
fn between_old_nodes(members: u64, zones: u64, replicas: usize) -> usize {
    let mut before = Jump::<Heap>::new(KeyHash::default());
    let member = |id: u64| Member::new(node(id)).in_zone(Zone::new((id % zones) as u16));
    (1..=members).for_each(|id| before.add(member(id)).unwrap());
    let mut after = before.clone();
    after.add(member(members + 1)).unwrap();
    let mut rng = Rng::new(7);
    let (mut all, mut old) = (0, 0);
    for _ in 0..5_000 {
        let at = Token::new(rng.next_u64());
        let [before, after] = [&before, &after].map(|nodes| nodes.replicas(at, replicas));
        let new = after.replicas().iter().filter(|node| !before.replicas().contains(node));
        for id in new {
            all += 1;
            old += usize::from(*id != node(members + 1));
        }
    }
    old * 100 / all
}

#[test]
fn few_copies_of_further_replicas_go_to_old_members() {
    let found = [(50, 1, 3), (9, 1, 3), (50, 3, 3), (20, 10, 8)]
        .map(|(members, zones, replicas)| between_old_nodes(members, zones, replicas));
    assert!(found[..2].iter().all(|percent| *percent < 10), "{found:?}");
    assert!(found[2..].iter().all(|percent| (10..45).contains(percent)), "{found:?}");
}

#[test]
fn equal_answers_are_equal_values() {
    let of = |id| {
        let mut nodes = Jump::<Heap>::new(KeyHash::default());
        for id in [1, id, 3] {
            nodes.add(Member::new(node(id)).in_zone(Zone::new(id as u16))).unwrap();
        }
        nodes.remove(node(id)).unwrap();
        nodes
    };
    // whose the bucket was is forgotten
    assert_eq!(of(2), of(4));
    assert_eq!(of(2).fingerprint(), of(4).fingerprint());
}

#[cfg(feature = "serde")]
mod serde_form {
    use super::node;
    use proptest::prelude::*;
    use quorate_core::Rng;
    use quorate_ring::{Inline, Jump, KeyHash, Member, Placement, Zone};

    type Nodes = Jump<Inline<0, 12>>;

    fn read(bytes: &[u8]) -> Option<Nodes> {
        let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(value)
    }

    fn change(nodes: &mut Nodes, rng: &mut Rng) {
        let id = 1 + rng.below(6);
        let member = Member::new(node(id)).with_weight(1 + rng.below(3) as u16);
        let _ = match rng.below(2) {
            0 => nodes.add(member.in_zone(Zone::new((id % 3) as u16))),
            _ => nodes.remove(node(id)),
        };
    }

    #[test]
    fn node_that_joins_gets_the_state() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let mut nodes = Nodes::new(KeyHash::new([seed, 1]));
            for _ in 0..30 {
                change(&mut nodes, &mut rng);
                let bytes = postcard::to_allocvec(&nodes).unwrap();
                let mut copy = read(&bytes).unwrap();
                assert_eq!(copy, nodes);
                // and it goes on in the same way
                let mut same = rng.clone();
                change(&mut copy, &mut same);
                change(&mut nodes, &mut rng);
                assert_eq!((copy.zones(), &copy), (nodes.zones(), &nodes));
            }
        }
    }

    #[test]
    fn state_that_no_changes_lead_to_is_refused() {
        // the hash, three buckets: of node 1 in zone 0, marked when 2 were left, of node 3; the last that was marked
        let sound = [0, 0, 3, 0, 1, 0, 1, 2, 0, 0, 3, 0, 1, 1];
        assert!(read(&sound).is_some());
        let wrong: [&[u8]; 8] = [
            &[0, 0, 3, 0, 1, 0, 1, 1, 0, 0, 3, 0, 1, 1], // fewer were left
            &[0, 0, 3, 0, 1, 0, 1, 2, 0, 0, 3, 0, 1, 0], // the last that was marked is not
            &[0, 0, 3, 0, 1, 0, 1, 2, 0, 0, 3, 0, 1, 7], // nor is one that is not there
            &[0, 0, 3, 0, 1, 0, 1, 2, 0, 0, 3, 0, 0],    // a mark that is not in the chain
            &[0, 0, 3, 0, 1, 0, 1, 2, 1, 1, 0, 3, 0, 1, 1], // a chain without an end
            &[0, 0, 3, 0, 1, 0, 0, 3, 0, 1, 2, 0, 1, 2], // the bucket at the end is not marked first
            &[0, 0, 3, 0, 1, 0, 1, 2, 0, 0, 1, 1, 1, 1], // a node in two zones
            &[0, 0, 1, 1, 0, 0, 1, 0],                   // nobody is left
        ];
        for bytes in wrong {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        // more buckets than a weight can say
        let many = |buckets: u32| {
            let bucket = [0, 1, 0].into_iter();
            let mut bytes = postcard::to_allocvec(&(0_u8, 0_u8, buckets)).unwrap();
            bytes.extend((0..buckets).flat_map(|_| bucket.clone()));
            bytes.push(0);
            postcard::from_bytes::<Jump<quorate_ring::Heap>>(&bytes).is_ok()
        };
        assert!(many(3) && !many(65_536));
    }

    proptest! {
        #[test]
        fn hostile_state_is_refused_or_answers(
            input in prop::collection::vec(prop_oneof![8 => 0u8..4, 1 => any::<u8>()], 0..30),
        ) {
            if let Some(nodes) = read(&input) {
                let at = nodes.position(b"key");
                prop_assert_eq!(nodes.owner(at).is_some(), nodes.buckets() > 0);
                let mut left = nodes.clone();
                for (id, _) in nodes.members() {
                    let _ = left.remove(id);
                    prop_assert_eq!(left.owner(at).is_some(), left.buckets() > 0);
                }
                prop_assert_eq!(left, Nodes::new(nodes_hash(&input)));
            }
        }
    }

    /// The hash at the beginning of a state.
    fn nodes_hash(input: &[u8]) -> KeyHash {
        postcard::take_from_bytes(input).unwrap().0
    }
}
