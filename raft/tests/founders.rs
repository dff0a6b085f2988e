//! The list of founders is the first record on disk and never changes. A node refuses a disk with another list.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, encode, id};
use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Wire};
#[cfg(feature = "alloc")]
use quorate_raft::Heap;
use quorate_raft::{Change, Config, Fixed, Inline, Members, Message, Raft, Record, Storage};

type Small = Inline<3, 512, 16, 32>;
type Pinned = Fixed<3, 512, 16, 32>;

fn founder<S: Storage>(own: u64, ids: &[u64]) -> Raft<S> {
    let ids: Vec<NodeId> = ids.iter().copied().map(id).collect();
    let config = Config { max_log_bytes: 4096, max_entry_bytes: 64, ..Config::default() };
    Raft::new(id(own), &ids, config, 1).unwrap()
}

fn joiner<S: Storage>(own: u64) -> Raft<S> {
    let config = Config { max_log_bytes: 4096, max_entry_bytes: 64, ..Config::default() };
    Raft::join(id(own), config, 1).unwrap()
}

/// The records that a node writes when it starts.
fn written<S: Storage>(raft: &mut Raft<S>) -> Vec<Vec<u8>> {
    raft.tick(Instant::ZERO);
    let mut records = Vec::new();
    while let Some(output) = raft.poll() {
        match output {
            Output::Persist(_, record) => records.push(encode(&record)),
            Output::Send(_, message) => {
                panic!("sent {message:?} before the founders are durable")
            }
            Output::Event(_) => {}
        }
    }
    records
}

fn encoded(memberships: &[(u8, u8)]) -> Vec<u8> {
    let member = |&(membership, node): &(u8, u8)| [membership, node, 0, 0, 0, 0, 0, 0, 0];
    memberships.iter().flat_map(member).collect()
}

fn restore<S: Storage>(raft: &mut Raft<S>, record: &[u8]) -> Result<(), Corrupt> {
    let unchanged = raft.clone();
    let result = raft.restore(Record::from_slice(record).unwrap());
    assert!(result.is_ok() || *raft == unchanged, "a refused record changed the node");
    result
}

fn first_record<S: Storage>() {
    let mut raft = founder::<S>(1, &[1, 2, 3]);
    assert_eq!(written(&mut raft), [[vec![4, 27], encoded(&[(3, 1), (3, 2), (3, 3)])].concat()]);
    assert_eq!(written(&mut joiner::<S>(4)), [[4, 0]]);
}

#[test]
fn founders_are_the_first_record() {
    first_record::<Small>();
    first_record::<Pinned>();
    #[cfg(feature = "alloc")]
    first_record::<Heap>();
}

fn other_lists<S: Storage>() {
    let records = written(&mut founder::<S>(3, &[1, 2, 3]));
    // the order does not matter
    for ids in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let mut again = founder::<S>(3, &ids);
        assert_eq!(restore(&mut again, &records[0]), Ok(()));
        assert!(written(&mut again).is_empty(), "founders are written once");
    }
    for ids in [&[3][..], &[1, 3], &[1, 3, 4]] {
        assert_eq!(restore(&mut founder::<S>(3, ids), &records[0]), Err(Corrupt::Founders));
    }
    assert_eq!(restore(&mut joiner::<S>(3), &records[0]), Err(Corrupt::Founders));
    let joined = written(&mut joiner::<S>(3));
    assert_eq!(restore(&mut founder::<S>(3, &[1, 2, 3]), &joined[0]), Err(Corrupt::Founders));
    assert_eq!(restore(&mut joiner::<S>(3), &joined[0]), Ok(()));
}

#[test]
fn different_founders_are_refused_at_a_later_start() {
    other_lists::<Small>();
    other_lists::<Pinned>();
    #[cfg(feature = "alloc")]
    other_lists::<Heap>();
}

#[test]
fn disk_of_a_cluster_is_refused_by_a_single_node_cluster() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.settle();
    cluster.run(100);
    let mut alone = Node::new(id(3), &[id(3)], Config::default(), 9).unwrap();
    let records = cluster.host(3).disk.clone();
    assert_eq!(restore(&mut alone, &records[0]), Err(Corrupt::Founders));
}

#[test]
fn impossible_founder_lists_are_malformed() {
    for list in [vec![(3, 1), (3, 1), (3, 2)], vec![(0, 1), (3, 2), (3, 3)], vec![(1, 1)]] {
        let data = encoded(&list);
        let record = [vec![4, data.len() as u8], data].concat();
        let mut raft = founder::<Small>(1, &[1, 2, 3]);
        assert_eq!(restore(&mut raft, &record), Err(Corrupt::Malformed), "{list:?}");
        assert_eq!(
            restore(&mut founder::<Pinned>(1, &[1, 2, 3]), &record),
            Err(Corrupt::Founders),
            "{list:?}"
        );
    }
    assert!(Record::from_slice(&[4, 1, 3]).is_err());
}

#[test]
fn records_of_older_versions_get_founders_at_the_first_start() {
    let older = [encode(&Record::Vote { term: 3, vote: Some(id(2)) })];
    let mut raft = founder::<Small>(1, &[1, 2, 3]);
    restore(&mut raft, &older[0]).unwrap();
    let added = written(&mut raft);
    assert_eq!(added.len(), 1);
    let mut again = founder::<Small>(1, &[1, 2, 3]);
    for record in older.iter().chain(&added) {
        restore(&mut again, record).unwrap();
    }
    assert_eq!((again.status().term, again.status().vote), (3, Some(id(2))));
    let mut other = founder::<Small>(1, &[1, 2]);
    restore(&mut other, &older[0]).unwrap();
    assert_eq!(restore(&mut other, &added[0]), Err(Corrupt::Founders));
}

fn nothing_before_durable<S: Storage>() {
    let mut raft = founder::<S>(1, &[1, 2, 3]);
    let now = Instant::from_millis(1);
    let request = Message::RequestVote { pre: true, term: 1, last_index: 0, last_term: 0 };
    raft.receive(now, id(2), request).unwrap();
    let Some(Output::Persist(ticket, Record::Founders { .. })) = raft.poll() else {
        panic!("the founders do not come first")
    };
    assert!(raft.poll().is_none(), "sent an answer before the founders are durable");
    raft.persisted(ticket);
    assert!(matches!(raft.poll(), Some(Output::Send(to, Message::Vote { .. })) if to == id(2)));
}

#[test]
fn no_message_is_sent_before_the_founders_are_durable() {
    nothing_before_durable::<Small>();
    nothing_before_durable::<Pinned>();
}

#[test]
fn membership_changes_do_not_change_the_founders() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle();
    cluster.run(100);
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, applied).unwrap();
    cluster.drain(1);
    assert_eq!(cluster.raft(1).members().len(), 2);
    let records: Vec<_> = cluster.raft(1).checkpoint().map(|record| encode(&record)).collect();
    let list = encoded(&[(3, 1), (3, 2), (3, 3)]);
    let voters = Members::decode(&list).unwrap();
    assert_eq!(records[0], encode(&Record::Founders { voters }));
    cluster.host(1).disk = records;
    cluster.restart(1);
    assert_eq!(cluster.raft(1).members().len(), 2);
}
