use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::limits;

/// The number of this incarnation of the node, in the file `incarnation`: larger than every earlier
/// one, also when the clock was set back, and even, by the clock, when the file got lost.
#[derive(Debug)]
pub(crate) struct Incarnation {
    data: PathBuf,
    number: u64,
}

impl Incarnation {
    /// Begins another incarnation. `known` is the newest one in the replicated state.
    ///
    /// # Errors
    ///
    /// What the system says if the file cannot be written.
    pub(crate) fn begin(data: &Path, known: u64) -> io::Result<Self> {
        let last = match fs::read_to_string(data.join("incarnation")) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        // saturated only after a forged entry of the log: `advance` then says that no number is left
        let number = now().max(known.max(last).saturating_add(1));
        let this = Self { data: data.into(), number };
        this.write()?;
        Ok(this)
    }

    pub(crate) const fn get(&self) -> u64 {
        self.number
    }

    /// Begins another incarnation while the node runs: somebody else used this one's numbers.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), and when there is no larger number.
    pub(crate) fn advance(&mut self, known: u64) -> io::Result<()> {
        let above = known.max(self.number).checked_add(1);
        let next = above.ok_or_else(|| io::Error::other("there is no larger number"))?;
        self.number = now().max(next);
        self.write()
    }

    /// On a full disk the file is written in place, which takes no space.
    fn write(&self) -> io::Result<()> {
        let (path, text) = (self.data.join("incarnation"), format!("{}\n", self.number));
        match self.replace(&path, &text) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && path.exists() => {
                let file = OpenOptions::new().write(true).open(&path)?;
                file.write_all_at(text.as_bytes(), 0)?;
                file.set_len(text.len() as u64)?;
                file.sync_all()
            }
            replaced => replaced,
        }
    }

    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        let temporary = self.data.join("incarnation-writing");
        let mut file = File::create(&temporary)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        fs::rename(&temporary, path)?;
        File::open(&self.data)?.sync_all()
    }
}

/// The clock in µs; a clock beyond what other nodes believe counts as none.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).ok().filter(|&now| now < limits::MAX_INCARNATION).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_only_grow() {
        let name = format!("quorate-kv-incarnation-{}", std::process::id());
        let data = std::env::temp_dir().join(name);
        fs::create_dir_all(&data).unwrap();
        let begin = |known| Incarnation::begin(&data, known).unwrap();
        let first = begin(0).get();
        assert!(begin(0).get() > first);
        assert_eq!(begin(1 << 62).get(), (1 << 62) + 1);
        let mut last = begin(0);
        assert_eq!(last.get(), (1 << 62) + 2);
        last.advance(u64::MAX - 1).unwrap();
        assert_eq!(last.get(), u64::MAX);
        assert!(last.advance(0).is_err());
        assert_eq!(begin(u64::MAX).get(), u64::MAX, "the node starts, and says so");
        fs::remove_dir_all(&data).unwrap();
    }
}
