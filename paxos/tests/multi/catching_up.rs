use quorate_core::{Machine, Rejected};
use quorate_paxos::multi::{Config, Message, Role, SnapshotError};

use super::net::{Applied, BEAT_US, Net, id};

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

#[test]
fn application_that_missed_an_event_is_asked_again() {
    let (mut net, leader, absent) = behind(20);
    let other = 3 - leader - absent;
    for index in [leader, other] {
        net.node(index).snapshot_taken(20, 20).unwrap();
    }
    net.settle();
    net.deaf = vec![leader, other];
    net.restart(absent);
    net.run(16 * BEAT_US); // both were asked
    assert_eq!(net.node(absent).status().applied, 0);
    net.deaf.clear();
    net.run(6 * BEAT_US);
    assert_eq!(net.node(absent).status().applied, 20);
}

#[test]
fn node_that_does_not_answer_is_given_up_for_another() {
    for deaf in 0..3 {
        let (mut net, leader, absent) = behind(20);
        let other = 3 - leader - absent;
        for index in [leader, other] {
            net.node(index).snapshot_taken(20, 20).unwrap();
        }
        net.settle();
        net.deaf = vec![deaf];
        net.restart(absent);
        net.run(16 * BEAT_US);
        assert_eq!(net.node(absent).status().applied, 20, "{deaf} is deaf");
    }
}

#[test]
fn candidate_that_catches_up_holds_up_nobody() {
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
    // nobody ever sends it a snapshot, and the leader is gone
    net.deaf = (0..5).collect();
    net.restart(absent);
    net.nodes[leader] = None;
    net.run(12 * 3 * BEAT_US);
    let new = net.leader().unwrap();
    assert_ne!(new, absent);
    net.propose(new, b"y");
    assert_eq!(net.node(new).status().commit, 21);
}

#[test]
fn entries_longer_than_configured_are_refused() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.run(BEAT_US / 2);
    let ballot = net.node(leader).status().promised;
    let follower = (leader + 1) % 3;
    let config = Config { max_entry_bytes: 4, ..Config::lan() };
    let mut node = net.make_with(follower, config);
    node.found();
    let now = net.instant();
    for (entries, expected) in
        [(&b"\x42\x10four"[..], Ok(())), (b"\x42\x14fives", Err(Rejected::Full))]
    {
        let accept = Message::Accept { configuration: 0, ballot, first: 1, commit: 0, entries };
        assert_eq!(node.receive(now, id(leader), accept), expected);
    }
    assert_eq!(node.status().last, 1);
}

#[test]
fn nothing_is_applied_before_it_is_on_this_disk() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.run(BEAT_US / 2);
    let follower = (leader + 1) % 3;
    net.slow_disks = vec![follower];
    net.propose(leader, b"x");
    net.run(3 * BEAT_US);
    // it knows that it is chosen
    assert_eq!(net.node(follower).status().commit, 1);
    assert!(net.commands(follower).is_empty());
    assert_eq!(net.commands(leader), [b"x"]);
}

#[test]
fn leader_that_installs_a_snapshot_leads_no_more() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.cut = (0..3).flat_map(|to| [(leader, to)]).collect();
    net.propose(leader, b"mine");
    let (now, other) = (net.instant(), (leader + 1) % 3);
    // a later leader's choices, of which a node that was asked tells
    let chunk = Message::Chunk { snapshot: 9, offset: 0, done: true, data: b"state" };
    net.node(leader).receive(now, id(other), chunk).unwrap();
    net.drive(leader);
    let status = net.node(leader).status();
    assert_eq!((status.applied, status.role), (9, Role::Follower));
}
