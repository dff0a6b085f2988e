//! Hostile bytes: random ones, and the corpus that fuzzing left behind (`cargo xtask fuzz`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod attack;

use std::path::Path;

use quorate_core::Rng;

type Target = fn(&[u8]) -> Result<(), String>;

fn replay(name: &str, target: Target) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if let Err(what) = target(&std::fs::read(&path).unwrap()) {
            panic!("{}: {what}", path.display());
        }
        count += 1;
    }
    assert!(count >= 20, "only {count} inputs in {}", folder.display());
}

#[test]
fn the_corpus_of_the_decoders() {
    replay("crdt_decode", attack::decode);
}

#[test]
fn the_corpus_of_messages() {
    replay("crdt_messages", attack::messages);
}

/// Small numbers, as those are what lengths, tags and counters are.
#[test]
fn random_bytes() {
    let mut rng = Rng::new(5);
    for _ in 0..40_000 {
        let len = 2 + rng.below(60) as usize;
        let most = 2 + rng.below(18);
        let mut data: Vec<u8> = (0..len).map(|_| rng.below(most) as u8).collect();
        attack::messages(&data).unwrap();
        data[0] = rng.below(18) as u8;
        attack::decode(&data).unwrap();
    }
}
