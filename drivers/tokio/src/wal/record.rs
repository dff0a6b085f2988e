use quorate_core::{Wire, Writer};

use crate::zeros::extend_with_zeros;

/// Bytes before a record's payload: CRC32C of all that follows (4), payload length (4), sequence number (8), place in its batch
/// (4), all little-endian.
pub(crate) const HEADER: usize = 20;
/// Payload length, at most: what the format allows, whatever the options say.
pub(crate) const MAX_PAYLOAD: usize = 1 << 30;
/// Marks, in the place field, a record of the log's own: it has no payload and proves that all before it is durable.
const SEAL: u32 = 1 << 31;

/// Records that become durable together, with one write and one sync.
///
/// ```
/// let mut batch = quorate_tokio::wal::Batch::default();
/// batch.push_bytes(b"one");
/// batch.push_bytes(b"two");
/// assert_eq!((batch.records(), batch.len()), (2, 46));
/// ```
#[derive(Clone, Default, Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    records: u32,
    largest: usize,
}

/// What a record's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) crc: u32,
    pub(crate) len: usize,
    pub(crate) seq: u64,
    pub(crate) index: u32,
    pub(crate) seal: bool,
}

impl Batch {
    /// An empty batch with room for this many bytes of records with their headers.
    #[must_use]
    pub fn with_capacity(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or_default();
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a record.
    pub fn push<'a>(&mut self, record: &impl Wire<'a>) {
        let payload = self.reserve(record.encoded_len());
        let mut out = Writer::new(payload);
        record.encode(&mut out);
    }

    /// Bytes a record takes on disk.
    pub fn size_of<'a>(record: &impl Wire<'a>) -> u64 {
        (HEADER + record.encoded_len()) as u64
    }

    /// Adds a record that is encoded already.
    pub fn push_bytes(&mut self, record: &[u8]) {
        self.reserve(record.len()).copy_from_slice(record);
    }

    /// Adds all records of another batch after its own, and empties that.
    pub fn take(&mut self, other: &mut Self) {
        if self.bytes.is_empty() {
            core::mem::swap(self, other);
        } else {
            self.append(other);
        }
        other.clear();
    }

    /// Adds copies of all records of another batch.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.records += other.records;
        self.largest = self.largest.max(other.largest);
    }

    /// Removes all records; keeps the memory, unless it is much.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 20);
        self.records = 0;
        self.largest = 0;
    }

    /// How many records it holds.
    #[must_use]
    pub const fn records(&self) -> u32 {
        self.records
    }

    /// How many bytes it takes on disk.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The largest payload, in bytes.
    pub(crate) const fn largest(&self) -> usize {
        self.largest
    }

    /// The records as they go to disk, once numbered from `seq`, the first at place `index` of its batch.
    pub(crate) fn numbered(&mut self, seed: u32, mut seq: u64, mut index: u32) -> &[u8] {
        let mut rest = &mut self.bytes[..];
        while let Some((head, tail)) = rest.split_first_chunk_mut::<HEADER>() {
            let len = le_u32(&head[4..]) as usize;
            let (payload, next) = tail.split_at_mut(len);
            Header { crc: 0, len, seq, index, seal: false }.write(head);
            let crc = checksum(seed, &head[4..], payload);
            head[..4].copy_from_slice(&crc.to_le_bytes());
            seq += 1;
            index += 1;
            rest = next;
        }
        &self.bytes
    }

    fn reserve(&mut self, len: usize) -> &mut [u8] {
        let start = self.bytes.len() + HEADER;
        extend_with_zeros(&mut self.bytes, start + len);
        // a length beyond 32 bits is caught by `largest` before anything is written
        self.bytes[start - HEADER + 4..start - HEADER + 8]
            .copy_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        self.records += 1;
        self.largest = self.largest.max(len);
        &mut self.bytes[start..]
    }
}

impl Header {
    pub(crate) fn read(bytes: &[u8; HEADER]) -> Self {
        let index = le_u32(&bytes[16..]);
        Self {
            crc: le_u32(bytes),
            len: le_u32(&bytes[4..]) as usize,
            seq: le_u64(&bytes[8..]),
            index: index & !SEAL,
            seal: index & SEAL != 0,
        }
    }

    /// The number of the first record of the batch it belongs to: everything before that was durable when this was written.
    pub(crate) const fn batch(&self) -> Option<u64> {
        self.seq.checked_sub(self.index as u64)
    }

    fn write(&self, out: &mut [u8; HEADER]) {
        out[..4].copy_from_slice(&self.crc.to_le_bytes());
        out[4..8].copy_from_slice(&u32::try_from(self.len).unwrap_or(u32::MAX).to_le_bytes());
        out[8..16].copy_from_slice(&self.seq.to_le_bytes());
        let seal = if self.seal { SEAL } else { 0 };
        out[16..].copy_from_slice(&(self.index | seal).to_le_bytes());
    }
}

/// A record without payload that opens a batch, and so proves all earlier ones durable.
pub(crate) fn seal(seed: u32, seq: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    Header { crc: 0, len: 0, seq, index: 0, seal: true }.write(&mut bytes);
    let crc = checksum(seed, &bytes[4..], &[]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(crate) fn checksum(seed: u32, head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, head), payload)
}

pub(crate) fn le_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

pub(crate) fn le_u64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
