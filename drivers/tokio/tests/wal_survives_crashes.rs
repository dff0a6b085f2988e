//! The power fails within every operation of many histories, and what was called durable is there.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::sync::Arc;

use crate::common;
use crate::common::counter::{Counter, open, options};
use crate::common::disk::SimDisk;
use quorate_core::Rng;
use quorate_tokio::wal::WriteError;
use quorate_tokio::{Error, WalOptions};

/// What a node does to its log.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Seal,
    Begin,
    Write,
    Finish,
    Reopen,
}

fn random_steps(rng: &mut Rng) -> Vec<Step> {
    (0..rng.range(4, 16))
        .map(|_| match rng.below(12) {
            0..6 => {
                // often alike, so that what a crash left lies where another record would begin
                let sizes = (0..rng.range(1, 5)).map(|_| match rng.below(3) {
                    0 => rng.below(150) as usize,
                    _ => 3,
                });
                let sizes = sizes.collect();
                Step::Append(sizes)
            }
            6 => Step::Seal,
            7 | 8 => Step::Begin,
            9 => Step::Write,
            10 => Step::Finish,
            _ => Step::Reopen,
        })
        .collect()
}

/// What is known of the log when the power fails.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    acknowledged: u64,
    submitted: u64,
}

/// Plays a history until its end or the power's.
fn run_steps(disk: &Arc<SimDisk>, steps: &[Step], known: &mut Known) {
    let Ok(mut log) = open(disk, options()) else {
        assert!(disk.crashed(), "an intact log opens");
        return;
    };
    assert!(log.submitted >= known.acknowledged && log.submitted <= known.submitted);
    // whoever restores a record relies on it
    *known = Known { acknowledged: log.acknowledged, submitted: log.submitted };
    for step in steps {
        let done = perform(disk, log, step);
        match done {
            Ok(next) => log = next,
            Err(at_end) => {
                assert!(disk.crashed(), "nothing fails by itself: {step:?}");
                known.acknowledged = known.acknowledged.max(at_end.acknowledged);
                known.submitted = known.submitted.max(at_end.submitted);
                return;
            }
        }
        *known = Known { acknowledged: log.acknowledged, submitted: log.submitted };
    }
}

fn perform(
    disk: &Arc<SimDisk>,
    mut log: Counter<SimDisk>,
    step: &Step,
) -> Result<Counter<SimDisk>, Known> {
    let done = match step {
        Step::Append(sizes) => log.append(sizes),
        Step::Seal => log.wal.seal(),
        Step::Begin => {
            log.begin();
            Ok(())
        }
        Step::Write => {
            log.write();
            Ok(())
        }
        Step::Finish => log.finish(),
        Step::Reopen => {
            let known = Known { acknowledged: log.acknowledged, submitted: log.submitted };
            drop(log);
            return open(disk, options()).map_err(|_| known);
        }
    };
    match done {
        Ok(()) => Ok(log),
        Err(_) => Err(Known { acknowledged: log.acknowledged, submitted: log.submitted }),
    }
}

#[test]
fn power_failure_at_any_operation() {
    let mut crashes = 0;
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let steps = random_steps(&mut rng);
        let whole = Arc::new(SimDisk::default());
        run_steps(&whole, &steps, &mut Known::default());
        for crash_at in 0..whole.ops() {
            let disk = Arc::new(SimDisk::default());
            disk.set_faults(|faults| {
                faults.crash_at = Some(crash_at);
                faults.short_writes = rng.chance(1, 4).then_some(50);
            });
            let mut known = Known::default();
            run_steps(&disk, &steps, &mut known);
            // and again, while it repairs, and while it goes on
            for _ in 0..4 {
                if rng.chance(1, 3) {
                    disk.kill();
                } else {
                    disk.reboot(rng.next_u64());
                }
                disk.set_faults(|faults| faults.crash_at = Some(rng.below(12)));
                let next = random_steps(&mut rng);
                run_steps(&disk, &next, &mut known);
                crashes += 1;
            }
            disk.reboot(rng.next_u64());
            let log = open(&disk, options()).unwrap_or_else(|error| {
                panic!("seed {seed}, crash at {crash_at}: {error}");
            });
            assert!(
                (known.acknowledged..=known.submitted).contains(&log.submitted),
                "seed {seed}, crash at {crash_at}: {} records, {known:?}",
                log.submitted
            );
        }
    }
    assert!(crashes > 3_000, "{crashes} crashes");
}

#[test]
fn truncated_records_do_not_reappear() {
    for seed in 0..300 {
        let disk = Arc::new(SimDisk::default());
        let mut log = open(&disk, options()).unwrap();
        log.append(&[3]).unwrap();
        let end = log.wal.size() as usize;
        log.append(&[3, 3]).unwrap();
        drop(log);
        // a crash lost the first of the last two
        let mut bytes = disk.read(common::counter::FILE).unwrap();
        bytes[end..end + 20].fill(0);
        disk.write(common::counter::FILE, bytes);
        let mut log = open(&disk, options()).unwrap();
        assert_eq!(log.submitted, 1);
        // another crash, when a record lies where the lost one was, and the second of the two would follow
        let next = disk.ops() + 2;
        disk.set_faults(|faults| faults.crash_at = Some(next));
        assert!(log.append(&[3]).is_err());
        drop(log);
        disk.reboot(seed);
        let log = open(&disk, options()).unwrap();
        assert!((1..=2).contains(&log.submitted), "{} records", log.submitted);
    }
}

#[test]
fn killed_process_loses_no_written_record() {
    let disk = Arc::new(SimDisk::default());
    let mut log = open(&disk, options()).unwrap();
    log.append(&[10, 20]).unwrap();
    log.begin();
    log.append(&[30]).unwrap();
    log.write();
    log.append(&[40, 50]).unwrap();
    log.finish().unwrap();
    log.append(&[60]).unwrap();
    assert_eq!(log.wal.generation(), 1);
    core::mem::forget(log);
    disk.kill();
    assert_eq!(open(&disk, options()).unwrap().submitted, 6);
}

#[test]
fn failed_sync_is_final_and_restart_reads_the_disk() {
    let disk = Arc::new(SimDisk::default());
    let mut log = open(&disk, options()).unwrap();
    log.append(&[10]).unwrap();
    let next_sync = disk.syncs();
    disk.set_faults(|faults| faults.fail_sync = Some(next_sync));
    let failed = log.append(&[20]);
    assert!(matches!(failed, Err(WriteError::Failed(Error::Io { action: "sync", .. }))));
    assert!(matches!(log.append(&[30]), Err(WriteError::Failed(_))), "for good");
    drop(log);
    // what was to be synced can still be read from memory, but it is not on disk
    assert_eq!(open(&disk, options()).unwrap().submitted, 1);
}

#[test]
fn full_disk_is_waited_out() {
    for reserve_bytes in [0, 500] {
        let disk = Arc::new(SimDisk::default());
        let mut log = open(&disk, WalOptions { reserve_bytes, ..options() }).unwrap();
        log.append(&[10]).unwrap();
        let size = log.wal.size();
        let used = disk.usage().0;
        disk.set_faults(|faults| faults.capacity = Some(used + 60));
        let mut batch = log.batch(&[40, 4000]);
        for _ in 0..3 {
            assert!(matches!(log.wal.append(&mut batch), Err(WriteError::Full)));
            assert_eq!(log.wal.size(), size);
            assert!(disk.usage().0 <= used + 60);
        }
        if reserve_bytes == 0 {
            // there is no space for a checkpoint either: the log goes on as it was
            log.begin();
            log.write();
            assert!(matches!(log.finish(), Err(WriteError::Full)));
            assert_eq!(disk.read("/data/wal.new"), None);
        }
        disk.set_faults(|faults| faults.capacity = Some(used + 40_000));
        log.wal.append(&mut batch).unwrap();
        log.begin();
        log.write();
        log.finish().unwrap();
        log.append(&[5]).unwrap();
        drop(log);
        assert_eq!(open(&disk, options()).unwrap().submitted, 4);
    }
}

#[test]
fn disk_without_allocation_works() {
    let disk = Arc::new(SimDisk::default());
    disk.set_faults(|faults| faults.no_allocate = true);
    let mut log = open(&disk, options()).unwrap();
    log.append(&[10, 1000]).unwrap();
    log.append(&[20]).unwrap();
    assert_eq!(disk.read(common::counter::FILE).unwrap().len() as u64, log.wal.size());
    drop(log);
    assert_eq!(open(&disk, options()).unwrap().submitted, 3);
}
