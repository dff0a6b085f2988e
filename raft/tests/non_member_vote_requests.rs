//! Vote requests of nodes that the receiver does not know as voters.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Node, id, with_leader, without_leader};
use quorate_core::{Instant, Machine, Output, Rejected};
use quorate_raft::{Config, Message};

const START: Instant = Instant::from_millis(1);
/// Non-members may raise a node's term by at most this much per election timeout.
const MOST: u64 = 1 << 16;
/// The last entry of the node (index, term), and a log that is behind it.
const LEVEL: (u64, u64) = (3, 3);
const BEHIND: (u64, u64) = (2, 3);

const fn request(pre: bool, term: u64, log: (u64, u64)) -> Message<'static> {
    Message::RequestVote { pre, term, last_index: log.0, last_term: log.1 }
}

/// The term of an answer, and whether the vote is granted; `None` without an answer.
type Answer = Option<(u64, bool)>;
/// A node's term and vote.
type State = (u64, Option<u64>);

/// The answer of a copy of the node to node 9, a non-member, and its state afterwards.
fn answer(raft: &Node, message: Message<'_>) -> (Answer, State) {
    let mut raft = raft.clone();
    assert_eq!(raft.receive(START, id(9), message), Ok(()), "{message:?}");
    let (mut answer, mut last) = (None, None);
    loop {
        match raft.poll() {
            Some(Output::Persist(ticket, _)) => last = Some(ticket),
            Some(Output::Send(to, Message::Vote { term, granted, .. })) if to == id(9) => {
                assert_eq!(answer.replace((term, granted)), None);
            }
            Some(_) => {}
            None => match last.take() {
                Some(ticket) => raft.persisted(ticket),
                None => break,
            },
        }
    }
    (answer, (raft.status().term, raft.status().vote.map(|vote| vote.get())))
}

#[test]
fn request_of_a_non_member_in_an_old_term_is_answered_with_the_term() {
    for pre in [true, false] {
        for log in [LEVEL, BEHIND] {
            // a candidate in an old term has a last entry of an older term
            let message = request(pre, 2, (log.0, 1));
            for raft in [without_leader(START), with_leader(START)] {
                assert_eq!(answer(&raft, message), (Some((3, false)), (3, None)), "{message:?}");
            }
        }
    }
}

#[test]
fn request_of_a_non_member_is_not_answered_while_a_leader_is_active() {
    for pre in [true, false] {
        for message in [
            request(pre, 3, (9, 2)),
            request(pre, 4, LEVEL),
            request(pre, 4, BEHIND),
            request(pre, 3 + MOST, (9, 3)),
        ] {
            assert_eq!(answer(&with_leader(START), message), (None, (3, None)), "{message:?}");
        }
    }
}

#[test]
fn request_of_a_non_member_in_a_later_term_changes_the_vote_alone() {
    let raft = without_leader(START);
    for log in [LEVEL, (4, 3), (1, 4)] {
        assert_eq!(answer(&raft, request(true, 5, log)), (Some((5, true)), (3, None)), "{log:?}");
        assert_eq!(
            answer(&raft, request(false, 5, log)),
            (Some((5, true)), (5, Some(9))),
            "{log:?}"
        );
    }
    for log in [BEHIND, (9, 2), (0, 0)] {
        for pre in [true, false] {
            let refused = (Some((3, false)), (3, None));
            assert_eq!(answer(&raft, request(pre, 5, log)), refused, "{pre} {log:?}");
        }
    }
}

#[test]
fn votes_for_non_members_raise_the_term_up_to_the_bound() {
    let mut raft = without_leader(START);
    raft.receive(START, id(9), request(false, 3 + MOST - 1, LEVEL)).unwrap();
    assert_eq!(raft.status().term, 3 + MOST - 1);
    let beyond = request(false, 4 + MOST, LEVEL);
    for from in [9, 10] {
        assert_eq!(raft.receive(START, id(from), beyond), Err(Rejected::OutOfRange), "{from}");
    }
    raft.receive(START, id(10), request(false, 3 + MOST, LEVEL)).unwrap();
    assert_eq!(raft.status().term, 3 + MOST);
    assert_eq!(raft.receive(START, id(9), beyond), Err(Rejected::OutOfRange));
    // the bound is reset after an election timeout
    let later = START.after(Config::default().election_max_us);
    raft.tick(later);
    let term = raft.status().term;
    raft.receive(later, id(9), request(false, term + MOST, LEVEL)).unwrap();
    assert_eq!(raft.status().term, term + MOST);
}

#[test]
fn pre_votes_and_refused_requests_of_non_members_raise_no_term() {
    let mut raft = without_leader(START);
    for _ in 0..3 {
        for message in [request(true, 3 + MOST, LEVEL), request(false, 3 + MOST, BEHIND)] {
            assert_eq!(raft.receive(START, id(9), message), Ok(()));
            assert_eq!(raft.status().term, 3);
        }
    }
    raft.receive(START, id(9), request(false, 3 + MOST, LEVEL)).unwrap();
    assert_eq!(raft.status().term, 3 + MOST);
}
