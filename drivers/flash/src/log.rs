use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};
use quorate_core::{Corrupt, Writer};

use crate::half::{Found, Half, payload, size, unit};
use crate::header::{Header, Version};
use crate::{Error, Identity};

/// A log of records on flash. `N` is the room for one record and its frame: its longest payload, and 12 bytes or more where the flash
/// writes more than 4 bytes at a time, up to a whole unit.
#[derive(Debug)]
pub struct FlashLog<F, const N: usize> {
    pub(crate) flash: F,
    pub(crate) buffer: [u8; N],
    pub(crate) identity: Identity,
    pub(crate) generation: u64,
    /// The half that is the log, and the other one.
    pub(crate) current: Half,
    pub(crate) spare: Half,
    /// Where the next record goes.
    pub(crate) end: u32,
    /// A power cut left something at the end, or an older version wrote all of it: nothing can be appended there.
    pub(crate) torn: bool,
    /// A write failed.
    pub(crate) failed: bool,
}

impl<F: NorFlash, const N: usize> FlashLog<F, N> {
    /// Opens the log on all of `flash`, which is formatted if it is erased, and hands each record to `replay`, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`], [`Error::Identity`], [`Error::Corrupt`], [`Error::Refused`] with `replay`'s reason, or [`Error::Flash`].
    pub fn open(
        flash: F,
        identity: Identity,
        mut replay: impl FnMut(&[u8]) -> Result<(), Corrupt>,
    ) -> Result<Self, Error> {
        let (first, second) = Self::halves(&flash)?;
        let mut log = Self {
            flash,
            buffer: [0xff; N],
            identity,
            generation: 0,
            current: first,
            spare: second,
            end: 0,
            torn: false,
            failed: false,
        };
        let headers = (log.header(first)?, log.header(second)?);
        let older = |a: &(Header, Version), b: &(Header, Version)| a.0.generation < b.0.generation;
        let (newest, stale) = match headers {
            (Some(a), Some(b)) if older(&a, &b) => (b, true),
            (Some(a), Some(_)) => (a, true),
            (Some(a), None) => (a, false),
            (None, Some(b)) => (b, false),
            (None, None) => ((log.format()?, Version::Two), false),
        };
        let (header, version) = newest;
        if header.identity != identity {
            return Err(Error::Identity);
        }
        log.generation = header.generation;
        if headers.0 != Some(newest) && headers.1 == Some(newest) {
            (log.current, log.spare) = (second, first);
        }
        if stale {
            // the power went between the two last steps of a checkpoint
            log.spare.invalidate(&mut log.flash)?;
        }
        log.replay(version, &mut replay)?;
        Ok(log)
    }

    /// Appends a record, what `encode` writes. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] when the half is full (or ends with what a power cut left, or is of an older version): write a
    /// [`checkpoint`](Self::checkpoint), which has the record in it. [`Error::TooLarge`]. Nothing was written then. [`Error::Flash`] when the flash failed.
    pub fn append(&mut self, encode: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        self.check()?;
        if self.torn {
            return Err(Error::Full);
        }
        let location = (self.end, self.generation);
        let written = self.current.write(&mut self.flash, location, &mut self.buffer, encode);
        self.failed = matches!(written, Err(Error::Flash(_)));
        self.end = self.end.saturating_add(written?);
        Ok(())
    }

    /// Whether the power went while the last record was being written, or the log was written by an older version. The last record may
    /// have been replayed, though it was never acknowledged, and may not stay readable: write a [`checkpoint`](Self::checkpoint) before
    /// anything is done that depends on it. Until then the log takes nothing more.
    #[must_use]
    pub const fn is_torn(&self) -> bool {
        self.torn
    }

    /// Bytes of the current half that are in use, of [`capacity`](Self::capacity).
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.end
    }

    /// Bytes of a half.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.current.len
    }

    /// The flash, for what it can do besides.
    pub const fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Where records begin, after the header.
    pub(crate) fn begin() -> u32 {
        u32::try_from(size::<F>(Header::LEN)).unwrap_or(u32::MAX)
    }

    /// Refuses to go on after a write that failed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.failed { Err(Error::Flash(NorFlashErrorKind::Other)) } else { Ok(()) }
    }

    fn halves(flash: &F) -> Result<(Half, Half), Error> {
        let pages = flash.capacity().checked_div(F::ERASE_SIZE).ok_or(Error::Geometry)?;
        let len = (pages / 2).saturating_mul(F::ERASE_SIZE);
        let unit = unit::<F>();
        let fits = |of: usize, part: usize| of.checked_rem(part) == Some(0);
        let least = size::<F>(Header::LEN);
        if len < least.saturating_mul(2)
            || N < least
            || !fits(F::ERASE_SIZE, unit)
            || !fits(unit, F::WRITE_SIZE)
            || !fits(unit, F::READ_SIZE)
        {
            return Err(Error::Geometry);
        }
        let len = u32::try_from(len).map_err(|_| Error::Geometry)?;
        len.checked_mul(2).ok_or(Error::Geometry)?;
        Ok((Half { start: 0, len }, Half { start: len, len }))
    }

    fn header(&mut self, half: Half) -> Result<Option<(Header, Version)>, Error> {
        for version in [Version::Two, Version::One] {
            let location = (0, Header::SEED, version);
            if let Found::Record { len, .. } =
                half.read(&mut self.flash, location, &mut self.buffer)?
            {
                let header = Header::decode(record::<F>(&self.buffer, len), version);
                return Ok(header.map(|header| (header, version)));
            }
        }
        Ok(None)
    }

    /// Makes an empty log of a flash that holds none.
    fn format(&mut self) -> Result<Header, Error> {
        for half in [self.current, self.spare] {
            // a header alone may be what a power cut during the first formatting left; records without a header are a log that lost it
            if !half.is_erased(&mut self.flash, (Self::begin(), half.len), &mut self.buffer)? {
                return Err(Error::Corrupt { offset: half.start });
            }
        }
        let header = Header { generation: 1, identity: self.identity };
        for half in [self.current, self.spare] {
            // a flash that is blank already is left alone: a power cut while it is erased could leave what looks like a log's remains
            if !half.is_erased(&mut self.flash, (0, Self::begin()), &mut self.buffer)? {
                half.invalidate(&mut self.flash)?;
            }
        }
        let location = (0, Header::SEED);
        self.current
            .write(&mut self.flash, location, &mut self.buffer, |out| header.encode(out))?;
        Ok(header)
    }

    fn replay(
        &mut self,
        version: Version,
        replay: &mut impl FnMut(&[u8]) -> Result<(), Corrupt>,
    ) -> Result<(), Error> {
        let half = self.current;
        self.end = Self::begin();
        // what is appended is of today's version: a checkpoint makes all of it so
        self.torn = version == Version::One;
        loop {
            let offset = half.start.saturating_add(self.end);
            let location = (self.end, self.generation, version);
            match half.read(&mut self.flash, location, &mut self.buffer)? {
                Found::Record { len, size, committed } => {
                    replay(record::<F>(&self.buffer, len))
                        .map_err(|reason| Error::Refused { offset, reason })?;
                    self.end = self.end.saturating_add(size);
                    // the power went after the record and before its mark: it counts, and must go on counting
                    self.torn |= !committed;
                }
                Found::Damaged => return Err(Error::Corrupt { offset }),
                Found::End => return self.check_end(offset, version),
            }
        }
    }

    /// After the last record there is nothing, but for what one append left that a power cut ended.
    fn check_end(&mut self, offset: u32, version: Version) -> Result<(), Error> {
        let half = self.current;
        // no record is longer, and the flash is read in whole units
        let step = u32::try_from(unit::<F>()).unwrap_or(u32::MAX);
        let most = u32::try_from(N).unwrap_or(u32::MAX);
        let most = most.saturating_sub(most.checked_rem(step).unwrap_or(0));
        let reach = self.end.saturating_add(most).min(half.len);
        if !half.is_erased(&mut self.flash, (reach, half.len), &mut self.buffer)? {
            return Err(Error::Corrupt { offset });
        }
        if half.is_erased(&mut self.flash, (self.end, reach), &mut self.buffer)? {
            return Ok(());
        }
        // or a record whose place is not known any more
        let mut at = self.end.saturating_add(step);
        while at < reach {
            let location = (at, self.generation, version);
            if let Found::Record { committed: true, .. } =
                half.read(&mut self.flash, location, &mut self.buffer)?
            {
                return Err(Error::Corrupt { offset });
            }
            at = at.saturating_add(step);
        }
        self.torn = true;
        Ok(())
    }
}

/// The payload of the record in the buffer.
fn record<F: NorFlash>(buffer: &[u8], len: usize) -> &[u8] {
    let start = payload::<F>();
    buffer.get(start..start.saturating_add(len)).unwrap_or_default()
}
