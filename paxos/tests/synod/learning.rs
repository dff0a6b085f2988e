//! How learners learn.

use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
use quorate_paxos::synod::{Config, Learner, Learning, Message, Proposer, Record, Vote};
use quorate_paxos::{Inline, Member, Roles};

use super::net;
use crate::common::{Net, ballot};

/// An announcement that was lost is asked for, by nodes that have voted.
#[test]
fn lost_announcement_is_asked_for() {
    for learning in [Learning::Distinguished, Learning::Direct] {
        let mut net = net(3, Config { learning, ..Config::lan() });
        net.node(1).propose(Instant::ZERO, b"x").unwrap();
        for _ in 0..20 {
            net.poll_all();
            net.sync_all();
            net.take(|sent| {
                matches!(sent.message(), Message::Decided { .. })
                    || matches!(sent.message(), Message::Accepted { .. })
                        && sent.to != NodeId::new(1)
            });
            net.deliver_if(|_| true);
        }
        assert_eq!(net.host(1).decided, [b"x"], "{learning:?}");
        assert!(net.host(2).decided.is_empty());
        while net.wait() {
            net.settle();
        }
        assert_eq!([2, 3].map(|id| net.host(id).decided.len()), [1, 1], "{learning:?}");
    }
}

/// With `Learning::Proposer` nobody asks by itself.
#[test]
fn nobody_asks_where_only_the_proposer_is_to_know() {
    let mut net = net(3, Config { learning: Learning::Proposer, ..Config::lan() });
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    assert!(!net.wait());
    let now = net.now;
    net.node(2).learn(now);
    net.settle();
    assert_eq!(net.host(2).decided, [b"x"]);
}

fn learner() -> Net<Learner<Inline<4, 8>>> {
    let mut members: Vec<Member> =
        (1..=3).map(|id| Member::new(NodeId::new(id)).with_roles(Roles::ACCEPTOR)).collect();
    members.push(Member::new(NodeId::new(4)).with_roles(Roles::LEARNER));
    Net::new([Learner::new(NodeId::new(4), &members, Quorums::majority(3), Config::lan()).unwrap()])
}

#[test]
fn learner_asks_until_it_knows() {
    let mut net = learner();
    net.node(4).learn(Instant::ZERO);
    net.poll_all();
    assert_eq!(net.take(|_| true).len(), 3);
    net.tick(199_999);
    assert_eq!(net.take(|_| true).len(), 0);
    net.tick(1);
    assert_eq!(net.take(|_| true).len(), 3);
    for from in [1, 2] {
        let accepted = Message::Accepted { vote: Vote { ballot: ballot(3, 9), value: b"x" } };
        let now = net.now;
        net.node(4).receive(now, NodeId::new(from), accepted).unwrap();
    }
    net.poll_all();
    assert_eq!(net.host(4).decided, [b"x"]);
    assert!(!net.wait());
}

/// Votes that a learner hears late do not take it back, and the last vote of each acceptor counts.
#[test]
fn later_votes_replace_earlier_ones() {
    let mut net = learner();
    let mut hear = |from: u64, round: u64| {
        let accepted = Message::Accepted { vote: Vote { ballot: ballot(round, 9), value: b"x" } };
        net.node(4).receive(Instant::ZERO, NodeId::new(from), accepted).unwrap();
        net.node(4).decided().is_some()
    };
    assert!(!hear(1, 2));
    assert!(!hear(1, 1)); // late
    assert!(!hear(2, 1)); // acceptor 1 voted in ballot 1, too, but that is not what was heard last
    assert!(hear(2, 2));
}

/// Once it knows, a node answers whatever is asked with what was chosen.
#[test]
fn who_knows_tells() {
    let mut net = net(3, Config::lan());
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.settle();
    let vote = Vote { ballot: ballot(7, 3), value: b"y" };
    for message in
        [Message::Prepare { ballot: ballot(7, 3) }, Message::Accept { vote }, Message::Learn]
    {
        net.node(2).receive(Instant::ZERO, NodeId::new(3), message).unwrap();
        net.poll_all();
        net.sync_all();
        let sent = net.take(|_| true);
        assert_eq!(sent.len(), 1, "{message:?}");
        assert_eq!(sent[0].message(), Message::Decided { value: b"x" });
    }
}

/// A proposer by itself, which has used ballots and lost power, asks; and it proposes what it finds, if nobody tells it.
#[test]
fn restarted_proposer_finishes_what_was_begun() {
    let members = [(1, Roles::ACCEPTOR), (2, Roles::ACCEPTOR), (3, Roles::PROPOSER)]
        .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    let quorums = Quorums::majority(2);
    let (me, config) = (NodeId::new(3), Config::lan());
    let mut proposer = Proposer::<Inline<3, 8>>::new(me, &members, quorums, config, 1).unwrap();
    proposer.restore(Record::Founded).unwrap();
    assert_eq!(proposer.deadline(), None); // it has begun nothing
    proposer.restore(Record::Rounds { through: 16 }).unwrap();
    let voted = Vote { ballot: ballot(16, 3), value: b"x" };
    let mut asked = 0;
    while let Some(now) = proposer.deadline().filter(|_| proposer.decided().is_none()) {
        proposer.tick(now);
        let mut answers = Vec::new();
        while let Some(output) = proposer.poll() {
            let message = match output {
                Output::Persist(ticket, _) => {
                    proposer.persisted(ticket);
                    continue;
                }
                Output::Send(to, Message::Learn) => {
                    asked += usize::from(to == NodeId::new(1));
                    continue;
                }
                Output::Send(_, Message::Prepare { ballot }) => {
                    Message::Promise { ballot, vote: Some(voted) }
                }
                Output::Send(_, Message::Accept { vote }) => {
                    assert_eq!(vote.value, b"x");
                    let vote = Vote { ballot: vote.ballot, value: b"x" };
                    Message::Accepted { vote }
                }
                _ => continue,
            };
            answers.push(message);
        }
        for (from, message) in [1, 2].map(NodeId::new).into_iter().zip(answers) {
            proposer.receive(now, from, message).unwrap();
        }
    }
    assert_eq!((proposer.decided(), asked), (Some(&b"x"[..]), 4));
}
