use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// The file system as the log uses it: small enough that tests can replace it by one that fails, fills up or loses power.
///
/// What the log relies on: data and size of a file are durable after [`DiskFile::sync`], names after
/// [`sync_dir`](Self::sync_dir), and neither before; a rename is atomic.
pub trait Disk: Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// Keeps others out until it is dropped.
    type Lock: Send;

    /// Makes a directory and its parents, durably.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Locks a file, making it if needed; `None` if somebody else has it.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is none.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Makes an empty file, or empties one.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; it is no error if there is none.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + 'static {
    /// Reads at a place; fewer bytes than asked for are possible, 0 at the end.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at a place; fewer bytes than asked for are possible.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::StorageFull`] when there is no space.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes data and size durable.
    ///
    /// # Errors
    ///
    /// As the system says; then nothing that was written since the last success may be relied on.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Sets space aside, so that the file is at least this long, with zeros: a sync that need not record a new size is cheaper.
    ///
    /// # Errors
    ///
    /// As the system says, or that it cannot; the log does without, then.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Drops the system's cache of the file, so that reads return what the disk has: after a failed
    /// sync, memory and disk may differ, and a restart must go by the disk. A file system that
    /// cannot may do nothing.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn drop_cache(&self) -> io::Result<()>;
    /// The file's size.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn size(&self) -> io::Result<u64>;
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    type File = File;
    type Lock = File;

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let parent = parent(dir);
        if dir.is_dir() {
            // whoever made it may have been killed before it did this; who may not look at the parent did not make it
            return match self.sync_dir(parent) {
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
                _ => Ok(()),
            };
        }
        self.create_dir(parent)?;
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_dir(parent)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(file)),
            Err(fs4::TryLockError::WouldBlock) => Ok(None),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Elsewhere directories cannot be opened as files, and renames are journaled by the file system.
    #[cfg(not(unix))]
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for File {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        fs4::FileExt::allocate(self, len)
    }

    #[cfg(target_os = "linux")]
    fn drop_cache(&self) -> io::Result<()> {
        rustix::fs::fadvise(self, 0, None, rustix::fs::Advice::DontNeed).map_err(io::Error::from)
    }

    #[cfg(not(target_os = "linux"))]
    fn drop_cache(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

fn parent(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
