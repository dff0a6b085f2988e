//! The interaction tests of Paxos: `paxos/scenarios/*/*.txt`.
//! `UPDATE=1 cargo test -p quorate-paxos --all-features --test all scenarios` writes the expectations anew.

use std::path::Path;

use quorate_paxos_sim::{RegisterProtocol, SynodProtocol};
use quorate_sim::interact::{Protocol, check_folder};

/// Runs the scenarios of a folder; there are so many at least.
fn check<P: Protocol>(name: &str, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    match check_folder::<P>(&folder) {
        Ok(count) => assert!(count >= least, "only {count} scenarios were found"),
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn scenarios_of_one_decision_print_what_they_expect() {
    check::<SynodProtocol>("synod", 19);
}

#[test]
fn scenarios_of_fast_paxos_print_what_they_expect() {
    check::<SynodProtocol>("fast", 6);
}

#[test]
fn scenarios_of_registers_print_what_they_expect() {
    check::<RegisterProtocol>("register", 13);
}
