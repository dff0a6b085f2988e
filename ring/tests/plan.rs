//! Plans from one placement to another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use quorate_core::{NodeId, Rng};
use quorate_ring::{
    Divided, HashRing, Inline, KeyHash, Member, Move, Partitions, Plan, Rendezvous, Slot, Slots,
    Token, TokenRange, Zone,
};

use crate::plan_model::least;
use crate::worked_examples::ring;

const A: NodeId = NodeId::new(1);
const B: NodeId = NodeId::new(2);
const C: NodeId = NodeId::new(3);
const D: NodeId = NodeId::new(4);

const fn range(first: u64, last: u64) -> TokenRange {
    TokenRange::new(Token::new(first), Token::new(last))
}

#[test]
fn new_member_gains_from_those_that_lose() {
    let old = ring(&[(A, 0, &[10, 40]), (B, 0, &[25, 70]), (C, 0, &[55, 85])]);
    let mut new = old.clone();
    new.add_at(Member::new(D), &[Token::new(50)]).unwrap();
    let moves: Vec<_> = Plan::new(&old, &new, 2).unwrap().moves().collect();
    assert_eq!(
        moves,
        [
            Move::Copy { range: range(26, 40), from: Some(C), to: D },
            Move::Copy { range: range(41, 50), from: Some(B), to: D },
            Move::Drop { range: range(26, 40), from: C },
            Move::Drop { range: range(41, 50), from: B },
        ]
    );
}

#[test]
fn range_over_the_end_is_one_move() {
    let old = ring(&[(A, 0, &[10, 40]), (B, 0, &[25])]);
    let mut new = old.clone();
    new.add_at(Member::new(D), &[Token::new(12)]).unwrap();
    new.remove(A).unwrap();
    let moves: Vec<_> = Plan::new(&old, &new, 1).unwrap().moves().collect();
    let moved = range(26, 10); // A had it, and D has it
    assert_eq!(
        moves,
        [
            Move::Copy { range: range(11, 12), from: Some(B), to: D },
            Move::Copy { range: moved, from: Some(A), to: D },
            Move::Drop { range: range(11, 12), from: B },
            Move::Drop { range: moved, from: A },
        ]
    );
}

/// Applies the moves to who holds each of some tokens, and demands that nothing is lost on the way.
fn check<P: Divided>(old: &P, new: &P, replicas: usize, tokens: &[Token]) -> usize {
    let list = |placement: &P, token| {
        let mut nodes = placement.replicas_at(token, replicas).replicas().to_vec();
        nodes.sort_unstable();
        nodes
    };
    let mut held: Vec<Vec<NodeId>> = tokens.iter().map(|token| list(old, *token)).collect();
    let mut count = 0;
    for one in Plan::new(old, new, replicas).unwrap().moves() {
        count += 1;
        for (token, holders) in tokens.iter().zip(&mut held) {
            match one {
                Move::Copy { range, from, to } if range.contains(*token) => {
                    assert!(from.is_none_or(|from| holders.contains(&from)), "{one} has no source");
                    assert!(!holders.contains(&to), "{one} is known already");
                    holders.push(to);
                }
                Move::Drop { range, from } if range.contains(*token) => {
                    let least = least(list(old, *token).len(), list(new, *token).len());
                    assert!(holders.len() > least, "{one} comes too early");
                    let place = holders.iter().position(|node| *node == from).unwrap();
                    holders.remove(place);
                }
                _ => {}
            }
        }
    }
    for (token, mut holders) in tokens.iter().zip(held) {
        holders.sort_unstable();
        let left = if list(new, *token).is_empty() { list(old, *token) } else { list(new, *token) };
        assert_eq!(holders, left, "{token}");
    }
    count
}

#[test]
fn plans_keep_every_replica() {
    type Ring = HashRing<Inline<8, 64>>;
    let mut rng = Rng::new(1);
    for round in 0..300 {
        let mut old = Ring::new(KeyHash::new([round, 0]), 1 + rng.below(4) as u16);
        let member = |rng: &mut Rng| {
            let id = NodeId::new(1 + rng.below(6));
            Member::new(id).in_zone(Zone::new(rng.below(3) as u16))
        };
        for _ in 0..rng.below(6) {
            let _ = old.add(member(&mut rng));
        }
        let mut new = old.clone();
        for _ in 0..rng.below(4) {
            let _ = new.add(member(&mut rng));
            let _ = new.remove(NodeId::new(1 + rng.below(6)));
        }
        let tokens: Vec<_> = (0..200).map(|_| Token::new(rng.next_u64())).collect();
        check(&old, &new, 1 + rng.below(4) as usize, &tokens);
    }
}

#[test]
fn plan_of_slots_moves_runs() {
    let members = [A, B, C].map(Member::new);
    let old = Slots::<Inline<3, 8>>::even(&members).unwrap();
    let mut new = old.clone();
    new.assign(Slot::new(100).unwrap(), Slot::new(199).unwrap(), C).unwrap();
    let moves: Vec<_> = Plan::new(&old, &new, 1).unwrap().moves().collect();
    let moved = range(100, 199);
    assert_eq!(
        moves,
        [Move::Copy { range: moved, from: Some(A), to: C }, Move::Drop { range: moved, from: A },]
    );
    let tokens: Vec<_> = (0..16_384).step_by(7).map(Token::new).collect();
    check(&old, &new, 2, &tokens);
}

/// Slots that are assigned to nobody keep the copies that there are.
#[test]
fn plan_never_drops_the_last_copies() {
    let members = [A, B, C].map(Member::new);
    let old = Slots::<Inline<3, 8>>::even(&members).unwrap();
    for replicas in 1..=3 {
        let mut new = old.clone();
        new.remove(B).unwrap();
        let orphaned = |one: &Move| match *one {
            Move::Drop { range, .. } => range.contains(Token::new(8_000)),
            _ => false,
        };
        assert!(!Plan::new(&old, &new, replicas).unwrap().moves().any(|one| orphaned(&one)));
        [A, C].into_iter().for_each(|node| new.remove(node).unwrap());
        assert_eq!(Plan::new(&old, &new, replicas).unwrap().moves().next(), None);
    }
}

#[test]
fn plan_of_partitions_moves_what_rendezvous_moves() {
    let mut nodes = Rendezvous::<Inline<8>>::new(KeyHash::default());
    (1..=5).for_each(|id| nodes.add(Member::new(NodeId::new(id))).unwrap());
    let old = Partitions::new(nodes.clone(), 7).unwrap();
    nodes.remove(C).unwrap();
    let new = Partitions::new(nodes, 7).unwrap();
    let tokens: Vec<_> = (0..128).map(|part| Token::new(part << 57 | 5)).collect();
    check(&old, &new, 3, &tokens);
    let moves = Plan::new(&old, &new, 1).unwrap().moves();
    let moved = moves.filter(|one| matches!(one, Move::Copy { from: Some(C), .. })).count();
    assert!((10..=40).contains(&moved), "about a fifth of 128 parts: {moved}");
}
