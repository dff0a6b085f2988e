//! The entries and bytes in flight to a follower stay within the configured windows (Raft thesis, 10.2.2).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope};
use quorate_core::Machine;
use quorate_raft::{Change, Config, Message, Role};

/// Bytes of an entry in these tests: a byte for its term, one for kind and length, one of data.
const ENTRY: usize = 3;

/// Node 1 leads three nodes, and no message is in flight.
fn elected(config: Config) -> Cluster {
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    cluster.net.clear();
    cluster
}

fn entries(envelope: &Envelope) -> Option<usize> {
    match envelope.message() {
        Message::Append { entries, .. } => Some(entries.len() / ENTRY),
        _ => None,
    }
}

/// The number of entries of each append in flight to a node.
fn appends(cluster: &Cluster, to: u64) -> Vec<usize> {
    cluster.net.iter().filter(|e| e.to == to).filter_map(entries).collect()
}

/// Node 2 acknowledges one append. Returns the number of entries of each append that follows.
fn acknowledge(cluster: &mut Cluster) -> Vec<usize> {
    let at = cluster.net.iter().position(|e| e.to == 2 && entries(e).is_some()).unwrap();
    let append = cluster.net.remove(at).unwrap();
    cluster.deliver(&append);
    let at = cluster.net.iter().position(|e| e.from == 2).unwrap();
    let accept = cluster.net.remove(at).unwrap();
    let before = appends(cluster, 2).len();
    cluster.deliver(&accept);
    appends(cluster, 2).split_off(before)
}

#[test]
fn entries_in_flight_are_limited() {
    let config = Config { max_inflight_entries: 4, max_append_bytes: 1, ..Config::default() };
    let mut cluster = elected(config);
    for _ in 0..6 {
        cluster.propose(1, "x");
    }
    assert_eq!(appends(&cluster, 2), [1; 4]);
    assert_eq!(acknowledge(&mut cluster), [1]);
    assert_eq!(acknowledge(&mut cluster), [1]);
    assert!(acknowledge(&mut cluster).is_empty(), "no entries are left");
}

#[test]
fn entries_in_one_message_count_one_by_one() {
    let mut cluster = elected(Config { max_inflight_entries: 4, ..Config::default() });
    for _ in 0..6 {
        cluster.raft(1).propose(b"x").unwrap();
    }
    cluster.drain(1);
    assert_eq!(appends(&cluster, 2), [4]);
    assert_eq!(acknowledge(&mut cluster), [2]);
}

#[test]
fn bytes_in_flight_exceed_the_limit_by_at_most_one_entry() {
    for (bytes, most) in [(1, 1), (ENTRY, 1), (ENTRY + 1, 2), (2 * ENTRY, 2), (2 * ENTRY + 1, 3)] {
        let mut cluster = elected(Config { max_inflight_bytes: bytes, ..Config::default() });
        for _ in 0..6 {
            cluster.propose(1, "x");
        }
        let sent = appends(&cluster, 2);
        assert_eq!(sent.iter().sum::<usize>(), most, "{bytes} bytes: {sent:?}");
        assert_eq!(acknowledge(&mut cluster), [1], "{bytes} bytes");
    }
}

#[test]
fn message_holds_no_more_than_the_window_has_room_for() {
    let config = Config { max_inflight_bytes: 5 * ENTRY, ..Config::default() };
    let mut cluster = elected(config);
    cluster.propose(1, "x");
    for _ in 0..9 {
        cluster.raft(1).propose(b"x").unwrap();
    }
    cluster.drain(1);
    assert_eq!(appends(&cluster, 2), [1, 4]);
    assert_eq!(acknowledge(&mut cluster), [1]);
}

#[test]
fn full_window_does_not_block_heartbeats() {
    let mut cluster = elected(Config { max_inflight_entries: 1, ..Config::default() });
    cluster.propose(1, "x");
    cluster.propose(1, "x");
    assert_eq!(appends(&cluster, 2), [1]);
    cluster.net.clear();
    cluster.now = cluster.now.after(cluster.config.heartbeat_us);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    assert_eq!(appends(&cluster, 2), [0]);
}

#[test]
fn only_the_first_probe_carries_entries() {
    let mut cluster = elected(Config { max_inflight_entries: 1, ..Config::default() });
    cluster.propose(1, "x");
    cluster.settle();
    // the new term resets the progress of all peers
    cluster.elect(2);
    cluster.net.clear();
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    let mut probes = Vec::new();
    cluster.settle_if(|e| {
        let append = matches!(e.message(), Message::Append { .. });
        if append && e.from == 1 && e.to == 3 {
            probes.push(e.bytes.clone());
        }
        !append
    });
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    let probe = |bytes: &[u8]| {
        let probe = Envelope { from: 1, to: 3, bytes: bytes.to_vec() };
        let Message::Append { entries, .. } = probe.message() else { panic!("not an append") };
        !entries.is_empty()
    };
    assert_eq!(probes.iter().map(|bytes| probe(bytes)).collect::<Vec<_>>(), [true]);
    // a proposal waits for the answer to the probe, and heartbeats carry no entries
    cluster.propose(1, "y");
    assert!(appends(&cluster, 3).is_empty());
    cluster.now = cluster.now.after(cluster.config.heartbeat_us);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    let sent: Vec<_> = cluster.net.iter().filter(|e| e.to == 3).map(|e| e.bytes.clone()).collect();
    assert_eq!(sent.iter().map(|bytes| probe(bytes)).collect::<Vec<_>>(), [false]);
}

#[test]
fn removed_peer_is_sent_only_durable_entries() {
    let mut cluster = elected(Config::default());
    cluster.host(1).fast_disk = false;
    let status = cluster.raft(1).status();
    cluster.raft(1).change(&[Change::Remove(crate::common::id(3))]).unwrap();
    cluster.drain(1);
    let longest_append = |cluster: &Cluster, to: u64| {
        let longest = cluster.net.iter().filter(|e| e.to == to).filter_map(|e| match e.message() {
            Message::Append { entries, .. } => Some(entries.len()),
            _ => None,
        });
        longest.max().unwrap_or(0)
    };
    assert!(cluster.raft(1).status().last > status.last);
    assert_eq!(cluster.raft(1).status().durable, status.durable);
    assert!(longest_append(&cluster, 2) > 0, "a member is sent the entry at once");
    assert_eq!(longest_append(&cluster, 3), 0);
    cluster.sync(1);
    cluster.now = cluster.now.after(cluster.config.heartbeat_us);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    assert!(longest_append(&cluster, 3) > 0);
}
