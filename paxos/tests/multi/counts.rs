use quorate_core::{Machine, Quorums};
use quorate_paxos::multi::{Config, Role};
use quorate_paxos::{Member, Roles};

use super::net::{Applied, BEAT_US, Net, id};

#[test]
fn batch_takes_two_messages_for_each_other_node_and_a_write_on_each() {
    for size in [3, 5] {
        let mut net = Net::new(size);
        let leader = net.elect();
        net.propose(leader, b"first");
        net.run(2 * BEAT_US + BEAT_US / 2);
        net.sent.clear();
        net.written = vec![0; size];
        for _ in 0..64 {
            net.node(leader).propose(b"sixteen bytes...").unwrap();
        }
        net.settle();
        assert_eq!(net.commands(leader).len(), 65);
        assert_eq!(net.sent.get("accept"), Some(&(size - 1)));
        assert_eq!(net.sent.get("accepted"), Some(&(size - 1)));
        assert_eq!(net.sent.values().sum::<usize>(), 2 * (size - 1));
        assert_eq!(net.written, vec![1; size]);
        // what is chosen travels with the next heartbeat
        net.run(BEAT_US);
        for index in 0..size {
            assert_eq!(net.commands(index).len(), 65);
        }
    }
}

#[test]
fn takeover_takes_a_round_trip_and_a_write_on_each() {
    let mut net = Net::new(3);
    net.elect();
    assert_eq!(net.sent.get("prepare"), Some(&2));
    assert_eq!(net.sent.get("promise"), Some(&2));
    // founded, and promised
    assert_eq!(net.written, [2, 2, 2]);
}

#[test]
fn cluster_of_one_node_works() {
    let mut net = Net::new(1);
    net.run(1);
    assert_eq!(net.leader(), Some(0));
    assert_eq!(net.node(0).deadline(), None);
    net.propose(0, b"alone");
    assert_eq!(net.applied[0], [Applied::Command(1, b"alone".to_vec())]);
    net.node(0).read().unwrap();
    net.settle();
    assert_eq!(net.reads[0], 1);
    assert!(net.sent.is_empty());
    net.restart(0);
    net.run(1);
    net.propose(0, b"again");
    assert_eq!(net.commands(0), [b"alone", b"again"]);
}

#[test]
fn learner_learns_and_does_not_vote() {
    let mut members: Vec<_> = (0..3).map(|index| Member::new(id(index))).collect();
    members.push(Member::new(id(3)).with_roles(Roles::LEARNER));
    let mut net = Net::with(members, Quorums::majority(3), Config::lan());
    let leader = net.elect();
    assert_ne!(leader, 3);
    net.propose(leader, b"x");
    net.run(2 * BEAT_US);
    assert_eq!(net.commands(3), [b"x"]);
    // the learner and the leader are no quorum
    let others: Vec<_> = (0..3).filter(|&index| index != leader).collect();
    for &other in &others {
        net.nodes[other] = None;
    }
    net.node(leader).propose(b"y").unwrap();
    net.run(20 * BEAT_US);
    assert_eq!(net.commands(leader), [b"x"]);
    assert_eq!(net.node(leader).status().role, Role::Follower);
    assert_eq!(net.leader(), None);
}

#[test]
fn read_takes_a_round_trip_and_no_write_at_any_node() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.propose(leader, b"x");
    let learner = (leader + 1) % 3;
    for index in [leader, learner] {
        net.run(2 * BEAT_US + 10_000);
        net.sent.clear();
        net.written = vec![0; 3];
        net.node(index).read().unwrap();
        let last = net.node(index).read().unwrap();
        net.settle();
        assert_eq!(net.reads[index], last.get());
        assert_eq!(net.sent.get("query"), Some(&2));
        assert_eq!(net.sent.get("answer"), Some(&2));
        assert_eq!(net.sent.values().sum::<usize>(), 4);
        assert_eq!(net.written, [0, 0, 0]);
    }
}
