//! What placements refuse, and that it changes nothing; and inputs at the limits of what they take.
#![allow(clippy::unwrap_used)]

use core::fmt::Debug;
use std::collections::BTreeSet;

use quorate_core::{Full, NodeId, Rng};
use quorate_ring::pbs::{Fraction, PbsError, stale_by, stale_read};
use quorate_ring::ranges::{self, RangeError, Ranges, SplitFinder};
use quorate_ring::{
    Bounded, Divided, HashRing, Heap, Inline, Jump, KeyHash, LoadFactor, MAX_POINTS,
    MAX_PREFERENCE, Member, MemberError, Modulo, Move, Partitions, PartitionsError, Placement,
    Plan, PlanError, PreferenceList, Rendezvous, SLOTS, Slot, Slots, Token, Zone, jump,
};

const HASH: KeyHash = KeyHash::new([3, 4]);

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

const fn member(id: u64) -> Member {
    Member::new(node(id))
}

/// The change is refused with this error, and the placement is what it was.
fn refused<P: Clone + PartialEq + Debug, E: PartialEq + Debug>(
    placement: &mut P,
    error: E,
    change: impl FnOnce(&mut P) -> Result<(), E>,
) {
    let before = placement.clone();
    assert_eq!(change(placement), Err(error));
    assert_eq!(*placement, before);
}

/// What all placements with members refuse: `full` has room for no other.
macro_rules! refuses {
    ($full:expr, $known:expr) => {{
        let (mut full, known) = ($full, member($known));
        assert!(full.zones() > 0);
        refused(&mut full, MemberError::ZeroWeight, |full| full.add(member(99).with_weight(0)));
        refused(&mut full, MemberError::ZeroWeight, |full| full.add(known.with_weight(0)));
        refused(&mut full, MemberError::Unknown(node(99)), |full| full.remove(node(99)));
        refused(&mut full, MemberError::Full, |full| full.add(member(99)));
        refused(&mut full, MemberError::Full, |full| full.add(member(0)));
        // there is room again, and then once more none
        full.remove(known.id).unwrap();
        refused(&mut full, MemberError::Unknown(known.id), |full| full.remove(known.id));
        full.add(known).unwrap();
        refused(&mut full, MemberError::Full, |full| full.add(member(99)));
        refused(&mut full, MemberError::Duplicate(known.id), |full| full.add(known));
        full
    }};
}

/// And of a node that it has already.
macro_rules! refuses_a_duplicate {
    ($roomy:expr, $known:expr) => {{
        let (mut roomy, known) = ($roomy, member($known));
        let error = MemberError::Duplicate(known.id);
        refused(&mut roomy, error, |roomy| roomy.add(known));
        refused(&mut roomy, error, |roomy| roomy.add(known.in_zone(Zone::new(9)).with_weight(2)));
    }};
}

macro_rules! with {
    ($placement:expr, $ids:expr) => {{
        let mut placement = $placement;
        for id in $ids {
            placement.add(member(id)).unwrap();
        }
        placement
    }};
}

#[test]
fn refused_members_change_nothing() {
    let ids = [5, 2, 7];
    refuses!(with!(HashRing::<Inline<3, 12>>::new(HASH, 4), ids), 5);
    refuses!(with!(HashRing::<Inline<9, 12>>::new(HASH, 4), ids), 5);
    refuses!(with!(HashRing::<Inline<3, 99>>::new(HASH, 4), ids), 5);
    refuses!(with!(HashRing::<Heap>::with_limits(HASH, 4, 3, 99), ids), 7);
    refuses!(with!(HashRing::<Heap>::with_limits(HASH, 4, 9, 12), ids), 2);
    refuses!(with!(Rendezvous::<Inline<3>>::new(HASH), ids), 5);
    refuses!(with!(Rendezvous::<Heap>::with_limit(HASH, 3), ids), 2);
    refuses!(with!(Jump::<Inline<3, 3>>::new(HASH), ids), 7);
    refuses!(with!(Jump::<Heap>::with_limit(HASH, 3), ids), 5);
    refuses!(with!(Modulo::<Inline<3>>::new(HASH), ids), 5);
    let mut slots = with!(Slots::<Inline<3, 4>>::new(), ids);
    slots.assign(Slot::MIN, Slot::MAX, node(2)).unwrap();
    refuses!(slots, 5);
    refuses_a_duplicate!(with!(HashRing::<Heap>::new(HASH, 4), ids), 5);
    refuses_a_duplicate!(with!(Rendezvous::<Heap>::new(HASH), ids), 2);
    refuses_a_duplicate!(with!(Jump::<Heap>::new(HASH), ids), 7);
    refuses_a_duplicate!(with!(Modulo::<Heap>::new(HASH), ids), 5);
    refuses_a_duplicate!(with!(Slots::<Heap>::new(), ids), 5);
}

#[test]
fn refused_members_of_a_ring_change_nothing() {
    let mut ring = with!(HashRing::<Inline<4, 40>>::new(HASH, 10), [1, 2]);
    let tokens = [Token::new(1); 21];
    refused(&mut ring, MemberError::Full, |ring| ring.add(member(3).with_weight(3)));
    refused(&mut ring, MemberError::Full, |ring| ring.add_at(member(3), &tokens));
    refused(&mut ring, MemberError::Points, |ring| ring.add_at(member(3), &[]));
    refused(&mut ring, MemberError::ZeroWeight, |ring| {
        ring.add_at(member(3).with_weight(0), &tokens[..1])
    });
    refused(&mut ring, MemberError::Duplicate(node(1)), |ring| {
        ring.add_at(member(1), &tokens[..1])
    });
    // of several, the last cannot come: none does
    let full = [member(3), member(4), member(5)];
    refused(&mut ring, MemberError::Full, |ring| ring.add_all(&full));
    let twice = [member(3), member(2)];
    refused(&mut ring, MemberError::Duplicate(node(2)), |ring| ring.add_all(&twice));
    refused(&mut ring, MemberError::Duplicate(node(4)), |ring| ring.add_all(&[member(4); 2]));
    refused(&mut ring, MemberError::ZeroWeight, |ring| {
        ring.add_all(&[member(3), member(4).with_weight(0)])
    });
    ring.add_at(member(3), &tokens[..20]).unwrap();
    // nor into one without members
    let mut empty = HashRing::<Inline<4, 40>>::new(HASH, 10);
    let five = [1, 2, 3, 4, 5].map(member);
    refused(&mut empty, MemberError::Full, |ring| ring.add_all(&five));
    refused(&mut empty, MemberError::Full, |ring| ring.add_all(&[member(1).with_weight(5)]));
    refused(&mut empty, MemberError::Duplicate(node(1)), |ring| ring.add_all(&[member(1); 2]));
    refused(&mut empty, MemberError::ZeroWeight, |ring| {
        ring.add_all(&[member(1), member(2).with_weight(0)])
    });
    refused(&mut empty, MemberError::Points, |ring| {
        ring.add_all(&[member(1), member(2).with_weight(u16::MAX)])
    });
    empty.add_all(&five[..4]).unwrap();
}

#[test]
fn number_of_points_has_bounds() {
    let mut none = HashRing::<Heap>::new(HASH, 0);
    refused(&mut none, MemberError::Points, |ring| ring.add(member(1)));
    refused(&mut none, MemberError::Points, |ring| ring.add_all(&[member(1)]));
    for (points, weight) in [(u16::MAX, 2), (2, 32_768), (256, 256), (u16::MAX, u16::MAX)] {
        let mut ring = HashRing::<Heap>::new(HASH, points);
        refused(&mut ring, MemberError::Points, |ring| ring.add(member(1).with_weight(weight)));
        refused(&mut ring, MemberError::Points, |ring| {
            ring.add_all(&[member(1).with_weight(weight)])
        });
    }
    let mut most = HashRing::<Heap>::new(HASH, 1);
    most.add(member(1).with_weight(u16::MAX)).unwrap();
    assert_eq!(most.points(), MAX_POINTS);
    let tokens = vec![Token::MIN; MAX_POINTS + 1];
    refused(&mut most, MemberError::Points, |ring| ring.add_at(member(2), &tokens));
    refused(&mut most, MemberError::ZeroWeight, |ring| ring.add(member(2).with_weight(0)));
    most.add_at(member(2), &tokens[1..]).unwrap();
    assert_eq!(most.points(), 2 * MAX_POINTS);
}

#[test]
fn ring_on_the_heap_has_at_most_65_535_members() {
    let many: Vec<_> = (0..70_000).map(member).collect();
    for limit in [usize::from(u16::MAX), 70_000, usize::MAX] {
        let mut ring = HashRing::<Heap>::with_limits(HASH, 1, limit, usize::MAX);
        refused(&mut ring, MemberError::Full, |ring| ring.add_all(&many));
    }
    let mut ring = HashRing::<Heap>::new(HASH, 1);
    ring.add_all(&many[1..=65_535]).unwrap();
    assert_eq!(ring.add(many[0]), Err(MemberError::Full));
    assert_eq!(ring.add(many[65_536]), Err(MemberError::Full));
    assert_eq!((ring.members().len(), ring.points()), (65_535, 65_535));
    let owners: BTreeSet<_> = ring.walk(Token::MIN).collect();
    assert_eq!(owners.len(), 65_535, "each has its own place");
    ring.remove(node(65_535)).unwrap();
    ring.add(many[0]).unwrap();
    assert_eq!(ring.walk(Token::MIN).collect::<BTreeSet<_>>().len(), 65_535);
}

#[test]
fn refused_weights_change_nothing() {
    let mut nodes = with!(Rendezvous::<Heap>::new(HASH), [1, 2]);
    refused(&mut nodes, MemberError::ZeroWeight, |nodes| nodes.set_weight(node(1), 0));
    refused(&mut nodes, MemberError::Unknown(node(3)), |nodes| nodes.set_weight(node(3), 2));
    let mut buckets = with!(Jump::<Inline<4, 4>>::new(HASH), [1, 2]);
    refused(&mut buckets, MemberError::Full, |nodes| nodes.add(member(3).with_weight(3)));
    // those that were left have room for as many
    buckets.remove(node(1)).unwrap();
    refused(&mut buckets, MemberError::Full, |nodes| nodes.add(member(3).with_weight(4)));
    buckets.add(member(3).with_weight(3)).unwrap();
    assert_eq!(buckets.buckets(), 4);
}

#[test]
fn placement_without_nodes_has_no_owner() {
    fn check<P: Placement>(placement: &P, key: &[u8]) {
        let at = placement.position(key);
        assert_eq!(placement.owner(at), None);
        assert_eq!(placement.walk(at).count(), 0);
        assert_eq!(
            placement.preference_list(at, usize::MAX, usize::MAX),
            PreferenceList::default()
        );
        assert_eq!(placement.zones(), 0);
    }
    for key in [&b""[..], b"key"] {
        check(&HashRing::<Heap>::new(HASH, 4), key);
        check(&HashRing::<Inline<0, 0>>::new(HASH, 4), key);
        check(&Rendezvous::<Heap>::new(HASH), key);
        check(&Jump::<Heap>::new(HASH), key);
        check(&Modulo::<Inline<0>>::new(HASH), key);
        check(&Slots::<Heap>::new(), key);
        check(&Partitions::new(Jump::<Heap>::new(HASH), 0).unwrap(), key);
        check(&Partitions::new(Modulo::<Heap>::new(HASH), 32).unwrap(), key);
        // the last has gone
        let mut ring = with!(HashRing::<Heap>::new(HASH, 4), [1]);
        ring.remove(node(1)).unwrap();
        check(&ring, key);
        let mut nodes = with!(Jump::<Heap>::new(HASH), [1, 2, 3]);
        [2, 3, 1].into_iter().for_each(|id| nodes.remove(node(id)).unwrap());
        check(&nodes, key);
        assert_eq!(nodes, Jump::new(HASH));
    }
    let mut bounded = Bounded::new(HashRing::<Heap>::new(HASH, 4), LoadFactor::default(), 9);
    let before = bounded.clone();
    assert_eq!((bounded.capacity(), bounded.place(Token::MIN)), (0, Err(Full)));
    bounded.release(node(1));
    assert_eq!(bounded.chain(Token::MIN).count(), 0);
    assert_eq!((bounded.keys_of(node(1)), &bounded), (None, &before));
}

#[test]
fn no_replicas_are_an_empty_list() {
    let ring = with!(HashRing::<Heap>::new(HASH, 4), [1, 2, 3]);
    let list = ring.preference_list(Token::MIN, 0, 2);
    assert_eq!((list.replicas().len(), list.fallbacks().len(), list.owner()), (0, 2, None));
    assert_eq!(Plan::new(&ring, &HashRing::new(HASH, 4), 0).err(), Some(PlanError::NoReplicas));
}

#[test]
fn placements_of_another_hash_key_have_no_plan() {
    fn check<P: Divided>(one: &P, other: &P) {
        assert_eq!(Plan::new(one, other, 1).err(), Some(PlanError::DifferentPositions));
        assert!(Plan::new(one, one, 1).is_ok());
    }
    let [one, other] = [HASH, KeyHash::new([8, 9])].map(|hash| {
        let parts = Partitions::new(with!(Rendezvous::<Heap>::new(hash), [1, 2]), 4).unwrap();
        (with!(HashRing::<Heap>::new(hash, 4), [1, 2]), parts)
    });
    check(&one.0, &other.0);
    check(&one.1, &other.1);
}

#[test]
fn keys_may_be_empty_or_megabytes_long() {
    fn check<P: Placement>(placement: &P) {
        let mut long = vec![7; 3 << 20];
        for key in [&b""[..], b"\0", &long] {
            assert!(placement.owner(placement.position(key)).is_some());
        }
        let before = format!("{:?}", placement.position(&long));
        *long.last_mut().unwrap() = 8;
        assert_ne!(before, format!("{:?}", placement.position(&long)), "all of it counts");
    }
    check(&with!(HashRing::<Heap>::new(HASH, 4), [1, 2]));
    check(&with!(Rendezvous::<Heap>::new(HASH), [1, 2]));
    check(&with!(Jump::<Heap>::new(HASH), [1, 2]));
    check(&with!(Modulo::<Heap>::new(HASH), [1, 2]));
    check(&Slots::<Heap>::even(&[member(1), member(2)]).unwrap());
    let mut ranges = Ranges::<ranges::Inline<3, 4, 1>>::new(&[node(1)]).unwrap();
    ranges.split(&[7; 4]).unwrap();
    ranges.assign(&[7; 4], &[node(2)]).unwrap();
    let long = vec![7; 3 << 20];
    assert_eq!([&b""[..], &[7; 3], &long].map(|key| ranges.owner(key).unwrap().get()), [1, 1, 2]);
    refused(&mut ranges, RangeError::KeyTooLong, |ranges| ranges.split(&long));
    refused(&mut ranges, RangeError::NotABoundary, |ranges| ranges.merge(&long));
    refused(&mut ranges, RangeError::NotABoundary, |ranges| ranges.assign(&long, &[node(1)]));
}

#[test]
fn points_with_one_token_are_walked_once() {
    for at in [0, 5, u64::MAX].map(Token::new) {
        let mut ring = HashRing::<Heap>::new(HASH, 1);
        for id in (1..=70).rev() {
            ring.add_at(member(id), &[at; 3]).unwrap();
        }
        for token in [0, 5, 6, u64::MAX].map(Token::new) {
            assert_eq!(ring.walk(token).count(), 210);
            let list = ring.preference_list(token, 3, 4);
            assert_eq!(list.nodes(), [1, 2, 3, 4, 5, 6, 7].map(node));
        }
        let mut new = ring.clone();
        new.remove(node(2)).unwrap();
        let moves: Vec<_> = Plan::new(&ring, &new, 2).unwrap().moves().collect();
        assert!(matches!(
            moves[..],
            [Move::Copy { from: Some(from), to, range }, Move::Drop { from: dropped, .. }]
                if (from, to, dropped) == (node(2), node(3), node(2)) && range.len() == 1 << 64
        ));
    }
}

#[test]
fn list_is_never_longer_than_its_limit() {
    let mut nodes = Rendezvous::<Heap>::new(HASH);
    (0..50).for_each(|id| nodes.add(member(id).in_zone(Zone::new(id as u16))).unwrap());
    for (replicas, fallbacks) in [(33, 0), (usize::MAX, usize::MAX), (10, 40), (32, 1), (0, 99)] {
        let list = nodes.preference_list(Token::new(1), replicas, fallbacks);
        assert_eq!(list.nodes().len(), MAX_PREFERENCE);
        assert_eq!(list.replicas().len(), replicas.min(MAX_PREFERENCE));
        assert_eq!(list.nodes().iter().collect::<BTreeSet<_>>().len(), MAX_PREFERENCE);
    }
}

#[test]
fn list_at_its_limit_is_spread_over_zones_too() {
    // 40 nodes in one zone come before the only one of another
    let walk = || (0..40).map(|id| (node(id), Zone::new(1))).chain([(node(99), Zone::new(2))]);
    for replicas in [2, 32, 33, 40, 41, usize::MAX] {
        let list = PreferenceList::select(walk, 2, replicas, 0);
        assert!(list.replicas().contains(&node(99)), "{replicas}");
        assert_eq!(list.replicas().len(), replicas.min(MAX_PREFERENCE));
    }
}

#[test]
fn there_may_be_more_zones_than_replicas() {
    let mut rng = Rng::new(8);
    let mut ring = HashRing::<Heap>::new(HASH, 4);
    let zone = |id: u64| Zone::new((id % 45) as u16);
    (0..90).for_each(|id| ring.add(member(id).in_zone(zone(id))).unwrap());
    for replicas in [2, 31, 32, 33, 45, 90] {
        for _ in 0..10 {
            let list = ring.replicas(Token::new(rng.next_u64()), replicas);
            let zones: BTreeSet<_> = list.replicas().iter().map(|node| zone(node.get())).collect();
            assert_eq!(zones.len(), replicas.min(MAX_PREFERENCE));
        }
    }
}

#[test]
fn loads_and_keys_have_bounds() {
    for (numerator, denominator) in [(0, 0), (1, 0), (0, 1), (3, 4), (u32::MAX - 1, u32::MAX)] {
        assert_eq!(LoadFactor::new(numerator, denominator), None);
    }
    let ring = with!(HashRing::<Heap>::new(HASH, 4), [1, 2, 3]);
    let most = LoadFactor::new(u32::MAX, 1).unwrap();
    assert_eq!(Bounded::new(ring.clone(), most, u64::MAX).capacity(), u64::MAX);
    assert_eq!(
        Bounded::new(ring.clone(), LoadFactor::new(1, 1).unwrap(), u64::MAX).capacity(),
        u64::MAX / 3
    );
    let mut none = Bounded::new(ring.clone(), LoadFactor::default(), 0);
    assert_eq!((none.capacity(), none.place(Token::MIN)), (0, Err(Full)));
    // one more than was announced
    let mut bounded = Bounded::new(ring, LoadFactor::new(1, 1).unwrap(), 5);
    assert_eq!(bounded.capacity(), 2);
    let placed = (0..6).filter(|_| bounded.place(Token::MIN).is_ok()).count();
    assert_eq!((placed, bounded.place(Token::MIN)), (6, Err(Full)));
    // no mark is made for a key that nobody took
    let mut full = Bounded::new(bounded.ring().clone(), LoadFactor::new(1, 1).unwrap(), 3);
    for id in 1..=3 {
        full.restore(node(id), 1, false).unwrap();
    }
    refused(&mut full, Full, |full| full.place(Token::MIN).map(drop));
    assert_eq!(full.chain(Token::MIN).count(), 1);
    refused(&mut full, MemberError::Full, |full| full.restore(node(1), 2, true));
    refused(&mut full, MemberError::Unknown(node(9)), |full| full.restore(node(9), 0, true));
    assert!(!full.has_spilled(node(9)));
    // a node that has none, and one that is no member
    let before = bounded.clone();
    bounded.release(node(9));
    assert_eq!(bounded, before);
    (0..9).for_each(|_| bounded.release(node(1)));
    assert_eq!(bounded.keys_of(node(1)), Some(0));
    bounded.reset();
    assert_eq!(bounded, Bounded::new(bounded.ring().clone(), LoadFactor::new(1, 1).unwrap(), 5));
}

#[test]
fn refused_assignments_of_slots_change_nothing() {
    let members = [1, 2, 3].map(member);
    let mut slots = Slots::<Inline<3, 4>>::even(&members).unwrap();
    let [low, mid, high] = [100, 200, 300].map(|slot| Slot::new(slot).unwrap());
    refused(&mut slots, MemberError::Unknown(node(4)), |slots| slots.assign(low, high, node(4)));
    refused(&mut slots, MemberError::Unknown(node(4)), |slots| slots.assign(high, low, node(4)));
    // one more run fits, and two do not, in whichever order they come
    refused(&mut slots, MemberError::Full, |slots| slots.assign(low, high, node(2)));
    refused(&mut slots, MemberError::EmptyRange, |slots| slots.assign(high, low, node(2)));
    slots.assign(Slot::MIN, mid, node(2)).unwrap();
    refused(&mut slots, MemberError::Full, |slots| slots.assign(low, low, node(3)));
    assert_eq!(Slots::<Inline<2, 4>>::even(&members), Err(MemberError::Full));
    assert_eq!(Slots::<Inline<3, 2>>::even(&members), Err(MemberError::Full));
    assert_eq!(Slots::<Heap>::even(&[]), Err(MemberError::NoMembers));
    let twice = [members[0], members[0]];
    assert_eq!(Slots::<Heap>::even(&twice), Err(MemberError::Duplicate(node(1))));
    let weightless = [members[0].with_weight(0)];
    assert_eq!(Slots::<Heap>::even(&weightless), Err(MemberError::ZeroWeight));
    assert_eq!([SLOTS, u16::MAX].map(Slot::new), [None, None]);
}

#[test]
fn more_members_than_slots_go_without() {
    let many: Vec<_> = (0..u64::from(SLOTS) / 8 * 9).step_by(9).map(member).collect();
    let slots = Slots::<Heap>::even(&many).unwrap();
    assert!(many.iter().all(|member| slots.count(member.id) == 8));
}

#[test]
fn hash_tags_are_cut_where_they_are_whole() {
    for (key, tag) in [
        ("", ""),
        ("{", "{"),
        ("}", "}"),
        ("{}", "{}"),
        ("}{", "}{"),
        ("}a{b}", "b"),
        ("{a", "{a"),
        ("{a}{b}", "a"),
        ("{}{b}", "{}{b}"),
        ("a{{}b", "{"),
        ("{a}", "a"),
    ] {
        assert_eq!(quorate_ring::hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
    }
}

#[test]
fn ranges_without_room_are_refused() {
    assert_eq!(Ranges::<ranges::Inline<0, 4, 1>>::new(&[node(1)]), Err(RangeError::Full));
    assert_eq!(Ranges::<ranges::Inline<1, 4, 0>>::new(&[node(1)]), Err(RangeError::TooManyNodes));
    assert_eq!(Ranges::<Heap>::with_limits(&[node(1)], 0, 9), Err(RangeError::Full));
    assert_eq!(Ranges::<Heap>::new(&[]), Err(RangeError::NoNodes));
    assert_eq!(Ranges::<Heap>::new(&[node(1); 2]), Err(RangeError::DuplicateNode(node(1))));
    let many: Vec<_> = (0..33).map(node).collect();
    assert_eq!(Ranges::<Heap>::new(&many), Err(RangeError::TooManyNodes));
    let mut ranges = Ranges::<Heap>::with_limits(&many[1..], 2, 3).unwrap();
    refused(&mut ranges, RangeError::KeyTooLong, |ranges| ranges.split(b"long"));
    ranges.split(b"abc").unwrap();
    refused(&mut ranges, RangeError::Full, |ranges| ranges.split(b"abd"));
    assert_eq!(ranges.replicas(b"abc", 99).replicas(), &many[1..]);
    let mut nothing = SplitFinder::<0, 0>::new(1);
    (0..300).for_each(|_| nothing.record(b""));
    assert!(nothing.split_key().is_err());
}

#[test]
fn jump_among_no_and_very_many_buckets() {
    assert_eq!(jump(7, 0), None);
    let mut rng = Rng::new(9);
    for _ in 0..2_000 {
        let key = rng.next_u64();
        assert_eq!(jump(key, 1), Some(0));
        assert!(jump(key, u32::MAX).unwrap() < u32::MAX);
    }
}

#[test]
fn quorums_that_are_none_have_no_probability() {
    for (n, r, w) in
        [(0, 0, 0), (3, 0, 1), (3, 1, 0), (3, 4, 1), (3, 1, 4), (0, 1, 1), (255, 0, 255)]
    {
        assert_eq!(stale_read(n, r, w), Err(PbsError::Size), "{n} {r} {w}");
        assert_eq!(stale_by(n, r, w, 0), Err(PbsError::Size));
    }
    assert_eq!(stale_by(255, 3, 3, u32::MAX), Err(PbsError::TooLarge));
    assert_eq!(stale_by(255, 128, 128, u32::MAX), Ok(Fraction::ZERO));
    assert_eq!(stale_by(5, 1, 1, 0).ok(), Fraction::new(1, 1));
    assert_eq!(
        [(0, 0), (1, 0), (2, 1), (u128::MAX, 1)].map(|(n, d)| Fraction::new(n, d)),
        [None; 4]
    );
    assert_eq!(Fraction::new(0, 7), Some(Fraction::ZERO));
    for (n, d, millionths) in [
        (1, 1, 1_000_000),
        (u128::MAX, u128::MAX, 1_000_000),
        (u128::MAX - 1, u128::MAX, 999_999),
        (1, u128::MAX, 0),
        (u128::MAX / 2, u128::MAX, 499_999),
        // a hair below 1/1000000 times a whole number, and a hair above
        ((1 << 127) / 1_000_000 * 3, 1 << 127, 2),
        ((1 << 127) / 1_000_000 * 3 + 3, 1 << 127, 3),
    ] {
        assert_eq!(Fraction::new(n, d).unwrap().millionths(), millionths, "{n}/{d}");
    }
}

#[test]
fn parts_are_at_most_2_to_the_32() {
    for bits in [33, 64, u32::MAX] {
        let parts = Partitions::new(Modulo::<Heap>::new(HASH), bits);
        assert_eq!(parts, Err(PartitionsError::TooMany));
    }
    for bits in [0, 1, 31, 32] {
        let nodes = with!(Rendezvous::<Heap>::new(HASH), [1, 2, 3]);
        let parts = Partitions::new(nodes, bits).unwrap();
        let last = (1_u128 << bits) - 1;
        assert_eq!(
            (parts.partition_of(Token::MIN), u128::from(parts.partition_of(Token::MAX))),
            (0, last)
        );
        let first = parts.end_of_range(Token::MIN);
        assert_eq!(u128::from(first.get()), (1_u128 << (64 - bits)) - 1);
        assert_eq!(parts.end_of_range(Token::MAX), Token::MAX);
    }
}
