//! Seeds of Paxos with every fault on.
//!
//! `SEEDS=8000 cargo test --release -p quorate-paxos-sim --test all seeds -- --nocapture` looks further, and tells how long it took to choose
//! a value once faults had stopped.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_paxos_sim::{OnHeap, OnInline, REQUIRED_MARKS};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

/// Even seeds have the heap storage, odd ones the inline storage.
#[test]
fn one_value_is_chosen_and_learned() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seeds, from) = (number("SEEDS").unwrap_or(500), number("FROM").unwrap_or(1));
    let campaign = Campaign { from, seeds, nodes: None, threads: 2, rerun_every: 10 };
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
        "{seeds} seeds, {} messages, {} crashes; chosen after {:?}, {:?} and {:?} of 8,000 (half, 99 of 100, all); {} messages in a second, {} outputs in a step",
        summary.delivered,
        summary.crashes,
        of(&summary.leader_after, 500),
        of(&summary.leader_after, 990),
        summary.leader_after.last(),
        summary.max_messages_per_second,
        summary.max_outputs_per_step,
    );
    assert_eq!(summary.missing_marks(REQUIRED_MARKS), [""; 0]);
}

/// `drain` makes what repeated `poll` makes, before each input and after, and comparing them changes no run.
#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=10).for_each(check::<OnHeap>);
    (1..=10).for_each(check::<OnInline>);
}
