use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISCSI, Crc};
use quorate_core::Wire as _;
use quorate_setpoint::{MAX_SAVED_STATE, SavedState};

/// What the program keeps, the newest snapshot above all, in a file that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    dir: PathBuf,
    path: PathBuf,
}

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

impl SnapshotFile {
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), path: dir.join("snapshot") }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it; nothing if there is none.
    pub(crate) fn load(&self) -> Result<SavedState, String> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(SavedState::default()),
            Err(error) => return Err(format!("cannot read {}: {error}", self.path.display())),
        };
        let damaged = || format!("{} is damaged: restore it from a copy", self.path.display());
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        if CRC.checksum(body) != u32::from_le_bytes(*crc) {
            return Err(damaged());
        }
        SavedState::from_slice(body).map_err(|_| damaged())
    }

    /// Makes it the file, durable when this returns.
    pub(crate) fn save(&self, kept: &SavedState) -> Result<(), String> {
        let mut buffer = [0; MAX_SAVED_STATE];
        let body = kept.to_slice(&mut buffer).map_err(|error| error.to_string())?;
        let written = || {
            let next = self.path.with_extension("next");
            let mut file = File::create(&next)?;
            file.write_all(body)?;
            file.write_all(&CRC.checksum(body).to_le_bytes())?;
            file.sync_all()?;
            fs::rename(&next, &self.path)?;
            File::open(&self.dir)?.sync_all()
        };
        written().map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}
