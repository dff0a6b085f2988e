//! Removed members leave no state behind that blocks other members, or themselves when they are added again.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, id};
use quorate_core::Machine;
use quorate_raft::{Change, Message, Role};

/// A cluster led by node 1, with ten commands in the log.
fn led_by_1(nodes: u64, pass: impl FnMut(&Envelope) -> bool) -> Cluster {
    let mut cluster = Cluster::new(nodes);
    cluster.elect(1);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run_if(300, pass);
    cluster
}

#[test]
fn readded_member_with_an_empty_disk_is_sent_the_log() {
    let mut cluster = led_by_1(3, |_| true);
    cluster.host(3).up = false;
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle();
    // the leader still tries to send it its removal
    cluster.raft(1).change(&[Change::Add(id(3))]).unwrap();
    cluster.drain(1);
    let matched = cluster.raft(1).peers().find(|peer| peer.id == id(3)).map(|p| p.match_index);
    assert_eq!(matched, Some(0));

    let (now, config) = (cluster.now, cluster.config.clone());
    let host = cluster.host(3);
    host.raft = Node::join(id(3), config, 77).unwrap();
    host.raft.tick(now);
    host.disk.clear();
    host.applied.clear();
    host.up = true;
    cluster.run(200);
    let last = cluster.raft(1).status().last;
    assert_eq!(cluster.raft(3).status().commit, last);
    assert_eq!(cluster.commands(3).len(), 12); // ten commands and two member lists
    cluster.raft(1).change(&[Change::Promote(id(3))]).unwrap();
}

/// The leader of five has asked its application for a chunk for node 4 or 5, which lack compacted entries. Returns that node.
fn with_chunk_request() -> (Cluster, u64) {
    let mut cluster = led_by_1(5, |e| e.from < 4 && e.to < 4);
    cluster.raft(1).snapshot_taken(5, 5).unwrap();
    cluster.drain(1);
    cluster.run_if(100, |e| match (e.from, e.to) {
        (4 | 5, 1) => matches!(e.message(), Message::AppendRejected { .. }),
        (from, _) => from < 4,
    });
    cluster.net.clear();
    let first = cluster.host(1).chunk_requests[0].0;
    assert!(cluster.host(1).chunk_requests.iter().all(|part| *part == (first, 5, 0)));
    (cluster, first)
}

/// The application provides the requested chunk.
fn send_chunk(cluster: &mut Cluster, to: u64) {
    cluster.raft(1).send_snapshot(id(to), 5, 0, &[7; 64], false).unwrap();
}

#[test]
fn chunk_for_a_removed_peer_does_not_block_others() {
    let (mut cluster, first) = with_chunk_request();
    cluster.raft(1).change(&[Change::Remove(id(first))]).unwrap();
    cluster.drain(1);
    cluster.run_if(290, |e| e.from < 4 && e.to < 4);

    // the application provides the chunk just before the leader drops the peer
    send_chunk(&mut cluster, first);
    cluster.now = cluster.now.after(50_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    cluster.host(1).chunk_requests.clear();
    cluster.run_if(100, |e| e.from < 4 && e.to < 4);
    assert!(cluster.host(1).chunk_requests.iter().any(|part| part.0 == 9 - first));
}

#[test]
fn chunk_for_a_readded_peer_does_not_block_others() {
    let (mut cluster, first) = with_chunk_request();
    cluster.raft(1).change(&[Change::Remove(id(first))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| e.from < 4 && e.to < 4);

    // the application provides the chunk just before the node is added again
    send_chunk(&mut cluster, first);
    cluster.raft(1).change(&[Change::Add(id(first))]).unwrap();
    cluster.drain(1);
    cluster.host(1).chunk_requests.clear();
    cluster.run_if(100, |e| e.from < 4 && e.to < 4);
    assert!(cluster.host(1).chunk_requests.iter().any(|part| part.0 == 9 - first));
}

#[test]
fn chunk_for_a_remaining_peer_is_sent_when_another_is_removed() {
    let (mut cluster, first) = with_chunk_request();
    send_chunk(&mut cluster, first);
    cluster.raft(1).change(&[Change::Remove(id(9 - first))]).unwrap();
    cluster.drain(1);
    let part =
        |e: &Envelope| matches!(e.message(), Message::Snapshot { data, .. } if data == [7; 64]);
    assert!(cluster.net.iter().any(|e| e.to == first && part(e)));
}

#[test]
fn chunk_received_just_before_a_heartbeat_is_sent() {
    let (mut cluster, first) = with_chunk_request();
    send_chunk(&mut cluster, first);
    cluster.now = cluster.now.after(50_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    let part =
        |e: &Envelope| matches!(e.message(), Message::Snapshot { data, .. } if data == [7; 64]);
    assert!(cluster.net.iter().any(|e| e.to == first && part(e)));
}

#[test]
fn removed_leader_abandons_its_leadership_transfer() {
    let mut cluster = led_by_1(4, |_| true);
    cluster.raft(1).change(&[Change::Remove(id(1))]).unwrap();
    cluster.drain(1);
    // node 2 is down; meanwhile the others commit the change
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run_if(600, |e| e.from != 2 && e.to != 2);
    let status = cluster.raft(1).status();
    assert!(status.role == Role::Follower && status.config <= status.commit, "{status:?}");
    assert_eq!(status.transfer, None);
}

#[test]
fn removed_peer_is_served_until_its_removal_commits() {
    let mut cluster = led_by_1(4, |_| true);
    cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
    cluster.drain(1);
    // node 4 has the entry, and the other followers have not
    cluster.settle_if(|e| matches!((e.from, e.to), (1, 4) | (4, 1)));
    cluster.run_if(100, |e| matches!((e.from, e.to), (1, 4) | (4, 1)));
    let at = cluster.raft(1).status().config;
    assert_eq!(cluster.raft(4).status().config, at);
    assert!(cluster.raft(1).status().commit < at && cluster.raft(4).status().commit < at);
    cluster.run(200);
    // node 4 learns the commit, so it does not campaign
    assert_eq!(cluster.raft(4).status().commit, at);
}
