//! What goes wrong in implementations of Paxos, one by one.

use quorate_core::{Instant, Machine, NodeId, Output, Quorums, Rejected};
use quorate_paxos::synod::{Config, Message, Phase, Proposer, Record, Vote};
use quorate_paxos::{Ballot, Inline, Member, ProposeError, Roles};

use super::{acceptor, founded, net, node};
use crate::common::{Net, ballot};

fn vote(ballot: Ballot, value: &[u8]) -> Vote<'_> {
    Vote { ballot, value }
}

/// A message to acceptor 1 from a proposer, and what comes back once all is on disk.
fn ask(net: &mut Net<impl crate::common::Node>, from: u64, message: Message<'_>) -> Vec<String> {
    net.node(1).receive(Instant::ZERO, NodeId::new(from), message).unwrap();
    net.poll_all();
    net.sync_all();
    let sent = net.take(|_| true);
    sent.iter().map(|sent| format!("{} {:?}", sent.to, sent.message())).collect()
}

fn says(to: u64, message: &Message<'_>) -> Vec<String> {
    vec![format!("{to} {message:?}")]
}

/// P1: a proposer that comes back uses no ballot of its life before.
#[test]
fn ballots_are_not_used_twice() {
    let mut net = net(3, Config::lan());
    net.node(1).propose(Instant::ZERO, b"a").unwrap();
    net.poll_all();
    assert!(net.in_flight.is_empty(), "a prepare that is on no disk");
    net.sync_all();
    assert_eq!(net.take(|_| true)[0].message(), Message::Prepare { ballot: ballot(1, 1) });
    net.crash(1);
    net.restart(node(1, 3, Config::lan()));
    net.node(1).propose(Instant::ZERO, b"b").unwrap();
    net.settle();
    let promised = net.node(1).status().promised;
    assert_eq!(promised, ballot(2, 1));
    assert_eq!(net.decided().as_deref(), Some(&b"b"[..]));
}

/// P1, where the proposer is no acceptor: a record sets rounds aside.
#[test]
fn proposer_apart_sets_rounds_aside() {
    let members = [(1, Roles::ACCEPTOR), (2, Roles::PROPOSER)]
        .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    let new = || {
        Proposer::<Inline<2, 8>>::new(
            NodeId::new(2),
            &members,
            Quorums::majority(1),
            Config::lan(),
            1,
        )
        .unwrap()
    };
    let mut proposer = new();
    proposer.found();
    proposer.propose(Instant::ZERO, b"x").unwrap();
    let mut records = Vec::new();
    while let Some(output) = proposer.poll() {
        let Output::Persist(_, record) = output else {
            panic!("{output:?} before the rounds are on disk")
        };
        records.push(match record {
            Record::Rounds { through } => Record::Rounds { through },
            _ => Record::Founded,
        });
    }
    assert_eq!(records, [Record::Founded, Record::Rounds { through: 16 }]);
    let mut again = new();
    records.into_iter().for_each(|record| again.restore(record).unwrap());
    again.propose(Instant::ZERO, b"y").unwrap();
    assert_eq!(again.status().ballot, ballot(17, 2));
    // and one that has used them up sets further ones aside
    let through = again.checkpoint().find_map(|record| match record {
        Record::Rounds { through } => Some(through),
        _ => None,
    });
    assert_eq!(through, Some(32));
}

/// P2: nothing is told before it is on disk.
#[test]
fn promises_and_votes_are_durable_before_they_are_told() {
    let mut net = acceptor();
    let eight = NodeId::new(8);
    for message in [
        Message::Prepare { ballot: ballot(1, 8) },
        Message::Accept { vote: vote(ballot(1, 8), b"x") },
    ] {
        net.node(1).receive(Instant::ZERO, eight, message).unwrap();
        net.poll_all();
        assert!(net.in_flight.is_empty(), "an answer to {message:?} before the disk has it");
        assert!(net.sync(NodeId::new(1)));
        assert_eq!(net.take(|_| true).len(), 1);
    }
}

/// And what was told is there after a crash.
#[test]
fn promises_and_votes_survive() {
    let mut net = net(3, Config::lan());
    let three = NodeId::new(3);
    net.node(1).receive(Instant::ZERO, three, Message::Prepare { ballot: ballot(5, 3) }).unwrap();
    net.settle_unheard();
    net.crash(1);
    net.restart(node(1, 3, Config::lan()));
    let late = Message::Prepare { ballot: ballot(4, 2) };
    let refused = Message::Preempted { ballot: ballot(4, 2), promised: ballot(5, 3) };
    net.take(|_| true);
    assert_eq!(ask(&mut net, 2, late), says(2, &refused));
    let vote = vote(ballot(5, 3), b"x");
    ask(&mut net, 3, Message::Accept { vote });
    net.crash(1);
    net.restart(node(1, 3, Config::lan()));
    net.take(|_| true);
    let promise = Message::Promise { ballot: ballot(6, 2), vote: Some(vote) };
    assert_eq!(ask(&mut net, 2, Message::Prepare { ballot: ballot(6, 2) }), says(2, &promise));
}

/// P3: the value of the highest vote, not of the highest promise; and not the value that was heard first.
#[test]
fn value_of_the_highest_vote_is_adopted() {
    let mut net = net(5, Config::lan());
    net.node(1)
        .receive(Instant::ZERO, NodeId::new(2), Message::Prepare { ballot: ballot(6, 2) })
        .unwrap();
    net.settle_unheard();
    net.node(1).propose(Instant::ZERO, b"own").unwrap();
    net.poll_all();
    net.sync_all();
    let mine = ballot(7, 1);
    assert_eq!(net.node(1).status().ballot, mine);
    net.take(|_| true);
    let low = Some(vote(ballot(2, 4), b"low"));
    let high = Some(vote(ballot(3, 2), b"high"));
    for (from, vote) in [(3, high), (4, low)] {
        let promise = Message::Promise { ballot: mine, vote };
        net.node(1).receive(Instant::ZERO, NodeId::new(from), promise).unwrap();
        net.poll_all();
    }
    let accepts = net.take(|_| true);
    assert_eq!(accepts.len(), 4);
    let accept = Message::Accept { vote: vote(mine, b"high") };
    assert!(accepts.iter().all(|sent| sent.message() == accept), "{accepts:?}");
}

/// P4: an accept below the promise is refused, one of the same ballot is not, and a promise below is not given.
#[test]
fn lower_ballots_are_refused() {
    let mut net = acceptor();
    ask(&mut net, 8, Message::Prepare { ballot: ballot(2, 8) });
    let low = ballot(1, 9);
    let refused = Message::Preempted { ballot: low, promised: ballot(2, 8) };
    assert_eq!(ask(&mut net, 9, Message::Prepare { ballot: low }), says(9, &refused));
    assert_eq!(ask(&mut net, 9, Message::Accept { vote: vote(low, b"y") }), says(9, &refused));
    let equal = vote(ballot(2, 8), b"x");
    let accepted = Message::Accepted { vote: equal };
    assert_eq!(ask(&mut net, 8, Message::Accept { vote: equal }), says(8, &accepted));
    // again, and after a higher promise: it has voted, and says so
    assert_eq!(ask(&mut net, 8, Message::Accept { vote: equal }), says(8, &accepted));
    let high = ballot(3, 9);
    let promise = Message::Promise { ballot: high, vote: Some(equal) };
    assert_eq!(ask(&mut net, 9, Message::Prepare { ballot: high }), says(9, &promise));
    assert_eq!(ask(&mut net, 8, Message::Accept { vote: equal }), says(8, &accepted));
    // a vote without a promise before, and a prepare of that ballot after it
    let fresh = vote(ballot(4, 8), b"x");
    let accepted = Message::Accepted { vote: fresh };
    assert_eq!(ask(&mut net, 8, Message::Accept { vote: fresh }), says(8, &accepted));
    assert_eq!(ask(&mut net, 8, Message::Prepare { ballot: ballot(4, 8) }), says(8, &accepted));
}

/// P5: a node whose disk was erased neither votes nor proposes; it learns.
#[test]
fn erased_node_takes_no_part() {
    let mut net = net(3, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    net.crash(2);
    net.nodes.get_mut(&NodeId::new(2)).unwrap().disk.clear();
    net.nodes.get_mut(&NodeId::new(2)).unwrap().decided.clear();
    net.restart(node(2, 3, Config::lan()));
    assert!(!net.node(2).status().founded);
    assert_eq!(net.node(2).propose(Instant::ZERO, b"y"), Err(ProposeError::NotFounded));
    let now = net.now;
    let prepare = Message::Prepare { ballot: ballot(9, 3) };
    net.node(2).receive(now, NodeId::new(3), prepare).unwrap();
    let accept = Message::Accept { vote: vote(ballot(9, 3), b"y") };
    net.node(2).receive(now, NodeId::new(3), accept).unwrap();
    net.settle();
    assert_eq!((net.node(2).status().promised, net.host(2).disk.len()), (Ballot::ZERO, 0));
    net.node(2).learn(now);
    net.settle();
    assert_eq!(net.host(2).decided, [b"x"]);
}

/// Votes are kept by node: one that arrives twice counts once.
#[test]
fn repeated_answers_count_once() {
    let mut net =
        net(5, Config { learning: quorate_paxos::synod::Learning::Proposer, ..Config::lan() });
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    let mine = net.node(1).status().ballot;
    let promise = Message::Promise { ballot: mine, vote: None };
    for _ in 0..4 {
        net.node(1).receive(Instant::ZERO, NodeId::new(2), promise).unwrap();
        assert_eq!(net.node(1).status().phase, Phase::Preparing);
    }
    net.node(1).receive(Instant::ZERO, NodeId::new(3), promise).unwrap();
    assert_eq!(net.node(1).status().phase, Phase::Accepting);
    net.poll_all();
    net.sync_all();
    let accepted = Message::Accepted { vote: vote(mine, b"x") };
    for _ in 0..4 {
        net.node(1).receive(Instant::ZERO, NodeId::new(2), accepted).unwrap();
        assert_eq!(net.node(1).decided(), None);
    }
    net.node(1).receive(Instant::ZERO, NodeId::new(3), accepted).unwrap();
    assert_eq!(net.node(1).decided(), Some(&b"x"[..]));
}

/// Votes in different ballots do not add up.
#[test]
fn votes_of_different_ballots_do_not_add_up() {
    let mut net = net(5, Config::lan());
    for (from, round) in [(2, 2), (3, 3), (4, 4), (2, 4)] {
        assert_eq!(net.node(1).decided(), None);
        let accepted = Message::Accepted { vote: vote(ballot(round, 5), b"x") };
        net.node(1).receive(Instant::ZERO, NodeId::new(from), accepted).unwrap();
    }
    assert_eq!(net.node(1).decided(), None);
    let accepted = Message::Accepted { vote: vote(ballot(4, 5), b"x") };
    net.node(1).receive(Instant::ZERO, NodeId::new(5), accepted).unwrap();
    assert_eq!(net.node(1).decided(), Some(&b"x"[..]));
}

/// Two proposers that preempt each other for ever ("Paxos Made Simple", section 2.4) come to an end by random back-off.
#[test]
fn dueling_proposers_come_to_an_end() {
    for seed in 0..50 {
        let nodes = (1..=3).map(|id| {
            let members = super::members(3);
            let quorums = Quorums::majority(3);
            let mut node =
                super::Node::new(NodeId::new(id), &members, quorums, Config::lan(), seed * 3 + id)
                    .unwrap();
            node.found();
            node
        });
        let mut net = Net::new(nodes);
        net.sync_all();
        net.node(1).propose(Instant::ZERO, b"a").unwrap();
        net.node(2).propose(Instant::ZERO, b"b").unwrap();
        net.node(3).propose(Instant::ZERO, b"c").unwrap();
        let mut rounds = 0;
        while net.nodes.values().any(|host| host.decided.is_empty()) {
            // all that is on its way takes 5 ms
            net.poll_all();
            net.sync_all();
            let sent = net.take(|_| true);
            net.tick(5_000);
            sent.iter().for_each(|sent| net.deliver(sent));
            rounds += 1;
            assert!(rounds < 400, "seed {seed}: no value after {rounds} message delays");
        }
        assert!(net.decided().is_some());
    }
}

/// An acceptor that has refused, and one that is down: the next ballot asks all again.
#[test]
fn ballot_that_waits_for_dead_nodes_is_given_up() {
    let mut net = net(3, Config::lan());
    // node 2 has promised a ballot of node 3, which is gone
    net.node(2)
        .receive(Instant::ZERO, NodeId::new(3), Message::Prepare { ballot: ballot(3, 3) })
        .unwrap();
    net.settle_unheard();
    net.crash(3);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    for _ in 0..6 {
        net.settle();
        net.wait();
    }
    net.settle();
    assert_eq!(net.host(1).decided, [b"x"]);
    assert_eq!(net.node(1).status().promised.round, 4);
}

/// A proposer that crashed between its accepts: those that voted finish it.
#[test]
fn what_was_begun_is_finished_by_others() {
    let mut net = net(3, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    net.deliver_if(|sent| sent.to == NodeId::new(2));
    net.sync_all();
    net.deliver_if(|sent| sent.to == NodeId::new(1));
    // of its accepts one arrives, and then it is gone
    net.deliver_if(|sent| sent.to == NodeId::new(2));
    net.sync_all();
    assert_eq!(net.node(2).status().accepted, ballot(1, 1));
    net.crash(1);
    net.take(|_| true);
    assert_eq!(net.decided(), None);
    for _ in 0..40 {
        net.settle();
        net.wait();
    }
    assert_eq!(net.host(2).decided, [b"x"]);
    assert_eq!(net.host(3).decided, [b"x"]);
}

/// A later proposer finds a value that was chosen, and proposes it in place of its own.
#[test]
fn chosen_value_stays() {
    let mut net =
        net(3, Config { learning: quorate_paxos::synod::Learning::Proposer, ..Config::lan() });
    net.crash(3);
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    assert_eq!(net.host(1).decided, [b"x"]);
    net.crash(1);
    net.restart(founded_again(3));
    net.node(3).propose(Instant::ZERO, b"y").unwrap();
    net.settle();
    assert_eq!(net.host(3).decided, [b"x"]);
    // and who comes back learns it
    net.restart(node(1, 3, Config::lan()));
    net.node(1).learn(Instant::ZERO);
    net.settle();
    assert_eq!(net.host(1).decided, [b"x", b"x"]);
}

fn founded_again(id: u64) -> super::Node {
    let restarted = node(id, 3, Config::lan());
    assert_ne!(restarted, founded(id, 3, Config::lan()));
    restarted
}

/// An acceptor has one value for each ballot.
#[test]
fn second_value_of_a_ballot_is_refused() {
    let mut net = acceptor();
    let first = vote(ballot(1, 8), b"x");
    ask(&mut net, 8, Message::Accept { vote: first });
    let second = Message::Accept { vote: vote(ballot(1, 8), b"y") };
    let refused = net.node(1).receive(Instant::ZERO, NodeId::new(8), second);
    assert_eq!(refused, Err(Rejected::Impossible));
    assert_eq!(net.node(1).status().accepted, ballot(1, 8));
}
