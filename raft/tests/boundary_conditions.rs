//! The edges of who may ask, who is asked, and until when.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Cluster, Node, finish_start, id};
use quorate_core::{Instant, NodeId, Output};
use quorate_raft::{Change, Config, Event, Inline, Message, Raft, Record, Role};

/// Whom a node says something of a kind to until it is quiet.
fn told(raft: &mut Node, what: impl Fn(&Message<'_>) -> bool) -> Vec<NodeId> {
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

const fn asks(message: &Message<'_>) -> bool {
    matches!(message, Message::RequestVote { .. })
}

#[test]
fn a_leader_that_is_told_to_campaign_leads_on() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    let before = cluster.raft(1).status();
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    assert_eq!(cluster.raft(1).status(), before);
}

#[test]
fn a_learner_that_is_told_to_campaign_follows_on() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(100);
    let now = cluster.now;
    let before = cluster.raft(3).clone();
    assert!(before.status().standing.learns());
    cluster.raft(3).campaign(now);
    assert_eq!(cluster.raft(3).status(), before.status());
    assert_eq!(cluster.raft(3).status().leader, Some(id(1)));
}

#[test]
fn a_request_in_the_term_there_is_changes_nothing_of_who_leads() {
    // nobody is protected, so that the request is judged
    let mut cluster = Cluster::with(3, Config { check_quorum: false, ..Config::default() });
    cluster.elect(1);
    cluster.settle();
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let (term, last_index, last_term) = (status.term, status.last, status.term);
    let take_over = Message::TakeOver { term, last_index, last_term: last_term - 1 };
    let ask = Message::RequestVote { pre: false, term, last_index, last_term: last_term - 1 };
    for message in [take_over, ask] {
        for node in [1, 2] {
            let before = cluster.raft(node).status();
            // a log that ends in no term is none
            let refused = cluster.raft(node).receive(now, id(3), message).is_err();
            assert_eq!(refused, last_term == 1);
            assert_eq!(cluster.raft(node).status().leader, before.leader);
            assert_eq!(cluster.raft(node).status().role, before.role);
        }
    }
}

#[test]
fn a_request_in_a_later_term_than_the_first_changes_nothing_either() {
    let mut cluster = Cluster::with(3, Config { check_quorum: false, ..Config::default() });
    cluster.elect(1);
    cluster.settle();
    cluster.elect(2);
    cluster.settle();
    let (now, status) = (cluster.now, cluster.raft(2).status());
    assert!(status.term > 1);
    let (term, last_index, last_term) = (status.term, status.last + 9, status.term - 1);
    for message in [
        Message::TakeOver { term, last_index, last_term },
        Message::RequestVote { pre: false, term, last_index, last_term },
    ] {
        for node in [1, 2] {
            let before = cluster.raft(node).status();
            cluster.raft(node).receive(now, id(3), message).unwrap();
            assert_eq!(cluster.raft(node).status(), before, "{message:?}");
            assert_eq!(told(&mut cluster.raft(node).clone(), is_vote), [id(3)]);
        }
    }
}

#[test]
fn a_leader_is_protected_for_the_shortest_election_timeout_and_not_longer() {
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
        told(&mut raft, is_vote).len()
    };
    let least = cluster.config.election_min_us;
    assert_eq!((answers(0), answers(least - 1), answers(least)), (0, 0, 1));
}

#[test]
fn who_has_answered_is_not_asked_again() {
    let ids = [1, 2, 3, 4, 5].map(id);
    let config = Config { pre_vote: false, ..Config::default() };
    let heartbeat_us = config.heartbeat_us;
    let mut raft = Node::new(id(1), &ids, config, 1).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    finish_start(&mut raft);
    raft.campaign(now);
    let Some(Output::Persist(ticket, _)) = raft.poll() else { panic!("no vote is written") };
    raft.persisted(ticket);
    assert_eq!(told(&mut raft, asks), ids[1..]);
    raft.receive(now, id(2), Message::Vote { pre: false, term: 1, granted: true }).unwrap();
    raft.receive(now, id(4), Message::Vote { pre: false, term: 1, granted: false }).unwrap();
    assert!(told(&mut raft, asks).is_empty());
    raft.tick(now.after(heartbeat_us));
    assert_eq!(told(&mut raft, asks), [id(3), id(5)]);
    assert_eq!(raft.status().role, Role::Candidate);
}

#[test]
fn two_configurations_are_left_when_their_entry_is_committed_and_not_before() {
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.settle();
    cluster.raft(1).change(&[Change::Remove(id(4)), Change::Remove(id(5))]).unwrap();
    cluster.drain(1);
    // two of five have it: a majority of the new three alone
    cluster.run_if(100, |envelope| envelope.to <= 2 && envelope.from <= 2);
    let status = cluster.raft(1).status();
    assert_eq!(status.role, Role::Leader);
    assert!(status.config > status.commit && cluster.raft(1).members().is_joint());
    cluster.run(200);
    assert!(!cluster.raft(1).members().is_joint());
    assert_eq!(cluster.raft(1).members().len(), 3);
}

#[test]
fn what_was_acknowledged_in_an_earlier_term_commits_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    let term = cluster.raft(1).status().term;
    // it leads again
    cluster.elect(2);
    cluster.settle();
    cluster.elect(1);
    cluster.settle();
    let now = cluster.now;
    cluster.propose(1, "x");
    let before = cluster.raft(1).status();
    assert!(before.last > before.commit);
    let late = Message::Accept { term, round: 0, match_index: before.last };
    assert_eq!(cluster.raft(1).receive(now, id(2), late), Ok(()));
    assert_eq!(cluster.raft(1).status(), before);
}

#[test]
fn a_log_without_room_is_not_acknowledged_and_asks_for_nothing() {
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
                    Output::Send(_, Message::Accept { match_index, .. }) => {
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
    // what fits of a run is taken and acknowledged
    assert_eq!(deliver(0, 9), (vec![8], false));
    // of this nothing does: an answer would bring it back at once
    assert_eq!(deliver(8, 1), (vec![], true));
    // a heartbeat is answered
    assert_eq!(deliver(8, 0), (vec![8], false));
}

#[test]
fn who_is_elected_and_has_no_room_for_an_entry_follows() {
    type Small = Raft<Inline<3, 512, 8, 32>>;
    let config = Config { max_log_bytes: 512, max_entry_bytes: 64, ..Config::default() };
    let mut raft = Small::new(id(1), &[id(1)], config, 1).unwrap();
    let entries = [1, 1 << 2, b'x'].repeat(8);
    raft.restore(Record::Vote { term: 1, vote: None }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 0, entries: &entries }).unwrap();
    raft.tick(Instant::ZERO);
    finish_start(&mut raft);
    raft.campaign(Instant::ZERO);
    let Some(Output::Persist(ticket, _)) = raft.poll() else { panic!("no vote is written") };
    raft.persisted(ticket);
    assert_eq!(raft.status().role, Role::Follower);
    let full =
        core::iter::from_fn(|| raft.poll().map(|o| matches!(o, Output::Event(Event::LogFull))));
    assert!(full.collect::<Vec<_>>().contains(&true));
}

#[test]
fn two_configurations_are_not_left_when_something_before_them_is_committed() {
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
        raft.receive(now, id(node), Message::Accept { term, round: 0, match_index }).unwrap();
    }
    let status = raft.status();
    assert_eq!((status.commit, status.config, status.last), (2, 3, 3));
    assert!(raft.members().is_joint());
}
