//! A few seeds of Raft with every fault on; `cargo xtask sim` runs thousands.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_raft_sim::{OnHeap, OnInline};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

#[test]
fn no_violations() {
    let campaign = Campaign { from: 1, seeds: 40, nodes: None, threads: 2, rerun_every: 20 };
    let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    let summary = outcome.summary;
    assert_eq!((summary.seeds, summary.rerun), (40, 2));
    assert!(summary.crashes > 40, "hardly anything crashed: {}", summary.crashes);
    assert!(summary.completed > 40 * 100, "hardly anything was done: {}", summary.completed);
    for mark in ["snapshot installed", "entries replaced", "log full", "power loss"] {
        assert!(summary.marks.get(mark) > 0, "never happened: {mark}");
    }
}

#[test]
fn no_violations_in_small_clusters() {
    for nodes in [1, 2] {
        let campaign =
            Campaign { from: 1, seeds: 8, nodes: Some(nodes), threads: 2, rerun_every: 8 };
        let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
        assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    fn check<S: Subject>(seed: u64) {
        let first = run::<S>(seed, None, false).unwrap();
        assert_eq!(run::<S>(seed, None, false).unwrap(), first);
        assert_ne!(run::<S>(seed + 1, None, false).unwrap().fingerprint, first.fingerprint);
    }
    check::<OnHeap>(7);
    check::<OnInline>(7);
}

/// `drain` makes what repeated `poll` makes, before each input and after, and comparing them changes no run.
#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=3).for_each(check::<OnHeap>);
    (1..=3).for_each(check::<OnInline>);
}
