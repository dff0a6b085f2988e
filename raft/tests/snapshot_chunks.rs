//! Snapshot chunks: which the leader accepts from its application, which acknowledgements advance the transfer, and when the next is due.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, id};
use quorate_core::{Instant, Machine, Output};
use quorate_raft::{Config, Event, Message, SnapshotError};

const CHUNK: usize = 64;

/// The leader has asked its application for the first chunk of the snapshot at index 5 for node 3.
fn with_chunk_request(config: Config) -> Cluster {
    let mut cluster = Cluster::with(3, Config { max_snapshot_chunk_bytes: CHUNK, ..config });
    cluster.elect(1);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run_if(300, |e| e.from != 3 && e.to != 3);
    cluster.raft(1).snapshot_taken(5, 5).unwrap();
    cluster.drain(1);
    // only the rejection of node 3 is delivered
    cluster.run_if(100, |e| match (e.from, e.to) {
        (3, 1) => matches!(e.message(), Message::AppendRejected { .. }),
        (from, _) => from != 3,
    });
    // the request is repeated with each heartbeat
    let wanted = &cluster.host(1).chunk_requests;
    assert!(!wanted.is_empty() && wanted.iter().all(|part| *part == (3, 5, 0)), "{wanted:?}");
    cluster.net.clear();
    cluster
}

/// Sent chunks: index, offset, length.
type Sent = Vec<(u64, u64, usize)>;

/// Requested chunks: index, offset.
type Wanted = Vec<(u64, u64)>;

/// Polls the node and returns the sent and the requested chunks.
fn poll_chunks(raft: &mut Node) -> (Sent, Wanted) {
    let (mut sent, mut wanted) = (Vec::new(), Vec::new());
    while let Some(output) = raft.poll() {
        match output {
            Output::Send(_, Message::Snapshot { index, offset, data, .. }) if !data.is_empty() => {
                sent.push((index, offset, data.len()));
            }
            Output::Send(_, Message::SnapshotEnd { index, offset, data, .. }) => {
                sent.push((index, offset, data.len()));
            }
            Output::Event(Event::SnapshotWanted { index, offset, .. }) => {
                wanted.push((index, offset));
            }
            _ => {}
        }
    }
    (sent, wanted)
}

fn try_send(
    raft: &Node,
    part: (u64, u64, u64),
    len: usize,
    done: bool,
) -> Result<(), SnapshotError> {
    let (to, index, offset) = part;
    let mut raft = raft.clone();
    let before = raft.clone();
    let result = raft.send_snapshot(id(to), index, offset, &[7; 99][..len], done);
    assert!(result.is_ok() || raft == before, "{part:?} is refused with an effect");
    result
}

#[test]
fn send_snapshot_accepts_only_the_requested_chunk() {
    const WRONG_CHUNK: Result<(), SnapshotError> = Err(SnapshotError::Chunk);
    const NOT_WANTED: Result<(), SnapshotError> = Err(SnapshotError::NotWanted);
    let mut cluster = with_chunk_request(Config::default());
    let raft = cluster.raft(1);
    for (part, len, done, expected) in [
        ((3, 5, 0), CHUNK, false, Ok(())),
        ((3, 5, 0), CHUNK, true, Ok(())),
        ((3, 5, 0), 0, true, Ok(())),
        ((3, 5, 0), 0, false, WRONG_CHUNK),
        ((3, 5, 0), CHUNK + 1, false, WRONG_CHUNK),
        ((3, 5, 1), CHUNK, false, WRONG_CHUNK),
        ((3, 4, 0), CHUNK, false, WRONG_CHUNK),
        ((3, 6, 0), CHUNK, false, WRONG_CHUNK),
        ((2, 5, 0), CHUNK, false, NOT_WANTED),
        ((9, 5, 0), CHUNK, false, NOT_WANTED),
    ] {
        assert_eq!(try_send(raft, part, len, done), expected, "{part:?}, {len} bytes, {done}");
    }
    // a newer snapshot may replace it from offset 0
    raft.snapshot_taken(7, 7).unwrap();
    for (part, expected) in [
        ((3, 7, 0), Ok(())),
        ((3, 5, 0), Ok(())),
        ((3, 7, 1), WRONG_CHUNK),
        ((3, 6, 0), WRONG_CHUNK),
        ((3, 8, 0), WRONG_CHUNK),
    ] {
        assert_eq!(try_send(raft, part, CHUNK, false), expected, "{part:?}");
    }
    // one chunk at a time
    raft.send_snapshot(id(3), 5, 0, &[7; CHUNK], false).unwrap();
    assert_eq!(try_send(raft, (3, 5, 0), CHUNK, false), NOT_WANTED);
    assert_eq!(poll_chunks(raft).0, [(5, 0, CHUNK)]);
    assert_eq!(try_send(raft, (3, 5, 0), CHUNK, false), NOT_WANTED);
    // the next chunk starts at the acknowledged offset
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let raft = cluster.raft(1);
    let ack = Message::SnapshotAck { term, round: 0, index: 5, offset: 64 };
    raft.receive(now, id(3), ack).unwrap();
    assert_eq!(poll_chunks(raft).1, [(5, 64)]);
    assert_eq!(try_send(raft, (3, 5, 64), CHUNK, false), Ok(()));
    assert_eq!(try_send(raft, (3, 5, 0), CHUNK, false), WRONG_CHUNK);
}

#[test]
fn send_snapshot_is_refused_after_catch_up_or_without_leadership() {
    let mut cluster = with_chunk_request(Config::default());
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let term = status.term;
    let accept = Message::AppendAccepted { term, round: 0, match_index: status.last };
    let mut caught_up = cluster.raft(1).clone();
    caught_up.receive(now, id(3), accept).unwrap();
    assert_eq!(try_send(&caught_up, (3, 5, 0), CHUNK, false), Err(SnapshotError::NotWanted));
    let mut follower = cluster.raft(1).clone();
    follower.step_down();
    assert_eq!(try_send(&follower, (3, 5, 0), CHUNK, false), Err(SnapshotError::NotWanted));
}

#[test]
fn snapshot_taken_accepts_applied_indexes_only() {
    let mut cluster = with_chunk_request(Config::default());
    let applied = cluster.raft(1).status().applied;
    for (index, compacted) in [(0, 0), (7, 8), (applied + 1, 5), (4, 4), (4, 0)] {
        let mut raft = cluster.raft(1).clone();
        assert_eq!(raft.snapshot_taken(index, compacted), Err(SnapshotError::Index), "{index}");
        assert!(raft == *cluster.raft(1));
    }
    for (index, compacted) in [(5, 0), (5, 5), (7, 0), (7, 6), (applied, applied)] {
        let mut raft = cluster.raft(1).clone();
        assert_eq!(raft.snapshot_taken(index, compacted), Ok(()), "{index}");
        assert_eq!(raft.status().first, compacted.max(5) + 1);
    }
}

#[test]
fn acknowledgement_of_the_current_chunk_requests_the_next_one() {
    let mut cluster = with_chunk_request(Config::default());
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let ack = |round, index, offset| Message::SnapshotAck { term, round, index, offset };
    let next = |raft: &Node, message| {
        let mut raft = raft.clone();
        raft.receive(now, id(3), message).unwrap();
        poll_chunks(&mut raft).1
    };
    let heartbeat_us = cluster.config.heartbeat_us;
    // no chunk was sent yet
    assert!(next(cluster.raft(1), ack(1, 5, 64)).is_empty());
    let raft = cluster.raft(1);
    raft.send_snapshot(id(3), 5, 0, &[7; CHUNK], false).unwrap();
    let mut round = 0;
    while let Some(output) = raft.poll() {
        if let Output::Send(_, Message::Snapshot { round: sent_round, .. }) = output {
            round = sent_round;
        }
    }
    assert_eq!(next(raft, ack(round, 5, 64)), [(5, 64)]);
    assert!(next(raft, ack(round, 4, 64)).is_empty(), "a different snapshot");
    assert!(next(raft, ack(round, 5, 0)).is_empty(), "the chunk is in flight");
    // a later round was acknowledged: the chunk is lost
    raft.tick(now.after(heartbeat_us));
    while raft.poll().is_some() {}
    assert_eq!(next(raft, ack(round + 1, 5, 0)), [(5, 0)]);
    assert!(next(raft, ack(round, 5, 0)).is_empty());
}

#[test]
fn paced_chunk_sets_the_leader_deadline() {
    let pace = 20_000;
    let mut cluster =
        with_chunk_request(Config { snapshot_chunk_interval_us: pace, ..Config::default() });
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let raft = cluster.raft(1);
    let heartbeat = raft.deadline().unwrap();
    raft.send_snapshot(id(3), 5, 0, &[7; CHUNK], false).unwrap();
    assert_eq!(poll_chunks(raft).0, [(5, 0, CHUNK)]);
    // the chunk is not acknowledged yet
    assert_eq!(raft.deadline(), Some(heartbeat));
    raft.receive(now, id(3), Message::SnapshotAck { term, round: 0, index: 5, offset: 64 })
        .unwrap();
    assert!(poll_chunks(raft).1.is_empty());
    let due = now.after(pace);
    assert_eq!(raft.deadline(), Some(due.min(heartbeat)));
    raft.tick(Instant::from_micros(due.as_micros() - 1));
    assert!(poll_chunks(raft).1.is_empty());
    raft.tick(due);
    assert_eq!(poll_chunks(raft).1, [(5, 64)]);
}

#[test]
fn unsent_chunk_is_dropped_with_leadership() {
    let mut cluster = with_chunk_request(Config::default());
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let raft = cluster.raft(1);
    raft.send_snapshot(id(3), 5, 0, &[7; CHUNK], false).unwrap();
    let (term, index) = (status.term + 1, status.last + 5);
    let message = Message::Snapshot {
        term,
        round: 1,
        index,
        index_term: status.term,
        offset: 0,
        done: false,
        data: b"state",
    };
    raft.receive(now, id(2), message).unwrap();
    cluster.drain(1);
    assert_eq!(cluster.host(1).chunks, [(index, 0, b"state".to_vec(), false)]);
}

#[test]
fn chunk_for_a_peer_that_caught_up_makes_room_for_another_peer() {
    let config = Config { max_snapshot_chunk_bytes: CHUNK, ..Config::default() };
    let mut cluster = Cluster::with(5, config);
    cluster.elect(1);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run_if(300, |e| e.from < 4 && e.to < 4);
    cluster.raft(1).snapshot_taken(5, 5).unwrap();
    cluster.drain(1);
    cluster.run_if(100, |e| match (e.from, e.to) {
        (4 | 5, 1) => matches!(e.message(), Message::AppendRejected { .. }),
        (from, _) => from < 4,
    });
    let (first, index, offset) = cluster.host(1).chunk_requests.remove(0);
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let raft = cluster.raft(1);
    while raft.poll().is_some() {}
    raft.send_snapshot(id(first), index, offset, &[7; CHUNK], false).unwrap();
    let accept = Message::AppendAccepted { term: status.term, round: 0, match_index: status.last };
    raft.receive(now, id(first), accept).unwrap();
    let mut requested = Vec::new();
    while let Some(output) = raft.poll() {
        if let Output::Event(Event::SnapshotWanted { to, .. }) = output {
            requested.push(to);
        }
    }
    assert_eq!(requested, [id(9 - first)]);
}

#[test]
fn whole_snapshot_is_accepted_after_a_chunk_of_a_different_encoding() {
    // it was sent for a full member first, and then for a witness
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    let snapshot = |round, done, data| Message::Snapshot {
        term: 2,
        round,
        index: 7,
        index_term: 1,
        offset: 0,
        done,
        data,
    };
    let (part, whole) = (snapshot(1, false, b"half"), snapshot(2, true, b""));
    cluster.raft(3).receive(now, id(1), part).unwrap();
    cluster.drain(3);
    cluster.raft(3).receive(now, id(1), whole).unwrap();
    cluster.drain(3);
    let parts = &cluster.host(3).chunks;
    assert_eq!(*parts, [(7, 0, b"half".to_vec(), false), (7, 0, vec![], true)]);
}

#[test]
fn application_cannot_restart_the_current_snapshot() {
    let mut cluster = with_chunk_request(Config::default());
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let raft = cluster.raft(1);
    raft.send_snapshot(id(3), 5, 0, &[7; CHUNK], false).unwrap();
    assert_eq!(poll_chunks(raft).0, [(5, 0, CHUNK)]);
    let ack = Message::SnapshotAck { term, round: 0, index: 5, offset: 64 };
    raft.receive(now, id(3), ack).unwrap();
    assert_eq!(poll_chunks(raft).1, [(5, 64)]);
    assert_eq!(try_send(raft, (3, 5, 0), CHUNK, false), Err(SnapshotError::Chunk));
    assert_eq!(try_send(raft, (3, 5, 64), CHUNK, false), Ok(()));
}

#[test]
fn snapshot_taken_rejects_unapplied_and_older_indexes() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run(300);
    cluster.raft(1).snapshot_taken(5, 0).unwrap();
    cluster.propose(1, "not committed");
    let status = cluster.raft(1).status();
    assert!(status.last > status.applied, "{status:?}");
    for index in [4, status.last] {
        let mut raft = cluster.raft(1).clone();
        assert_eq!(raft.snapshot_taken(index, 0), Err(SnapshotError::Index), "{index}");
        assert!(raft == *cluster.raft(1));
    }
}

#[test]
fn snapshot_chunks_are_paced() {
    let config = Config {
        snapshot_chunk_interval_us: 40_000,
        max_snapshot_chunk_bytes: 8,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    cluster.elect(1);
    cluster.run(60);
    for _ in 0..5 {
        cluster.propose(1, "x");
        cluster.settle_if(|e| e.to != 3);
    }
    let taken = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(taken, taken).unwrap();
    let mut wanted = Vec::new();
    for _ in 0..200 {
        cluster.run(10);
        if let Some((to, index, offset)) = cluster.host(1).chunk_requests.pop() {
            wanted.push(cluster.now);
            let done = offset >= 32;
            let _ = cluster.raft(1).send_snapshot(id(to), index, offset, b"12345678", done);
            cluster.drain(1);
            cluster.settle();
        }
        if wanted.len() >= 4 {
            break;
        }
    }
    assert!(wanted.len() >= 4, "{wanted:?}");
    for pair in wanted.windows(2) {
        assert!(pair[1].since(pair[0]) >= 40_000, "{wanted:?}");
    }
}
