//! A witness votes and counts for the commit, and gets metadata-only entries for commands (Raft thesis, 11.7.2).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, id};
use quorate_core::Machine;
use quorate_raft::{Change, Config, EntryKind, Message, Role};

/// Node 1 leads, node 2 is a voter and node 4 a voting witness. Node 3 is removed.
fn cluster(config: Config) -> Cluster {
    let mut cluster = Cluster::with(3, config);
    cluster.join(4);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    for changes in [[Change::AddWitness(id(4))], [Change::Promote(id(4))], [Change::Remove(id(3))]]
    {
        cluster.raft(1).change(&changes).unwrap();
        cluster.drain(1);
        cluster.run(200);
    }
    cluster.host(3).up = false;
    assert_eq!(cluster.raft(1).status().commit, cluster.raft(4).status().commit);
    cluster.net.clear();
    cluster
}

fn between_leader_and_witness(e: &Envelope) -> bool {
    [e.from, e.to].iter().all(|node| [1, 4].contains(node))
}

/// The entries in flight to a node.
fn entries(cluster: &Cluster, to: u64) -> Vec<Vec<u8>> {
    let appends = cluster.net.iter().filter(|e| e.to == to).filter_map(|e| match e.message() {
        Message::Append { entries, .. } => Some(entries.to_vec()),
        _ => None,
    });
    appends.filter(|entries| !entries.is_empty()).collect()
}

#[test]
fn leader_and_witness_commit_without_the_third_voter() {
    let mut cluster = cluster(Config::default());
    let index = cluster.propose(1, "secret");
    let term = u8::try_from(cluster.raft(1).status().term).unwrap();
    assert_eq!(entries(&cluster, 2), [[&[term, 6 << 2], &b"secret"[..]].concat()]);
    let metadata_only = EntryKind::MetadataOnly as u8;
    assert_eq!(entries(&cluster, 4), [[term, metadata_only]]);
    cluster.settle_if(between_leader_and_witness);
    assert_eq!(cluster.raft(1).status().commit, index);
    // the same after both restart
    cluster.restart(1);
    cluster.restart(4);
    cluster.now = cluster.now.after(400_000);
    let now = cluster.now;
    for node in [1, 4] {
        cluster.raft(node).tick(now);
        cluster.drain(node);
    }
    cluster.run_if(1500, between_leader_and_witness);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    assert!(cluster.raft(1).status().commit > index);
    assert!(cluster.commands(1).contains(&"secret".into()));
    assert!(!cluster.commands(4).contains(&"secret".into()));
}

#[test]
fn witness_gets_one_metadata_only_entry_per_command() {
    let mut cluster = cluster(Config::default());
    for text in ["one", "two", "three"] {
        cluster.raft(1).propose(text.as_bytes()).unwrap();
    }
    cluster.drain(1);
    let term = u8::try_from(cluster.raft(1).status().term).unwrap();
    assert_eq!(entries(&cluster, 4), [[term, 3].repeat(3)]);
    cluster.settle_if(between_leader_and_witness);
    let status = cluster.raft(1).status();
    assert_eq!((status.commit, cluster.raft(4).status().last), (status.last, status.last));
}

#[test]
fn witness_gets_an_entry_after_a_full_member_has_it_on_disk() {
    let mut cluster = cluster(Config::default());
    cluster.host(1).fast_disk = false;
    let index = cluster.propose(1, "x");
    assert_eq!(entries(&cluster, 2).len(), 1);
    assert!(entries(&cluster, 4).is_empty());
    // node 2 stores the entry
    cluster.settle_if(|e| e.to != 4 && e.from != 4);
    let gets_nothing = |cluster: &mut Cluster| {
        cluster.now = cluster.now.after(50_000);
        let now = cluster.now;
        cluster.raft(1).tick(now);
        cluster.drain(1);
        entries(cluster, 4).is_empty()
    };
    assert!(!gets_nothing(&mut cluster));
    cluster.settle_if(|e| e.to != 2 && e.from != 2);
    assert_eq!(cluster.raft(4).status().last, index);
    assert_eq!(cluster.raft(1).status().commit, index, "two of three voters have the entry");
}

#[test]
fn witness_gets_a_snapshot_without_data() {
    let mut cluster = cluster(Config { max_snapshot_chunk_bytes: 64, ..Config::default() });
    let others = |e: &Envelope| e.from != 4 && e.to != 4;
    for _ in 0..5 {
        cluster.propose(1, "x");
        cluster.settle_if(others);
    }
    let taken = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(taken, taken).unwrap();
    cluster.drain(1);
    cluster.net.clear();
    for _ in 0..4 {
        cluster.run(50);
        if let Some((index, _, data, done)) = cluster.host(4).chunks.pop() {
            assert_eq!((index, data.len(), done), (taken, 0, true));
            cluster.host(4).applied.clear();
            cluster.raft(4).snapshot_installed(index).unwrap();
            cluster.drain(4);
        }
    }
    assert!(cluster.raft(4).status().snapshot >= taken);
    assert!(cluster.host(1).chunk_requests.is_empty(), "no application state is requested");
    assert!(cluster.raft(4).status().last >= taken);
    cluster.propose(1, "y");
    cluster.settle_if(between_leader_and_witness);
    assert_eq!(cluster.raft(1).status().commit, cluster.raft(1).status().last);
}

#[test]
fn acknowledgement_of_a_witness_does_not_count_as_a_full_copy() {
    let mut cluster = cluster(Config::default());
    cluster.join(5);
    for changes in [[Change::AddWitness(id(5))], [Change::Promote(id(5))]] {
        cluster.raft(1).change(&changes).unwrap();
        cluster.drain(1);
        cluster.run(200);
    }
    cluster.net.clear();
    cluster.host(1).fast_disk = false;
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let index = cluster.propose(1, "x");
    let accept = Message::AppendAccepted { term, round: 0, match_index: index };
    cluster.raft(1).receive(now, id(4), accept).unwrap();
    cluster.now = now.after(50_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    assert!(entries(&cluster, 5).is_empty());
    cluster.sync(1);
    cluster.now = now.after(50_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    assert!(!entries(&cluster, 5).is_empty());
}

#[test]
fn removed_witness_gets_no_commands_and_no_entry_before_a_full_member() {
    let mut cluster = cluster(Config::default());
    cluster.host(1).fast_disk = false;
    let index = cluster.propose(1, "secret");
    cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
    cluster.drain(1);
    assert!(entries(&cluster, 4).is_empty(), "not durable at a full member");
    cluster.sync(1);
    let sent = entries(&cluster, 4);
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|entries| !entries.windows(6).any(|part| part == b"secret")));
    cluster.host(1).fast_disk = true;
    cluster.settle();
    let status = cluster.raft(4).status();
    assert_eq!((status.last, status.config), (index + 1, index + 1), "it received its removal");
}
