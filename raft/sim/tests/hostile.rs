//! Hostile inputs to a Raft node: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::{Target, replay};
use quorate_core::Rng;
use quorate_raft_sim::hostile;

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
    for round in 0..20_000 {
        let len = rng.below(400) as usize;
        let data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        for target in [hostile::decode as Target, hostile::inputs] {
            if let Err(what) = target(&data) {
                panic!("round {round}: {what}\n{data:?}");
            }
        }
    }
}
