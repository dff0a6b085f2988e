//! What interaction tests report: expectations that differ, commands that make no sense, violations.
#![allow(clippy::unwrap_used)]

use quorate_raft_sim::RaftProtocol;
use quorate_sim::interact::Scenario;

/// What a scenario prints.
fn run(text: &str) -> Result<String, String> {
    Ok(Scenario::parse(text)?.run::<RaftProtocol>()?.to_string())
}

#[test]
fn wrong_expectations_are_reported() {
    let expected = run("nodes 1\n----\n\ncampaign 1\n----\n").unwrap();
    assert!(expected.contains("1 event: leader of term 1"), "{expected}");
    let other = Scenario::parse(&expected.replace("leader of", "follower of")).unwrap();
    assert!(other.compare(&other.run::<RaftProtocol>().unwrap()).is_err());
    let expected = Scenario::parse(&expected).unwrap();
    assert_eq!(expected.compare(&expected.run::<RaftProtocol>().unwrap()), Ok(()));
}

#[test]
fn rejected_commands_name_their_line() {
    for (text, needle) in [
        ("campaign 1\n----\n", "the first command"),
        ("nodes 3\n----\n\njump 1\n----\n", "line 4"),
        ("nodes 3\n----\n\ncampaign 4\n----\n", "no node 4"),
        ("nodes 3\n----\n\ntick 1\n----\n", "a time"),
        ("nodes 3 colour=red\n----\n", "colour"),
        ("nodes 3\n----\n\ndeliver 1->2\n----\n", "no such message"),
        ("nodes 3\n----\n\nnodes 3\n----\n", "nodes already"),
    ] {
        let error = run(text).unwrap_err();
        assert!(error.contains(needle), "{text:?}: {error}");
    }
}

#[test]
fn violations_are_reported() {
    // two disks that tell of different committed entries: no machine did that
    let text = "nodes 2\n----\n\nset-disk 1 term=2 log=1 commit=1\n----\n\nset-disk 2 term=2 log=2 commit=1\n----\n";
    let error = run(text).unwrap_err();
    assert!(error.contains("committed different entries at 1"), "{error}");
}
