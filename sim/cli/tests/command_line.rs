//! What scripts rely on: exit codes, and the last line.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().unwrap()
}

#[test]
fn passing_seeds_exit_with_0() {
    let output = sim(&["--seeds", "2", "--from", "3", "--threads", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("2 seeds, ") && last.ends_with(", 0 violations"), "{last}");
}

#[test]
fn multi_paxos_is_simulated() {
    let output = sim(&["--protocol", "multi", "--seeds", "2", "--from", "3", "--threads", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().last().unwrap().ends_with(", 0 violations"), "{text}");
}

#[test]
fn trace_is_printed_and_deterministic() {
    let output = sim(&["--seeds", "1", "--from", "3", "--trace"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("event: leader of term") && text.contains("Append term"));
    let again = sim(&["--seeds", "1", "--from", "3", "--trace"]);
    assert_eq!(text.into_bytes(), again.stdout, "the same seed gives the same trace");
}

#[test]
fn missing_marks_fail_a_campaign() {
    let output = sim(&["--seeds", "2", "--from", "3", "--marks"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    // two seeds have no room for everything
    assert!(text.contains("never happened, so it was not tested: ["), "{text}");
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [&["--sedes", "2"][..], &["--seeds"], &["--seeds", "x"], &["--nodes", "0"]] {
        let output = sim(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(sim(&["--help"]).status.code(), Some(0));
}
