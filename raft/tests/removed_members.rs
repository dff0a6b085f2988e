//! What those who leave the cluster leave behind: nothing that is in the way of others, or of themselves when they come back.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Cluster, Envelope, Node, id};
use quorate_raft::{Change, Message, Role};

/// A cluster whose first node leads it, with ten commands in the log.
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
    // before the leader has given up telling it that it was removed
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
    assert_eq!(cluster.commands(3).len(), 12); // ten, and the two lists of members
    cluster.raft(1).change(&[Change::Promote(id(3))]).unwrap();
}

/// A leader of five that has asked its application for a part for 4 or 5, which lack what it dropped, say so, and hear nothing. Who it is.
fn asked() -> (Cluster, u64) {
    let mut cluster = led_by_1(5, |e| e.from < 4 && e.to < 4);
    cluster.raft(1).snapshot_taken(5, 5).unwrap();
    cluster.drain(1);
    cluster.run_if(100, |e| match (e.from, e.to) {
        (4 | 5, 1) => matches!(e.message(), Message::Reject { .. }),
        (from, _) => from < 4,
    });
    cluster.net.clear();
    let first = cluster.host(1).wanted[0].0;
    assert!(cluster.host(1).wanted.iter().all(|part| *part == (first, 5, 0)));
    (cluster, first)
}

/// The application hands over the part that it was asked for.
fn send(cluster: &mut Cluster, to: u64) {
    cluster.raft(1).send_snapshot(id(to), 5, 0, &[7; 64], false).unwrap();
}

#[test]
fn chunk_for_a_removed_peer_does_not_block_others() {
    let (mut cluster, first) = asked();
    cluster.raft(1).change(&[Change::Remove(id(first))]).unwrap();
    cluster.drain(1);
    cluster.run_if(290, |e| e.from < 4 && e.to < 4);

    // its part comes from the application just before the leader gives it up
    send(&mut cluster, first);
    cluster.now = cluster.now.after(50_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    cluster.host(1).wanted.clear();
    cluster.run_if(100, |e| e.from < 4 && e.to < 4);
    assert!(cluster.host(1).wanted.iter().any(|part| part.0 == 9 - first));
}

#[test]
fn chunk_for_a_readded_peer_does_not_block_others() {
    let (mut cluster, first) = asked();
    cluster.raft(1).change(&[Change::Remove(id(first))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| e.from < 4 && e.to < 4);

    // its part comes from the application just before it is added again
    send(&mut cluster, first);
    cluster.raft(1).change(&[Change::Add(id(first))]).unwrap();
    cluster.drain(1);
    cluster.host(1).wanted.clear();
    cluster.run_if(100, |e| e.from < 4 && e.to < 4);
    assert!(cluster.host(1).wanted.iter().any(|part| part.0 == 9 - first));
}

#[test]
fn chunk_for_a_remaining_peer_is_sent_when_another_is_removed() {
    let (mut cluster, first) = asked();
    send(&mut cluster, first);
    cluster.raft(1).change(&[Change::Remove(id(9 - first))]).unwrap();
    cluster.drain(1);
    let part =
        |e: &Envelope| matches!(e.message(), Message::Snapshot { data, .. } if data == [7; 64]);
    assert!(cluster.net.iter().any(|e| e.to == first && part(e)));
}

#[test]
fn chunk_received_just_before_a_heartbeat_is_sent() {
    let (mut cluster, first) = asked();
    send(&mut cluster, first);
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
    // to one that is not there; meanwhile the others commit the change
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
    // it has the entry, and the others have not
    cluster.settle_if(|e| matches!((e.from, e.to), (1, 4) | (4, 1)));
    cluster.run_if(100, |e| matches!((e.from, e.to), (1, 4) | (4, 1)));
    let at = cluster.raft(1).status().config;
    assert_eq!(cluster.raft(4).status().config, at);
    assert!(cluster.raft(1).status().commit < at && cluster.raft(4).status().commit < at);
    cluster.run(200);
    // it is told that this is decided, so it does not ask for votes
    assert_eq!(cluster.raft(4).status().commit, at);
}
