use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, io};

use super::checkpoint::{Checkpoint, Written, opening};
use super::disk::{Disk, DiskFile};
use super::header::{self, FileHeader, Identity, Version, room_for};
use super::record::{self, Batch};
use super::recover::{Recovered, recover};
use super::reserve::Reserve;
use super::slot::Slot;
use super::write::{WriteError, is_full, write_all};
use crate::{Error, WalOptions};

const NAME: &str = "wal";
const NEXT: &str = "wal.new";
const RESERVE: &str = "wal.reserve";
const LOCK: &str = "wal.lock";

/// A write-ahead log: a file of records that grows by batches, one sync each, and is rewritten now and then.
///
/// The [module](super) tells what is promised and how the file looks.
pub struct Wal<D: Disk> {
    disk: Arc<D>,
    dir: PathBuf,
    path: PathBuf,
    file: D::File,
    options: WalOptions,
    header: FileHeader,
    seed: u32,
    /// What the file says of itself, durably.
    slot: Slot,
    /// Where the next record goes, its number and its place in its batch.
    end: u64,
    next_seq: u64,
    index: u32,
    /// How far the file reaches, zeros included.
    allocated: u64,
    reserve: Reserve<D>,
    /// What was appended since a checkpoint began.
    since: Option<AppendedSince>,
    failed: bool,
    _lock: D::Lock,
}

/// While a checkpoint is under way.
struct AppendedSince {
    batch: Batch,
    /// How many bytes fit into it besides; without a limit if no room was reserved.
    room: u64,
}

impl<D: Disk> Wal<D> {
    /// Opens the log in `dir`, or makes one, and hands every record to `replay`, with its offset in the file.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if another process has it, [`Error::Corrupt`] if it lost what had been durable, [`Error::Identity`] if it
    /// is somebody else's, and whatever `replay` says. In all these cases nothing was changed on disk.
    pub fn open(
        disk: Arc<D>,
        dir: &Path,
        identity: Identity,
        options: WalOptions,
        replay: impl FnMut(&[u8], u64) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        options.validate()?;
        disk.create_dir(dir).map_err(|e| Error::io("create the directory", dir, e))?;
        let lock_path = dir.join(LOCK);
        let lock = disk
            .lock(&lock_path)
            .map_err(|e| Error::io("lock", &lock_path, e))?
            .ok_or_else(|| Error::Locked { dir: dir.into() })?;
        let path = dir.join(NAME);
        let file = match disk.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&*disk, dir, identity)?,
            Err(error) => return Err(Error::io("open", path, error)),
        };
        // a process that was killed may have left names and writes in memory: what is read must be what stays
        disk.sync_dir(dir).map_err(|e| Error::io("sync the directory", dir, e))?;
        file.sync().map_err(|e| Error::io("sync", &path, e))?;
        file.drop_cache().map_err(|e| Error::io("read", &path, e))?;
        let found = recover(&file, &path, identity, replay)?;
        repair(&file, &path, &found)?;
        let next = dir.join(NEXT);
        disk.remove(&next).map_err(|e| Error::io("remove", next, e))?;
        let (slack, step) = (options.reserve_bytes, options.preallocate_bytes);
        let live = records(&found.header, found.end);
        let mut reserve = Reserve::open(disk.clone(), dir.join(RESERVE), slack, step, live);
        // on a full disk, the first append tells
        let _ = reserve.ensure(0);
        Ok(Self {
            disk,
            dir: dir.into(),
            path,
            file,
            options,
            header: found.header,
            seed: found.header.seed(),
            slot: found.slot,
            end: found.end,
            next_seq: found.next_seq,
            index: found.index,
            allocated: if found.torn { found.end } else { found.size },
            reserve,
            since: None,
            failed: false,
            _lock: lock,
        })
    }

    /// Makes a batch durable, with one write and one sync. The batch keeps its records.
    ///
    /// # Errors
    ///
    /// [`WriteError::Full`] when there is no space: the log is as before, try again later. [`WriteError::Failed`] for anything
    /// else, and for everything after that.
    pub fn append(&mut self, batch: &mut Batch) -> Result<(), WriteError> {
        self.check()?;
        if batch.is_empty() {
            return Ok(());
        }
        if batch.largest() > self.options.max_record_bytes {
            let (len, max) = (batch.largest(), self.options.max_record_bytes);
            return Err(self.fail(Error::RecordTooLarge { len, max }));
        }
        let len = batch.len() as u64;
        if self.since.is_none()
            && let Err(error) = self.reserve.ensure(len)
        {
            return Err(self.undo(error));
        }
        let end = self.end + len;
        self.allocate(end);
        let bytes = batch.numbered(self.seed, self.next_seq, self.index);
        if let Err(error) = write_all(&self.file, bytes, self.end) {
            return Err(self.undo(error));
        }
        self.write_slot()?;
        self.end = end;
        self.allocated = self.allocated.max(end);
        self.next_seq += u64::from(batch.records());
        self.index = 0;
        self.reserve.appended(len);
        if let Some(since) = &mut self.since {
            since.batch.append(batch);
        }
        Ok(())
    }

    /// Makes durable that everything appended is: from then on a lost tail is told from a write that a crash cut short. For when
    /// there is nothing else to do; does nothing the second time.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub fn seal(&mut self) -> Result<(), WriteError> {
        if !self.needs_seal() {
            return Ok(());
        }
        if self.header.version == Version::Two {
            return self.write_slot();
        }
        let seal = record::seal(self.seed, self.next_seq);
        // without space there is no seal: the next batch goes to the same place
        if write_all(&self.file, &seal, self.end).is_ok() {
            self.end += seal.len() as u64;
            self.allocated = self.allocated.max(self.end);
            self.next_seq += 1;
            self.index = 1;
        }
        Ok(())
    }

    /// Whether anything was appended since the last seal.
    #[must_use]
    pub const fn needs_seal(&self) -> bool {
        let sealed = match self.header.version {
            Version::One => self.index != 0 || self.end <= self.header.sealed,
            Version::Two => self.end <= self.slot.durable,
        };
        !self.failed && !sealed
    }

    /// Whether the file is of an older version: a checkpoint makes it one of today's, which notices more.
    #[must_use]
    pub const fn is_outdated(&self) -> bool {
        matches!(self.header.version, Version::One)
    }

    /// Begins to rewrite the log as `live`, the records that restore the same state as all that were appended.
    ///
    /// The returned value writes them, on any thread, while this log goes on; then [`finish_checkpoint`](Self::finish_checkpoint).
    /// An unfinished one that began before is forgotten.
    pub fn begin_checkpoint(&mut self, live: Batch) -> Checkpoint<D> {
        let reserve = self.reserve.take();
        let room = match reserve.1 {
            0 => u64::MAX,
            len => len.saturating_sub(room_for(live.len() as u64)),
        };
        self.since = Some(AppendedSince { batch: Batch::default(), room });
        let header = FileHeader::new(self.header.identity, self.header.generation + 1, salt());
        let (disk, path) = (self.disk.clone(), self.dir.join(NEXT));
        Checkpoint { disk, path, reserve, header, live }
    }

    /// Swaps to the rewritten log, with what was appended meanwhile. Returns the former file, whose space is free once it is
    /// dropped, which can take a while. Then [`reserve_space`](Self::reserve_space) some of it.
    ///
    /// # Errors
    ///
    /// [`WriteError::Full`] when there was no space: the log goes on as it was, without a checkpoint.
    pub fn finish_checkpoint(
        &mut self,
        written: Result<Written<D>, WriteError>,
    ) -> Result<D::File, WriteError> {
        self.check()?;
        let since = self.since.take().map(|since| since.batch).unwrap_or_default();
        match written.and_then(|written| self.swap(written, since)) {
            Ok(old) => Ok(old),
            Err(WriteError::Failed(error)) => Err(self.fail(error)),
            Err(WriteError::Full) => {
                let next = self.dir.join(NEXT);
                if let Err(error) = self.disk.remove(&next) {
                    tracing::warn!(file = %next.display(), %error, "cannot remove an unfinished checkpoint");
                }
                Err(WriteError::Full)
            }
        }
    }

    /// How many bytes a checkpoint under way holds in memory, of what was appended since it began.
    #[must_use]
    pub fn since_checkpoint(&self) -> usize {
        self.since.as_ref().map_or(0, |since| since.batch.len())
    }

    /// Whether this many bytes, if they are appended, still fit into the room of the checkpoint under way. If not, finish it first.
    #[must_use]
    pub fn checkpoint_has_room(&self, bytes: usize) -> bool {
        self.since.as_ref().is_none_or(|since| (since.batch.len() + bytes) as u64 <= since.room)
    }

    /// Tells how many bytes of records a checkpoint would write now, at most: so much room is reserved for one. Until it is told,
    /// all that is in the log counts.
    pub const fn set_live_bytes(&mut self, live: u64) {
        self.reserve.set_live_bytes(live);
    }

    /// Sets space aside for the next checkpoint, if there is some: before others take what the last one gave back. An append does the
    /// same, and finds the disk full if it cannot.
    pub fn reserve_space(&mut self) {
        if self.since.is_none() {
            let _ = self.reserve.ensure(0);
        }
    }

    /// Room that is reserved for the next checkpoint, in bytes.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserve.len()
    }

    /// Bytes of records in the log.
    #[must_use]
    pub const fn record_bytes(&self) -> u64 {
        records(&self.header, self.end)
    }

    /// The log's size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.end
    }

    /// How many checkpoints it has had.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.header.generation
    }

    fn swap(&mut self, written: Written<D>, mut since: Batch) -> Result<D::File, WriteError> {
        let Written { file, header, end, next_seq, mut allocated } = written;
        let (path, next) = (self.dir.join(NAME), self.dir.join(NEXT));
        let failed = |action, error| WriteError::of(action, &next, error);
        let seed = header.seed();
        let tail = since.numbered(seed, next_seq, 0);
        write_all(&file, tail, end).map_err(|e| failed("write", e))?;
        let end = end + tail.len() as u64;
        let next_seq = next_seq + u64::from(since.records());
        let (opening, slot) = opening(&header, end, next_seq);
        write_all(&file, &opening, 0).map_err(|e| failed("write", e))?;
        allocated = allocated.max(end);
        // what is left of the room that was reserved
        let enough = end.saturating_add(self.options.preallocate_bytes);
        if allocated > enough {
            file.set_len(enough).map_err(|e| failed("truncate", e))?;
            allocated = enough;
        }
        file.sync().map_err(|e| WriteError::Failed(Error::io("sync", &next, e)))?;
        self.disk.rename(&next, &path).map_err(|e| failed("rename", e))?;
        self.disk
            .sync_dir(&self.dir)
            .map_err(|e| WriteError::Failed(Error::io("sync the directory", &self.dir, e)))?;
        self.reserve.set_live_bytes(records(&header, end));
        (self.header, self.seed, self.slot) = (header, seed, slot);
        (self.end, self.next_seq, self.index) = (end, next_seq, 0);
        self.allocated = allocated;
        Ok(core::mem::replace(&mut self.file, file))
    }

    /// Writes that everything before the end is durable, and makes it and whatever was written since durable, with one sync.
    fn write_slot(&mut self) -> Result<(), WriteError> {
        let slot = self.slot.next(self.end, self.next_seq);
        if self.header.version == Version::Two
            && let Err(error) = write_all(&self.file, &slot.encode(self.seed), slot.offset())
        {
            return Err(self.undo(error));
        }
        if let Err(error) = self.file.sync() {
            let error = Error::io("sync", &self.path, error);
            return Err(self.fail(error));
        }
        if self.header.version == Version::Two {
            self.slot = slot;
        }
        Ok(())
    }

    fn allocate(&mut self, end: u64) {
        let ahead = self.options.preallocate_bytes;
        if ahead == 0 || end <= self.allocated {
            return;
        }
        let len = end.saturating_add(ahead);
        match self.file.allocate(len) {
            Ok(()) => self.allocated = len,
            // the write that follows tells whether there is space for it alone
            Err(error) if is_full(&error) => {}
            Err(error) => {
                tracing::debug!(file = %self.path.display(), %error, "cannot set space aside");
                self.options.preallocate_bytes = 0;
            }
        }
    }

    /// After a write that failed.
    fn undo(&mut self, error: io::Error) -> WriteError {
        if !is_full(&error) {
            let error = Error::io("write", &self.path, error);
            return self.fail(error);
        }
        // not needed for safety, the next attempt overwrites it; but others may want the space too
        if let Err(error) = self.file.set_len(self.allocated.max(self.end)) {
            tracing::warn!(file = %self.path.display(), %error, "cannot cut off a partial write");
        }
        WriteError::Full
    }

    fn fail(&mut self, error: Error) -> WriteError {
        self.failed = true;
        self.since = None;
        WriteError::Failed(error)
    }

    fn check(&self) -> Result<(), WriteError> {
        if !self.failed {
            return Ok(());
        }
        let error = io::Error::other("an earlier write or sync failed");
        Err(WriteError::Failed(Error::io("write", &self.path, error)))
    }
}

/// Makes an empty log: under another name first, so that a log always has its header. Its name is not durable yet.
fn create<D: Disk>(disk: &D, dir: &Path, identity: Identity) -> Result<D::File, Error> {
    let (path, next) = (dir.join(NAME), dir.join(NEXT));
    let header = FileHeader::new(identity, 0, salt());
    let opening = opening(&header, header::OPENING as u64, 1).0;
    let file = disk.create(&next).map_err(|e| Error::io("create", &next, e))?;
    write_all(&file, &opening, 0).map_err(|e| Error::io("write", &next, e))?;
    file.sync().map_err(|e| Error::io("sync", &next, e))?;
    disk.rename(&next, &path).map_err(|e| Error::io("rename", &next, e))?;
    Ok(file)
}

/// Cuts off what a crash left of the last write.
fn repair<F: DiskFile>(file: &F, path: &Path, found: &Recovered) -> Result<(), Error> {
    if !found.torn {
        return Ok(());
    }
    tracing::warn!(
        file = %path.display(),
        offset = found.end,
        bytes = found.size - found.end,
        "a crash cut the last write short: removing what is left of it"
    );
    file.set_len(found.end).map_err(|e| Error::io("truncate", path, e))?;
    file.sync().map_err(|e| Error::io("sync", path, e))
}

/// Bytes of records in a file that ends here.
const fn records(header: &FileHeader, end: u64) -> u64 {
    match header.version {
        Version::One => end.saturating_sub(header::LEN as u64),
        Version::Two => end.saturating_sub(header::OPENING as u64),
    }
}

fn salt() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // the low bits tell files apart, and there are no high ones
    since.as_nanos() as u64
}

impl<D: Disk> fmt::Debug for Wal<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wal")
            .field("path", &self.path)
            .field("header", &self.header)
            .field("end", &self.end)
            .field("next_seq", &self.next_seq)
            .finish_non_exhaustive()
    }
}
