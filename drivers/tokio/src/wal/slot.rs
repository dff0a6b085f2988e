use super::header::PAGE;
use super::record::{checksum, le_u32, le_u64};

/// Bytes of a slot.
pub(crate) const LEN: usize = 28;
/// Tells a slot's checksum from a record's.
const TAG: &[u8] = b"slot";

/// What a log file says of itself outside its tail: everything before an offset is durable.
///
/// A file has two of them, each in a page of its own, written in turn; the one with the higher number counts. Little-endian:
/// CRC32C of the rest, begun with the file's salt and identity (4), number (8), offset (8), number of the record there (8).
///
/// A slot that says that everything *before* a batch is durable is written with the batch and shares its sync. It is true whatever
/// a crash keeps of the two, since the sync before had returned. A crash can tear it; then the other one counts, which was
/// durable before and says as much of the batch before. So at any moment one slot is whole and true, and all that can be lost
/// unnoticed is the batch that was written last, unless the log was sealed after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    /// How many were written before; odd ones are in the second place.
    pub(crate) number: u64,
    /// Everything before this offset is durable.
    pub(crate) durable: u64,
    /// The number of the record that begins there.
    pub(crate) next_seq: u64,
}

impl Slot {
    /// The slot to be written after this one.
    pub(crate) const fn next(&self, durable: u64, next_seq: u64) -> Self {
        Self { number: self.number.wrapping_add(1), durable, next_seq }
    }

    /// Where it is in the file.
    pub(crate) const fn offset(&self) -> u64 {
        offset_of(self.number)
    }

    pub(crate) fn encode(&self, seed: u32) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        for (room, field) in
            bytes[4..].chunks_exact_mut(8).zip([self.number, self.durable, self.next_seq])
        {
            room.copy_from_slice(&field.to_le_bytes());
        }
        let crc = checksum(seed, TAG, &bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The slot in one of the two places, if it is whole and belongs there.
    pub(crate) fn decode(bytes: &[u8], which: u64, seed: u32) -> Option<Self> {
        let bytes = bytes.first_chunk::<LEN>()?;
        let slot = Self {
            number: le_u64(&bytes[4..]),
            durable: le_u64(&bytes[12..]),
            next_seq: le_u64(&bytes[20..]),
        };
        let whole = le_u32(bytes) == checksum(seed, TAG, &bytes[4..]);
        (whole && slot.number & 1 == which).then_some(slot)
    }
}

/// Where the slot with this number is in the file.
pub(crate) const fn offset_of(number: u64) -> u64 {
    PAGE as u64 * (1 + (number & 1))
}
