use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::header::room_for;
use super::write::is_full;

/// Room reserved on the disk, so that the log can be rewritten when nothing else has room any more.
///
/// It is a file of zeros. A checkpoint takes it over: it is renamed and written in place, for which the file system needs no new
/// blocks. Before each append it is made long enough for what a checkpoint after that append may have to write; if it cannot be,
/// the append finds the disk full. So the log never has more in it than can be rewritten.
pub(crate) struct Reserve<D: Disk> {
    disk: Arc<D>,
    path: PathBuf,
    /// Bytes beyond what is alive; none are reserved if 0.
    slack: u64,
    /// It grows by this much at once, where there is room.
    step: u64,
    /// Bytes reserved.
    len: u64,
    /// What is alive in the log, in bytes, at most.
    live: u64,
}

impl<D: Disk> Reserve<D> {
    /// What there is of it, beside a log with this many bytes of records.
    pub(crate) fn open(disk: Arc<D>, path: PathBuf, slack: u64, step: u64, live: u64) -> Self {
        let mut reserve = Self { disk, path, slack, step, len: 0, live };
        let found = reserve.disk.open(&reserve.path).and_then(|file| file.size()).unwrap_or(0);
        // a copy of the directory may have its name and length, and no blocks
        if found > 0 && (slack == 0 || reserve.grow(found).is_err()) {
            reserve.disable();
        }
        reserve
    }

    /// Bytes reserved.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// So much is alive in the log, at most.
    pub(crate) const fn set_live_bytes(&mut self, live: u64) {
        self.live = live;
    }

    /// So much was appended.
    pub(crate) const fn appended(&mut self, bytes: u64) {
        self.live = self.live.saturating_add(bytes);
    }

    /// Makes it suffice for a checkpoint once this many bytes were appended.
    pub(crate) fn ensure(&mut self, bytes: u64) -> io::Result<()> {
        let needed = room_for(self.live.saturating_add(bytes)).saturating_add(self.slack);
        if self.slack == 0 || needed <= self.len {
            return Ok(());
        }
        let grown = match self.grow(needed.saturating_add(self.step)) {
            Err(error) if is_full(&error) => self.grow(needed),
            other => other,
        };
        match grown {
            Err(error) if !is_full(&error) => {
                tracing::warn!(
                    file = %self.path.display(), %error,
                    "cannot set space aside: on a full disk the write-ahead log may not shrink by itself"
                );
                self.slack = 0;
                self.disable();
                Ok(())
            }
            other => other,
        }
    }

    /// Hands it to a checkpoint, which renames it: from where, and how long it is.
    pub(crate) fn take(&mut self) -> (PathBuf, u64) {
        (self.path.clone(), core::mem::take(&mut self.len))
    }

    fn grow(&mut self, len: u64) -> io::Result<()> {
        let file = match self.disk.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create(&self.path)?
            }
            other => other?,
        };
        if let Err(error) = file.allocate(len) {
            // a part of it may have been reserved: others may want that
            let _ = file.set_len(self.len);
            return Err(error);
        }
        self.len = len;
        Ok(())
    }

    fn disable(&mut self) {
        self.len = 0;
        let _ = self.disk.remove(&self.path);
    }
}
