use std::io;

use super::disk::DiskFile;

/// A part of the file in memory.
pub(crate) struct Window<'f, F> {
    pub(crate) file: &'f F,
    pub(crate) size: u64,
    start: u64,
    bytes: Vec<u8>,
    /// As much is read at a time, if no more is asked for.
    step: usize,
}

impl<'f, F: DiskFile> Window<'f, F> {
    pub(crate) const fn new(file: &'f F, size: u64, step: usize) -> Self {
        Self { file, size, start: 0, bytes: Vec::new(), step }
    }

    /// The bytes at an offset; fewer than `len` only at the end of the file.
    pub(crate) fn at_most(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let held = self.start..self.start + self.bytes.len() as u64;
        let wanted = offset.min(self.size)..offset.saturating_add(len as u64).min(self.size);
        if wanted.start < held.start || wanted.end > held.end {
            self.load(offset, len.max(self.step))?;
        }
        let from = to_usize(offset - self.start).min(self.bytes.len());
        let to = from.saturating_add(len).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }

    /// All that is in memory from an offset on, which is `least` bytes if the file has them.
    pub(crate) fn from(&mut self, offset: u64, least: usize) -> io::Result<&[u8]> {
        let held = self.start..self.start + self.bytes.len() as u64;
        if !held.contains(&offset) || offset + least as u64 > held.end {
            self.load(offset, self.step.max(least))?;
        }
        Ok(&self.bytes[to_usize(offset - self.start).min(self.bytes.len())..])
    }

    fn load(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let len = to_usize(self.size.saturating_sub(offset)).min(len);
        self.start = offset;
        self.bytes.clear();
        self.bytes.resize(len, 0);
        let mut done = 0;
        while done < len {
            match self.file.read_at(&mut self.bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

pub(crate) fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
