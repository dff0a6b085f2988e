//! Quiescence: an idle cluster sends no messages.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, id};
use quorate_core::{Drift, Instant, Machine, Rejected};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Change, Config, ConfigError, Fixed, Message, ProposeError, Raft, Role};

const IDLE_MS: u64 = 300;

fn config() -> Config {
    Config { quiesce_us: IDLE_MS * 1_000, max_snapshot_chunk_bytes: 64, ..Config::default() }
}

/// A cluster led by node 1.
fn elected(nodes: u64) -> Cluster {
    let mut cluster = Cluster::with(nodes, config());
    cluster.run(200);
    cluster.elect(1);
    cluster
}

/// The same, quiescent.
fn quiescent(nodes: u64) -> Cluster {
    let mut cluster = elected(nodes);
    cluster.run(IDLE_MS + 200);
    assert!(are_quiescent(&mut cluster, 1, nodes));
    cluster
}

/// Whether all of these nodes are quiescent.
fn are_quiescent(cluster: &mut Cluster, first: u64, last: u64) -> bool {
    (first..=last).all(|node| {
        let raft = cluster.raft(node);
        assert_eq!(raft.status().quiescent, raft.deadline().is_none());
        raft.status().quiescent
    })
}

/// Runs the cluster and counts the messages.
fn count_messages(cluster: &mut Cluster, ms: u64) -> usize {
    let mut count = 0;
    cluster.run_if(ms, |_| {
        count += 1;
        true
    });
    count
}

fn is_quiesce(envelope: &Envelope) -> bool {
    matches!(envelope.message(), Message::Quiesce { .. })
}

#[test]
fn idle_cluster_quiesces_and_sends_nothing() {
    for nodes in [2, 3, 5] {
        let mut cluster = elected(nodes);
        cluster.run(IDLE_MS - 100);
        assert!(!cluster.raft(1).status().quiescent, "idle for too short a time");
        cluster.run(300);
        assert!(are_quiescent(&mut cluster, 1, nodes));
        let term = cluster.raft(1).status().term;
        assert_eq!(count_messages(&mut cluster, 20_000), 0);
        assert_eq!(cluster.leader(), Some(1));
        assert_eq!(cluster.raft(1).status().term, term);
    }
}

#[test]
fn cluster_does_not_quiesce_by_default() {
    let mut cluster = Cluster::new(3);
    cluster.run(200);
    cluster.elect(1);
    assert!(count_messages(&mut cluster, 5_000) > 300);
    assert!(!cluster.raft(1).status().quiescent);
}

#[test]
fn proposal_unquiesces_all_nodes_until_they_are_idle_again() {
    let mut cluster = quiescent(3);
    // the leader was not ticked for long, which does not count as silence of its followers
    cluster.now = cluster.now.after(60_000_000);
    cluster.propose(1, "x");
    cluster.run(200);
    assert_eq!(cluster.leader(), Some(1));
    for node in 1..=3 {
        assert_eq!(cluster.commands(node), ["x"]);
        assert!(!cluster.raft(node).status().quiescent);
    }
    assert!(count_messages(&mut cluster, 100) > 0, "heartbeats are sent again");
    cluster.run(IDLE_MS + 200);
    assert!(are_quiescent(&mut cluster, 1, 3));
}

#[test]
fn busy_leader_does_not_quiesce() {
    let mut cluster = elected(3);
    for step in 0..10 {
        cluster.run(IDLE_MS - 100);
        assert!(!cluster.raft(1).status().quiescent);
        match step % 2 {
            0 => drop(cluster.propose(1, "x")),
            _ => drop(cluster.raft(1).read().unwrap()),
        }
        cluster.drain(1);
    }
}

#[test]
fn cluster_does_not_quiesce_while_a_member_is_down_or_lagging() {
    let mut cluster = elected(3);
    cluster.host(3).up = false;
    cluster.run(IDLE_MS + 1_000);
    assert!(!cluster.raft(1).status().quiescent);
    cluster.restart(3);
    cluster.run(IDLE_MS - 100);
    assert!(!cluster.raft(1).status().quiescent, "the idle time starts again");
    cluster.run(500);
    assert!(are_quiescent(&mut cluster, 1, 3));
    // the disk of node 3 does not finish
    cluster.host(3).fast_disk = false;
    cluster.propose(1, "y");
    cluster.run(IDLE_MS + 1_000);
    assert!(!cluster.raft(1).status().quiescent && !cluster.raft(3).status().quiescent);
    cluster.host(3).fast_disk = true;
    cluster.sync(3);
    cluster.run(IDLE_MS + 500);
    assert!(are_quiescent(&mut cluster, 1, 3));
}

#[test]
fn leader_quiesces_last() {
    let mut cluster = elected(3);
    // the acknowledgement of node 3 is lost
    let delivered =
        |e: &Envelope| !(e.from == 3 && matches!(e.message(), Message::AppendAccepted { .. }));
    let mut requested = 0;
    cluster.run_if(IDLE_MS + 100, |e| {
        requested += usize::from(e.to == 3 && is_quiesce(e));
        requested == 0 || delivered(e)
    });
    assert!(requested > 0 && !cluster.raft(1).status().quiescent);
    assert!(cluster.raft(3).status().quiescent);
    // the leader sends Quiesce again
    cluster.run(IDLE_MS + 200);
    assert!(are_quiescent(&mut cluster, 1, 3));
}

#[test]
fn followers_still_detect_a_dead_leader_that_could_not_quiesce() {
    // node 5 is down before, or from just after, the leader sends Quiesce
    for late in [false, true] {
        let mut cluster = elected(5);
        let mut down = !late;
        cluster.run_if(IDLE_MS + 2_000, |e| {
            down |= is_quiesce(e);
            !down || (e.from != 5 && e.to != 5)
        });
        assert!(!cluster.raft(1).status().quiescent);
        cluster.host(1).up = false;
        cluster.run_if(2_000, |e| e.from != 5 && e.to != 5);
        assert!(cluster.leader().is_some_and(|leader| leader != 1), "late: {late}");
    }
}

#[test]
fn lagging_learner_keeps_the_cluster_active() {
    let mut cluster = elected(4);
    cluster.run(100);
    cluster.raft(1).change(&[quorate_raft::Change::Demote(id(4))]).unwrap();
    cluster.drain(1);
    cluster.run(100);
    cluster.host(4).fast_disk = false;
    cluster.propose(1, "x");
    cluster.run(IDLE_MS + 500);
    assert!(!cluster.raft(2).status().quiescent);
    cluster.host(1).up = false;
    cluster.run(2_000);
    assert!(cluster.leader().is_some_and(|leader| leader != 1));
}

#[test]
fn quiesce_does_not_commit_uncommitted_entries() {
    let mut cluster = elected(2);
    cluster.run(100);
    cluster.host(1).fast_disk = false;
    let index = cluster.propose(1, "x");
    cluster.run(IDLE_MS + 1_000);
    assert!(cluster.raft(2).status().durable >= index && cluster.commands(2).is_empty());
    assert!(!cluster.raft(1).status().quiescent);
    cluster.sync(1);
    cluster.host(1).fast_disk = true;
    cluster.run(IDLE_MS + 500);
    assert_eq!(cluster.commands(2), ["x"]);
    assert!(are_quiescent(&mut cluster, 1, 2));
}

#[test]
fn quiesce_does_not_commit_a_conflicting_log_of_equal_length() {
    let mut cluster = elected(3);
    cluster.run(100);
    // node 3 alone has an entry of the old leader
    cluster.propose(1, "old");
    let entry = cluster.net.iter().find(|e| e.to == 3).unwrap().clone();
    cluster.deliver(&entry);
    cluster.net.clear();
    let (now, status) = (cluster.now, cluster.raft(3).status());
    assert!(status.commit < status.last);
    let message = Message::Quiesce { term: status.term + 1, round: 1, index: status.last };
    cluster.raft(3).receive(now, id(2), message).unwrap();
    let after = cluster.raft(3).status();
    assert_eq!((after.leader, after.commit, after.quiescent), (Some(id(2)), status.commit, false));
}

#[test]
fn quiesce_carries_the_commit_index() {
    let mut cluster = Cluster::with(3, Config { quiesce_us: 1, ..config() });
    cluster.run(200);
    cluster.elect(1);
    cluster.run(200);
    cluster.propose(1, "x");
    cluster
        .run_if(120, |e| e.to != 3 || !matches!(e.message(), Message::Append { entries: [], .. }));
    assert_eq!(cluster.commands(3), ["x"]);
}

#[test]
fn lost_messages_are_retried_after_unquiescing() {
    // the read request of a follower
    let mut cluster = quiescent(3);
    cluster.raft(3).read().unwrap();
    cluster.drain(3);
    cluster.net.clear();
    cluster.run(200);
    assert_eq!(cluster.host(3).reads.len(), 1);
    // the leader may quiesce meanwhile
    let mut cluster = Cluster::with(3, Config { quiesce_us: 1, ..config() });
    cluster.run(200);
    cluster.elect(1);
    cluster.raft(3).read().unwrap();
    cluster.drain(3);
    let mut requested = 0;
    cluster.run_if(200, |e| {
        let read_index = matches!(e.message(), Message::ReadIndex { .. });
        requested += usize::from(read_index);
        !read_index
    });
    assert!(requested > 2 && cluster.raft(3).deadline().is_some());
    cluster.run(200);
    assert_eq!(cluster.host(3).reads.len(), 1);
    // a leadership transfer and a membership change of a quiescent leader
    let mut cluster = quiescent(3);
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.net.clear();
    cluster.run(200);
    assert_eq!(cluster.leader(), Some(2));
    let mut cluster = quiescent(3);
    cluster.raft(1).change(&[quorate_raft::Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.net.clear();
    cluster.run(500);
    assert_eq!(cluster.raft(2).members().len(), 2);
    // a leadership transfer that fails ends
    let mut cluster = Cluster::with(3, Config { quiesce_us: 1, ..config() });
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run_if(500, |e| !matches!(e.message(), Message::TimeoutNow { .. }));
    assert_eq!(cluster.raft(1).status().transfer, None);
}

#[test]
fn late_quiesce_message_is_ignored() {
    let mut cluster = elected(3);
    let mut late = None;
    cluster.run_if(IDLE_MS + 100, |e| {
        let keep = e.to == 3 && is_quiesce(e);
        if keep {
            late = Some(e.clone());
        }
        !keep
    });
    cluster.propose(1, "x");
    cluster.run(100);
    cluster.deliver(&late.unwrap());
    assert!(!cluster.raft(3).status().quiescent);
    assert_eq!(cluster.commands(3), ["x"]);
    // the same without an entry in between
    let mut late = None;
    cluster.run_if(IDLE_MS + 200, |e| {
        if e.to == 3 && is_quiesce(e) {
            late = Some(e.clone());
        }
        true
    });
    assert!(are_quiescent(&mut cluster, 1, 3));
    let now = cluster.now;
    cluster.raft(1).unquiesce(now);
    cluster.run(100);
    cluster.deliver(&late.unwrap());
    assert!(!cluster.raft(3).status().quiescent);
}

#[test]
fn leader_that_died_while_quiescent_is_replaced_when_a_node_has_work() {
    let mut cluster = quiescent(3);
    cluster.host(1).up = false;
    assert_eq!(count_messages(&mut cluster, 20_000), 0, "the crash is not detected");
    let error = cluster.raft(2).propose(b"x").unwrap_err();
    assert_eq!(error, ProposeError::NotLeader(Some(id(1))));
    let now = cluster.now;
    assert!(cluster.raft(2).deadline().is_some_and(|at| at <= now), "its timers are due");
    cluster.raft(2).tick(now);
    assert!(cluster.raft(2).deadline().is_some_and(|at| at > now), "it waits an election timeout");
    assert_eq!(cluster.raft(2).status().role, Role::Follower);
    cluster.run(1_500);
    let leader = cluster.leader().unwrap();
    assert!(leader != 1);
    cluster.propose(leader, "x");
    cluster.run(100);
    cluster.restart(1);
    cluster.run(1_500);
    assert_eq!(cluster.commands(1), ["x"]);
}

#[test]
fn unquiescing_does_not_disrupt_a_live_leader() {
    // by a proposal, by a call, or by a restart
    for way in 0..3 {
        let mut cluster = quiescent(3);
        let term = cluster.raft(1).status().term;
        cluster.now = cluster.now.after(30_000_000);
        let now = cluster.now;
        match way {
            0 => drop(cluster.raft(2).propose(b"x").unwrap_err()),
            1 => cluster.raft(2).unquiesce(now),
            _ => cluster.restart(2),
        }
        cluster.drain(2);
        assert!(!cluster.raft(2).status().quiescent);
        assert!(count_messages(&mut cluster, 600) > 0);
        assert_eq!(cluster.leader(), Some(1));
        assert_eq!(cluster.raft(1).status().term, term, "way {way}");
        cluster.run(IDLE_MS + 500);
        assert!(are_quiescent(&mut cluster, 1, 3));
    }
}

#[test]
fn node_does_not_vote_right_after_unquiescing() {
    for by_call in [true, false] {
        let mut cluster = quiescent(3);
        cluster.now = cluster.now.after(30_000_000);
        let (now, status) = (cluster.now, cluster.raft(3).status());
        if by_call {
            cluster.raft(3).unquiesce(now);
        }
        let request = Message::RequestVote {
            pre: true,
            term: status.term + 1,
            last_index: status.last,
            last_term: status.term,
        };
        cluster.raft(3).receive(now, id(2), request).unwrap();
        assert!(cluster.raft(3).poll().is_none(), "by call: {by_call}");
        assert!(!cluster.raft(3).status().quiescent);
        // it votes after the minimum election timeout without a leader
        let later = now.after(160_000);
        cluster.raft(3).tick(now);
        cluster.raft(3).receive(later, id(2), request).unwrap();
        assert!(cluster.raft(3).poll().is_some());
    }
}

#[test]
fn follower_read_unquiesces_the_leader() {
    let mut cluster = quiescent(3);
    cluster.now = cluster.now.after(10_000_000);
    cluster.raft(3).read().unwrap();
    cluster.drain(3);
    cluster.settle();
    assert_eq!(cluster.host(3).reads.len(), 1);
    cluster.run(100);
    assert!(!cluster.raft(1).status().quiescent && !cluster.raft(2).status().quiescent);
    assert_eq!(cluster.leader(), Some(1));
}

#[test]
fn follower_request_cancels_its_quiesce_acknowledgement() {
    for snapshot in [false, true] {
        let mut cluster = elected(3);
        let (mut requested, mut late) = (false, None);
        cluster.run_if(IDLE_MS + 60, |e| {
            requested |= is_quiesce(e);
            let keep = requested && e.from == 2;
            if keep {
                late = Some(e.clone());
            }
            !keep
        });
        assert!(cluster.raft(3).status().quiescent && !cluster.raft(1).status().quiescent);
        match snapshot {
            true => cluster.raft(3).request_snapshot().unwrap(),
            false => drop(cluster.raft(3).read().unwrap()),
        }
        cluster.drain(3);
        cluster.settle_if(|e| e.from == 3);
        cluster.deliver(&late.unwrap());
        assert!(!cluster.raft(1).status().quiescent, "snapshot: {snapshot}");
    }
}

#[test]
fn unquiesced_leader_sends_heartbeats_and_steps_down_without_a_quorum() {
    let mut cluster = quiescent(3);
    cluster.now = cluster.now.after(10_000_000);
    let now = cluster.now;
    cluster.raft(1).unquiesce(now);
    assert_eq!(cluster.raft(1).deadline(), Some(now));
    assert!(count_messages(&mut cluster, 20) >= 2);
    assert!(!are_quiescent(&mut cluster, 2, 3));
    // without followers
    let mut cluster = quiescent(3);
    let now = cluster.now;
    cluster.raft(1).unquiesce(now);
    cluster.run_if(1_000, |_| false);
    assert_ne!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn leadership_transfer_and_membership_change_unquiesce() {
    let mut cluster = quiescent(3);
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run(100);
    assert_eq!(cluster.leader(), Some(2));
    cluster.run(IDLE_MS + 500);
    assert!(are_quiescent(&mut cluster, 1, 3));
    cluster.raft(2).change(&[quorate_raft::Change::Remove(id(3))]).unwrap();
    cluster.drain(2);
    cluster.run(IDLE_MS + 2_000);
    assert_eq!(cluster.raft(2).members().len(), 2);
    assert!(are_quiescent(&mut cluster, 1, 2));
}

#[test]
fn later_term_unquiesces() {
    let mut cluster = quiescent(3);
    let term = cluster.raft(1).status().term;
    let now = cluster.now;
    // an acknowledgement unquiesces a node only if its term is later
    let accept = |term| Message::AppendAccepted { term, round: 1, match_index: 0 };
    cluster.raft(3).receive(now, id(2), accept(term)).unwrap();
    assert!(cluster.raft(3).status().quiescent);
    cluster.raft(3).receive(now, id(2), accept(term + 1)).unwrap();
    assert_eq!(cluster.raft(3).status().term, term + 1);
    assert!(cluster.raft(3).deadline().is_some_and(|at| at < now.after(1_000_000)));
    cluster.run(2_000);
    assert!(cluster.leader().is_some());
    assert!(are_quiescent(&mut cluster, 1, 3));
}

#[test]
fn quiescent_leader_has_no_lease() {
    let mut cluster = Cluster::with(3, Config { lease_drift: Drift::from_ppm(500), ..config() });
    cluster.run(400);
    cluster.elect(1);
    cluster.run(IDLE_MS + 200);
    assert!(are_quiescent(&mut cluster, 1, 3));
    let now = cluster.now.after(1_000_000);
    assert_eq!(cluster.raft(1).read_lease(now), None);
}

#[test]
fn invalid_quiesce_messages_are_rejected() {
    let mut cluster = quiescent(3);
    let now = cluster.now;
    let status = cluster.raft(3).status();
    let quiesce = |term, round, index| Message::Quiesce { term, round, index };
    for (message, reason) in [
        (quiesce(0, 1, 1), Rejected::Malformed),
        (quiesce(status.term, 0, 1), Rejected::Malformed),
        (quiesce(1 << 62, 1, 1), Rejected::OutOfRange),
        (quiesce(status.term, 1 << 62, 1), Rejected::OutOfRange),
        (quiesce(status.term, 1, 1 << 62), Rejected::OutOfRange),
    ] {
        let before = cluster.raft(3).clone();
        assert_eq!(cluster.raft(3).receive(now, id(1), message), Err(reason), "{message:?}");
        // it stays quiescent
        assert_eq!(cluster.raft(3).deadline(), before.deadline());
        assert!(cluster.raft(3).status().quiescent);
    }
    let bad =
        Message::Append { term: 0, prev_index: 0, prev_term: 0, commit: 0, round: 1, entries: &[] };
    assert_eq!(cluster.raft(1).receive(now, id(2), bad), Err(Rejected::Malformed));
    assert!(cluster.raft(1).status().quiescent);
    // two leaders of one term
    let message = quiesce(status.term, 1_000, status.last);
    assert_eq!(cluster.raft(3).receive(now, id(2), message), Err(Rejected::Impossible));
    // the commit index is beyond the log of this node
    let message = quiesce(status.term, 1_000, status.last + 1);
    assert_eq!(cluster.raft(3).receive(now, id(1), message), Ok(()));
    assert!(!cluster.raft(3).status().quiescent);
    assert_eq!(cluster.raft(3).status().commit, status.commit);
}

#[test]
fn fixed_storage_does_not_quiesce() {
    type Node = Raft<Fixed<3, 1024, 16, 64>>;
    let ids = [1, 2, 3].map(id);
    assert_eq!(Node::new(ids[0], &ids, config(), 1).err(), Some(ConfigError::Fixed));
    let mut node = Node::new(ids[0], &ids, Config::default(), 1).unwrap();
    node.tick(Instant::ZERO);
    let message = Message::Quiesce { term: 1, round: 1, index: 0 };
    assert_eq!(node.receive(Instant::ZERO, ids[1], message), Ok(()));
    node.unquiesce(Instant::ZERO);
    assert!(node.deadline().is_some() && node.status().term == 0);
}

#[test]
fn repeated_quiesce_messages_keep_a_follower_quiescent() {
    let mut cluster = elected(3);
    // the acknowledgement of node 3 is lost, so the leader sends Quiesce again
    let mut requested = 0;
    while requested < 2 {
        cluster.run_if(10, |e| {
            requested += u32::from(e.to == 2 && is_quiesce(e));
            requested == 0 || e.from != 3
        });
    }
    cluster.net.clear();
    assert!(are_quiescent(&mut cluster, 2, 3));
    for _ in 0..100 {
        cluster.now = cluster.now.after(10_000);
        let now = cluster.now;
        cluster.raft(2).tick(now);
        cluster.drain(2);
    }
    assert!(cluster.net.is_empty() && are_quiescent(&mut cluster, 2, 2));
}

#[test]
fn acknowledgements_slower_than_a_heartbeat_count() {
    let mut cluster = elected(3);
    let mut in_flight: Vec<(u32, Envelope)> = Vec::new();
    for step in 0..400 {
        cluster.now = cluster.now.after(5_000);
        for node in 1..=3 {
            let now = cluster.now;
            cluster.raft(node).tick(now);
            cluster.drain(node);
        }
        // a latency of 30 ms each way, and a heartbeat every 50 ms
        for (_, envelope) in in_flight.extract_if(.., |(due, _)| *due <= step) {
            cluster.deliver(&envelope);
        }
        in_flight.extend(cluster.net.drain(..).map(|envelope| (step + 6, envelope)));
    }
    assert!(are_quiescent(&mut cluster, 1, 3) && in_flight.is_empty());
}

#[test]
fn followers_with_pending_reads_do_not_quiesce() {
    let mut cluster = elected(5);
    let mut requested = false;
    while !requested {
        cluster.run_if(10, |e| {
            requested |= is_quiesce(e);
            !is_quiesce(e)
        });
    }
    // all followers read, so none acknowledges Quiesce
    let reads: Vec<_> = (2..=5).map(|node| cluster.raft(node).read().unwrap()).collect();
    for node in 2..=5 {
        cluster.drain(node);
    }
    cluster.settle();
    for (node, read) in (2..=5).zip(reads) {
        assert!(cluster.host(node).reads.contains(&read), "node {node}");
    }
    cluster.run(IDLE_MS + 200);
    assert!(are_quiescent(&mut cluster, 1, 5));
}

#[test]
fn cluster_does_not_quiesce_in_joint_consensus() {
    let mut cluster = elected(3);
    cluster.run(100);
    // the log has room for one more configuration entry, not for two
    let room = |cluster: &mut Cluster| 8192 - cluster.raft(1).entries(1).bytes().len();
    while room(&mut cluster) > 150 {
        let len = (room(&mut cluster) - 140).min(1_000).saturating_sub(4).max(1);
        cluster.propose(1, &"x".repeat(len));
        cluster.settle();
        cluster.run(60);
    }
    let changes = [2, 3].map(|node| quorate_raft::Change::Demote(id(node)));
    cluster.raft(1).change(&changes).unwrap();
    cluster.drain(1);
    cluster.run(IDLE_MS + 500);
    assert!(cluster.raft(1).status().joint && !cluster.raft(1).status().quiescent);
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, applied).unwrap();
    cluster.drain(1);
    cluster.run(200);
    assert!(!cluster.raft(1).status().joint);
    cluster.run(IDLE_MS + 200);
    assert!(are_quiescent(&mut cluster, 1, 3));
}

#[test]
fn unquiesce_of_an_active_node_does_nothing() {
    let mut cluster = elected(3);
    cluster.run(60);
    let now = cluster.now.after(10_000);
    for node in 1..=3 {
        let before = cluster.raft(node).clone();
        cluster.raft(node).unquiesce(now);
        assert!(*cluster.raft(node) == before, "node {node}");
    }
}

#[test]
fn malformed_message_does_not_unquiesce_the_leader() {
    let mut cluster = quiescent(3);
    let now = cluster.now.after(1_000);
    let malformed = Message::Vote { pre: false, term: 0, granted: true };
    for _ in 0..2 {
        assert!(cluster.raft(1).receive(now, id(2), malformed).is_err());
        assert!(cluster.raft(1).status().quiescent);
        assert!(cluster.raft(1).poll().is_none());
    }
    let later = now.after(10_000_000);
    cluster.raft(1).tick(later);
    assert!(cluster.raft(1).poll().is_none(), "no output");
}

/// A learner cannot be elected and learns its leader from the next heartbeat.
#[test]
fn restarted_learner_unquiesces_its_leader_until_all_are_idle_again() {
    let mut cluster = elected(3);
    cluster.join(4);
    cluster.raft(1).change(&[Change::Add(id(4))]).unwrap();
    cluster.drain(1);
    cluster.run(IDLE_MS + 500);
    assert!(are_quiescent(&mut cluster, 1, 4));
    cluster.restart(4);
    cluster.run(2_000);
    let status = cluster.raft(4).status();
    assert_eq!((status.leader, status.quiescent), (Some(id(1)), true));
    assert!(are_quiescent(&mut cluster, 1, 4));
}
