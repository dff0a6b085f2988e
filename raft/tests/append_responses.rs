//! How a follower answers appends, and what a leader sends after a refusal.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Node, drain_and_persist, id};
use quorate_core::{Drift, Instant, Machine, Output, Ticket};
use quorate_raft::{Config, Event, Message, Record, Role};

/// Bytes of a blank entry: one for its term, one for kind and length.
const BLANK: usize = 2;

const NOW: Instant = Instant::from_millis(1);

/// A node of term 1 with `last` durable entries, five of them committed.
fn restored(last: usize, config: Config) -> Node {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap();
    let entries = [1, 1].repeat(last);
    raft.restore(Record::Vote { term: 1, vote: None }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 5, entries: &entries }).unwrap();
    raft.tick(NOW);
    drain_and_persist(&mut raft);
    raft
}

fn append(raft: &mut Node, prev_index: u64, round: u64, entries: &[u8]) {
    let message = Message::Append { term: 1, prev_index, prev_term: 1, commit: 5, round, entries };
    raft.receive(NOW, id(2), message).unwrap();
}

/// The acknowledged match indexes, the rounds of lease promises, and the last ticket.
fn outputs(raft: &mut Node) -> (Vec<u64>, Vec<u64>, Option<Ticket>) {
    let (mut accepts, mut promises, mut last) = (Vec::new(), Vec::new(), None);
    while let Some(output) = raft.poll() {
        match output {
            Output::Send(_, Message::AppendAccepted { match_index, .. }) => {
                accepts.push(match_index)
            }
            Output::Send(_, Message::LeasePromise { round, .. }) => promises.push(round),
            Output::Persist(ticket, _) => last = Some(ticket),
            _ => {}
        }
    }
    (accepts, promises, last)
}

#[test]
fn first_entries_are_acknowledged_once_they_are_durable() {
    let mut raft = restored(5, Config::default());
    append(&mut raft, 5, 1, &[1, 1]);
    let (accepts, _, ticket) = outputs(&mut raft);
    assert!(accepts.is_empty(), "the match alone is not acknowledged");
    raft.persisted(ticket.unwrap());
    assert_eq!(outputs(&mut raft).0, [6]);
}

#[test]
fn heartbeat_is_answered_while_entries_are_being_written() {
    let mut raft = restored(5, Config::default());
    append(&mut raft, 5, 1, &[1, 1]);
    let (_, _, ticket) = outputs(&mut raft);
    append(&mut raft, 5, 2, &[]);
    assert_eq!(outputs(&mut raft).0, [5]);
    raft.persisted(ticket.unwrap());
    assert_eq!(outputs(&mut raft).0, [6]);
}

#[test]
fn lease_promise_is_sent_once_per_round() {
    let mut raft = restored(5, Config { lease_drift: Drift::from_ppm(100), ..Config::default() });
    let mut promised = Vec::new();
    for (round, entries) in [(1, &[][..]), (1, &[1, 1]), (2, &[]), (2, &[]), (1, &[]), (3, &[])] {
        append(&mut raft, 5, round, entries);
        let (_, promises, ticket) = outputs(&mut raft);
        promised.push(promises);
        if let Some(ticket) = ticket {
            raft.persisted(ticket);
            assert!(outputs(&mut raft).1.is_empty());
        }
    }
    assert_eq!(promised, [vec![1], vec![], vec![2], vec![], vec![], vec![3]]);
}

/// The leader's log is compacted through entry 5, and the log of node 2 ends at `hint`, so it rejects
/// an append after entry 8. Returns the appends that follow (`prev_index` and bytes of entries), and
/// whether the application is asked for a snapshot.
fn appends_after_rejection(hint: u64) -> (Vec<(u64, usize)>, bool) {
    let mut raft = restored(8, Config { pre_vote: false, ..Config::default() });
    raft.snapshot_taken(5, 5).unwrap();
    raft.campaign(NOW);
    drain_and_persist(&mut raft);
    let term = raft.status().term;
    raft.receive(NOW, id(2), Message::Vote { pre: false, term, granted: true }).unwrap();
    assert_eq!(raft.status().role, Role::Leader);
    drain_and_persist(&mut raft);
    let reject =
        Message::AppendRejected { term, round: 0, prev_index: 8, hint_index: hint, hint_term: 1 };
    raft.receive(NOW, id(2), reject).unwrap();
    let (mut appends, mut wanted) = (Vec::new(), false);
    while let Some(output) = raft.poll() {
        match output {
            Output::Send(to, Message::Append { prev_index, entries, .. }) if to == id(2) => {
                appends.push((prev_index, entries.len()));
            }
            Output::Event(Event::SnapshotWanted { to, .. }) => wanted |= to == id(2),
            _ => {}
        }
    }
    (appends, wanted)
}

#[test]
fn peer_whose_log_ends_at_the_compacted_index_is_sent_entries() {
    assert_eq!(appends_after_rejection(6), (vec![(6, 3 * BLANK)], false));
    assert_eq!(appends_after_rejection(5), (vec![(5, 4 * BLANK)], false));
    assert_eq!(appends_after_rejection(4), (vec![], true), "entry 5 is compacted away");
}
