//! A few seeds of causal groups with every fault on.
#![allow(clippy::unwrap_used)]

use quorate_clocks_sim::{OnHeap, OnInline};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

#[test]
fn no_violations() {
    let campaign = Campaign { from: 1, seeds: 24, nodes: None, threads: 2, rerun_every: 12 };
    let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    let summary = outcome.summary;
    assert_eq!((summary.seeds, summary.rerun), (24, 2));
    assert!(summary.crashes > 24, "hardly anything crashed: {}", summary.crashes);
    assert!(summary.completed > 24 * 50, "hardly anything was done: {}", summary.completed);
    for mark in [
        "state merged",
        "state found again",
        "state found after the disk was erased",
        "gap told",
        "store full",
        "broadcast refused: busy",
        "read refused",
        "write refused",
        "power loss",
    ] {
        assert!(summary.marks.get(mark) > 0, "never happened: {mark}");
    }
}

#[test]
fn no_violations_in_groups_of_one_and_two() {
    for nodes in [1, 2] {
        let campaign =
            Campaign { from: 1, seeds: 8, nodes: Some(nodes), threads: 2, rerun_every: 8 };
        let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
        assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    let first = run::<OnInline>(7, None, false).unwrap();
    assert_eq!(run::<OnInline>(7, None, false).unwrap(), first);
    assert_ne!(run::<OnInline>(8, None, false).unwrap().fingerprint, first.fingerprint);
}

/// `drain` makes what repeated `poll` makes, before each input and after, and comparing them changes no run.
#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=5).for_each(check::<OnHeap>);
    (1..=5).for_each(check::<OnInline>);
}
