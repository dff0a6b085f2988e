use quorate_core::{Machine, Quorums, Wire};
use quorate_paxos::multi::{Config, Message, Role};
use quorate_paxos::{Member, Roles};

use super::net::{Applied, BEAT_US, Net, Node, ballot, id};
use super::takeover::{Done, candidate, drain, promise_all};

#[test]
fn leader_that_is_cut_off_answers_no_read() {
    let mut net = Net::new(3);
    let old = net.elect();
    net.propose(old, b"x");
    net.run(2 * BEAT_US);
    let others = [(old + 1) % 3, (old + 2) % 3];
    net.connect_only(&[(others[0], others[1])]);
    let before = net.reads[old];
    net.node(old).read().unwrap();
    net.run(BEAT_US);
    assert_eq!(net.reads[old], before);
    // another leader, and something that the old one does not know
    let new = loop {
        net.run(BEAT_US);
        match net.leader() {
            Some(leader) if leader != old => break leader,
            _ => {}
        }
    };
    net.propose(new, b"y");
    net.run(BEAT_US);
    assert_eq!(net.reads[old], before);
    // it is answered when that is applied
    net.cut.clear();
    net.run(10 * BEAT_US);
    assert_eq!(net.reads[old], 1);
    assert_eq!(net.commands(old), [b"x", b"y"]);
}

#[test]
fn read_at_a_follower_sees_what_the_leader_has_told_nobody() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.run(BEAT_US / 2);
    net.propose(leader, b"x");
    // the leader knows that it is chosen, and the others do not
    let follower = (leader + 1) % 3;
    assert_eq!(net.commands(leader), [b"x"]);
    assert!(net.commands(follower).is_empty());
    net.node(follower).read().unwrap();
    net.settle(); // the leader does not leave it to the next heartbeat
    assert_eq!((net.reads[follower], net.commands(follower)), (1, vec![&b"x"[..]]));
}

/// What it has heard of is chosen a moment later: it is told then, and not with the next heartbeat.
#[test]
fn reader_hears_at_once_that_what_it_waits_for_is_chosen() {
    let mut net = Net::new(5);
    let leader = net.elect();
    net.run(BEAT_US / 2);
    let [reader, others @ ..] = [1, 2, 3, 4].map(|step| (leader + step) % 5);
    net.cut = others.map(|other| (other, leader)).to_vec();
    net.propose(leader, b"x"); // two of five votes
    net.node(reader).read().unwrap();
    net.settle();
    assert_eq!(net.reads[reader], 0);
    net.cut.clear();
    net.propose(leader, b"y"); // all vote for both
    assert_eq!((net.reads[reader], &net.commands(reader)[..1]), (1, &[&b"x"[..]][..]));
}

#[test]
fn read_at_a_follower_needs_a_quorum() {
    let mut net = Net::new(5);
    let leader = net.elect();
    net.propose(leader, b"x");
    net.run(2 * BEAT_US);
    let [reader, other] = [(leader + 1) % 5, (leader + 2) % 5];
    net.connect_only(&[(reader, other)]);
    net.node(reader).read().unwrap();
    net.run(20 * BEAT_US);
    assert_eq!(net.reads[reader], 0);
    net.cut.clear();
    net.run(20 * BEAT_US);
    assert_eq!(net.reads[reader], 1);
}

#[test]
fn new_leader_reads_what_it_found_only_when_that_is_chosen() {
    let mut net = Net::new(3);
    let old = net.elect();
    let others = [(old + 1) % 3, (old + 2) % 3];
    // chosen, and only the old leader knows
    net.run(BEAT_US / 2);
    net.propose(old, b"x");
    assert_eq!(net.commands(old), [b"x"]);
    net.nodes[old] = None;
    let new = net.elect();
    assert!(others.contains(&new));
    // elect() waits until it has told the other
    assert_eq!(net.commands(new), [b"x"]);
    // again, with a leader whose accepts are lost
    net.node(new).read().unwrap();
    net.settle();
    assert_eq!(net.reads[new], 1);
}

/// A leader of round 10 with a vote of an earlier leader that it does not know to be chosen; nobody has answered its accepts.
fn leader_with_an_open_slot() -> (Net, Node) {
    let (net, mut node) = candidate(3, &[(1, ballot(1, 1), b"x")]);
    promise_all(&mut node, net.instant(), 1, &[]);
    drain(&mut node);
    assert_eq!((node.status().role, node.status().commit), (Role::Leader, 0));
    (net, node)
}

fn asked(done: &Done) -> Option<u64> {
    done.sent.iter().find_map(|(_, bytes)| match Message::from_slice(bytes).unwrap() {
        Message::Query { number, .. } => Some(number),
        _ => None,
    })
}

#[test]
fn new_leader_answers_no_read_before_what_it_found_is_chosen() {
    let (net, mut node) = leader_with_an_open_slot();
    node.read().unwrap();
    let number = asked(&drain(&mut node)).unwrap();
    // a quorum says that it leads; but what it found may have been chosen, and somebody told
    let answer = Message::Answer { number, promised: ballot(10, 0), last: 1 };
    node.receive(net.instant(), id(1), answer).unwrap();
    assert_eq!(drain(&mut node).reads, 0);
    let accepted = Message::Accepted { ballot: ballot(10, 0), through: 1 };
    node.receive(net.instant(), id(1), accepted).unwrap();
    let done = drain(&mut node);
    assert_eq!((done.applied, done.reads), (vec![Applied::Command(1, b"x".to_vec())], 1));
}

#[test]
fn answer_to_another_question_counts_for_nothing() {
    let (net, mut node) = leader_with_an_open_slot();
    let accepted = Message::Accepted { ballot: ballot(10, 0), through: 1 };
    node.receive(net.instant(), id(1), accepted).unwrap();
    node.read().unwrap();
    let number = asked(&drain(&mut node)).unwrap();
    let answer = |number, promised| Message::Answer { number, promised, last: 1 };
    node.receive(net.instant(), id(1), answer(number - 1, ballot(10, 0))).unwrap();
    assert_eq!(drain(&mut node).reads, 0);
    // nor does one of a node that has promised more
    node.receive(net.instant(), id(1), answer(number, ballot(11, 1))).unwrap();
    assert_eq!((drain(&mut node).reads, node.status().role), (0, Role::Follower));
}

#[test]
fn questions_of_two_starts_with_one_seed_have_different_numbers() {
    let mut numbers = [1, 2].map(|start| {
        let mut net = Net::new(3);
        net.run(start * BEAT_US);
        net.node(0).read().unwrap();
        let mut node = net.nodes[0].take().unwrap();
        asked(&drain(&mut node)).unwrap()
    });
    numbers.sort_unstable();
    assert_ne!(numbers[0], numbers[1]);
}

/// A leader that is gone has left a vote on one node alone. Returns both.
fn with_a_forgotten_vote(net: &mut Net, acceptors: usize) -> (usize, usize) {
    let old = net.elect();
    let keeper = (old + 1) % acceptors;
    net.run(BEAT_US / 2);
    net.cut = (0..net.nodes.len()).filter(|&to| to != keeper).map(|to| (old, to)).collect();
    net.node(old).propose(b"lost").unwrap();
    net.settle();
    net.nodes[old] = None;
    assert_eq!(net.node(keeper).status().last, 1);
    net.cut.clear();
    (old, keeper)
}

fn cut_between(net: &mut Net, one: usize, others: &[usize]) {
    net.cut.extend(others.iter().flat_map(|&other| [(one, other), (other, one)]));
}

#[test]
fn read_does_not_wait_for_a_slot_that_only_a_lost_node_has() {
    let mut members: Vec<_> = (0..5).map(|index| Member::new(id(index))).collect();
    members.push(Member::new(id(5)).with_roles(Roles::LEARNER));
    let mut net = Net::with(members, Quorums::majority(5), Config::lan());
    let (old, keeper) = with_a_forgotten_vote(&mut net, 5);
    let others: Vec<_> = (0..5).filter(|&index| index != old && index != keeper).collect();
    // a learner asks it and two others, and it is gone
    net.cut = vec![(others[0], 5)];
    net.node(5).read().unwrap();
    net.settle();
    net.nodes[keeper] = None;
    net.cut.clear();
    net.elect();
    net.run(8 * BEAT_US);
    assert_eq!((net.reads[5], net.node(5).status().applied), (1, 0));
}

#[test]
fn leader_decides_a_slot_that_a_reader_heard_of() {
    let mut net = Net::new(5);
    let (old, keeper) = with_a_forgotten_vote(&mut net, 5);
    let others: Vec<_> = (0..5).filter(|&index| index != old && index != keeper).collect();
    cut_between(&mut net, keeper, &others);
    let leader = net.elect();
    let rest: Vec<_> = others.into_iter().filter(|&index| index != leader).collect();
    let (reader, third) = (rest[0], rest[1]);
    // the reader reaches the keeper and the leader, who do not reach each other
    net.cut.clear();
    cut_between(&mut net, keeper, &[leader, third]);
    cut_between(&mut net, reader, &[third]);
    net.node(reader).read().unwrap();
    net.run(12 * BEAT_US);
    assert_eq!(net.leader(), Some(leader));
    assert_eq!((net.reads[reader], net.node(reader).status().applied), (1, 1));
}
