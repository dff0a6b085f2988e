//! Some seeds of migrations with every fault on.
#![allow(clippy::unwrap_used)]

use quorate_ring_sim::{MigrationOnHeap, MigrationOnInline};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

#[test]
fn each_key_has_one_owner_while_members_join_and_leave() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (from, seeds) = (number("FROM").unwrap_or(1), number("SEEDS").unwrap_or(10));
    let campaign = Campaign { from, seeds, nodes: None, threads: 2, rerun_every: 5 };
    let outcome = campaign.run_alternating::<MigrationOnHeap, MigrationOnInline>(|_| ());
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    println!("{:?}", outcome.summary);
    // a run in which nothing moves proves nothing
    let marks = &outcome.summary.marks;
    let all = ["joins", "leaves", "handed over", "write forwarded", "canceled", "started over"];
    for mark in all.into_iter().chain(["placement changed", "stalled", "refused", "keys kept"]) {
        assert!(marks.get(mark) > 0, "{mark}: never");
    }
}

#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=2).for_each(check::<MigrationOnHeap>);
    (1..=2).for_each(check::<MigrationOnInline>);
}
