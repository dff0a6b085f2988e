//! Log compaction and snapshots (Raft thesis, chapter 5).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, encode, id};
use quorate_core::{Corrupt, Machine, Wire};
use quorate_raft::{Config, Members, Message, Record, Replication, SnapshotError};

/// A snapshot: the applied commands, joined.
fn snapshot_bytes(cluster: &mut Cluster, node: u64) -> Vec<u8> {
    cluster.commands(node).join(",").into_bytes()
}

/// Sends the chunks that leaders request, and installs what followers received.
fn transfer_snapshots(cluster: &mut Cluster, snapshot: &[u8]) {
    for node in 1..=cluster.hosts.len() as u64 {
        for (to, index, offset) in std::mem::take(&mut cluster.host(node).chunk_requests) {
            let rest = &snapshot[offset as usize..];
            let data = &rest[..rest.len().min(64)];
            let done = data.len() == rest.len();
            let _ = cluster.raft(node).send_snapshot(id(to), index, offset, data, done);
            cluster.drain(node);
        }
        let done = cluster.host(node).chunks.iter().find(|p| p.3).map(|p| p.0);
        if let Some(index) = done {
            let mut received = Vec::new();
            for (_, offset, data, _) in std::mem::take(&mut cluster.host(node).chunks) {
                if offset == 0 {
                    received.clear();
                }
                assert_eq!(received.len() as u64, offset);
                received.extend(data);
            }
            assert_eq!(received, snapshot);
            cluster.host(node).applied.clear();
            cluster.raft(node).snapshot_installed(index).unwrap();
            cluster.drain(node);
        }
    }
}

/// A cluster in which node 3 needs a snapshot of node 1.
fn behind() -> (Cluster, Vec<u8>) {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    for n in 0..60 {
        cluster.propose(1, &format!("command {n}"));
        cluster.settle_if(|e| e.to != 3 && e.from != 3);
    }
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, applied).unwrap();
    cluster.drain(1);
    let snapshot = snapshot_bytes(&mut cluster, 1);
    assert!(snapshot.len() > 500);
    (cluster, snapshot)
}

fn run_with_snapshots(
    cluster: &mut Cluster,
    snapshot: &[u8],
    ms: u64,
    mut pass: impl FnMut(&Envelope) -> bool,
) {
    for _ in 0..ms / 10 {
        cluster.run_if(10, &mut pass);
        for _ in 0..50 {
            transfer_snapshots(cluster, snapshot);
            cluster.settle_if(&mut pass);
        }
    }
}

#[test]
fn lagging_peer_receives_the_snapshot_in_chunks() {
    let (mut cluster, snapshot) = behind();
    run_with_snapshots(&mut cluster, &snapshot, 300, |_| true);
    let (leader, follower) = (cluster.raft(1).status(), cluster.raft(3).status());
    assert_eq!((follower.last, follower.snapshot), (leader.last, leader.snapshot));
    cluster.propose(1, "after");
    cluster.run(100);
    assert_eq!(cluster.commands(3), ["after"]);
    let progress: Vec<_> = cluster.raft(1).peers().map(|p| p.replication).collect();
    assert_eq!(progress, [Replication::Replicate; 2]);
}

#[test]
fn lost_and_duplicated_chunks_are_tolerated() {
    let (mut cluster, snapshot) = behind();
    let mut count = 0;
    run_with_snapshots(&mut cluster, &snapshot, 3000, |_| {
        count += 1;
        count % 3 != 0
    });
    assert_eq!(cluster.raft(3).status().last, cluster.raft(1).status().last);
}

#[test]
fn installed_snapshot_survives_a_restart() {
    let (mut cluster, snapshot) = behind();
    run_with_snapshots(&mut cluster, &snapshot, 300, |_| true);
    let before = cluster.raft(3).status();
    cluster.restart(3);
    let after = cluster.raft(3).status();
    assert_eq!(
        (after.snapshot, after.last, after.applied),
        (before.snapshot, before.last, before.snapshot)
    );
}

#[test]
fn snapshot_is_acknowledged_after_its_record_is_durable() {
    let (mut cluster, snapshot) = behind();
    cluster.host(3).fast_disk = false;
    run_with_snapshots(&mut cluster, &snapshot, 300, |_| true);
    let index = cluster.raft(1).status().snapshot;
    // the application gets the last chunk once the member record is durable
    assert_eq!(cluster.raft(3).status().snapshot, 0);
    assert!(!cluster.host(3).chunks.iter().any(|part| part.3));
    cluster.sync(3);
    run_with_snapshots(&mut cluster, &snapshot, 100, |_| true);
    assert_eq!(cluster.raft(3).status().snapshot, index);
    let matched = |cluster: &mut Cluster| {
        cluster.raft(1).peers().find(|p| p.id == id(3)).unwrap().match_index
    };
    assert!(matched(&mut cluster) < index);
    cluster.sync(3);
    cluster.settle();
    assert!(matched(&mut cluster) >= index);
}

#[test]
fn refused_snapshot_is_sent_again() {
    let (mut cluster, snapshot) = behind();
    // node 3 receives the whole snapshot and refuses it
    for _ in 0..30 {
        cluster.run(10);
        for (to, index, offset) in std::mem::take(&mut cluster.host(1).chunk_requests) {
            let rest = &snapshot[offset as usize..];
            let data = &rest[..rest.len().min(64)];
            let done = data.len() == rest.len();
            let _ = cluster.raft(1).send_snapshot(id(to), index, offset, data, done);
            cluster.drain(1);
        }
        cluster.settle();
    }
    assert!(cluster.host(3).chunks.iter().any(|p| p.3));
    cluster.host(3).chunks.clear();
    cluster.raft(3).snapshot_refused();
    run_with_snapshots(&mut cluster, &snapshot, 500, |_| true);
    assert_eq!(cluster.raft(3).status().last, cluster.raft(1).status().last);
}

#[test]
fn chunks_of_two_leaders_do_not_mix() {
    let (mut cluster, _) = behind();
    let now = cluster.now;
    let term = cluster.raft(3).status().term;
    let part = |term, offset, data| Message::Snapshot {
        term,
        round: 0,
        index: 50,
        index_term: term - 1,
        offset,
        done: false,
        data,
    };
    let term = term + 1;
    cluster.raft(3).receive(now, id(1), part(term, 0, b"abc")).unwrap();
    cluster.drain(3);
    cluster.raft(3).receive(now, id(2), part(term + 1, 3, b"def")).unwrap();
    cluster.drain(3);
    assert_eq!(cluster.host(3).chunks.len(), 1, "the snapshot of the new leader begins at 0");
    let answer = cluster.net.pop_back().unwrap();
    assert!(matches!(answer.message(), Message::SnapshotAck { offset: 0, .. }));
}

#[test]
fn snapshot_behind_the_log_is_answered_with_the_match_index() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(60);
    cluster.net.clear();
    let status = cluster.raft(2).status();
    let message = Message::Snapshot {
        term: status.term,
        round: 0,
        index: 1,
        index_term: 1,
        offset: 0,
        done: true,
        data: b"old",
    };
    cluster.deliver(&Envelope { from: 1, to: 2, bytes: encode(&message) });
    assert!(cluster.host(2).chunks.is_empty());
    assert_eq!(cluster.raft(2).status().last, status.last);
    let answer = cluster.net.pop_front().unwrap();
    let matched = status.last;
    assert!(
        matches!(answer.message(), Message::AppendAccepted { match_index, .. } if match_index == matched)
    );
}

#[test]
fn entries_after_the_snapshot_are_kept() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run(60);
    let applied = cluster.raft(2).status().applied;
    cluster.raft(2).snapshot_taken(applied - 2, applied - 5).unwrap();
    cluster.drain(2);
    let status = cluster.raft(2).status();
    assert_eq!((status.first, status.snapshot, status.last), (applied - 4, applied - 2, applied));
    cluster.restart(2);
    let status = cluster.raft(2).status();
    assert_eq!((status.first, status.snapshot, status.last), (applied - 4, applied - 2, applied));
    cluster.run(500);
    assert_eq!(cluster.commands(2), ["8", "9"]);
}

#[test]
fn append_from_before_the_snapshot_is_accepted() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    let early: Vec<Envelope> = cluster.net.iter().cloned().collect();
    cluster.settle();
    cluster.run(60);
    let applied = cluster.raft(2).status().applied;
    cluster.raft(2).snapshot_taken(applied, applied).unwrap();
    cluster.drain(2);
    let before = cluster.raft(2).status();
    for envelope in early.iter().filter(|e| e.to == 2) {
        cluster.deliver(envelope);
    }
    let after = cluster.raft(2).status();
    assert_eq!((before.last, before.first), (after.last, after.first));
    assert_eq!(cluster.raft(2).rejections().total(), 0);
}

#[test]
fn invalid_snapshot_calls_are_rejected() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(60);
    let applied = cluster.raft(1).status().applied;
    let before = cluster.raft(1).clone();
    let raft = cluster.raft(1);
    assert_eq!(raft.snapshot_taken(applied + 1, applied), Err(SnapshotError::Index));
    assert_eq!(raft.snapshot_taken(applied - 1, applied), Err(SnapshotError::Index));
    assert_eq!(raft.snapshot_installed(applied), Err(SnapshotError::NotWanted));
    assert_eq!(raft.send_snapshot(id(2), 1, 0, b"x", true), Err(SnapshotError::NotWanted));
    assert_eq!(raft.send_snapshot(id(9), 1, 0, b"x", true), Err(SnapshotError::NotWanted));
    assert!(*cluster.raft(1) == before);
}

#[test]
fn checkpoint_restores_the_same_state_in_few_records() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    for n in 0..50 {
        cluster.propose(1, &format!("{n}"));
        cluster.settle();
    }
    cluster.run(60);
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, applied - 3).unwrap();
    cluster.drain(1);
    let records: Vec<Vec<u8>> = cluster.raft(1).checkpoint().map(|r| encode(&r)).collect();
    assert_eq!(records.len(), 5);
    assert!(matches!(Record::from_slice(&records[0]).unwrap(), Record::Founders { .. }));
    assert!(matches!(Record::from_slice(&records[2]).unwrap(), Record::Members { .. }));
    assert!(matches!(Record::from_slice(&records[3]).unwrap(), Record::Snapshot { .. }));
    let before = cluster.raft(1).status();
    cluster.restart(1);
    let from_log = cluster.raft(1).status();
    cluster.host(1).disk = records;
    cluster.restart(1);
    let from_checkpoint = cluster.raft(1).status();
    assert_eq!(from_log, from_checkpoint);
    assert_eq!(
        (from_log.first, from_log.last, from_log.vote),
        (before.first, before.last, before.vote)
    );
}

#[test]
fn application_ahead_of_the_records_resumes_at_its_index() {
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    for n in 0..5 {
        cluster.propose(1, &format!("{n}"));
    }
    let status = cluster.raft(1).status();
    let mut raft = Node::new(id(1), &[id(1)], Config::default(), 9).unwrap();
    for record in &cluster.host(1).disk {
        raft.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    assert_eq!(raft.resume(status.last, 0), Err(Corrupt::Malformed));
    raft.resume(status.last, status.term).unwrap();
    raft.tick(cluster.now);
    assert_eq!((raft.status().applied, raft.status().commit), (status.last, status.last));
    assert_eq!(raft.resume(status.last, status.term), Err(Corrupt::Started));
    raft.snapshot_taken(status.last, status.last).unwrap();
}

#[test]
fn resume_from_a_snapshot_ahead_of_the_log_replaces_the_log() {
    let mut raft = Node::new(id(1), &[id(1)], Config::default(), 9).unwrap();
    raft.restore(Record::Vote { term: 2, vote: Some(id(1)) }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 0, entries: &[2, 1] }).unwrap();
    // the members of the snapshot must be known
    assert_eq!(raft.resume(7, 4), Err(Corrupt::Gap));
    let members = Members::decode(&[3, 1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    raft.restore(Record::Members { index: 7, index_term: 4, members }).unwrap();
    raft.resume(7, 4).unwrap();
    assert_eq!(raft.members(), members);
    raft.tick(quorate_core::Instant::ZERO);
    let status = raft.status();
    assert_eq!((status.first, status.last, status.applied, status.term), (8, 7, 7, 4));
    assert_eq!(status.vote, None);
    assert!(raft.fatal().is_none());
}

/// Node 1 receives a whole snapshot through `index`.
fn receive_snapshot(cluster: &mut Cluster, index: u64) {
    let now = cluster.now;
    let part = Message::Snapshot {
        term: 1,
        round: 1,
        index,
        index_term: 1,
        offset: 0,
        done: true,
        data: b"state",
    };
    cluster.raft(1).receive(now, id(2), part).unwrap();
    cluster.drain(1);
    assert!(cluster.host(1).chunks.pop().is_some());
}

fn receive_entries(cluster: &mut Cluster, count: usize) {
    let now = cluster.now;
    let entries = [1, 1].repeat(count);
    let commit = count as u64;
    let append = Message::Append {
        term: 1,
        prev_index: 0,
        prev_term: 0,
        commit,
        round: 1,
        entries: &entries,
    };
    cluster.raft(1).receive(now, id(2), append).unwrap();
    cluster.drain(1);
    assert_eq!(cluster.raft(1).status().applied, commit);
}

#[test]
fn snapshot_is_not_installed_once_entries_caught_up() {
    for count in [3, 4] {
        for requested in [false, true] {
            let mut cluster = Cluster::new(3);
            receive_snapshot(&mut cluster, 3);
            receive_entries(&mut cluster, count);
            if requested {
                cluster.raft(1).request_snapshot().unwrap();
            }
            // a requested snapshot replaces the applied state unless it is older
            let installs = requested && count == 3;
            assert_eq!(
                cluster.raft(1).snapshot_installed(3).is_ok(),
                installs,
                "{count} {requested}"
            );
            assert_eq!(cluster.raft(1).status().applied, count as u64);
        }
    }
}

#[test]
fn snapshot_below_the_compacted_index_is_not_started() {
    let mut cluster = Cluster::new(3);
    receive_entries(&mut cluster, 5);
    cluster.raft(1).snapshot_taken(5, 5).unwrap();
    cluster.drain(1);
    cluster.net.clear();
    let now = cluster.now;
    let part = Message::Snapshot {
        term: 1,
        round: 2,
        index: 3,
        index_term: 1,
        offset: 0,
        done: false,
        data: b"state",
    };
    cluster.raft(1).receive(now, id(2), part).unwrap();
    cluster.drain(1);
    assert!(cluster.host(1).chunks.is_empty());
    assert!(matches!(cluster.net[0].message(), Message::AppendAccepted { .. }));
}

#[test]
fn chunks_are_accepted_in_order_only() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    for (offset, done, data, taken) in [
        (4, false, &b"four"[..], false),
        (4, true, b"four", false),
        (0, false, b"zero", true),
        (0, false, b"zero", false),
        (8, true, b"eight", false),
        (2, true, b"two", false),
        (4, false, b"four", true),
        (8, true, b"eight", true),
        (8, true, b"eight", false),
    ] {
        let part =
            Message::Snapshot { term: 1, round: 1, index: 9, index_term: 1, offset, done, data };
        cluster.raft(1).receive(now, id(2), part).unwrap();
        cluster.drain(1);
        let chunk = cluster.host(1).chunks.pop();
        assert_eq!(chunk, taken.then(|| (9, offset, data.to_vec(), done)), "{offset} {done}");
    }
}
