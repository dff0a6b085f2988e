use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use super::disk::{Disk, DiskFile};
use super::header::{self, FileHeader, PAGE};
use super::record::{self, Batch};
use super::slot::{self, Slot};
use super::write::{WriteError, write_all};
use crate::Error;

/// A log about to be rewritten; see [`Wal::begin_checkpoint`](super::Wal::begin_checkpoint).
pub struct Checkpoint<D: Disk> {
    pub(crate) disk: Arc<D>,
    pub(crate) path: PathBuf,
    /// The room that was reserved for it, and how much that is.
    pub(crate) reserve: (PathBuf, u64),
    pub(crate) header: FileHeader,
    pub(crate) live: Batch,
}

/// A rewritten log that is not in use yet; see [`Wal::finish_checkpoint`](super::Wal::finish_checkpoint).
pub struct Written<D: Disk> {
    pub(crate) file: D::File,
    pub(crate) header: FileHeader,
    pub(crate) end: u64,
    pub(crate) next_seq: u64,
    /// How far the file reaches, zeros included.
    pub(crate) allocated: u64,
}

impl<D: Disk> Checkpoint<D> {
    /// Writes the new file beside the log, and syncs it, so that the swap has little left to do.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; hand it to [`finish_checkpoint`](super::Wal::finish_checkpoint) as well.
    pub fn write(mut self) -> Result<Written<D>, WriteError> {
        let failed = |action, error| WriteError::of(action, &self.path, error);
        let (file, reserved) = self.open().map_err(|e| failed("create", e))?;
        let end = (header::OPENING + self.live.len()) as u64;
        let next_seq = 1 + u64::from(self.live.records());
        let records = self.live.numbered(self.header.seed(), 1, 0);
        let opening = opening(&self.header, end, next_seq).0;
        write_all(&file, &opening, 0).map_err(|e| failed("write", e))?;
        write_all(&file, records, header::OPENING as u64).map_err(|e| failed("write", e))?;
        // no later success makes up for a failed sync, whichever file it was about
        file.sync().map_err(|e| WriteError::Failed(Error::io("sync", &self.path, e)))?;
        Ok(Written { file, header: self.header, end, next_seq, allocated: reserved.max(end) })
    }

    /// The file to write, and how much room is reserved in it.
    fn open(&self) -> io::Result<(D::File, u64)> {
        let (reserve, len) = &self.reserve;
        if *len > 0 {
            match self.disk.rename(reserve, &self.path) {
                Ok(()) => return Ok((self.disk.open(&self.path)?, *len)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok((self.disk.create(&self.path)?, 0))
    }
}

/// What a file begins with, of which everything before `durable` will be durable before it is the log: the header, the same in both
/// slots, and a seal. And the slot that counts.
pub(crate) fn opening(header: &FileHeader, durable: u64, next_seq: u64) -> (Vec<u8>, Slot) {
    let (seed, first) = (header.seed(), Slot { number: 0, durable, next_seq });
    let second = first.next(durable, next_seq);
    let mut bytes = vec![0; header::OPENING];
    bytes[..header::LEN].copy_from_slice(&header.encode());
    bytes[PAGE..PAGE + slot::LEN].copy_from_slice(&first.encode(seed));
    bytes[2 * PAGE..2 * PAGE + slot::LEN].copy_from_slice(&second.encode(seed));
    bytes[header::START..].copy_from_slice(&record::seal(seed, 0));
    (bytes, second)
}

impl<D: Disk> fmt::Debug for Checkpoint<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<D: Disk> fmt::Debug for Written<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("header", &self.header).finish_non_exhaustive()
    }
}
