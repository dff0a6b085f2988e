//! Bugs of other implementations that no other test or scenario covers.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, id};
use quorate_core::{Drift, Machine, Rng};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Change, Config, Message, ProposeError, Role};

/// Leader stickiness does not block a leadership transfer (dragonboat #223).
#[test]
fn leadership_transfer_works_with_pre_vote_stickiness_and_leases() {
    let config = Config {
        lease_drift: Drift::from_ppm(100),
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    };
    assert!(config.pre_vote && config.check_quorum);
    let mut cluster = Cluster::with(5, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    cluster.raft(1).transfer(id(3)).unwrap();
    cluster.drain(1);
    cluster.settle();
    assert_eq!(cluster.leader(), Some(3));
}

/// A node that does not know yet that it is a voter votes for a candidate that does (etcd #10998).
#[test]
fn promoted_learner_votes_before_it_knows_of_its_promotion() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(100);
    cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
    cluster.drain(1);
    cluster.run(200);
    assert!(cluster.raft(3).status().membership.is_learner());
    cluster.raft(1).change(&[Change::Promote(id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| e.from != 3 && e.to != 3);

    // node 1 is down, and node 2 needs the vote of node 3
    cluster.host(1).up = false;
    cluster.now = cluster.now.after(400_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    let mut voted = false;
    cluster.settle_if(|e| {
        voted |= e.from == 3 && matches!(e.message(), Message::Vote { granted: true, .. });
        !(e.to == 3 && matches!(e.message(), Message::Append { .. }))
    });
    assert!(voted && cluster.raft(3).status().membership.is_learner());
    assert_eq!(cluster.raft(2).status().role, Role::Leader);
}

/// Timeouts are randomized in µs, not in coarse ticks (sailing-proto).
#[test]
fn millisecond_election_timeouts_elect_a_leader() {
    let config = Config {
        election_min_us: 1_000,
        election_max_us: 2_000,
        heartbeat_us: 300,
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    for _ in 0..200 {
        cluster.now = cluster.now.after(100);
        let now = cluster.now;
        // messages take a tenth of a millisecond
        let before: Vec<_> = cluster.net.drain(..).collect();
        for node in 1..=3 {
            cluster.raft(node).tick(now);
            cluster.drain(node);
        }
        before.iter().for_each(|envelope| cluster.deliver(envelope));
    }
    let status = cluster.leader().map(|leader| cluster.raft(leader).status()).unwrap();
    assert!(status.commit > 0 && status.term < 8, "{status:?}");
}

/// In any order of acknowledgements, the commit index is the quorum match index, of both configurations in joint consensus
/// (openraft #1802).
#[test]
fn commit_index_equals_the_quorum_match_index() {
    let mut rng = Rng::new(26);
    for case in 0..300 {
        let nodes = 3 + rng.below(5);
        let mut cluster = Cluster::new(nodes);
        cluster.elect(1);
        cluster.run(100);
        let leavers = if case % 2 == 0 { 0 } else { 1 + rng.below(nodes - 1) };
        if leavers > 0 {
            let changes: Vec<_> = (0..leavers).map(|n| Change::Demote(id(nodes - n))).collect();
            cluster.raft(1).change_jointly(&changes).unwrap();
            cluster.drain(1);
            cluster.settle();
        }
        let commands = 1 + rng.below(12);
        for n in 0..commands {
            cluster.propose(1, &format!("{n}"));
        }
        cluster.net.clear();

        let (now, status) = (cluster.now, cluster.raft(1).status());
        let (term, last) = (status.term, status.last);
        let mut matched = vec![status.commit; nodes as usize];
        matched[0] = last;
        for _ in 0..40 {
            let from = 2 + rng.below(nodes - 1);
            let match_index = rng.below(last + 1);
            let accept = Message::AppendAccepted { term, round: 0, match_index };
            cluster.raft(1).receive(now, id(from), accept).unwrap();
            let best = &mut matched[from as usize - 1];
            *best = match_index.max(*best);
            let majority = |of: &[u64]| {
                let mut sorted = of.to_vec();
                sorted.sort_unstable();
                sorted[(sorted.len() - 1) / 2]
            };
            let next = majority(&matched[..(nodes - leavers) as usize]);
            assert_eq!(
                cluster.raft(1).status().commit,
                next.min(majority(&matched)),
                "{matched:?}"
            );
        }
    }
}

/// A write of a leader that finishes after its term commits nothing (hashicorp #695; etcd
/// `TestLeaderMsgAppSelfAckAfterTermChange`).
#[test]
fn write_finished_after_the_term_commits_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(100);
    let (now, before) = (cluster.now, cluster.raft(1).status());
    cluster.host(1).fast_disk = false;
    cluster.propose(1, "late");
    cluster.net.clear();
    // node 3 has the entry: with the disk of node 1 that would be a majority
    let accept =
        Message::AppendAccepted { term: before.term, round: 0, match_index: before.last + 1 };
    cluster.raft(1).receive(now, id(3), accept).unwrap();
    let term = before.term + 1;
    let refusal = Message::Vote { pre: false, term, granted: false };
    cluster.raft(1).receive(now, id(2), refusal).unwrap();
    cluster.drain(1);
    assert!(cluster.net.is_empty());
    cluster.sync(1);
    cluster.sync(1);
    let after = cluster.raft(1).status();
    assert_eq!((after.role, after.term), (Role::Follower, term));
    assert_eq!((after.durable, after.commit), (before.last + 1, before.commit));
    assert_eq!(cluster.raft(1).term(before.last + 1), Some(before.term));
    assert!(!cluster.net.iter().any(|e| matches!(e.message(), Message::Append { .. })));
}

/// Reads wait for a majority of the current members (raft-rs and others: pending reads hang when the configuration shrinks).
#[test]
fn pending_read_is_confirmed_when_the_quorum_shrinks() {
    let mut cluster = Cluster::new(4);
    cluster.elect(1);
    cluster.run(100);
    let read = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| e.from < 3 && e.to < 3);
    assert!(!cluster.host(1).reads.contains(&read));
    cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
    cluster.drain(1);
    assert!(cluster.host(1).reads.contains(&read));
}

/// The cluster recovers from the loss of one message of any kind (etcd #9884).
#[test]
fn loss_of_any_message_kind_is_recovered() {
    let mut kinds = Vec::new();
    run_cluster(|e| {
        // the first byte of a message is its kind
        if !kinds.contains(&e.bytes[0]) {
            kinds.push(e.bytes[0]);
        }
        true
    });
    assert_eq!(kinds.len(), 12, "not all kinds were sent: {kinds:?}");
    for kind in kinds {
        let mut lost = 0;
        run_cluster(|e| {
            // twice, as two nodes may send it
            let hit = lost < 2 && e.bytes[0] == kind;
            lost += u32::from(hit);
            !hit
        });
        assert!(lost > 0, "kind {kind} was not sent");
    }
}

/// Elections, commands, reads, a snapshot and a leadership transfer in a cluster of three.
fn run_cluster(mut pass: impl FnMut(&Envelope) -> bool) {
    let mut cluster = Cluster::new(3);
    cluster.run_if(1_500, &mut pass);
    let leader = cluster.leader().unwrap();
    let (other, behind) = match leader {
        1 => (2, 3),
        2 => (3, 1),
        _ => (1, 2),
    };
    for n in 0..10 {
        cluster.propose(leader, &format!("{n}"));
    }
    cluster.run_if(300, |e| e.from != behind && e.to != behind && pass(e));
    let read = cluster.raft(other).read().unwrap();
    cluster.drain(other);
    cluster.run_if(300, |e| e.from != behind && e.to != behind && pass(e));
    assert!(cluster.host(other).reads.contains(&read));

    let index = cluster.raft(leader).status().applied;
    cluster.raft(leader).snapshot_taken(index, index).unwrap();
    cluster.drain(leader);
    for _ in 0..100 {
        cluster.run_if(10, &mut pass);
        for (to, index, offset) in std::mem::take(&mut cluster.host(leader).chunk_requests) {
            let part = &[7; 100][(offset as usize).min(100)..];
            let (part, done) = (&part[..part.len().min(64)], part.len() <= 64);
            let _ = cluster.raft(leader).send_snapshot(id(to), index, offset, part, done);
        }
        cluster.drain(leader);
        for (index, _, _, done) in std::mem::take(&mut cluster.host(behind).chunks) {
            if done {
                let _ = cluster.raft(behind).snapshot_installed(index);
            }
        }
        cluster.host(behind).applied.clear();
        cluster.drain(behind);
    }
    assert!(cluster.raft(behind).status().applied >= index);
    cluster.raft(leader).transfer(id(other)).unwrap();
    cluster.drain(leader);
    cluster.run_if(300, &mut pass);
    // the transfer may fail with the lost message; an election follows
    cluster.run_if(1_500, &mut pass);
    let leader = cluster.leader().unwrap();
    let index = cluster.propose(leader, "at last");
    cluster.run_if(300, &mut pass);
    assert!((1..=3).all(|node| cluster.raft(node).status().commit >= index));
}

/// A log full of uncommitted entries would leave no room for the entry of the next leader.
#[test]
fn uncommitted_entries_take_at_most_half_the_log() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(100);
    let before = cluster.raft(1).status().last;
    let refusal = loop {
        match cluster.raft(1).propose(&[7; 500]) {
            Ok(_) => {}
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, ProposeError::Busy);
    let taken = cluster.raft(1).entries(before + 1).bytes().len();
    assert!((3_500..=4_096).contains(&taken), "{taken}");
}

/// The round that begins with replicate mode has no message of its own: a read in it does not wait for the next heartbeat.
#[test]
fn read_right_after_the_election_is_answered_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    let read = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle();
    assert_eq!(cluster.host(1).reads, [read]);
}

/// A confirmed read is not reported in a later term (async-raft and others: reads that outlive their leader).
#[test]
fn confirmed_read_is_lost_with_leadership() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(100);
    // committed by the followers, not applied on the leader yet
    cluster.host(1).fast_disk = false;
    let index = cluster.propose(1, "x");
    cluster.settle();
    let lost = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle();
    let status = cluster.raft(1).status();
    assert!(status.commit == index && status.applied < index);
    cluster.raft(1).step_down();
    cluster.drain(1);
    cluster.sync(1);
    cluster.host(1).fast_disk = true;
    cluster.elect(1);
    let read = cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle();
    assert!(cluster.host(1).reads == [read], "{:?}, not {lost:?}", cluster.host(1).reads);
}
