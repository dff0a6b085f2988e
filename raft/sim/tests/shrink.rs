//! Runs of Raft as commands of interaction tests, and how such commands are reduced.
#![allow(clippy::unwrap_used)]

use quorate_raft_sim::{OnHeap, OnInline, RaftProtocol, SmallLog};
use quorate_sim::interact::{Error, Harness, Protocol};
use quorate_sim::{Subject, record, shrink_commands};

/// What the harness makes of the first seconds of a run: commands, those it rejected, and what
/// was violated.
fn replay<S: Subject, P: Protocol>(seed: u64) -> (usize, Vec<String>, Option<Error>) {
    let commands = record::<S>(seed, None, 5_000_000).unwrap();
    let mut harness = Harness::<P>::default();
    let mut rejected = Vec::new();
    for command in &commands {
        match harness.execute(command) {
            Ok(()) => {}
            Err(Error::Command(what)) => rejected.push(format!("{command}: {what}")),
            Err(error) => return (commands.len(), rejected, Some(error)),
        }
        harness.take_output();
    }
    (commands.len(), rejected, None)
}

#[test]
fn recorded_runs_replay_in_the_harness() {
    for seed in 1..=8 {
        let (count, rejected, error) = if seed % 2 == 0 {
            replay::<OnHeap, RaftProtocol>(seed)
        } else {
            replay::<OnInline, RaftProtocol<SmallLog>>(seed)
        };
        assert_eq!(error, None, "seed {seed}");
        // a crash in the middle of a poll, or a message of before a restart that differs, is not told exactly
        let few = rejected.len() * 100 <= count;
        assert!(few, "seed {seed}: {} of {count}: {:?}", rejected.len(), rejected.first());
    }
}

#[test]
fn shrinking_removes_irrelevant_commands() {
    // two disks that tell of different committed entries: no bug of a machine is needed for that to be violated
    let text = "nodes 2 snapshot-chunk=32 seed=7;campaign 1;disk all slow;duplicate 1->2;\
        set-disk 1 term=2 log=1 commit=1;sync 2;jump 3;set-clock 1 90us;\
        set-disk 2 term=2 log=2 commit=1;tick 1 5s";
    let commands: Vec<String> = text.split(';').map(|c| c.trim().to_owned()).collect();
    let scenario = shrink_commands::<RaftProtocol>(commands, "a test").unwrap();
    let left: Vec<&str> =
        scenario.split("\n\n").skip(1).filter_map(|block| block.lines().next()).collect();
    let wanted =
        ["nodes 2", "set-disk 1 term=2 log=1 commit=1", "set-disk 2 term=2 log=2 commit=1"];
    assert_eq!(left, wanted);
    assert!(scenario.ends_with("committed different entries at 1\n"), "{scenario}");
}
