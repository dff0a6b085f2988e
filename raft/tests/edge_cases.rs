//! Edge cases: hostile members, late applications, small storage, slow disks.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, encode, id};
use quorate_core::{Instant, Machine, Output, Rejected, Wire};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{
    Config, ConfigError, Inline, Message, ProposeError, Raft, Record, Role, SnapshotError,
};

fn append(term: u64, prev: (u64, u64), commit: u64, entries: &[u8]) -> Message<'_> {
    let (prev_index, prev_term) = prev;
    Message::Append { term, prev_index, prev_term, commit, round: 1, entries }
}

fn snapshot(term: u64, covers: (u64, u64), done: bool, data: &[u8]) -> Message<'_> {
    let (index, index_term) = covers;
    Message::Snapshot { term, round: 1, index, index_term, offset: 0, done, data }
}

#[test]
fn snapshot_at_index_zero_is_refused() {
    let mut cluster = Cluster::new(3);
    assert_eq!(cluster.raft(1).snapshot_taken(0, 0), Err(SnapshotError::Index));
    cluster.drain(1);
    cluster.restart(1);
}

#[test]
fn message_with_a_far_term_is_rejected() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    let now = cluster.now;
    let far = (1 << 62) - 1;
    for message in [
        Message::Vote { pre: false, term: far, granted: false },
        Message::AppendAccepted { term: far, round: 0, match_index: 0 },
        Message::RequestVote { pre: false, term: far, last_index: 9, last_term: 1 },
        append(far, (0, 0), 0, &[]),
        snapshot(far, (9, 1), false, &[]),
    ] {
        let answer = cluster.raft(1).receive(now, id(3), message);
        assert_eq!(answer, Err(Rejected::OutOfRange), "{message:?}");
    }
    cluster.run(1000);
    assert_eq!(cluster.leader(), Some(1));
}

#[test]
fn reads_are_answered_while_the_leaders_disk_lags() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(200);
    cluster.host(1).fast_disk = false;
    cluster.propose(1, "first");
    cluster.settle();
    cluster.raft(1).read().unwrap();
    cluster.drain(1);
    cluster.settle();
    for n in 0..20 {
        // the followers commit the next command before the disk of the leader has finished the previous one
        cluster.propose(1, &format!("{n}"));
        cluster.settle();
        let host = cluster.host(1);
        let (ticket, bytes) = host.pending.remove(0);
        host.disk.push(bytes);
        host.raft.persisted(ticket);
        cluster.drain(1);
    }
    assert!(!cluster.host(1).reads.is_empty());
}

#[test]
fn resumed_node_can_send_its_newest_snapshot() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    for n in 0..10 {
        cluster.propose(1, &format!("{n}"));
    }
    cluster.run_if(300, |e| e.from != 3 && e.to != 3);
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(5, 5).unwrap();
    cluster.drain(1);
    // the application has a snapshot at `applied` when the power fails, and its record is not written yet
    let term = cluster.raft(1).term(applied).unwrap();
    let voters = [1, 2, 3].map(id);
    let mut raft = Node::new(id(1), &voters, cluster.config.clone(), 9).unwrap();
    for record in &cluster.host(1).disk {
        raft.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    raft.resume(applied, term).unwrap();
    raft.tick(cluster.now);
    cluster.host(1).raft = raft;
    cluster.drain(1);
    cluster.elect(1);
    cluster.run(300);
    let (to, index, offset) = cluster.host(1).chunk_requests.remove(0);
    assert_eq!((index, offset), (applied, 0));
    assert_eq!(cluster.raft(1).send_snapshot(id(to), index, 0, b"state", true), Ok(()));
}

#[test]
fn new_leaders_snapshot_does_not_replace_one_being_installed() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    cluster.raft(1).receive(now, id(2), snapshot(1, (5, 1), true, b"state")).unwrap();
    cluster.drain(1);
    cluster.raft(1).receive(now, id(3), snapshot(2, (6, 1), false, b"")).unwrap();
    cluster.raft(1).receive(now, id(3), snapshot(2, (6, 1), false, b"abc")).unwrap();
    cluster.drain(1);
    assert_eq!(cluster.host(1).chunks.len(), 1);
    assert_eq!(cluster.raft(1).snapshot_installed(5), Ok(()));
    assert_eq!(cluster.raft(1).status().applied, 5);
}

#[test]
fn snapshot_that_contradicts_committed_entries_is_not_installed() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    cluster.host(1).fast_disk = false;
    let raft = cluster.raft(1);
    raft.receive(now, id(2), append(2, (0, 0), 0, &[2, 0, 2, 0])).unwrap();
    raft.receive(now, id(2), snapshot(2, (3, 1), true, b"")).unwrap();
    cluster.drain(1);
    let raft = cluster.raft(1);
    raft.receive(now, id(2), append(2, (2, 2), 5, &[2, 0, 2, 0, 2, 0])).unwrap();
    assert_eq!(raft.snapshot_installed(3), Err(SnapshotError::NotWanted));
    let status = raft.status();
    assert_eq!((status.commit, status.last), (5, 5));
}

#[test]
fn entries_that_conflict_with_the_compacted_index_are_rejected() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    let raft = cluster.raft(1);
    raft.receive(now, id(2), append(5, (0, 0), 3, &[5, 0, 5, 0, 5, 0])).unwrap();
    cluster.drain(1);
    cluster.raft(1).snapshot_taken(3, 3).unwrap();
    cluster.drain(1);
    // entries 2, 3 and 4 of term 1, where entry 3 is of term 5
    let answer = cluster.raft(1).receive(now, id(2), append(5, (1, 1), 3, &[1, 0, 1, 0, 1, 0]));
    assert_eq!(answer, Err(Rejected::Impossible));
    cluster.drain(1);
    cluster.restart(1);
}

#[test]
fn pre_candidate_keeps_entries_of_the_leader_of_its_term() {
    let mut cluster = Cluster::new(3);
    let now = cluster.now;
    let raft = cluster.raft(1);
    raft.receive(now, id(2), append(2, (0, 0), 0, &[1, 0, 1, 0, 1, 0])).unwrap();
    cluster.drain(1);
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    let answer = cluster.raft(1).receive(now, id(2), append(2, (1, 1), 3, &[2, 0]));
    assert_eq!(answer, Err(Rejected::Impossible));
    assert_eq!(cluster.raft(1).status().last, 3);
}

#[test]
fn command_that_never_fits_is_too_large() {
    let me = id(1);
    let config = Config { pre_vote: false, ..Config::default() };
    let mut raft = Raft::<Inline<1, 1024, 32, 64>>::new(me, &[me], config, 1).unwrap();
    let mut now = Instant::ZERO;
    for _ in 0..20 {
        raft.tick(now);
        now = now.after(50_000);
        while let Some(output) = raft.poll() {
            if let quorate_core::Output::Persist(ticket, _) = output {
                raft.persisted(ticket);
            }
        }
    }
    assert_eq!(raft.status().role, Role::Leader);
    assert_eq!(raft.propose(&[0; 5000]), Err(ProposeError::TooLarge));
    assert!(raft.propose(&[0; 300]).is_ok());
}

#[test]
fn storage_without_room_for_a_command_is_refused() {
    let me = id(1);
    let config = Config::default;
    let four = Raft::<Inline<1, 1024, 4, 64>>::new(me, &[me], config(), 1);
    assert_eq!(four.err(), Some(ConfigError::Limits));
    let no_part = Raft::<Inline<1, 1024, 32, 0>>::new(me, &[me], config(), 1);
    assert_eq!(no_part.err(), Some(ConfigError::Limits));
}

#[test]
fn node_that_stops_at_its_first_input_ignores_that_input() {
    let voters = [1, 2, 3].map(id);
    let mut raft = Node::new(id(1), &voters, Config::default(), 9).unwrap();
    raft.restore(Record::Vote { term: 1, vote: None }).unwrap();
    let lost = Record::Snapshot { index: 10, index_term: 1, compacted: 5, compacted_term: 1 };
    raft.restore(lost).unwrap();
    let answer = raft.receive(Instant::ZERO, id(2), append(7, (5, 1), 0, &[]));
    assert_eq!(answer, Err(Rejected::Stopped));
    assert_eq!((raft.status().term, raft.status().leader), (1, None));
}

#[test]
fn late_snapshot_acknowledgement_is_ignored() {
    // the offset comes from the peer and may be wrong
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let status = cluster.raft(1).status();
    let ack = Message::SnapshotAck { term: status.term, round: 0, index: 1, offset: 1 << 40 };
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&ack) });
    assert_eq!(cluster.raft(1).rejections().total(), 0);
    assert!(cluster.host(1).chunk_requests.is_empty(), "no chunk is requested");
}

/// Ticks before the deadline, as a driver with a coarser clock does.
fn tick_early<S: quorate_raft::Storage>(raft: &mut Raft<S>) {
    while let Some(output) = raft.poll() {
        if let Output::Persist(ticket, _) = output {
            raft.persisted(ticket);
        }
    }
    let deadline = raft.deadline().unwrap();
    let before = raft.clone();
    raft.tick(Instant::from_micros(deadline.as_micros() - 1));
    assert!(raft.poll().is_none(), "{:?}", raft.status().role);
    assert_eq!(raft.deadline(), Some(deadline));
    *raft = before;
    raft.tick(deadline);
    assert!(raft.poll().is_some(), "{:?}", raft.status().role);
}

#[test]
fn tick_before_the_deadline_outputs_nothing() {
    fn all<S: quorate_raft::Storage>() {
        let ids = [1, 2].map(id);
        let config = Config { max_snapshot_chunk_bytes: 32, ..Config::default() };
        let mut raft = Raft::<S>::new(ids[0], &ids, config, 3).unwrap();
        let start = Instant::from_millis(1);
        raft.tick(start);
        tick_early(&mut raft);
        assert_eq!(raft.status().role, Role::PreCandidate);
        tick_early(&mut raft);
        let granted = |pre, term| Message::Vote { pre, term, granted: true };
        let now = raft.deadline().unwrap();
        raft.receive(now, ids[1], granted(true, 1)).unwrap();
        assert_eq!(raft.status().role, Role::Candidate);
        tick_early(&mut raft);
        let now = raft.deadline().unwrap();
        raft.receive(now, ids[1], granted(false, raft.status().term)).unwrap();
        assert_eq!(raft.status().role, Role::Leader);
        tick_early(&mut raft);
    }
    all::<Inline<3, 512, 16, 32>>();
    all::<quorate_raft::Fixed<3, 512, 16, 32>>();
}

#[test]
fn leader_deadline_covers_the_heartbeat_and_the_next_paced_chunk() {
    let config = Config {
        max_snapshot_chunk_bytes: 64,
        snapshot_chunk_interval_us: 20_000,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    cluster.elect(1);
    cluster.run_if(1000, |e| e.to != 3 && e.from != 3);
    let now = cluster.now;
    let deadline = cluster.raft(1).deadline().unwrap();
    assert!(deadline > now && deadline <= now.after(50_000));
    cluster.propose(1, "x");
    cluster.settle_if(|e| e.to != 3 && e.from != 3);
    let taken = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(taken, taken).unwrap();
    // node 3 is back, and is sent the first of two chunks
    let mut wanted = None;
    for _ in 0..30 {
        cluster.run(10);
        wanted = wanted.or_else(|| cluster.host(1).chunk_requests.pop());
        if wanted.is_some() {
            break;
        }
    }
    let (to, index, offset) = wanted.unwrap();
    cluster.raft(1).send_snapshot(id(to), index, offset, &[7; 64], false).unwrap();
    cluster.drain(1);
    let sent = cluster.now;
    cluster.settle();
    assert!(cluster.host(1).chunk_requests.is_empty(), "not yet");
    let deadline = cluster.raft(1).deadline().unwrap();
    assert!(deadline <= sent.after(20_000), "{deadline:?} {sent:?}");
    cluster.now = sent.after(20_000);
    let now = cluster.now;
    cluster.raft(1).tick(now);
    cluster.drain(1);
    assert_eq!(cluster.host(1).chunk_requests, [(to, index, 64)]);
}

#[test]
fn joining_node_has_no_deadline() {
    let mut raft = Node::join(id(4), Config::default(), 1).unwrap();
    assert_eq!(raft.deadline(), Some(Instant::ZERO), "the first tick starts the node");
    raft.tick(Instant::ZERO);
    assert_eq!(raft.deadline(), None);
}

#[test]
fn term_after_the_greatest_is_rejected() {
    let last = (1 << 62) - 1;
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    raft.restore(Record::Vote { term: last, vote: None }).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    let beyond = raft.receive(now, id(2), append(last + 1, (0, 0), 0, &[]));
    assert_eq!(beyond, Err(Rejected::OutOfRange));
    assert_eq!(raft.receive(now, id(2), append(last, (0, 0), 0, &[])), Ok(()));
}
