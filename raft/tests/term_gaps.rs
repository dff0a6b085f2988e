//! Terms that are far apart: only members can cause a gap, and members close it.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, encode, id};
use quorate_core::{Instant, Machine, Output, Rejected};
use quorate_raft::{Change, Config, Event, Message, Record, Role};

const JUMP: u64 = 1 << 32;
const LIMIT: u64 = 1 << 62;

/// Node 1 leads, and all nodes have one command.
fn led_by_1(nodes: u64) -> Cluster {
    let mut cluster = Cluster::new(nodes);
    cluster.elect(1);
    cluster.propose(1, "before");
    cluster.run(200);
    cluster
}

/// Sends a node `count` vote requests of a member, each with the greatest accepted term jump.
fn raise_term(cluster: &mut Cluster, node: u64, from: u64, count: u64) {
    let term = cluster.raft(node).status().term;
    for step in 1..=count {
        let status = cluster.raft(node).status();
        let message = Message::RequestVoteForTransfer {
            term: term + step * JUMP,
            last_index: status.last,
            last_term: term,
        };
        let now = cluster.now;
        cluster.raft(node).receive(now, id(from), message).unwrap();
        cluster.drain(node);
    }
    assert_eq!(cluster.raft(node).status().term, term + count * JUMP);
    cluster.net.clear();
}

/// Waits until all nodes follow one leader and apply a new command. Returns how many of the longest election timeouts that took.
fn wait_until_healed(cluster: &mut Cluster, timeouts: u64) -> u64 {
    for timeout in 0..timeouts {
        cluster.run(300);
        let Some(leader) = cluster.leader() else { continue };
        let status = cluster.raft(leader).status();
        let nodes = cluster.hosts.len() as u64;
        let follows = |cluster: &mut Cluster, node| {
            let other = cluster.raft(node).status();
            (other.term, other.leader) == (status.term, Some(id(leader)))
        };
        if !(1..=nodes).all(|node| follows(cluster, node)) {
            continue;
        }
        let command = format!("after {timeout}");
        if cluster.raft(leader).propose(command.as_bytes()).is_ok() {
            cluster.drain(leader);
            cluster.run(100);
            let has = |cluster: &mut Cluster, n| cluster.commands(n).last() == Some(&command);
            if (1..=nodes).all(|node| has(cluster, node)) {
                return timeout;
            }
        }
    }
    let all: Vec<_> = cluster.hosts.iter().map(|host| host.raft.status()).collect();
    panic!("the cluster does not recover: {all:#?}");
}

/// Each of nine steps takes an election and a timeout before the next step; some more for the last
/// elections.
const NINE_STEPS: u64 = 2 * 9 + 6;

#[test]
fn term_gap_between_followers_is_closed_in_steps() {
    for nodes in [3, 5] {
        for pre_vote in [true, false] {
            let config = Config { pre_vote, max_snapshot_chunk_bytes: 64, ..Config::default() };
            let mut cluster = Cluster::with(nodes, config);
            cluster.elect(1);
            cluster.propose(1, "before");
            cluster.run(200);
            raise_term(&mut cluster, 2, 3, 3);
            raise_term(&mut cluster, 3, 2, 9);
            let took = wait_until_healed(&mut cluster, NINE_STEPS);
            eprintln!("{nodes} nodes, pre-vote {pre_vote}: {took} timeouts");
        }
    }
}

#[test]
fn term_gap_is_closed_after_all_nodes_restart() {
    let mut cluster = led_by_1(3);
    raise_term(&mut cluster, 2, 3, 3);
    raise_term(&mut cluster, 3, 2, 9);
    for node in 1..=3 {
        cluster.restart(node);
    }
    wait_until_healed(&mut cluster, NINE_STEPS);
}

#[test]
fn term_gap_to_a_joining_node_is_closed() {
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    // the cluster closed a gap before, so its term is high
    let far = Record::Vote { term: 3 * JUMP, vote: None };
    cluster.host(1).disk.push(encode(&far));
    cluster.restart(1);
    cluster.run(400);
    assert!(cluster.raft(1).status().term > 3 * JUMP);
    cluster.join(2);
    cluster.raft(1).change(&[Change::Add(id(2))]).unwrap();
    cluster.drain(1);
    cluster.run(8 * 300);
    let (leader, learner) = (cluster.raft(1).status(), cluster.raft(2).status());
    assert_eq!((learner.term, learner.commit), (leader.term, leader.last));
    // the leader was not disrupted by the steps
    assert!(leader.role == Role::Leader && leader.term < 3 * JUMP + 10);
}

#[test]
fn witness_follows_a_term_gap() {
    let mut cluster = led_by_1(1);
    cluster.join(2);
    cluster.join(3);
    for change in [
        Change::Add(id(2)),
        Change::AddWitness(id(3)),
        Change::Promote(id(2)),
        Change::Promote(id(3)),
    ] {
        cluster.raft(1).change(&[change]).unwrap();
        cluster.drain(1);
        cluster.run(300);
    }
    raise_term(&mut cluster, 2, 1, 3);
    cluster.host(1).up = false;
    cluster.run(12 * 300);
    assert_eq!(cluster.raft(2).status().role, Role::Leader, "{:?}", cluster.raft(3).status());
}

#[test]
fn one_message_causes_one_step_and_the_next_step_waits() {
    let mut cluster = led_by_1(3);
    let term = cluster.raft(1).status().term;
    let now = cluster.now;
    let far = Message::AppendAccepted { term: term + 40 * JUMP, round: 0, match_index: 0 };
    let raft = cluster.raft(1);
    assert_eq!(raft.receive(now, id(2), far), Ok(()));
    assert_eq!((raft.status().term, raft.status().role), (term + JUMP, Role::Follower));
    for later in [0, 299_999] {
        assert_eq!(raft.receive(now.after(later), id(2), far), Err(Rejected::OutOfRange));
        assert_eq!(raft.status().term, term + JUMP);
    }
    assert_eq!(raft.receive(now.after(300_000), id(2), far), Ok(()));
    assert_eq!(raft.status().term, term + 2 * JUMP);
    // an impossible term causes no step
    let none = Message::AppendAccepted { term: LIMIT, round: 0, match_index: 0 };
    assert_eq!(raft.receive(now.after(900_000), id(2), none), Err(Rejected::OutOfRange));
    assert_eq!(raft.status().term, term + 2 * JUMP);
}

#[test]
fn follower_of_an_active_leader_ignores_a_far_term() {
    let mut cluster = led_by_1(3);
    let (now, status) = (cluster.now, cluster.raft(2).status());
    for pre in [true, false] {
        let term = status.term + 2 * JUMP;
        let (last_index, last_term) = (status.last, status.term);
        let message = Message::RequestVote { pre, term, last_index, last_term };
        assert_eq!(cluster.raft(2).receive(now, id(3), message), Err(Rejected::OutOfRange));
        assert_eq!(cluster.raft(2).status().term, status.term);
    }
}

/// The leader continues, and reports the node to its application.
#[test]
fn leader_with_a_majority_ignores_and_reports_a_node_with_a_far_term() {
    let mut cluster = led_by_1(3);
    let term = cluster.raft(1).status().term;
    raise_term(&mut cluster, 3, 2, 100);
    cluster.run(2_000);
    let status = cluster.raft(1).status();
    assert_eq!((status.role, status.term), (Role::Leader, term));
    assert_eq!(status.refusing, Some((id(3), Rejected::OutOfRange)));
    assert_eq!(cluster.host(1).refusing, [(3, Rejected::OutOfRange)]);
    cluster.propose(1, "after");
    cluster.run(100);
    assert_eq!(cluster.commands(2), ["before", "after"]);
    // removing the node ends the report
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(1_000);
    assert_eq!(cluster.raft(1).status().refusing, None);
}

#[test]
fn follower_reports_that_it_keeps_rejecting_its_leader() {
    let mut cluster = led_by_1(3);
    let status = cluster.raft(2).status();
    // the append conflicts with a committed entry: one of the logs is damaged
    let wrong = Message::Append {
        term: status.term + 1,
        prev_index: status.commit,
        prev_term: status.term + 1,
        commit: 0,
        round: 1,
        entries: &[],
    };
    let (mut now, mut reported) = (cluster.now, Vec::new());
    let raft = cluster.raft(2);
    for _ in 0..100 {
        now = now.after(20_000);
        raft.tick(now);
        assert_eq!(raft.receive(now, id(1), wrong), Err(Rejected::Impossible));
        let mut last = None;
        while let Some(output) = raft.poll() {
            match output {
                Output::Persist(ticket, _) => last = Some(ticket),
                Output::Event(Event::Refusing { peer, reason }) => reported.push((peer, reason)),
                _ => {}
            }
        }
        if let Some(ticket) = last {
            raft.persisted(ticket);
        }
        if raft.status().term > status.term {
            break;
        }
    }
    assert_eq!(raft.status().refusing, Some((id(1), Rejected::Impossible)));
    assert_eq!(reported, [(id(1), Rejected::Impossible)], "once");
    // a valid append is accepted again
    let fine = Message::Append {
        term: status.term + 1,
        prev_index: status.commit,
        prev_term: status.term,
        commit: 0,
        round: 1,
        entries: &[],
    };
    assert_eq!(raft.receive(now, id(1), fine), Ok(()));
    assert_eq!(raft.status().refusing, None);
}

#[test]
fn non_voter_cannot_request_a_vote_for_transfer() {
    let mut cluster = led_by_1(3);
    cluster.join(4);
    cluster.join(5);
    cluster.raft(1).change(&[Change::Add(id(4))]).unwrap();
    cluster.drain(1);
    cluster.run(200);
    cluster.raft(1).change(&[Change::AddWitness(id(5))]).unwrap();
    cluster.drain(1);
    cluster.run(200);
    cluster.raft(1).change(&[Change::Promote(id(5))]).unwrap();
    cluster.drain(1);
    cluster.run(200);
    let status = cluster.raft(2).status();
    // a learner, a voting witness, and a non-member
    for from in [4, 5, 9] {
        for ahead in [1, JUMP] {
            let message = Message::RequestVoteForTransfer {
                term: status.term + ahead,
                last_index: status.last + 10,
                last_term: status.term,
            };
            let now = cluster.now;
            let refused = cluster.raft(2).receive(now, id(from), message);
            assert_eq!(refused, Err(Rejected::UnknownSender), "{from}");
        }
    }
    let after = cluster.raft(2).status();
    assert_eq!((after.term, after.leader), (status.term, Some(id(1))));
}

#[test]
fn non_member_raises_the_term_by_a_bounded_amount() {
    let entries = Record::Vote { term: 3, vote: None };
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    raft.restore(entries).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    let messages = |term| {
        let end = Message::Snapshot {
            term,
            round: 1,
            index: 9,
            index_term: 1,
            offset: 0,
            done: false,
            data: &[1],
        };
        let append = Message::Append {
            term,
            prev_index: 0,
            prev_term: 0,
            commit: 0,
            round: 1,
            entries: &[],
        };
        let request = Message::RequestVote { pre: false, term, last_index: 9, last_term: 3 };
        [end, append, request]
    };
    for message in messages(3 + (1 << 16) + 1) {
        let mut raft = raft.clone();
        assert_eq!(raft.receive(now, id(9), message), Err(Rejected::OutOfRange), "{message:?}");
        assert_eq!(raft.status().term, 3);
    }
    for message in messages(3 + (1 << 16)) {
        let mut raft = raft.clone();
        assert_eq!(raft.receive(now, id(9), message), Ok(()), "{message:?}");
        assert_eq!(raft.status().term, 3 + (1 << 16));
    }
    // repeated messages do not raise it further without time passing; rejected messages do not count
    let mut flooded = raft.clone();
    let malformed = Message::Append {
        term: 3 + (1 << 16),
        prev_index: 0,
        prev_term: 1,
        commit: 0,
        round: 1,
        entries: &[],
    };
    assert_eq!(flooded.receive(now, id(9), malformed), Err(Rejected::Malformed));
    let [_, append, _] = messages(3 + (1 << 16));
    flooded.receive(now, id(9), append).unwrap();
    for sender in [9, 10] {
        for message in messages(4 + (1 << 16)) {
            let refused = flooded.receive(now, id(sender), message);
            assert_eq!(refused, Err(Rejected::OutOfRange), "{message:?}");
        }
    }
    assert_eq!(flooded.status().term, 3 + (1 << 16));
    let later = now.after(Config::default().election_max_us);
    let [_, append, _] = messages(4 + (1 << 16));
    assert!(flooded.receive(later, id(9), append).is_err(), "the bound is reset by a tick");
    flooded.tick(later);
    flooded.receive(later, id(9), append).unwrap();
    assert_eq!(flooded.status().term, 4 + (1 << 16));
    // after its vote request, other messages of the non-member are still rejected
    let [.., request] = messages(4);
    raft.receive(now, id(9), request).unwrap();
    let term = raft.status().term;
    for message in [
        Message::AppendAccepted { term: term + 5, round: 0, match_index: 0 },
        Message::Vote { pre: false, term: term + 5, granted: false },
        Message::AppendRejected {
            term: term + 5,
            round: 0,
            prev_index: 1,
            hint_index: 0,
            hint_term: 0,
        },
        Message::TimeoutNow { term: term + 5 },
        Message::Quiesce { term: term + 5, round: 1, index: 0 },
    ] {
        assert_eq!(raft.receive(now, id(9), message), Err(Rejected::UnknownSender), "{message:?}");
    }
    assert_eq!(raft.status().term, term);
}

/// The removed nodes have an older log. A learner without a leader does not adopt their terms.
#[test]
fn removed_nodes_without_pre_vote_do_not_disrupt_the_leader() {
    for check_quorum in [true, false] {
        let config = Config {
            pre_vote: false,
            check_quorum,
            max_snapshot_chunk_bytes: 64,
            ..Config::default()
        };
        let mut cluster = Cluster::with(5, config);
        cluster.elect(1);
        cluster.run(200);
        cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
        cluster.drain(1);
        cluster.run(200);
        // nodes 4 and 5 do not learn of their removal
        let partition = |e: &Envelope| (e.from > 3) == (e.to > 3);
        for node in [5, 4] {
            cluster.raft(1).change(&[Change::Remove(id(node))]).unwrap();
            cluster.drain(1);
            cluster.run_if(400, partition);
        }
        let term = cluster.raft(4).status().term;
        assert!(term > cluster.raft(1).status().term, "they have campaigned in vain");
        // the partition heals, and removal notices are lost
        let without_notices = |e: &Envelope| !matches!(e.message(), Message::Removed { .. });
        for node in 1..=3 {
            // no node has a leader
            cluster.restart(node);
        }
        cluster.run_if(3_000, without_notices);
        let (status, before) = (cluster.raft(1).status(), cluster.leader().unwrap());
        assert!(before <= 2);
        cluster.run_if(5_000, without_notices);
        let after = cluster.raft(1).status();
        assert_eq!((after.term, after.leader), (status.term, status.leader), "{check_quorum}");
        assert!(cluster.raft(4).status().term > after.term, "they still campaign");
    }
}

/// The voter does not know that the candidate is a member (4.1), and its vote is needed.
#[test]
fn voter_votes_for_a_candidate_that_it_does_not_know_as_a_member() {
    for pre_vote in [true, false] {
        let config = Config { pre_vote, max_snapshot_chunk_bytes: 64, ..Config::default() };
        let mut cluster = Cluster::with(3, config);
        cluster.elect(1);
        cluster.run(200);
        cluster.join(4);
        let without_3 = |e: &Envelope| e.from != 3 && e.to != 3;
        cluster.raft(1).change(&[Change::Add(id(4))]).unwrap();
        cluster.drain(1);
        cluster.run_if(300, without_3);
        cluster.raft(1).change(&[Change::Promote(id(4))]).unwrap();
        cluster.drain(1);
        cluster.run_if(300, without_3);
        assert!(cluster.raft(4).members().membership(id(4)).is_voter());
        assert!(!cluster.raft(3).members().membership(id(4)).is_member());
        // three of four votes are needed, and the log of node 2 is shorter than that of node 4
        cluster.propose(1, "x");
        cluster.settle_if(|e| without_3(e) && e.to != 2);
        cluster.host(1).up = false;
        cluster.run(5_000);
        assert_eq!(cluster.leader(), Some(4), "pre-vote {pre_vote}");
        assert_eq!(cluster.commands(3), cluster.commands(4));
    }
}
