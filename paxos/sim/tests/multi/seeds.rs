//! Seeds of Multi-Paxos with every fault on.
//!
//! `SEEDS=4000 cargo test --release -p quorate-paxos-sim --test all multi::seeds -- --nocapture` looks further, and tells how long elections took
//! once faults had stopped.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_paxos_sim::multi::{OnHeap, OnInline, REQUIRED_MARKS};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

/// With so many seeds, everything that is rare must have happened.
const MARKS_FROM: u64 = 400;

/// Even seeds have the heap storage, odd ones the inline storage.
#[test]
fn all_nodes_apply_the_same_log() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seeds, from) = (number("SEEDS").unwrap_or(40), number("FROM").unwrap_or(1));
    let campaign = Campaign { from, seeds, nodes: None, threads: 2, rerun_every: 20 };
    let outcome = campaign.run_alternating::<OnHeap, OnInline>(|_| ());
    if let Some(violation) = outcome.violation {
        panic!("{violation}");
    }
    let summary = outcome.summary;
    let of = |times: &[u64], share: usize| times.get(times.len() * share / 1_000).copied();
    for (mark, count) in summary.marks.iter() {
        println!("{count:>9} {mark}");
    }
    println!(
        "{seeds} seeds, {} messages, {} crashes, {} commands; leader after {:?}, {:?} and {:?} of \
         8,000 (half, 99 of 100, all), in partial partitions {:?} at most; {} messages in a second, \
         {} outputs in a step",
        summary.delivered,
        summary.crashes,
        summary.completed,
        of(&summary.leader_after, 500),
        of(&summary.leader_after, 990),
        summary.leader_after.last(),
        summary.partial_after.last(),
        summary.max_messages_per_second,
        summary.max_outputs_per_step,
    );
    let missing = summary.missing_marks(REQUIRED_MARKS);
    assert!(seeds < MARKS_FROM || missing.is_empty(), "{missing:?}");
}

/// `drain` makes what repeated `poll` makes, before each input and after, and comparing them changes no run.
#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=2).for_each(check::<OnHeap>);
    (1..=2).for_each(check::<OnInline>);
}
