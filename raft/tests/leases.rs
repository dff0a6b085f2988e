//! Reads by lease (Raft thesis, 6.4.1).
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::Cluster;
use quorate_core::Instant;
use quorate_raft::{Config, ConfigError, Fixed, Raft, Role};

const DRIFT: u32 = 100_000;

fn config() -> Config {
    Config { lease_drift_ppm: DRIFT, snapshot_part_bytes: 64, ..Config::default() }
}

/// Three nodes of which the first leads and has a lease.
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
fn a_lease_lasts_from_the_sending_for_less_than_the_shortest_election_timeout() {
    let mut cluster = cluster();
    let commit = cluster.raft(1).status().commit;
    assert_eq!(lease(&mut cluster, 1), Some(commit));
    // a heartbeat goes out now, and is answered 100 ms later
    let sent = cluster.now.after(60_000);
    cluster.now = sent;
    cluster.raft(1).tick(sent);
    cluster.drain(1);
    cluster.now = sent.after(100_000);
    cluster.settle();
    let length = 150_000 - 2 * 15_000;
    assert_eq!(cluster.raft(1).read_lease(sent.after(length - 1)), Some(commit));
    assert_eq!(cluster.raft(1).read_lease(sent.after(length)), None);
}

#[test]
fn a_paused_leader_has_no_lease() {
    let mut cluster = cluster();
    cluster.now = cluster.now.after(10_000_000);
    assert_eq!(lease(&mut cluster, 1), None);
}

#[test]
fn a_minority_gives_no_lease() {
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
fn there_is_none_while_the_lead_is_handed_over_nor_after_that_was_asked() {
    let mut cluster = cluster();
    cluster.propose(1, "x");
    cluster.net.clear();
    cluster.raft(1).transfer(common::id(2)).unwrap();
    assert_eq!(lease(&mut cluster, 1), None);
    // nobody was asked to take over yet
    cluster.raft(1).abort_transfer();
    assert!(lease(&mut cluster, 1).is_some());
    cluster.run(120);
    cluster.raft(1).transfer(common::id(2)).unwrap();
    cluster.drain(1);
    cluster.raft(1).abort_transfer();
    cluster.net.clear();
    cluster.run(120);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(lease(&mut cluster, 1), None, "that message may come at any time");
}

#[test]
fn there_is_none_before_the_first_commit_nor_without_the_lead() {
    let mut cluster = cluster();
    assert_eq!(lease(&mut cluster, 2), None);
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    // everything passes but entries
    let empty = |e: &common::Envelope| !matches!(e.message(), quorate_raft::Message::Append { entries, .. } if !entries.is_empty());
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
fn a_node_that_answered_a_leader_neither_votes_nor_campaigns_at_once() {
    for crash in [false, true] {
        let mut cluster = cluster();
        // node 3 hears nothing; 2 gives the leader its lease
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
fn what_it_needs_is_checked() {
    let bare = Config { check_quorum: false, ..config() };
    assert_eq!(bare.validate(), Err(ConfigError::Lease));
    let wild = Config { lease_drift_ppm: 250_001, ..config() };
    assert_eq!(wild.validate(), Err(ConfigError::Lease));
    let ids = [1, 2, 3].map(common::id);
    let fixed = Raft::<Fixed<3, 1024, 16, 64>>::new(ids[0], &ids, config(), 1);
    assert_eq!(fixed.err(), Some(ConfigError::Fixed));
}

#[test]
fn one_node_alone_needs_nobody() {
    let mut cluster = Cluster::with(1, config());
    assert_eq!(cluster.raft(1).read_lease(Instant::ZERO), None, "but it must lead");
    cluster.run(400);
    assert_eq!(cluster.raft(1).read_lease(Instant::MAX), Some(1));
    // and leases must be on
    let mut cluster = Cluster::with(1, Config::default());
    cluster.run(400);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert_eq!(cluster.raft(1).read_lease(Instant::MAX), None);
}

#[test]
fn a_change_of_the_members_ends_it_until_the_next_heartbeat_is_answered() {
    let mut cluster = cluster();
    assert!(lease(&mut cluster, 1).is_some());
    cluster.raft(1).change(&[quorate_raft::Change::Demote(common::id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle();
    assert_eq!(lease(&mut cluster, 1), None);
    cluster.run(60);
    assert!(lease(&mut cluster, 1).is_some());
}
