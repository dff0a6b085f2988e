//! Messages that no honest node sends are refused, counted, and change nothing.

use quorate_core::{Instant, Machine, NodeId, Output, Rejected};
use quorate_paxos::synod::{Config, Message, Phase, Vote};
use quorate_paxos::{Ballot, ProposeError};

use super::{acceptor, net};
use crate::common::ballot;

const fn vote(ballot: Ballot, value: &[u8]) -> Vote<'_> {
    Vote { ballot, value }
}

#[test]
fn node_refuses_what_cannot_be() {
    let mut net = net(3, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    let (mine, far) = (ballot(1, 1), 1 + Ballot::MAX_AHEAD + 1);
    let beyond = ballot(Ballot::MAX_ROUND + 1, 3);
    let long = [0; 9];
    let cases = [
        (7, Message::Learn, Rejected::UnknownSender),
        (1, Message::Learn, Rejected::Impossible), // of itself
        (2, Message::Prepare { ballot: Ballot::ZERO }, Rejected::Malformed),
        (2, Message::Prepare { ballot: ballot(1, 3) }, Rejected::Impossible),
        (2, Message::Prepare { ballot: ballot(far, 2) }, Rejected::OutOfRange),
        (2, Message::Prepare { ballot: ballot(u64::MAX, 2) }, Rejected::OutOfRange),
        (2, Message::Accept { vote: vote(Ballot::ZERO, b"") }, Rejected::Malformed),
        (2, Message::Accept { vote: vote(ballot(1, 3), b"") }, Rejected::Impossible),
        (2, Message::Accept { vote: vote(ballot(far, 2), b"") }, Rejected::OutOfRange),
        (2, Message::Accept { vote: vote(ballot(2, 2), &long) }, Rejected::Full),
        (2, Message::Promise { ballot: Ballot::ZERO, vote: None }, Rejected::Malformed),
        (2, Message::Promise { ballot: ballot(1, 2), vote: None }, Rejected::Impossible),
        (2, Message::Promise { ballot: ballot(far, 1), vote: None }, Rejected::OutOfRange),
        (
            2,
            Message::Promise { ballot: mine, vote: Some(vote(Ballot::ZERO, b"")) },
            Rejected::Malformed,
        ),
        (2, Message::Promise { ballot: mine, vote: Some(vote(mine, b"")) }, Rejected::Impossible),
        (
            2,
            Message::Promise { ballot: mine, vote: Some(vote(ballot(1, 0), &long)) },
            Rejected::Full,
        ),
        (2, Message::Preempted { ballot: Ballot::ZERO, promised: mine }, Rejected::Malformed),
        (
            2,
            Message::Preempted { ballot: ballot(1, 2), promised: ballot(2, 3) },
            Rejected::Impossible,
        ),
        (2, Message::Preempted { ballot: mine, promised: mine }, Rejected::Impossible),
        (2, Message::Preempted { ballot: mine, promised: beyond }, Rejected::OutOfRange),
        (
            2,
            Message::Preempted { ballot: ballot(far, 1), promised: ballot(far, 3) },
            Rejected::OutOfRange,
        ),
        (2, Message::Accepted { vote: vote(Ballot::ZERO, b"") }, Rejected::Malformed),
        (2, Message::Accepted { vote: vote(beyond, b"") }, Rejected::OutOfRange),
        (2, Message::Accepted { vote: vote(ballot(2, 2), &long) }, Rejected::Full),
        (2, Message::Decided { value: &long }, Rejected::Full),
        (2, Message::Propose { value: b"x" }, Rejected::Impossible),
    ];
    let (before, records) = (net.node(1).status(), net.host(1).disk.len());
    for (count, (from, message, reason)) in cases.into_iter().enumerate() {
        let refused = net.node(1).receive(Instant::ZERO, NodeId::new(from), message);
        assert_eq!(refused, Err(reason), "{message:?} of {from}");
        assert_eq!(net.node(1).rejections().total() as usize, count + 1);
    }
    net.poll_all();
    net.sync_all();
    assert_eq!((net.node(1).status(), net.host(1).disk.len()), (before, records));
}

/// The promises of one ballot tell of one value for each lower ballot.
#[test]
fn promises_that_contradict_each_other_are_refused() {
    let mut net = net(5, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    let promise =
        |value| Message::Promise { ballot: ballot(1, 1), vote: Some(vote(ballot(1, 0), value)) };
    let receive = |net: &mut crate::common::Net<super::Node>, from, message| {
        net.node(1).receive(Instant::ZERO, NodeId::new(from), message)
    };
    assert_eq!(receive(&mut net, 2, promise(b"a")), Ok(()));
    assert_eq!(receive(&mut net, 3, promise(b"b")), Err(Rejected::Impossible));
    let accepted = |round, value| Message::Accepted { vote: vote(ballot(round, 4), value) };
    assert_eq!(receive(&mut net, 2, accepted(3, b"a")), Ok(()));
    assert_eq!(receive(&mut net, 3, accepted(3, b"b")), Err(Rejected::Impossible));
    // one acceptor claims another value in a higher ballot, and then a quorum votes in the lower one
    assert_eq!(receive(&mut net, 4, accepted(5, b"c")), Ok(()));
    assert_eq!(receive(&mut net, 3, accepted(3, b"a")), Ok(()));
    assert_eq!(net.node(1).decided(), None);
    assert_eq!(receive(&mut net, 5, accepted(3, b"a")), Ok(()));
    assert_eq!(net.node(1).decided(), Some(&b"a"[..]));
}

#[test]
fn second_decision_is_refused() {
    let mut net = net(3, Config::lan());
    let decided = |value| Message::Decided { value };
    let two = NodeId::new(2);
    assert_eq!(net.node(1).receive(Instant::ZERO, two, decided(b"x")), Ok(()));
    assert_eq!(net.node(1).receive(Instant::ZERO, two, decided(b"x")), Ok(()));
    assert_eq!(net.node(1).receive(Instant::ZERO, two, decided(b"y")), Err(Rejected::Impossible));
    assert_eq!(net.node(1).decided(), Some(&b"x"[..]));
    assert_eq!(net.node(1).propose(Instant::ZERO, b"z"), Err(ProposeError::Decided));
}

#[test]
fn acceptor_apart_refuses_what_is_for_others() {
    let mut net = acceptor();
    let value = vote(ballot(1, 8), b"x");
    for message in [
        Message::Promise { ballot: ballot(1, 1), vote: None },
        Message::Accepted { vote: value },
        Message::Preempted { ballot: ballot(1, 1), promised: ballot(2, 8) },
        Message::Decided { value: b"x" },
    ] {
        let refused = net.node(1).receive(Instant::ZERO, NodeId::new(8), message);
        assert_eq!(refused, Err(Rejected::Impossible), "{message:?}");
    }
    // another acceptor does not propose
    let prepare = Message::Prepare { ballot: ballot(1, 2) };
    let refused = net.node(1).receive(Instant::ZERO, NodeId::new(2), prepare);
    assert_eq!(refused, Err(Rejected::Impossible));
}

/// Rounds have an end: what is at it is refused, and nobody wraps.
#[test]
fn rounds_come_to_an_end() {
    let mut node = super::node(1, 3, Config::lan());
    let last = ballot(Ballot::MAX_ROUND, 3);
    node.restore(quorate_paxos::synod::Record::Founded).unwrap();
    node.restore(quorate_paxos::synod::Record::Promised { ballot: last }).unwrap();
    node.tick(Instant::ZERO);
    assert_eq!(node.propose(Instant::ZERO, b"x"), Err(ProposeError::Exhausted));
    let beyond = Message::Prepare { ballot: ballot(Ballot::MAX_ROUND + 1, 3) };
    assert_eq!(node.receive(Instant::ZERO, NodeId::new(3), beyond), Err(Rejected::OutOfRange));
    // a proposer that is preempted there gives up
    let mut node = super::node(1, 3, Config::lan());
    node.restore(quorate_paxos::synod::Record::Founded).unwrap();
    let before = ballot(Ballot::MAX_ROUND - 1, 3);
    node.restore(quorate_paxos::synod::Record::Promised { ballot: before }).unwrap();
    node.propose(Instant::ZERO, b"x").unwrap();
    let mine = node.status().ballot;
    assert_eq!(mine, ballot(Ballot::MAX_ROUND, 1));
    write_and_ask(&mut node);
    for from in [2, 3] {
        let preempted = Message::Preempted { ballot: mine, promised: last };
        node.receive(Instant::ZERO, NodeId::new(from), preempted).unwrap();
    }
    let mut now = Instant::ZERO;
    while node.status().phase != quorate_paxos::synod::Phase::Idle {
        let deadline = node.deadline().unwrap();
        assert!(deadline > now, "it spins");
        now = deadline;
        node.tick(now);
    }
    assert_eq!(node.propose(now, b"y"), Err(ProposeError::Exhausted));
}

/// Writes what a node wants written, until it has asked all.
fn write_and_ask(node: &mut super::Node) {
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            node.persisted(ticket);
        }
    }
}

/// A promise in a ballot that is not on disk yet could begin phase 2, and the ballot would be used again after a crash.
#[test]
fn promises_that_were_not_asked_for_are_refused() {
    let mut node = super::founded(1, 3, Config::lan());
    node.propose(Instant::ZERO, b"x").unwrap();
    let mine = node.status().ballot;
    let promise = Message::Promise { ballot: mine, vote: None };
    let preempted = Message::Preempted { ballot: mine, promised: ballot(2, 3) };
    let later = Message::Promise { ballot: ballot(2, 1), vote: None };
    let before = node.rejections();
    for from in [2, 3].map(NodeId::new) {
        for message in [promise, preempted, later] {
            assert_eq!(node.receive(Instant::ZERO, from, message), Err(Rejected::Impossible));
        }
    }
    assert_eq!(node.rejections().total() - before.total(), 6);
    assert_eq!((node.status().phase, node.status().ballot), (Phase::Preparing, mine));
    // once its own promise is on disk it asks, and the same promise counts, twice sent or not
    write_and_ask(&mut node);
    assert_eq!(node.receive(Instant::ZERO, NodeId::new(3), later), Err(Rejected::Impossible));
    node.receive(Instant::ZERO, NodeId::new(2), promise).unwrap();
    assert_eq!(node.status().phase, Phase::Accepting);
    for from in [2, 3].map(NodeId::new) {
        node.receive(Instant::ZERO, from, promise).unwrap();
        node.receive(Instant::ZERO, from, preempted).unwrap();
    }
}
