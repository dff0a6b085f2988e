//! Registers of the quorum store and hand-overs of a range, in every order of everything that may happen to a few nodes. `cargo xtask model`
//! looks further.
#![allow(clippy::panic)]

use quorate_ring::quorum::ReadRepair;
use quorate_ring_sim::Operation::{self, Read, Write, WriteNth};
use quorate_ring_sim::{ModelledMigration, ModelledRegister};
use quorate_sim::model::{Bounds, Exploration, explore};

/// Every message arrives some time, or later than anybody looks.
const QUIET: Bounds = Bounds {
    timeouts: 0,
    crashes: 0,
    erasures: 0,
    losses: 0,
    duplicates: 0,
    commands: u8::MAX,
    in_flight: 0,
    slow_disks: false,
};

fn register(
    clients: &'static [&'static [Operation]],
    repair: ReadRepair,
    bounds: Bounds,
) -> Exploration {
    let found = explore(ModelledRegister { clients, apart: false, repair }, bounds, 2);
    eprintln!("{clients:?}, {repair:?}, {bounds:?}: {found:?}");
    found
}

fn check(found: &Exploration) {
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    assert!(found.states > 500, "hardly anything was explored: {found:?}");
}

#[test]
fn single_writer_register_is_linearizable() {
    let bounds = Bounds { in_flight: 3, ..QUIET };
    check(&register(&[&[WriteNth(1)], &[Read, Read]], ReadRepair::Blocking, bounds));
    check(&register(&[&[WriteNth(1)], &[Read, Read]], ReadRepair::Always, bounds));
}

#[test]
fn multi_writer_register_is_linearizable() {
    let bounds = Bounds { in_flight: 3, ..QUIET };
    check(&register(&[&[Write(1)], &[Write(2), Read]], ReadRepair::Blocking, bounds));
}

#[test]
fn register_is_linearizable_through_a_crash() {
    let bounds = Bounds { in_flight: 2, crashes: 1, slow_disks: true, ..QUIET };
    check(&register(&[&[WriteNth(1)], &[Read]], ReadRepair::Blocking, bounds));
}

/// A write has reached one replica; a read asks it and returns the value, and another read asks the two others (Attiya, Bar-Noy and Dolev, "Sharing Memory
/// Robustly in Message-Passing Systems", JACM 1995, section 3).
#[test]
fn reads_without_write_back_are_inverted() {
    for repair in [ReadRepair::Off, ReadRepair::Background] {
        let found = register(&[&[WriteNth(1)], &[Read, Read]], repair, QUIET);
        let violation = found.violation.unwrap_or_default();
        assert!(violation.starts_with("not linearizable"), "{repair:?}: {violation}");
        let reads = "(Read, ReadOk(1)), (Read, ReadOk(0))";
        assert!(violation.replace("({}, ", "(").contains(reads), "{violation}");
    }
}

/// What the model would find if a write did not ask what is there: the second of two writers overwrites with a tag that is no higher.
#[test]
fn two_writers_who_count_for_themselves_are_found() {
    let found = register(&[&[WriteNth(2)], &[WriteNth(1), Read]], ReadRepair::Blocking, QUIET);
    let violation = found.violation.unwrap_or_default();
    assert!(violation.starts_with("not linearizable"), "{violation}");
}

/// The range never has two owners, and never none on record.
fn migration(nodes: usize, bounds: Bounds) {
    let found = explore(ModelledMigration { nodes }, bounds, 2);
    eprintln!("{nodes} nodes, {bounds:?}: {found:?}");
    check(&found);
}

const FEW: Bounds = Bounds { crashes: 1, commands: 2, in_flight: 2, slow_disks: true, ..QUIET };

#[test]
fn range_is_released_or_canceled_with_a_crash_at_every_record() {
    migration(2, FEW);
}

#[test]
fn range_is_handed_over_with_repeated_and_lost_messages() {
    migration(2, Bounds { duplicates: 1, losses: 1, crashes: 0, ..FEW });
}

#[test]
fn range_is_handed_over_with_a_write() {
    migration(2, Bounds { commands: 3, slow_disks: false, ..FEW });
}

#[test]
fn hand_over_is_canceled_and_begun_with_another_node() {
    migration(3, Bounds { commands: 3, slow_disks: false, ..FEW });
}
