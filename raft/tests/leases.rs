//! Lease reads (Raft thesis, 6.4.1).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::Cluster;
use quorate_core::{Drift, Instant, Machine, Rejected};
use quorate_raft::{Config, ConfigError, Fixed, Raft, Role};

const DRIFT: u32 = 100_000;

fn config() -> Config {
    Config {
        lease_drift: Drift::from_ppm(DRIFT),
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    }
}

/// Three nodes; node 1 leads and has a lease.
fn cluster() -> Cluster {
    let mut cluster = Cluster::with(3, config());
    cluster.run(200);
    cluster.elect(1);
    cluster.run(120);
    cluster
}

fn lease(cluster: &mut Cluster, node: u64) -> Option<u64> {
    let now = cluster.now;
    cluster.raft(node).read_lease(now)
}

#[test]
fn lease_runs_from_the_sending_and_is_shorter_than_the_election_timeout() {
    let mut cluster = cluster();
    let commit = cluster.raft(1).status().commit;
    assert_eq!(lease(&mut cluster, 1), Some(commit));
    // a heartbeat is sent now and acknowledged 100 ms later
    let sent = cluster.now.after(60_000);
    cluster.now = sent;
    cluster.raft(1).tick(sent);
    cluster.drain(1);
    cluster.now = sent.after(100_000);
    cluster.settle();
    // the clocks of the follower and of the leader may be fast by a tenth
    let length = 150_000 - 15_000 - 13_500;
    assert_eq!(cluster.raft(1).read_lease(sent.after(length - 1)), Some(commit));
    assert_eq!(cluster.raft(1).read_lease(sent.after(length)), None);
}

#[test]
fn paused_leader_has_no_lease() {
    let mut cluster = cluster();
    cluster.now = cluster.now.after(10_000_000);
    assert_eq!(lease(&mut cluster, 1), None);
}

#[test]
fn minority_grants_no_lease() {
    let mut cluster = Cluster::with(5, config());
    cluster.run(200);
    cluster.elect(1);
    cluster.run(120);
    assert!(lease(&mut cluster, 1).is_some());
    cluster.run_if(200, |e| [1, 2].contains(&e.from) && [1, 2].contains(&e.to));
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(lease(&mut cluster, 1), None);
}

#[test]
fn leader_has_no_lease_during_or_after_a_leadership_transfer() {
    let mut cluster = cluster();
    cluster.propose(1, "x");
    cluster.net.clear();
    cluster.raft(1).transfer(crate::common::id(2)).unwrap();
    assert_eq!(lease(&mut cluster, 1), None);
    // no TimeoutNow was sent yet
    cluster.raft(1).abort_transfer();
    assert!(lease(&mut cluster, 1).is_some());
    cluster.run(120);
    cluster.raft(1).transfer(crate::common::id(2)).unwrap();
    cluster.drain(1);
    cluster.raft(1).abort_transfer();
    cluster.net.clear();
    cluster.run(120);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(lease(&mut cluster, 1), None, "the TimeoutNow may arrive at any time");
}

#[test]
fn node_has_no_lease_before_its_first_commit_or_without_leadership() {
    let mut cluster = cluster();
    assert_eq!(lease(&mut cluster, 2), None);
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    // only entries are lost
    let empty = |e: &crate::common::Envelope| !matches!(e.message(), quorate_raft::Message::Append { entries, .. } if !entries.is_empty());
    cluster.settle_if(empty);
    assert_eq!(cluster.raft(2).status().role, Role::Leader);
    cluster.run_if(120, empty);
    assert_eq!(lease(&mut cluster, 2), None);
    cluster.run(200);
    assert!(lease(&mut cluster, 2).is_some());
    cluster.restart(2);
    assert_eq!(lease(&mut cluster, 2), None);
}

#[test]
fn node_that_granted_a_lease_neither_votes_nor_campaigns_at_once() {
    for crash in [false, true] {
        let mut cluster = cluster();
        // node 3 is partitioned; node 2 grants the lease
        cluster.run_if(140, |e| e.from != 3 && e.to != 3);
        assert!(lease(&mut cluster, 1).is_some());
        if crash {
            cluster.restart(2);
        }
        let now = cluster.now;
        cluster.raft(2).campaign(now);
        cluster.drain(2);
        assert_eq!(cluster.raft(2).status().role, Role::Follower);
        cluster.now = now.after(20_000);
        for _ in 0..10 {
            let now = cluster.now;
            cluster.raft(3).campaign(now);
            cluster.drain(3);
            cluster.settle_if(|e| e.from != 1 && e.to != 1);
        }
        assert_ne!(cluster.raft(3).status().role, Role::Leader, "crash: {crash}");
        assert!(lease(&mut cluster, 1).is_some());
    }
}

#[test]
fn lease_settings_are_validated() {
    let bare = Config { check_quorum: false, ..config() };
    assert_eq!(bare.validate(), Err(ConfigError::Lease));
    let wild = Config { lease_drift: Drift::from_ppm(250_001), ..config() };
    assert_eq!(wild.validate(), Err(ConfigError::Lease));
    let ids = [1, 2, 3].map(crate::common::id);
    let fixed = Raft::<Fixed<3, 1024, 16, 64>>::new(ids[0], &ids, config(), 1);
    assert_eq!(fixed.err(), Some(ConfigError::Fixed));
}

#[test]
fn single_node_needs_no_round_for_its_lease() {
    let mut cluster = Cluster::with(1, config());
    assert_eq!(cluster.raft(1).read_lease(Instant::ZERO), None, "a node must lead to have a lease");
    cluster.run(400);
    assert_eq!(cluster.raft(1).read_lease(Instant::MAX), Some(1));
    // leases must be enabled
    let mut cluster = Cluster::with(1, Config::default());
    cluster.run(400);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(cluster.raft(1).read_lease(Instant::MAX), None);
}

#[test]
fn membership_change_ends_the_lease_until_the_next_heartbeat_round() {
    let mut cluster = cluster();
    assert!(lease(&mut cluster, 1).is_some());
    cluster.raft(1).change(&[quorate_raft::Change::Demote(crate::common::id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle();
    assert_eq!(lease(&mut cluster, 1), None);
    cluster.run(60);
    assert!(lease(&mut cluster, 1).is_some());
}

/// Replaces a node by a new one with its own settings.
fn reconfigure(cluster: &mut Cluster, node: u64, config: Config) {
    let voters = [1, 2, 3].map(crate::common::id);
    let now = cluster.now;
    let host = cluster.host(node);
    host.raft = crate::common::Node::new(crate::common::id(node), &voters, config, node).unwrap();
    host.raft.tick(now);
    host.disk.clear();
    host.pending.clear();
    cluster.drain(node);
}

/// Of 40 lease reads by a partitioned leader, how many are stale; and how many leases it had before the partition.
fn stale_reads(leader: &Config, others: &Config) -> (u32, u32) {
    let (mut stale, mut leases) = (0, 0);
    for round in 0..40 {
        let mut cluster = Cluster::with(3, others.clone());
        reconfigure(&mut cluster, 1, leader.clone());
        cluster.net.clear();
        cluster.elect(1);
        cluster.run(500 + round);
        leases += u32::from(lease(&mut cluster, 1).is_some());
        // the leader is partitioned; the others elect a new leader, which commits
        let cut = |e: &crate::common::Envelope| e.from != 1 && e.to != 1;
        for _ in 0..60 {
            cluster.run_if(10, cut);
            if let Some(new) =
                [2, 3].into_iter().find(|&n| cluster.raft(n).status().role == Role::Leader)
            {
                cluster.propose(new, "newer");
                cluster.settle_if(cut);
                let known = cluster.raft(new).status().commit;
                let read = lease(&mut cluster, 1);
                stale += u32::from(read.is_some_and(|index| index < known));
                break;
            }
        }
    }
    (stale, leases)
}

#[test]
fn different_settings_cause_no_stale_reads() {
    let times = |min: u64| Config {
        election_min_us: min,
        election_max_us: min * 2,
        lease_drift: Drift::from_ppm(1_000),
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    };
    // the shortest promise counts
    assert_eq!(stale_reads(&times(600_000), &times(150_000)), (0, 40));
    assert_eq!(stale_reads(&times(150_000), &times(600_000)), (0, 40));
    // a larger clock drift than the leader assumes
    let bad = Config { lease_drift: Drift::from_ppm(250_000), ..times(150_000) };
    assert_eq!(stale_reads(&times(150_000), &bad), (0, 40));
    // voters with leases disabled promise nothing
    let off = Config { lease_drift: None, ..times(150_000) };
    assert_eq!(stale_reads(&times(150_000), &off), (0, 0));
}

#[test]
fn voter_without_a_lease_promise_does_not_count() {
    let mut cluster = cluster();
    let promise = |e: &crate::common::Envelope| {
        matches!(e.message(), quorate_raft::Message::LeasePromise { .. })
    };
    // nodes of older versions do not send this message
    cluster.run_if(400, |e| !promise(e));
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(lease(&mut cluster, 1), None);
    cluster.run(120);
    assert!(lease(&mut cluster, 1).is_some());
    // without leases no promise is sent
    let mut plain = Cluster::new(3);
    plain.elect(1);
    plain.run_if(1_000, |e| !promise(e) || panic!("{e:?}"));
}

/// Node 1 sends its next heartbeat. Returns the time and the round.
fn next_heartbeat(cluster: &mut Cluster) -> (Instant, u64) {
    let sent = cluster.now.after(60_000);
    cluster.now = sent;
    cluster.raft(1).tick(sent);
    cluster.drain(1);
    let round = cluster.net.iter().find_map(|e| match e.message() {
        quorate_raft::Message::Append { round, .. } => Some(round),
        _ => None,
    });
    (sent, round.unwrap())
}

#[test]
fn shortest_lease_promise_of_the_term_counts() {
    let mut cluster = cluster();
    let (term, commit) = (cluster.raft(1).status().term, cluster.raft(1).status().commit);
    let (sent, round) = next_heartbeat(&mut cluster);
    cluster.net.clear();
    let promise = |promise_us| quorate_raft::Message::LeasePromise { term, round, promise_us };
    cluster.raft(1).receive(sent, crate::common::id(2), promise(50_000)).unwrap();
    let length = 50_000 - 5_000;
    assert_eq!(cluster.raft(1).read_lease(sent.after(length - 1)), Some(commit));
    assert_eq!(cluster.raft(1).read_lease(sent.after(length)), None);
    let raft = cluster.raft(1);
    for (message, reason) in [
        (
            quorate_raft::Message::LeasePromise { term: 0, round, promise_us: 1 },
            Rejected::Malformed,
        ),
        (
            quorate_raft::Message::LeasePromise { term, round: 0, promise_us: 1 },
            Rejected::Malformed,
        ),
        (promise(1 << 62), Rejected::OutOfRange),
        (
            quorate_raft::Message::LeasePromise { term, round: round + 9, promise_us: 1 },
            Rejected::Impossible,
        ),
    ] {
        assert_eq!(raft.receive(sent, crate::common::id(2), message), Err(reason), "{message:?}");
    }
}

/// In joint consensus a majority of each configuration must promise (Raft thesis, 4.3).
#[test]
fn lease_needs_both_majorities_in_joint_consensus() {
    for heard in [&[2][..], &[2, 3], &[3, 4], &[4, 5]] {
        let mut cluster = Cluster::with(5, config());
        cluster.run(200);
        cluster.elect(1);
        cluster.run(120);
        // the majority of nodes 1 to 3 is two; of all five it is three
        let [four, five] = [4, 5].map(crate::common::id);
        let away = [quorate_raft::Change::Demote(four), quorate_raft::Change::Demote(five)];
        cluster.raft(1).change(&away).unwrap();
        cluster.drain(1);
        // the change is sent and not acknowledged, so both configurations decide
        cluster.run_if(120, |e| {
            let accept = matches!(e.message(), quorate_raft::Message::AppendAccepted { .. });
            let heard = |node| node == 1 || heard.contains(&node);
            !accept && heard(e.from) && heard(e.to)
        });
        let status = cluster.raft(1).status();
        assert_eq!(status.role, Role::Leader);
        let expected = heard.contains(&3) && heard.len() == 2;
        assert_eq!(lease(&mut cluster, 1).is_some(), expected, "heard {heard:?}");
    }
}

#[test]
fn empty_and_old_promises_do_not_extend_the_lease() {
    let mut cluster = cluster();
    cluster.raft(1).transfer(crate::common::id(2)).unwrap();
    cluster.run(120);
    cluster.raft(2).transfer(crate::common::id(1)).unwrap();
    cluster.run(120);
    assert_eq!(cluster.leader(), Some(1));
    let term = cluster.raft(1).status().term;
    let (sent, round) = next_heartbeat(&mut cluster);
    // the earlier lease has expired by then
    let later = sent.after(121_000);
    for (term, promise_us, counts) in
        [(term, 0, false), (term - 1, 150_000, false), (term, 150_000, true)]
    {
        let mut raft = cluster.raft(1).clone();
        let promise = quorate_raft::Message::LeasePromise { term, round, promise_us };
        raft.receive(sent, crate::common::id(2), promise).unwrap();
        assert_eq!(raft.read_lease(later).is_some(), counts, "{term} {promise_us}");
    }
}
