//! Hostile bytes: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::replay;
use quorate_clocks::causal::Message;
use quorate_clocks_sim::hostile;
use quorate_core::{Declared, Rng};
use quorate_sim::hostile::Outcomes;

#[test]
fn decoder_corpus() {
    replay("clocks_decode", hostile::decode);
}

#[test]
fn message_corpus() {
    replay("causal_messages", hostile::messages);
}

/// The oracle took what the member refuses, a message of a stranger, for what was told of an own
/// broadcast.
#[test]
fn rejected_input_does_not_reach_the_oracle() {
    hostile::messages(&[0, 0, 1, 0, 255, 10, 0, 1, 0, 2, 1, 0, 0, 1, 1, 0, 1, 0]).unwrap();
    // nor does an own broadcast that comes back, with causes that it did not have, while it is on
    // its way to the disk
    hostile::messages(&[1, 0, 2, 9, 0, 1, 0, 1, 1, 3, 0, 9, 0]).unwrap();
}

/// Bytes hardly ever make a claim and the answer that confirms it.
#[test]
fn false_claims_stop_only_when_confirmed() {
    let (mut rng, mut stopped) = (Rng::new(7), 0);
    for _ in 0..2_000 {
        let mut data = Vec::new();
        for _ in 0..20 {
            let (boot, request, relay) = (1 + rng.below(2), rng.below(2), rng.below(2));
            let claim =
                [1, boot as u8, request as u8, relay as u8, 1, 1, 0, 1 + rng.below(2) as u8];
            match rng.below(4) {
                0 => data.extend([0, 0]),
                1 if rng.chance(1, 9) => data.extend([1, 0]),
                from => data.extend([2 + from as u8 % 2, 8].iter().chain(&claim)),
            }
        }
        stopped += u64::from(hostile::outcomes(&data).unwrap().1);
    }
    assert!(stopped > 500, "{stopped}");
}

/// Small numbers, as those are what lengths, tags and counters are.
#[test]
fn random_bytes() {
    let mut rng = Rng::new(6);
    for _ in 0..40_000 {
        let len = 2 + rng.below(60) as usize;
        let most = 2 + rng.below(18);
        let mut data: Vec<u8> = (0..len).map(|_| rng.below(most) as u8).collect();
        hostile::messages(&data).unwrap();
        data[0] = rng.below(7) as u8;
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
                if rng.chance(1, 4) { rng.below(2) } else { 128 + rng.below(5) } as u8,
                len,
            ]);
            data.extend((0..len).map(|_| rng.next_u64() as u8));
        }
        outcomes.merge(hostile::outcomes(&data).unwrap().0);
    }
    let rejected = outcomes.rejected_kinds();
    let mut names = Message::SHAPE.variants.iter().map(|variant| variant.name);
    let accepted = names.all(|name| outcomes.accepted(name) >= 1_000);
    assert!(accepted && rejected >= 8, "{rejected} kinds of rejections\n{outcomes}");
}
