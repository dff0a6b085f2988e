//! What went wrong in other libraries and stores that place keys, with the numbers of the project's list of pitfalls.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{NodeId, Rng};
use quorate_ring::ranges::{NoSplit, RangeError, Ranges, SplitFinder, may_merge};
use quorate_ring::topology::{Freshness, MemberState, Topology, TopologyError};
use quorate_ring::{
    Bounded, Divided, HashRing, Heap, Inline, Jump, KeyHash, LoadFactor, Member, Modulo, Move,
    Partitions, Placement, Plan, Rendezvous, Slots, Token, TokenRange, Zone, jump,
};

type Ring = HashRing<Heap>;

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

fn ring(points: u16, members: &[Member]) -> Ring {
    let mut ring = Ring::new(KeyHash::default(), points);
    ring.add_all(members).unwrap();
    ring
}

fn members(ids: impl IntoIterator<Item = u64>) -> Vec<Member> {
    ids.into_iter().map(|id| Member::new(node(id))).collect()
}

fn tokens(seed: u64, count: usize) -> Vec<Token> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| Token::new(rng.next_u64())).collect()
}

/// Where the ranges of a ring end: its points, without those that have an equal one before them.
fn ends(ring: &Ring) -> BTreeSet<Token> {
    let mut ends = BTreeSet::new();
    let mut at = ring.first_token();
    while ends.insert(ring.end_of_range(at)) {
        at = ring.end_of_range(at).next();
    }
    ends
}

/// How many of the tokens each node owns.
fn shares<P>(placement: &P, tokens: &[Token]) -> BTreeMap<NodeId, usize>
where
    P: for<'k> Placement<Position<'k> = Token>,
{
    let mut shares = BTreeMap::new();
    for token in tokens {
        *shares.entry(placement.owner(*token).unwrap()).or_default() += 1;
    }
    shares
}

/// A placement whose members come and go.
trait Changing: Clone {
    const NAME: &'static str;

    fn with(members: &[Member]) -> Self;
    fn add(&mut self, member: Member);
    fn remove(&mut self, id: NodeId);
    fn list(&self, token: Token, replicas: usize) -> Vec<NodeId>;

    fn owners(&self, tokens: &[Token]) -> Vec<NodeId> {
        tokens.iter().map(|token| self.list(*token, 1)[0]).collect()
    }
}

macro_rules! changing {
    ($($name:literal $placement:ty: $new:expr),* $(,)?) => {$(
        impl Changing for $placement {
            const NAME: &'static str = $name;

            fn with(members: &[Member]) -> Self {
                let mut new = $new;
                members.iter().for_each(|member| Changing::add(&mut new, *member));
                new
            }
            fn add(&mut self, member: Member) {
                <$placement>::add(self, member).unwrap();
            }
            fn remove(&mut self, id: NodeId) {
                <$placement>::remove(self, id).unwrap();
            }
            fn list(&self, token: Token, replicas: usize) -> Vec<NodeId> {
                self.replicas(token, replicas).replicas().to_vec()
            }
        }
    )*};
}

changing!(
    "ring" HashRing<Heap>: HashRing::new(KeyHash::default(), 40),
    "rendezvous" Rendezvous<Heap>: Rendezvous::new(KeyHash::default()),
    "jump" Jump<Heap>: Jump::new(KeyHash::default()),
    "modulo" Modulo<Heap>: Modulo::new(KeyHash::default()),
);

/// The same placements over 2^10 parts.
#[derive(Clone)]
struct Parts<P>(P);

macro_rules! in_parts {
    ($($name:literal $placement:ty),*) => {$(
        impl Changing for Parts<$placement> {
            const NAME: &'static str = $name;

            fn with(members: &[Member]) -> Self {
                Self(Changing::with(members))
            }
            fn add(&mut self, member: Member) {
                Changing::add(&mut self.0, member);
            }
            fn remove(&mut self, id: NodeId) {
                Changing::remove(&mut self.0, id);
            }
            fn list(&self, token: Token, replicas: usize) -> Vec<NodeId> {
                let parts = Partitions::new(self.0.clone(), 10).unwrap();
                parts.replicas(token, replicas).replicas().to_vec()
            }
        }
    )*};
}

in_parts!("rendezvous in parts" Rendezvous<Heap>, "jump in parts" Jump<Heap>);

// 31: hashes by `core::hash::Hash` (of a usize, of a str with its 0xff) or by what the processor has (anchorhash). The tokens below were
// computed by another implementation of SipHash-1-3. Run these two tests on a machine of 32 bits, or of the other byte order, as well.
#[test]
fn tokens_are_the_same_on_every_machine() {
    let published = KeyHash::new([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
    let bytes: Vec<u8> = (0..63).collect();
    for (len, token) in [
        (0, 0xabac_0158_050f_c4dc),
        (1, 0xc9f4_9bf3_7d57_ca93),
        (7, 0xd392_7d98_9bb1_1140),
        (8, 0x3690_9511_8d29_9a8e),
        (9, 0x25a4_8eb3_6c06_3de4),
        (15, 0xd320_d86d_2a51_9956),
        (16, 0xcc4f_dd1a_7d90_8b66),
        (63, 0x9d19_9062_b7bb_b3a8),
    ] {
        assert_eq!(published.token(&bytes[..len]), Token::new(token), "{len} bytes");
    }
    assert_eq!(KeyHash::default().token(b"key"), Token::new(0xdf61_b30b_6842_17c0));
    // the points of nodes are where ranges end
    assert_eq!(ring(1, &members([1])).last_token(), Token::new(0xbc66_e77f_2646_cae6));
    let many = ends(&ring(12, &members([1])));
    assert!(many.contains(&Token::new(0x6bf1_50b1_424a_8e9e)), "point 11 of node 1");
    let other = ends(&ring(2, &members([11])));
    assert!(other.contains(&Token::new(0x5a08_5847_fa7d_5be6)), "point 1 of node 11");
}

// 31
#[test]
fn owners_are_the_same_on_every_machine() {
    fn digest(owners: impl Iterator<Item = u64>) -> u64 {
        let mut bytes = Vec::new();
        owners.for_each(|owner| bytes.extend(owner.to_le_bytes()));
        KeyHash::default().token(&bytes).get()
    }
    let nodes: Vec<_> = (1..=20)
        .map(|id| {
            let member = Member::new(node(id << 40 | id)).with_weight(1 + (id % 3) as u16);
            member.in_zone(Zone::new((id % 4) as u16))
        })
        .collect();
    fn lists<P: Placement>(placement: &P) -> u64 {
        digest((0..60_u64).flat_map(|key| {
            let key = key.to_be_bytes();
            let list = placement.preference_list(placement.position(&key), 3, 2);
            list.nodes().iter().map(|node| node.get()).collect::<Vec<_>>()
        }))
    }
    let [mut gone, mut last] = [Jump::<Heap>::with(&nodes), Jump::with(&nodes)];
    [3, 20, 7].iter().for_each(|at| gone.remove(nodes[at - 1].id).unwrap());
    last.remove(nodes[19].id).unwrap();
    let found = [
        lists(&HashRing::<Heap>::with(&nodes)),
        lists(&Rendezvous::<Heap>::with(&nodes)),
        lists(&gone),
        lists(&last),
        lists(&Modulo::<Heap>::with(&nodes)),
        lists(&Partitions::new(Rendezvous::<Heap>::with(&nodes), 6).unwrap()),
        lists(&Slots::<Heap>::even(&nodes).unwrap()),
        digest((0..60).map(|key| u64::from(jump(key << 50, 77).unwrap()))),
    ];
    assert_eq!(found.map(|one| format!("{one:016x}")), GOLDEN);
}

const GOLDEN: [&str; 8] = [
    "bbba75f36f38e033",
    "a110e424534c7122",
    "3853899bf2e3e08c",
    "956f6b9d31ef6216",
    "37ce93678e9487f4",
    "719dd506773ddc4c",
    "ba4c3df9a5246286",
    "41db9377d8621b0c",
];

// 32: hashring removes whichever node has the token, hash_ring and hulahoop overwrite the first.
#[test]
fn equal_tokens_are_all_kept_and_removed_by_node() {
    let at = |list: &[u64]| list.iter().copied().map(Token::new).collect::<Vec<_>>();
    let orders = [[1, 2, 3], [3, 2, 1], [2, 3, 1]];
    let rings = orders.map(|order| {
        let mut ring = Ring::new(KeyHash::default(), 1);
        for id in order {
            ring.add_at(Member::new(node(id)), &at(&[20, 500 + id])).unwrap();
        }
        ring
    });
    assert!(rings.iter().all(|ring| *ring == rings[0]));
    for gone in 1..=3 {
        let [mut ring, ..] = rings.clone();
        assert_eq!(ring.replicas(Token::new(7), 3).replicas(), [1, 2, 3].map(node));
        ring.remove(node(gone)).unwrap();
        let rest: Vec<_> = (1..=3).filter(|id| *id != gone).map(node).collect();
        assert_eq!(ring.replicas(Token::new(7), 3).replicas(), rest);
        ring.add_at(Member::new(node(gone)), &at(&[20, 500 + gone])).unwrap();
        assert_eq!(ring, rings[0], "it comes back to where it was");
    }
    // more of them than are put in their places at once, with one node that has a token twice
    let mut crowd = Ring::new(KeyHash::default(), 1);
    for id in (1..=5).rev() {
        crowd.add_at(Member::new(node(id)), &at(&[9; 100])).unwrap();
    }
    assert_eq!(crowd.points(), 500);
    for id in 1..=5 {
        assert_eq!(crowd.owner(Token::new(9)), Some(node(id)));
        assert_eq!(crowd.owner(Token::new(10)), Some(node(id)));
        crowd.remove(node(id)).unwrap();
    }
    assert_eq!(crowd, Ring::new(KeyHash::default(), 1));
}

// 33: "node1" + "1" and "node" + "11" are one name (ringpop#241).
#[test]
fn no_two_points_have_one_name() {
    let ring = ring(120, &members((1..=30).chain([111, 256, 257, 65_536, 1 << 32, u64::MAX])));
    assert_eq!(ring.points(), 36 * 120);
    assert_eq!(ends(&ring).len(), 36 * 120);
}

fn moved<P: Changing>(n: u64, tokens: &[Token]) -> usize {
    let mut placement = P::with(&members(1..=n));
    let before = placement.owners(tokens);
    placement.add(Member::new(node(n + 1)));
    before.iter().zip(placement.owners(tokens)).filter(|(old, new)| **old != *new).count()
}

// 34
#[test]
fn only_modulo_moves_nearly_everything() {
    let tokens = tokens(34, 6_000);
    for n in [4, 9, 19] {
        let ideal = 6_000 / (n as usize + 1);
        assert!(moved::<Modulo<Heap>>(n, &tokens) > 6_000 - ideal * 13 / 10);
        for moved in [
            moved::<HashRing<Heap>>(n, &tokens),
            moved::<Rendezvous<Heap>>(n, &tokens),
            moved::<Jump<Heap>>(n, &tokens),
        ] {
            assert!((ideal / 2..=ideal * 3 / 2).contains(&moved), "{moved} of {ideal}");
        }
    }
}

// 34: of 2^64 tokens, modulo gives each node as many, but for one.
#[test]
fn no_node_has_more_because_of_a_remainder() {
    let tokens = tokens(35, 60_000);
    for n in [3, 6, 7] {
        for shares in [
            shares(&Modulo::<Heap>::with(&members(1..=n)), &tokens),
            shares(&Jump::<Heap>::with(&members(1..=n)), &tokens),
            shares(&Rendezvous::<Heap>::with(&members(1..=n)), &tokens),
        ] {
            let mean = 60_000 / n as usize;
            assert!(shares.values().all(|share| share.abs_diff(mean) < mean / 20), "{shares:?}");
        }
    }
}

// 35: weak hashes put the points of nodes in a row beside each other.
#[test]
fn ids_in_a_row_are_spread_evenly() {
    let tokens = tokens(36, 40_000);
    for ids in [
        (1..=40).collect::<Vec<u64>>(),
        (1..=40).map(|id| id << 32).collect(),
        (0..40).map(|bit| 1 << bit).collect(),
        (0..40).map(|id| u64::MAX - id).collect(),
    ] {
        let members = members(ids);
        let ring = ring(100, &members);
        for (shares, percent) in [
            (shares(&ring, &tokens), 45),
            (shares(&Rendezvous::<Heap>::with(&members), &tokens), 15),
            (shares(&Partitions::new(ring, 14).unwrap(), &tokens), 60),
        ] {
            assert_eq!(shares.len(), 40);
            let uneven = |share: &usize| share.abs_diff(1_000) * 100 > 1_000 * percent;
            assert!(!shares.values().any(uneven), "{shares:?}");
        }
    }
}

// 35: weights that are rounded to no point at all (torus#246), or down (ketama).
#[test]
fn no_weight_is_rounded_to_nothing() {
    let weights = [1_u16, 2, 3, 500, u16::MAX];
    let members: Vec<_> =
        (1..).zip(weights).map(|(id, w)| Member::new(node(id)).with_weight(w)).collect();
    let ring = ring(1, &members);
    let weight: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
    assert_eq!(ring.points(), weight);
    let jump = Jump::<Heap>::with(&members);
    assert_eq!(jump.buckets(), weight);
    let tokens = tokens(37, 400_000);
    let light = Member::new(node(1));
    let heavy = Member::new(node(2)).with_weight(20_000);
    // 20 of 400,000
    let shares = shares(&Rendezvous::<Heap>::with(&[light, heavy]), &tokens);
    assert!((8..=40).contains(&shares[&node(1)]), "{shares:?}");
}

// 36: the nodes of one host or rack, and a walk that never ends where there are fewer nodes than replicas.
#[test]
fn fewer_nodes_than_replicas_give_a_short_list() {
    fn check<P: Changing>() {
        for n in 1..=5 {
            for zones in 1..=4 {
                let zoned =
                    (1..=n).map(|id| Member::new(node(id)).in_zone(Zone::new((id % zones) as u16)));
                let placement = P::with(&zoned.collect::<Vec<_>>());
                for token in tokens(n, 20) {
                    for replicas in [0, 1, 2, 3, 5, 6, 32, 33, usize::MAX] {
                        let list = placement.list(token, replicas);
                        let distinct: BTreeSet<_> = list.iter().copied().collect();
                        assert_eq!(list.len(), replicas.min(n as usize), "{}", P::NAME);
                        assert_eq!(distinct.len(), list.len(), "{}: {list:?}", P::NAME);
                        let racks: BTreeSet<_> =
                            list.iter().map(|node| node.get() % zones).collect();
                        assert_eq!(
                            racks.len(),
                            list.len().min(zones.min(n) as usize),
                            "{}",
                            P::NAME
                        );
                    }
                }
            }
        }
    }
    check::<HashRing<Heap>>();
    check::<Rendezvous<Heap>>();
    check::<Jump<Heap>>();
    check::<Modulo<Heap>>();
    check::<Parts<Rendezvous<Heap>>>();
    check::<Parts<Jump<Heap>>>();
}

// 36
#[test]
fn fallbacks_are_all_other_nodes_once() {
    let zoned = (1..=9).map(|id| Member::new(node(id)).in_zone(Zone::new((id % 3) as u16)));
    let zoned: Vec<_> = zoned.collect();
    fn check<P: Placement + for<'k> Placement<Position<'k> = Token>>(placement: &P) {
        for token in tokens(38, 50) {
            let list = placement.preference_list(token, 3, 20);
            assert_eq!((list.replicas().len(), list.fallbacks().len()), (3, 6));
            assert_eq!(list.nodes().iter().collect::<BTreeSet<_>>().len(), 9);
            assert_eq!(list.owner(), placement.owner(token));
            // and in the order of the walk
            let mut walk: Vec<_> = Vec::new();
            for (node, _) in placement.walk(token) {
                if !walk.contains(&node) && !list.replicas().contains(&node) {
                    walk.push(node);
                }
            }
            assert_eq!(list.fallbacks(), walk);
        }
    }
    check(&HashRing::<Heap>::with(&zoned));
    check(&Rendezvous::<Heap>::with(&zoned));
    check(&Jump::<Heap>::with(&zoned));
    check(&Modulo::<Heap>::with(&zoned));
}

// 37: each key has a replica in each rack, so a rack of one node has them all. That is what the rule says, and what an operator has to know;
// who owns a key does not depend on it.
#[test]
fn small_rack_holds_as_much_as_a_large_one() {
    let rack = |id: u64| Zone::new(u16::from(id > 4));
    let uneven: Vec<_> = (1..=5).map(|id| Member::new(node(id)).in_zone(rack(id))).collect();
    let even: Vec<_> =
        (1..=4).map(|id| Member::new(node(id)).in_zone(Zone::new(id as u16 % 2))).collect();
    let tokens = tokens(39, 4_000);
    let held = |placement: &Ring, replicas| {
        let mut held = BTreeMap::<u64, usize>::new();
        for token in &tokens {
            for node in placement.replicas(*token, replicas).replicas() {
                *held.entry(node.get()).or_default() += 1;
            }
        }
        held
    };
    let placement = ring(100, &uneven);
    assert_eq!(held(&placement, 2)[&5], 4_000);
    assert_eq!(held(&placement, 2).values().sum::<usize>(), 8_000);
    // the owners are those of the same ring in one rack
    let flat = ring(100, &members(1..=5));
    assert_eq!(placement.owners(&tokens), flat.owners(&tokens));
    // racks of one size hold even shares
    for share in held(&ring(200, &even), 2).values() {
        assert!(share.abs_diff(2_000) < 500, "{share}");
    }
}

// 38: the paper's function can only take away the last bucket.
#[test]
fn jump_loses_any_member_and_moves_only_its_keys() {
    let tokens = tokens(40, 2_000);
    let full = Jump::<Heap>::with(&members(1..=9));
    let before = full.owners(&tokens);
    for gone in 1..=9 {
        let mut left = full.clone();
        Changing::remove(&mut left, node(gone));
        let mut heirs = BTreeSet::new();
        for (old, new) in before.iter().zip(left.owners(&tokens)) {
            assert_eq!(*old != new, *old == node(gone));
            if *old != new {
                heirs.insert(new);
            }
        }
        assert_eq!(heirs.len(), 8, "its keys go to all others");
        Changing::add(&mut left, Member::new(node(gone)));
        assert_eq!(left, full);
    }
}

// 39: Maglev's tables move keys between nodes that were there before, and building one never ends where its size is no prime. There is no
// Maglev here, and no table that is filled by probing: what it breaks holds for all placements that are here.
#[test]
fn only_keys_of_the_changed_node_move() {
    fn check<P: Changing>(replicas: usize) {
        let tokens = tokens(41, 600);
        let lists = |placement: &P| -> Vec<_> {
            tokens.iter().map(|token| placement.list(*token, replicas)).collect()
        };
        let mut placement = P::with(&members(1..=10));
        for (id, comes) in [(11, true), (4, false), (12, true), (10, false), (1, false), (4, true)]
        {
            let before = lists(&placement);
            if comes {
                placement.add(Member::new(node(id)).with_weight(2));
            } else {
                placement.remove(node(id));
            }
            for (old, new) in before.iter().zip(lists(&placement)) {
                let [from, to] = if comes { [old, &new] } else { [&new, old] };
                let others = to.iter().filter(|other| **other != node(id));
                assert!(from == to || to.contains(&node(id)), "{}: {old:?} {new:?}", P::NAME);
                assert!(
                    others.clone().all(|other| from.contains(other)),
                    "{}: {old:?} {new:?}",
                    P::NAME
                );
            }
        }
    }
    check::<HashRing<Heap>>(1);
    check::<HashRing<Heap>>(3);
    check::<Rendezvous<Heap>>(1);
    check::<Rendezvous<Heap>>(3);
    check::<Jump<Heap>>(1);
    check::<Parts<Rendezvous<Heap>>>(3);
    check::<Parts<Jump<Heap>>>(1);
}

// 39
#[test]
fn slots_and_ranges_move_only_what_is_assigned() {
    let mut slots = Slots::<Heap>::even(&members(1..=5)).unwrap();
    let owners = |slots: &Slots<Heap>| -> Vec<_> {
        (0..16_384).map(|slot| slots.owner(quorate_ring::Slot::new(slot).unwrap())).collect()
    };
    let before = owners(&slots);
    slots.add(Member::new(node(6))).unwrap();
    assert_eq!(owners(&slots), before);
    slots.remove(node(3)).unwrap();
    for (old, new) in before.iter().zip(owners(&slots)) {
        assert_eq!(new, old.filter(|node| node.get() != 3));
    }
    // nor does a replica or fallback, whatever the zone of the member that comes
    let lists = |slots: &Slots<Heap>| -> Vec<_> {
        (0..16_384)
            .map(|slot| slots.preference_list(quorate_ring::Slot::new(slot).unwrap(), 2, 2))
            .collect()
    };
    let before = lists(&slots);
    slots.add(Member::new(node(7)).in_zone(Zone::new(1))).unwrap();
    assert_eq!(lists(&slots), before);
    slots.remove(node(7)).unwrap();
    assert_eq!(lists(&slots), before);
    let mut ranges = Ranges::<Heap>::new(&[node(1)]).unwrap();
    for start in [&b"g"[..], b"m", b"s"] {
        ranges.split(start).unwrap();
    }
    ranges.assign(b"m", &[node(2)]).unwrap();
    let owners = [b"a", b"g", b"m", b"r", b"s"].map(|key| ranges.owner(key).unwrap().get());
    assert_eq!(owners, [1, 1, 2, 2, 1]);
}

// 40: two nodes go by different rings.
#[test]
fn nodes_that_go_by_different_lists_notice() {
    type List = Topology<Inline<8>>;
    let mut here = List::new();
    for id in [1, 2, 3].map(node) {
        here.join(Member::new(id)).unwrap();
        here.set_state(id, MemberState::Up).unwrap();
    }
    let mut there = here.clone();
    assert_eq!(here.version().compare(there.version()), Freshness::Same);
    // one is behind
    here.join(Member::new(node(4))).unwrap();
    assert_eq!(there.version().compare(here.version()), Freshness::Older);
    assert_eq!(here.version().compare(there.version()), Freshness::Newer);
    // both were changed at once: neither is told to be the newer, whatever the nodes are called
    for (other, change) in [(5, true), (2, false), (9, true)] {
        let mut there = there.clone();
        if change {
            there.join(Member::new(node(other))).unwrap();
        } else {
            there.set_state(node(other), MemberState::Leaving).unwrap();
        }
        for (one, other) in [(&here, &there), (&there, &here)] {
            assert_eq!(one.version().compare(other.version()), Freshness::Conflict);
        }
        let [mut left, mut right] = [here.clone(), there.clone()];
        left.merge(&there).unwrap();
        right.merge(&here).unwrap();
        assert_eq!(left.version().compare(right.version()), Freshness::Same);
        assert_ne!(left.version().compare(here.version()), Freshness::Same);
        assert_ne!(left.version().compare(there.version()), Freshness::Same);
        let ids =
            |list: &List| list.entries().iter().map(|entry| entry.member().id).collect::<Vec<_>>();
        assert_eq!(ids(&left), ids(&right));
        assert!(ids(&left).contains(&node(4)) && ids(&left).contains(&node(other)));
    }
    there.merge(&here).unwrap();
    assert_eq!(there.version().compare(here.version()), Freshness::Same);
    assert!(there.join(Member::new(node(4))).is_err(), "it is known there by now");
    assert_eq!(here.set_state(node(7), MemberState::Up), Err(TopologyError::Unknown(node(7))));
}

// 41: a split at a boundary makes an empty range.
#[test]
fn no_range_is_ever_empty() {
    let mut ranges = Ranges::<Heap>::new(&[node(1)]).unwrap();
    ranges.split(b"m").unwrap();
    let before = ranges.clone();
    for boundary in [&b""[..], b"m"] {
        assert_eq!(ranges.split(boundary), Err(RangeError::Empty));
    }
    assert_eq!(ranges, before);
    ranges.split(b"m\0").unwrap(); // one key is left: "m"
    ranges.split(b"l\xff\xff").unwrap();
    for range in ranges.iter() {
        assert!(range.contains(range.start));
        assert!(range.end.is_none_or(|end| range.start < end && !range.contains(end)));
    }
    let middle = ranges.range_of(b"m");
    assert_eq!((middle.start, middle.end), (&b"m"[..], Some(&b"m\0"[..])));
}

// 41: what was just split is merged, and split again, without end.
#[test]
fn what_was_split_is_not_merged_and_what_was_merged_is_not_split() {
    for split_at in [2_u64, 3, 10, 1_000, u64::MAX] {
        let mut rng = Rng::new(split_at);
        for _ in 0..1_000 {
            let load = split_at.saturating_add(rng.below(split_at));
            let left = rng.below(load);
            assert!(!may_merge(left, load - left, split_at), "{left} of {load}");
            let (one, other) = (rng.below(split_at), rng.below(split_at));
            if may_merge(one, other, split_at) {
                // the load may grow by half before it is split again
                assert!((one + other) * 2 < split_at);
            }
        }
        assert!(!may_merge(u64::MAX, u64::MAX, split_at));
    }
    assert!(!may_merge(0, 0, 0) && !may_merge(0, 0, 1), "no load at all is far from such a bound");
    assert!(may_merge(0, 0, 2));
    assert!(may_merge(249, 250, 1_000) && !may_merge(250, 250, 1_000));
}

// 41: keys that only grow keep the last range hot, however often it is split.
#[test]
fn keys_that_only_grow_are_not_split() {
    let mut finder = SplitFinder::<16, 8>::new(3);
    for key in 0..30_000_u64 {
        finder.record(&key.to_be_bytes());
        if key > 5_000 {
            assert_ne!(finder.split_key().map(|_| ()), Ok(()), "at {key}");
        }
    }
    assert_eq!(finder.split_key(), Err(NoSplit::OneSide));
}

// 42: half-open ranges whose ends are equal, nothing or all; and those that go over the end of the circle.
#[test]
fn range_of_one_token_and_of_all_differ() {
    let [zero, one, last] = [0, 1, u64::MAX].map(Token::new);
    for at in [zero, one, last] {
        let single = TokenRange::new(at, at);
        assert_eq!(single.len(), 1);
        assert!(
            single.contains(at) && !single.contains(at.next()) && !single.contains(at.previous())
        );
        let all = TokenRange::new(at.next(), at);
        assert_eq!(all.len(), 1 << 64);
        assert!([zero, one, last, at].iter().all(|token| all.contains(*token)));
        let but_one = TokenRange::new(at.next(), at.previous());
        assert_eq!(but_one.len(), u128::from(u64::MAX));
        assert!(!but_one.contains(at) && but_one.contains(at.next()));
    }
    let over = TokenRange::new(last, zero);
    assert_eq!(over.len(), 2);
    assert!(over.contains(last) && over.contains(zero) && !over.contains(one));
}

// 42: a ring with one point has one range, which is all there is.
#[test]
fn ring_with_one_point_is_one_range() {
    for at in [0, 1, 77, u64::MAX - 1, u64::MAX] {
        let mut one = Ring::new(KeyHash::default(), 1);
        one.add_at(Member::new(node(1)), &[Token::new(at)]).unwrap();
        for token in [0, 76, 77, 78, u64::MAX].map(Token::new) {
            assert_eq!(one.owner(token), Some(node(1)));
            assert_eq!(one.end_of_range(token), Token::new(at));
        }
        let mut other = one.clone();
        other.remove(node(1)).unwrap();
        other.add_at(Member::new(node(2)), &[Token::new(at / 2)]).unwrap();
        let moves: Vec<_> = Plan::new(&one, &other, 1).unwrap().moves().collect();
        let [Move::Copy { range, from, to }, Move::Drop { range: dropped, from: left }] = moves[..]
        else {
            panic!("{moves:?}");
        };
        assert_eq!((range.len(), from, to), (1 << 64, Some(node(1)), node(2)));
        assert_eq!((dropped.len(), left), (1 << 64, node(1)));
    }
}

// 43: a key that spilled is looked for where it would be now, and not found.
#[test]
fn every_later_reader_finds_what_spilled() {
    let mut rng = Rng::new(43);
    for seed in 0..20 {
        let mut bounded =
            Bounded::new(ring(6, &members(1..=6)), LoadFactor::new(9, 8).unwrap(), 60);
        let mut placed = Vec::new();
        let mut readers = Vec::new();
        for key in 0..60 {
            // most keys are for one part of the circle
            let token = Token::new(rng.next_u64() >> (seed % 4 * 8));
            placed.push((token, bounded.place(token).unwrap()));
            if key % 20 == 19 {
                readers.push((key, bounded.clone()));
            }
        }
        // what was full once has room again
        let before = bounded.clone();
        for (_, node) in placed.iter().step_by(2) {
            bounded.release(*node);
        }
        readers.push((59, before));
        readers.push((59, bounded));
        for (last, reader) in &readers {
            for (token, node) in &placed[..=*last] {
                let chain: Vec<_> = reader.chain(*token).collect();
                assert!(chain.contains(node));
                assert_eq!(chain.first(), reader.ring().owner(*token).as_ref());
                assert!(reader.chain(*token).eq(chain), "it is the same for all");
            }
        }
    }
    // with room for all, it is the owner alone
    let mut roomy = Bounded::new(ring(6, &members(1..=6)), LoadFactor::new(6, 1).unwrap(), 60);
    for token in tokens(44, 60) {
        assert_eq!(roomy.place(token).ok(), roomy.owner(token));
        assert_eq!(roomy.chain(token).count(), 1);
    }
}
