//! The write-ahead log: records of any machine, durable in batches.
//!
//! # What is promised
//!
//! * A batch is written with one write and made durable with one sync; [`Wal::append`] returns after that.
//! * After a crash the log ends where its last batch ends, or within that batch if its `append` had not returned: what is left of a
//!   write that a crash cut short is removed.
//! * A record that was durable and is damaged is an error that names the file and the offset; nothing is removed then. How the two
//!   are told apart: a batch is written only when the one before it is durable, and every record says where its batch began.
//!   So damage is a cut-short write only in the last batch. When the log rests or is closed it is sealed, so that damage to
//!   the last batch is noticed too.
//! * A full disk is no failure: the log stays as it was, and the same batch can be tried again.
//! * A failed sync or write is: nothing more is taken, since the system may have dropped what it could not write and call the next
//!   sync a success. A restart reads what the disk really has.
//! * One process at a time.
//! * A checkpoint replaces the log atomically: a crash at any moment leaves the old log or the new one.
//!
//! **Not** told apart from a cut-short write: damage to the very last batch within the short time before the log is sealed, if
//! the node dies in that time too.
//!
//! # Files
//!
//! `wal` is the log, `wal.new` an unfinished checkpoint, `wal.lock` the lock. All numbers are little-endian.
//!
//! | file header, 56 bytes | record, 20 bytes and its payload |
//! |---|---|
//! | magic (8), version (4) | CRC32C of the rest, begun with the file's salt and identity (4) |
//! | CRC32C of the rest (4) | payload length (4) |
//! | salt, different in every file (8) | number, from 0 in every file (8) |
//! | cluster (8), node (8) | place in its batch; the top bit marks a seal (4) |
//! | generation: checkpoints so far (8) | payload |
//! | sealed: what was durable when the file became the log (8) | |
//!
//! ```
//! use std::sync::Arc;
//! use quorate_core::NodeId;
//! use quorate_driver::{WalOptions, wal::{Batch, Identity, SystemDisk, Wal}};
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
mod disk;
mod header;
mod log;
mod options;
mod record;
mod recover;
mod writer;

pub use checkpoint::{Checkpoint, Written};
pub use disk::{Disk, DiskFile, SystemDisk};
pub use header::Identity;
pub use log::{Wal, WriteError};
pub use options::WalOptions;
pub use record::Batch;
pub(crate) use writer::Writer;
