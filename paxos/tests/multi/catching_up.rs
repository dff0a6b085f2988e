use quorate_core::Machine;
use quorate_paxos::multi::SnapshotError;

use super::net::{Applied, BEAT_US, Net};

/// Three nodes, of which one has missed so many commands.
fn behind(commands: usize) -> (Net, usize, usize) {
    let mut net = Net::new(3);
    let leader = net.elect();
    let absent = (leader + 1) % 3;
    net.nodes[absent] = None;
    for number in 0..commands {
        net.propose(leader, format!("command {number}").as_bytes());
    }
    net.run(2 * BEAT_US);
    (net, leader, absent)
}

#[test]
fn node_that_was_away_gets_what_it_missed() {
    let (mut net, leader, absent) = behind(20);
    net.restart(absent);
    net.run(6 * BEAT_US);
    assert_eq!(net.commands(absent), net.commands(leader));
    assert_eq!(net.commands(absent).len(), 20);
}

#[test]
fn node_that_was_away_gets_a_snapshot_and_what_follows() {
    let (mut net, leader, absent) = behind(20);
    net.node(leader).snapshot_taken(15, 12).unwrap();
    let other = 3 - leader - absent;
    net.node(other).snapshot_taken(15, 15).unwrap();
    net.settle();
    net.restart(absent);
    net.run(10 * BEAT_US);
    assert_eq!(net.applied[absent][0], Applied::Snapshot(15));
    assert_eq!(net.applied[absent].len(), 6);
    assert_eq!(net.node(absent).status().applied, 20);
    assert_eq!(net.sent.get("chunk"), Some(&2)); // it has two parts
    // and after a restart
    net.restart(absent);
    net.run(10 * BEAT_US);
    assert_eq!(net.node(absent).status().applied, 20);
    assert_eq!(net.node(absent).status().snapshot, 15);
}

#[test]
fn node_without_a_link_to_the_leader_catches_up_from_others() {
    let (mut net, leader, absent) = behind(20);
    let other = 3 - leader - absent;
    net.restart(absent);
    net.connect_only(&[(leader, other), (other, absent)]);
    net.run(8 * BEAT_US);
    assert_eq!(net.commands(absent).len(), 20);
    // from its log, as the leader has a snapshot alone
    net.node(leader).snapshot_taken(20, 20).unwrap();
    net.propose(leader, b"more");
    net.run(8 * BEAT_US);
    assert_eq!(net.commands(absent).len(), 21);
}

#[test]
fn candidate_that_lacks_a_snapshot_gets_it_and_leads() {
    let mut net = Net::new(5);
    let leader = net.elect();
    let absent = (leader + 1) % 5;
    net.nodes[absent] = None;
    for _ in 0..20 {
        net.propose(leader, b"x");
    }
    net.run(2 * BEAT_US);
    for index in (0..5).filter(|&index| index != absent) {
        net.node(index).snapshot_taken(20, 20).unwrap();
    }
    net.settle();
    // only the one that was away reaches a quorum
    net.restart(absent);
    let links: Vec<_> = (0..5).map(|other| (absent, other)).collect();
    net.connect_only(&links);
    net.run(20 * BEAT_US);
    assert_eq!(net.leader(), Some(absent));
    assert_eq!(net.applied[absent], [Applied::Snapshot(20)]);
    net.propose(absent, b"next");
    net.run(2 * BEAT_US);
    for index in 0..5 {
        assert_eq!(net.node(index).status().applied, 21);
    }
}

#[test]
fn snapshots_are_of_what_was_applied() {
    let (mut net, leader, _) = behind(5);
    let node = net.node(leader);
    for (slot, compacted) in [(0, 0), (6, 6), (3, 4)] {
        assert_eq!(node.snapshot_taken(slot, compacted), Err(SnapshotError::Slot));
    }
    node.snapshot_taken(4, 2).unwrap();
    assert_eq!(node.snapshot_taken(3, 3), Err(SnapshotError::Slot));
    let status = node.status();
    assert_eq!((status.snapshot, status.compacted, status.last), (4, 2, 5));
}

#[test]
fn accept_that_is_lost_is_sent_again() {
    let mut net = Net::new(3);
    let leader = net.elect();
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    net.cut = others.iter().map(|&other| (leader, other)).collect();
    net.propose(leader, b"lost");
    assert!(net.commands(leader).is_empty());
    net.cut.clear();
    // this one overtakes it, and leaves a gap
    net.propose(leader, b"found");
    assert!(net.commands(leader).is_empty());
    assert_eq!(net.node(others[0]).status().last, 2);
    let behind = net.node(others[0]);
    assert!(behind.accepted(1).is_zero() && !behind.accepted(2).is_zero());
    net.run(4 * BEAT_US);
    for index in 0..3 {
        assert_eq!(net.commands(index), [&b"lost"[..], b"found"]);
    }
    assert_eq!(net.node(others[0]).status().runs, 0);
}

#[test]
fn log_that_is_full_takes_more_after_a_snapshot() {
    let mut net = Net::new(3);
    let leader = net.elect();
    let mut taken = 0;
    loop {
        if net.node(leader).propose(&[7; 200]).is_err() {
            break;
        }
        net.settle();
        taken += 1;
    }
    assert!(taken >= 16, "{taken}");
    net.run(2 * BEAT_US);
    for index in 0..3 {
        let applied = net.node(index).status().applied;
        assert_eq!(applied, taken);
        net.node(index).snapshot_taken(applied, applied).unwrap();
        net.settle();
    }
    net.propose(leader, &[7; 200]);
    net.run(2 * BEAT_US);
    assert_eq!(net.commands(leader).len() as u64, taken + 1);
}
