//! The methods of the `Machine` trait do the same as the inherent methods.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Node, id};
use quorate_core::{Fatal, Instant, Machine, Output, Rejected, Ticket};
use quorate_raft::{Config, Message, Record, Role};

type Out<'a> = Output<'a, Node>;

fn node() -> Node {
    Node::new(id(1), &[1, 2].map(id), Config::default(), 1).unwrap()
}

#[test]
fn trait_methods_call_the_inherent_methods() {
    let mut raft = node();
    Machine::restore(&mut raft, Record::Vote { term: 4, vote: Some(id(1)) }).unwrap();
    assert_eq!(raft.status().term, 4);
    assert!(Machine::restore(&mut raft, Record::Vote { term: 3, vote: None }).is_err());
    assert_eq!(Machine::deadline(&raft), Some(Instant::ZERO));
    Machine::tick(&mut raft, Instant::from_millis(1));
    let deadline = Machine::deadline(&raft);
    assert!(deadline > Some(Instant::from_millis(1)));
    assert_eq!(deadline, raft.deadline());
    assert_eq!(Machine::checkpoint(&raft).count(), raft.checkpoint().count());
    assert_eq!(Machine::fatal(&raft), None);
    let config = Config::default();
    let longest = (Node::max_message_len(&config), Node::max_record_len(&config));
    assert!(longest.0 > 100 && longest.1 > 100);
    assert_eq!(Machine::max_message_len(&raft), Some(longest.0));
    assert_eq!(Machine::max_record_len(&raft), Some(longest.1));

    let invalid = Message::Vote { pre: false, term: 0, granted: true };
    let now = Instant::from_millis(2);
    assert_eq!(Machine::receive(&mut raft, now, id(2), invalid), Err(Rejected::Malformed));
    let request = Message::RequestVote { pre: false, term: 5, last_index: 0, last_term: 0 };
    Machine::receive(&mut raft, now, id(2), request).unwrap();
    assert_eq!(raft.status().vote, Some(id(2)));
    let mut ticket = None;
    while let Some(output) = Machine::poll(&mut raft) {
        match output {
            Out::Persist(written, _) => ticket = Some(written),
            Out::Send(..) => panic!("the vote is not durable"),
            Out::Event(_) => {}
        }
    }
    Machine::persisted(&mut raft, ticket.unwrap());
    assert!(matches!(Machine::poll(&mut raft), Some(Out::Send(to, _)) if to == id(2)));
    assert_eq!(raft.status().role, Role::Follower);
}

#[test]
fn stopped_node_reports_fatal() {
    let mut raft = node();
    // entries that the log should keep below the snapshot are missing
    Machine::restore(&mut raft, Record::Vote { term: 3, vote: None }).unwrap();
    let covers = Record::Snapshot { index: 9, index_term: 3, compacted: 0, compacted_term: 0 };
    Machine::restore(&mut raft, covers).unwrap();
    Machine::tick(&mut raft, Instant::ZERO);
    assert_eq!(Machine::fatal(&raft), Some(Fatal::LostState));
    assert_eq!(Machine::deadline(&raft), None);
    Machine::persisted(&mut raft, Ticket::default());
}
