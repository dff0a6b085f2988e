//! The examples with numbers that can be worked out by hand, or that other implementations publish.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use quorate_core::NodeId;
use quorate_ring::pbs::{Fraction, stale_by, stale_read};
use quorate_ring::{
    Bounded, HashRing, Inline, KeyHash, LoadFactor, Member, Modulo, Placement, PreferenceList,
    Slot, Slots, Token, Zone, hash_tag, jump,
};

type Ring = HashRing<Inline<8, 16>>;

const A: NodeId = NodeId::new(1);
const B: NodeId = NodeId::new(2);
const C: NodeId = NodeId::new(3);
const D: NodeId = NodeId::new(4);
const E: NodeId = NodeId::new(5);

/// A ring with points where they are said to be.
pub(crate) fn ring(members: &[(NodeId, u16, &[u64])]) -> Ring {
    let mut ring = Ring::new(KeyHash::default(), 1);
    for (node, zone, tokens) in members {
        let tokens: Vec<Token> = tokens.iter().copied().map(Token::new).collect();
        ring.add_at(Member::new(*node).in_zone(Zone::new(*zone)), &tokens).unwrap();
    }
    ring
}

fn nodes(list: &PreferenceList) -> String {
    list.replicas().iter().map(|node| ['?', 'A', 'B', 'C', 'D', 'E'][node.get() as usize]).collect()
}

fn lists(ring: &Ring, replicas: usize, tokens: &[u64]) -> Vec<String> {
    tokens.iter().map(|token| nodes(&ring.replicas(Token::new(*token), replicas))).collect()
}

#[test]
fn key_belongs_to_the_first_point_at_or_after_it() {
    let mut circle = ring(&[(A, 0, &[90]), (B, 0, &[180]), (C, 0, &[270]), (D, 0, &[359])]);
    let owners = |ring: &Ring, range: core::ops::Range<u64>| -> Vec<NodeId> {
        range.map(|token| ring.owner(Token::new(token)).unwrap()).collect()
    };
    let asked = [0, 90, 91, 180, 181, 300, 359];
    let found = asked.map(|token| circle.owner(Token::new(token)).unwrap());
    assert_eq!(found, [A, A, B, B, C, D, D]);
    let before = owners(&circle, 0..360);
    // who comes takes 91 to 135 from B, and nothing else moves
    let mut joined = circle.clone();
    joined.add_at(Member::new(E), &[Token::new(135)]).unwrap();
    for (token, (old, new)) in before.iter().zip(owners(&joined, 0..360)).enumerate() {
        let moved = (91..=135).contains(&token);
        assert_eq!((*old, new), if moved { (B, E) } else { (*old, *old) }, "{token}");
    }
    // who goes leaves 181 to 270 to D
    circle.remove(C).unwrap();
    for (token, (old, new)) in before.iter().zip(owners(&circle, 0..360)).enumerate() {
        let moved = (181..=270).contains(&token);
        assert_eq!((*old, new), if moved { (C, D) } else { (*old, *old) }, "{token}");
    }
}

#[test]
fn full_members_spill_clockwise() {
    let circle = ring(&[(A, 0, &[90]), (B, 0, &[180]), (C, 0, &[270]), (D, 0, &[359])]);
    let mut bounded = Bounded::new(circle, LoadFactor::new(5, 4).unwrap(), 8);
    assert_eq!(bounded.capacity(), 3);
    let keys = [10, 20, 30, 40, 50, 60, 100, 200].map(Token::new);
    let placed = keys.map(|key| bounded.place(key).unwrap());
    assert_eq!(placed, [A, A, A, B, B, B, C, C]);
    // each reader that goes the same way finds each of them
    for (key, node) in keys.into_iter().zip(placed) {
        assert!(bounded.chain(key).any(|asked| asked == node), "{key}");
    }
    let chain = |token| bounded.chain(Token::new(token)).collect::<Vec<_>>();
    assert_eq!(
        (chain(10), chain(100), chain(200), chain(300)),
        (vec![A, B, C], vec![B, C], vec![C], vec![D])
    );
}

#[test]
fn modulo_moves_nearly_everything() {
    for (members, period, moved) in [(4, 20, 16), (3, 12, 9), (10, 110, 100)] {
        let mut nodes = Modulo::<Inline<11>>::new(KeyHash::default());
        (1..=members).for_each(|id| nodes.add(Member::new(NodeId::new(id))).unwrap());
        let owners = |nodes: &Modulo<_>| -> Vec<_> {
            (0..period).map(|token| nodes.owner(Token::new(token))).collect()
        };
        let before = owners(&nodes);
        nodes.add(Member::new(NodeId::new(members + 1))).unwrap();
        let changed = before.iter().zip(owners(&nodes)).filter(|(old, new)| **old != *new);
        assert_eq!(changed.count(), moved, "{members}");
    }
}

const SIX: [(NodeId, u16, &[u64]); 3] = [(A, 0, &[10, 40]), (B, 0, &[25, 70]), (C, 0, &[55, 85])];

#[test]
fn preference_list_has_distinct_nodes() {
    let ring = ring(&SIX);
    let asked = [5, 10, 11, 30, 60, 90];
    assert_eq!(lists(&ring, 3, &asked), ["ABC", "ABC", "BAC", "ACB", "BCA", "ABC"]);
    assert_eq!(lists(&ring, 5, &asked), lists(&ring, 3, &asked), "there are three");
    let mut shares = [0; 3];
    for token in 0..100 {
        shares[ring.owner(Token::new(token)).unwrap().get() as usize - 1] += 1;
    }
    assert_eq!(shares, [40, 30, 30]);
}

#[test]
fn replicas_are_spread_over_racks() {
    let racks = [(A, 1, SIX[0].2), (B, 1, SIX[1].2), (C, 2, SIX[2].2)];
    assert_eq!(lists(&ring(&racks), 2, &[5, 11, 30, 60, 90]), ["AC", "BC", "AC", "BC", "AC"]);
}

#[test]
fn equal_tokens_are_in_the_order_of_the_nodes() {
    let mut ring = ring(&[(B, 0, &[20]), (A, 0, &[20]), (C, 0, &[50])]);
    assert_eq!(lists(&ring, 3, &[15]), ["ABC"]);
    ring.remove(A).unwrap();
    assert_eq!(lists(&ring, 3, &[15]), ["BC"]);
}

#[test]
fn slots_are_divided_as_redis_cli_does() {
    for (members, expected) in
        [(3, &[5461, 5462, 5461][..]), (5, &[3277, 3277, 3276, 3277, 3277]), (1, &[16_384])]
    {
        let members: Vec<_> = (1..=members).map(|id| Member::new(NodeId::new(id))).collect();
        let slots = Slots::<Inline<5, 5>>::even(&members).unwrap();
        let counts: Vec<_> = members.iter().map(|member| slots.count(member.id)).collect();
        assert_eq!(counts, expected);
    }
}

#[test]
fn slots_of_keys_are_those_of_redis() {
    // the check value of CRC-16/XMODEM, which is below 16,384
    assert_eq!(Slot::of(b"123456789").get(), 0x31c3);
    for (key, slot) in [
        (&b"foo"[..], 12_182),
        (b"bar", 5_061),
        (b"{user1000}.x", 3_443),
        (b"foo{}{bar}", 8_363),
        (b"foo{{bar}}zap", 4_015),
        (b"foo{bar}{zap}", 5_061),
    ] {
        assert_eq!(Slot::of(key).get(), slot, "{}", String::from_utf8_lossy(key));
    }
    assert_eq!(hash_tag(b"foo{bar"), b"foo{bar");
}

#[test]
fn jump_is_that_of_the_paper() {
    let expected = [0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83];
    let found: Vec<_> = (0..20).map(|key| jump(key, 100).unwrap()).collect();
    assert_eq!(found, expected);
    // those that Guava publishes
    for (key, buckets, bucket) in [
        (10_863_919_174_838_991, 11, 6),
        (2_016_238_256_797_177_309, 11, 3),
        (1_673_758_223_894_951_030, 11, 5),
        (2, 100_001, 80_343),
        (2_201, 100_001, 22_152),
        (2_202, 100_001, 15_018),
    ] {
        assert_eq!(jump(key, buckets), Some(bucket), "{key}");
    }
}

#[test]
fn stale_reads_are_as_likely_as_the_paper_says() {
    for (n, r, w, p) in [
        (3, 1, 1, (2, 3)),
        (3, 1, 2, (1, 3)),
        (3, 2, 2, (0, 1)),
        (5, 1, 1, (4, 5)),
        (5, 1, 3, (2, 5)),
        (5, 2, 2, (3, 10)),
        (5, 2, 3, (1, 10)),
    ] {
        assert_eq!(stale_read(n, r, w).ok(), Fraction::new(p.0, p.1), "{n} {r} {w}");
    }
    assert_eq!(stale_by(5, 2, 2, 2).ok(), Fraction::new(9, 100));
}
