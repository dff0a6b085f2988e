//! Hostile bytes: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::replay;
use quorate_core::Rng;
use quorate_crdt_sim::hostile;

#[test]
fn decoder_corpus() {
    replay("crdt_decode", hostile::decode);
}

#[test]
fn message_corpus() {
    replay("crdt_messages", hostile::messages);
}

/// Small numbers, as those are what lengths, tags and counters are.
#[test]
fn random_bytes() {
    let mut rng = Rng::new(5);
    for _ in 0..40_000 {
        let len = 2 + rng.below(60) as usize;
        let most = 2 + rng.below(18);
        let mut data: Vec<u8> = (0..len).map(|_| rng.below(most) as u8).collect();
        hostile::messages(&data).unwrap();
        data[0] = rng.below(18) as u8;
        hostile::decode(&data).unwrap();
    }
}
