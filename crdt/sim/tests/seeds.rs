//! Some seeds of replicas with every fault on.
#![allow(clippy::unwrap_used)]

use quorate_crdt_sim::{OnHeap, OnInline};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

#[test]
fn replicas_converge_and_lose_nothing_durable() {
    let campaign = Campaign { from: 1, seeds: 160, nodes: None, threads: 2, rerun_every: 20 };
    let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    let summary = outcome.summary;
    assert!(summary.crashes > 100, "hardly anything crashed: {}", summary.crashes);
    assert!(summary.completed > 100 * 100, "hardly anything was done: {}", summary.completed);
    let marks = [
        "full",
        "kept",
        "removed for good",
        "crash after a change",
        "crash when full",
        "power loss",
        "disk damaged",
        "checkpoint",
        "old message replayed",
        "disk erased in the middle",
        "amnesiac: told of unknown updates",
        "amnesiac: refuses",
        "amnesiac: stopped",
    ];
    for mark in marks {
        assert!(summary.marks.get(mark) > 0, "never happened: {mark}");
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    for seed in [3, 4] {
        let first = run::<OnInline>(seed, None, false).unwrap();
        assert_eq!(run::<OnInline>(seed, None, false).unwrap(), first);
    }
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
