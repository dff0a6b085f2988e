//! The write-ahead log: records of any machine, durable in batches.
//!
//! # What is promised
//!
//! * A batch is written with one write and made durable with one sync; [`Wal::append`] returns after that.
//! * After a crash the log ends where its last batch ends, or within that batch if its `append` had not returned: what is left of a
//!   write that a crash cut short is removed.
//! * A record that was durable and is damaged or missing is an error, [`Error::Corrupt`](crate::Error::Corrupt), that names the file
//!   and the offset, and how much had been durable. Nothing is removed then: nothing ever is but the rest of the last batch.
//! * A full disk is no failure: the log stays as it was, and the same batch can be tried again, or be in a checkpoint.
//! * A failed sync or write is: nothing more is taken, since the system may have dropped what it could not write and call the next
//!   sync a success. A restart reads what the disk really has.
//! * One process at a time.
//! * A checkpoint replaces the log atomically: a crash at any moment leaves the old log or the new one.
//!
//! # How a lost tail is told from a write that was cut short
//!
//! Every file has, outside its tail, two *slots*, each in a page of its own, which say in turn: everything before this offset, the
//! place of record number n, is durable. With a batch the slot that says so of all *before* the batch is written, and shares its
//! sync. When the log rests or is closed, it is *sealed*: a slot that says so of all there is is made durable. On opening, the newer
//! slot that is whole counts; whatever ends before its offset has lost what was acknowledged.
//!
//! That holds for every crash. A slot says what was true before it was written, so it does no harm that it may reach the disk and its
//! batch may not, or in any other order, since neither is relied on before their sync. A slot that a crash tore leaves the other one,
//! which was durable before and says the same of one batch less; and that batch is given away by the remains of the one after it,
//! since every record says where its batch began. A slot is never written over the only one that is durable: a second attempt uses
//! the same place as the first. If neither slot is whole, something other than a crash happened.
//!
//! **Not** noticed:
//!
//! * the loss of the very last batch within the short time before the log is sealed, if the node dies in that time too and the newer slot
//!   is not lost with it, or of the last two if it is;
//! * a log replaced, as a whole, by an older copy of itself, or a disk that loses writes it called durable in all places at once: peers
//!   notice that a node has lost what it acknowledged, the log cannot;
//! * an owner of the disk who computes the checksums: they are no signatures.
//!
//! # Space
//!
//! The log is rewritten, by a checkpoint, when it is larger than [`checkpoint_bytes`](WalOptions::checkpoint_bytes) and than
//! [`checkpoint_ratio`](WalOptions::checkpoint_ratio) times what is alive in it. Room for that is reserved *before* anything is
//! appended: `wal.reserve` is as long as what is alive after the append, at most, and
//! [`reserve_bytes`](WalOptions::reserve_bytes) more. If it cannot be, the append finds the disk full, and nothing was written. A
//! checkpoint takes that file over and writes in place, for which a file system that overwrites in place needs no new blocks. So on a
//! disk that others have filled a checkpoint still completes, as long as what waits fits into `reserve_bytes`; it has all that waits,
//! and gives back what was dead. [`WalOptions::max_disk_bytes`] is the bound on all of it. Once there is space, everything goes on by
//! itself.
//!
//! **Not** promised on file systems that never overwrite in place (Btrfs, ZFS), which may need space for that, nor where space cannot be
//! reserved at all: there a full disk is waited out, and the log may not shrink until others give space back.
//!
//! # Files
//!
//! `wal` is the log, `wal.new` an unfinished checkpoint, `wal.reserve` the space reserved for one (zeros), `wal.lock` the lock. All
//! numbers are little-endian. What follows the last record is zeros: space reserved.
//!
//! | at byte | of version 2 |
//! |---|---|
//! | 0 | header: magic (8), version (4), CRC32C of the rest (4), salt, different in every file (8), cluster (8), node (8), generation: checkpoints so far (8), 0 (8) |
//! | 4096, 8192 | slots: CRC32C of the rest (4), number, of which odd ones are in the second (8), offset (8), number of the record there (8) |
//! | 12288 | records: CRC32C of the rest (4), payload length (4), number, from 0 in every file (8), place in its batch, the top bit of which marks a seal (4), payload |
//!
//! The checksums of slots and records begin with the file's salt and identity. Record 0 is a seal, and is there from the first: a file
//! without a record that can be read has lost what it had.
//!
//! Version 1 had no slots: its records began at byte 56, the header's last field was how much was durable when the file became the
//! log, and sealing added a record without a sync, so a lost tail passed for a cut-short write. It is opened, and written on, until
//! a checkpoint makes it version 2 ([`Wal::is_outdated`]; a node does that at once).
//!
//! ```
//! use std::sync::Arc;
//! use quorate_core::NodeId;
//! use quorate_tokio::{WalOptions, wal::{Batch, Identity, SystemDisk, Wal}};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let identity = Identity { cluster: 7, node: NodeId::new(1) };
//! let open = |records: &mut Vec<Vec<u8>>| {
//!     Wal::open(Arc::new(SystemDisk), dir, identity, WalOptions::default(), |record, _offset| {
//!         records.push(record.to_vec());
//!         Ok(())
//!     })
//! };
//! let mut wal = open(&mut Vec::new())?;
//! let mut batch = Batch::default();
//! batch.push_bytes(b"one");
//! batch.push_bytes(b"two");
//! wal.append(&mut batch)?;
//! drop(wal);
//!
//! let mut records = Vec::new();
//! open(&mut records)?;
//! assert_eq!(records, [b"one", b"two"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoint;
mod checksums;
mod disk;
mod header;
mod log;
mod options;
mod record;
mod recover;
mod reserve;
mod slot;
mod window;
mod write;
mod writer;

pub use checkpoint::{Checkpoint, Written};
pub use disk::{Disk, DiskFile, SystemDisk};
pub use header::Identity;
pub use log::Wal;
pub use options::WalOptions;
pub use record::Batch;
pub use write::WriteError;

pub(crate) use header::room_for;
pub(crate) use writer::Writer;
