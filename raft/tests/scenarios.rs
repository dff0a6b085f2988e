//! The interaction tests of Raft: `raft/scenarios/*.txt`. `UPDATE=1 cargo test -p quorate-raft --test all scenarios`
//! writes the expectations anew.
#![allow(clippy::panic)]

use std::path::Path;

use quorate_raft_sim::RaftProtocol;
use quorate_sim::interact::check_folder;

#[test]
fn scenarios_print_what_they_expect() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    match check_folder::<RaftProtocol>(&folder) {
        Ok(count) => assert!(count >= 60, "only {count} scenarios were found"),
        Err(errors) => panic!("{errors}"),
    }
}
