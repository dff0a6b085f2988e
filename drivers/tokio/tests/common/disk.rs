use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_core::Rng;
use quorate_tokio::wal::{Disk, DiskFile};

/// A disk in memory that loses what was not synced, in parts, and fails when told to.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Since the directory was synced; a crash keeps some of the first of them.
    name_ops: Vec<NameOp>,
    locks: BTreeSet<PathBuf>,
    /// How many have each file open: its space is free when it has no name and nobody has it open.
    open: Vec<usize>,
    /// The most that was ever in use, in bytes.
    peak: u64,
    faults: Faults,
    ops: u64,
    crashed: bool,
    syncs: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The power fails in the middle of this operation, counted from 0.
    pub crash_at: Option<u64>,
    /// The sync with this number fails, and what it was to write is lost.
    pub fail_sync: Option<u64>,
    /// Bytes all files may have together, those without a name that somebody has open included.
    pub capacity: Option<u64>,
    /// From this operation on, counted from 0, there is no space but what files have already.
    pub full_at: Option<u64>,
    /// Writes take at most this many bytes at once.
    pub short_writes: Option<usize>,
    /// Space cannot be reserved.
    pub no_allocate: bool,
}

#[derive(Clone, Default)]
struct Content {
    /// As a read sees it.
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<DataOp>,
}

#[derive(Clone)]
enum DataOp {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Clone)]
enum NameOp {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

pub struct SimFile {
    disk: SimDisk,
    inode: usize,
}

pub struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

/// What a crash keeps or loses as one: as much as a slot of the log, or less, so that those are torn too.
const SECTORS: [usize; 2] = [8, 32];

impl SimDisk {
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock_inner().faults);
    }

    /// Operations so far.
    pub fn ops(&self) -> u64 {
        self.lock_inner().ops
    }

    pub fn syncs(&self) -> u64 {
        self.lock_inner().syncs
    }

    pub fn crashed(&self) -> bool {
        self.lock_inner().crashed
    }

    /// Bytes in use, and the most that ever were.
    pub fn usage(&self) -> (u64, u64) {
        let inner = self.lock_inner();
        (inner.used(), inner.peak)
    }

    /// What the file holds, as a read sees it.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let inner = self.lock_inner();
        inner.names.get(path.as_ref()).map(|&inode| inner.files[inode].now.clone())
    }

    /// Makes the file hold this, durably.
    pub fn write(&self, path: impl AsRef<Path>, bytes: Vec<u8>) {
        let mut inner = self.lock_inner();
        let inode = inner.names[path.as_ref()];
        inner.files[inode] = Content { now: bytes.clone(), durable: bytes, pending: Vec::new() };
    }

    /// The power is back: of what was not synced, some is there. Faults are gone.
    pub fn reboot(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut inner = self.lock_inner();
        let keep = rng.below(inner.name_ops.len() as u64 + 1) as usize;
        let mut names = core::mem::take(&mut inner.durable_names);
        for op in inner.name_ops.drain(..).take(keep).collect::<Vec<_>>() {
            op.apply(&mut names);
        }
        inner.names = names.clone();
        inner.durable_names = names;
        // from nothing to all, and everything between
        let chance = [0, 1, 5, 9, 10][rng.below(5) as usize];
        let sector = SECTORS[rng.below(2) as usize];
        for file in &mut inner.files {
            for op in file.pending.drain(..).collect::<Vec<_>>() {
                op.survive(&mut file.durable, &mut rng, (chance, sector));
            }
            file.now = file.durable.clone();
        }
        inner.locks.clear();
        inner.faults = Faults::default();
        inner.crashed = false;
        inner.ops = 0;
    }

    /// The process dies, the machine does not: all it wrote can be read. Faults are gone.
    pub fn kill(&self) {
        let mut inner = self.lock_inner();
        inner.locks.clear();
        inner.faults = Faults::default();
        inner.crashed = false;
        inner.ops = 0;
    }

    fn lock_inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Begins an operation that changes something. `Ok(true)` if the power fails within it.
    fn begin(&self) -> io::Result<(MutexGuard<'_, Inner>, bool)> {
        let mut inner = self.lock_inner();
        if inner.crashed {
            return Err(io::Error::other("the power is gone"));
        }
        if inner.faults.full_at == Some(inner.ops) {
            inner.faults.capacity = Some(inner.used());
        }
        let crash = inner.faults.crash_at == Some(inner.ops);
        inner.ops += 1;
        inner.crashed = crash;
        Ok((inner, crash))
    }

    fn name_op(&self, op: NameOp) -> io::Result<()> {
        let (mut inner, crash) = self.begin()?;
        op.apply(&mut inner.names);
        inner.name_ops.push(op);
        fail_if(crash)
    }
}

fn fail_if(crash: bool) -> io::Result<()> {
    if crash { Err(io::Error::other("the power failed")) } else { Ok(()) }
}

impl NameOp {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, inode) => drop(names.insert(path.clone(), *inode)),
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Remove(path) => drop(names.remove(path)),
        }
    }
}

impl DataOp {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let (start, end) = (*offset as usize, *offset as usize + data.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(data);
            }
            Self::SetLen(len) => bytes.resize(*len as usize, 0),
        }
    }

    /// What is left of it: any of its sectors, `chance` out of ten of them.
    fn survive(&self, bytes: &mut Vec<u8>, rng: &mut Rng, (chance, sector): (u64, usize)) {
        match self {
            Self::SetLen(_) => {
                if rng.chance(chance, 10) {
                    self.apply(bytes);
                }
            }
            Self::Write(offset, data) => {
                let mut at = *offset;
                let mut rest = &data[..];
                while !rest.is_empty() {
                    let room = sector - at as usize % sector;
                    let (sector, next) = rest.split_at(room.min(rest.len()));
                    if rng.chance(chance, 10) {
                        Self::Write(at, sector.to_vec()).apply(bytes);
                    }
                    at += sector.len() as u64;
                    rest = next;
                }
            }
        }
    }
}

impl Inner {
    fn used(&self) -> u64 {
        let named: BTreeSet<usize> = self.names.values().copied().collect();
        let counts = |inode: &usize| named.contains(inode) || self.open[*inode] > 0;
        (0..self.files.len()).filter(counts).map(|inode| self.files[inode].now.len() as u64).sum()
    }

    /// Bytes up to which this file may reach.
    fn room(&self, inode: usize) -> u64 {
        let Some(capacity) = self.faults.capacity else { return u64::MAX };
        let own = self.files[inode].now.len() as u64;
        // where it is written already, there is room on a full disk too
        own + capacity.saturating_sub(self.used())
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<SimLock>> {
        let mut inner = self.lock_inner();
        let free = inner.locks.insert(path.into());
        Ok(free.then(|| SimLock { disk: self.clone(), path: path.into() }))
    }

    fn open(&self, path: &Path) -> io::Result<SimFile> {
        let mut inner = self.lock_inner();
        match inner.names.get(path).copied() {
            Some(inode) => {
                inner.open[inode] += 1;
                Ok(SimFile { disk: self.clone(), inode })
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<SimFile> {
        let inode = {
            let mut inner = self.lock_inner();
            inner.files.push(Content::default());
            inner.open.push(1);
            inner.files.len() - 1
        };
        let file = SimFile { disk: self.clone(), inode };
        self.name_op(NameOp::Create(path.into(), inode))?;
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.name_op(NameOp::Rename(from.into(), to.into()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.name_op(NameOp::Remove(path.into()))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let (mut inner, crash) = self.begin()?;
        fail_if(crash)?;
        inner.durable_names = inner.names.clone();
        inner.name_ops.clear();
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let inner = self.disk.lock_inner();
        let bytes = &inner.files[self.inode].now;
        let from = bytes.len().min(offset as usize);
        // short reads are legal
        let len = buffer.len().min(bytes.len() - from).min(1000);
        buffer[..len].copy_from_slice(&bytes[from..from + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (mut inner, crash) = self.disk.begin()?;
        let mut len = bytes.len().min(inner.faults.short_writes.unwrap_or(usize::MAX));
        let room = inner.room(self.inode).saturating_sub(offset);
        len = len.min(usize::try_from(room).unwrap_or(usize::MAX));
        if len == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let op = DataOp::Write(offset, bytes[..len].to_vec());
        let file = &mut inner.files[self.inode];
        op.apply(&mut file.now);
        file.pending.push(op);
        inner.peak = inner.peak.max(inner.used());
        fail_if(crash)?;
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let (mut inner, crash) = self.disk.begin()?;
        fail_if(crash)?;
        let number = inner.syncs;
        inner.syncs += 1;
        let fails = inner.faults.fail_sync == Some(number);
        let file = &mut inner.files[self.inode];
        let pending = core::mem::take(&mut file.pending);
        if fails {
            // as Linux does: the pages are clean now, and their content is nowhere
            return Err(io::Error::other("input/output error"));
        }
        for op in pending {
            op.apply(&mut file.durable);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut inner, crash) = self.disk.begin()?;
        let op = DataOp::SetLen(len);
        let file = &mut inner.files[self.inode];
        op.apply(&mut file.now);
        file.pending.push(op);
        fail_if(crash)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let (faults, now, room) = {
            let mut inner = self.disk.lock_inner();
            if inner.faults.full_at == Some(inner.ops) {
                inner.faults.capacity = Some(inner.used());
            }
            (inner.faults, inner.files[self.inode].now.len() as u64, inner.room(self.inode))
        };
        if faults.no_allocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if len > room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if len > now {
            self.set_len(len)?;
        }
        let mut inner = self.disk.lock_inner();
        inner.peak = inner.peak.max(inner.used());
        Ok(())
    }

    fn drop_cache(&self) -> io::Result<()> {
        let mut inner = self.disk.lock_inner();
        let file = &mut inner.files[self.inode];
        file.now = file.durable.clone();
        for op in &file.pending {
            op.apply(&mut file.now);
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock_inner().files[self.inode].now.len() as u64)
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.lock_inner().locks.remove(&self.path);
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.lock_inner().open[self.inode] -= 1;
    }
}
