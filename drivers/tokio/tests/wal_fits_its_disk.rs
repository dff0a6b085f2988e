//! A log on a disk that fills up: it can always be rewritten in the room reserved for that, takes no more than its bound, and goes on by
//! itself once there is space.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::sync::Arc;
use std::time::Duration;

use crate::common::counter::{Counter, open, options};
use crate::common::disk::SimDisk;
use crate::common::register::{Register, RegisterApp, Request};
use crate::common::{self, RegisterNode, listener, raise, run, until, value};
use quorate_core::{NodeId, Rng};
use quorate_tokio::wal::{Disk, DiskFile, WriteError};
use quorate_tokio::{NodeOptions, StorageHealth, WalOptions, start_with_disk};
use tokio::sync::oneshot;

/// Takes all that is left of the disk.
fn fill(disk: &SimDisk) {
    disk.set_faults(|faults| faults.capacity = None);
    let used = disk.usage().0;
    disk.set_faults(|faults| faults.capacity = Some(used));
}

fn rewrite(log: &mut Counter<SimDisk>) -> Result<(), WriteError> {
    log.begin();
    log.write();
    log.finish()
}

/// Whatever is in the log, and with nothing left on the disk, it is rewritten with all that waits.
#[test]
fn log_is_rewritten_on_a_full_disk() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let disk = Arc::new(SimDisk::default());
        let mut log = open(&disk, options()).unwrap();
        for _ in 0..8 {
            for _ in 0..rng.range(0, 30) {
                log.append(&vec![rng.below(300) as usize; rng.range(1, 4) as usize]).unwrap();
            }
            fill(&disk);
            let mut batch = log.batch(&[100, 150]);
            let full = loop {
                match log.wal.append(&mut batch) {
                    // some was reserved
                    Ok(()) => batch = log.batch(&[100, 150]),
                    Err(error) => break error,
                }
            };
            assert!(matches!(full, WriteError::Full), "{full}");
            let (size, submitted) = (log.wal.size(), log.submitted);
            rewrite(&mut log).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(log.wal.size() < size.max(12_400), "seed {seed}");
            drop(log);
            // a restart needs no space either
            fill(&disk);
            log = open(&disk, options()).unwrap();
            assert_eq!(log.submitted, submitted, "seed {seed}");
            disk.set_faults(|faults| faults.capacity = None);
        }
    }
}

/// The disk takes no more from any operation on. Then the log is rewritten, or waits until there is space; nothing is lost.
#[test]
fn disk_full_from_any_operation_on() {
    let (mut full, mut rewritten) = (0, 0);
    for seed in 0..30 {
        let whole = Arc::new(SimDisk::default());
        run_steps(&whole, seed, &mut 0, &mut 0);
        for at in 0..whole.ops() {
            let disk = Arc::new(SimDisk::default());
            disk.set_faults(|faults| {
                faults.full_at = Some(at);
                faults.short_writes = (seed % 3 == 0).then_some(50);
            });
            run_steps(&disk, seed, &mut full, &mut rewritten);
        }
    }
    assert!(full > 100 && rewritten > 100, "{full} {rewritten}");
}

fn run_steps(disk: &Arc<SimDisk>, seed: u64, full: &mut u64, rewritten: &mut u64) {
    let mut rng = Rng::new(seed);
    let Ok(mut log) = open(disk, options()) else {
        // there was no space to begin with
        disk.set_faults(|faults| faults.capacity = None);
        assert_eq!(open(disk, options()).unwrap().submitted, 0);
        return;
    };
    let mut submitted = 0;
    for _ in 0..rng.range(5, 25) {
        match rng.below(8) {
            0 => {
                // one that has room to begin with, and may find none for the rest
                log.begin();
                if rng.chance(1, 2) {
                    append(disk, &mut log, &mut rng, full, rewritten);
                }
                log.write();
                if rng.chance(1, 2) {
                    append(disk, &mut log, &mut rng, full, rewritten);
                }
                match log.finish() {
                    Ok(()) | Err(WriteError::Full) => {}
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
            1 => match log.wal.seal() {
                Ok(()) | Err(WriteError::Full) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            },
            2 => {
                drop(log);
                log = open(disk, options()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                assert_eq!(log.submitted, submitted, "seed {seed}");
            }
            _ => append(disk, &mut log, &mut rng, full, rewritten),
        }
        submitted = log.submitted;
    }
    drop(log);
    disk.reboot(seed);
    assert_eq!(open(disk, options()).unwrap().submitted, submitted, "seed {seed}");
}

/// Appends as the writer does: what finds no space is in the next checkpoint, or comes again when there is space.
fn append(
    disk: &SimDisk,
    log: &mut Counter<SimDisk>,
    rng: &mut Rng,
    full: &mut u64,
    rewritten: &mut u64,
) {
    let mut batch = log.batch(&vec![rng.below(900) as usize; rng.range(1, 4) as usize]);
    match log.wal.append(&mut batch) {
        Ok(()) => return,
        Err(WriteError::Full) => *full += 1,
        Err(error) => panic!("{error}"),
    }
    match rewrite(log) {
        Ok(()) => *rewritten += 1,
        Err(WriteError::Full) => {
            disk.set_faults(|faults| faults.capacity = None);
            log.wal.append(&mut batch).unwrap();
            fill(disk);
        }
        Err(error) => panic!("{error}"),
    }
}

/// A node without peers, whose log keeps to small limits.
fn small() -> WalOptions {
    WalOptions {
        checkpoint_bytes: 4_000,
        preallocate_bytes: 2_000,
        reserve_bytes: 3_000,
        full_retry_ms: 1,
        seal_after_ms: 10,
        ..WalOptions::default()
    }
}

fn alone(disk: &Arc<SimDisk>) -> RegisterNode {
    let (ours, _) = listener();
    let mut options =
        NodeOptions::new(NodeId::new(1), common::CLUSTER, ours, Vec::new(), "/data".into());
    options.wal = small();
    let machine = Register::new(Vec::new());
    start_with_disk(disk.clone(), machine, |machine| Ok(RegisterApp::new(machine)), options)
        .unwrap()
}

/// One record is alive, of 101 bytes, and one waits.
const RECORD: u64 = 120;

#[test]
fn disk_use_stays_within_its_bound() {
    let disk = Arc::new(SimDisk::default());
    let node = alone(&disk);
    run(async {
        let mut last = 0;
        while node.metrics().snapshot().wal.checkpoints < 10 {
            last += 1;
            raise(&node, last).await;
        }
        let (_, peak) = disk.usage();
        let bound = small().max_disk_bytes(RECORD, RECORD);
        assert!(peak <= bound, "{peak} bytes, and {bound} were promised");
        node.stop().await.unwrap();
        let node = alone(&disk);
        assert_eq!(value(&node).await, last);
        node.stop().await.unwrap();
    });
}

#[test]
fn disk_of_the_computed_size_never_fills_up() {
    let disk = Arc::new(SimDisk::default());
    disk.set_faults(|f| f.capacity = Some(small().max_disk_bytes(RECORD, RECORD)));
    let node = alone(&disk);
    run(async {
        for value in 1..=600 {
            raise(&node, value).await;
        }
        let wal = node.metrics().snapshot().wal;
        assert!(wal.checkpoints > 3 && wal.full == 0 && wal.checkpoints_failed == 0, "{wal:?}");
        node.stop().await.unwrap();
    });
}

/// Others fill the disk. The log is rewritten where it is, whenever there is something dead in it, so that the node goes on.
#[test]
fn full_disk_log_makes_room_for_itself() {
    let disk = Arc::new(SimDisk::default());
    let node = alone(&disk);
    run(async {
        for value in 1..=30 {
            raise(&node, value).await;
        }
        fill(&disk);
        for value in 31..=400 {
            raise(&node, value).await;
        }
        let wal = node.metrics().snapshot().wal;
        assert!(wal.checkpoints > 3, "{wal:?}");
        node.stop().await.unwrap();
        fill(&disk);
        let node = alone(&disk);
        assert_eq!(value(&node).await, 400);
        for value in 401..=500 {
            raise(&node, value).await;
        }
        node.stop().await.unwrap();
    });
}

/// The room reserved is there after a copy of the directory, too, which may have its name and length alone, and is looked for again.
#[test]
fn reserve_is_checked_at_start() {
    let disk = Arc::new(SimDisk::default());
    let mut log = open(&disk, options()).unwrap();
    log.append(&[50]).unwrap();
    let reserved = log.wal.reserved();
    assert!(reserved >= 12_308 + 500);
    drop(log);
    assert_eq!(open(&disk, options()).unwrap().wal.reserved(), reserved);
    // turned off: the space is given back
    let without = WalOptions { reserve_bytes: 0, ..options() };
    assert_eq!(open(&disk, without).unwrap().wal.reserved(), 0);
    assert_eq!(disk.read("/data/wal.reserve"), None);
    // a file that another left there
    disk.create("/data/wal.reserve".as_ref()).unwrap().set_len(7).unwrap();
    let mut log = open(&disk, options()).unwrap();
    log.append(&[50]).unwrap();
    fill(&disk);
    rewrite(&mut log).unwrap();
}

/// Health as the application is told it.
async fn health(node: &RegisterNode) -> Vec<StorageHealth> {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Health(answer)).await.unwrap();
    answered.await.unwrap()
}

/// Nothing in the log is dead, so there is nothing to gain: it waits, and goes on by itself.
#[test]
fn full_disk_is_waited_out_when_nothing_is_dead() {
    let disk = Arc::new(SimDisk::default());
    let node = alone(&disk);
    run(async {
        raise(&node, 1).await;
        disk.set_faults(|faults| faults.capacity = Some(1));
        let mut last = 1;
        let mut waiting = Vec::new();
        until("it is told", async || {
            last += 1;
            let (answer, answered) = oneshot::channel();
            node.handle().send(Request::Raise(last, answer)).await.unwrap();
            waiting.push(answered);
            tokio::time::sleep(Duration::from_millis(1)).await;
            health(&node).await.first() == Some(&StorageHealth::Full)
        })
        .await;
        assert_eq!(value(&node).await, last, "the loop goes on meanwhile");
        disk.set_faults(|faults| faults.capacity = None);
        for answered in waiting {
            answered.await.unwrap();
        }
        assert_eq!(health(&node).await.last(), Some(&StorageHealth::Good));
        node.stop().await.unwrap();
    });
}
