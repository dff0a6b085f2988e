use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// A flash of `N` bytes in memory, with pages of 1 KiB and words of 4 bytes: for tests and for trying things out. A word is written once
/// between two erasures, or the write fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RamFlash<const N: usize> {
    bytes: [u8; N],
}

impl<const N: usize> Default for RamFlash<N> {
    fn default() -> Self {
        Self { bytes: [0xff; N] }
    }
}

impl<const N: usize> RamFlash<N> {
    /// All of it, to look at or to damage.
    pub const fn bytes(&mut self) -> &mut [u8; N] {
        &mut self.bytes
    }

    fn part(&mut self, offset: u32, len: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.bytes.get_mut(start..start.saturating_add(len)).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl<const N: usize> ErrorType for RamFlash<N> {
    type Error = NorFlashErrorKind;
}

impl<const N: usize> ReadNorFlash for RamFlash<N> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(self.part(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        N
    }
}

impl<const N: usize> NorFlash for RamFlash<N> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        self.part(from, len)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let room = self.part(offset, bytes.len())?;
        if room.iter().any(|&byte| byte != 0xff) {
            return Err(NorFlashErrorKind::Other);
        }
        room.copy_from_slice(bytes);
        Ok(())
    }
}
