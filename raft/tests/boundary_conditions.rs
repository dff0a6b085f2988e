//! Boundary conditions of campaigns, vote requests, commits and full logs.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, drain_and_persist, id};
use quorate_core::{Instant, Machine, NodeId, Output};
use quorate_raft::{Change, Config, Event, Inline, Message, Raft, Record, Role};

/// Polls a node and returns the receivers of the messages of a kind.
fn receivers(raft: &mut Node, what: impl Fn(&Message<'_>) -> bool) -> Vec<NodeId> {
    let mut to = Vec::new();
    while let Some(output) = raft.poll() {
        match output {
            Output::Send(peer, message) if what(&message) => to.push(peer),
            _ => {}
        }
    }
    to
}

const fn is_vote(message: &Message<'_>) -> bool {
    matches!(message, Message::Vote { .. })
}

const fn is_request_vote(message: &Message<'_>) -> bool {
    matches!(message, Message::RequestVote { .. })
}

#[test]
fn campaign_on_a_leader_does_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    let before = cluster.raft(1).status();
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    assert_eq!(cluster.raft(1).status(), before);
}

#[test]
fn campaign_on_a_learner_does_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(100);
    let now = cluster.now;
    let before = cluster.raft(3).clone();
    assert!(before.status().membership.is_learner());
    cluster.raft(3).campaign(now);
    assert_eq!(cluster.raft(3).status(), before.status());
    assert_eq!(cluster.raft(3).status().leader, Some(id(1)));
}

#[test]
fn vote_request_in_the_current_term_does_not_change_the_leader() {
    // without leader stickiness, so that the request is handled
    let mut cluster = Cluster::with(3, Config { check_quorum: false, ..Config::default() });
    cluster.elect(1);
    cluster.settle();
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let (term, last_index, last_term) = (status.term, status.last, status.term);
    let for_transfer =
        Message::RequestVoteForTransfer { term, last_index, last_term: last_term - 1 };
    let request = Message::RequestVote { pre: false, term, last_index, last_term: last_term - 1 };
    for message in [for_transfer, request] {
        for node in [1, 2] {
            let before = cluster.raft(node).status();
            // a log cannot end in term 0
            let refused = cluster.raft(node).receive(now, id(3), message).is_err();
            assert_eq!(refused, last_term == 1);
            assert_eq!(cluster.raft(node).status().leader, before.leader);
            assert_eq!(cluster.raft(node).status().role, before.role);
        }
    }
}

#[test]
fn vote_request_in_the_current_term_is_answered_without_effect() {
    let mut cluster = Cluster::with(3, Config { check_quorum: false, ..Config::default() });
    cluster.elect(1);
    cluster.settle();
    cluster.elect(2);
    cluster.settle();
    let (now, status) = (cluster.now, cluster.raft(2).status());
    assert!(status.term > 1);
    let (term, last_index, last_term) = (status.term, status.last + 9, status.term - 1);
    for message in [
        Message::RequestVoteForTransfer { term, last_index, last_term },
        Message::RequestVote { pre: false, term, last_index, last_term },
    ] {
        for node in [1, 2] {
            let before = cluster.raft(node).status();
            cluster.raft(node).receive(now, id(3), message).unwrap();
            assert_eq!(cluster.raft(node).status(), before, "{message:?}");
            assert_eq!(receivers(&mut cluster.raft(node).clone(), is_vote), [id(3)]);
        }
    }
}

#[test]
fn leader_stickiness_lasts_the_minimum_election_timeout() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    let heard = cluster.now;
    let status = cluster.raft(2).status();
    let message = Message::RequestVote {
        pre: true,
        term: status.term + 1,
        last_index: status.last,
        last_term: status.term,
    };
    let answers = |later_us| {
        let mut raft = cluster.hosts[1].raft.clone();
        raft.receive(heard.after(later_us), id(3), message).unwrap();
        receivers(&mut raft, is_vote).len()
    };
    let least = cluster.config.election_min_us;
    assert_eq!((answers(0), answers(least - 1), answers(least)), (0, 0, 1));
}

#[test]
fn vote_requests_are_resent_only_to_nodes_that_did_not_answer() {
    let ids = [1, 2, 3, 4, 5].map(id);
    let config = Config { pre_vote: false, ..Config::default() };
    let heartbeat_us = config.heartbeat_us;
    let mut raft = Node::new(id(1), &ids, config, 1).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    drain_and_persist(&mut raft);
    raft.campaign(now);
    let Some(Output::Persist(ticket, _)) = raft.poll() else { panic!("no vote was written") };
    raft.persisted(ticket);
    assert_eq!(receivers(&mut raft, is_request_vote), ids[1..]);
    raft.receive(now, id(2), Message::Vote { pre: false, term: 1, granted: true }).unwrap();
    raft.receive(now, id(4), Message::Vote { pre: false, term: 1, granted: false }).unwrap();
    assert!(receivers(&mut raft, is_request_vote).is_empty());
    raft.tick(now.after(heartbeat_us));
    assert_eq!(receivers(&mut raft, is_request_vote), [id(3), id(5)]);
    assert_eq!(raft.status().role, Role::Candidate);
}

#[test]
fn joint_consensus_is_left_once_its_entry_is_committed() {
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.settle();
    cluster.raft(1).change(&[Change::Remove(id(4)), Change::Remove(id(5))]).unwrap();
    cluster.drain(1);
    // two of five have the entry: a majority of the new three, and not of the old five
    cluster.run_if(100, |envelope| envelope.to <= 2 && envelope.from <= 2);
    let status = cluster.raft(1).status();
    assert_eq!(status.role, Role::Leader);
    assert!(status.config > status.commit && cluster.raft(1).members().is_joint());
    cluster.run(200);
    assert!(!cluster.raft(1).members().is_joint());
    assert_eq!(cluster.raft(1).members().len(), 3);
}

#[test]
fn acknowledgement_of_an_earlier_term_commits_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    let term = cluster.raft(1).status().term;
    // node 1 is elected again
    cluster.elect(2);
    cluster.settle();
    cluster.elect(1);
    cluster.settle();
    let now = cluster.now;
    cluster.propose(1, "x");
    let before = cluster.raft(1).status();
    assert!(before.last > before.commit);
    let late = Message::AppendAccepted { term, round: 0, match_index: before.last };
    assert_eq!(cluster.raft(1).receive(now, id(2), late), Ok(()));
    assert_eq!(cluster.raft(1).status(), before);
}

#[test]
fn append_to_a_full_log_is_not_answered() {
    type Small = Raft<Inline<3, 512, 8, 32>>;
    let config = Config { max_log_bytes: 512, max_entry_bytes: 64, ..Config::default() };
    let mut raft = Small::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    // an entry of term 1 with one byte
    let entry = [1, 1 << 2, b'x'];
    let mut deliver = |prev_index: u64, count: usize| {
        let message = Message::Append {
            term: 1,
            prev_index,
            prev_term: prev_index.min(1),
            commit: 0,
            round: 1,
            entries: &entry.repeat(count),
        };
        raft.receive(now, id(2), message).unwrap();
        let (mut accepted, mut full) = (Vec::new(), false);
        loop {
            let mut last = None;
            while let Some(output) = raft.poll() {
                match output {
                    Output::Persist(ticket, _) => last = Some(ticket),
                    Output::Send(_, Message::AppendAccepted { match_index, .. }) => {
                        accepted.push(match_index);
                    }
                    Output::Event(Event::LogFull) => full = true,
                    _ => {}
                }
            }
            match last {
                Some(ticket) => raft.persisted(ticket),
                None => return (accepted, full),
            }
        }
    };
    // the entries that fit are accepted and acknowledged
    assert_eq!(deliver(0, 9), (vec![8], false));
    // no entry fits: an answer would make the leader resend at once
    assert_eq!(deliver(8, 1), (vec![], true));
    // a heartbeat is answered
    assert_eq!(deliver(8, 0), (vec![8], false));
    // a message whose entries do not fit is not refused: its term, its round and what it commits count
    assert_eq!(raft.rejections(), quorate_core::Rejections::default());
}

#[test]
fn elected_node_without_room_for_an_entry_stays_follower() {
    type Small = Raft<Inline<3, 512, 8, 32>>;
    let config = Config { max_log_bytes: 512, max_entry_bytes: 64, ..Config::default() };
    let mut raft = Small::new(id(1), &[id(1)], config, 1).unwrap();
    let entries = [1, 1 << 2, b'x'].repeat(8);
    raft.restore(Record::Vote { term: 1, vote: None }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 0, entries: &entries }).unwrap();
    raft.tick(Instant::ZERO);
    drain_and_persist(&mut raft);
    raft.campaign(Instant::ZERO);
    let Some(Output::Persist(ticket, _)) = raft.poll() else { panic!("no vote was written") };
    raft.persisted(ticket);
    assert_eq!(raft.status().role, Role::Follower);
    let full =
        core::iter::from_fn(|| raft.poll().map(|o| matches!(o, Output::Event(Event::LogFull))));
    assert!(full.collect::<Vec<_>>().contains(&true));
}

#[test]
fn commit_before_the_joint_entry_does_not_leave_joint_consensus() {
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.settle();
    let now = cluster.now;
    let raft = cluster.raft(1);
    let before = raft.propose(b"x").unwrap();
    raft.change(&[Change::Remove(id(4)), Change::Remove(id(5))]).unwrap();
    cluster.drain(1);
    let raft = cluster.raft(1);
    for node in [2, 3] {
        let (term, match_index) = (before.term, before.index);
        raft.receive(now, id(node), Message::AppendAccepted { term, round: 0, match_index })
            .unwrap();
    }
    let status = raft.status();
    assert_eq!((status.commit, status.config, status.last), (2, 3, 3));
    assert!(raft.members().is_joint());
}
