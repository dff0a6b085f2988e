//! Placements against a simple one that does what the papers, or the documentation, say.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_precision_loss)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{NodeId, Rng};
use quorate_ring::pbs::{Fraction, stale_by, stale_read};
use quorate_ring::ranges::{self, Ranges, SplitFinder};
use quorate_ring::{
    Bounded, Divided, HashRing, Heap, Inline, Jump, KeyHash, LoadFactor, Member, MemberError,
    Modulo, Partitions, Placement, Rendezvous, Slot, Slots, Token, Zone, jump,
};

const fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

/// The finalizer of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// MementoHash by its algorithms 1 to 3: n buckets, the last that was removed, and of each that was removed what replaces it and which was removed
/// before. Beside it, who has which bucket.
#[derive(Default)]
struct Memento {
    n: u64,
    last: u64,
    replacements: BTreeMap<u64, (u64, u64)>,
    nodes: BTreeMap<u64, u64>,
}

impl Memento {
    fn working(&self) -> u64 {
        self.n - self.replacements.len() as u64
    }

    fn remove(&mut self, bucket: u64) {
        self.nodes.remove(&bucket);
        if self.replacements.is_empty() && bucket == self.n - 1 {
            self.n -= 1;
            self.last = self.n;
        } else {
            let replaced_by = self.working() - 1;
            self.replacements.insert(bucket, (replaced_by, self.last));
            self.last = bucket;
        }
    }

    fn add(&mut self, node: u64) {
        if self.replacements.is_empty() {
            self.nodes.insert(self.n, node);
            self.n += 1;
            self.last = self.n;
        } else {
            self.nodes.insert(self.last, node);
            (_, self.last) = self.replacements.remove(&self.last).unwrap();
        }
    }

    fn owner(&self, key: u64) -> Option<u64> {
        let mut bucket = u64::from(jump(key, self.n as u32)?);
        while let Some((left, _)) = self.replacements.get(&bucket) {
            let mut other = mix(key ^ mix(bucket + 1)) % left;
            while let Some((replaced_by, _)) = self.replacements.get(&other) {
                if replaced_by < left {
                    break;
                }
                other = *replaced_by;
            }
            bucket = other;
        }
        self.nodes.get(&bucket).copied()
    }
}

#[test]
fn jump_matches_the_algorithms_of_memento() {
    let mut rng = Rng::new(31);
    for _ in 0..80 {
        let mut jump = Jump::<Inline<0, 40>>::new(KeyHash::default());
        let mut model = Memento::default();
        for _ in 0..40 {
            let id = 1 + rng.below(12);
            let mut buckets: Vec<u64> =
                model.nodes.iter().filter(|(_, node)| **node == id).map(|(b, _)| *b).collect();
            if buckets.is_empty() && rng.chance(2, 3) {
                let weight = 1 + rng.below(5);
                let result = jump.add(Member::new(node(id)).with_weight(weight as u16));
                let fits = model.working() + weight <= 40;
                assert_eq!(result, if fits { Ok(()) } else { Err(MemberError::Full) });
                (0..weight).filter(|_| fits).for_each(|_| model.add(id));
            } else if buckets.is_empty() {
                assert_eq!(jump.remove(node(id)), Err(MemberError::Unknown(node(id))));
            } else {
                jump.remove(node(id)).unwrap();
                while let Some(bucket) = buckets.pop() {
                    model.remove(bucket);
                }
            }
            if model.working() == 0 {
                model = Memento::default();
            }
            assert_eq!(jump.buckets() as u64, model.working());
            assert!(jump.members().map(|(node, _)| node.get()).eq(model.nodes.values().copied()));
            for _ in 0..30 {
                let key = rng.next_u64();
                let owner = jump.owner(Token::new(key)).map(NodeId::get);
                assert_eq!(owner, model.owner(key));
            }
        }
    }
}

/// Figure 1 of the paper, as it is printed there.
fn jump_in_floating_point(mut key: u64, buckets: i64) -> i64 {
    let (mut b, mut j) = (-1, 0);
    while j < buckets {
        b = j;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        j = ((b + 1) as f64 * ((1_i64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    b
}

#[test]
fn jump_in_integers_is_that_in_floating_point() {
    let mut rng = Rng::new(32);
    for round in 0..100_000_u32 {
        let (key, buckets) = (rng.next_u64(), 1 + (rng.next_u64() >> (32 + round % 31)) as u32);
        let expected = jump_in_floating_point(key, i64::from(buckets));
        assert_eq!(jump(key, buckets).map(i64::from), Some(expected), "{key} {buckets}");
    }
    // 49 * (1/49) is less than 1 there: the few keys that are elsewhere
    for (key, buckets, exact, rounded) in
        [(7_384_958_332_783_068_029, 256, 48, 255), (5_833_735_104_331_543_352, 512, 48, 511)]
    {
        assert_eq!(jump(key, buckets), Some(exact));
        assert_eq!(jump_in_floating_point(key, i64::from(buckets)), rounded);
    }
}

#[test]
fn jump_walks_over_all_nodes_and_spreads_them_over_zones() {
    let mut rng = Rng::new(33);
    let mut nodes = Jump::<Heap>::new(KeyHash::default());
    for id in 1..=200 {
        nodes.add(Member::new(node(id)).in_zone(Zone::new((id % 5) as u16))).unwrap();
    }
    (1..=200).step_by(3).for_each(|id| nodes.remove(node(id)).unwrap());
    let mut second = BTreeSet::new();
    for _ in 0..300 {
        let at = Token::new(rng.next_u64());
        let all: BTreeSet<_> = nodes.walk(at).map(|(node, _)| node).collect();
        assert_eq!(all.len(), 133);
        let list = nodes.replicas(at, 5);
        let zones: BTreeSet<_> = list.replicas().iter().map(|node| node.get() % 5).collect();
        assert_eq!((nodes.zones(), zones.len()), (5, 5));
        second.insert(list.replicas()[1]);
    }
    assert!(second.len() > 100, "the second replica is anywhere: {}", second.len());
}

/// Points in a list, and a load of each node.
#[test]
fn bounded_loads_match_a_walk_over_all_points() {
    let mut rng = Rng::new(34);
    for _ in 0..60 {
        let mut ring = HashRing::<Inline<8, 64>>::new(KeyHash::default(), 1);
        let mut points = BTreeSet::new();
        let members = 1 + rng.below(8);
        for id in 1..=members {
            let tokens: Vec<u64> = (0..1 + rng.below(6)).map(|_| rng.below(50)).collect();
            points.extend(tokens.iter().map(|token| (*token, id)));
            let tokens: Vec<_> = tokens.into_iter().map(Token::new).collect();
            ring.add_at(Member::new(node(id)), &tokens).unwrap();
        }
        let (keys, numerator) = (rng.below(60), 4 + rng.below(5));
        let load = LoadFactor::new(numerator as u32, 4).unwrap();
        let mut bounded = Bounded::new(ring, load, keys);
        let capacity = (numerator * keys).div_ceil(4 * members);
        assert_eq!(bounded.capacity(), capacity);
        let mut loads: BTreeMap<u64, (u64, bool)> =
            (1..=members).map(|id| (id, (0, false))).collect();
        for _ in 0..150 {
            let at = rng.below(55);
            let way: Vec<u64> =
                points.range((at, 0)..).chain(points.range(..(at, 0))).map(|(_, id)| *id).collect();
            if rng.chance(1, 3) {
                let id = 1 + rng.below(members + 1);
                bounded.release(node(id));
                loads.entry(id).and_modify(|(keys, _)| *keys = keys.saturating_sub(1));
            } else {
                let taken = way.iter().position(|id| loads[id].0 < capacity);
                for id in &way[..taken.unwrap_or(0)] {
                    loads.get_mut(id).unwrap().1 = true;
                }
                let taken = taken.map(|taken| way[taken]);
                taken.into_iter().for_each(|id| loads.get_mut(&id).unwrap().0 += 1);
                assert_eq!(bounded.place(Token::new(at)).ok(), taken.map(node));
            }
            let mut restarted = Bounded::new(bounded.ring().clone(), load, keys);
            for (id, (keys, spilled)) in &loads {
                assert_eq!(bounded.keys_of(node(*id)), Some(*keys));
                assert_eq!(bounded.has_spilled(node(*id)), *spilled);
                restarted.restore(node(*id), *keys, *spilled).unwrap();
            }
            assert_eq!(restarted, bounded);
            let list = bounded.ring().preference_list(Token::new(at), 2, 1);
            assert_eq!(bounded.preference_list(Token::new(at), 2, 1), list);
            let asked = way.iter().position(|id| !loads[id].1).map_or(way.len(), |last| last + 1);
            let mut chain: Vec<_> = bounded.chain(Token::new(at)).collect();
            chain.dedup();
            let mut expected: Vec<_> = way[..asked].iter().copied().map(node).collect();
            expected.dedup();
            assert_eq!(chain, expected);
        }
        bounded.reset();
        assert_eq!(bounded, Bounded::new(bounded.ring().clone(), load, keys));
    }
}

#[test]
fn rendezvous_matches_the_logarithm_method() {
    let mut rng = Rng::new(35);
    for round in 0..40_u64 {
        let hash = KeyHash::new([round, 5]);
        let mut nodes = Rendezvous::<Inline<8>>::new(hash);
        let mut weights = BTreeMap::new();
        for _ in 0..12 {
            let id = 1 + rng.below(8);
            let weight = [1, 1, 2, 40_000, 60_000][rng.below(5) as usize];
            match rng.below(3) {
                0 if weights.remove(&id).is_some() => nodes.remove(node(id)).unwrap(),
                1 if weights.contains_key(&id) => {
                    nodes.set_weight(node(id), weight).unwrap();
                    weights.insert(id, weight);
                }
                _ => {
                    let member = Member::new(node(id)).with_weight(weight);
                    if nodes.add(member).is_ok() {
                        weights.insert(id, weight);
                    }
                }
            }
            let members: Vec<_> =
                weights.iter().map(|(id, w)| Member::new(node(*id)).with_weight(*w)).collect();
            assert_eq!(nodes.members(), members);
            for _ in 0..40 {
                let at = Token::new(rng.next_u64());
                let walk: Vec<u64> = nodes.walk(at).map(|(node, _)| node.get()).collect();
                assert_eq!(walk.iter().collect::<BTreeSet<_>>().len(), weights.len());
                assert_eq!(walk.len(), weights.len());
                // the logarithm is too large by 0.2 % at most: costs that are nearer may come in either order
                let cost = |id: u64| {
                    let mut name = id.to_le_bytes().to_vec();
                    name.extend([0, 0]);
                    let h = mix(at.get() ^ hash.token(&name).get()) as f64;
                    (64.0 - h.log2()) / f64::from(weights[&id])
                };
                for pair in walk.windows(2) {
                    assert!(cost(pair[0]) <= cost(pair[1]) * 1.003, "{pair:?} of {weights:?}");
                }
            }
        }
    }
}

#[test]
fn equal_weights_are_as_good_as_none() {
    let mut rng = Rng::new(36);
    let [mut light, mut heavy] = [(); 2].map(|()| Rendezvous::<Heap>::new(KeyHash::default()));
    for id in 1..=9 {
        light.add(Member::new(node(id))).unwrap();
        heavy.add(Member::new(node(id)).with_weight(700)).unwrap();
    }
    // with one more of another weight, the order of the others stays
    let mut mixed = light.clone();
    mixed.add(Member::new(node(99)).with_weight(3)).unwrap();
    for _ in 0..500 {
        let at = Token::new(rng.next_u64());
        assert!(light.walk(at).eq(heavy.walk(at)));
        assert!(light.walk(at).eq(mixed.walk(at).filter(|(id, _)| *id != node(99))));
    }
}

#[test]
fn parts_go_where_their_own_token_goes() {
    fn check<P>(placement: &P)
    where
        P: Clone + for<'k> Placement<Position<'k> = Token>,
    {
        let mut rng = Rng::new(37);
        for bits in [0, 1, 5, 10, 32] {
            let parts = Partitions::new(placement.clone(), bits).unwrap();
            assert_eq!(parts.zones(), placement.zones());
            assert_eq!(parts.position(b"key"), placement.position(b"key"));
            for _ in 0..100 {
                let at = Token::new(rng.next_u64());
                let part = (u128::from(at.get()) >> (64 - bits)) as u64;
                assert_eq!(parts.partition_of(at), part);
                let direct = placement.preference_list(Token::new(mix(part + 1)), 3, 2);
                assert_eq!(parts.preference_list(at, 3, 2), direct);
                assert_eq!(parts.replicas_at(at, 3), parts.replicas(at, 3));
                let last = parts.end_of_range(at);
                assert!(last >= at && parts.partition_of(last) == part);
                assert!(last == Token::MAX || parts.partition_of(last.next()) == part + 1);
            }
        }
    }
    let mut nodes = Rendezvous::<Heap>::new(KeyHash::default());
    let mut buckets = Jump::<Heap>::new(KeyHash::default());
    for id in 1..=9 {
        let member = Member::new(node(id)).in_zone(Zone::new((id % 3) as u16));
        nodes.add(member).unwrap();
        buckets.add(member).unwrap();
    }
    check(&nodes);
    check(&buckets);
}

#[test]
fn slots_match_an_array_of_all_slots() {
    let mut rng = Rng::new(38);
    let all = || (0..16_384).map(|slot| Slot::new(slot).unwrap());
    for _ in 0..30 {
        let count = 1 + rng.below(6);
        let members: Vec<_> = (1..=count)
            .map(|id| Member::new(node(id)).in_zone(Zone::new((id % 2) as u16)))
            .collect();
        let mut slots = Slots::<Heap>::even(&members).unwrap();
        let mut array: Vec<_> = all().map(|slot| slots.owner(slot)).collect();
        assert!(array.iter().all(Option::is_some));
        let mut left: BTreeSet<u64> = (1..=count).collect();
        for _ in 0..20 {
            let id = 1 + rng.below(count);
            if rng.chance(1, 6) {
                let known = left.remove(&id);
                assert_eq!(slots.remove(node(id)).is_ok(), known);
                array
                    .iter_mut()
                    .filter(|owner| **owner == Some(node(id)))
                    .for_each(|owner| *owner = None);
            } else if left.contains(&id) {
                let mut ends = [0, 0].map(|_| {
                    [rng.below(16_384), rng.below(20), 16_383 - rng.below(20)]
                        [rng.below(3) as usize]
                });
                ends.sort_unstable();
                let [first, last] = ends.map(|slot| Slot::new(slot as u16).unwrap());
                slots.assign(first, last, node(id)).unwrap();
                array[ends[0] as usize..=ends[1] as usize].fill(Some(node(id)));
            }
            assert_eq!(slots.members().len(), left.len());
            let mut changes: Vec<u64> =
                (1..16_384).filter(|at| array[*at] != array[at - 1]).map(|at| at as u64).collect();
            changes.extend([0, 16_384]);
            changes.sort_unstable();
            for pair in changes.windows(2) {
                let owner = array[pair[0] as usize];
                for at in [pair[0], pair[1] - 1] {
                    assert_eq!(slots.owner(Slot::new(at as u16).unwrap()), owner, "{at}");
                    // ranges are as long as they can be
                    assert_eq!(slots.end_of_range(Token::new(at)), Token::new(pair[1] - 1));
                }
                // without an owner there is nobody; otherwise all that own slots come
                let list = slots.preference_list(Slot::new(pair[0] as u16).unwrap(), 2, 9);
                let owning: BTreeSet<_> = array.iter().flatten().copied().collect();
                let expected = if owner.is_some() { owning.len() } else { 0 };
                assert_eq!(list.nodes().len(), expected);
                let zones: BTreeSet<_> =
                    list.replicas().iter().map(|node| node.get() % 2).collect();
                let most: BTreeSet<_> = owning.iter().map(|node| node.get() % 2).collect();
                assert_eq!(slots.zones(), most.len());
                assert_eq!(zones.len(), if owner.is_some() { most.len() } else { 0 });
            }
            for id in &left {
                let count = array.iter().filter(|owner| **owner == Some(node(*id))).count();
                assert_eq!(slots.count(node(*id)), count);
            }
        }
        // the same assignments are the same value, however they were made
        let mut other = Slots::<Heap>::new();
        members
            .iter()
            .filter(|member| left.contains(&member.id.get()))
            .for_each(|member| other.add(*member).unwrap());
        for (slot, owner) in all().zip(&array) {
            if let Some(owner) = owner {
                other.assign(slot, slot, *owner).unwrap();
            }
        }
        assert_eq!(slots, other);
    }
}

#[test]
fn ranges_match_a_sorted_map() {
    let mut rng = Rng::new(39);
    for _ in 0..40 {
        let mut table = Ranges::<ranges::Inline<6, 3, 2>>::new(&[node(1)]).unwrap();
        let mut model: BTreeMap<Vec<u8>, Vec<NodeId>> = BTreeMap::from([(vec![], vec![node(1)])]);
        let key = |rng: &mut Rng| -> Vec<u8> {
            (0..rng.below(5)).map(|_| [0, b'a', b'b', 0xff][rng.below(4) as usize]).collect()
        };
        for _ in 0..60 {
            // mostly a boundary that there is
            let known = model.keys().nth(rng.below(model.len() as u64) as usize).cloned();
            let at = if rng.chance(1, 2) { known.unwrap() } else { key(&mut rng) };
            let before = table.clone();
            let result = match rng.below(3) {
                0 => {
                    let fits = !model.contains_key(&at) && at.len() <= 3 && model.len() < 6;
                    if fits {
                        let (_, nodes) = model.range(..at.clone()).next_back().unwrap();
                        let nodes = nodes.clone();
                        model.insert(at.clone(), nodes);
                    }
                    (table.split(&at).is_ok(), fits)
                }
                1 => {
                    let left = model.range(..at.clone()).next_back().map(|(_, nodes)| nodes);
                    let fits = left.is_some() && left == model.get(&at);
                    if fits {
                        model.remove(&at);
                    }
                    (table.merge(&at).is_ok(), fits)
                }
                _ => {
                    let nodes: Vec<_> = (0..rng.below(4)).map(|_| node(1 + rng.below(2))).collect();
                    let distinct = nodes.iter().collect::<BTreeSet<_>>().len() == nodes.len();
                    let fits = model.contains_key(&at) && distinct && !nodes.is_empty();
                    if fits {
                        model.insert(at.clone(), nodes.clone());
                    }
                    (table.assign(&at, &nodes).is_ok(), fits)
                }
            };
            assert_eq!(result.0, result.1);
            assert!(result.0 || table == before);
            assert_eq!(table.len(), model.len());
            let ends = model.keys().skip(1).map(|key| Some(&key[..])).chain([None]);
            for ((range, (start, nodes)), end) in table.iter().zip(&model).zip(ends) {
                assert_eq!((range.start, range.end, range.nodes), (&start[..], end, &nodes[..]));
            }
            for _ in 0..10 {
                let key = key(&mut rng);
                let (start, nodes) = model.range(..=key.clone()).next_back().unwrap();
                let range = table.range_of(&key);
                assert_eq!((range.start, range.nodes), (&start[..], &nodes[..]));
                assert_eq!(table.iter().filter(|range| range.contains(&key)).count(), 1);
                assert!(range.contains(&key));
                assert_eq!(table.zones(), 1);
                let at = table.position(&key);
                assert_eq!(at, key);
                assert_eq!(table.replicas(at, nodes.len()).replicas(), nodes);
                // no node that the range was not assigned to, however many are asked for
                let list = table.preference_list(at, 3, 2);
                assert_eq!(list.replicas(), nodes);
                assert!(list.fallbacks().iter().all(|node| !nodes.contains(node)));
                let list = table.preference_list(at, 1, 2);
                assert_eq!(list.replicas(), &nodes[..1]);
                assert!(list.nodes().starts_with(nodes), "then the others that hold it");
                assert_eq!(table.owner(at), nodes.first().copied());
                // those of the ranges behind it, once round
                let from = model.range(start.clone()..).chain(model.range(..start.clone()));
                let walk: Vec<_> = from.flat_map(|(_, nodes)| nodes.clone()).collect();
                assert!(table.walk(at).map(|(node, _)| node).eq(walk));
            }
        }
    }
}

#[test]
fn split_key_leaves_a_share_of_the_load_on_either_side() {
    let mut rng = Rng::new(40);
    let mut found = 0;
    for seed in 0..60 {
        let mut finder = SplitFinder::<16, 2>::new(seed);
        let hot = rng.below(8);
        let percent = rng.below(70);
        let mut loads = [0_u64; 8];
        for _ in 0..4_000 {
            let key = if rng.chance(percent, 100) { hot } else { rng.below(8) };
            loads[key as usize] += 1;
            finder.record(&[7, key as u8]);
        }
        match finder.split_key() {
            Ok(key) => {
                found += 1;
                let [7, at] = *key else { panic!("{key:?}") };
                let left: u64 = loads[..usize::from(at)].iter().sum();
                let smaller = left.min(4_000 - left);
                assert!(smaller >= 800, "{smaller} of {loads:?}");
            }
            Err(_) => assert!(loads[hot as usize] > 1_500, "{loads:?}"),
        }
    }
    assert!(found > 20, "{found}");
}

#[test]
fn probabilities_are_those_of_all_subsets() {
    for n in 1..=7_u8 {
        for w in 1..=n {
            for r in 1..=n {
                // the write went to the first w
                let written = (1_u32 << w) - 1;
                let reads = (0..1_u32 << n).filter(|read| read.count_ones() == u32::from(r));
                let (mut all, mut stale) = (0_u128, 0_u128);
                for read in reads {
                    all += 1;
                    stale += u128::from(read & written == 0);
                }
                let one = Fraction::new(stale, all).unwrap();
                assert_eq!(stale_read(n, r, w), Ok(one), "{n} {r} {w}");
                assert_eq!(one.millionths(), (stale * 1_000_000 / all) as u64);
                for k in 0..4 {
                    let expected = Fraction::new(stale.pow(k), all.pow(k)).unwrap();
                    assert_eq!(stale_by(n, r, w, k), Ok(expected));
                }
            }
        }
    }
    // in lowest terms it fits, and would not in between if the 204 were taken one by one
    assert!(stale_read(255, 204, 40).is_ok());
    assert_eq!(stale_read(255, 204, 40), stale_read(255, 40, 204));
    assert_eq!(Fraction::new(6, 8).unwrap().to_string(), "3/4");
}

#[test]
fn modulo_takes_the_nodes_in_their_order() {
    let mut rng = Rng::new(41);
    let mut nodes = Modulo::<Heap>::new(KeyHash::default());
    let mut ids = BTreeSet::new();
    for _ in 0..60 {
        let id = rng.below(9);
        if ids.insert(id) {
            nodes.add(Member::new(node(id)).in_zone(Zone::new((id % 4) as u16))).unwrap();
        } else {
            ids.remove(&id);
            nodes.remove(node(id)).unwrap();
        }
        assert!(nodes.members().iter().map(|member| member.id.get()).eq(ids.iter().copied()));
        let zones: BTreeSet<_> = ids.iter().map(|id| id % 4).collect();
        assert_eq!(nodes.zones(), zones.len());
        let token = nodes.position(b"key");
        assert_eq!(token, KeyHash::default().token(b"key"));
        let first = token.get().checked_rem(ids.len() as u64).unwrap_or(0) as usize;
        let expected = ids.iter().skip(first).chain(ids.iter().take(first));
        assert!(nodes.walk(token).map(|(node, _)| node.get()).eq(expected.copied()));
    }
}
