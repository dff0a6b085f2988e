//! Damage to what was durable is refused, with its place, and nothing is deleted; what a crash left of the last write is removed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::path::Path;
use std::sync::Arc;

use crate::common::counter::{DIR, FILE, IDENTITY, LEAST, open, options};
use crate::common::disk::SimDisk;
use proptest::prelude::*;
use quorate_core::NodeId;
use quorate_tokio::wal::{Identity, SystemDisk, Wal};
use quorate_tokio::{Error, WalOptions};

/// Bytes of the header; where the two slots are, and their size; where the first record that was appended begins.
const HEADER: usize = 56;
const SLOTS: [usize; 2] = [4096, 8192];
const SLOT: usize = 28;
const START: usize = 3 * 4096;
const FIRST: usize = START + 20;

/// A log, and where its records are.
struct Built {
    disk: Arc<SimDisk>,
    bytes: Vec<u8>,
    records: Vec<Placed>,
    /// Where the next record goes.
    end: usize,
    /// What the slots say to have been durable, by their numbers.
    floors: Vec<usize>,
}

impl Built {
    /// What the slots that were not hit say to have been durable; `None` if both were.
    fn floor(&self, hit: impl Fn(usize) -> bool) -> Option<usize> {
        let last = self.floors.len() - 1;
        [last, last - 1].into_iter().find(|n| !hit(n & 1)).map(|n| self.floors[n])
    }
}

#[derive(Clone, Copy)]
struct Placed {
    at: usize,
    /// Its batch's first record, by its place in the log.
    batch: usize,
    /// What is counted with all records up to and including it.
    count: u64,
}

fn build(batches: &[Vec<usize>], seal: bool, checkpoint: bool) -> Built {
    let disk = Arc::new(SimDisk::default());
    let mut log = open(&disk, options()).unwrap();
    let opening = Placed { at: START, batch: 0, count: 0 };
    let (mut records, mut floors) = (vec![opening], vec![FIRST; 2]);
    if checkpoint {
        log.append(&[50, 60]).unwrap();
        log.begin();
        log.append(&[70]).unwrap();
        log.write();
        log.finish().unwrap();
        // a base and a record
        records.push(Placed { at: FIRST, batch: 1, count: 2 });
        records.push(Placed { at: FIRST + 20 + 17, batch: 2, count: 3 });
        floors = vec![log.wal.size() as usize; 2];
    }
    for sizes in batches {
        let (mut at, batch) = (log.wal.size() as usize, records.len());
        for (size, count) in sizes.iter().zip(log.submitted + 1..) {
            records.push(Placed { at, batch, count });
            at += 20 + LEAST + size;
        }
        floors.push(log.wal.size() as usize);
        log.append(sizes).unwrap();
        assert_eq!(log.wal.size() as usize, at);
    }
    let end = log.wal.size() as usize;
    if seal && log.wal.needs_seal() {
        floors.push(end);
        log.wal.seal().unwrap();
    }
    assert_eq!(log.wal.size() as usize, end);
    drop(log);
    let bytes = disk.read(FILE).unwrap();
    Built { disk, bytes, records, end, floors }
}

/// Opens the log after the damage, which must be refused if anything proves that what it hit was durable, and otherwise be cut
/// off with nothing before it lost.
fn check(built: &Built, damaged: Vec<u8>) -> Result<(), TestCaseError> {
    let differs = |&at: &usize| damaged[at] != built.bytes[at];
    let hits = |start: usize, len: usize| (start..start + len).any(|at| differs(&at));
    let header = hits(0, HEADER);
    let floor = built.floor(|which| hits(SLOTS[which], SLOT));
    let first = (START..damaged.len()).find(differs);
    let last = (START..damaged.len()).rfind(differs);
    let hit = first.filter(|&first| first < built.end);
    let hit = hit.and_then(|first| built.records.iter().rposition(|r| r.at <= first));
    let proof = |hit| built.records.iter().any(|r| Some(r.at) > last && r.batch > hit);
    let kept_floor = |hit: usize| floor.is_none_or(|floor| built.records[hit].at >= floor);
    let refused =
        header || floor.is_none() || hit.is_some_and(|hit| !kept_floor(hit) || proof(hit));
    built.disk.write(FILE, damaged.clone());
    match open(&built.disk, options()) {
        Ok(log) => {
            prop_assert!(!refused, "damage to what was durable went unnoticed");
            let kept = hit.unwrap_or(built.records.len());
            prop_assert_eq!(log.submitted, built.records[kept - 1].count);
        }
        Err(Error::Corrupt { file, offset, durable, what }) => {
            prop_assert!(refused, "a torn tail was refused: {}", what);
            prop_assert_eq!(file, Path::new(FILE));
            prop_assert_eq!(&built.disk.read(FILE).unwrap(), &damaged, "the file was changed");
            match hit {
                _ if header => prop_assert!((offset as usize) < HEADER),
                _ if floor.is_none() => prop_assert_eq!(offset as usize, SLOTS[0]),
                Some(hit) => {
                    prop_assert_eq!(offset as usize, built.records[hit].at);
                    prop_assert_eq!(durable, floor.map(|floor| floor as u64));
                }
                None => prop_assert!(false, "refused without a reason"),
            }
        }
        Err(other) => prop_assert!(false, "another error: {other}"),
    }
    Ok(())
}

/// A place that is used: most of the file's beginning is not.
fn used(built: &Built, place: &prop::sample::Index) -> usize {
    let end = built.bytes.len() - START;
    let at = place.index(HEADER + 2 * SLOT + end);
    match at {
        ..HEADER => at,
        HEADER.. if at < HEADER + SLOT => SLOTS[0] + at - HEADER,
        _ if at < HEADER + 2 * SLOT => SLOTS[1] + at - HEADER - SLOT,
        _ => START + at - HEADER - 2 * SLOT,
    }
}

fn batches() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(0_usize..120, 1..4), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_bytes(
        batches in batches(),
        sealed: bool,
        checkpoint: bool,
        place: prop::sample::Index,
        noise in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let built = build(&batches, sealed && !batches.is_empty(), checkpoint);
        let mut damaged = built.bytes.clone();
        let start = used(&built, &place);
        for (byte, noise) in damaged[start..].iter_mut().zip(noise) {
            *byte = noise;
        }
        check(&built, damaged)?;
    }

    #[test]
    fn one_flipped_bit(
        batches in batches(),
        sealed: bool,
        checkpoint: bool,
        place: prop::sample::Index,
        bit in 0..8_u32,
    ) {
        let built = build(&batches, sealed && !batches.is_empty(), checkpoint);
        let mut damaged = built.bytes.clone();
        let at = used(&built, &place);
        damaged[at] ^= 1 << bit;
        check(&built, damaged)?;
    }

    #[test]
    fn cut_short_or_continued_with_noise(
        batches in batches(),
        place: prop::sample::Index,
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let built = build(&batches, false, false);
        let last = built.records.last().map_or(START, |last| built.records[last.batch].at);
        let last = last.max(FIRST);
        // a crash cuts within the last batch, never before it
        let cut = last + place.index(built.end - last + 1);
        let mut damaged = built.bytes[..cut].to_vec();
        damaged.extend_from_slice(&noise);
        built.disk.write(FILE, damaged);
        let log = open(&built.disk, options()).unwrap();
        // the first of all is nobody's
        let whole = match built.records.iter().rposition(|r| r.at <= cut) {
            Some(_) if cut == built.end => built.records.len() as u64 - 1,
            Some(partial) => partial as u64 - 1,
            None => 0,
        };
        // noise may happen to be what was cut off, but not more
        prop_assert!(log.submitted >= whole && log.submitted < built.records.len() as u64);
        drop(log);
        let mut log = open(&built.disk, options()).unwrap();
        let before = log.submitted;
        log.append(&[1, 2, 3]).unwrap();
        drop(log);
        prop_assert_eq!(open(&built.disk, options()).unwrap().submitted, before + 3);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // in place of a log, not only of its beginning
        let built = build(&[], false, false);
        built.disk.write(FILE, bytes.clone());
        let refused = matches!(open(&built.disk, options()), Err(Error::Corrupt { .. }));
        prop_assert!(refused);
        prop_assert_eq!(built.disk.read(FILE).unwrap(), bytes);
    }
}

/// Refused, and as it was.
fn refused(disk: &Arc<SimDisk>, damaged: &[u8]) -> Option<Error> {
    disk.write(FILE, damaged.to_vec());
    let error = open(disk, options()).err()?;
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(disk.read(FILE).unwrap(), damaged, "the file was changed");
    Some(error)
}

/// The tail is gone, or zeros, from any place on: that is noticed unless all of it is of the last batch of a log that was not sealed.
#[test]
fn lost_tail_is_detected() {
    for (batches, seal, checkpoint) in [
        (vec![], false, false),
        (vec![vec![5, 60], vec![0], vec![30, 1]], false, false),
        (vec![vec![5, 60], vec![0], vec![30, 1]], true, false),
        (vec![], false, true),
        (vec![vec![20, 20]], false, true),
        (vec![vec![20, 20]], true, true),
    ] {
        let built = build(&batches, seal, checkpoint);
        let floor = *built.floors.last().unwrap();
        let step = |at| if at < START { 61 } else { 1 };
        let mut cut = 0;
        while cut < built.end {
            let cut_off = refused(&built.disk, &built.bytes[..cut]);
            assert_eq!(cut_off.is_some(), cut < floor, "cut at {cut} of {}", built.end);
            let mut zeroed = built.bytes.clone();
            zeroed[cut..].fill(0);
            let lost = cut < floor && zeroed[..floor] != built.bytes[..floor];
            assert_eq!(refused(&built.disk, &zeroed).is_some(), lost, "zeros from {cut} on");
            cut += step(cut);
        }
        built.disk.write(FILE, built.bytes.clone());
        assert_eq!(
            open(&built.disk, options()).unwrap().submitted,
            built.records.last().unwrap().count
        );
    }
}

/// Nothing of a log fits to the beginning of another one of the same node, and nothing is deleted for that.
#[test]
fn beginning_of_another_log_is_detected() {
    let other = build(&[vec![3], vec![4]], true, false);
    for (seal, checkpoint) in [(false, false), (true, false), (true, true)] {
        let built = build(&[vec![30; 40], vec![30; 40], vec![5]], seal, checkpoint);
        for len in [HEADER, SLOTS[0] + SLOT, SLOTS[1] + SLOT, START] {
            let mut damaged = built.bytes.clone();
            damaged[..len].copy_from_slice(&other.bytes[..len]);
            let error = refused(&built.disk, &damaged).expect("it is refused");
            assert!(error.to_string().contains("under a new id"), "{error}");
        }
    }
}

/// Where nothing was ever appended there is a record too: a file without one is not taken for one whose first batch was cut short.
#[test]
fn file_without_records_is_refused() {
    for batches in [vec![], vec![vec![10, 10]]] {
        let built = build(&batches, false, false);
        let mut damaged = built.bytes.clone();
        damaged[START..].fill(0);
        assert!(refused(&built.disk, &damaged).is_some());
        damaged[START..FIRST].fill(0x5a);
        assert!(refused(&built.disk, &damaged).is_some());
    }
}

/// One slot is enough, whichever; what it says of the last batch but one is true.
#[test]
fn one_lost_slot_is_tolerated_and_two_are_detected() {
    let built = build(&[vec![10], vec![20, 5], vec![1]], false, false);
    for (lost, expected) in [(vec![0], true), (vec![1], true), (vec![0, 1], false)] {
        let mut damaged = built.bytes.clone();
        for &which in &lost {
            damaged[SLOTS[which]..SLOTS[which] + SLOT].fill(0);
        }
        let error = refused(&built.disk, &damaged);
        assert_eq!(error.is_none(), expected, "{lost:?}");
        if expected {
            // and is written again
            built.disk.write(FILE, damaged);
            let mut log = open(&built.disk, options()).unwrap();
            log.append(&[7]).unwrap();
            log.wal.seal().unwrap();
            let (end, all) = (log.wal.size() as usize, log.submitted);
            drop(log);
            let bytes = built.disk.read(FILE).unwrap();
            assert!(refused(&built.disk, &bytes[..end - 1]).is_some());
            built.disk.write(FILE, bytes);
            assert_eq!(open(&built.disk, options()).unwrap().submitted, all);
        }
    }
}

#[test]
fn corruption_message_explains_the_remedy() {
    let built = build(&[vec![10], vec![10]], true, false);
    let cut = built.end - 10;
    let text = refused(&built.disk, &built.bytes[..cut]).unwrap().to_string();
    let at = built.records.last().unwrap().at;
    assert_eq!(
        text,
        format!(
            "/data/wal is damaged at byte {at}: a record's length goes beyond the end of the file; everything up to byte {} had \
             been acknowledged. Nothing was changed. This node has forgotten what it acknowledged: remove it from its cluster, and add it \
             again under a new id with an empty directory. Do not start it on an older copy: that loses acknowledged data, and nothing \
             notices",
            built.end
        )
    );
}

#[test]
fn corruption_error_names_file_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(SystemDisk);
    let reopen =
        || Wal::open(disk.clone(), dir.path(), IDENTITY, WalOptions::default(), |_, _| Ok(()));
    let mut wal = reopen().unwrap();
    for _ in 0..3 {
        let mut batch = quorate_tokio::wal::Batch::default();
        batch.push_bytes(&[1; 100]);
        wal.append(&mut batch).unwrap();
    }
    drop(wal);
    let path = dir.path().join("wal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[FIRST + 120 + 50] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = reopen().unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { file, offset: 12_428, .. } if *file == path),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("byte 12428"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn misdirected_write_is_detected() {
    let built = build(&[vec![10], vec![10], vec![10], vec![10]], false, false);
    let len = 20 + LEAST + 10;
    let mut damaged = built.bytes.clone();
    damaged.copy_within(FIRST..FIRST + len, FIRST + 2 * len);
    built.disk.write(FILE, damaged);
    let refused = open(&built.disk, options()).map(|log| log.submitted);
    let expected = (FIRST + 2 * len) as u64;
    assert!(matches!(refused, Err(Error::Corrupt { offset, .. }) if offset == expected));
}

#[test]
fn log_of_another_node_is_refused() {
    let built = build(&[vec![10]], false, false);
    for identity in
        [Identity { cluster: 8, ..IDENTITY }, Identity { node: NodeId::new(2), ..IDENTITY }]
    {
        let refused =
            Wal::open(built.disk.clone(), DIR.as_ref(), identity, options(), |_, _| Ok(()));
        assert!(
            matches!(refused, Err(Error::Identity { cluster: 7, node, .. }) if node == IDENTITY.node)
        );
    }
    assert_eq!(open(&built.disk, options()).unwrap().submitted, 1);
}

#[test]
fn second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let reopen = || {
        let disk = Arc::new(SystemDisk);
        Wal::open(disk, dir.path(), IDENTITY, WalOptions::default(), |_, _| Ok(()))
    };
    let first = reopen().unwrap();
    let error = reopen().unwrap_err();
    assert!(matches!(&error, Error::Locked { dir: named } if named == dir.path()), "{error:?}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    drop(first);
    reopen().unwrap();
}

#[test]
fn oversized_records_are_refused() {
    let disk = Arc::new(SimDisk::default());
    let mut log = open(&disk, WalOptions { max_record_bytes: LEAST + 25, ..options() }).unwrap();
    log.append(&[25]).unwrap();
    let error = log.append(&[26]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a record of 51 bytes is larger than the log takes (50): raise max_record_bytes"
    );
    drop(log);
    assert_eq!(open(&disk, options()).unwrap().submitted, 1);
}
