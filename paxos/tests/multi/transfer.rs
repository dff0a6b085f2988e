//! The lead is handed over.

use quorate_core::{Machine, Quorums, Rejected, Wire};
use quorate_paxos::multi::{Config, Message, ProposeError, Role, TransferError};
use quorate_paxos::{Member, Roles};

use super::net::{BEAT_US, Net, ballot, id};

const ELECTION_US: u64 = Config::lan().election_us;

/// A cluster with a leader, and another node of it.
fn led(size: usize) -> (Net, usize, usize) {
    let mut net = Net::new(size);
    let leader = net.elect();
    (net, leader, (leader + 1) % size)
}

#[test]
fn another_node_leads_within_two_round_trips() {
    let (mut net, leader, next) = led(3);
    net.propose(leader, b"a");
    let before = net.node(leader).status().promised;
    net.sent.clear();
    net.node(leader).transfer(id(next)).unwrap();
    net.settle(); // no time passes
    assert_eq!(net.leader(), Some(next));
    assert_eq!(net.node(leader).status().role, Role::Follower);
    assert!(net.node(next).status().promised > before);
    let sent = |kind| net.sent.get(kind).copied().unwrap_or_default();
    assert_eq!((sent("stand"), sent("prepare"), sent("promise")), (1, 2, 2));
    net.propose(next, b"b");
    net.run(2 * BEAT_US);
    for node in 0..3 {
        assert_eq!(net.commands(node), [b"a", b"b"]);
    }
}

/// What was proposed before is not lost, and nothing is proposed meanwhile.
#[test]
fn node_that_lacks_votes_is_waited_for() {
    let (mut net, leader, next) = led(3);
    net.cut = vec![(next, leader)]; // its votes do not come back
    net.propose(leader, b"a");
    net.node(leader).transfer(id(next)).unwrap();
    net.settle();
    assert_eq!(net.leader(), Some(leader), "it has not said that it has everything");
    assert_eq!(net.node(leader).propose(b"b"), Err(ProposeError::Transferring(id(next))));
    assert_eq!(net.node(leader).transfer(id(next)), Err(TransferError::InProgress(id(next))));
    assert_eq!(net.node(leader).status().transfer, Some(id(next)));
    net.cut.clear();
    net.run(2 * BEAT_US);
    assert_eq!(net.leader(), Some(next));
    assert_eq!(net.node(leader).status().transfer, None);
    assert_eq!(net.commands(next), [b"a"]);
}

#[test]
fn leader_leads_on_if_nobody_takes_over() {
    let (mut net, leader, next) = led(3);
    net.nodes[next] = None;
    let before = net.node(leader).status().promised;
    net.node(leader).transfer(id(next)).unwrap();
    net.run(ELECTION_US / 2);
    assert_eq!(net.node(leader).propose(b"a"), Err(ProposeError::Transferring(id(next))));
    net.run(ELECTION_US);
    let status = net.node(leader).status();
    assert_eq!((status.role, status.promised, status.transfer), (Role::Leader, before, None));
    net.propose(leader, b"a");
    assert_eq!(net.commands(leader), [b"a"]);
}

/// The message is lost: it is sent again with the next heartbeat.
#[test]
fn question_to_lead_is_asked_again() {
    let (mut net, leader, next) = led(3);
    net.node(leader).transfer(id(next)).unwrap();
    net.cut = vec![(leader, next)];
    net.settle();
    assert_eq!(net.sent["stand"], 1);
    net.cut.clear();
    net.run(BEAT_US + 1);
    assert_eq!(net.leader(), Some(next));
    assert!(net.sent["stand"] >= 2);
}

/// One that hears only the leader would prepare a ballot that nobody promises.
#[test]
fn node_without_a_quorum_does_not_stand() {
    let (mut net, leader, next) = led(5);
    net.cut = (0..5).flat_map(|one| [(one, next), (next, one)]).collect();
    net.cut.retain(|link| *link != (leader, next) && *link != (next, leader));
    net.run(2 * ELECTION_US); // it is no longer heard by the others
    assert_eq!(net.leader(), Some(leader));
    let before = net.node(leader).status().promised;
    net.node(leader).transfer(id(next)).unwrap();
    net.run(2 * ELECTION_US);
    assert!(net.sent["stand"] > 0);
    assert_eq!(net.leader(), Some(leader));
    assert_eq!(net.node(leader).status().promised, before, "no ballot was begun");
}

#[test]
fn transfers_that_make_no_sense_are_refused() {
    let mut members: Vec<Member> = (0..4).map(|index| Member::new(id(index))).collect();
    members[3] = members[3].with_roles(Roles::LEARNER);
    let mut net = Net::with(members, Quorums::majority(3), Config::lan());
    let leader = net.elect();
    let next = (leader + 1) % 3;
    let refused = |net: &mut Net, at: usize, to: u64| {
        let before = net.node(at).clone();
        let error = net.node(at).transfer(quorate_core::NodeId::new(to)).unwrap_err();
        assert_eq!(*net.node(at), before, "{error}");
        error
    };
    assert_eq!(refused(&mut net, next, 1), TransferError::NotLeader(Some(id(leader))));
    assert_eq!(refused(&mut net, leader, 9), TransferError::NoSuchNode);
    assert_eq!(refused(&mut net, leader, 4), TransferError::CannotLead);
    let own = id(leader).get();
    assert_eq!(refused(&mut net, leader, own), TransferError::AlreadyLeader);
}

#[test]
fn node_alone_has_nobody_to_hand_over_to() {
    let mut net = Net::new(1);
    assert_eq!(net.elect(), 0);
    assert_eq!(net.node(0).transfer(id(0)), Err(TransferError::AlreadyLeader));
    assert_eq!(net.node(0).transfer(id(1)), Err(TransferError::NoSuchNode));
    net.node(0).step_down();
    assert_eq!(net.node(0).status().role, Role::Follower);
    net.run(2 * ELECTION_US);
    assert_eq!(net.leader(), Some(0), "there is nobody else");
}

#[test]
fn leader_that_ends_a_configuration_hands_nothing_over() {
    let (mut net, leader, next) = led(3);
    let members: Vec<Member> = (0..3).map(|index| Member::new(id(index))).collect();
    net.node(leader).reconfigure(members, Quorums::flexible(3, 2, 2).unwrap()).unwrap();
    assert_eq!(net.node(leader).transfer(id(next)), Err(TransferError::Reconfiguring));
    net.settle();
    net.run(ELECTION_US);
    let leader = net.elect();
    assert_eq!(net.node(leader).status().configuration, 1);
    let next = (leader + 1) % 3;
    net.node(leader).transfer(id(next)).unwrap();
    net.settle();
    assert_eq!(net.leader(), Some(next));
}

/// A question from a leader of the past, or from one that this node has not heard of, has no effect; one that cannot be is refused.
#[test]
fn late_and_impossible_questions_to_lead() {
    let (mut net, leader, next) = led(3);
    let other = (next + 1) % 3;
    let now = net.instant();
    let current = net.node(leader).status().promised;
    let stand = |configuration, ballot| Message::Stand { configuration, ballot };
    let mut ask = |to: usize, from: usize, message: Message<'_>| {
        let before = net.node(to).status();
        let result = net.node(to).receive(now, id(from), message);
        assert_eq!(net.node(to).status(), before, "{message:?}");
        result
    };
    // it follows another one
    assert_eq!(ask(next, other, stand(0, ballot(current.round + 1, other))), Ok(()));
    // of a ballot that is not the sender's
    assert_eq!(ask(next, other, stand(0, current)), Err(Rejected::Malformed));
    assert_eq!(ask(next, leader, stand(0, ballot(0, leader))), Err(Rejected::Malformed));
    let far = ballot(u64::MAX >> 3, leader);
    assert_eq!(ask(next, leader, stand(0, far)), Err(Rejected::OutOfRange));
    // it leads itself
    assert_eq!(ask(leader, next, stand(0, ballot(current.round + 1, next))), Ok(()));
    net.node(leader).transfer(id(next)).unwrap();
    net.settle();
    assert_eq!(net.leader(), Some(next));
    net.sent.clear();
    assert_eq!(net.node(next).receive(now, id(leader), stand(0, current)), Ok(()));
    net.drive(next);
    assert_eq!(net.sent.get("preempted"), Some(&1), "it tells the one that does not know");
    assert_eq!(net.leader(), Some(next));
}

#[test]
fn questions_to_lead_in_another_configuration_are_counted() {
    let (mut net, leader, next) = led(3);
    let (now, promised) = (net.instant(), net.node(leader).status().promised);
    let message = Message::Stand { configuration: 1, ballot: promised };
    assert_eq!(net.node(next).receive(now, id(leader), message), Ok(()));
    assert_eq!(net.node(next).status().foreign, 1);
    assert_eq!(net.node(next).status().role, Role::Follower);
}

#[test]
fn learner_that_is_asked_to_lead_refuses() {
    let mut members: Vec<Member> = (0..4).map(|index| Member::new(id(index))).collect();
    members[3] = members[3].with_roles(Roles::LEARNER);
    let mut net = Net::with(members, Quorums::majority(3), Config::lan());
    let leader = net.elect();
    let (now, promised) = (net.instant(), net.node(leader).status().promised);
    let message = Message::Stand { configuration: 0, ballot: promised };
    assert_eq!(net.node(3).receive(now, id(leader), message), Err(Rejected::Impossible));
}

#[test]
fn leader_that_steps_down_lets_another_one_lead() {
    let (mut net, leader, _) = led(3);
    net.propose(leader, b"a");
    net.node(leader).step_down();
    net.settle();
    assert_eq!(net.leader(), None);
    net.run(2 * ELECTION_US);
    let next = net.leader().unwrap();
    assert_ne!(next, leader);
    net.propose(next, b"b");
    assert_eq!(net.commands(next), [b"a", b"b"]);
}

/// Commands are on their way all the time; all that were taken are applied, once.
#[test]
fn nothing_is_lost_when_the_lead_goes_round() {
    let mut net = Net::new(3);
    let mut leader = net.elect();
    let mut taken = Vec::new();
    for round in 0..30_u8 {
        for part in 0..3 {
            let command = [round, part];
            net.node(leader).propose(&command).unwrap();
            taken.push(command);
        }
        let next = (leader + 1 + usize::from(round % 2)) % 3;
        net.node(leader).transfer(id(next)).unwrap();
        net.settle();
        assert_eq!(net.leader(), Some(next), "round {round}");
        leader = next;
    }
    net.run(2 * BEAT_US);
    for node in 0..3 {
        assert_eq!(net.commands(node), taken.iter().map(|c| &c[..]).collect::<Vec<_>>());
    }
}

#[test]
fn progress_tells_how_far_the_others_are() {
    let (mut net, leader, next) = led(3);
    let other = 3 - leader - next;
    net.nodes[other] = None;
    let proposal = net.propose(leader, b"a");
    net.run(BEAT_US);
    let of = |net: &mut Net, at: usize, peer: usize| {
        net.node(at).progress().find(|progress| progress.id == id(peer)).unwrap()
    };
    let near = of(&mut net, leader, next);
    assert_eq!((near.through, near.roles, near.hears_this), (proposal.index, Roles::ALL, true));
    assert!(near.silent_us.unwrap() <= BEAT_US);
    let gone = of(&mut net, leader, other);
    assert!(gone.through < proposal.index && gone.silent_us.unwrap() >= BEAT_US);
    assert_eq!(of(&mut net, next, leader).through, 0, "a follower does not know");
    assert_eq!(net.node(leader).status().durable, proposal.index);
}

#[test]
fn stand_is_short() {
    let message = Message::Stand { configuration: 0, ballot: ballot(3, 1) };
    assert_eq!(message.to_vec(), [12, 0, 3, 2]);
}
