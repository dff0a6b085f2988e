//! Records that no node wrote in that order.

use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Quorums};
use quorate_paxos::synod::{Config, Learner, Message, Proposer, Record, Vote};
use quorate_paxos::{Ballot, Inline, Member, Roles};

use super::node;
use crate::common::ballot;

const fn promised(ballot: Ballot) -> Record<'static> {
    Record::Promised { ballot }
}

const fn accepted(ballot: Ballot, value: &[u8]) -> Record<'_> {
    Record::Accepted { vote: Vote { ballot, value } }
}

#[test]
fn records_do_not_go_back() {
    let mut node = node(1, 3, Config::lan());
    assert_eq!(node.restore(accepted(Ballot::ZERO, b"")), Err(Corrupt::Malformed));
    assert_eq!(node.restore(promised(ballot(5, 2))), Ok(()));
    assert_eq!(node.restore(promised(ballot(5, 1))), Err(Corrupt::Regression));
    assert_eq!(node.restore(accepted(ballot(4, 3), b"x")), Err(Corrupt::Regression));
    assert_eq!(node.restore(accepted(ballot(5, 2), b"x")), Ok(()));
    assert_eq!(node.restore(accepted(ballot(5, 2), b"y")), Err(Corrupt::Regression));
    assert_eq!(node.restore(promised(Ballot::ZERO)), Err(Corrupt::Malformed));
    assert_eq!(node.restore(promised(ballot(Ballot::MAX_ROUND + 1, 1))), Err(Corrupt::Malformed));
    assert_eq!(node.restore(accepted(ballot(6, 2), &[0; 9])), Err(Corrupt::Full));
    assert_eq!(node.restore(Record::Rounds { through: 3 }), Err(Corrupt::Malformed));
    node.tick(Instant::ZERO);
    assert_eq!(node.restore(Record::Founded), Err(Corrupt::Started));
}

#[test]
fn checkpoint_has_the_vote_and_what_was_promised_above_it() {
    let mut node = node(1, 3, Config::lan());
    for record in [Record::Founded, accepted(ballot(1, 2), b"x"), promised(ballot(3, 2))] {
        node.restore(record).unwrap();
    }
    let all: Vec<_> = node.checkpoint().collect();
    assert_eq!(all, [Record::Founded, accepted(ballot(1, 2), b"x"), promised(ballot(3, 2))]);
}

#[test]
fn roles_apart_have_records_of_their_own() {
    let members = [(1, Roles::ACCEPTOR), (2, Roles::PROPOSER), (3, Roles::LEARNER)]
        .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    let quorums = Quorums::majority(1);
    let mut proposer =
        Proposer::<Inline<3, 8>>::new(NodeId::new(2), &members, quorums, Config::lan(), 1).unwrap();
    assert_eq!(proposer.restore(promised(ballot(1, 2))), Err(Corrupt::Malformed));
    assert_eq!(proposer.restore(Record::Rounds { through: 0 }), Err(Corrupt::Malformed));
    assert_eq!(proposer.restore(Record::Rounds { through: u64::MAX }), Err(Corrupt::Malformed));
    assert_eq!(proposer.restore(Record::Rounds { through: 32 }), Ok(()));
    assert_eq!(proposer.restore(Record::Rounds { through: 16 }), Err(Corrupt::Regression));
    let mut learner =
        Learner::<Inline<3, 8>>::new(NodeId::new(3), &members, quorums, Config::lan()).unwrap();
    assert_eq!(learner.restore(Record::Founded), Err(Corrupt::Malformed));
}

#[test]
fn restored_node_asks_without_being_told_to() {
    for record in [promised(ballot(1, 2)), accepted(ballot(1, 2), b"x")] {
        let mut node = node(1, 3, Config::lan());
        node.restore(Record::Founded).unwrap();
        assert_eq!(node.deadline(), None); // it has heard of nothing
        node.restore(record).unwrap();
        // a driver sleeps until then
        let deadline = node.deadline().unwrap();
        assert_eq!(deadline, Instant::ZERO.after(Config::lan().learn_us));
        node.tick(deadline);
        assert!(matches!(node.poll(), Some(Output::Send(_, Message::Learn))));
    }
}
