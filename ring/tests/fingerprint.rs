//! What tells placements apart: every parameter that an answer depends on, and no order that none depends on.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_ring::ranges::{self, Ranges};
use quorate_ring::topology::{Freshness, MemberState, Topology, Version};
use quorate_ring::{
    Bounded, HashRing, Heap, Inline, Jump, KeyHash, LoadFactor, Member, Modulo, Partitions,
    Placement, Rendezvous, Slot, Slots, Token, Zone,
};

type Store = Inline<8, 128>;

const SEEDS: [[u64; 2]; 3] = [[0, 0], [1, 0], [0, 1]];

fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

fn member(id: u64) -> Member {
    Member::new(node(id))
}

/// Members that differ from each other in one thing, and in none from the first but its order.
fn member_lists() -> Vec<Vec<Member>> {
    let [a, b, c] = [1, 2, 3].map(member);
    vec![
        vec![a, b, c],
        vec![a, b],
        vec![a, b, member(4)],
        vec![a, b, c.with_weight(2)],
        vec![a, b, c.in_zone(Zone::new(2))],
        vec![],
    ]
}

fn hash_ring(seed: [u64; 2], points: u16, members: &[Member]) -> HashRing<Store> {
    let mut ring = HashRing::new(KeyHash::new(seed), points);
    members.iter().for_each(|member| ring.add(*member).unwrap());
    ring
}

fn rendezvous(seed: [u64; 2], members: &[Member]) -> Rendezvous<Store> {
    let mut nodes = Rendezvous::new(KeyHash::new(seed));
    members.iter().for_each(|member| nodes.add(*member).unwrap());
    nodes
}

fn modulo(seed: [u64; 2], members: &[Member]) -> Modulo<Store> {
    let mut nodes = Modulo::new(KeyHash::new(seed));
    members.iter().for_each(|member| nodes.add(*member).unwrap());
    nodes
}

fn jump(seed: [u64; 2], members: &[Member]) -> Jump<Store> {
    let mut nodes = Jump::new(KeyHash::new(seed));
    members.iter().for_each(|member| nodes.add(*member).unwrap());
    nodes
}

fn slots(members: &[Member]) -> Slots<Store> {
    let mut slots = Slots::new();
    members.iter().for_each(|member| slots.add(*member).unwrap());
    slots
}

fn all_differ(fingerprints: &[u64]) {
    let mut sorted = fingerprints.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), fingerprints.len(), "{fingerprints:x?}");
}

#[test]
fn each_parameter_counts() {
    let mut all = Vec::new();
    for members in member_lists() {
        for seed in SEEDS {
            for points in [4, 5] {
                let ring = hash_ring(seed, points, &members);
                all.push(ring.fingerprint());
                all.push(Partitions::new(ring, 4).unwrap().fingerprint());
            }
            all.push(rendezvous(seed, &members).fingerprint());
            all.push(modulo(seed, &members).fingerprint());
            let nodes = jump(seed, &members);
            all.push(nodes.fingerprint());
            all.push(Partitions::new(nodes.clone(), 3).unwrap().fingerprint());
            all.push(Partitions::new(nodes, 4).unwrap().fingerprint());
        }
        all.push(slots(&members).fingerprint());
    }
    all_differ(&all);
}

#[test]
fn order_of_coming_counts_only_for_jump() {
    let [a, b, c] = [member(1), member(2).with_weight(2), member(3).in_zone(Zone::new(1))];
    let orders = [[a, b, c], [c, b, a], [b, a, c]];
    let of = |fingerprint: &dyn Fn(&[Member]) -> u64| orders.map(|order| fingerprint(&order));
    let same = |[first, second, third]: [u64; 3]| first == second && second == third;
    assert!(same(of(&|order| hash_ring([0, 0], 8, order).fingerprint())));
    assert!(same(of(&|order| rendezvous([0, 0], order).fingerprint())));
    assert!(same(of(&|order| modulo([0, 0], order).fingerprint())));
    assert!(same(of(&|order| slots(order).fingerprint())));
    all_differ(&of(&|order| jump([0, 0], order).fingerprint()));
}

#[test]
fn members_that_came_and_went_leave_no_trace() {
    let members = [1, 2, 3].map(member);
    let mut ring = hash_ring([0, 0], 8, &members);
    let mut nodes = rendezvous([0, 0], &members);
    let mut buckets = jump([0, 0], &members);
    let before = [ring.fingerprint(), nodes.fingerprint(), buckets.fingerprint()];
    ring.add(member(4)).unwrap();
    nodes.add(member(4)).unwrap();
    buckets.add(member(4)).unwrap();
    ring.remove(node(4)).unwrap();
    nodes.remove(node(4)).unwrap();
    buckets.remove(node(4)).unwrap();
    assert_eq!(before, [ring.fingerprint(), nodes.fingerprint(), buckets.fingerprint()]);
}

#[test]
fn storage_and_its_limits_do_not_count() {
    let members = [1, 2, 3].map(member);
    let inline = hash_ring([0, 0], 8, &members);
    let mut small = HashRing::<Inline<3, 24>>::new(KeyHash::default(), 8);
    let mut heap = HashRing::<Heap>::with_limits(KeyHash::default(), 8, 3, 24);
    small.add_all(&members).unwrap();
    heap.add_all(&members).unwrap();
    let [small, heap] = [small.fingerprint(), heap.fingerprint()];
    assert_eq!((small, heap), (inline.fingerprint(), inline.fingerprint()));
}

#[test]
fn chosen_points_count() {
    let ring = |tokens: [&[u64]; 2]| {
        let mut ring = HashRing::<Store>::new(KeyHash::default(), 1);
        for (id, tokens) in (1..).zip(tokens) {
            let tokens: Vec<Token> = tokens.iter().copied().map(Token::new).collect();
            ring.add_at(member(id), &tokens).unwrap();
        }
        ring.fingerprint()
    };
    all_differ(&[
        ring([&[10], &[20]]),
        ring([&[20], &[10]]),
        ring([&[10, 20], &[20]]),
        ring([&[10], &[21]]),
    ]);
    assert_eq!(ring([&[10, 30], &[20]]), ring([&[30, 10], &[20]]));
}

#[test]
fn marked_buckets_count() {
    let members: Vec<Member> = (1..=5).map(member).collect();
    let without = |gone: &[u64]| {
        let mut nodes = jump([0, 0], &members);
        gone.iter().for_each(|id| nodes.remove(node(*id)).unwrap());
        nodes
    };
    let placements = [without(&[]), without(&[2]), without(&[2, 3]), without(&[3, 2])];
    all_differ(&placements.each_ref().map(Placement::fingerprint));
    // and they do answer differently
    let [.., one, other] = &placements;
    let differ = |token: &u64| {
        let at = Token::new(token.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        one.owner(at) != other.owner(at)
    };
    assert!((0..1_000).any(|token| differ(&token)));
}

#[test]
fn slot_runs_and_ranges_count() {
    let members = [1, 2].map(member);
    let slots = |first: u16, last: u16, id: u64| {
        let mut slots = Slots::<Store>::even(&members).unwrap();
        let [first, last] = [first, last].map(|slot| Slot::new(slot).unwrap());
        slots.assign(first, last, node(id)).unwrap();
        slots.fingerprint()
    };
    all_differ(&[slots(0, 0, 1), slots(0, 0, 2), slots(0, 1, 2), slots(1, 1, 2)]);
    // a run by run assignment of the same slots
    assert_eq!(slots(0, 0, 1), Slots::<Store>::even(&members).unwrap().fingerprint());
    let ranges = |start: &[u8], nodes: &[u64]| {
        let mut ranges = Ranges::<ranges::Inline<4, 8, 3>>::new(&[node(1)]).unwrap();
        ranges.split(start).unwrap();
        let nodes: Vec<NodeId> = nodes.iter().copied().map(node).collect();
        ranges.assign(start, &nodes).unwrap();
        ranges.fingerprint()
    };
    let tables = [
        (&b"m"[..], &[1][..]),
        (b"n", &[1]),
        (b"m\0", &[1]),
        (b"m", &[2]),
        (b"m", &[1, 2]),
        (b"m", &[2, 1]),
    ];
    all_differ(&tables.map(|(start, nodes)| ranges(start, nodes)));
}

#[test]
fn load_and_keys_count() {
    let of = |numerator, keys, members: &[Member]| {
        let ring = hash_ring([0, 0], 4, members);
        Bounded::new(ring, LoadFactor::new(numerator, 4).unwrap(), keys).fingerprint()
    };
    let members = [1, 2].map(member);
    all_differ(&[
        of(5, 8, &members),
        of(6, 8, &members),
        of(5, 9, &members),
        of(5, 8, &members[1..]),
    ]);
    let mut bounded = Bounded::new(hash_ring([0, 0], 4, &members), LoadFactor::default(), 8);
    let before = bounded.fingerprint();
    bounded.place(Token::MIN).unwrap();
    assert_eq!(bounded.fingerprint(), before);
}

/// The same on every machine, and in every version.
#[test]
fn fingerprints_are_stable() {
    let members = [member(1), member(2).with_weight(2), member(3).in_zone(Zone::new(1))];
    let seed = [0x0123_4567_89ab_cdef, 2];
    let mut buckets = jump(seed, &members);
    buckets.remove(node(1)).unwrap();
    let mut ranges = Ranges::<ranges::Inline<4, 8, 3>>::new(&[node(1)]).unwrap();
    ranges.split(b"m").unwrap();
    let golden = [
        ("hash ring", hash_ring(seed, 4, &members).fingerprint(), 0x0750_8041_9dd6_eab9),
        ("rendezvous", rendezvous(seed, &members).fingerprint(), 0xdd37_c3bd_0e1d_0908),
        ("modulo", modulo(seed, &members).fingerprint(), 0x2cc1_7efb_3f38_19bd),
        ("jump", buckets.fingerprint(), 0x860d_ac50_94ca_e49f),
        ("slots", Slots::<Store>::even(&members).unwrap().fingerprint(), 0x5671_7a9f_91c3_1924),
        ("ranges", ranges.fingerprint(), 0x12df_d580_758a_fae8),
        (
            "partitions",
            Partitions::new(modulo(seed, &members), 8).unwrap().fingerprint(),
            0x65e2_930b_ca2b_3f9e,
        ),
        (
            "bounded",
            Bounded::new(hash_ring(seed, 4, &members), LoadFactor::default(), 9).fingerprint(),
            0x76db_a5e4_5252_c5de,
        ),
    ];
    let wrong: Vec<String> = golden
        .iter()
        .filter(|(_, fingerprint, expected)| fingerprint != expected)
        .map(|(scheme, fingerprint, _)| format!("{scheme}: {fingerprint:#018x}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn list(ids: &[u64]) -> Topology<Store> {
    let mut list = Topology::new();
    ids.iter().for_each(|id| drop(list.join(member(*id)).unwrap()));
    list
}

#[test]
fn requests_with_another_seed_are_noticed() {
    let list = list(&[1, 2, 3]);
    let members: Vec<Member> = list.next_holders().collect();
    let version = |seed| Version::of(&list, &hash_ring(seed, 8, &members));
    assert_eq!(version([0, 0]).compare(version([0, 0])), Freshness::Same);
    assert_eq!(version([0, 0]).compare(version([0, 1])), Freshness::Conflict);
}

/// Though the placements are equal.
#[test]
fn requests_with_another_list_are_noticed() {
    let ring = |members: &mut dyn Iterator<Item = Member>| {
        hash_ring([0, 0], 8, &members.collect::<Vec<_>>())
    };
    let mut base = list(&[1, 2, 3]);
    base.complete_moves().unwrap();
    let (mut here, mut there) = (base.clone(), base.clone());
    here.join(member(4)).unwrap();
    there.join(member(5)).unwrap();
    let [one, other] = [&here, &there].map(|list| Version::of(list, &ring(&mut list.holders())));
    assert_eq!(one.compare(other), Freshness::Conflict);
    let (mut here, mut there) = (base.clone(), base);
    here.set_state(node(1), MemberState::Down).unwrap();
    there.set_state(node(2), MemberState::Down).unwrap();
    let next = |list: &Topology<Store>| Version::of(list, &ring(&mut list.next_holders()));
    assert_eq!(next(&here).compare(next(&there)), Freshness::Conflict);
    there.merge(&here.clone()).unwrap();
    here.merge(&there).unwrap();
    assert_eq!(next(&here).compare(next(&there)), Freshness::Same);
}
