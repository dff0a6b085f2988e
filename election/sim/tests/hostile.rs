//! Hostile inputs to election nodes and detectors: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::{Target, replay};
use quorate_core::{Declared, Rng};
use quorate_election::{bully, ring};
use quorate_election_sim::{detectors, hostile};
use quorate_sim::hostile::Outcomes;

#[test]
fn decoder_corpus_passes() {
    replay("election_decode", hostile::decode);
}

#[test]
fn input_corpus_passes() {
    replay("election_inputs", hostile::inputs);
}

#[test]
fn detector_corpus_passes() {
    replay("election_detectors", detectors);
}

#[test]
fn random_inputs_pass() {
    let mut rng = Rng::new(1);
    let mut outcomes = Outcomes::default();
    for round in 0..4_000 {
        let len = rng.below(200) as usize;
        let data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        for target in [hostile::decode as Target, detectors] {
            target(&data).unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}"));
        }
        let result = hostile::outcomes(&data);
        outcomes.merge(result.unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}")));
    }
    let rejected = outcomes.rejected_kinds();
    let variants = [bully::Message::SHAPE, ring::Message::SHAPE].map(|shape| shape.variants);
    let mut names = variants.into_iter().flatten().map(|variant| variant.name);
    let accepted = names.all(|name| outcomes.accepted(name) >= 20);
    assert!(accepted && rejected >= 36, "{rejected} kinds of rejections\n{outcomes}");
}
