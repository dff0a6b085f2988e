//! The leader is killed, another takes over; it comes back, and leads again.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use quorate_election::Config;
use quorate_election_demo::Group;

/// Far more than it takes on a busy machine.
const LONG: Duration = Duration::from_secs(300);

#[test]
fn over_udp() {
    let config = Config { leader_timeout_us: 2_000_000, ..Config::lan() };
    let mut group = Group::start(3, config).unwrap();
    while group.settle(LONG).unwrap().0 != 2 {
        // the highest has not had its word yet
    }
    assert!(group.kill(2));
    while group.settle(LONG).unwrap().0 != 1 {}
    assert!(group.table().contains("down"), "{}", group.table());
    assert!(group.revive(2).unwrap());
    while group.settle(LONG).unwrap().0 != 2 {}
}

#[test]
fn the_play_ends_well() {
    let program = env!("CARGO_BIN_EXE_quorate-election-demo");
    let output = Command::new(program).args(["--play", "--nodes", "4"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("leads, and all know").count(), 4, "{said}");
}

#[test]
fn wrong_use_is_told() {
    let program = env!("CARGO_BIN_EXE_quorate-election-demo");
    let output = Command::new(program).args(["--nodes", "77"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 to 9"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let program = env!("CARGO_BIN_EXE_quorate-election-demo");
    let output =
        Command::new(program).args(["--play", "--nodes", "1"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written"));
}
