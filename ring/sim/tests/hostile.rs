//! Hostile inputs: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;

use corpus::replay;
use quorate_core::Rng;
use quorate_ring_sim::hostile;
use quorate_sim::hostile::Outcomes;

#[test]
fn decoder_corpus() {
    replay("ring_decode", hostile::decode);
}

#[test]
fn message_corpus() {
    replay("ring_messages", hostile::messages);
}

/// Small numbers, as those are what lengths, tags and counters are.
#[test]
fn random_bytes() {
    let mut rng = Rng::new(5);
    for _ in 0..40_000 {
        let len = 2 + rng.below(60) as usize;
        let most = 2 + rng.below(18);
        let mut data: Vec<u8> = (0..len).map(|_| rng.below(most) as u8).collect();
        data[0] = rng.below(11) as u8;
        hostile::decode(&data).unwrap_or_else(|what| panic!("{what}\n{data:?}"));
    }
}

#[test]
fn generated_messages() {
    let mut rng = Rng::new(8);
    let mut of_stores = Outcomes::default();
    let mut of_movers = Outcomes::default();
    for round in 0..4_000_u64 {
        let len = rng.below(300) as usize;
        let mut data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        // found it first, and begin hand-overs
        let machine = (round % 4) as u8;
        data.splice(..0, [machine, 11, rng.below(32) as u8, 13, 0]);
        let outcomes = hostile::outcomes(&data);
        let outcomes = outcomes.unwrap_or_else(|what| panic!("round {round}: {what}\n{data:?}"));
        if machine < 3 { &mut of_stores } else { &mut of_movers }.merge(outcomes);
    }
    let bodies = [
        "Write",
        "Hint",
        "Written",
        "Read",
        "Found",
        "Refused",
        "Topology",
        "Summary",
        "Same",
        "Differs",
        "Offer",
        "Want",
        "Swept",
        "SweptSeen",
        "Seal",
        "Sealed",
        "CatchUp",
    ];
    let rejected = of_stores.rejected_kinds();
    let accepted = bodies.into_iter().all(|body| of_stores.accepted(body) >= 100);
    assert!(accepted && rejected >= 24, "{rejected} kinds of rejections\n{of_stores}");
    let bodies =
        ["Begin", "Item", "Released", "Closed", "Gone", "Position", "Refused", "Lost", "Arrived"];
    let rejected = of_movers.rejected_kinds();
    let accepted = bodies.into_iter().all(|body| of_movers.accepted(body) >= 100);
    assert!(accepted && rejected >= 30, "{rejected} kinds of rejections\n{of_movers}");
}
