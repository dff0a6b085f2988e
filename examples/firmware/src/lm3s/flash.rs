use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use crate::semihosting::{File, Mode, Refused};

/// 64 KiB of flash in a file of the host, which outlives the board: pages of 4 KiB, words of 4 bytes. A write can only clear bits.
#[derive(Debug)]
pub struct FileFlash {
    file: File,
    /// From now on it refuses to be changed, as a worn-out flash does.
    pub broken: bool,
}

const SIZE: usize = 64 << 10;
const PAGE: usize = 4 << 10;

impl FileFlash {
    /// Opens the file, or makes an erased one.
    ///
    /// # Errors
    ///
    /// [`Refused`] by the host, or the name is too long.
    pub fn open(name: &str) -> Result<Self, Refused> {
        let mut buffer = [0; 256];
        let room = buffer.get_mut(..name.len()).ok_or(Refused)?;
        room.copy_from_slice(name.as_bytes());
        let name = buffer.get(..name.len().saturating_add(1)).ok_or(Refused)?;
        if let Ok(file) = File::open(name, Mode::Update)
            && file.size() == Ok(SIZE)
        {
            return Ok(Self { file, broken: false });
        }
        let file = File::open(name, Mode::Create)?;
        for page in 0..SIZE / PAGE {
            erase_page(file, page.saturating_mul(PAGE))?;
        }
        Ok(Self { file, broken: false })
    }

    fn working(&self) -> Result<(), NorFlashErrorKind> {
        if self.broken { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }
}

fn erase_page(file: File, at: usize) -> Result<(), Refused> {
    const CHUNK: usize = 256;
    for chunk in (0..PAGE).step_by(CHUNK) {
        file.write(at.saturating_add(chunk), &[0xff; CHUNK])?;
    }
    Ok(())
}

impl ErrorType for FileFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        self.file.read(offset as usize, bytes).map_err(|Refused| NorFlashErrorKind::Other)
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        self.working()?;
        for page in (from as usize..to as usize).step_by(PAGE) {
            erase_page(self.file, page).map_err(|Refused| NorFlashErrorKind::Other)?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        self.working()?;
        let mut at = offset as usize;
        for part in bytes.chunks(64) {
            let mut cells = [0; 64];
            let cells = cells.get_mut(..part.len()).unwrap_or_default();
            let failed = |Refused| NorFlashErrorKind::Other;
            self.file.read(at, cells).map_err(failed)?;
            for (cell, byte) in cells.iter_mut().zip(part) {
                *cell &= byte;
            }
            self.file.write(at, cells).map_err(failed)?;
            at = at.saturating_add(part.len());
        }
        Ok(())
    }
}
