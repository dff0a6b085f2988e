//! Seeds of registers with every fault on.
//!
//! `SEEDS=8000 cargo test --release -p quorate-paxos-sim --test all register -- --nocapture` looks further.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_paxos_sim::{REGISTER_MARKS, RegisterOnHeap, RegisterOnInline};
use quorate_sim::{Campaign, Subject, run, run_comparing_drain};

/// Even seeds have the heap storage, odd ones the inline storage.
#[test]
fn registers_are_linearizable_and_answered() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seeds, from) = (number("SEEDS").unwrap_or(300), number("FROM").unwrap_or(1));
    let campaign = Campaign { from, seeds, nodes: None, threads: 2, rerun_every: 10 };
    let outcome = campaign.run_alternating::<RegisterOnHeap, RegisterOnInline>(|_| ());
    if let Some(violation) = outcome.violation {
        panic!("{violation}");
    }
    let summary = outcome.summary;
    for (mark, count) in summary.marks.iter() {
        println!("{count:>9} {mark}");
    }
    println!(
        "{seeds} seeds, {} messages, {} crashes; answered after {:?} of 8,000 at most; {} messages in a second, {} outputs in a step",
        summary.delivered,
        summary.crashes,
        summary.leader_after.last(),
        summary.max_messages_per_second,
        summary.max_outputs_per_step,
    );
    assert_eq!(summary.missing_marks(REGISTER_MARKS), [""; 0]);
}

/// `drain` makes what repeated `poll` makes, and comparing them changes no run.
#[test]
fn drain_of_registers_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=3).for_each(check::<RegisterOnHeap>);
    (1..=3).for_each(check::<RegisterOnInline>);
}
