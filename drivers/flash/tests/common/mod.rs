//! A flash whose power goes at a chosen moment.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use quorate_core::Rng;

pub(crate) const PAGE: usize = 256;
pub(crate) const LEN: usize = 4 * PAGE;

/// `WORD` bytes are written at least.
#[derive(Clone)]
pub(crate) struct Mock<const WORD: usize> {
    pub(crate) bytes: Vec<u8>,
    /// Words written and pages erased until the power goes.
    pub(crate) left: u64,
    /// How many there were.
    pub(crate) steps: u64,
    rng: Rng,
}

impl<const WORD: usize> Mock<WORD> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { bytes: vec![0xff; LEN], left: u64::MAX, steps: 0, rng: Rng::new(seed) }
    }

    fn step(&mut self) -> Result<(), NorFlashErrorKind> {
        if self.left == 0 {
            return Err(NorFlashErrorKind::Other);
        }
        self.left -= 1;
        self.steps += 1;
        Ok(())
    }

    /// What the word or page that was being changed holds now.
    fn scramble(&mut self, start: usize, target: &[u8]) {
        let kind = self.rng.range(0, 4);
        for (i, &wanted) in target.iter().enumerate() {
            let old = self.bytes[start + i];
            let noise = self.rng.range(0, 256) as u8;
            self.bytes[start + i] = match kind {
                0 => old,
                1 => wanted,
                2 => old & (wanted | noise), // some of the bits
                _ => (old & !noise) | (wanted & noise),
            };
        }
    }
}

impl<const WORD: usize> ErrorType for Mock<WORD> {
    type Error = NorFlashErrorKind;
}

impl<const WORD: usize> ReadNorFlash for Mock<WORD> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const WORD: usize> NorFlash for Mock<WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        for page in (from as usize..to as usize).step_by(PAGE) {
            if let Err(error) = self.step() {
                self.scramble(page, &[0xff; PAGE]);
                return Err(error);
            }
            self.bytes[page..page + PAGE].fill(0xff);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        for (at, word) in (offset as usize..).step_by(WORD).zip(bytes.chunks(WORD)) {
            assert!(
                self.bytes[at..at + WORD].iter().all(|&byte| byte == 0xff),
                "a word is written twice"
            );
            if let Err(error) = self.step() {
                self.scramble(at, word);
                return Err(error);
            }
            self.bytes[at..at + WORD].copy_from_slice(word);
        }
        Ok(())
    }
}
