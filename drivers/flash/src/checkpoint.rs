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

impl<F: NorFlash, const N: usize> FlashLog<F, N> {
    /// Begins to write the log anew into the other half; it takes effect with [`Checkpoint::commit`].
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] when the flash failed.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_flash::{Error, FlashLog, Identity, RamFlash};
    /// # let identity = Identity { cluster: 7, node: NodeId::new(1) };
    /// let mut log = FlashLog::<_, 64>::open(RamFlash::<8192>::default(), identity, |_| Ok(()))?;
    /// let mut count = 0_u64;
    /// while log.append(|out| out.u64(count)) != Err(Error::Full) {
    ///     count += 1;
    /// }
    /// let mut checkpoint = log.checkpoint()?;
    /// checkpoint.push(|out| out.u64(count))?;
    /// checkpoint.commit()?;
    /// assert!(log.used() < 100);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn checkpoint(&mut self) -> Result<Checkpoint<'_, F, N>, Error> {
        self.check()?;
        self.spare.erase(&mut self.flash)?;
        let end = Self::begin();
        Ok(Checkpoint { log: self, end })
    }
}

impl<F: NorFlash, const N: usize> Checkpoint<'_, F, N> {
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
