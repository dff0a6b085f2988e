//! Some seeds of the quorum store with every fault on.
#![allow(clippy::unwrap_used)]

use quorate_ring_sim::{
    LwwOnHeap, LwwOnInline, OnHeap, OnInline, SiblingsOnHeap, SiblingsOnInline,
};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

/// Runs seeds of both, and demands that each of these things has happened.
fn check<A: Subject, B: Subject>(also: &[&str]) {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seeds, from) = (number("SEEDS").unwrap_or(16), number("FROM").unwrap_or(1));
    let campaign = Campaign { from, seeds, nodes: None, threads: 2, rerun_every: 8 };
    let outcome = campaign.run_alternating::<A, B>(|_| ());
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    println!("{:?}", outcome.summary);
    for mark in COMMON.iter().chain(also) {
        assert!(outcome.summary.marks.get(mark) > 0, "there was no: {mark}");
    }
}

const COMMON: [&str; 9] = [
    "floor raised",
    "hints kept",
    "purged",
    "replicas changed",
    "session read",
    "session read of a purged key",
    "session write",
    "sloppy write",
    "swept",
];

#[test]
fn registers_keep_their_promises() {
    check::<OnHeap, OnInline>(&[]);
}

#[test]
fn the_last_write_wins() {
    check::<LwwOnHeap, LwwOnInline>(&["behind", "refused below the floor"]);
}

#[test]
fn siblings_are_neither_lost_nor_false() {
    check::<SiblingsOnHeap, SiblingsOnInline>(&["refused below the floor", "not a replica"]);
}

#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, Some(3));
        assert_eq!(compared.unwrap(), run::<S>(seed, Some(3), false).unwrap());
    }
    // the copies that are compared take much longer than the run
    check::<OnHeap>(1);
    check::<OnInline>(2);
    check::<LwwOnHeap>(3);
    check::<SiblingsOnHeap>(4);
}
