//! Random schedules over a small cluster. The simulator covers more of them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use quorate_raft::ReplicatedLog as _;
use std::collections::BTreeMap;

use common::{Cluster, id};
use quorate_core::{Machine, Rng};
use quorate_raft::{Config, Role};

#[derive(Default)]
struct Oracle {
    committed: BTreeMap<u64, (u64, Vec<u8>)>,
    leaders: BTreeMap<u64, u64>,
}

impl Oracle {
    fn check(&mut self, cluster: &mut Cluster, seed: u64) {
        for node in 1..=cluster.hosts.len() as u64 {
            if !cluster.host(node).up {
                continue;
            }
            let raft = cluster.raft(node);
            let status = raft.status();
            assert!(status.snapshot <= status.applied, "seed {seed}: {status:?}");
            assert!(status.applied <= status.commit, "seed {seed}: {status:?}");
            assert!(status.commit <= status.last, "seed {seed}: {status:?}");
            assert!(
                status.applied <= status.durable.max(status.snapshot),
                "seed {seed}: {status:?}"
            );
            assert_eq!(raft.rejections().total(), 0, "seed {seed}: {status:?}");
            if status.role == Role::Leader {
                let leader = *self.leaders.entry(status.term).or_insert(node);
                assert_eq!(leader, node, "seed {seed}: two leaders in term {}", status.term);
            }
            let mut index = status.first;
            while index <= status.commit {
                for entry in raft.entries(index) {
                    if entry.index > status.commit {
                        break;
                    }
                    let value = (entry.term, entry.data.to_vec());
                    let known = self.committed.entry(entry.index).or_insert_with(|| value.clone());
                    assert_eq!(*known, value, "seed {seed}: index {} of node {node}", entry.index);
                    index = entry.index + 1;
                }
                if index <= status.commit && raft.entries(index).is_empty() {
                    break;
                }
            }
        }
    }
}

/// Sends the snapshot chunks that leaders ask for (100 bytes in two chunks), and installs what followers received.
fn transfer_snapshots(cluster: &mut Cluster) {
    let snapshot = [7; 100];
    for node in 1..=cluster.hosts.len() as u64 {
        for (to, index, offset) in std::mem::take(&mut cluster.host(node).chunk_requests) {
            let newest = cluster.raft(node).status().snapshot;
            let (index, offset) = if newest > index { (newest, 0) } else { (index, offset) };
            let end = (offset as usize + 64).min(snapshot.len());
            let data = &snapshot[offset as usize..end];
            let done = end == snapshot.len();
            let _ = cluster.raft(node).send_snapshot(id(to), index, offset, data, done);
            cluster.drain(node);
        }
        let parts = std::mem::take(&mut cluster.host(node).chunks);
        for (index, _, _, _) in parts.into_iter().filter(|p| p.3) {
            if cluster.raft(node).snapshot_installed(index).is_ok() {
                cluster.host(node).applied.clear();
            }
            cluster.drain(node);
        }
    }
}

fn run(seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let nodes = if rng.chance(1, 2) { 3 } else { 5 };
    let config = Config {
        max_snapshot_chunk_bytes: 64,
        max_inflight_entries: rng.range(1, 20),
        max_append_bytes: rng.range(1, 200) as usize,
        pre_vote: rng.chance(3, 4),
        check_quorum: rng.chance(3, 4),
        ..Config::default()
    };
    let mut cluster = Cluster::with(nodes, config);
    let mut oracle = Oracle::default();
    let (loss, duplicate) = (rng.below(20), rng.below(20));
    for node in 1..=nodes {
        cluster.host(node).fast_disk = rng.chance(1, 2);
    }
    for step in 0..1500 {
        let node = rng.range(1, nodes + 1);
        match rng.below(100) {
            0..=59 if !cluster.net.is_empty() => {
                let at = rng.below((cluster.net.len() as u64).min(8)) as usize;
                let envelope = cluster.net.remove(at).unwrap();
                if rng.chance(duplicate, 100) {
                    cluster.net.push_back(envelope.clone());
                }
                if !rng.chance(loss, 100) {
                    cluster.deliver(&envelope);
                }
            }
            0..=74 => {
                cluster.now = cluster.now.after(rng.below(40_000));
                let now = cluster.now;
                if cluster.host(node).up {
                    cluster.raft(node).tick(now);
                    cluster.drain(node);
                }
            }
            75..=84 => {
                if let Some(leader) = cluster.leader() {
                    let _ = cluster.raft(leader).propose(format!("{step}").as_bytes());
                    cluster.drain(leader);
                }
            }
            85..=93 => cluster.sync(node),
            94 => cluster.restart(node),
            95..=97 => {
                let status = cluster.raft(node).status();
                if cluster.host(node).up && rng.chance(1, 4) && status.applied > 0 {
                    let compacted = status.applied.saturating_sub(rng.below(5));
                    let _ = cluster.raft(node).snapshot_taken(status.applied, compacted);
                    cluster.drain(node);
                }
            }
            _ => {
                let _ = cluster.raft(node).read();
                cluster.drain(node);
            }
        }
        transfer_snapshots(&mut cluster);
        oracle.check(&mut cluster, seed);
    }
    // heal the network; all nodes must apply all entries
    for node in 1..=nodes {
        cluster.host(node).fast_disk = true;
        cluster.sync(node);
    }
    for round in 0..100 {
        cluster.run(100);
        transfer_snapshots(&mut cluster);
        oracle.check(&mut cluster, seed);
        let applied: Vec<u64> = (1..=nodes).map(|n| cluster.raft(n).status().applied).collect();
        let last = cluster.leader().map(|l| cluster.raft(l).status().last);
        if round > 5 && last.is_some() && applied.iter().all(|&a| Some(a) == last) {
            return applied[0];
        }
    }
    let all: Vec<_> = (1..=nodes).map(|n| cluster.raft(n).status()).collect();
    let leader = cluster.leader().map(|l| cluster.raft(l).clone());
    panic!("seed {seed}: no progress after healing: {all:#?} leader: {leader:?}");
}

#[test]
fn random_schedules_preserve_the_invariants() {
    let from: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    let committed: u64 = (from..from + count).map(run).sum();
    assert!(committed > count, "hardly anything was committed");
}
