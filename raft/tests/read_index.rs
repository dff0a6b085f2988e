//! Linearizable reads by read index, on the leader and on followers (Raft thesis, 6.4).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, encode};
use quorate_core::{Instant, Machine};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Config, Fixed, Message, Raft, ReadError, Role};

#[test]
fn reads_wait_for_one_heartbeat_round_and_share_it() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.run(60);
    let first = cluster.raft(1).read().unwrap();
    let second = cluster.raft(1).read().unwrap();
    assert_eq!(first, second, "no round was sent between them");
    cluster.drain(1);
    assert!(cluster.host(1).reads.is_empty(), "no acknowledgement yet");
    let mut messages = 0;
    cluster.settle_if(|_| {
        messages += 1;
        true
    });
    assert_eq!(messages, 4);
    assert_eq!(cluster.host(1).reads, [first]);
    assert!(cluster.raft(1).read().unwrap() > first);
}

#[test]
fn acknowledgement_of_an_older_round_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    // acknowledgements of a heartbeat from before the read arrive after it
    cluster.raft(1).read().unwrap();
    cluster.drain(1);
    let requests: Vec<Envelope> = cluster.net.drain(..).collect();
    for request in &requests {
        cluster.deliver(request);
    }
    let answers: Vec<Envelope> = cluster.net.drain(..).collect();
    let read = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.net.clear();
    for answer in &answers {
        cluster.deliver(answer);
    }
    assert!(cluster.host(1).reads.iter().all(|&r| r < read));
    cluster.run(60);
    assert!(
        cluster.host(1).reads.contains(&read) || cluster.host(1).reads.iter().any(|&r| r >= read)
    );
}

#[test]
fn deposed_leader_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(|e| e.from != 1 && e.to != 1);
    assert_eq!(cluster.raft(2).status().role, Role::Leader);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle();
    assert!(cluster.host(1).reads.is_empty());
    assert_ne!(cluster.raft(1).status().role, Role::Leader);
    assert!(matches!(cluster.raft(1).read(), Err(ReadError::NotLeader(_))));
}

#[test]
fn reads_wait_for_the_first_commit_of_the_term() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.now = cluster.now.after(400_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    // appends with entries are lost, heartbeats are delivered
    let settle_without_entries = |cluster: &mut Cluster| {
        for _ in 0..100 {
            let Some(envelope) = cluster.net.pop_front() else { return };
            match envelope.message() {
                Message::Append { entries, .. } if !entries.is_empty() => {}
                _ => cluster.deliver(&envelope),
            }
        }
    };
    settle_without_entries(&mut cluster);
    assert_eq!(cluster.raft(2).status().role, Role::Leader);
    cluster.raft(2).read().unwrap();
    cluster.drain(2);
    settle_without_entries(&mut cluster);
    assert!(cluster.host(2).reads.is_empty());
    cluster.run(200);
    assert!(!cluster.host(2).reads.is_empty());
}

#[test]
fn read_round_needs_a_majority_of_all_voters() {
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.run(60);
    let read = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| e.from == 2 || e.to == 2);
    assert!(!cluster.host(1).reads.contains(&read));
    let now = cluster.now;
    let again = cluster.raft(1).read().unwrap();
    cluster.raft(1).tick(now);
    cluster.drain(1);
    cluster.settle_if(|e| [2, 3].contains(&e.from) || [2, 3].contains(&e.to));
    assert_eq!(cluster.host(1).reads.last(), Some(&again));
}

#[test]
fn single_node_reads_at_once() {
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    let read = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    assert_eq!(cluster.host(1).reads, [read]);
}

#[test]
fn acknowledgement_of_another_term_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.net.clear();
    let term = cluster.raft(1).status().term;
    let stale = Message::AppendAccepted { term: term - 1, round: 900, match_index: 0 };
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&stale) });
    assert!(cluster.host(1).reads.is_empty());
}

#[test]
fn follower_of_three_reads_with_two_messages() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let read = cluster.raft(2).read().unwrap();
    cluster.drain(2);
    let mut messages = 0;
    cluster.settle_if(|_| {
        messages += 1;
        true
    });
    assert_eq!((messages, cluster.host(2).reads.last()), (2, Some(&read)));
}

#[test]
fn follower_of_five_reads_after_a_heartbeat_round() {
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.run(60);
    let read = cluster.raft(2).read().unwrap();
    cluster.drain(2);
    cluster.settle_if(|e| [1, 2].contains(&e.from) && [1, 2].contains(&e.to));
    assert!(cluster.host(2).reads.is_empty(), "two of five are no majority");
    cluster.run(60);
    assert_eq!(cluster.host(2).reads.last(), Some(&read));
}

#[test]
fn follower_read_waits_until_the_read_index_is_applied() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let index = cluster.propose(1, "x");
    // all messages except those of node 2
    cluster.settle_if(|e| e.to != 2 && e.from != 2);
    assert_eq!(cluster.raft(1).status().commit, index);
    let read = cluster.raft(2).read().unwrap();
    cluster.drain(2);
    cluster.settle();
    assert!(cluster.host(2).reads.is_empty());
    assert!(cluster.raft(2).status().applied < index);
    cluster.run(60);
    assert_eq!(cluster.host(2).reads, [read]);
    assert!(cluster.raft(2).status().applied >= index);
}

#[test]
fn lost_read_index_request_is_retried_and_reads_share_it() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let read = cluster.raft(3).read().unwrap();
    cluster.drain(3);
    cluster.net.clear();
    for _ in 0..100 {
        assert!(cluster.raft(3).read().unwrap() > read);
    }
    cluster.drain(3);
    assert!(cluster.net.is_empty(), "one request at a time");
    cluster.run(60);
    assert!(cluster.host(3).reads.len() >= 2, "{:?}", cluster.host(3).reads);
}

#[test]
fn read_index_of_an_earlier_incarnation_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.raft(2).read().unwrap();
    cluster.drain(2);
    let request = cluster.net.pop_front().unwrap();
    cluster.deliver(&request);
    let answer = cluster.net.pop_front().unwrap();
    assert!(matches!(answer.message(), Message::ReadIndexConfirmed { .. }));
    cluster.restart(2);
    cluster.run(60);
    cluster.propose(1, "x");
    cluster.settle_if(|e| e.to != 2 && e.from != 2);
    let read = cluster.raft(2).read().unwrap();
    cluster.drain(2);
    cluster.net.clear();
    cluster.deliver(&answer);
    assert!(!cluster.host(2).reads.contains(&read));
}

#[test]
fn follower_reads_are_lost_with_the_leader() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let read = cluster.raft(2).read().unwrap();
    cluster.drain(2);
    cluster.net.clear();
    cluster.elect(3);
    cluster.run(100);
    assert!(cluster.host(2).reads.is_empty(), "{read:?}");
    assert!(cluster.raft(2).read().is_ok(), "the new leader is known");
}

#[test]
fn id_of_a_lost_read_is_not_reused() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let lost = cluster.raft(2).read().unwrap();
    cluster.raft(2).forget_leader();
    cluster.run(120);
    assert!(cluster.host(2).reads.is_empty(), "the read was lost with the leader");
    let next = cluster.raft(2).read().unwrap();
    assert!(next > lost, "{next:?}");
    cluster.run(120);
    assert_eq!(cluster.host(2).reads, [next]);
    // the same on the leader
    let lost = cluster.raft(1).read().unwrap();
    cluster.raft(1).step_down();
    assert!(cluster.raft(1).read().is_err());
    cluster.drain(1);
    cluster.elect(1);
    assert!(cluster.raft(1).read().unwrap() > lost);
}

#[test]
fn read_without_a_known_leader_or_with_fixed_storage_is_refused() {
    let ids = [1, 2, 3].map(crate::common::id);
    let mut node = crate::common::Node::new(ids[0], &ids, Config::default(), 1).unwrap();
    assert_eq!(node.read(), Err(ReadError::NotLeader(None)));
    let mut fixed =
        Raft::<Fixed<3, 1024, 16, 64>>::new(ids[0], &ids, Config::default(), 1).unwrap();
    let append =
        Message::Append { term: 1, prev_index: 0, prev_term: 0, commit: 0, round: 1, entries: &[] };
    fixed.receive(Instant::from_millis(1), ids[1], append).unwrap();
    assert_eq!(fixed.read(), Err(ReadError::NotLeader(Some(ids[1]))));
    let request = Message::ReadIndex { term: 1, id: 1 };
    assert_eq!(fixed.receive(Instant::from_millis(1), ids[1], request), Ok(()));
}

/// Node 2 sends a `ReadIndex` request to the leader, node 1.
fn send_read_index(cluster: &mut Cluster, id: u64) {
    let term = cluster.raft(1).status().term;
    let bytes = encode(&Message::ReadIndex { term, id });
    cluster.deliver(&Envelope { from: 2, to: 1, bytes });
}

fn confirmed_ids(cluster: &Cluster) -> Vec<u64> {
    let ids = cluster.net.iter().filter_map(|e| match e.message() {
        Message::ReadIndexConfirmed { id, .. } => Some(id),
        _ => None,
    });
    ids.collect()
}

fn cluster_of_five() -> Cluster {
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.run(60);
    cluster.net.clear();
    cluster
}

#[test]
fn duplicated_read_index_request_keeps_its_round() {
    let (incarnation, read) = (7 << 32, 3);
    for again in [incarnation | read, incarnation | (read - 1)] {
        let mut cluster = cluster_of_five();
        send_read_index(&mut cluster, incarnation | read);
        let round: Vec<_> = cluster.net.drain(..).filter(|e| e.to == 3).collect();
        send_read_index(&mut cluster, again);
        cluster.net.clear();
        round.iter().for_each(|heartbeat| cluster.deliver(heartbeat));
        for accept in cluster.net.drain(..).collect::<Vec<_>>() {
            cluster.deliver(&accept);
        }
        assert_eq!(confirmed_ids(&cluster), [incarnation | read]);
    }
}

#[test]
fn newer_read_index_request_replaces_an_older_one() {
    // of the same incarnation, or of another one, whose ids are not comparable
    for newer in [7 << 32 | 4, 6 << 32 | 1, 8 << 32 | 1] {
        let mut cluster = cluster_of_five();
        send_read_index(&mut cluster, 7 << 32 | 3);
        send_read_index(&mut cluster, newer);
        let round: Vec<_> = cluster.net.drain(..).filter(|e| e.to != 2).collect();
        round.iter().for_each(|heartbeat| cluster.deliver(heartbeat));
        for accept in cluster.net.drain(..).collect::<Vec<_>>() {
            cluster.deliver(&accept);
        }
        assert_eq!(confirmed_ids(&cluster), [newer]);
    }
}

#[test]
fn read_index_request_is_dropped_with_leadership() {
    let mut cluster = cluster_of_five();
    send_read_index(&mut cluster, 7 << 32 | 3);
    cluster.net.clear();
    cluster.elect(3);
    cluster.elect(1);
    let mut answered = 0;
    cluster.run_if(200, |e| {
        answered += u64::from(matches!(e.message(), Message::ReadIndexConfirmed { .. }));
        true
    });
    assert_eq!(answered, 0);
}

#[test]
fn read_index_request_of_another_term_is_not_answered() {
    // a request counts as an acknowledgement, so it must be of the current term
    let mut cluster = Cluster::new(3);
    cluster.elect(2);
    cluster.elect(1);
    cluster.run(60);
    cluster.net.clear();
    let term = cluster.raft(1).status().term;
    for other in [term - 1, term + 1] {
        let bytes = encode(&Message::ReadIndex { term: other, id: 7 << 32 | other });
        cluster.deliver(&Envelope { from: 2, to: 1, bytes });
        assert!(confirmed_ids(&cluster).is_empty());
    }
    let bytes = encode(&Message::ReadIndex { term, id: 8 << 32 });
    cluster.deliver(&Envelope { from: 2, to: 1, bytes });
    assert_eq!(confirmed_ids(&cluster), [8 << 32]);
}

#[test]
fn read_index_of_another_term_or_sender_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    cluster.elect(2);
    cluster.elect(1);
    cluster.run(60);
    let read = cluster.raft(2).read().unwrap();
    cluster.drain(2);
    let request = cluster.net.pop_front().unwrap();
    let Message::ReadIndex { term, id } = request.message() else { panic!("not a request") };
    for (from, term) in [(3, term), (1, term + 1), (1, term - 1)] {
        let bytes = encode(&Message::ReadIndexConfirmed { term, id, index: 0 });
        cluster.deliver(&Envelope { from, to: 2, bytes });
        assert!(cluster.host(2).reads.is_empty());
    }
    cluster.deliver(&request);
    cluster.settle();
    assert_eq!(cluster.host(2).reads, [read]);
}
