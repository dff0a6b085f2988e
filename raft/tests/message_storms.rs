//! No two messages cause each other in a loop: with a peer that rejects or loses everything, the number of messages per heartbeat is
//! bounded.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::timed::Counts;
use crate::common::{Cluster, Envelope, encode, id};
use quorate_core::Machine;
use quorate_raft::{Config, Message, Role};

const HOP_US: u64 = 100;
const SECONDS: usize = 2;
/// The most messages on a link per heartbeat.
const PER_HEARTBEAT: usize = 8;

/// Node 1 leads three nodes with some entries, which are compacted if `compacted`.
fn elected(compacted: bool) -> Cluster {
    let mut cluster = Cluster::with(
        3,
        Config { max_snapshot_chunk_bytes: 64, forward: true, ..Config::default() },
    );
    cluster.run(200);
    cluster.elect(1);
    for n in 0..40 {
        cluster.propose(1, &format!("{n}"));
        cluster.settle();
    }
    cluster.run(100);
    if compacted {
        let applied = cluster.raft(1).status().applied;
        cluster.raft(1).snapshot_taken(applied, applied).unwrap();
        cluster.drain(1);
    }
    cluster
}

/// The application of the leader sends the requested chunks, two per snapshot.
fn send_chunks(cluster: &mut Cluster) {
    while let Some((to, index, offset)) = cluster.host(1).chunk_requests.pop() {
        let data = vec![7; 64];
        let _ = cluster.raft(1).send_snapshot(id(to), index, offset, &data, offset >= 64);
        cluster.drain(1);
    }
}

/// The application of a follower installs complete snapshots.
fn install_chunks(cluster: &mut Cluster, node: u64) {
    while let Some((index, _, _, done)) = cluster.host(node).chunks.pop() {
        if done {
            let _ = cluster.raft(node).snapshot_installed(index);
            cluster.drain(node);
        }
    }
}

fn assert_no_storm(counts: &Counts, what: &str) {
    let heartbeats = SECONDS * 20;
    for ((from, to), &count) in counts {
        let most = heartbeats * PER_HEARTBEAT;
        assert!(count <= most, "{what}: {count} messages from {from} to {to} in {SECONDS} s");
    }
}

/// Runs the cluster with `answers` in place of node 3, while node 1 proposes commands.
fn run(mut cluster: Cluster, what: &str, mut answers: impl FnMut(&mut Cluster, &Envelope)) {
    let mut counts = Counts::new();
    for n in 0..SECONDS * 10 {
        if n % 5 == 0 && cluster.raft(1).status().role == Role::Leader {
            let _ = cluster.raft(1).propose(b"x");
            cluster.drain(1);
        }
        let more = cluster.run_timed(100_000, HOP_US, |cluster, envelope| {
            send_chunks(cluster);
            if envelope.to == 3 {
                answers(cluster, envelope);
            }
            send_chunks(cluster);
            envelope.to == 3 || envelope.from == 3 && envelope.to != 1
        });
        more.into_iter().for_each(|(link, count)| *counts.entry(link).or_default() += count);
    }
    assert_no_storm(&counts, what);
    let status = cluster.raft(1).status();
    assert_eq!((status.role, status.commit), (Role::Leader, status.last), "{what}");
}

/// Sends a message of node 3 to node 1.
fn send_from_3(cluster: &mut Cluster, message: &Message<'_>) {
    cluster.net.push_back(Envelope { from: 3, to: 1, bytes: encode(message) });
}

/// Rejects every message that can be rejected, with a hint.
fn reject(cluster: &mut Cluster, envelope: &Envelope, hint: impl Fn(u64) -> u64) {
    match envelope.message() {
        Message::Append { term, prev_index, round, .. } if prev_index > 0 => {
            let hint_index = hint(prev_index);
            let hint_term = u64::from(hint_index > 0);
            send_from_3(
                cluster,
                &Message::AppendRejected { term, round, prev_index, hint_index, hint_term },
            );
        }
        Message::Snapshot { term, round, index, .. }
        | Message::SnapshotEnd { term, round, index, .. } => {
            send_from_3(cluster, &Message::SnapshotAck { term, round, index, offset: 0 });
        }
        Message::RequestVote { pre, term, .. } => {
            send_from_3(cluster, &Message::Vote { pre, term, granted: false });
        }
        _ => {}
    }
}

#[test]
fn peer_that_rejects_every_message_causes_no_storm() {
    for compacted in [false, true] {
        let mut cluster = elected(compacted);
        cluster.host(3).up = false;
        run(cluster, "hint 0", |cluster, envelope| reject(cluster, envelope, |_| 0));
        let mut cluster = elected(compacted);
        cluster.host(3).up = false;
        run(cluster, "hint before", |cluster, envelope| reject(cluster, envelope, |p| p - 1));
    }
}

#[test]
fn peer_that_accepts_and_rejects_each_append_causes_no_storm() {
    let mut cluster = elected(false);
    // a new leader has no progress of node 3
    cluster.elect(2);
    cluster.elect(1);
    cluster.host(3).up = false;
    run(cluster, "both", |cluster, envelope| {
        if let Message::Append { term, round, .. } = envelope.message() {
            reject(cluster, envelope, |_| 0);
            send_from_3(cluster, &Message::AppendAccepted { term, round, match_index: 0 });
        }
    });
}

#[test]
fn peer_erased_with_every_message_causes_no_storm() {
    for compacted in [false, true] {
        let mut cluster = elected(compacted);
        cluster.host(3).disk.clear();
        run(cluster, "erased", |cluster, envelope| {
            cluster.host(3).disk.clear();
            cluster.restart(3);
            cluster.deliver(envelope);
            install_chunks(cluster, 3);
        });
    }
}

#[test]
fn peer_erased_once_a_second_causes_no_storm() {
    let mut cluster = elected(true);
    let mut erased = 0;
    run(take_cluster(&mut cluster), "erased once", |cluster, envelope| {
        if cluster.now.as_micros() / 1_000_000 > erased {
            erased = cluster.now.as_micros() / 1_000_000;
            cluster.host(3).disk.clear();
            cluster.restart(3);
        }
        cluster.deliver(envelope);
        install_chunks(cluster, 3);
    });
}

fn take_cluster(cluster: &mut Cluster) -> Cluster {
    core::mem::replace(cluster, Cluster::new(1))
}

#[test]
fn peer_that_keeps_requesting_snapshots_causes_no_storm() {
    let mut cluster = elected(true);
    cluster.host(3).up = false;
    run(cluster, "snapshot requests", |cluster, envelope| {
        if let Message::Append { term, round, .. } | Message::Snapshot { term, round, .. } =
            envelope.message()
        {
            send_from_3(cluster, &Message::AppendAccepted { term, round, match_index: 0 });
            send_from_3(cluster, &Message::RequestSnapshot { term, index: 0 });
        }
    });
}

#[test]
fn peer_with_a_full_log_causes_no_storm() {
    let mut cluster = elected(false);
    cluster.host(3).up = false;
    let has = cluster.raft(1).status().last;
    run(cluster, "full", |cluster, envelope| {
        if let Message::Append { term, round, prev_index, entries, .. } = envelope.message()
            && entries.is_empty()
        {
            if prev_index > has {
                reject(cluster, envelope, |_| has);
            } else {
                send_from_3(cluster, &Message::AppendAccepted { term, round, match_index: has });
            }
        }
    });
}

#[test]
fn candidates_without_votes_cause_no_storm() {
    let mut cluster = elected(false);
    cluster.host(1).up = false;
    let counts = cluster.run_timed(2_000_000, HOP_US, |cluster, envelope| {
        if let Message::RequestVote { pre, term, .. } = envelope.message() {
            let rejection = Message::Vote { pre, term, granted: false };
            cluster.net.push_back(Envelope {
                from: envelope.to,
                to: envelope.from,
                bytes: encode(&rejection),
            });
        }
        true
    });
    assert_no_storm(&counts, "no votes");
}
