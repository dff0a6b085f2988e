//! Reading and writing records in one half of the flash.

use crc::{CRC_32_ISCSI, Crc, NoTable};
use embedded_storage::nor_flash::NorFlash;
use quorate_core::Writer;

use crate::Error;
use crate::header::{Header, Version};

const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);
/// Length and checksum.
const HEADER: usize = 8;
/// An erased byte.
const ERASED: u8 = 0xff;

/// A half: where it begins and how long it is, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Half {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// What is at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A whole record; its payload begins at [`payload`] of the buffer.
    Record {
        /// Bytes of the payload.
        len: usize,
        /// Bytes of the record.
        size: u32,
        /// Whether it was acknowledged for sure.
        committed: bool,
    },
    /// Bytes that are no record, and were acknowledged as one.
    Damaged,
    /// Nothing, or the beginning of a record.
    End,
}

/// What is written and read at least.
pub(crate) const fn unit<F: NorFlash>() -> usize {
    let (write, read) = (F::WRITE_SIZE, F::READ_SIZE);
    let larger = if write > read { write } else { read };
    if larger > 4 { larger } else { 4 }
}

/// Where a record's payload begins.
pub(crate) const fn payload<F: NorFlash>() -> usize {
    unit::<F>().saturating_add(HEADER)
}

/// Bytes of a record with a payload of this many.
pub(crate) fn size<F: NorFlash>(len: usize) -> usize {
    let unit = unit::<F>();
    let body = len.saturating_add(HEADER).div_ceil(unit.max(1)).saturating_mul(unit);
    unit.saturating_add(body)
}

impl Half {
    /// Encodes a record of this generation into `buffer` and writes it at `at`. Returns its size.
    pub(crate) fn write<F: NorFlash>(
        self,
        flash: &mut F,
        (at, generation): (u32, u64),
        buffer: &mut [u8],
        encode: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u32, Error> {
        let (unit, payload) = (unit::<F>(), payload::<F>());
        let mut out = Writer::new(buffer.get_mut(payload..).unwrap_or_default());
        encode(&mut out);
        let len = out.needed();
        let size = size::<F>(len);
        let too_large = Error::TooLarge { needed: size };
        let record = buffer.get_mut(..size).ok_or(too_large)?;
        let bytes = u32::try_from(size).map_err(|_| too_large)?;
        if bytes > self.len.saturating_sub(at) {
            return Err(Error::Full);
        }
        let (committed, body) = record.split_at_mut_checked(unit).ok_or(too_large)?;
        committed.fill(0);
        body.get_mut(len.saturating_add(HEADER)..).unwrap_or_default().fill(ERASED);
        let length = u32::try_from(len).map_err(|_| too_large)?.to_le_bytes();
        let location = self.start.saturating_add(at);
        let payload = body.get(HEADER..len.saturating_add(HEADER)).unwrap_or_default();
        let crc = checksum(&seed(location, generation), length, payload);
        let head = body.first_chunk_mut::<HEADER>().ok_or(too_large)?;
        let ([l0, l1, l2, l3], [c0, c1, c2, c3]) = (length, crc.to_le_bytes());
        *head = [l0, l1, l2, l3, c0, c1, c2, c3];
        let unit = u32::try_from(unit).unwrap_or(u32::MAX);
        flash.write(location.saturating_add(unit), body).map_err(failed)?;
        flash.write(location, committed).map_err(failed)?;
        Ok(bytes)
    }

    /// Looks at the place `at`, for a record of this generation.
    pub(crate) fn read<F: NorFlash>(
        self,
        flash: &mut F,
        (at, generation, version): (u32, u64, Version),
        buffer: &mut [u8],
    ) -> Result<Found, Error> {
        let room = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let least = size::<F>(0);
        let Some(front) = buffer.get_mut(..least).filter(|_| least <= room) else {
            return Ok(Found::End);
        };
        let location = self.start.saturating_add(at);
        flash.read(location, front).map_err(failed)?;
        let (committed, head) = front.split_at_checked(unit::<F>()).unwrap_or_default();
        let committed = !is_erased_bytes(committed);
        let bad = if committed { Found::Damaged } else { Found::End };
        let Some(&[l0, l1, l2, l3, c0, c1, c2, c3]) = head.first_chunk::<HEADER>() else {
            return Ok(bad);
        };
        let length = [l0, l1, l2, l3];
        let len = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        let size = size::<F>(len);
        let Some(record) = buffer.get_mut(..size).filter(|_| size <= room) else {
            return Ok(bad);
        };
        flash.read(location, record).map_err(failed)?;
        let start = payload::<F>();
        let payload = record.get(start..start.saturating_add(len)).unwrap_or_default();
        let seed = seed(location, generation);
        let seed = match version {
            Version::One => &[],
            Version::Two => seed.as_slice(),
        };
        if checksum(seed, length, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Ok(bad);
        }
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Ok(Found::Record { len, size, committed })
    }

    /// Whether everything between `from` and `to` is erased.
    pub(crate) fn is_erased<F: NorFlash>(
        self,
        flash: &mut F,
        (from, to): (u32, u32),
        buffer: &mut [u8],
    ) -> Result<bool, Error> {
        let unit = unit::<F>().max(1);
        let whole = buffer.len().checked_div(unit).unwrap_or(0).saturating_mul(unit);
        let to = to.min(self.len);
        let mut at = from;
        while at < to {
            let left = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
            let chunk = buffer.get_mut(..whole.min(left)).unwrap_or_default();
            if chunk.is_empty() {
                return Err(Error::Geometry);
            }
            flash.read(self.start.saturating_add(at), chunk).map_err(failed)?;
            if !is_erased_bytes(chunk) {
                return Ok(false);
            }
            at = at.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        }
        Ok(true)
    }

    /// Erases all of it.
    pub(crate) fn erase<F: NorFlash>(self, flash: &mut F) -> Result<(), Error> {
        flash.erase(self.start, self.start.saturating_add(self.len)).map_err(failed)
    }

    /// Erases the pages of its header, and so makes it no log any more.
    pub(crate) fn invalidate<F: NorFlash>(self, flash: &mut F) -> Result<(), Error> {
        // pages may be smaller than a header, and one without its mark still counts
        let pages = size::<F>(Header::LEN).div_ceil(F::ERASE_SIZE.max(1));
        let bytes = pages.saturating_mul(F::ERASE_SIZE);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        flash.erase(self.start, self.start.saturating_add(bytes)).map_err(failed)
    }
}

/// What tells a record from all others: in one generation, a place is written once. So records that were exchanged or copied, and what
/// an erasure left of an earlier generation, do not match their checksums.
fn seed(location: u32, generation: u64) -> [u8; 12] {
    let ([p0, p1, p2, p3], [g0, g1, g2, g3, g4, g5, g6, g7]) =
        (location.to_le_bytes(), generation.to_le_bytes());
    [p0, p1, p2, p3, g0, g1, g2, g3, g4, g5, g6, g7]
}

fn checksum(seed: &[u8], length: [u8; 4], payload: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(seed);
    digest.update(&length);
    digest.update(payload);
    digest.finalize()
}

fn is_erased_bytes(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == ERASED)
}

fn failed<E: embedded_storage::nor_flash::NorFlashError>(error: E) -> Error {
    Error::Flash(error.kind())
}
