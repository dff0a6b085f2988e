//! Topologies are a join-semilattice, also where members are forgotten too early; and where they are not, no change is lost.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use crate::common::{List, change, change_or_forget, histories};
use proptest::prelude::*;
use quorate_core::{Field, NodeId, Rng, Source, Wire};
use quorate_ring::topology::{Entry, MemberState};

fn joined(one: &List, other: &List) -> List {
    let mut both = one.clone();
    let changed = both.merge(other).unwrap();
    assert_eq!(changed, both != *one);
    both
}

fn laws([a, b, c]: [&List; 3]) {
    let all = joined(&joined(a, b), c);
    assert_eq!(joined(a, b), joined(b, a), "commutative");
    assert_eq!(all, joined(a, &joined(b, c)), "associative");
    assert_eq!(joined(a, a), *a, "idempotent");
    for one in [a, b, c] {
        assert_eq!(joined(&all, one), all, "inflationary");
        assert!(*one <= all);
    }
    for (x, y) in [(a, b), (b, c), (c, a), (a, &all), (a, a)] {
        assert_eq!(x <= y, joined(x, y) == *y);
        assert_eq!(x >= y, joined(x, y) == *x);
    }
    assert_eq!(joined(a, b).version(), joined(b, a).version());
    let bytes = all.to_vec();
    assert_eq!(List::from_slice(&bytes), Ok(all), "a merge of sound lists is sound");
}

#[test]
fn random_histories_satisfy_the_laws() {
    for seed in 0..3_000 {
        let mut rng = Rng::new(seed);
        let steps = rng.below(40);
        let ([a, b, c], _) = histories(&mut rng, steps);
        laws([&a, &b, &c]);
    }
}

proptest! {
    /// Also lists that nobody made, as a hostile node sends them.
    #[test]
    fn any_lists_satisfy_the_laws(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        let mut source = Source::new(&bytes, &[3, 4]);
        let mut list = || List::generate(&mut source);
        laws([&list(), &list(), &list()]);
    }
}

#[test]
fn change_is_a_merge_of_its_delta() {
    let mut rng = Rng::new(2);
    for _ in 0..200 {
        let mut list = List::new();
        let mut deltas = Vec::new();
        for _ in 0..rng.below(40) {
            let before = list.clone();
            match change_or_forget(&mut list, &mut rng) {
                Ok(delta) if delta == List::new() => assert_eq!(list, before, "no moves"),
                Ok(delta) => {
                    assert_eq!(joined(&before, &delta), list);
                    assert!(before < list, "a change goes up");
                    assert!(list.epoch() > before.epoch());
                    deltas.push(delta);
                }
                Err(_) => assert_eq!(list, before),
            }
        }
        // in any order
        let mut all = List::new();
        while !deltas.is_empty() {
            let at = rng.below(deltas.len() as u64) as usize;
            all.merge(&deltas.swap_remove(at)).unwrap();
        }
        assert_eq!(all, list);
    }
}

#[test]
fn gossip_converges_whatever_was_changed_at_once() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let (lists, deltas) = histories::<4>(&mut rng, 40);
        let all = lists.iter().fold(List::new(), |all, list| joined(&all, list));
        let of_deltas = deltas.iter().rev().fold(List::new(), |all, delta| joined(&all, delta));
        assert_eq!(all, of_deltas);
        assert_eq!(all.version(), of_deltas.version());
    }
}

/// A list that never forgets: of each node the greatest entry.
type Model = BTreeMap<NodeId, Entry>;

fn note(model: &mut Model, entry: Entry) {
    let known = model.entry(entry.member().id).or_insert(entry);
    *known = (*known).max(entry);
}

fn check(list: &List, model: &Model) {
    let is_there = |entry: &Entry| entry.state() != MemberState::Removed;
    let what = |entry: &Entry| (entry.state(), entry.member());
    let kept: Vec<_> = list.entries().iter().filter(|entry| is_there(entry)).map(what).collect();
    let expected: Vec<_> = model.values().filter(|entry| is_there(entry)).map(what).collect();
    assert_eq!(kept, expected);
    for removed in list.entries().iter().filter(|entry| !is_there(entry)) {
        assert!(model.get(&removed.member().id).is_some_and(|entry| !is_there(entry)));
    }
}

/// With what [`forget`](quorate_ring::topology::Topology::forget) asks for, lists that forget answer as those that never do.
#[test]
fn forgetting_what_all_know_loses_nothing() {
    let mut forgotten = 0;
    for seed in 0..2_000 {
        let mut rng = Rng::new(seed);
        let mut lists: [(List, Model); 4] = Default::default();
        // the last epoch at which all nodes reported one version
        let mut agreed = 0;
        for _ in 0..120 {
            let at = rng.below(4) as usize;
            let (list, model) = &mut lists[at];
            match rng.below(12) {
                0..5 => {
                    if let Ok(delta) = change(list, &mut rng) {
                        delta.entries().iter().for_each(|entry| note(model, *entry));
                    }
                }
                5 => {
                    let mut all = (List::new(), Model::new());
                    for (list, model) in &lists {
                        all.0.merge(list).unwrap();
                        model.values().for_each(|entry| note(&mut all.1, *entry));
                    }
                    lists.fill(all);
                    agreed = lists[0].0.epoch();
                }
                6..8 => {
                    // removed before all agreed
                    let known = |entry: &&Entry| {
                        entry.state() == MemberState::Removed && entry.changed() <= agreed
                    };
                    if let Some(id) = list.entries().iter().find(known).map(|one| one.member().id) {
                        list.forget(id).unwrap();
                        forgotten += 1;
                    }
                }
                _ => {
                    let (other, theirs) = lists[rng.below(4) as usize].clone();
                    let (list, model) = &mut lists[at];
                    list.merge(&other).unwrap();
                    theirs.values().for_each(|entry| note(model, *entry));
                }
            }
            lists.iter().for_each(|(list, model)| check(list, model));
        }
    }
    assert!(forgotten > 5_000, "{forgotten}");
}
