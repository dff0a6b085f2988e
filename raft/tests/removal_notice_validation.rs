//! When a node accepts a `Removed` message about itself.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, drain_and_persist, id, with_leader, without_leader};
use quorate_core::{Instant, Machine, Output, Rejected};
use quorate_raft::{Change, Config, Event, Message, Role};

const START: Instant = Instant::from_millis(1);

/// Sends a copy of the node a `Removed` message with this index and term. Returns the removal that
/// it accepts and reports.
fn receive_removed(raft: &Node, now: Instant, (index, index_term): (u64, u64)) -> Option<u64> {
    let mut raft = raft.clone();
    let term = raft.status().term.max(index_term);
    let message = Message::Removed { term, index, index_term };
    assert_eq!(raft.receive(now, id(3), message), Ok(()));
    let accepted = raft.status().removed;
    let mut reported = None;
    while let Some(output) = raft.poll() {
        if let Output::Event(Event::Removed { index }) = output {
            assert_eq!(reported.replace(index), None);
        }
    }
    assert_eq!(reported, accepted);
    accepted
}

#[test]
fn notice_of_an_unknown_entry_is_accepted() {
    let raft = without_leader(START);
    for entry in [(3, 1), (3, 2), (3, 4), (4, 3), (4, 4), (100, 3)] {
        assert_eq!(receive_removed(&raft, START, entry), Some(entry.0), "{entry:?}");
    }
}

#[test]
fn notice_of_an_impossible_entry_is_rejected() {
    const LIMIT: u64 = 1 << 62;
    let raft = without_leader(START);
    for ((term, index, index_term), reason) in [
        ((3, 0, 2), Rejected::Malformed),
        ((3, 4, 0), Rejected::Malformed),
        ((3, 0, 0), Rejected::Malformed),
        ((3, 4, 4), Rejected::Malformed),
        ((LIMIT, 4, 3), Rejected::OutOfRange),
        ((3, LIMIT, 3), Rejected::OutOfRange),
        ((LIMIT, LIMIT, 3), Rejected::OutOfRange),
    ] {
        let mut raft = raft.clone();
        let message = Message::Removed { term, index, index_term };
        assert_eq!(raft.receive(START, id(3), message), Err(reason), "{message:?}");
        assert_eq!(raft.status().removed, None, "{message:?}");
    }
}

#[test]
fn notice_of_an_entry_in_the_log_is_ignored() {
    assert_eq!(receive_removed(&without_leader(START), START, (3, 3)), None);
}

/// Committed entries are known, and no other entry can be at their index.
#[test]
fn notice_of_an_entry_at_a_committed_index_is_ignored() {
    let raft = without_leader(START);
    for entry in [(1, 1), (2, 2), (1, 2), (1, 3), (2, 1), (2, 3), (2, 4)] {
        assert_eq!(receive_removed(&raft, START, entry), None, "{entry:?}");
    }
}

#[test]
fn notice_is_ignored_while_the_leader_is_active() {
    let raft = with_leader(START);
    let least = Config::default().election_min_us;
    for after in [0, 1, least - 1] {
        assert_eq!(receive_removed(&raft, START.after(after), (4, 3)), None, "{after}");
    }
    for after in [least, least + 1, 10 * least] {
        assert_eq!(receive_removed(&raft, START.after(after), (4, 3)), Some(4), "{after}");
    }
}

#[test]
fn notice_is_accepted_after_forget_leader() {
    let mut raft = with_leader(START);
    assert_eq!(receive_removed(&raft, START, (4, 3)), None);
    raft.forget_leader();
    assert_eq!(raft.status().leader, None);
    assert_eq!(receive_removed(&raft, START, (4, 3)), Some(4));
}

#[test]
fn candidate_accepts_a_notice_and_leader_ignores_it() {
    let mut cluster = Cluster::with(3, Config { pre_vote: false, ..Config::default() });
    cluster.elect(1);
    cluster.run(200);
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let entry = (status.last + 1, status.term);
    assert_eq!(receive_removed(cluster.raft(1), now.after(1_000_000), entry), None);
    let raft = cluster.raft(2);
    raft.campaign(now);
    assert_eq!(raft.status().role, Role::Candidate);
    assert_eq!(receive_removed(raft, now, entry), Some(entry.0));
}

#[test]
fn only_the_first_accepted_notice_is_reported() {
    let mut raft = without_leader(START);
    let reported = |index| Message::Removed { term: 3, index, index_term: 3 };
    raft.receive(START, id(3), reported(7)).unwrap();
    drain_and_persist(&mut raft);
    for index in [6, 7, 8] {
        raft.receive(START, id(2), reported(index)).unwrap();
        assert_eq!(raft.status().removed, Some(7));
        assert!(raft.poll().is_none());
    }
}

/// A cluster of four. Node 4 has its removal in its log and does not know yet that it is committed.
fn with_removal_in_the_log() -> Cluster {
    let mut cluster = Cluster::with(4, Config { pre_vote: true, ..Config::default() });
    cluster.elect(1);
    cluster.run(200);
    cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| matches!((e.from, e.to), (1, 4) | (4, 1)));
    let status = cluster.raft(4).status();
    assert!(!status.membership.is_member() && status.config > status.commit, "{status:?}");
    cluster
}

#[test]
fn node_with_its_removal_in_the_log_accepts_that_entry_and_later_ones() {
    let mut cluster = with_removal_in_the_log();
    let late = cluster.now.after(1_000_000);
    let raft = cluster.raft(4);
    let status = raft.status();
    for (index, accepted) in [
        (status.config - 1, None),
        (status.config, Some(status.config)),
        (status.config + 1, Some(status.config + 1)),
    ] {
        assert_eq!(receive_removed(raft, late, (index, status.term)), accepted, "{index}");
    }
}

#[test]
fn node_with_its_removal_committed_ignores_notices() {
    let mut cluster = with_removal_in_the_log();
    cluster.run(300);
    let late = cluster.now.after(1_000_000);
    let raft = cluster.raft(4);
    let status = raft.status();
    // the last entry that it knows to be committed is its own removal
    assert_eq!(status.commit, status.config);
    for index in [status.config, status.config + 1, status.config + 100] {
        assert_eq!(receive_removed(raft, late, (index, status.term)), None, "{index}");
    }
}
