//! The simulator must find the bugs that are planted in a small protocol, and nothing without one.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{MaxRegisterSubject, bug};
use quorate_sim::{Campaign, Outcome, run, run_comparing_drain};

fn campaign<const BUG: u8>(seeds: u64) -> Outcome {
    let campaign = Campaign { from: 1, seeds, nodes: None, threads: 2, rerun_every: 5 };
    campaign.run::<MaxRegisterSubject<BUG>>(|_| ())
}

/// The bug is found within so many seeds, and described by these words; the seed it names shows it
/// again.
fn assert_found<const BUG: u8>(seeds: u64, words: &str) {
    let violation = campaign::<BUG>(seeds).violation;
    let violation = violation.unwrap_or_else(|| panic!("not found: {words}"));
    assert!(violation.what.contains(words), "{words:?} expected: {}", violation.what);
    assert!(violation.trace.lines().count() > 1, "no trace: {violation}");
    let again = run::<MaxRegisterSubject<BUG>>(violation.seed, None, false).unwrap_err();
    assert_eq!(again.what, violation.what);
}

#[test]
fn correct_protocol_passes() {
    let outcome = campaign::<{ bug::NONE }>(60);
    assert!(outcome.violation.is_none(), "{}", outcome.violation.unwrap());
    let summary = outcome.summary;
    assert_eq!((summary.seeds, summary.rerun), (60, 12));
    assert!(summary.completed > 60 * 100, "hardly anything was chosen: {}", summary.completed);
    assert!(summary.crashes > 60, "hardly anything crashed: {}", summary.crashes);
}

#[test]
fn missing_marks_are_reported() {
    let summary = campaign::<{ bug::NONE }>(5).summary;
    let (happened, _) = summary.marks.iter().find(|(_, count)| *count > 0).unwrap();
    assert_eq!(summary.missing_marks(&[happened, "the sky fell"]), ["the sky fell"]);
    assert!(summary.missing_marks(&[happened]).is_empty());
}

#[test]
fn same_seed_gives_the_same_run() {
    for seed in 1..=10 {
        let first = run::<MaxRegisterSubject<{ bug::NONE }>>(seed, None, false).unwrap();
        assert_eq!(run::<MaxRegisterSubject<{ bug::NONE }>>(seed, None, false).unwrap(), first);
        let other = run::<MaxRegisterSubject<{ bug::NONE }>>(seed + 100, None, false).unwrap();
        assert_ne!(other.fingerprint, first.fingerprint);
    }
}

#[test]
fn finds_acknowledgement_before_sync() {
    assert_found::<{ bug::ACKNOWLEDGES_EARLY }>(100, "was chosen, and the disks hold");
}

#[test]
fn finds_commit_by_unsynced_writes() {
    assert_found::<{ bug::COUNTS_UNSYNCED }>(100, "was chosen, and the disks hold");
}

#[test]
fn finds_too_small_quorum() {
    assert_found::<{ bug::SMALL_QUORUM }>(100, "was chosen, and the disks hold");
}

#[test]
fn finds_ignored_records() {
    assert_found::<{ bug::IGNORES_RECORDS }>(100, "a disk holds");
}

#[test]
fn finds_incomplete_checkpoint() {
    assert_found::<{ bug::EMPTY_CHECKPOINT }>(100, "was chosen, and the disks hold");
}

#[test]
fn finds_lossy_encoding() {
    assert_found::<{ bug::TRUNCATES_MESSAGES }>(100, "no convergence");
}

#[test]
fn finds_panic() {
    assert_found::<{ bug::PANICS }>(100, "panicked: forty!");
}

#[test]
fn finds_lack_of_progress() {
    assert_found::<{ bug::STOPS_SENDING }>(100, "nothing new committed");
}

#[test]
fn finds_lack_of_convergence() {
    assert_found::<{ bug::OMITS_SOME }>(100, "no convergence");
}

#[test]
fn finds_rejected_honest_messages() {
    assert_found::<{ bug::REJECTS_HONEST_MESSAGES }>(100, "refuses an honest message");
}

#[test]
fn finds_nondeterminism() {
    let violation = campaign::<{ bug::NONDETERMINISTIC }>(20).violation.unwrap();
    assert!(violation.what.contains("not deterministic"), "{}", violation.what);
}

/// The simulator drains machines, so what only their `drain` does wrong is found as anything else.
#[test]
fn finds_messages_missing_from_drain() {
    assert_found::<{ bug::DRAIN_OMITS_MESSAGES }>(100, "nothing new committed");
}

#[test]
fn comparison_finds_drains_that_differ_from_poll() {
    fn differs<const BUG: u8>(words: &str) {
        let violation = run_comparing_drain::<MaxRegisterSubject<BUG>>(1, None).unwrap_err();
        assert!(violation.what.contains(words), "{words:?} expected: {}", violation.what);
    }
    differs::<{ bug::DRAIN_OMITS_MESSAGES }>("poll makes Some(message to");
    differs::<{ bug::DRAIN_LOSES_THE_REST }>("drain, an output a call, makes None");
    differs::<{ bug::DRAIN_FORGETS_THE_TIME }>("poll leaves");
    for seed in 1..=5 {
        let plain = run::<MaxRegisterSubject<{ bug::NONE }>>(seed, None, false).unwrap();
        let compared = run_comparing_drain::<MaxRegisterSubject<{ bug::NONE }>>(seed, None);
        assert_eq!(compared.unwrap(), plain);
    }
}
