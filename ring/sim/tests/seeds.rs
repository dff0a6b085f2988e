//! Some seeds of the quorum store with every fault on.
#![allow(clippy::unwrap_used)]

use quorate_ring_sim::{OnHeap, OnInline};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

#[test]
fn nothing_acknowledged_is_lost() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(100);
    let from = std::env::var("FROM").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    let campaign = Campaign { from, seeds, nodes: None, threads: 2, rerun_every: 20 };
    let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    println!("{:?}", outcome.summary);
}
#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=5).for_each(check::<OnHeap>);
    (1..=5).for_each(check::<OnInline>);
}
