//! Every coffee is paid once, though many payments are in the log twice.
#![allow(clippy::unwrap_used)]

use quorate_sessions::Simulation;

#[test]
fn every_coffee_is_paid_once() {
    let (mut twice, mut leaders, mut ended) = (0, 0, 0);
    for seed in 1..=20 {
        let report = Simulation::new(seed).unwrap().run(|_| {}).unwrap();
        assert_eq!((report.paid, report.in_doubt), (303, 0), "seed {seed}");
        assert_eq!(report.with_sessions, [303; 3], "seed {seed}");
        twice += report.without_sessions - report.paid;
        leaders += report.leaders;
        ended += report.ended;
    }
    assert!(twice > 200 && leaders > 60 && ended > 10, "{twice}, {leaders}, {ended}: too quiet");
}

#[test]
fn same_seed_gives_the_same_run() {
    let print = || {
        let mut lines = Vec::new();
        let report = Simulation::new(7).unwrap().run(|line| lines.push(line.to_owned()));
        (lines, report)
    };
    assert_eq!(print(), print());
}
