//! Hostile inputs to a Raft node: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::replay;
use quorate_core::{Declared, Rng};
use quorate_raft::Message;
use quorate_raft_sim::hostile;
use quorate_sim::hostile::Outcomes;

#[test]
fn decoder_corpus_passes() {
    replay("raft_decode", hostile::decode);
}

#[test]
fn input_corpus_passes() {
    replay("raft_inputs", hostile::inputs);
}

#[test]
fn random_inputs_pass() {
    let mut rng = Rng::new(1);
    let mut outcomes = Outcomes::default();
    for round in 0..20_000 {
        let len = rng.below(400) as usize;
        let data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        hostile::decode(&data).unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}"));
        let result = hostile::outcomes(&data);
        outcomes.merge(result.unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}")));
    }
    let rejected = outcomes.rejected_kinds();
    let mut names = Message::SHAPE.variants.iter().map(|variant| variant.name);
    let accepted = names.all(|name| outcomes.accepted(name) >= 200);
    assert!(accepted && rejected >= 63, "{rejected} kinds of rejections\n{outcomes}");
}
