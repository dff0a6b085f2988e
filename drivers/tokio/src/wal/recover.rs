use std::io;
use std::path::Path;

use super::checksums::{BLOCK, Checksums};
use super::disk::DiskFile;
use super::header::{self, FileHeader, Identity, Version};
use super::record::{HEADER, Header, MAX_PAYLOAD, checksum};
use super::slot::{self, Slot};
use super::window::Window;
use crate::Error;

/// What reading a log found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Recovered {
    pub(crate) header: FileHeader,
    /// What the file says of itself. In version 1 made up from its header.
    pub(crate) slot: Slot,
    /// Where the next record goes.
    pub(crate) end: u64,
    /// Its number.
    pub(crate) next_seq: u64,
    /// Its place in the batch: 1 if the last record is a seal, which opens the batch that follows.
    pub(crate) index: u32,
    /// Records handed to the machine.
    pub(crate) records: u64,
    /// The file goes on after `end` with something other than zeros: a write that a crash cut short.
    pub(crate) torn: bool,
    /// The size of the file.
    pub(crate) size: u64,
}

/// Reads a log from the front, handing each record to `replay`, and judges what ends it.
///
/// What has to be there is told by the newer of the two slots: everything before an offset. What follows it was written as one
/// batch, or as two if a crash tore the slot that was written with the second. That one was written only after the first was
/// durable. So where a record is bad, and a later one is good and belongs to a batch that began after the bad one, the bad one
/// had been durable: the disk lost it, and the log is refused. If there is none, the bad record belongs to the last batch, whose
/// sync may never have ended, and of which a crash may have kept any part: the log ends here.
pub(crate) fn recover<F: DiskFile>(
    file: &F,
    path: &Path,
    identity: Identity,
    mut replay: impl FnMut(&[u8], u64) -> Result<(), Error>,
) -> Result<Recovered, Error> {
    let failed = |source| Error::io("read", path, source);
    let size = file.size().map_err(failed)?;
    let mut window = Window::new(file, size, STEP);
    let header = FileHeader::decode(window.at_most(0, header::LEN).map_err(failed)?, path)?;
    if header.identity != identity {
        let Identity { cluster, node } = header.identity;
        return Err(Error::Identity { file: path.into(), cluster, node });
    }
    let seed = header.seed();
    let slot = window.slot(&header).map_err(failed)?.ok_or_else(|| Error::Corrupt {
        file: path.into(),
        offset: slot::offset_of(0),
        durable: None,
        what: "neither of the two places that tell how much of the log was durable can be read",
    })?;
    let mut found = Recovered {
        header,
        slot,
        end: header.start(),
        next_seq: 0,
        index: 0,
        records: 0,
        torn: false,
        size,
    };
    let corrupt = |offset, what| {
        let durable = Some(slot.durable);
        Err(Error::Corrupt { file: path.into(), offset, durable, what })
    };
    let what = loop {
        if found.slot_contradicts_records() {
            return corrupt(found.end, "the records do not fit to how many of them were durable");
        }
        match window.record(found.end, seed).map_err(failed)? {
            Ok((head, payload)) if head.seq == found.next_seq => {
                if !head.seal {
                    replay(payload, found.end)?;
                    found.records += 1;
                }
                found.index = u32::from(head.seal && header.version == Version::One);
                found.end += (HEADER + head.len) as u64;
                found.next_seq += 1;
            }
            Ok(_) => break "a record is out of order",
            Err(what) => break what,
        }
    };
    if found.end < slot.durable {
        return corrupt(found.end, what);
    }
    if window.has_record_after(found.end, found.next_seq, seed).map_err(failed)? {
        let what =
            "records follow that were written after this one was durable, but it cannot be read";
        return corrupt(found.end, what);
    }
    found.torn = window.has_bytes_after(found.end).map_err(failed)?;
    if found.torn && found.next_seq == 0 && header.version == Version::One {
        // its first batch may have been cut short, but as well all of it may be lost, and there is no slot to tell
        return corrupt(found.end, "not one record can be read, though the file has some");
    }
    Ok(found)
}

impl Recovered {
    /// The place that the slot names is not where a record begins, or not the one with the number that it names.
    const fn slot_contradicts_records(&self) -> bool {
        let Slot { durable, next_seq, .. } = self.slot;
        matches!(self.header.version, Version::Two)
            && (self.end == durable) != (self.next_seq == next_seq)
    }
}

const STEP: usize = 256 << 10;

impl<F: DiskFile> Window<'_, F> {
    /// What the file says of itself: the newer of the slots that are whole.
    fn slot(&mut self, header: &FileHeader) -> io::Result<Option<Slot>> {
        if header.version == Version::One {
            return Ok(Some(Slot { number: 0, durable: header.sealed, next_seq: 0 }));
        }
        let seed = header.seed();
        let mut newer: Option<Slot> = None;
        for which in 0..2 {
            let found = Slot::decode(self.at_most(slot::offset_of(which), slot::LEN)?, which, seed);
            newer = match (newer, found) {
                (Some(a), Some(b)) if a.number > b.number => Some(a),
                (a, b) => b.or(a),
            };
        }
        Ok(newer)
    }

    /// The record at an offset, or why there is none.
    fn record(
        &mut self,
        offset: u64,
        seed: u32,
    ) -> io::Result<Result<(Header, &[u8]), &'static str>> {
        let left = self.size.saturating_sub(offset);
        let Some(head) = self.at_most(offset, HEADER)?.first_chunk::<HEADER>() else {
            return Ok(Err("the file ends within a record"));
        };
        let header = Header::read(head);
        if header.len > MAX_PAYLOAD || (HEADER + header.len) as u64 > left {
            return Ok(Err("a record's length goes beyond the end of the file"));
        }
        let bytes = self.at_most(offset, HEADER + header.len)?;
        let (head, payload) = bytes.split_at(HEADER);
        if checksum(seed, &head[4..], payload) != header.crc {
            return Ok(Err("a record does not match its checksum"));
        }
        Ok(Ok((header, payload)))
    }

    /// Whether there is a record after `end` that proves number `seq` to have been durable.
    fn has_record_after(&mut self, end: u64, seq: u64, seed: u32) -> io::Result<bool> {
        let last = seq + self.size.saturating_sub(end) / HEADER as u64 + 1;
        let mut offset = end;
        let mut sums = None;
        let (file, size) = (self.file, self.size);
        let [mut near, mut far] = [(); 2].map(|()| Window::new(file, size, BLOCK));
        while offset + (HEADER as u64) <= self.size {
            let bytes = self.from(offset, HEADER)?;
            // the numbers of a later batch are few: almost every place is ruled out without a checksum
            let mut heads = bytes.windows(HEADER).zip(offset..).filter_map(|(head, offset)| {
                let header = Header::read(head.first_chunk()?);
                let later = header.batch().is_some_and(|batch| batch > seq);
                let fits =
                    header.len <= MAX_PAYLOAD && offset + (HEADER + header.len) as u64 <= size;
                (later && header.seq <= last && fits).then_some((offset, header))
            });
            let Some((candidate, header)) = heads.next() else {
                offset += (bytes.len() - HEADER + 1) as u64;
                continue;
            };
            let sums = match &mut sums {
                Some(sums) => sums,
                none => none.insert(Checksums::read(self, candidate)?),
            };
            // all but the checksum itself
            let part = (candidate + 4, HEADER + header.len - 4);
            if sums.of((&mut near, &mut far), part, seed)? == header.crc {
                return Ok(true);
            }
            offset = candidate + 1;
        }
        Ok(false)
    }

    /// Whether there is anything but zeros from here on.
    fn has_bytes_after(&mut self, mut offset: u64) -> io::Result<bool> {
        while offset < self.size {
            let bytes = self.at_most(offset, STEP)?;
            if bytes.iter().any(|&byte| byte != 0) {
                return Ok(true);
            }
            offset += bytes.len() as u64;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;
    use crate::wal::record::seal;
    use crate::wal::window::to_usize;

    /// Counts the bytes that are read of it.
    struct Counting(Vec<u8>, AtomicU64);

    impl DiskFile for Counting {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let rest = self.0.get(to_usize(offset)..).unwrap_or_default();
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            self.1.fetch_add(len as u64, Relaxed);
            Ok(len)
        }
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn allocate(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn drop_cache(&self) -> io::Result<()> {
            Ok(())
        }
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }
    }

    /// A tail that a client filled with what looks like headers of a later batch, and after it one that is true, or not.
    #[test]
    fn forged_record_headers_are_checked_in_bounded_time() {
        let (seq, seed, len) = (1_000, 77, 1 << 20);
        let mut hostile = Vec::new();
        while hostile.len() < len {
            for field in [0x1234_5678, (60_000_u32).to_le(), seq as u32 + 9, 0, 0] {
                hostile.extend(field.to_le_bytes());
            }
        }
        for seal_seed in [seed, seed + 1] {
            let bytes = [&hostile[..], &seal(seal_seed, seq + 9)].concat();
            let size = bytes.len() as u64;
            let file = Counting(bytes, AtomicU64::new(0));
            let found = Window::new(&file, size, STEP).has_record_after(1, seq, seed).unwrap();
            assert_eq!(found, seal_seed == seed);
            let read = file.1.load(Relaxed);
            assert!(read < 64 * size, "{} bytes read for each", read / size);
        }
    }
}
