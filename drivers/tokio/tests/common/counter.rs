use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use quorate_core::{NodeId, Rng};
use quorate_tokio::wal::{Batch, Checkpoint, Disk, Identity, Wal, WriteError, Written};
use quorate_tokio::{Error, WalOptions};

pub const IDENTITY: Identity = Identity { cluster: 7, node: NodeId::new(1) };
pub const DIR: &str = "/data";
pub const FILE: &str = "/data/wal";

/// A log of numbered records, each of which carries the digest of all before it: opening notices when one is missing, twice there,
/// out of order, or left over from a time that did not count.
pub struct Counter<D: Disk> {
    pub wal: Wal<D>,
    digests: Vec<u64>,
    /// Records handed to the log.
    pub submitted: u64,
    /// Of those, the ones it called durable.
    pub acknowledged: u64,
    checkpoint: Option<Checkpoint<D>>,
    written: Option<Result<Written<D>, WriteError>>,
}

pub fn options() -> WalOptions {
    // small, so that files end both within and beyond it
    WalOptions { preallocate_bytes: 700, reserve_bytes: 500, ..WalOptions::default() }
}

/// Opens the log, and tells how many records it holds.
pub fn open<D: Disk>(disk: &Arc<D>, options: WalOptions) -> Result<Counter<D>, Error> {
    let mut digests = vec![0];
    let wal = Wal::open(disk.clone(), DIR.as_ref(), IDENTITY, options, |record, _| {
        let (kind, rest) = record.split_at(1);
        let fields: Vec<u64> = rest
            .chunks_exact(8)
            .take(3)
            .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        let count = digests.len() as u64 - 1;
        if kind == b"=" {
            assert_eq!(count, 0, "a base comes first");
            digests = vec![fields[1]; fields[0] as usize + 1];
        } else {
            assert_eq!(fields[0], count, "the next record");
            assert_eq!(Some(&fields[1]), digests.last(), "record {count} follows others");
            assert!(record[25..].iter().all(|&byte| byte == fields[0] as u8));
            digests.push(digest(fields[1], fields[2]));
        }
        Ok(())
    })?;
    let count = digests.len() as u64 - 1;
    Ok(Counter {
        wal,
        digests,
        submitted: count,
        acknowledged: count,
        checkpoint: None,
        written: None,
    })
}

/// Bytes of a record before its filling.
pub const LEAST: usize = 25;

fn digest(before: u64, nonce: u64) -> u64 {
    Rng::new(before ^ nonce.rotate_left(32)).next_u64()
}

fn record(number: u64, before: u64, nonce: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![b'+'];
    for field in [number, before, nonce] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.resize(LEAST + len, number as u8);
    bytes
}

impl<D: Disk> Counter<D> {
    /// A batch of records with these sizes, counted as submitted.
    pub fn batch(&mut self, sizes: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for &len in sizes {
            batch.push_bytes(&self.next(len));
        }
        batch
    }

    pub fn append(&mut self, sizes: &[usize]) -> Result<(), WriteError> {
        let mut batch = self.batch(sizes);
        self.wal.append(&mut batch)?;
        self.acknowledged = self.submitted;
        Ok(())
    }

    pub fn begin(&mut self) {
        let mut base = vec![b'='];
        base.extend_from_slice(&self.submitted.to_le_bytes());
        base.extend_from_slice(&self.digests[self.submitted as usize].to_le_bytes());
        let mut live = Batch::default();
        live.push_bytes(&base);
        self.checkpoint = Some(self.wal.begin_checkpoint(live));
        self.written = None;
    }

    fn next(&mut self, len: usize) -> Vec<u8> {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let (before, nonce) = (self.digests[self.submitted as usize], NONCE.fetch_add(1, Relaxed));
        let bytes = record(self.submitted, before, nonce, len);
        self.digests.push(digest(before, nonce));
        self.submitted += 1;
        bytes
    }

    pub fn write(&mut self) {
        if let Some(checkpoint) = self.checkpoint.take() {
            self.written = Some(checkpoint.write());
        }
    }

    pub fn finish(&mut self) -> Result<(), WriteError> {
        match self.written.take() {
            Some(written) => {
                let done = self.wal.finish_checkpoint(written).map(drop);
                self.wal.reserve_space();
                done
            }
            None => Ok(()),
        }
    }
}
