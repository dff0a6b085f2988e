//! Every scenario passes on boards that are sound; these are threads, so no emulator is needed.

mod common;

use common::{Bug, run};

fn pass(names: &[&str]) {
    let tally = run(Bug::None, names);
    assert!(tally.failed.is_empty(), "{:?}", tally.failed);
    assert_eq!(tally.passed, names);
}

#[test]
fn in_quiet() {
    pass(&["elect", "idle", "replicate", "log-full", "snapshot"]);
}

#[test]
fn without_power() {
    pass(&["kill", "flash", "power-cut", "flash-fail", "torn"]);
}

#[test]
fn on_bad_wires() {
    pass(&["cut", "one-way", "noise", "frames"]);
}

#[test]
fn with_another_kind_of_node() {
    pass(&["server"]);
}

#[test]
fn every_scenario_is_tried_here() {
    let here = include_str!("sound_boards_pass.rs");
    for scenario in quorate_boards::setpoint::PROGRAM.scenarios {
        assert!(here.contains(&format!("\"{}\"", scenario.name)), "{}", scenario.name);
    }
}
