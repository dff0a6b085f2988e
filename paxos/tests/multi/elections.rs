//! A leader emerges whenever a node reaches a quorum (Ng, Haridi and Carbone, "Omni-Paxos", 2023, section 2 and figure 1).

use quorate_core::{Instant, Machine};
use quorate_paxos::multi::Role;

use super::net::{BEAT_US, Net};

const TIMEOUT_US: u64 = 3 * BEAT_US;

/// Five nodes of which the last leads, and something is chosen.
fn led_by_last() -> Net {
    let mut net = Net::new(5);
    loop {
        let leader = net.elect();
        if leader == 4 {
            break;
        }
        // it must not lead, so nobody hears it for a while
        net.cut = (0..5).flat_map(|other| [(leader, other), (other, leader)]).collect();
        net.run(8 * BEAT_US);
        net.cut.clear();
        net.run(8 * BEAT_US);
        if net.leader() == Some(4) {
            break;
        }
    }
    net.propose(4, b"before");
    net.run(4 * BEAT_US);
    net
}

#[test]
fn leader_that_loses_its_quorum_makes_way_for_the_only_node_that_has_one() {
    let mut net = led_by_last();
    // everybody reaches the first node, and nobody else
    net.connect_only(&[(0, 1), (0, 2), (0, 3), (0, 4)]);
    net.run(4 * TIMEOUT_US);
    assert_eq!(net.leader(), Some(0));
    assert_eq!(net.node(4).status().role, Role::Follower);
    net.propose(0, b"after");
    assert_eq!(net.commands(0), [&b"before"[..], b"after"]);
    net.run(4 * BEAT_US);
    for index in 0..5 {
        assert_eq!(net.commands(index).len(), 2, "node {index}");
    }
}

#[test]
fn only_node_with_a_quorum_leads_though_others_have_more() {
    let mut net = led_by_last();
    // the first node misses something
    net.cut = (1..5).flat_map(|other| [(0, other), (other, 0)]).collect();
    for _ in 0..9 {
        net.propose(4, b"missed");
    }
    net.run(4 * BEAT_US);
    // the leader is alone; all others reach the first node, and nobody else
    net.connect_only(&[(0, 1), (0, 2), (0, 3)]);
    net.run(4 * TIMEOUT_US);
    assert_eq!(net.leader(), Some(0));
    net.propose(0, b"after");
    net.run(2 * BEAT_US);
    assert_eq!(net.commands(0).len(), 11);
    assert_eq!(net.commands(1).len(), 11);
}

#[test]
fn chain_has_a_leader_that_nobody_disturbs() {
    let mut net = Net::new(3);
    let leader = net.elect();
    let [middle, end] = [(leader + 1) % 3, (leader + 2) % 3];
    // the leader is at one end of the chain
    net.connect_only(&[(leader, middle), (middle, end)]);
    net.run(4 * TIMEOUT_US);
    let before = net.node(leader).status();
    net.propose(leader, b"x");
    net.run(40 * TIMEOUT_US);
    let after = net.node(leader).status();
    assert_eq!((before.role, before.promised), (after.role, after.promised));
    // the other end has it from the middle
    assert_eq!(net.commands(end), [b"x"]);
}

#[test]
fn heartbeats_that_are_repeated_are_no_quorum() {
    let mut net = Net::new(5);
    net.connect_only(&[(0, 1)]);
    net.run(40 * TIMEOUT_US);
    assert_eq!(net.leader(), None);
    assert!(!net.node(0).status().connected);
}

#[test]
fn node_that_hears_and_is_not_heard_does_not_stand() {
    let mut net = Net::new(3);
    net.cut = vec![(0, 1), (0, 2)];
    let leader = net.elect();
    assert_ne!(leader, 0);
    net.propose(leader, b"x");
    net.run(20 * TIMEOUT_US);
    assert_eq!(net.leader(), Some(leader));
    assert_eq!(net.sent.get("prepare"), Some(&2));
    assert_eq!(net.sent.get("preempted"), None);
    assert_eq!(net.node(0).status().leader.map(|id| id.get() as usize - 1), Some(leader));
}

#[test]
fn node_whose_disk_was_erased_takes_no_part() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.propose(leader, b"x");
    net.run(4 * BEAT_US);
    let [erased, other] = [(leader + 1) % 3, (leader + 2) % 3];
    net.disks[erased].clear();
    net.restart(erased);
    net.nodes[other] = None;
    net.run(40 * TIMEOUT_US);
    assert_eq!(net.leader(), None);
    assert!(!net.node(erased).status().founded);
    // it learns
    net.restart(other);
    let leader = net.elect();
    assert_ne!(leader, erased);
    net.propose(leader, b"y");
    net.run(8 * BEAT_US);
    assert_eq!(net.commands(erased), [b"x", b"y"]);
    assert!(net.disks[erased].iter().all(|record| record[0] != 0 && record[0] != 1));
}

/// A driver that waits for deadlines starts the node by itself.
#[test]
fn first_tick_is_due_at_once() {
    let mut net = Net::new(3);
    let mut node = net.make(0);
    assert_eq!(node.deadline(), Some(Instant::ZERO));
    node.found();
    node.tick(Instant::from_micros(7));
    while node.poll().is_some() {}
    assert!(node.deadline() > Some(Instant::from_micros(7)));
}
