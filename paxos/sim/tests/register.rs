//! Seeds of registers with every fault on.
//!
//! `SEEDS=8000 cargo test --release -p quorate-paxos-sim --test all register -- --nocapture` looks further.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::corpus::replay;
use quorate_core::{Declared, Rng};
use quorate_paxos::register::Message;
use quorate_paxos_sim::{
    REGISTER_MARKS, RegisterOnHeap, RegisterOnInline, register_hostile as hostile,
};
use quorate_sim::hostile::Outcomes;
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

#[test]
fn register_corpus_passes() {
    replay("paxos_register", hostile::inputs);
}

#[test]
fn random_inputs_to_registers_pass() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let mut rng = Rng::new(1);
    let mut outcomes = Outcomes::default();
    for round in 0..rounds.unwrap_or(4_000) {
        let len = rng.below(200) as usize;
        let data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        hostile::decode(&data).unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}"));
        let result = hostile::outcomes(&data);
        outcomes.merge(result.unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}")));
    }
    println!("{outcomes}");
    let mut names = Message::SHAPE.variants.iter().map(|variant| variant.name);
    let accepted = names.all(|name| outcomes.accepted(name) >= 20);
    let rejected = outcomes.rejected_kinds();
    assert!(accepted && rejected >= 20, "{rejected} kinds of rejections\n{outcomes}");
}
