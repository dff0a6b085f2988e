//! The simulator must find what is wrong with a toy protocol, and nothing in the right one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Toy, bug};
use quorate_sim::{Campaign, Outcome, run};

fn campaign<const BUG: u8>(seeds: u64) -> Outcome {
    let campaign = Campaign { from: 1, seeds, nodes: None, threads: 2, rerun_every: 5 };
    campaign.run::<Toy<BUG>>(|_| ())
}

/// The bug is found within so many seeds, and described by these words; the seed it names shows it again.
fn found<const BUG: u8>(seeds: u64, words: &str) {
    let violation = campaign::<BUG>(seeds).violation;
    let violation = violation.unwrap_or_else(|| panic!("not found: {words}"));
    assert!(violation.what.contains(words), "{words:?} expected: {}", violation.what);
    assert!(violation.trace.lines().count() > 1, "no trace: {violation}");
    let again = run::<Toy<BUG>>(violation.seed, None, false).unwrap_err();
    assert_eq!(again.what, violation.what);
}

#[test]
fn nothing_is_wrong_with_the_right_one() {
    let outcome = campaign::<{ bug::NONE }>(60);
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    let summary = outcome.summary;
    assert_eq!((summary.seeds, summary.rerun), (60, 12));
    assert!(summary.completed > 60 * 100, "hardly anything was kept: {}", summary.completed);
    assert!(summary.crashes > 60, "hardly anything crashed: {}", summary.crashes);
}

#[test]
fn what_never_happened_is_named() {
    let summary = campaign::<{ bug::NONE }>(5).summary;
    let (happened, _) = summary.marks.iter().find(|(_, count)| *count > 0).unwrap();
    assert_eq!(summary.missing_marks(&[happened, "the sky fell"]), ["the sky fell"]);
    assert!(summary.missing_marks(&[happened]).is_empty());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 1..=10 {
        let first = run::<Toy<{ bug::NONE }>>(seed, None, false).unwrap();
        assert_eq!(run::<Toy<{ bug::NONE }>>(seed, None, false).unwrap(), first);
        let other = run::<Toy<{ bug::NONE }>>(seed + 100, None, false).unwrap();
        assert_ne!(other.fingerprint, first.fingerprint);
    }
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    found::<{ bug::ACKNOWLEDGES_EARLY }>(100, "was kept, and the disks hold");
}

#[test]
fn counting_what_is_not_synced_is_found() {
    found::<{ bug::COUNTS_UNSYNCED }>(100, "was kept, and the disks hold");
}

#[test]
fn a_quorum_that_is_none_is_found() {
    found::<{ bug::SMALL_QUORUM }>(100, "was kept, and the disks hold");
}

#[test]
fn a_node_that_forgets_is_found() {
    found::<{ bug::FORGETS }>(100, "a disk holds");
}

#[test]
fn a_checkpoint_that_forgets_is_found() {
    found::<{ bug::FORGETFUL_CHECKPOINT }>(100, "was kept, and the disks hold");
}

#[test]
fn messages_that_lose_something_on_the_wire_are_found() {
    found::<{ bug::LOSSY_WIRE }>(100, "no convergence");
}

#[test]
fn a_panic_is_found() {
    found::<{ bug::PANICS }>(100, "panicked: forty!");
}

#[test]
fn no_progress_is_found() {
    found::<{ bug::GETS_STUCK }>(100, "nothing new committed");
}

#[test]
fn not_converging_is_found() {
    found::<{ bug::TELLS_SOME }>(100, "no convergence");
}

#[test]
fn refusing_honest_messages_is_found() {
    found::<{ bug::REFUSES }>(100, "refuses an honest message");
}

#[test]
fn what_depends_on_more_than_the_seed_is_found() {
    let violation = campaign::<{ bug::NOT_DETERMINISTIC }>(20).violation.unwrap();
    assert!(violation.what.contains("not deterministic"), "{}", violation.what);
}
