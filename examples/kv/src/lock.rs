use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::Failure;

/// The file in the data directory that a process locks as long as it runs.
const FILE: &str = "lock";

/// Says that this process alone uses a data directory, from before it reads who it is there. The log has a lock of its own, which
/// older versions know.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    pub(crate) fn acquire(data: &Path) -> Result<Self, Failure> {
        let failed = |error| {
            Failure::Run(format!("cannot use the data directory {}: {error}", data.display()))
        };
        fs::create_dir_all(data).map_err(failed)?;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(data.join(FILE))
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::Run(format!(
                "the data directory {} is in use by another process: stop that one, or give this one a directory of its own",
                data.display()
            ))),
            Err(error) => Err(failed(error.into())),
        }
    }
}
