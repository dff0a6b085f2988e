use std::path::Path;
use std::{fmt, io};

use super::disk::DiskFile;
use crate::Error;

/// Why nothing was made durable.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// There is no space. The log is as it was, and the same may be tried again.
    Full,
    /// The log takes nothing more; only a restart tells what is on disk.
    Failed(Error),
}

impl WriteError {
    pub(crate) fn of(action: &'static str, path: &Path, error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Failed(Error::io(action, path, error)) }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no space left"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WriteError {}

/// Writes all of the bytes at a place.
pub(crate) fn write_all<F: DiskFile>(file: &F, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n.min(bytes.len())..];
                at += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
