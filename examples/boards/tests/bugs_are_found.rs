//! A scenario that cannot fail proves nothing: boards with a bug, and the scenario that must find it.

mod common;

use common::{Bug, run};

/// On a busy machine a leader that was cut off may give up before it is asked for anything, and then there is nothing to notice.
const ATTEMPTS: u32 = 5;

fn found(bug: Bug, scenario: &str, how: &[&str]) {
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
