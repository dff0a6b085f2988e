//! The interaction tests of Raft: `raft/tests/scenarios/*.txt`. `UPDATE=1 cargo test -p quorate-sim --test raft_scenarios`
//! writes the expectations anew.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use quorate_sim::interact::{Script, check_folder};
use quorate_sim::raft::RaftPlay;

#[test]
fn every_scenario_prints_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../raft/tests/scenarios");
    match check_folder::<RaftPlay>(&folder) {
        Ok(count) => assert!(count >= 60, "only {count} scenarios were found"),
        Err(wrong) => panic!("{wrong}"),
    }
}

/// What a script prints, or what is wrong with it.
fn run(text: &str) -> Result<String, String> {
    Ok(Script::parse(text)?.run::<RaftPlay>()?.to_string())
}

#[test]
fn a_wrong_expectation_is_found() {
    let right = run("nodes 1\n----\n\ncampaign 1\n----\n").unwrap();
    assert!(right.contains("1 learns: leader of term 1"), "{right}");
    let wrong = Script::parse(&right.replace("leader of", "follower of")).unwrap();
    assert!(wrong.compare(&wrong.run::<RaftPlay>().unwrap()).is_err());
    let right = Script::parse(&right).unwrap();
    assert_eq!(right.compare(&right.run::<RaftPlay>().unwrap()), Ok(()));
}

#[test]
fn a_wrong_command_names_its_line() {
    for (text, words) in [
        ("campaign 1\n----\n", "the first command"),
        ("nodes 3\n----\n\njump 1\n----\n", "line 4"),
        ("nodes 3\n----\n\ncampaign 4\n----\n", "no node 4"),
        ("nodes 3\n----\n\ntick 1\n----\n", "a time"),
        ("nodes 3 colour=red\n----\n", "colour"),
        ("nodes 3\n----\n\ndeliver 1->2\n----\n", "no such message"),
        ("nodes 3\n----\n\nnodes 3\n----\n", "nodes already"),
    ] {
        let wrong = run(text).unwrap_err();
        assert!(wrong.contains(words), "{text:?}: {wrong}");
    }
}

#[test]
fn what_is_violated_is_told() {
    // two disks that tell of different committed entries: no machine did that
    let text = "nodes 2\n----\n\ngiven 1 term=2 log=1 commit=1\n----\n\ngiven 2 term=2 log=2 commit=1\n----\n";
    let wrong = run(text).unwrap_err();
    assert!(wrong.contains("committed different entries at 1"), "{wrong}");
}
