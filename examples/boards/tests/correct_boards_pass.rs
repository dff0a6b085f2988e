//! Every scenario passes on correct boards; these are threads, so no emulator is needed.

use crate::common::{Bug, run};

fn assert_pass(names: &[&str]) {
    let summary = run(Bug::None, names);
    assert!(summary.failed.is_empty(), "{:?}", summary.failed);
    assert_eq!(summary.passed, names);
}

#[test]
fn scenarios_without_faults_pass() {
    assert_pass(&["elect", "idle", "replicate", "log-full", "snapshot"]);
}

#[test]
fn scenarios_with_crashes_pass() {
    assert_pass(&["kill", "flash", "power-cut", "flash-fail", "torn"]);
}

#[test]
fn scenarios_with_bad_wires_pass() {
    assert_pass(&["cut", "one-way", "noise", "frames"]);
}

#[test]
fn scenario_with_a_server_passes() {
    assert_pass(&["server"]);
}

#[test]
fn every_scenario_is_tested_here() {
    let here = include_str!("correct_boards_pass.rs");
    for scenario in quorate_boards::setpoint::PROGRAM.scenarios {
        assert!(here.contains(&format!("\"{}\"", scenario.name)), "{}", scenario.name);
    }
}
