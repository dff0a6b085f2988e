//! Hostile inputs to nodes of a log: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::corpus::replay;
use quorate_core::{Declared, Rng};
use quorate_paxos::multi::Message;
use quorate_paxos_sim::multi::hostile;
use quorate_sim::hostile::Outcomes;

#[test]
fn decoder_corpus_passes() {
    replay("multi_decode", hostile::decode);
}

#[test]
fn input_corpus_passes() {
    replay("multi_inputs", hostile::inputs);
}

#[test]
fn random_inputs_pass() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let mut rng = Rng::new(1);
    let mut outcomes = Outcomes::default();
    for round in 0..rounds.unwrap_or(12_000) {
        let len = rng.below(300) as usize;
        let data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        hostile::decode(&data).unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}"));
        let result = hostile::outcomes(&data);
        outcomes.merge(result.unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}")));
    }
    println!("{outcomes}");
    let mut names = Message::SHAPE.variants.iter().map(|variant| variant.name);
    let accepted = names.all(|name| outcomes.accepted(name) >= 20);
    let rejected = outcomes.rejected_kinds();
    assert!(accepted && rejected >= 30, "{rejected} kinds of rejections\n{outcomes}");
}
