//! A follower whose state is damaged asks for a snapshot.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Cluster, Envelope, id};
use quorate_core::{Instant, Rejected};
use quorate_raft::{Config, Fixed, Message, Raft, Replication, Role, SnapshotError};

/// Node 1 leads, and all have applied three commands.
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

/// Node 3 asks, and is given what node 1 has, in two parts.
fn serve(cluster: &mut Cluster) {
    let mut served = 0;
    for _ in 0..20 {
        // it is asked again with every heartbeat
        if let Some((to, index, offset)) = std::mem::take(&mut cluster.host(1).wanted).pop() {
            assert_eq!(to, 3);
            let part: &[u8] = if offset == 0 { b"abc" } else { b"def" };
            cluster.raft(1).send_snapshot(id(3), index, offset, part, offset > 0).unwrap();
            served += 1;
        }
        cluster.drain(1);
        cluster.run(50);
        if cluster.host(3).parts.iter().any(|part| part.3) {
            break;
        }
    }
    assert_eq!(served, 2);
}

fn is_question(envelope: &Envelope) -> bool {
    matches!(envelope.message(), Message::Renew { .. })
}

#[test]
fn requested_snapshot_covers_the_applied_index_and_replication_continues() {
    let mut cluster = cluster();
    let index = compact(&mut cluster);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.settle();
    // its log is whole, and what is committed meanwhile waits
    cluster.propose(1, "d");
    serve(&mut cluster);
    assert_eq!(cluster.commands(3), ["a", "b", "c"]);
    let parts = std::mem::take(&mut cluster.host(3).parts);
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
    // it does not ask again
    let mut asked = 0;
    cluster.run_if(500, |e| {
        asked += usize::from(is_question(e));
        true
    });
    assert_eq!(asked, 0);
    // and its disk says the same
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
        assert!(cluster.host(1).due.len() > 1, "as often as it is asked");
        assert!(cluster.host(1).due.iter().all(|&index| index == least));
        assert!(cluster.host(1).wanted.is_empty());
        let index = compact(&mut cluster);
        cluster.run(100);
        assert!(cluster.host(1).wanted.iter().any(|&(to, at, _)| (to, at) == (3, index)));
        serve(&mut cluster);
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
    serve(&mut cluster);
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
    let (now, mut asked) = (cluster.now, 0);
    assert!(cluster.raft(3).deadline().is_some_and(|at| at <= now.after(50_000)));
    cluster.run_if(200, |e| {
        asked += usize::from(is_question(e));
        !is_question(e)
    });
    assert!((3..=5).contains(&asked), "once a heartbeat: {asked}");
    assert!(cluster.host(1).wanted.is_empty());
    cluster.run(100);
    assert!(!cluster.host(1).wanted.is_empty());
    // node 2 leads now
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run(200);
    assert_eq!(cluster.leader(), Some(2));
    assert!(!cluster.host(2).due.is_empty());
}

#[test]
fn earlier_acknowledgement_does_not_cancel_the_request() {
    let mut cluster = cluster();
    let index = compact(&mut cluster);
    // node 3 accepts an entry, and that is under way
    cluster.propose(1, "d");
    let entry = cluster.net.iter().find(|e| e.to == 3).unwrap().clone();
    cluster.net.clear();
    cluster.deliver(&entry);
    let accept = cluster.net.pop_back().unwrap();
    assert!(matches!(accept.message(), Message::Accept { .. }));
    let now = cluster.now;
    let term = cluster.raft(1).status().term;
    let question = Message::Renew { term, index: index.min(2) };
    cluster.raft(1).receive(now, id(3), question).unwrap();
    cluster.deliver(&accept);
    let peer = cluster.raft(1).peers().find(|peer| peer.id == id(3)).unwrap();
    assert_eq!(peer.replication, Replication::Snapshot);
}

#[test]
fn leader_that_awaits_a_snapshot_applies_nothing_and_has_no_lease() {
    let config = Config { lease_drift_ppm: 500, snapshot_part_bytes: 64, ..Config::default() };
    let mut cluster = Cluster::with(3, config);
    cluster.run(400);
    cluster.elect(1);
    cluster.run(100);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    // it stands, as an operator wants it to, and is elected
    cluster.elect(3);
    cluster.propose(3, "x");
    cluster.run_if(40, |_| true);
    let now = cluster.now;
    assert!(cluster.commands(3).is_empty());
    assert_eq!(cluster.raft(3).read_lease(now), None);
    assert_eq!(cluster.raft(3).request_snapshot(), Err(SnapshotError::NotFollower));
    // it leaves the leadership to another by itself, and is given one then
    cluster.run(200);
    assert_ne!(cluster.leader(), Some(3));
    if cluster.leader() == Some(2) {
        cluster.elect(1);
        cluster.run(100);
    }
    assert_eq!(cluster.commands(1), ["x"]);
    let index = compact(&mut cluster);
    cluster.run(100);
    serve(&mut cluster);
    cluster.raft(3).snapshot_installed(index).unwrap();
    cluster.drain(3);
}

#[test]
fn node_that_awaits_a_snapshot_does_not_quiesce() {
    let config = Config { quiesce_us: 1, snapshot_part_bytes: 64, ..Config::default() };
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(500);
    assert!(cluster.raft(3).status().quiet);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    // that is lost
    cluster.net.clear();
    assert!(cluster.raft(3).deadline().is_some());
    cluster.run(500);
    assert!(!cluster.raft(3).status().quiet && !cluster.raft(1).status().quiet);
    assert!(cluster.host(1).due.len() > 2);
}

#[test]
fn invalid_requests_are_rejected() {
    let mut cluster = cluster();
    [2, 1].into_iter().for_each(|node| cluster.elect(node)); // so that there was an earlier term
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let ask = |term, index| Message::Renew { term, index };
    for (message, reason) in [
        (ask(0, 1), Rejected::Malformed),
        (ask(1 << 62, 1), Rejected::OutOfRange),
        (ask(status.term, 1 << 62), Rejected::OutOfRange),
        (ask(status.term, status.last + 1), Rejected::Impossible),
    ] {
        assert_eq!(cluster.raft(1).receive(now, id(3), message), Err(reason), "{message:?}");
    }
    // of another term, or to who does not lead: nothing
    compact(&mut cluster);
    for (node, term) in [(1, status.term - 1), (1, status.term + 1), (2, status.term)] {
        assert_eq!(cluster.raft(node).receive(now, id(3), ask(term, 1)), Ok(()));
        cluster.drain(node);
        assert!(cluster.host(node).wanted.is_empty() && cluster.host(node).due.is_empty());
    }
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn fixed_storage_does_not_request_snapshots() {
    let ids = [1, 2, 3].map(id);
    let mut node = Raft::<Fixed<3, 1024, 16, 64>>::new(ids[0], &ids, Config::default(), 1).unwrap();
    node.tick(Instant::ZERO);
    assert_eq!(node.request_snapshot(), Err(SnapshotError::NotFollower));
    let message = Message::Renew { term: 1, index: 0 };
    assert_eq!(node.receive(Instant::ZERO, ids[1], message), Ok(()));
}

#[test]
fn single_voter_has_no_snapshot_source() {
    let mut cluster = Cluster::new(1);
    // it does not lead yet
    assert_eq!(cluster.raft(1).request_snapshot(), Err(SnapshotError::NoSource));
    cluster.run(400);
    cluster.propose(1, "x");
    assert_eq!(cluster.commands(1), ["x"], "it applies what it commits");
    assert!(!cluster.raft(1).status().awaits_snapshot);
}

#[test]
fn node_that_awaits_a_snapshot_campaigns_last() {
    let mut cluster = cluster();
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.run(60);
    assert!(cluster.raft(3).status().awaits_snapshot);
    // the leader dies: one with its state follows it, each time
    for _ in 0..10 {
        cluster.host(1).up = false;
        cluster.run(2_000);
        assert_eq!(cluster.leader(), Some(2));
        cluster.restart(1);
        cluster.run(500);
        cluster.elect(1);
        cluster.run(500);
    }
    // it takes no leadership that is transferred to it
    cluster.raft(1).transfer(id(3)).unwrap();
    cluster.drain(1);
    cluster.run(500);
    assert_eq!(cluster.leader(), Some(1));
}

/// Only the one that waits has the whole log.
#[test]
fn leader_that_awaits_a_snapshot_transfers_leadership() {
    let mut cluster = cluster();
    cluster.propose(1, "d");
    cluster.settle_if(|e| e.from != 2 && e.to != 2);
    cluster.raft(3).request_snapshot().unwrap();
    cluster.drain(3);
    cluster.settle_if(|e| e.from != 2 && e.to != 2);
    cluster.host(1).up = false;
    // 2 is not elected without that entry
    let mut led = false;
    for _ in 0..800 {
        cluster.run(10);
        let status = cluster.raft(3).status();
        led |= status.role == Role::Leader;
        if led && cluster.leader() == Some(2) {
            break;
        }
    }
    assert!(led, "it is the only one that can be elected");
    assert_eq!(cluster.leader(), Some(2));
    assert!(cluster.raft(3).status().awaits_snapshot);
    cluster.propose(2, "e");
    cluster.run(100);
    assert_eq!(cluster.commands(2), ["a", "b", "c", "d", "e"]);
    // it asks the new leader
    assert!(!cluster.host(2).due.is_empty());
}

/// Nobody is heard to whom it could leave the leadership.
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
        let reject = Message::Reject {
            term,
            round,
            prev_index: status.last - 1,
            hint_index: index,
            hint_term: term,
        };
        cluster.raft(1).receive(now, id(3), reject).unwrap();
        cluster.raft(1).receive(now, id(3), Message::Renew { term, index }).unwrap();
        cluster.drain(1);
        // the probe succeeds, so the peer is in replicate mode again
        cluster.run(100);
    }
    assert!(cluster.host(1).wanted.iter().any(|&(to, of, _)| (to, of) == (3, index)));
}

#[test]
fn leader_serves_a_second_request_of_the_same_follower() {
    let mut cluster = cluster();
    for text in ["d", "e"] {
        let index = compact(&mut cluster);
        cluster.raft(3).request_snapshot().unwrap();
        cluster.drain(3);
        cluster.settle();
        serve(&mut cluster);
        cluster.host(3).parts.clear();
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

/// While it waits it stands after all others; then not any more.
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
    serve(&mut cluster);
    cluster.raft(3).snapshot_installed(index).unwrap();
    cluster.drain(3);
    cluster.run(60);
    assert!(!cluster.raft(3).status().awaits_snapshot);
    assert_eq!(cluster.leader(), Some(1));
    assert!(wait(&mut cluster) <= longest);
}
