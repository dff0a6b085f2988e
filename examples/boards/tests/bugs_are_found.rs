//! A scenario that cannot fail proves nothing: boards with a bug, and the scenario that must find it.

mod common;

use common::{Bug, run};

fn found(bug: Bug, scenario: &str, how: &[&str]) {
    let tally = run(bug, &[scenario]);
    assert!(tally.passed.is_empty(), "{scenario} does not notice {bug:?}");
    let (_, why) = &tally.failed[0];
    assert!(
        how.iter().any(|how| why.contains(how)),
        "{scenario} notices {bug:?}, but not how: {why}"
    );
}

#[test]
fn a_board_that_forgets_its_flash() {
    found(Bug::Forgets, "flash", &["and was in"]);
}

#[test]
fn boards_that_put_off_their_writes() {
    // which of them a board loses, its entries or its term, depends on when the power is cut
    found(Bug::Lazy, "power-cut", &["acknowledged", "and was in"]);
}

#[test]
fn a_leader_that_acknowledges_too_early() {
    found(Bug::Hasty, "cut", &["acknowledged"]);
}

#[test]
fn changes_that_are_made_twice() {
    found(Bug::Twice, "replicate", &["acknowledged"]);
}

#[test]
fn a_board_that_does_not_sleep() {
    found(Bug::Restless, "idle", &["times a second"]);
}

#[test]
fn a_board_that_believes_every_frame() {
    found(Bug::Gullible, "frames", &["stranger"]);
}
