//! Small file systems that can be made full at any moment.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::statvfs;

/// A file system in memory, of a size that changes while it is in use. It goes when this is dropped.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    bytes: u64,
}

impl Disk {
    /// Mounts one at a directory that exists.
    ///
    /// # Errors
    ///
    /// When this process may not mount.
    pub fn mount(path: &Path, bytes: u64) -> io::Result<Self> {
        mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"], path)?;
        Ok(Self { path: path.into(), bytes })
    }

    /// Leaves no room beyond what is used.
    ///
    /// # Errors
    ///
    /// When it grows faster than it can be made smaller.
    pub fn fill(&self) -> io::Result<()> {
        let mut last = Ok(());
        for _ in 0..100 {
            let now = statvfs(&self.path)?;
            let used = (now.f_blocks - now.f_bfree) * now.f_frsize;
            // below what is used it is refused
            last = self.resize(used.max(now.f_frsize));
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Gives it its size back.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn free(&self) -> io::Result<()> {
        self.resize(self.bytes)
    }

    fn resize(&self, bytes: u64) -> io::Result<()> {
        mount(&["-o", &format!("remount,size={bytes}")], &self.path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}

fn mount(words: &[&str], path: &Path) -> io::Result<()> {
    let output = Command::new("mount").args(words).arg(path).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
