//! Hostile bytes: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::replay;
use quorate_core::Rng;
use quorate_crdt_sim::hostile;
use quorate_sim::hostile::Outcomes;

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

#[test]
fn generated_messages() {
    let mut rng = Rng::new(8);
    let mut outcomes = Outcomes::default();
    for _ in 0..4_000 {
        let mut data = Vec::new();
        for _ in 0..20 {
            let len = rng.below(24) as u8;
            data.extend([
                if rng.chance(1, 4) { rng.below(3) } else { 131 + rng.below(4) } as u8,
                len,
            ]);
            data.extend((0..len).map(|_| rng.next_u64() as u8));
        }
        outcomes.merge(hostile::outcomes(&data).unwrap());
    }
    let rejected = outcomes.rejected_kinds();
    let mut bodies = ["Ack", "Digest", "Deltas", "State", "FormerGeneration"].into_iter();
    let accepted = bodies.all(|body| outcomes.accepted(body) >= 1_000);
    assert!(accepted && rejected >= 17, "{rejected} kinds of rejections\n{outcomes}");
}
