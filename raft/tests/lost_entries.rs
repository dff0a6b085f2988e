//! A member that lost acknowledged entries is detected, reported once, and causes no message storm
//! (the thesis, 3.8, assumes that disks lose nothing).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, encode, id};
use quorate_core::Machine;
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Change, Message, Progress, Replication, Role};

/// The latency of a message.
const HOP_US: u64 = 100;
const SECOND_US: u64 = 1_000_000;

/// Node 1 leads three nodes that have some entries.
fn elected() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.run(200);
    cluster.elect(1);
    for n in 0..5 {
        cluster.propose(1, &format!("{n}"));
        cluster.settle();
    }
    cluster.run(100);
    assert_eq!(cluster.commands(3).len(), 5);
    cluster
}

fn progress(cluster: &mut Cluster, peer: u64) -> Progress {
    cluster.raft(1).peers().find(|progress| progress.id == id(peer)).unwrap()
}

/// Checks that the loss at node 3 is detected and contained.
fn assert_loss_is_detected(mut cluster: Cluster) {
    let acknowledged = progress(&mut cluster, 3).match_index;
    cluster.restart(3);
    let counts = cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert_eq!(cluster.leader(), Some(1));
    assert_eq!(cluster.host(1).peer_losses, [(3, acknowledged)], "reported once");
    let peer = progress(&mut cluster, 3);
    assert_eq!((peer.replication, peer.match_index), (Replication::Halted, 0));
    assert_eq!(peer.lost, Some(acknowledged));
    assert_eq!(progress(&mut cluster, 2).lost, None);
    // 20 heartbeats a second with their answers, and a few at the start
    for (link, count) in counts {
        assert!(count <= 25, "{count} messages a second from {} to {}", link.0, link.1);
    }
    // the other nodes continue
    let commit = cluster.raft(1).status().commit;
    let index = cluster.propose(1, "after");
    cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert_eq!((cluster.raft(1).status().commit, index), (commit + 1, commit + 1));
    assert_eq!(cluster.commands(2).last().unwrap(), "after");
    // node 3 counts for no commit and no read
    cluster.host(2).up = false;
    cluster.propose(1, "not committed");
    cluster.raft(1).read().unwrap();
    let reads = cluster.host(1).reads.len();
    cluster.drain(1);
    cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(cluster.raft(1).status().commit, index);
    assert_eq!(cluster.host(1).reads.len(), reads);
    assert_eq!(cluster.host(1).peer_losses, [(3, acknowledged)]);
}

#[test]
fn erased_disk_is_reported_once_and_causes_no_storm() {
    let mut cluster = elected();
    cluster.host(3).disk.clear();
    assert_loss_is_detected(cluster);
}

#[test]
fn truncated_log_is_reported_once_and_causes_no_storm() {
    let mut cluster = elected();
    let disk = &mut cluster.host(3).disk;
    disk.truncate(disk.len() - 3);
    assert_loss_is_detected(cluster);
}

#[test]
fn loss_is_detected_while_entries_are_in_flight() {
    let mut cluster = elected();
    cluster.host(3).disk.clear();
    let acknowledged = progress(&mut cluster, 3).match_index;
    cluster.restart(3);
    // a later round than that of the acknowledgement
    cluster.run_timed(SECOND_US / 10, HOP_US, |_, envelope| envelope.to == 3);
    cluster.propose(1, "on its way");
    let counts = cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert_eq!(cluster.host(1).peer_losses, [(3, acknowledged)]);
    assert!(counts[&(3, 1)] <= 25, "{counts:?}");
}

#[test]
fn late_duplicate_of_a_rejection_is_ignored() {
    let mut cluster = elected();
    // node 3 misses an entry and rejects the next append; the rejection arrives twice
    cluster.propose(1, "missed");
    cluster.net.retain(|envelope| envelope.to != 3);
    cluster.settle();
    let mut late: Vec<Envelope> = Vec::new();
    cluster.run_if(200, |envelope| {
        if envelope.from == 3 && matches!(envelope.message(), Message::AppendRejected { .. }) {
            late.push(envelope.clone());
        }
        true
    });
    assert!(!late.is_empty());
    let before = progress(&mut cluster, 3);
    assert_eq!((before.match_index, before.lost), (cluster.raft(1).status().last, None));
    for envelope in &late {
        let Message::AppendRejected { prev_index, .. } = envelope.message() else {
            panic!("not a rejection")
        };
        assert!(prev_index <= before.match_index);
        cluster.deliver(envelope);
        assert!(cluster.net.is_empty(), "no message is sent");
    }
    let mut after = progress(&mut cluster, 3);
    after.silent_us = before.silent_us;
    assert_eq!(after, before);
    assert!(cluster.host(1).peer_losses.is_empty());
}

#[test]
fn rejection_counts_from_the_round_after_the_acknowledgement() {
    let mut cluster = elected();
    let index = cluster.propose(1, "x");
    cluster.settle();
    let status = cluster.raft(1).status();
    let rounds: Vec<u64> = (0..40).collect();
    let rejects = |cluster: &mut Cluster, round| {
        let mut copy = cluster.raft(1).clone();
        let reject = Message::AppendRejected {
            term: status.term,
            round,
            prev_index: index,
            hint_index: 0,
            hint_term: 0,
        };
        let taken = copy.receive(cluster.now, id(3), reject).is_ok();
        taken.then(|| copy.peers().any(|progress| progress.lost == Some(index)))
    };
    // no round after the acknowledgement has begun
    let found: Vec<_> = rounds.iter().map_while(|&round| rejects(&mut cluster, round)).collect();
    assert!(!found.is_empty() && !found.contains(&true), "{found:?}");
    cluster.now = cluster.now.after(cluster.config.heartbeat_us);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    let later: Vec<_> = rounds.iter().map_while(|&round| rejects(&mut cluster, round)).collect();
    assert_eq!(later, [found, vec![true]].concat());
}

#[test]
fn node_that_lost_entries_is_sent_its_removal() {
    let mut cluster = elected();
    cluster.host(3).disk.clear();
    cluster.restart(3);
    cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert_eq!(cluster.host(1).peer_losses.len(), 1);
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert!(!cluster.raft(3).status().membership.is_member());
    assert_eq!(cluster.raft(1).peers().count(), 1);
    let counts = cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert_eq!(counts.get(&(1, 3)), None, "no message is sent to it any more");
}

#[test]
fn node_that_lost_entries_gets_no_snapshot_and_no_leadership() {
    let mut cluster = elected();
    cluster.host(3).disk.clear();
    cluster.restart(3);
    cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    let status = cluster.raft(1).status();
    let request = Message::RequestSnapshot { term: status.term, index: 0 };
    cluster.deliver(&Envelope { from: 3, to: 1, bytes: encode(&request) });
    cluster.raft(1).snapshot_taken(status.applied, status.applied).unwrap();
    cluster.raft(1).transfer(id(3)).unwrap();
    cluster.drain(1);
    cluster.run_timed(SECOND_US, HOP_US, |_, _| false);
    assert!(cluster.host(1).chunk_requests.is_empty());
    assert_eq!(cluster.leader(), Some(1));
    assert_eq!(cluster.raft(1).status().term, status.term);
}
