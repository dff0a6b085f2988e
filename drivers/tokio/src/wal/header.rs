use std::path::Path;

use quorate_core::NodeId;

use super::record::{le_u32, le_u64};
use crate::Error;

/// What a disk may lose or tear as one, at most: the header and each slot have one of their own.
pub(crate) const PAGE: usize = 4096;
/// Bytes before the first record in a file of version 2: the header's page and those of the two slots.
pub(crate) const START: usize = 3 * PAGE;
/// Bytes before the first record that somebody appended: a seal, number 0, is there from the first. So a file without a record that
/// can be read has lost what it had.
pub(crate) const OPENING: usize = START + super::record::HEADER;
/// Bytes of the header.
pub(crate) const LEN: usize = 56;
const MAGIC: [u8; 8] = *b"QRMWAL\r\n";

/// Whose log it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The cluster's id.
    pub cluster: u64,
    /// The node.
    pub node: NodeId,
}

/// How a file is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// A header, then records, some of which are seals. What is durable is known from the records alone.
    One = 1,
    /// A header, two slots that tell what is durable, then records.
    Two = 2,
}

/// The start of a log file. Little-endian: magic (8), version (4), CRC32C of the rest (4), salt (8), cluster (8), node (8),
/// generation (8), sealed (8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileHeader {
    pub(crate) version: Version,
    pub(crate) identity: Identity,
    /// How many checkpoints there were.
    pub(crate) generation: u64,
    /// Different in every file, so that bytes of one are never taken for a record of another.
    pub(crate) salt: u64,
    /// In version 1: everything before this offset was durable when the file became the log. 0 in version 2, which has slots.
    pub(crate) sealed: u64,
}

impl FileHeader {
    /// The header of a new file.
    pub(crate) const fn new(identity: Identity, generation: u64, salt: u64) -> Self {
        Self { version: Version::Two, identity, generation, salt, sealed: 0 }
    }

    /// Where the first record begins.
    pub(crate) const fn start(&self) -> u64 {
        match self.version {
            Version::One => LEN as u64,
            Version::Two => START as u64,
        }
    }

    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&(self.version as u32).to_le_bytes());
        let fields = [
            self.salt,
            self.identity.cluster,
            self.identity.node.get(),
            self.generation,
            self.sealed,
        ];
        for (room, field) in bytes[16..].chunks_exact_mut(8).zip(fields) {
            room.copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], file: &Path) -> Result<Self, Error> {
        let corrupt =
            |offset, what| Error::Corrupt { file: file.into(), offset, durable: None, what };
        if bytes.len() < LEN {
            return Err(corrupt(bytes.len() as u64, "the file ends within its header"));
        }
        if bytes[..8] != MAGIC {
            return Err(corrupt(0, "this is no write-ahead log"));
        }
        let version = match le_u32(&bytes[8..]) {
            1 => Version::One,
            2 => Version::Two,
            // a flipped bit looks the same; either way it is not for us to read on
            _ => return Err(corrupt(8, "the log's format is of another version")),
        };
        if le_u32(&bytes[12..]) != crc32c::crc32c(&bytes[16..LEN]) {
            return Err(corrupt(12, "the header does not match its checksum"));
        }
        let field = |n: usize| le_u64(&bytes[16 + 8 * n..]);
        Ok(Self {
            version,
            salt: field(0),
            identity: Identity { cluster: field(1), node: NodeId::new(field(2)) },
            generation: field(3),
            sealed: field(4),
        })
    }

    /// Where the checksums of this file's records and slots begin.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.encode()[16..48])
    }
}

/// Bytes of a file with so many bytes of records.
pub(crate) const fn room_for(records: u64) -> u64 {
    records.saturating_add(OPENING as u64)
}
