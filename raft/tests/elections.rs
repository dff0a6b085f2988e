//! Elections, pre-vote, check-quorum, priorities, and the durability of votes (Raft thesis, 3.4, 3.8, 4.2.3, 6.2, 9.6).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use crate::common::{Cluster, Envelope, Node, encode, id};
use quorate_core::{Corrupt, Drift, Machine, Output, Rejected};
use quorate_raft::{Config, ConfigError, Event, Message, Record, Role};

fn vote_request(term: u64, last: (u64, u64)) -> Message<'static> {
    Message::RequestVote { pre: false, term, last_index: last.0, last_term: last.1 }
}

#[test]
fn three_nodes_elect_one_leader_and_keep_it() {
    let mut cluster = Cluster::new(3);
    cluster.run(1000);
    let leader = cluster.leader().unwrap();
    let term = cluster.raft(leader).status().term;
    cluster.run(5000);
    for node in 1..=3 {
        let status = cluster.raft(node).status();
        assert_eq!((status.leader, status.term), (Some(id(leader)), term));
    }
}

#[test]
fn single_node_elects_itself() {
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    cluster.propose(1, "x");
    assert_eq!(cluster.commands(1), ["x"]);
    assert_eq!(cluster.raft(1).deadline(), None);
}

#[test]
fn single_node_is_not_leader_before_its_vote_is_durable() {
    let mut cluster = Cluster::new(1);
    cluster.host(1).fast_disk = false;
    cluster.run(400);
    assert_eq!(cluster.raft(1).status().role, Role::Candidate);
    cluster.sync(1);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn vote_is_sent_after_it_is_durable() {
    let mut cluster = Cluster::new(3);
    cluster.host(2).fast_disk = false;
    let request = encode(&vote_request(1, (0, 0)));
    cluster.deliver(&Envelope { from: 1, to: 2, bytes: request });
    assert!(cluster.net.is_empty(), "{:?}", cluster.net);
    cluster.sync(2);
    let vote = cluster.net.pop_front().unwrap();
    assert_eq!(vote.message(), Message::Vote { pre: false, term: 1, granted: true });
}

#[test]
fn votes_are_requested_after_the_own_vote_is_durable() {
    let mut cluster = Cluster::with(3, Config { pre_vote: false, ..Config::default() });
    cluster.host(1).fast_disk = false;
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    assert!(cluster.net.is_empty());
    cluster.sync(1);
    assert_eq!(cluster.net.len(), 2);
}

#[test]
fn follower_randomizes_its_timeout_in_each_term() {
    let mut cluster = Cluster::new(3);
    let Config { election_min_us: least, election_max_us: most, .. } = Config::default();
    let mut waits = BTreeSet::new();
    for term in 1..=100 {
        let heartbeat = Message::Append {
            term,
            prev_index: 0,
            prev_term: 0,
            commit: 0,
            round: 1,
            entries: &[],
        };
        cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&heartbeat) });
        let now = cluster.now;
        waits.insert(cluster.raft(1).deadline().unwrap().since(now));
    }
    assert!(waits.len() > 90, "{} of 100 terms", waits.len());
    let quarter = (most - least) / 4;
    assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{waits:?}");
    assert!(waits.first().unwrap() < &(least + quarter), "{waits:?}");
    assert!(waits.last().unwrap() > &(most - quarter), "{waits:?}");
}

#[test]
fn later_term_alone_does_not_reset_the_election_timer() {
    // without check-quorum there is no leader stickiness
    let mut cluster = Cluster::with(3, Config { check_quorum: false, ..Config::default() });
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(20);
    let due = cluster.raft(2).deadline().unwrap();
    // the candidate has an empty log and gets no vote
    cluster.now = cluster.now.after(1000);
    let request = encode(&vote_request(5, (0, 0)));
    cluster.deliver(&Envelope { from: 3, to: 2, bytes: request });
    let status = cluster.raft(2).status();
    assert_eq!((status.term, status.role), (5, Role::Follower));
    assert_eq!(cluster.raft(2).deadline(), Some(due));
}

#[test]
fn vote_survives_a_crash() {
    let mut cluster = Cluster::new(3);
    let request = encode(&vote_request(1, (0, 0)));
    cluster.deliver(&Envelope { from: 1, to: 2, bytes: request.clone() });
    cluster.restart(2);
    cluster.net.clear();
    cluster.deliver(&Envelope { from: 3, to: 2, bytes: request });
    let vote = cluster.net.pop_front().unwrap();
    assert_eq!(vote.message(), Message::Vote { pre: false, term: 1, granted: false });
}

#[test]
fn candidate_does_not_vote_for_another_in_its_term() {
    let mut cluster = Cluster::with(3, Config { pre_vote: false, ..Config::default() });
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    cluster.net.clear();
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&vote_request(1, (0, 0))) });
    let vote = cluster.net.pop_front().unwrap();
    assert_eq!(vote.message(), Message::Vote { pre: false, term: 1, granted: false });
}

#[test]
fn duplicated_votes_count_once() {
    let mut cluster = Cluster::with(5, Config { pre_vote: false, ..Config::default() });
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    let granted = encode(&Message::Vote { pre: false, term: 1, granted: true });
    for _ in 0..3 {
        cluster.deliver(&Envelope { from: 2, to: 1, bytes: granted.clone() });
    }
    assert_eq!(cluster.raft(1).status().role, Role::Candidate);
    cluster.deliver(&Envelope { from: 3, to: 1, bytes: granted });
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn votes_of_an_earlier_term_or_of_non_members_do_not_count() {
    let mut cluster = Cluster::with(3, Config { pre_vote: false, ..Config::default() });
    let now = cluster.now;
    for _ in 0..2 {
        cluster.raft(1).campaign(now);
        cluster.drain(1);
    }
    let granted = |term| Message::Vote { pre: false, term, granted: true };
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&granted(1)) });
    assert_eq!(cluster.raft(1).status().role, Role::Candidate);
    let non_member = cluster.raft(1).receive(now, id(9), granted(2));
    assert_eq!(non_member, Err(Rejected::UnknownSender));
    assert_eq!(cluster.raft(1).status().role, Role::Candidate);
    // a vote for a term without a request does not count
    let future = cluster.raft(1).receive(now, id(2), granted(3));
    assert_eq!(future, Err(Rejected::Impossible));
    // a pre-vote does not count
    let pre = Message::Vote { pre: true, term: 2, granted: true };
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&pre) });
    assert_eq!(cluster.raft(1).status().role, Role::Candidate);
}

#[test]
fn rejection_at_a_higher_term_sets_the_term_and_is_not_a_vote() {
    let mut cluster = Cluster::with(3, Config { pre_vote: false, ..Config::default() });
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    let refused = Message::Vote { pre: false, term: 7, granted: false };
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&refused) });
    let status = cluster.raft(1).status();
    assert_eq!((status.role, status.term, status.vote), (Role::Follower, 7, None));
}

#[test]
fn log_with_the_later_last_term_is_more_up_to_date() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    for n in 0..5 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run(60);
    let (last, term) = (cluster.raft(2).status().last, cluster.raft(2).status().term);
    cluster.now = cluster.now.after(10_000_000);
    let cases = [
        ((last, term), true),
        ((last - 1, term), false),
        ((last + 9, term - 1), false),
        ((1, term + 1), true),
    ];
    for (number, (log, granted)) in cases.into_iter().enumerate() {
        let request_term = term + 2 + number as u64;
        let mut copy = cluster.raft(2).clone();
        let log = if log.1 == 0 { (0, 0) } else { log };
        let now = cluster.now;
        copy.receive(now, id(3), vote_request(request_term, log)).unwrap();
        assert_eq!(copy.status().vote == Some(id(3)), granted, "{log:?}");
    }
}

#[test]
fn pre_vote_compares_logs() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(60);
    let (last, term) = (cluster.raft(2).status().last, cluster.raft(2).status().term);
    cluster.now = cluster.now.after(10_000_000);
    let now = cluster.now;
    cluster.net.clear();
    for ((last_index, last_term), request_term, granted) in [
        ((last, term), term + 1, true),
        ((last - 1, term), term + 1, false),
        ((last, term), term, false),
        ((last - 1, term), term, false),
    ] {
        let request = Message::RequestVote { pre: true, term: request_term, last_index, last_term };
        cluster.raft(2).receive(now, id(3), request).unwrap_or_default();
        cluster.drain(2);
        let received = cluster.net.drain(..).any(|e| {
            e.to == 3 && matches!(e.message(), Message::Vote { pre: true, granted: true, .. })
        });
        assert_eq!(received, granted, "{last_index} of {last_term} in {request_term}");
    }
}

#[test]
fn later_term_is_reported_before_it_has_a_leader() {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    let now = quorate_core::Instant::from_millis(1);
    raft.tick(now);
    let mut reported = Vec::new();
    for term in [0, 1, 2] {
        if term > 0 {
            raft.receive(now, id(2), vote_request(term, (0, 0))).unwrap();
        }
        loop {
            let ticket = match raft.poll() {
                Some(Output::Persist(ticket, _)) => ticket,
                Some(Output::Event(Event::Leaderless { term })) => {
                    reported.push(term);
                    continue;
                }
                Some(_) => continue,
                None => break,
            };
            raft.persisted(ticket);
        }
    }
    assert_eq!(reported, [1, 2]);
}

#[test]
fn pre_votes_change_no_durable_state() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    let before = (cluster.raft(2).status(), cluster.host(2).disk.clone());
    let message = Message::RequestVote { pre: true, term: 1, last_index: 0, last_term: 0 };
    cluster.raft(2).receive(now, id(1), message).unwrap();
    cluster.drain(2);
    let after = cluster.raft(2).status();
    assert_eq!((before.0.term, before.0.vote), (after.term, after.vote));
    assert_eq!(cluster.host(2).disk, before.1);
    let answer = cluster.net.pop_front().unwrap();
    assert_eq!(answer.message(), Message::Vote { pre: true, term: 1, granted: true });
}

#[test]
fn pre_vote_sent_after_the_term_began_is_a_rejection() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    let request = Message::RequestVote { pre: true, term: 1, last_index: 0, last_term: 0 };
    cluster.raft(2).receive(now, id(1), request).unwrap();
    // node 3 requests a vote before the pre-vote is answered
    cluster.raft(2).receive(now, id(3), vote_request(1, (0, 0))).unwrap();
    cluster.drain(2);
    let answers: Vec<_> = cluster.net.iter().map(|e| (e.to, e.message())).collect();
    let vote = |pre, granted| Message::Vote { pre, term: 1, granted };
    assert!(answers.contains(&(1, vote(true, false))), "{answers:?}");
    assert!(answers.contains(&(3, vote(false, true))), "{answers:?}");
}

#[test]
fn returning_node_does_not_disrupt_the_leader() {
    let mut cluster = Cluster::new(3);
    cluster.run(1000);
    let leader = cluster.leader().unwrap();
    let term = cluster.raft(leader).status().term;
    let cut = leader % 3 + 1;
    cluster.run_if(5000, |e| e.from != cut && e.to != cut);
    assert_eq!(cluster.raft(cut).status().term, term, "pre-vote does not raise the term");
    cluster.run(1000);
    assert_eq!(cluster.leader(), Some(leader));
    assert_eq!(cluster.raft(leader).status().term, term);
}

#[test]
fn follower_of_an_active_leader_does_not_vote() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let status = cluster.raft(2).status();
    let request = vote_request(status.term + 5, (status.last, status.term));
    cluster.deliver(&Envelope { from: 3, to: 2, bytes: encode(&request) });
    cluster.deliver(&Envelope { from: 3, to: 1, bytes: encode(&request) });
    assert_eq!(cluster.raft(2).status().term, status.term);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn vote_request_in_an_old_term_is_answered_with_the_new_term() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.elect(2);
    cluster.run(60);
    cluster.net.clear();
    let term = cluster.raft(1).status().term;
    let message = Message::RequestVote { pre: true, term: term - 1, last_index: 0, last_term: 0 };
    cluster.deliver(&Envelope { from: 3, to: 1, bytes: encode(&message) });
    let answer = cluster.net.pop_front().unwrap();
    assert_eq!(answer.message(), Message::Vote { pre: true, term, granted: false });
}

#[test]
fn long_log_in_an_old_term_and_short_log_in_a_new_term_elect_a_leader() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "long");
    cluster.settle_if(|e| e.from != 3 && e.to != 3);
    // node 3 has the short log, and moves to a later term
    cluster.host(1).up = false;
    cluster.deliver(&Envelope { from: 2, to: 3, bytes: encode(&vote_request(40, (0, 0))) });
    cluster.host(1).up = true;
    cluster.host(2).up = false;
    cluster.run(3000);
    assert_eq!(cluster.leader(), Some(1));
}

#[test]
fn leader_without_a_majority_steps_down() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.run_if(1000, |_| false);
    assert_ne!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn restarted_leader_is_a_follower_of_the_same_term() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(60);
    let before = cluster.raft(1).status();
    cluster.restart(1);
    let after = cluster.raft(1).status();
    assert_eq!((after.role, after.term, after.vote), (Role::Follower, before.term, before.vote));
    assert_eq!(after.last, before.last);
    assert!(
        after.commit < before.commit,
        "the commit index comes from the last record before the commit"
    );
    cluster.run(2000);
    assert_eq!(cluster.commands(1), ["x"]);
}

#[test]
fn second_leader_in_a_term_is_rejected() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let (now, status) = (cluster.now, cluster.raft(2).status());
    let message = Message::Append {
        term: status.term,
        prev_index: status.last,
        prev_term: status.term,
        commit: 0,
        round: 0,
        entries: &[],
    };
    assert_eq!(cluster.raft(2).receive(now, id(3), message), Err(Rejected::Impossible));
    assert_eq!(cluster.raft(1).receive(now, id(3), message), Err(Rejected::Impossible));
}

#[test]
fn inconsistent_records_are_refused() {
    let mut node = Node::new(id(1), &[id(1)], Config::default(), 1).unwrap();
    node.restore(Record::Vote { term: 3, vote: Some(id(1)) }).unwrap();
    let refuse = |node: &mut Node, record, why| {
        let before = node.clone();
        assert_eq!(node.restore(record), Err(why), "{record:?}");
        assert!(*node == before);
    };
    refuse(&mut node, Record::Vote { term: 2, vote: None }, Corrupt::Regression);
    refuse(&mut node, Record::Vote { term: 3, vote: Some(id(2)) }, Corrupt::Regression);
    refuse(&mut node, Record::Append { first: 2, commit: 0, entries: &[1, 0] }, Corrupt::Gap);
    refuse(&mut node, Record::Append { first: 1, commit: 0, entries: &[4, 0] }, Corrupt::Malformed);
    refuse(&mut node, Record::Append { first: 1, commit: 0, entries: &[3, 4] }, Corrupt::Malformed);
    refuse(&mut node, Record::Append { first: 0, commit: 0, entries: &[3, 0] }, Corrupt::Malformed);
    node.restore(Record::Append { first: 1, commit: 0, entries: &[3, 0] }).unwrap();
    let snapshot =
        |index, compacted| Record::Snapshot { index, index_term: 3, compacted, compacted_term: 3 };
    node.restore(snapshot(1, 1)).unwrap();
    refuse(&mut node, snapshot(1, 2), Corrupt::Malformed);
    node.tick(quorate_core::Instant::ZERO);
    assert_eq!(node.restore(snapshot(1, 1)), Err(Corrupt::Started));
}

#[test]
fn missing_entries_below_the_snapshot_stop_the_node() {
    let mut node = Node::new(id(1), &[id(1)], Config::default(), 1).unwrap();
    node.restore(Record::Vote { term: 1, vote: None }).unwrap();
    let record = Record::Snapshot { index: 5, index_term: 1, compacted: 2, compacted_term: 1 };
    node.restore(record).unwrap();
    node.tick(quorate_core::Instant::ZERO);
    assert_eq!(node.fatal(), Some(quorate_core::Fatal::LostState));
    assert_eq!(node.deadline(), None);
    let now = quorate_core::Instant::from_millis(900);
    assert_eq!(node.receive(now, id(1), vote_request(2, (0, 0))), Err(Rejected::Stopped));
}

#[test]
fn invalid_configurations_are_refused() {
    let new = |voters: &[u64], config: Config| {
        let voters: Vec<_> = voters.iter().map(|&v| id(v)).collect();
        Node::new(id(1), &voters, config, 1).err()
    };
    let default = Config::default;
    assert_eq!(new(&[1, 2, 3], default()), None);
    assert_eq!(new(&[2, 3], default()), Some(ConfigError::NotAVoter));
    assert_eq!(new(&[1, 2, 2], default()), Some(ConfigError::DuplicateVoter(id(2))));
    assert_eq!(new(&[1, 2, 3, 4, 5, 6, 7, 8], default()), Some(ConfigError::TooManyMembers));
    let slow = Config { heartbeat_us: 80_000, ..default() };
    assert_eq!(new(&[1], slow), Some(ConfigError::ElectionTimeout));
    let tight = Config { election_max_us: 150_000, ..default() };
    assert_eq!(new(&[1], tight), Some(ConfigError::ElectionSpread));
    let zero = Config { max_append_bytes: 0, ..default() };
    assert_eq!(new(&[1], zero), Some(ConfigError::Limits));
}

#[test]
fn candidate_answers_an_old_leader_with_its_term_and_no_match_index() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(60);
    let status = cluster.raft(2).status();
    let late = Message::Append {
        term: status.term,
        prev_index: status.last,
        prev_term: status.term,
        commit: status.commit,
        round: 1,
        entries: &[],
    };
    cluster.now = cluster.now.after(10_000_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(|e| {
        matches!(
            e.message(),
            Message::Vote { pre: true, .. } | Message::RequestVote { pre: true, .. }
        )
    });
    assert_eq!(cluster.raft(2).status().role, Role::Candidate);
    cluster.net.clear();
    // the old leader may lead the new term by now, and would take the answer for one of that term
    cluster.deliver(&Envelope { from: 1, to: 2, bytes: encode(&late) });
    let answer = cluster.net.pop_front().unwrap();
    let expected = Message::AppendAccepted { term: status.term + 1, round: 0, match_index: 0 };
    assert_eq!(answer.message(), expected);
}

#[test]
fn leader_with_a_full_disk_can_step_down() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.host(1).fast_disk = false;
    cluster.propose(1, "stuck here");
    cluster.settle();
    cluster.raft(1).step_down();
    cluster.drain(1);
    assert_eq!(cluster.raft(1).status().role, Role::Follower);
    cluster.run(3000);
    let leader = cluster.leader().unwrap();
    assert_ne!(leader, 1, "a node that cannot write its vote is not elected");
    assert_eq!(cluster.commands(leader), ["stuck here"]);
}

#[test]
fn forget_leader_allows_voting_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let others = |e: &Envelope| e.from != 1 && e.to != 1;
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(others);
    assert_ne!(
        cluster.raft(2).status().role,
        Role::Leader,
        "node 3 does not vote while the leader is active"
    );
    cluster.raft(3).forget_leader();
    assert_eq!(cluster.raft(3).status().leader, None);
    cluster.drain(3);
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(others);
    assert_eq!(cluster.raft(2).status().role, Role::Leader);
}

#[test]
fn forget_leader_does_nothing_with_leases() {
    let config = Config {
        lease_drift: Drift::from_ppm(100),
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(60);
    cluster.raft(3).forget_leader();
    assert_eq!(cluster.raft(3).status().leader, Some(id(1)));
}

#[test]
fn lower_priority_node_waits_for_the_higher_priorities() {
    let ids = [1, 2, 3].map(id);
    for seed in 0..50 {
        let config = Config { priority: 2, ..Config::default() };
        let mut late = Node::new(ids[0], &ids, config, seed).unwrap();
        late.tick(quorate_core::Instant::ZERO);
        let deadline = late.deadline().unwrap().as_micros();
        assert!((450_000..=600_000).contains(&deadline), "{deadline}");
    }
    let config = Config { priority: 16, ..Config::default() };
    assert_eq!(config.validate(), Err(ConfigError::Limits));
}
