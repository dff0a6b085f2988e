//! Space for the next snapshot, reserved while there is some.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use quorate_tokio::wal::DiskFile;

use crate::apply::State;
use crate::snapshot;
use crate::snapshot_store::is_full;

/// A file of zeros, which the next snapshot takes over and writes in place: for that the file system needs no new blocks, so a snapshot
/// can be written on a full disk, and what it covers be dropped from the log.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    len: u64,
}

const NAME: &str = "snapshot-reserve";
/// Beyond what a snapshot would take now, at least.
const STEP: u64 = 1 << 20;
/// When there is no space for all of it, so much stays free for the log.
const KEEP_FREE: u64 = 16 << 20;

impl Reserve {
    /// What there is of it in a directory of snapshots.
    pub(crate) fn open(dir: &Path) -> Self {
        let path = dir.join(NAME);
        // a crash came while a snapshot was written into it
        if !path.exists() {
            let _ = fs::rename(dir.join(snapshot::WRITING), &path);
        }
        let len = fs::metadata(&path).map_or(0, |found| found.len());
        let mut reserve = Self { path, len: 0 };
        // a copy of the directory may have its name and length, and no blocks
        if len > 0 && reserve.grow(len).is_err() {
            let _ = fs::remove_file(&reserve.path);
        }
        reserve
    }

    /// How many bytes are reserved.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Makes it suffice for a snapshot of so many bytes, with some more if there is space for that;
    /// tells how many are reserved then. On a full disk `make_space` has a try.
    ///
    /// Where even then there is no space for all of it, it is a half, a quarter and so on: a state that shrinks, as by
    /// `FLUSHALL`, finds room for its snapshot then, whatever else the disk is filled with meanwhile.
    pub(crate) fn ensure(&mut self, bytes: u64, make_space: impl FnOnce()) -> io::Result<u64> {
        let full = |grown: &io::Result<()>| grown.as_ref().is_err_and(is_full);
        let mut grown = self.grow(bytes.saturating_add(STEP).saturating_add(bytes / 8));
        if full(&grown) {
            make_space();
            grown = self.grow(bytes);
        }
        let mut part = bytes / 2;
        while full(&grown) && part >= STEP {
            // the log needs some, too
            if part.saturating_sub(self.len).saturating_add(KEEP_FREE) <= self.free() {
                grown = self.grow(part);
            }
            part /= 2;
        }
        match grown {
            Err(error) if !is_full(&error) => Err(error),
            _ => Ok(self.len),
        }
    }

    /// Takes back what a snapshot that was not written does not need any more, if it is there under its name.
    pub(crate) fn reclaim(&mut self, len: u64) {
        let cut = OpenOptions::new().write(true).open(&self.path).and_then(|file| {
            let all = file.metadata()?.len();
            file.set_len(len.min(all))?;
            Ok(len.min(all))
        });
        self.len = cut.unwrap_or(0);
        if self.len > 0 {
            // it was cut to what was written, and the rest may be free still
            let _ = self.grow(len);
        }
    }

    /// What the disk has left for this user.
    fn free(&self) -> u64 {
        let found = self.path.parent().and_then(|dir| rustix::fs::statvfs(dir).ok());
        found.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The most that is reserved for snapshots of so many bytes.
    pub(crate) const fn max_bytes(snapshot: u64) -> u64 {
        // what is alive may be a little more than it was when the last one was written
        snapshot.saturating_add(snapshot / 4).saturating_add(3 * STEP)
    }

    /// Hands the file over, to be renamed by a snapshot.
    pub(crate) fn take(&mut self) -> Option<PathBuf> {
        (core::mem::take(&mut self.len) > 0).then(|| self.path.clone())
    }

    fn grow(&mut self, len: u64) -> io::Result<()> {
        if len <= self.len {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        if let Err(error) = DiskFile::allocate(&file, len) {
            let _ = File::set_len(&file, self.len);
            return Err(error);
        }
        self.len = len;
        Ok(())
    }
}

/// Bytes of a snapshot of this state, at most, but for a table of very many unanswered batches.
pub(crate) fn estimate(state: &State) -> u64 {
    let (keys, bytes) = (state.store.len() as u64, state.store.bytes());
    bytes.saturating_add(keys.saturating_mul(12)).saturating_add(bytes / 64).saturating_add(STEP)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reserve_survives_restart_and_is_taken_once() {
        let dir = std::env::temp_dir().join(format!("quorate-kv-reserve-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let mut reserve = Reserve::open(&dir);
        assert_eq!(reserve.take(), None);
        let len = reserve.ensure(100, || panic!("there is space")).unwrap();
        assert!(
            len >= 100
                && len == reserve.len()
                && fs::metadata(dir.join(NAME)).unwrap().len() == len
        );
        let mut reserve = Reserve::open(&dir);
        assert_eq!(reserve.len, len);
        assert_eq!(reserve.ensure(100, || panic!("it is there")).unwrap(), len);
        assert_eq!(reserve.take(), Some(dir.join(NAME)));
        assert_eq!(reserve.take(), None);
        // it was written to, beyond its end as well, and is not needed
        for written in [1, 3 << 20] {
            fs::write(dir.join(NAME), vec![1; written]).unwrap();
            reserve.reclaim(len);
            assert_eq!((reserve.len(), fs::metadata(dir.join(NAME)).unwrap().len()), (len, len));
        }
        // a crash came in the midst of that
        fs::rename(dir.join(NAME), dir.join(snapshot::WRITING)).unwrap();
        assert_eq!(Reserve::open(&dir).len(), len);
        fs::remove_file(dir.join(NAME)).unwrap();
        reserve.reclaim(len);
        assert_eq!(reserve.take(), None);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn full_disk_reserves_a_part() {
        let dir = std::env::temp_dir().join(format!("quorate-kv-part-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(&dir);
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: a full disk needs the right to mount a small file system");
            return;
        }
        let mut reserve = Reserve::open(&dir);
        // a half would fit, and leave too little; and it stays at a quarter, as the log needs space as well
        for tries in 1..=3 {
            let mut tried = 0;
            assert_eq!(reserve.ensure(80 << 20, || tried += 1).unwrap(), 20 << 20, "try {tries}");
            assert_eq!(tried, 1);
        }
        // something else has taken the rest, and the state has shrunk
        let ballast = fs::write(dir.join("ballast"), vec![1; 40 << 20]);
        assert!(ballast.is_err_and(|error| is_full(&error)));
        assert_eq!(reserve.ensure(80 << 20, || ()).unwrap(), 20 << 20);
        assert_eq!(reserve.ensure(19 << 20, || ()).unwrap(), 20 << 20);
        let _ = std::process::Command::new("umount").arg("-l").arg(&dir).output();
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn estimate_covers_the_written_snapshot() {
        let dir = std::env::temp_dir().join(format!("quorate-kv-estimate-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for (keys, len) in [(0, 0), (1, 0), (20_000, 1), (20_000, 200), (20, 200_000)] {
            let mut state = State::new();
            for key in 0..keys {
                state.store.set(format!("{key}").as_bytes(), &vec![b'v'; len]);
            }
            let bytes = crate::snapshot::write(&dir, &state, 5, None).unwrap();
            assert!(bytes <= estimate(&state), "{keys} {len}: {bytes}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
