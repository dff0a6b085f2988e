use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::header::{self, FileHeader};
use super::log::{WriteError, write_all};
use super::record::Batch;
use crate::Error;

/// A log about to be rewritten; see [`Wal::begin_checkpoint`](super::Wal::begin_checkpoint).
pub struct Checkpoint<D: Disk> {
    disk: Arc<D>,
    path: PathBuf,
    header: FileHeader,
    live: Batch,
}

/// A rewritten log that is not in use yet; see [`Wal::finish_checkpoint`](super::Wal::finish_checkpoint).
pub struct Written<D: Disk> {
    pub(crate) file: D::File,
    pub(crate) header: FileHeader,
    pub(crate) end: u64,
    pub(crate) next_seq: u64,
}

impl<D: Disk> Checkpoint<D> {
    pub(crate) const fn new(disk: Arc<D>, path: PathBuf, header: FileHeader, live: Batch) -> Self {
        Self { disk, path, header, live }
    }

    /// Writes the new file beside the log, and syncs it, so that the swap has little left to do.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; hand it to [`finish_checkpoint`](super::Wal::finish_checkpoint) as well.
    pub fn write(mut self) -> Result<Written<D>, WriteError> {
        let failed = |action, error| WriteError::of(action, &self.path, error);
        let file = self.disk.create(&self.path).map_err(|e| failed("create", e))?;
        let end = (header::LEN + self.live.len()) as u64;
        let next_seq = u64::from(self.live.records());
        let records = self.live.numbered(self.header.seed(), 0, 0);
        write_all(&file, &self.header.encode(), 0).map_err(|e| failed("write", e))?;
        write_all(&file, records, header::LEN as u64).map_err(|e| failed("write", e))?;
        // no later success makes up for a failed sync, whichever file it was about
        file.sync().map_err(|e| WriteError::Failed(Error::io("sync", &self.path, e)))?;
        Ok(Written { file, header: self.header, end, next_seq })
    }
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
