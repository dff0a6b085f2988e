//! Damage to what was durable is refused, with its place, and nothing is deleted; what a crash left of the last write is removed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::counter::{DIR, FILE, IDENTITY, LEAST, open, options};
use common::disk::SimDisk;
use proptest::prelude::*;
use quorate_core::NodeId;
use quorate_driver::wal::{Identity, SystemDisk, Wal};
use quorate_driver::{Error, WalOptions};

const HEADER: usize = 56;

/// A log, and where its records are.
struct Built {
    disk: Arc<SimDisk>,
    bytes: Vec<u8>,
    records: Vec<Placed>,
    /// Where the next record goes.
    end: usize,
    /// What was durable when the file became the log.
    sealed: usize,
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
    let (mut records, mut sealed) = (Vec::new(), HEADER);
    if checkpoint {
        log.append(&[50, 60]).unwrap();
        log.begin();
        log.append(&[70]).unwrap();
        log.write();
        log.finish().unwrap();
        // a base and a record
        records.push(Placed { at: HEADER, batch: 0, count: 2 });
        records.push(Placed { at: HEADER + 20 + 17, batch: 1, count: 3 });
        sealed = log.wal.size() as usize;
    }
    for sizes in batches {
        let (mut at, batch) = (log.wal.size() as usize, records.len());
        for (size, count) in sizes.iter().zip(log.submitted + 1..) {
            records.push(Placed { at, batch, count });
            at += 20 + LEAST + size;
        }
        log.append(sizes).unwrap();
        assert_eq!(log.wal.size() as usize, at);
    }
    if seal {
        let at = log.wal.size() as usize;
        records.push(Placed { at, batch: records.len(), count: log.submitted });
        log.wal.seal();
    }
    let end = log.wal.size() as usize;
    drop(log);
    let bytes = disk.read(FILE).unwrap();
    Built { disk, bytes, records, end, sealed }
}

/// Opens the log after the damage, which must be refused if anything proves that what it hit was durable, and otherwise be cut
/// off with nothing before it lost.
fn check(built: &Built, damaged: Vec<u8>) -> Result<(), TestCaseError> {
    let differs = |&at: &usize| damaged[at] != built.bytes[at];
    let Some(first) = (0..damaged.len()).find(differs) else {
        return Ok(());
    };
    let last = (0..damaged.len()).rfind(differs).unwrap();
    let hit = (first < built.end).then(|| built.records.iter().rposition(|r| r.at <= first));
    let hit = hit.flatten();
    let proof = |hit| built.records.iter().any(|r| r.at > last && r.batch > hit);
    let refused = first < built.sealed || hit.is_some_and(proof);
    built.disk.write(FILE, damaged.clone());
    match open(&built.disk, options()) {
        Ok(log) => {
            prop_assert!(!refused, "damage to what was durable went unnoticed");
            let kept = hit.unwrap_or(built.records.len());
            let expected = kept.checked_sub(1).map_or(0, |last| built.records[last].count);
            prop_assert_eq!(log.submitted, expected);
        }
        Err(Error::Corrupt { file, offset, what }) => {
            prop_assert!(refused, "a torn tail was refused: {}", what);
            prop_assert_eq!(file, Path::new(FILE));
            prop_assert_eq!(&built.disk.read(FILE).unwrap(), &damaged, "the file was changed");
            match hit {
                Some(hit) => prop_assert_eq!(offset as usize, built.records[hit].at),
                None => prop_assert!((offset as usize) < HEADER),
            }
        }
        Err(other) => prop_assert!(false, "another error: {other}"),
    }
    Ok(())
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
        let start = place.index(damaged.len());
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
        let at = place.index(built.end);
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
        let last = built.records.last().map_or(HEADER, |last| built.records[last.batch].at);
        // a crash cuts within the last batch, never before it
        let cut = last + place.index(built.end - last + 1);
        let mut damaged = built.bytes[..cut].to_vec();
        damaged.extend_from_slice(&noise);
        built.disk.write(FILE, damaged);
        let log = open(&built.disk, options()).unwrap();
        let whole = match built.records.iter().rposition(|r| r.at <= cut) {
            Some(_) if cut == built.end => built.records.len() as u64,
            Some(partial) => partial as u64,
            None => 0,
        };
        // noise may happen to be what was cut off, but not more
        prop_assert!(log.submitted >= whole && log.submitted <= built.records.len() as u64);
        drop(log);
        let mut log = open(&built.disk, options()).unwrap();
        let before = log.submitted;
        log.append(&[1, 2, 3]).unwrap();
        drop(log);
        prop_assert_eq!(open(&built.disk, options()).unwrap().submitted, before + 3);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let built = build(&[], false, false);
        built.disk.write(FILE, bytes.clone());
        let refused = matches!(open(&built.disk, options()), Err(Error::Corrupt { .. }));
        prop_assert!(refused);
        prop_assert_eq!(built.disk.read(FILE).unwrap(), bytes);
    }
}

#[test]
fn a_cut_of_what_was_durable_is_noticed_where_a_checkpoint_proves_it() {
    let built = build(&[], false, true);
    for cut in 0..built.sealed {
        built.disk.write(FILE, built.bytes[..cut].to_vec());
        let refused = open(&built.disk, options());
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "cut at {cut}");
    }
}

#[test]
fn the_error_names_the_file_and_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(SystemDisk);
    let reopen =
        || Wal::open(disk.clone(), dir.path(), IDENTITY, WalOptions::default(), |_, _| Ok(()));
    let mut wal = reopen().unwrap();
    for _ in 0..3 {
        let mut batch = quorate_driver::wal::Batch::default();
        batch.push_bytes(&[1; 100]);
        wal.append(&mut batch).unwrap();
    }
    drop(wal);
    let path = dir.path().join("wal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[HEADER + 120 + 50] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = reopen().unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { file, offset: 176, .. } if *file == path),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("byte 176"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_misdirected_write_is_noticed() {
    let built = build(&[vec![10], vec![10], vec![10], vec![10]], false, false);
    let len = 20 + LEAST + 10;
    let mut damaged = built.bytes.clone();
    damaged.copy_within(HEADER..HEADER + len, HEADER + 2 * len);
    built.disk.write(FILE, damaged);
    let refused = open(&built.disk, options()).map(|log| log.submitted);
    let expected = (HEADER + 2 * len) as u64;
    assert!(matches!(refused, Err(Error::Corrupt { offset, .. }) if offset == expected));
}

#[test]
fn another_nodes_log_is_refused() {
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
fn one_process_at_a_time() {
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
fn records_above_the_limit_are_not_written() {
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
