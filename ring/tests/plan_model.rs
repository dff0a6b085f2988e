//! Plans against a comparison of the two placements at every token where one of them may change.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::{NodeId, Rng};
use quorate_ring::{
    Divided, HashRing, Heap, Inline, KeyHash, Member, Move, Partitions, Plan, Rendezvous, Slot,
    Slots, Token, TokenRange, Zone,
};

type Ring = HashRing<Inline<8, 32>>;

/// From whom to whom; a drop has no target.
type Change = (Option<NodeId>, Option<NodeId>);

/// What the documentation says of one token: each node that comes gets the keys from one that goes, or from the owner. Where nobody
/// is to have them, nobody drops them.
fn changes<P: Divided>(old: &P, new: &P, replicas: usize, at: Token) -> [Vec<Change>; 2] {
    let [old, new] = [old, new].map(|one| one.replicas_at(at, replicas).replicas().to_vec());
    let gone: Vec<_> = old.iter().copied().filter(|node| !new.contains(node)).collect();
    let come = new.iter().copied().filter(|node| !old.contains(node));
    let source = |number: usize| gone.get(number).or(old.first()).copied();
    let copies = come.enumerate().map(|(number, node)| (source(number), Some(node))).collect();
    let drops = gone.iter().filter(|_| !new.is_empty()).map(|node| (Some(*node), None)).collect();
    [copies, drops]
}

/// The ranges of each change: as long as they can be, between tokens where something may change. `wraps` says whether the last token is next
/// to the first.
fn longest(pieces: &[(TokenRange, Vec<Change>)], wraps: bool) -> BTreeSet<(Change, TokenRange)> {
    let mut found = BTreeSet::new();
    let all: BTreeSet<Change> = pieces.iter().flat_map(|(_, changes)| changes.clone()).collect();
    for change in all {
        let has = |at: usize| pieces[at].1.contains(&change);
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in (0..pieces.len()).filter(|at| has(*at)) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == at => *last = at,
                _ => runs.push((at, at)),
            }
        }
        if wraps && runs.len() > 1 && runs[0].0 == 0 && runs[runs.len() - 1].1 == pieces.len() - 1 {
            let (_, last) = runs.remove(0);
            runs.last_mut().unwrap().1 = last;
        }
        for (first, last) in runs {
            let range = TokenRange::new(pieces[first].0.first, pieces[last].0.last);
            assert!(found.insert((change, range)), "twice");
        }
    }
    found
}

/// Compares the plan with the longest ranges, and follows it step by step. `boundaries` are all tokens that may be the last of a range.
fn check<P: Divided>(
    old: &P,
    new: &P,
    replicas: usize,
    boundaries: &BTreeSet<u64>,
    wraps: bool,
) -> usize {
    let moves: Vec<Move> = Plan::new(old, new, replicas).unwrap().moves().collect();
    let ends: Vec<u64> = boundaries.iter().copied().collect();
    let starts = ends[ends.len() - 1..].iter().chain(&ends).map(|end| Token::new(*end).next());
    let first = if wraps { ends.len() - 1 } else { usize::MAX };
    let pieces = |phase: usize| -> Vec<(TokenRange, Vec<Change>)> {
        let starts = starts.clone().enumerate().map(|(place, start)| {
            if place == 0 && first == usize::MAX { Token::MIN } else { start }
        });
        let ranges = starts.zip(&ends).map(|(start, end)| TokenRange::new(start, Token::new(*end)));
        ranges
            .map(|range| (range, changes(old, new, replicas, range.last)[phase].clone()))
            .collect()
    };
    // nothing is missing, nothing is moved in vain, and no two moves could be one
    let expected = [0, 1].map(|phase| longest(&pieces(phase), wraps));
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for one in &moves {
        let (phase, change) = match *one {
            Move::Copy { range, from, to } => (0, ((from, Some(to)), range)),
            Move::Drop { range, from } => (1, ((Some(from), None), range)),
            _ => panic!("{one}"),
        };
        assert!(found[phase].insert(change), "{one} comes twice");
        assert!(phase == 1 || found[1].is_empty(), "{one} comes after the first drop");
    }
    for (range, each) in pieces(0).into_iter().chain(pieces(1)) {
        assert_eq!(each.len(), each.iter().collect::<BTreeSet<_>>().len());
        // a piece is one indeed
        let [first, last] = [range.first, range.last].map(|at| changes(old, new, replicas, at));
        assert_eq!(first, last, "{range}");
    }
    for (found, expected) in found.iter().zip(&expected) {
        // all of the circle is the same range wherever it begins
        let whole =
            |(change, range): &(Change, TokenRange)| match range.len() > u128::from(u64::MAX) {
                true => (*change, TokenRange::ALL),
                false => (*change, *range),
            };
        let [found, expected] =
            [found, expected].map(|set| set.iter().map(whole).collect::<BTreeSet<_>>());
        assert_eq!(found, expected);
    }
    safe_at_every_step(old, new, replicas, &moves, &pieces(0));
    moves.len()
}

/// Who has the data of each piece, step by step, and that a plan that is computed anew goes on from there.
fn safe_at_every_step<P: Divided>(
    old: &P,
    new: &P,
    replicas: usize,
    moves: &[Move],
    pieces: &[(TokenRange, Vec<Change>)],
) {
    let list = |placement: &P, at| -> BTreeSet<NodeId> {
        placement.replicas_at(at, replicas).replicas().iter().copied().collect()
    };
    let mut held: BTreeMap<Token, BTreeSet<NodeId>> =
        pieces.iter().map(|(range, _)| (range.first, list(old, range.first))).collect();
    for (step, one) in moves.iter().enumerate() {
        assert_eq!(Plan::new(old, new, replicas).unwrap().moves().nth(step).as_ref(), Some(one));
        for (at, holders) in &mut held {
            match *one {
                Move::Copy { range, from, to } if range.contains(*at) => {
                    let given = list(old, *at).is_empty();
                    assert!(from.map_or(given, |from| holders.contains(&from)), "{one}");
                    assert!(holders.insert(to), "{one} copies to a holder");
                }
                Move::Drop { range, from } if range.contains(*at) => {
                    assert!(holders.remove(&from), "{one} drops what is not there");
                }
                _ => {}
            }
            let least = least(list(old, *at).len(), list(new, *at).len());
            assert!(holders.len() >= least, "{one} leaves {holders:?} at {at}");
        }
    }
    for (at, holders) in held {
        let left = if list(new, at).is_empty() { list(old, at) } else { list(new, at) };
        assert_eq!(holders, left, "{at}");
    }
}

/// The fewest copies on the way: all that there are, where the new placement has nobody to keep them.
pub(crate) fn least(old: usize, new: usize) -> usize {
    if new == 0 { old } else { old.min(new) }
}

/// A ring of few tokens, which are near each other, near the end of the circle, or anywhere.
fn random_ring(rng: &mut Rng, boundaries: &mut BTreeSet<u64>, members: u64) -> Ring {
    let mut ring = Ring::new(KeyHash::default(), 1);
    for _ in 0..members {
        let tokens: Vec<u64> = (0..1 + rng.below(4))
            .map(|_| match rng.below(4) {
                0 => rng.next_u64(),
                1 => u64::MAX - rng.below(3),
                _ => rng.below(24),
            })
            .collect();
        boundaries.extend(&tokens);
        let tokens: Vec<Token> = tokens.into_iter().map(Token::new).collect();
        let member = Member::new(NodeId::new(1 + rng.below(7)));
        let _ = ring.add_at(member.in_zone(Zone::new(rng.below(3) as u16)), &tokens);
    }
    ring
}

#[test]
fn plan_between_rings_is_the_shortest_and_safe() {
    let mut rng = Rng::new(21);
    let mut wrapped = 0;
    for round in 0..250_u64 {
        let mut boundaries = BTreeSet::new();
        let members = rng.below(6);
        let old = random_ring(&mut rng, &mut boundaries, members);
        let new = match round % 4 {
            // the same, with a few changes
            0 | 1 => {
                let mut new = old.clone();
                for _ in 0..1 + rng.below(3) {
                    let _ = new.remove(NodeId::new(1 + rng.below(7)));
                    let token = rng.below(24);
                    boundaries.insert(token);
                    let member = Member::new(NodeId::new(1 + rng.below(7)));
                    let _ = new.add_at(
                        member.in_zone(Zone::new(rng.below(3) as u16)),
                        &[Token::new(token)],
                    );
                }
                new
            }
            // another one altogether
            _ => {
                let members = rng.below(6);
                random_ring(&mut rng, &mut boundaries, members)
            }
        };
        if boundaries.is_empty() {
            boundaries.insert(77);
        }
        for replicas in 1..=4 {
            check(&old, &new, replicas, &boundaries, true);
            assert_eq!(check(&old, &old, replicas, &boundaries, true), 0, "nothing changes");
        }
        let moves = Plan::new(&old, &new, 2).unwrap().moves();
        wrapped += moves
            .filter(|one| matches!(one, Move::Copy { range, .. } if range.first > range.last))
            .count();
    }
    assert!(wrapped > 30, "{wrapped} go over the end");
}

#[test]
fn plan_from_a_ring_without_members_gives_everything_and_one_to_it_drops_nothing() {
    let mut rng = Rng::new(22);
    for _ in 0..60 {
        let mut boundaries = BTreeSet::new();
        let full = random_ring(&mut rng, &mut boundaries, 4);
        let empty = Ring::new(KeyHash::default(), 1);
        for replicas in 1..=4 {
            check(&empty, &full, replicas, &boundaries, true);
            check(&full, &empty, replicas, &boundaries, true);
            let given = Plan::new(&empty, &full, replicas).unwrap().moves();
            assert!(given.clone().all(|one| matches!(one, Move::Copy { from: None, .. })));
            assert_eq!(
                Plan::new(&full, &empty, replicas).unwrap().moves().next(),
                None,
                "the last copies"
            );
            let tokens = |moves: quorate_ring::Moves<'_, Ring>| -> u128 {
                moves
                    .map(|one| match one {
                        Move::Copy { range, .. } => range.len(),
                        _ => 0,
                    })
                    .sum()
            };
            let held = full.members().len().min(replicas) as u128;
            assert_eq!(tokens(given), held << 64);
        }
        assert_eq!(Plan::new(&empty, &empty, 3).unwrap().moves().count(), 0);
    }
}

#[test]
fn plan_that_is_interrupted_goes_on() {
    let mut rng = Rng::new(23);
    for _ in 0..50 {
        let mut boundaries = BTreeSet::new();
        let [old, new] = [(); 2].map(|()| random_ring(&mut rng, &mut boundaries, 5));
        let all: Vec<Move> = Plan::new(&old, &new, 3).unwrap().moves().collect();
        let mut moves = Plan::new(&old, &new, 3).unwrap().moves();
        for done in 0..=all.len() {
            assert!(moves.clone().eq(all[done..].iter().copied()));
            let [old, new] = [old.clone(), new.clone()];
            assert!(
                Plan::new(&old, &new, 3)
                    .unwrap()
                    .moves()
                    .skip(done)
                    .eq(all[done..].iter().copied())
            );
            moves.next();
        }
        assert_eq!([moves.next(), moves.next()], [None; 2], "it stays at its end");
    }
}

#[test]
fn plan_of_a_large_ring_is_as_short_as_its_boundaries_allow() {
    let mut old = HashRing::<Heap>::new(KeyHash::default(), 20);
    (1..=12).for_each(|id| {
        old.add(Member::new(NodeId::new(id)).in_zone(Zone::new((id % 3) as u16))).unwrap();
    });
    let mut new = old.clone();
    new.add(Member::new(NodeId::new(20)).in_zone(Zone::new(1))).unwrap();
    new.remove(NodeId::new(5)).unwrap();
    let mut boundaries = BTreeSet::new();
    for ring in [&old, &new] {
        let mut at = ring.first_token();
        for _ in 0..ring.points() {
            boundaries.insert(ring.end_of_range(at).get());
            at = ring.end_of_range(at).next();
        }
        assert_eq!(at, ring.first_token());
    }
    for replicas in [1, 2, 3] {
        check(&old, &new, replicas, &boundaries, true);
    }
}

#[test]
fn plan_of_slots_is_the_shortest_and_safe() {
    let mut rng = Rng::new(24);
    let slot = |number: u64| Slot::new(number as u16).unwrap();
    for _ in 0..60 {
        let mut boundaries = BTreeSet::from([16_383]);
        let mut tables = Vec::new();
        for _ in 0..2 {
            let mut slots = Slots::<Inline<5, 24>>::new();
            (1..=5).for_each(|id| slots.add(Member::new(NodeId::new(id))).unwrap());
            for _ in 0..rng.below(7) {
                let mut ends = [rng.below(16_384), rng.below(16_384)];
                ends.sort_unstable();
                if rng.chance(1, 4) {
                    ends[0] = 0;
                }
                slots.assign(slot(ends[0]), slot(ends[1]), NodeId::new(1 + rng.below(5))).unwrap();
                boundaries.extend([ends[0].saturating_sub(1), ends[1]]);
            }
            tables.push(slots);
        }
        for replicas in 1..=3 {
            check(&tables[0], &tables[1], replicas, &boundaries, false);
            assert_eq!(check(&tables[0], &tables[0], replicas, &boundaries, false), 0);
        }
    }
}

#[test]
fn plan_of_parts_is_the_shortest_and_safe() {
    let mut nodes = Rendezvous::<Inline<8>>::new(KeyHash::default());
    (1..=5).for_each(|id| nodes.add(Member::new(NodeId::new(id))).unwrap());
    let before = nodes.clone();
    nodes.remove(NodeId::new(2)).unwrap();
    nodes.add(Member::new(NodeId::new(9)).with_weight(2)).unwrap();
    for (old, new) in [(6, 6), (3, 6), (6, 3), (0, 2), (0, 0)] {
        let bits = old.max(new);
        let boundaries =
            (1..=1_u128 << bits).map(|part| ((part << (64 - bits)) - 1) as u64).collect();
        let [old, new] = [
            Partitions::new(before.clone(), old).unwrap(),
            Partitions::new(nodes.clone(), new).unwrap(),
        ];
        for replicas in [1, 3] {
            check(&old, &new, replicas, &boundaries, true);
        }
    }
}
