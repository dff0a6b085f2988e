//! Leadership transfer (Raft thesis, 3.10).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, encode, id};
use quorate_core::{Machine, Rejected};
use quorate_raft::{Message, ProposeError, Role, TransferError};

fn led_by_1(nodes: u64) -> Cluster {
    let mut cluster = Cluster::new(nodes);
    cluster.elect(1);
    cluster.run(200);
    cluster
}

#[test]
fn transfer_takes_one_round_trip() {
    let mut cluster = led_by_1(3);
    cluster.propose(1, "before");
    let term = cluster.raft(1).status().term;
    cluster.raft(1).transfer(id(3)).unwrap();
    cluster.drain(1);
    // no time passes: the old leader is still active, and the others vote all the same
    cluster.settle();
    let status = cluster.raft(3).status();
    assert_eq!((status.role, status.term), (Role::Leader, term + 1));
    assert_eq!(cluster.raft(1).status().transfer, None);
    cluster.propose(3, "after");
    cluster.run(200);
    for node in 1..=3 {
        assert_eq!(cluster.commands(node), ["before", "after"]);
        assert_eq!(cluster.raft(node).status().leader, Some(id(3)));
    }
}

#[test]
fn lagging_node_catches_up_before_the_transfer() {
    let mut cluster = led_by_1(3);
    for number in 0..5 {
        cluster.propose(1, &number.to_string());
    }
    cluster.settle_if(|envelope| envelope.to != 2 && envelope.from != 2);
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    assert!(!cluster.net.iter().any(|e| matches!(e.message(), Message::TimeoutNow { .. })));
    cluster.run(100);
    assert_eq!(cluster.leader(), Some(2));
    assert_eq!(cluster.commands(2), ["0", "1", "2", "3", "4"]);
}

#[test]
fn proposals_are_refused_until_the_transfer_is_abandoned() {
    let mut cluster = led_by_1(3);
    cluster.hosts[2].up = false;
    cluster.raft(1).transfer(id(3)).unwrap();
    let raft = cluster.raft(1);
    assert_eq!(raft.status().transfer, Some(id(3)));
    assert_eq!(raft.propose(b"x"), Err(ProposeError::Transferring(id(3))));
    assert_eq!(raft.transfer(id(2)), Err(TransferError::InProgress(id(3))));
    // automatically after the longest election timeout
    cluster.run(400);
    assert_eq!(cluster.raft(1).status().transfer, None);
    cluster.propose(1, "y");
    // explicitly
    cluster.raft(1).transfer(id(3)).unwrap();
    cluster.raft(1).abort_transfer();
    cluster.propose(1, "z");
    cluster.run(200);
    assert_eq!(cluster.leader(), Some(1));
    assert_eq!(cluster.commands(2), ["y", "z"]);
}

#[test]
fn aborted_transfer_sends_no_timeout_now() {
    let mut cluster = led_by_1(3);
    let raft = cluster.raft(1);
    raft.transfer(id(2)).unwrap();
    raft.abort_transfer();
    cluster.drain(1);
    assert!(!cluster.net.iter().any(|e| matches!(e.message(), Message::TimeoutNow { .. })));
}

#[test]
fn lost_timeout_now_is_resent() {
    let mut cluster = led_by_1(3);
    let mut lost = 0;
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run_if(200, |envelope| {
        let first = lost == 0 && matches!(envelope.message(), Message::TimeoutNow { .. });
        lost += u32::from(first);
        !first
    });
    assert_eq!(lost, 1);
    assert_eq!(cluster.leader(), Some(2));
}

#[test]
fn invalid_transfers_are_refused() {
    let mut cluster = led_by_1(3);
    assert_eq!(cluster.raft(1).transfer(id(1)), Err(TransferError::AlreadyLeader));
    assert_eq!(cluster.raft(1).transfer(id(9)), Err(TransferError::NoSuchNode));
    assert_eq!(cluster.raft(2).transfer(id(3)), Err(TransferError::NotLeader(Some(id(1)))));
}

/// Only the current leader may make a node campaign.
#[test]
fn timeout_now_is_accepted_only_from_the_leader() {
    let mut cluster = led_by_1(3);
    let term = cluster.raft(1).status().term;
    for (from, term) in [(3, term), (1, term - 1), (3, term + 1), (1, term + 1)] {
        let bytes = encode(&Message::TimeoutNow { term });
        cluster.deliver(&Envelope { from, to: 2, bytes });
        let status = cluster.raft(2).status();
        assert_eq!((status.role, status.leader), (Role::Follower, Some(id(1))), "{from} {term}");
    }
    let now = cluster.now;
    let refused = cluster.raft(2).receive(now, id(1), Message::TimeoutNow { term: 0 });
    assert_eq!(refused, Err(Rejected::Malformed));
    let hostile = Message::RequestVoteForTransfer { term: u64::MAX, last_index: 1, last_term: 1 };
    assert_eq!(cluster.raft(2).receive(now, id(3), hostile), Err(Rejected::OutOfRange));
}

/// A transfer does not allow a vote for a shorter log, or a second vote.
#[test]
fn vote_for_a_transfer_has_the_usual_conditions() {
    let mut cluster = led_by_1(3);
    cluster.propose(1, "x");
    cluster.run(200);
    let status = cluster.raft(2).status();
    let request = |term, last_index| Message::RequestVoteForTransfer {
        term,
        last_index,
        last_term: status.term,
    };
    let answer = |cluster: &mut Cluster, from, message: &Message<'_>| {
        cluster.net.clear();
        cluster.deliver(&Envelope { from, to: 2, bytes: encode(message) });
        cluster.net.pop_front().map(|envelope| match envelope.message() {
            Message::Vote { granted, .. } => granted,
            other => panic!("{other:?}"),
        })
    };
    let term = status.term + 1;
    assert_eq!(answer(&mut cluster, 3, &request(term, status.last - 1)), Some(false));
    assert_eq!(answer(&mut cluster, 3, &request(term, status.last)), Some(true));
    assert_eq!(answer(&mut cluster, 1, &request(term, status.last)), Some(false));
    assert_eq!(cluster.raft(2).status().vote, Some(id(3)));
}

/// An election after a failed transfer is an ordinary one, with pre-vote.
#[test]
fn transfer_covers_one_election() {
    let mut cluster = led_by_1(3);
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    // node 2 receives TimeoutNow, and is partitioned from then on
    cluster.settle_if(|envelope| envelope.to == 2 && envelope.from == 1);
    let term = cluster.raft(2).status().term;
    assert_eq!(cluster.raft(2).status().role, Role::Candidate);
    cluster.run_if(2000, |envelope| envelope.to != 2 && envelope.from != 2);
    let status = cluster.raft(2).status();
    assert_eq!((status.role, status.term), (Role::PreCandidate, term));
}

#[test]
fn timeout_now_is_resent_at_the_next_heartbeat() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.net.clear();
    let receivers = |cluster: &mut Cluster| {
        cluster.drain(1);
        let is_timeout_now =
            |e: &crate::common::Envelope| matches!(e.message(), Message::TimeoutNow { .. });
        let to: Vec<u64> = cluster.net.drain(..).filter(is_timeout_now).map(|e| e.to).collect();
        to
    };
    cluster.raft(1).transfer(id(3)).unwrap();
    assert_eq!(receivers(&mut cluster), [3]);
    cluster.now = cluster.now.after(50_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    assert_eq!(receivers(&mut cluster), [3]);
}
