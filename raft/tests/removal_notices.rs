//! Nodes that are removed during a partition: members notify them when they request votes, and they fall silent.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, id};
use quorate_core::{Machine, Rejected};
use quorate_raft::{Change, Config, Message, Role};

fn without_node(node: u64) -> impl Fn(&Envelope) -> bool {
    move |e| (e.from == node) == (e.to == node)
}

/// Node 1 leads, and has removed the last node, which was partitioned for `ms`.
fn with_last_node_removed(nodes: u64, pre_vote: bool, ms: u64) -> Cluster {
    let config = Config { pre_vote, max_snapshot_chunk_bytes: 64, ..Config::default() };
    let mut cluster = Cluster::with(nodes, config);
    cluster.elect(1);
    cluster.run(200);
    cluster.raft(1).change(&[Change::Remove(id(nodes))]).unwrap();
    cluster.drain(1);
    cluster.run_if(ms, without_node(nodes));
    assert!(cluster.raft(1).status().config <= cluster.raft(1).status().commit);
    cluster
}

/// Checks that the removed node is notified, stays silent, and disrupts no other node.
fn assert_notified(cluster: &mut Cluster, node: u64) {
    let index = cluster.raft(1).status().config;
    let (term, leader) = (cluster.raft(1).status().term, cluster.raft(1).status().leader);
    cluster.run(1_000);
    let status = cluster.raft(node).status();
    assert!(status.removed == Some(index) || status.commit >= index, "{status:?}");
    assert_eq!((status.role, cluster.raft(node).deadline()), (Role::Follower, None));
    let mut messages = 0;
    cluster.run_if(3_000, |e| {
        messages += u32::from(e.from == node);
        true
    });
    assert_eq!(messages, 0);
    let after = cluster.raft(1).status();
    assert_eq!((after.term, after.leader), (term, leader), "the leader was not disrupted");
}

#[test]
fn removed_follower_is_notified_when_its_partition_heals() {
    for nodes in [3, 4] {
        for pre_vote in [true, false] {
            let mut cluster = with_last_node_removed(nodes, pre_vote, 2_000);
            assert_notified(&mut cluster, nodes);
            let reported = std::mem::take(&mut cluster.host(nodes).removed);
            assert_eq!(reported, [cluster.raft(1).status().config], "once");
        }
    }
}

/// Learners and witnesses cannot be elected.
#[test]
fn removed_learners_and_witnesses_are_notified_when_their_partition_heals() {
    for promoted in [false, true] {
        let mut cluster = Cluster::new(3);
        cluster.elect(1);
        cluster.join(4);
        let add = if promoted { Change::AddWitness(id(4)) } else { Change::Add(id(4)) };
        let mut changes = vec![add];
        changes.extend(promoted.then_some(Change::Promote(id(4))));
        for change in changes {
            cluster.raft(1).change(&[change]).unwrap();
            cluster.drain(1);
            cluster.run(500);
        }
        let membership = cluster.raft(4).status().membership;
        assert_eq!((membership.is_member(), membership.is_voter()), (true, promoted));
        cluster.run_if(500, without_node(4));
        cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
        cluster.drain(1);
        cluster.run_if(2_000, without_node(4));
        assert!(cluster.raft(4).deadline().is_some(), "it has a deadline");
        assert_notified(&mut cluster, 4);
    }
}

#[test]
fn later_leader_notifies_a_removed_node() {
    let mut cluster = with_last_node_removed(4, true, 1_000);
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(without_node(4));
    assert_eq!(cluster.leader(), Some(2));
    cluster.run_if(1_000, without_node(4));
    assert_notified(&mut cluster, 4);
}

#[test]
fn members_that_restored_a_snapshot_notify_a_removed_node() {
    let mut cluster = with_last_node_removed(3, true, 1_000);
    for node in [1, 2] {
        let applied = cluster.raft(node).status().applied;
        cluster.raft(node).snapshot_taken(applied, applied).unwrap();
        cluster.drain(node);
        cluster.restart(node);
    }
    cluster.run_if(1_000, without_node(3));
    cluster.run(1_000);
    assert!(cluster.raft(3).status().removed.is_some());
}

#[test]
fn uncommitted_removal_is_not_announced() {
    let mut cluster = Cluster::new(4);
    cluster.elect(1);
    cluster.run(200);
    cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
    cluster.drain(1);
    // nodes 2 and 3 receive nothing either
    cluster.run_if(100, |_| false);
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let request = Message::RequestVote { pre: true, term: term + 1, last_index: 1, last_term: 1 };
    cluster.raft(1).receive(now, id(4), request).unwrap();
    cluster.drain(1);
    let is_notice = |e: &Envelope| matches!(e.message(), Message::Removed { .. });
    assert!(!cluster.net.iter().any(is_notice));
}

#[test]
fn readded_node_follows_its_leader() {
    let mut cluster = with_last_node_removed(3, true, 1_000);
    assert_notified(&mut cluster, 3);
    cluster.raft(1).change(&[Change::Add(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(500);
    let status = cluster.raft(3).status();
    assert_eq!((status.removed, status.leader), (None, Some(id(1))));
    cluster.raft(1).change(&[Change::Promote(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(300);
    // it can be elected like any other member
    cluster.host(1).up = false;
    cluster.run(3_000);
    assert!(cluster.leader().is_some_and(|leader| leader != 1));
}

#[test]
fn campaign_or_restart_makes_a_removed_node_request_votes_again() {
    let mut cluster = with_last_node_removed(3, true, 1_000);
    assert_notified(&mut cluster, 3);
    let now = cluster.now;
    cluster.raft(3).campaign(now);
    assert_eq!(
        (cluster.raft(3).status().removed, cluster.raft(3).status().role),
        (None, Role::PreCandidate)
    );
    cluster.drain(3);
    cluster.settle();
    assert!(cluster.raft(3).status().removed.is_some());
    cluster.restart(3);
    assert_eq!(cluster.raft(3).status().removed, None);
    cluster.run(1_000);
    assert!(cluster.raft(3).status().removed.is_some());
}

/// A notice does not silence an active voter.
#[test]
fn notice_is_accepted_only_from_a_member_and_without_a_leader() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(200);
    let (now, status) = (cluster.now, cluster.raft(2).status());
    let messages = |index, index_term| Message::Removed { term: status.term, index, index_term };
    let far = messages(status.last + 5, status.term);
    // its leader is active
    assert_eq!(cluster.raft(2).receive(now, id(3), far), Ok(()));
    assert_eq!(cluster.raft(2).status().removed, None);
    let now = now.after(150_000);
    for known in [messages(status.commit, status.term), messages(1, status.term)] {
        assert_eq!(cluster.raft(2).receive(now, id(3), known), Ok(()));
        assert_eq!(cluster.raft(2).status().removed, None, "it knows the entry at this index");
    }
    assert_eq!(cluster.raft(2).receive(now, id(9), far), Err(Rejected::UnknownSender));
    for (message, reason) in [
        (messages(0, 1), Rejected::Malformed),
        (messages(9, 0), Rejected::Malformed),
        (messages(9, status.term + 1), Rejected::Malformed),
        (messages(1 << 62, 1), Rejected::OutOfRange),
        (Message::Removed { term: 1 << 62, index: 9, index_term: 1 }, Rejected::OutOfRange),
    ] {
        assert_eq!(cluster.raft(2).receive(now, id(3), message), Err(reason), "{message:?}");
    }
    // a false notice silences it until the next leader, and does not cost its vote
    assert_eq!(cluster.raft(2).receive(now, id(3), far), Ok(()));
    assert_eq!(cluster.raft(2).status().removed, Some(status.last + 5));
    let (last_index, last_term) = (status.last, status.term);
    let request = Message::RequestVote { pre: false, term: status.term + 1, last_index, last_term };
    cluster.raft(2).receive(now, id(3), request).unwrap();
    assert_eq!(cluster.raft(2).status().vote, Some(id(3)));
    let (prev_index, prev_term) = (status.last, status.term);
    let term = status.term + 1;
    let heartbeat =
        Message::Append { term, prev_index, prev_term, commit: 0, round: 1, entries: &[] };
    cluster.raft(2).receive(now, id(3), heartbeat).unwrap();
    assert_eq!(cluster.raft(2).status().removed, None);
    assert!(cluster.raft(2).deadline().is_some());
}

/// Without pre-vote the removed node has campaigned in later terms.
#[test]
fn removed_node_in_a_later_term_does_not_depose_the_leader() {
    let mut cluster = Cluster::with(
        3,
        Config { pre_vote: false, max_snapshot_chunk_bytes: 64, ..Config::default() },
    );
    cluster.elect(1);
    cluster.run(200);
    cluster.run_if(1_000, |e| without_node(3)(e));
    let status = cluster.raft(1).status();
    assert!(cluster.raft(3).status().term > status.term);
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(without_node(3));
    assert_notified(&mut cluster, 3);
    let after = cluster.raft(1).status();
    assert_eq!((after.term, after.role), (status.term, Role::Leader));
}

#[test]
fn restarted_node_with_its_removal_in_the_log_falls_silent() {
    for node in [1, 3] {
        for pre_vote in [true, false] {
            let mut cluster = Cluster::with(3, Config { pre_vote, ..Config::default() });
            cluster.elect(1);
            cluster.run(200);
            cluster.raft(1).change(&[Change::Remove(id(node))]).unwrap();
            cluster.drain(1);
            cluster.run(1_000);
            let index = cluster.raft(node).status().config;
            assert!(!cluster.raft(node).status().membership.is_member());
            let before = cluster.raft(2).status();
            cluster.restart(node);
            cluster.run(1_000);
            let status = cluster.raft(node).status();
            assert_eq!((status.role, status.removed), (Role::Follower, Some(index)), "{status:?}");
            let mut messages = 0;
            cluster.run_if(3_000, |e| {
                messages += u32::from(e.from == node);
                true
            });
            assert_eq!(messages, 0);
            let after = cluster.raft(2).status();
            assert_eq!((after.term, after.leader), (before.term, before.leader));
        }
    }
}

#[test]
fn removed_node_accepts_only_notices_about_its_own_removal() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(200);
    cluster.propose(1, "before");
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(1_000);
    let status = cluster.raft(3).status();
    let (term, index) = (status.term, status.config);
    let receive_removed = |cluster: &mut Cluster, index| {
        let (now, notice) = (cluster.now, Message::Removed { term, index, index_term: term });
        cluster.raft(3).receive(now, id(2), notice).unwrap();
        cluster.drain(3);
        std::mem::take(&mut cluster.host(3).removed)
    };
    // it knows that the removal is committed, so it reports nothing
    assert!(status.commit >= index);
    assert!(receive_removed(&mut cluster, index).is_empty());
    // after a restart it does not know, and an earlier configuration does not prove the removal
    cluster.restart(3);
    assert!(cluster.raft(3).status().commit < index);
    assert!(receive_removed(&mut cluster, index - 1).is_empty());
    assert_eq!(cluster.raft(3).status().removed, None);
    assert_eq!(receive_removed(&mut cluster, index), [index]);
    assert_eq!(cluster.raft(3).status().removed, Some(index));
}

/// The notice names the latest configuration entry, which is not sent while it is uncommitted.
#[test]
fn removal_followed_by_an_uncommitted_change_is_not_announced() {
    for at in [1, 2] {
        for changes in [false, true] {
            let mut cluster = with_last_node_removed(4, true, 2_000);
            cluster.net.clear();
            let (now, status) = (cluster.now, cluster.raft(1).status());
            let (term, last_index) = (status.term + 1, status.last);
            let request =
                Message::RequestVote { pre: true, term, last_index, last_term: status.term };
            cluster.raft(at).receive(now, id(4), request).unwrap();
            if changes {
                cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
            }
            cluster.drain(1);
            if at == 2 {
                for append in std::mem::take(&mut cluster.net).iter().filter(|e| e.to == 2) {
                    cluster.raft(2).receive(now, id(1), append.message()).unwrap();
                }
                cluster.drain(2);
            }
            let notified =
                cluster.net.iter().any(|e| matches!(e.message(), Message::Removed { .. }));
            assert_eq!(notified, !changes, "by {at}");
        }
    }
}
