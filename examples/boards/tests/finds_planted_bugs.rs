//! Boards with a planted bug, and the scenario that must find it.

use crate::common::{Bug, run};

/// On a busy machine a leader that was cut off may give up before it is asked for anything, and
/// then there is nothing to notice.
const ATTEMPTS: u32 = 5;

fn assert_found(bug: Bug, scenario: &str, how: &[&str]) {
    let mut failed = (0..ATTEMPTS).flat_map(|_| run(bug, &[scenario]).failed);
    let failed = failed.next();
    assert!(failed.is_some(), "{scenario} does not notice {bug:?}");
    let (_, why) = failed.unwrap_or_default();
    assert!(
        how.iter().any(|how| why.contains(how)),
        "{scenario} notices {bug:?}, but not how: {why}"
    );
}

#[test]
fn finds_lost_flash() {
    assert_found(Bug::LosesFlash, "flash", &["and was in"]);
}

#[test]
fn finds_delayed_writes() {
    // which of them a board loses, its entries or its term, depends on when the power is cut
    assert_found(Bug::DelaysWrites, "power-cut", &["acknowledged", "and was in"]);
}

#[test]
fn finds_early_acknowledgement() {
    assert_found(Bug::AcknowledgesEarly, "cut", &["acknowledged"]);
}

#[test]
fn finds_changes_applied_twice() {
    assert_found(Bug::ForwardsTwice, "replicate", &["acknowledged"]);
}

#[test]
fn finds_board_that_never_sleeps() {
    assert_found(Bug::NeverSleeps, "idle", &["times a second"]);
}

#[test]
fn finds_accepted_foreign_frames() {
    assert_found(Bug::AcceptsEveryFrame, "frames", &["foreign frame"]);
}
