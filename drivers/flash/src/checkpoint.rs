use embedded_storage::nor_flash::NorFlash;
use quorate_core::Writer;

use crate::header::Header;
use crate::{Error, FlashLog};

/// The log being written anew, from [`FlashLog::checkpoint`]. Dropped without [`commit`](Self::commit), nothing has changed.
#[derive(Debug)]
pub struct Checkpoint<'a, F, const N: usize> {
    log: &'a mut FlashLog<F, N>,
    end: u32,
}

impl<'a, F: NorFlash, const N: usize> Checkpoint<'a, F, N> {
    pub(crate) fn begin(log: &'a mut FlashLog<F, N>) -> Result<Self, Error> {
        log.spare.erase(&mut log.flash)?;
        let end = FlashLog::<F, N>::begin();
        Ok(Self { log, end })
    }

    /// Appends a record.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] when what is alive does not fit into a half, [`Error::TooLarge`], [`Error::Flash`].
    pub fn push(&mut self, encode: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        let log = &mut *self.log;
        let location = (self.end, log.generation.saturating_add(1));
        let size = log.spare.write(&mut log.flash, location, &mut log.buffer, encode)?;
        self.end = self.end.saturating_add(size);
        Ok(())
    }

    /// Makes it the log.
    ///
    /// # Errors
    ///
    /// [`Error::Flash`]: whether it is the log, the next [`FlashLog::open`] tells.
    pub fn commit(self) -> Result<(), Error> {
        let log = self.log;
        let header =
            Header { generation: log.generation.saturating_add(1), identity: log.identity };
        log.failed = true; // until the header is in place, neither half is known to be the log
        let location = (0, Header::SEED);
        log.spare.write(&mut log.flash, location, &mut log.buffer, |out| header.encode(out))?;
        // were the new header damaged later, the old log must not pass for the newest
        log.current.invalidate(&mut log.flash)?;
        core::mem::swap(&mut log.current, &mut log.spare);
        (log.generation, log.end) = (header.generation, self.end);
        (log.torn, log.failed) = (false, false);
        Ok(())
    }
}
