//! A follower whose state is damaged requests a snapshot.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, id};
use quorate_core::{Drift, Instant, Machine, Rejected};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Config, Fixed, Message, Raft, Replication, Role, SnapshotError};

/// Node 1 leads, and all nodes have applied three commands.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.run(200);
    cluster.elect(1);
    for text in ["a", "b", "c"] {
        cluster.propose(1, text);
    }
    cluster.run(100);
    assert_eq!(cluster.commands(3), ["a", "b", "c"]);
    cluster
}

fn applied(cluster: &mut Cluster, node: u64) -> u64 {
    cluster.raft(node).status().applied
}

/// Node 1 takes a snapshot.
fn compact(cluster: &mut Cluster) -> u64 {
    let index = applied(cluster, 1);
    cluster.raft(1).snapshot_taken(index, 0).unwrap();
    cluster.drain(1);
    index
}

/// Node 1 sends its snapshot to node 3 in two chunks.
fn send_snapshot_to_3(cluster: &mut Cluster) {
    let mut chunks_sent = 0;
    for _ in 0..20 {
        // the request is repeated with every heartbeat
        if let Some((to, index, offset)) = std::mem::take(&mut cluster.host(1).chunk_requests).pop()
        {
            assert_eq!(to, 3);
            let part: &[u8] = if offset == 0 { b"abc" } else { b"def" };
            cluster.raft(1).send_snapshot(id(3), index, offset, part, offset > 0).unwrap();
            chunks_sent += 1;
        }
        cluster.drain(1);
        cluster.run(50);
        if cluster.host(3).chunks.iter().any(|part| part.3) {
            break;
        }
    }
    assert_eq!(chunks_sent, 2);
}

fn is_snapshot_request(envelope: &Envelope) -> bool {
    matches!(envelope.message(), Message::RequestSnapshot { .. })
}

#[test]
fn requested_snapshot_covers_the_applied_index_and_replication_continues() {
    let mut cluster = cluster();
    let index = compact(&mut cluster);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.settle();
    // entries committed meanwhile are stored and not applied
    cluster.propose(1, "d");
    send_snapshot_to_3(&mut cluster);
    assert_eq!(cluster.commands(3), ["a", "b", "c"]);
    let parts = std::mem::take(&mut cluster.host(3).chunks);
    assert_eq!(
        parts.iter().map(|part| (part.0, part.1)).collect::<Vec<_>>(),
        [(index, 0), (index, 3)]
    );
    cluster.raft(3).snapshot_installed(index).unwrap();
    cluster.drain(3);
    cluster.run(200);
    assert_eq!(cluster.commands(3), ["a", "b", "c", "d"]);
    let status = cluster.raft(3).status();
    assert_eq!((status.snapshot, status.first), (index, index + 1));
    let peer = cluster.raft(1).peers().find(|peer| peer.id == id(3)).unwrap();
    assert_eq!((peer.replication, peer.match_index), (Replication::Replicate, status.last));
    // the request is not repeated
    let mut requests = 0;
    cluster.run_if(500, |e| {
        requests += usize::from(is_snapshot_request(e));
        true
    });
    assert_eq!(requests, 0);
    // the same after a restart
    cluster.restart(3);
    cluster.run(200);
    assert_eq!(cluster.commands(3), ["d"]);
}

#[test]
fn leader_application_is_asked_for_a_new_snapshot() {
    for old in [false, true] {
        let mut cluster = cluster();
        if old {
            compact(&mut cluster);
            cluster.propose(1, "d");
            cluster.run(100);
        }
        let least = applied(&mut cluster, 3);
        cluster.raft(3).request_snapshot().unwrap();
        cluster.drain(3);
        cluster.run(200);
        assert!(cluster.host(1).snapshots_due.len() > 1, "once per request");
        assert!(cluster.host(1).snapshots_due.iter().all(|&index| index == least));
        assert!(cluster.host(1).chunk_requests.is_empty());
        let index = compact(&mut cluster);
        cluster.run(100);
        assert!(cluster.host(1).chunk_requests.iter().any(|&(to, at, _)| (to, at) == (3, index)));
        send_snapshot_to_3(&mut cluster);
        cluster.raft(3).snapshot_installed(index).unwrap();
    }
}

#[test]
fn reads_wait_for_the_requested_snapshot() {
    let mut cluster = cluster();
    cluster.raft(3).request_snapshot().unwrap();
    cluster.raft(3).read().unwrap();
    cluster.drain(3);
    cluster.run(200);
    assert!(cluster.host(3).reads.is_empty());
    let index = compact(&mut cluster);
    cluster.run(100);
    send_snapshot_to_3(&mut cluster);
    cluster.raft(3).snapshot_installed(index).unwrap();
    cluster.drain(3);
    cluster.run(100);
    assert_eq!(cluster.host(3).reads.len(), 1);
}

#[test]
fn lost_request_is_retried_and_sent_to_a_new_leader() {
    let mut cluster = cluster();
    compact(&mut cluster);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    let (now, mut requests) = (cluster.now, 0);
    assert!(cluster.raft(3).deadline().is_some_and(|at| at <= now.after(50_000)));
    cluster.run_if(200, |e| {
        requests += usize::from(is_snapshot_request(e));
        !is_snapshot_request(e)
    });
    assert!((3..=5).contains(&requests), "once a heartbeat: {requests}");
    assert!(cluster.host(1).chunk_requests.is_empty());
    cluster.run(100);
    assert!(!cluster.host(1).chunk_requests.is_empty());
    // node 2 becomes leader
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run(200);
    assert_eq!(cluster.leader(), Some(2));
    assert!(!cluster.host(2).snapshots_due.is_empty());
}

#[test]
fn earlier_acknowledgement_does_not_cancel_the_request() {
    let mut cluster = cluster();
    let index = compact(&mut cluster);
    // node 3 accepts an entry, and its acknowledgement is in flight
    cluster.propose(1, "d");
    let entry = cluster.net.iter().find(|e| e.to == 3).unwrap().clone();
    cluster.net.clear();
    cluster.deliver(&entry);
    let accept = cluster.net.pop_back().unwrap();
    assert!(matches!(accept.message(), Message::AppendAccepted { .. }));
    let now = cluster.now;
    let term = cluster.raft(1).status().term;
    let request = Message::RequestSnapshot { term, index: index.min(2) };
    cluster.raft(1).receive(now, id(3), request).unwrap();
    cluster.deliver(&accept);
    let peer = cluster.raft(1).peers().find(|peer| peer.id == id(3)).unwrap();
    assert_eq!(peer.replication, Replication::Snapshot);
}

#[test]
fn leader_that_awaits_a_snapshot_applies_nothing_and_has_no_lease() {
    let config = Config {
        lease_drift: Drift::from_ppm(500),
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    cluster.run(400);
    cluster.elect(1);
    cluster.run(100);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    // an operator makes it campaign, and it is elected
    cluster.elect(3);
    cluster.propose(3, "x");
    cluster.run_if(40, |_| true);
    let now = cluster.now;
    assert!(cluster.commands(3).is_empty());
    assert_eq!(cluster.raft(3).read_lease(now), None);
    assert_eq!(cluster.raft(3).request_snapshot(), Err(SnapshotError::NotFollower));
    // it transfers leadership by itself, and then receives a snapshot
    cluster.run(200);
    assert_ne!(cluster.leader(), Some(3));
    if cluster.leader() == Some(2) {
        cluster.elect(1);
        cluster.run(100);
    }
    assert_eq!(cluster.commands(1), ["x"]);
    let index = compact(&mut cluster);
    cluster.run(100);
    send_snapshot_to_3(&mut cluster);
    cluster.raft(3).snapshot_installed(index).unwrap();
    cluster.drain(3);
}

#[test]
fn node_that_awaits_a_snapshot_does_not_quiesce() {
    let config = Config { quiesce_us: 1, max_snapshot_chunk_bytes: 64, ..Config::default() };
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(500);
    assert!(cluster.raft(3).status().quiescent);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    // the request is lost
    cluster.net.clear();
    assert!(cluster.raft(3).deadline().is_some());
    cluster.run(500);
    assert!(!cluster.raft(3).status().quiescent && !cluster.raft(1).status().quiescent);
    assert!(cluster.host(1).snapshots_due.len() > 2);
}

#[test]
fn invalid_requests_are_rejected() {
    let mut cluster = cluster();
    [2, 1].into_iter().for_each(|node| cluster.elect(node)); // so that there is an earlier term
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let request = |term, index| Message::RequestSnapshot { term, index };
    for (message, reason) in [
        (request(0, 1), Rejected::Malformed),
        (request(1 << 62, 1), Rejected::OutOfRange),
        (request(status.term, 1 << 62), Rejected::OutOfRange),
        (request(status.term, status.last + 1), Rejected::Impossible),
    ] {
        assert_eq!(cluster.raft(1).receive(now, id(3), message), Err(reason), "{message:?}");
    }
    // requests of another term or to a follower are ignored
    compact(&mut cluster);
    for (node, term) in [(1, status.term - 1), (1, status.term + 1), (2, status.term)] {
        assert_eq!(cluster.raft(node).receive(now, id(3), request(term, 1)), Ok(()));
        cluster.drain(node);
        assert!(
            cluster.host(node).chunk_requests.is_empty()
                && cluster.host(node).snapshots_due.is_empty()
        );
    }
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn fixed_storage_does_not_request_snapshots() {
    let ids = [1, 2, 3].map(id);
    let mut node = Raft::<Fixed<3, 1024, 16, 64>>::new(ids[0], &ids, Config::default(), 1).unwrap();
    node.tick(Instant::ZERO);
    assert_eq!(node.request_snapshot(), Err(SnapshotError::NotFollower));
    let message = Message::RequestSnapshot { term: 1, index: 0 };
    assert_eq!(node.receive(Instant::ZERO, ids[1], message), Ok(()));
}

#[test]
fn single_voter_has_no_snapshot_source() {
    let mut cluster = Cluster::new(1);
    // it is not the leader yet
    assert_eq!(cluster.raft(1).request_snapshot(), Err(SnapshotError::NoSource));
    cluster.run(400);
    cluster.propose(1, "x");
    assert_eq!(cluster.commands(1), ["x"], "it still applies its commits");
    assert!(!cluster.raft(1).status().awaits_snapshot);
}

#[test]
fn node_that_awaits_a_snapshot_campaigns_last() {
    let mut cluster = cluster();
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.run(60);
    assert!(cluster.raft(3).status().awaits_snapshot);
    // each time the leader crashes, a node with sound state is elected
    for _ in 0..10 {
        cluster.host(1).up = false;
        cluster.run(2_000);
        assert_eq!(cluster.leader(), Some(2));
        cluster.restart(1);
        cluster.run(500);
        cluster.elect(1);
        cluster.run(500);
    }
    // it accepts no leadership transfer
    cluster.raft(1).transfer(id(3)).unwrap();
    cluster.drain(1);
    cluster.run(500);
    assert_eq!(cluster.leader(), Some(1));
}

/// Only the node that awaits a snapshot has the whole log.
#[test]
fn leader_that_awaits_a_snapshot_transfers_leadership() {
    let mut cluster = cluster();
    cluster.propose(1, "d");
    cluster.settle_if(|e| e.from != 2 && e.to != 2);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.settle_if(|e| e.from != 2 && e.to != 2);
    cluster.host(1).up = false;
    // node 2 lacks that entry and cannot be elected
    let mut led = false;
    for _ in 0..800 {
        cluster.run(10);
        let status = cluster.raft(3).status();
        led |= status.role == Role::Leader;
        if led && cluster.leader() == Some(2) {
            break;
        }
    }
    assert!(led, "only node 3 can be elected");
    assert_eq!(cluster.leader(), Some(2));
    assert!(cluster.raft(3).status().awaits_snapshot);
    cluster.propose(2, "e");
    cluster.run(100);
    assert_eq!(cluster.commands(2), ["a", "b", "c", "d", "e"]);
    // node 3 sends its request to the new leader
    assert!(!cluster.host(2).snapshots_due.is_empty());
}

/// No other node answers to which it could transfer leadership.
#[test]
fn leader_that_cannot_transfer_reports_that_it_awaits_a_snapshot() {
    let mut cluster = cluster();
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.elect(3);
    let commit = cluster.raft(3).status().commit;
    cluster.propose(3, "d");
    cluster.settle();
    let status = cluster.raft(3).status();
    assert!(status.commit > commit && status.applied < status.commit);
    assert!(status.awaits_snapshot && status.role == Role::Leader);
}

#[test]
fn follower_that_rejects_every_append_gets_the_snapshot_it_requests() {
    let mut cluster = cluster();
    let index = compact(&mut cluster);
    for _ in 0..3 {
        // after each heartbeat the follower first rejects the append, then requests a snapshot
        cluster.run_if(60, |envelope| (envelope.from == 3) == (envelope.to == 3));
        cluster.raft(1).propose(b"lost").unwrap();
        cluster.raft(1).propose(b"refused").unwrap();
        let (now, status, round) =
            (cluster.now, cluster.raft(1).status(), newest_round(&mut cluster));
        let term = status.term;
        let reject = Message::AppendRejected {
            term,
            round,
            prev_index: status.last - 1,
            hint_index: index,
            hint_term: term,
        };
        cluster.raft(1).receive(now, id(3), reject).unwrap();
        cluster.raft(1).receive(now, id(3), Message::RequestSnapshot { term, index }).unwrap();
        cluster.drain(1);
        // the probe succeeds, so the peer is in replicate mode again
        cluster.run(100);
    }
    assert!(cluster.host(1).chunk_requests.iter().any(|&(to, of, _)| (to, of) == (3, index)));
}

#[test]
fn leader_serves_a_second_request_of_the_same_follower() {
    let mut cluster = cluster();
    for text in ["d", "e"] {
        let index = compact(&mut cluster);
        cluster.raft(3).request_snapshot().unwrap();
        cluster.drain(3);
        cluster.settle();
        send_snapshot_to_3(&mut cluster);
        cluster.host(3).chunks.clear();
        cluster.raft(3).snapshot_installed(index).unwrap();
        cluster.drain(3);
        cluster.propose(1, text);
        cluster.run(200);
        assert_eq!(cluster.commands(3).last().map(String::as_str), Some(text));
    }
}

/// The round of the leader's last append to node 3.
fn newest_round(cluster: &mut Cluster) -> u64 {
    cluster.drain(1);
    let rounds = cluster.net.iter().filter(|envelope| envelope.to == 3);
    let rounds = rounds.filter_map(|envelope| match envelope.message() {
        Message::Append { round, .. } => Some(round),
        _ => None,
    });
    rounds.max().unwrap_or(0)
}

/// A node that awaits a snapshot has a longer election timeout.
#[test]
fn installed_snapshot_restores_the_normal_election_timeout() {
    let mut cluster = cluster();
    let index = compact(&mut cluster);
    let longest = cluster.config.election_max_us;
    let wait = |cluster: &mut Cluster| {
        let (now, raft) = (cluster.now, cluster.raft(3));
        raft.deadline().unwrap().since(now)
    };
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.settle();
    cluster.run(60);
    send_snapshot_to_3(&mut cluster);
    cluster.raft(3).snapshot_installed(index).unwrap();
    cluster.drain(3);
    cluster.run(60);
    assert!(!cluster.raft(3).status().awaits_snapshot);
    assert_eq!(cluster.leader(), Some(1));
    assert!(wait(&mut cluster) <= longest);
}
