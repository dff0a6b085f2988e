//! Restoring records at boot: impossible records are refused without effect, others restore the state they were made of.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Node, encode, id};
use quorate_core::{Corrupt, Fatal, Instant, Machine, Output, Rejected, Wire};
use quorate_raft::{Config, Event, Fixed, Inline, Message, Raft, Record, Storage};

type Board = Inline<7, 8192, 256, 64>;

const LIMIT: u64 = 1 << 62;

/// Entries of these terms with one byte of data each.
fn run(terms: &[u8]) -> Vec<u8> {
    terms.iter().flat_map(|&term| [term, 1 << 2, b'x']).collect()
}

fn vote(term: u64, vote: Option<u64>) -> Vec<u8> {
    encode(&Record::Vote { term, vote: vote.map(id) })
}

fn append(first: u64, commit: u64, entries: &[u8]) -> Vec<u8> {
    encode(&Record::Append { first, commit, entries })
}

fn snapshot(covers: (u64, u64), compacted: (u64, u64)) -> Vec<u8> {
    let ((index, index_term), (compacted, compacted_term)) = (covers, compacted);
    encode(&Record::Snapshot { index, index_term, compacted, compacted_term })
}

/// The record of the members of a snapshot, valid or not.
fn members(covers: (u64, u64), list: &[(u8, u8)]) -> Vec<u8> {
    // the encoding without members ends with their length
    let mut bytes = encode(&Record::Members {
        index: covers.0,
        index_term: covers.1,
        members: quorate_raft::Members::default(),
    });
    bytes.pop();
    let data = configuration(list);
    bytes.push(data.len() as u8);
    bytes.extend(data);
    bytes
}

/// The record of these founders.
fn founders(ids: &[u8]) -> Vec<u8> {
    let list: Vec<_> = ids.iter().map(|&node| (3, node)).collect();
    [vec![4, 9 * ids.len() as u8], configuration(&list)].concat()
}

fn configuration(list: &[(u8, u8)]) -> Vec<u8> {
    list.iter().flat_map(|&(membership, node)| [membership, node, 0, 0, 0, 0, 0, 0, 0]).collect()
}

fn empty<S: Storage>() -> Raft<S> {
    let config = Config { max_log_bytes: 4096, max_entry_bytes: 64, ..Config::default() };
    Raft::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap()
}

fn restored<S: Storage>(records: &[Vec<u8>]) -> Raft<S> {
    let mut raft = empty();
    for record in records {
        raft.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    raft
}

/// A vote in term 3 and three entries, two of them committed.
fn disk() -> Vec<Vec<u8>> {
    vec![vote(3, Some(2)), append(1, 2, &run(&[1, 2, 3]))]
}

fn assert_refused<S: Storage>(before: &[Vec<u8>], record: &[u8], expected: Corrupt) {
    let mut raft = restored::<S>(before);
    let unchanged = raft.clone();
    let record = Record::from_slice(record).unwrap();
    assert_eq!(raft.restore(record), Err(expected), "{record:?} after {before:?}");
    assert!(raft == unchanged, "{record:?} changed something");
}

fn assert_restored(before: &[Vec<u8>], record: &[u8]) -> Node {
    let mut raft = restored(before);
    let record = Record::from_slice(record).unwrap();
    assert_eq!(raft.restore(record), Ok(()), "{record:?} after {before:?}");
    raft
}

#[test]
fn vote_records_are_validated() {
    for (record, expected) in [
        (vote(LIMIT, None), Corrupt::Malformed),
        (vote(LIMIT, Some(2)), Corrupt::Malformed),
        (vote(0, Some(2)), Corrupt::Malformed),
        (vote(2, None), Corrupt::Regression),
        (vote(3, None), Corrupt::Regression),
        (vote(3, Some(3)), Corrupt::Regression),
    ] {
        assert_refused::<Board>(&disk(), &record, expected);
    }
    assert_eq!(assert_restored(&disk(), &vote(3, Some(2))).status().vote, Some(id(2)));
    assert_eq!(assert_restored(&disk(), &vote(4, None)).status().vote, None);
    assert_eq!(assert_restored(&[vote(3, None)], &vote(3, Some(3))).status().vote, Some(id(3)));
}

#[test]
fn append_records_are_validated() {
    let malformed_config = [3, (9 << 2) | 2, 64, 1, 0, 0, 0, 0, 0, 0, 0];
    for (record, expected) in [
        (append(0, 0, &run(&[3])), Corrupt::Malformed),
        (append(5, 2, &run(&[3])), Corrupt::Gap),
        (append(4, 2, &[]), Corrupt::Malformed),
        (append(4, 2, &run(&[4])), Corrupt::Malformed),
        (append(4, 2, &run(&[2])), Corrupt::Malformed),
        (append(4, 5, &run(&[3])), Corrupt::Malformed),
        (append(2, 2, &run(&[2, 3])), Corrupt::Regression),
        (append(4, 2, &malformed_config), Corrupt::Malformed),
    ] {
        assert_refused::<Board>(&disk(), &record, expected);
    }
    let far = [vote(3, None), snapshot((LIMIT - 1, 1), (LIMIT - 1, 1))];
    assert_refused::<Board>(&far, &append(LIMIT, LIMIT - 1, &run(&[3])), Corrupt::Malformed);
    let raft = assert_restored(&disk(), &append(3, 3, &run(&[3])));
    assert_eq!((raft.status().last, raft.status().commit), (3, 3));
    // the commit index does not go back
    let raft = assert_restored(&disk(), &append(4, 0, &run(&[3])));
    assert_eq!((raft.status().last, raft.status().commit, raft.status().durable), (4, 2, 4));
    // uncommitted entries are replaced
    let raft = assert_restored(&disk(), &append(3, 2, &run(&[2])));
    assert_eq!((raft.term(3), raft.status().last), (Some(2), 3));
}

#[test]
fn configuration_entries_set_the_members() {
    let config = |voters: &[u8]| {
        let data = configuration(&voters.iter().map(|&node| (3, node)).collect::<Vec<_>>());
        let mut entry = vec![3];
        // a longer length takes two bytes, low seven bits first
        let tag = data.len() << 2 | 2;
        match tag {
            0..128 => entry.push(tag as u8),
            _ => entry.extend([tag as u8 | 128, (tag >> 7) as u8]),
        }
        entry.extend(data);
        entry
    };
    let raft = assert_restored(&disk(), &append(4, 2, &config(&[1, 2])));
    assert_eq!((raft.status().config, raft.members().len()), (4, 2));
    // a replaced configuration is no longer in force
    let with = [disk(), vec![append(4, 2, &config(&[1, 2]))]].concat();
    let raft = assert_restored(&with, &append(4, 2, &run(&[3])));
    assert_eq!((raft.status().config, raft.members().len()), (0, 3));
    let raft = assert_restored(&with, &append(5, 2, &run(&[3])));
    assert_eq!((raft.status().config, raft.members().len()), (4, 2));
    assert_refused::<Inline<3, 512, 16, 32>>(
        &disk(),
        &append(4, 2, &config(&[1, 2, 4, 5])),
        Corrupt::Full,
    );
}

#[test]
fn entries_beyond_the_log_capacity_are_refused() {
    let mut raft = restored::<Inline<3, 512, 8, 32>>(&[vote(3, None)]);
    let many = append(1, 0, &run(&[3; 9]));
    assert_eq!(raft.restore(Record::from_slice(&many).unwrap()), Err(Corrupt::Full));
    assert_eq!(raft.status().last, 8);
}

#[test]
fn snapshot_records_are_validated() {
    for (record, expected) in [
        (snapshot((2, 2), (3, 3)), Corrupt::Malformed),
        (snapshot((3, 2), (3, 3)), Corrupt::Malformed),
        (snapshot((LIMIT, 3), (2, 2)), Corrupt::Malformed),
        (snapshot((0, 0), (0, 0)), Corrupt::Malformed),
        (snapshot((3, 4), (2, 2)), Corrupt::Malformed),
        (snapshot((5, 0), (0, 0)), Corrupt::Malformed),
        (snapshot((3, 3), (0, 1)), Corrupt::Malformed),
        (snapshot((3, 3), (1, 0)), Corrupt::Malformed),
    ] {
        assert_refused::<Board>(&disk(), &record, expected);
    }
    let with = [disk(), vec![snapshot((3, 3), (2, 2))]].concat();
    assert_refused::<Board>(&with, &snapshot((2, 2), (2, 2)), Corrupt::Regression);
    assert_refused::<Board>(&with, &snapshot((3, 3), (1, 1)), Corrupt::Regression);
    let again = assert_restored(&with, &snapshot((3, 3), (2, 2)));
    assert_eq!((again.status().first, again.status().last, again.status().commit), (3, 3, 3));
}

#[test]
fn snapshot_record_keeps_the_log_it_agrees_with() {
    let bounds = |raft: Node| (raft.status().first, raft.status().last, raft.status().snapshot);
    // the snapshot ends within the log
    assert_eq!(bounds(assert_restored(&disk(), &snapshot((2, 2), (1, 1)))), (2, 3, 2));
    assert_eq!(bounds(assert_restored(&disk(), &snapshot((2, 2), (0, 0)))), (1, 3, 2));
    // the snapshot is not in the log: the log is not trusted
    assert_eq!(bounds(assert_restored(&disk(), &snapshot((5, 3), (2, 2)))), (3, 2, 5));
    assert_eq!(bounds(assert_restored(&disk(), &snapshot((3, 2), (1, 1)))), (2, 1, 3));
    assert_eq!(bounds(assert_restored(&disk(), &snapshot((5, 3), (5, 3)))), (6, 5, 5));
    // the log ends at the compacted index
    assert_eq!(bounds(assert_restored(&disk(), &snapshot((5, 3), (3, 3)))), (4, 3, 5));
}

#[test]
fn snapshot_member_records_are_validated() {
    let voters = [(3, 1), (3, 2), (3, 4)];
    for (record, expected) in [
        (members((0, 2), &voters), Corrupt::Malformed),
        (members((2, 0), &voters), Corrupt::Malformed),
        (members((LIMIT, 2), &voters), Corrupt::Malformed),
        (members((2, LIMIT), &voters), Corrupt::Malformed),
        (members((2, 2), &[(1, 1), (1, 2)]), Corrupt::Malformed), // no voter
        (members((2, 2), &[(3, 1), (3, 1)]), Corrupt::Malformed), // a duplicate
        (members((2, 2), &[(3, 1), (0, 2)]), Corrupt::Malformed), // a non-member
        (members((2, 2), &[(3, 1), (2, 2)]), Corrupt::Malformed), // a voter that is no member
        (members((2, 2), &[(3, 1), (32, 2)]), Corrupt::Malformed), // not a membership
        (members((2, 2), &[(3, 1), (33, 2)]), Corrupt::Malformed), // not a membership
    ] {
        assert_refused::<Board>(&disk(), &record, expected);
    }
    let four = [(3, 1), (3, 2), (3, 4), (3, 5)];
    assert_refused::<Inline<3, 512, 16, 32>>(&disk(), &members((2, 2), &four), Corrupt::Full);
    // the members are in force once the snapshot that they name is on record
    let raft = assert_restored(&disk(), &members((2, 2), &voters));
    assert!(raft.members().iter().any(|member| member.id == id(3)));
    let with = [disk(), vec![members((2, 2), &voters)]].concat();
    let raft = assert_restored(&with, &snapshot((2, 2), (2, 2)));
    assert!(raft.members().iter().map(|member| member.id).eq([1, 2, 4].map(id)));
    let raft = assert_restored(&with, &snapshot((3, 3), (2, 2)));
    assert!(raft.members().iter().map(|member| member.id).eq([1, 2, 3].map(id)));
    // a joining node knows no members
    assert_restored(&disk(), &members((2, 2), &[]));
}

#[test]
fn restore_after_the_start_is_refused() {
    let mut raft = empty::<Board>();
    raft.tick(Instant::ZERO);
    let record = vote(1, None);
    assert_eq!(raft.restore(Record::from_slice(&record).unwrap()), Err(Corrupt::Started));
    assert_eq!(raft.resume(1, 1), Err(Corrupt::Started));
}

#[test]
fn resume_validates_the_snapshot() {
    let mut raft = restored::<Board>(&disk());
    let unchanged = raft.clone();
    for ((index, term), expected) in [
        ((LIMIT, 3), Err(Corrupt::Malformed)),
        ((3, LIMIT), Err(Corrupt::Malformed)),
        ((0, 3), Err(Corrupt::Malformed)),
        ((3, 0), Err(Corrupt::Malformed)),
        ((5, 3), Err(Corrupt::Gap)),
        ((3, 2), Err(Corrupt::Gap)),
        ((0, 0), Ok(())),
    ] {
        assert_eq!(raft.resume(index, term), expected, "{index}@{term}");
        assert!(raft == unchanged, "{index}@{term} changed something");
    }
    // the vote of the term is kept
    assert_eq!(raft.resume(3, 3), Ok(()));
    let status = raft.status();
    assert_eq!((status.term, status.vote), (3, Some(id(2))));
    assert_eq!((status.snapshot, status.applied, status.commit, status.first), (3, 3, 3, 1));
    // the same snapshot again is accepted, an older one is refused
    assert_eq!(raft.resume(3, 3), Ok(()));
    assert_eq!(raft.resume(2, 2), Err(Corrupt::StaleSnapshot));
    assert_eq!(raft.status(), status);
}

#[test]
fn resume_from_a_snapshot_older_than_its_record_is_refused() {
    fn check<S: Storage>() {
        let mut raft = restored::<S>(&[disk(), vec![snapshot((3, 3), (1, 1))]].concat());
        let unchanged = raft.clone();
        for ((index, term), expected) in [
            ((0, 0), Corrupt::StaleSnapshot),
            ((2, 1), Corrupt::StaleSnapshot),
            ((2, 2), Corrupt::StaleSnapshot),
            ((3, 2), Corrupt::Regression),
            ((0, 3), Corrupt::Malformed),
        ] {
            assert_eq!(raft.resume(index, term), Err(expected), "{index}@{term}");
            assert!(raft == unchanged, "{index}@{term} changed something");
        }
        assert_eq!(raft.resume(3, 3), Ok(()));
        raft.tick(Instant::ZERO);
        assert_eq!((raft.status().applied, raft.fatal()), (3, None));
    }
    check::<Board>();
    check::<Fixed<3, 512, 16, 32>>();
}

#[test]
fn node_stops_if_the_application_does_not_resume_its_snapshot() {
    fn check<S: Storage>() {
        let mut raft = restored::<S>(&[disk(), vec![snapshot((3, 3), (1, 1))]].concat());
        let request = Message::RequestVote { pre: false, term: 9, last_index: 9, last_term: 9 };
        assert_eq!(raft.receive(Instant::ZERO, id(2), request), Err(Rejected::Stopped));
        assert_eq!(raft.fatal(), Some(Fatal::LostState));
        let only = matches!(raft.poll(), Some(Output::Event(Event::Fatal(Fatal::LostState))));
        assert!(only && raft.poll().is_none(), "more output than the fatal event");
        // without a snapshot, `resume` is not required
        let mut raft = restored::<S>(&disk());
        raft.tick(Instant::ZERO);
        assert_eq!(raft.fatal(), None);
    }
    check::<Board>();
    check::<Fixed<3, 512, 16, 32>>();
}

#[test]
fn node_with_lost_state_can_request_a_snapshot() {
    let mut raft = restored::<Board>(&[disk(), vec![snapshot((3, 3), (1, 1))]].concat());
    raft.resume(3, 3).unwrap();
    raft.request_snapshot().unwrap();
    raft.tick(Instant::ZERO);
    assert_eq!(raft.fatal(), None);
    assert!(raft.poll().is_some());
}

#[test]
fn resume_with_fixed_storage() {
    type Small = Fixed<3, 512, 16, 32>;
    let mut raft = restored::<Small>(&disk());
    // the entry is committed with another term
    assert_eq!(raft.resume(2, 1), Err(Corrupt::Regression));
    assert_eq!(raft.status().applied, 0);
    // a snapshot of a later term than the one on disk
    assert_eq!(raft.resume(9, 4), Ok(()));
    let status = raft.status();
    assert_eq!((status.term, status.vote, status.first, status.last), (4, None, 10, 9));
    // the entry is not committed, so the log is replaced
    let mut raft = restored::<Small>(&disk());
    assert_eq!(raft.resume(3, 2), Ok(()));
    assert_eq!((raft.term(3), raft.status().term, raft.status().vote), (Some(2), 3, Some(id(2))));
    // member records are ignored
    let record = members((2, 2), &[(3, 1), (3, 2), (3, 4)]);
    let mut raft = restored::<Small>(&disk());
    assert_eq!(raft.restore(Record::from_slice(&record).unwrap()), Ok(()));
    assert!(raft == restored::<Small>(&disk()));
}

#[test]
fn checkpoint_equals_the_restored_records() {
    let written = |records: &[Vec<u8>]| -> Vec<Vec<u8>> {
        let raft = restored::<Board>(records);
        let checkpoint: Vec<_> = raft.checkpoint().map(|record| encode(&record)).collect();
        assert!(restored::<Board>(&checkpoint) == raft, "{checkpoint:?} is not {records:?}");
        checkpoint
    };
    let founded = |rest: &[Vec<u8>]| [vec![founders(&[1, 2, 3])], rest.to_vec()].concat();
    assert_eq!(written(&founded(&[])), founded(&[vote(0, None)]));
    assert_eq!(written(&founded(&disk())), founded(&disk()));
    let base = members((2, 2), &[(3, 1), (3, 2), (3, 3)]);
    let with = founded(&[disk(), vec![snapshot((2, 2), (1, 1))]].concat());
    let rest = append(2, 2, &run(&[2, 3]));
    let expected = founded(&[vote(3, Some(2)), base, snapshot((2, 2), (1, 1)), rest]);
    assert_eq!(written(&with), expected);
}

#[test]
fn checkpoint_before_resume_keeps_the_snapshot_members() {
    let list = [(3, 1), (3, 2), (3, 3), (3, 4)];
    let mut records = vec![vote(3, None), members((10, 2), &list)];
    // a checkpoint at boot, before `resume`
    records = restored::<Board>(&records).checkpoint().map(|record| encode(&record)).collect();
    assert_eq!(records, [founders(&[1, 2, 3]), vote(3, None), members((10, 2), &list)]);

    let mut raft = restored::<Board>(&records);
    raft.resume(10, 2).unwrap();
    raft.tick(Instant::ZERO);
    while let Some(output) = raft.poll() {
        if let Output::Persist(_, record) = output {
            records.push(encode(&record));
        }
    }
    let raft = restored::<Board>(&records);
    assert_eq!((raft.status().snapshot, raft.members().len()), (10, 4));
}
