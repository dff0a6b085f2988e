use std::path::Path;

use quorate_core::NodeId;

use super::record::{le_u32, le_u64};
use crate::Error;

/// Bytes before the first record.
pub(crate) const LEN: usize = 56;
const MAGIC: [u8; 8] = *b"QRMWAL\r\n";
const VERSION: u32 = 1;

/// Whose log it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The cluster's id.
    pub cluster: u64,
    /// The node.
    pub node: NodeId,
}

/// The start of a log file. Little-endian: magic (8), version (4), CRC32C of the rest (4), salt (8), cluster (8), node (8),
/// generation (8), sealed (8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileHeader {
    pub(crate) identity: Identity,
    /// How many checkpoints there were.
    pub(crate) generation: u64,
    /// Different in every file, so that bytes of one are never taken for a record of another.
    pub(crate) salt: u64,
    /// Everything before this offset was durable when the file became the log.
    pub(crate) sealed: u64,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
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
        let corrupt = |offset, what| Error::Corrupt { file: file.into(), offset, what };
        if bytes.len() < LEN {
            return Err(corrupt(bytes.len() as u64, "the file ends within its header"));
        }
        if bytes[..8] != MAGIC {
            return Err(corrupt(0, "this is no write-ahead log"));
        }
        let version = le_u32(&bytes[8..]);
        if version != VERSION {
            // a flipped bit looks the same; either way it is not for us to read on
            return Err(corrupt(8, "the log's format is of another version"));
        }
        if le_u32(&bytes[12..]) != crc32c::crc32c(&bytes[16..LEN]) {
            return Err(corrupt(12, "the header does not match its checksum"));
        }
        let field = |n: usize| le_u64(&bytes[16 + 8 * n..]);
        Ok(Self {
            salt: field(0),
            identity: Identity { cluster: field(1), node: NodeId::new(field(2)) },
            generation: field(3),
            sealed: field(4),
        })
    }

    /// Where the checksums of this file's records begin.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.encode()[16..48])
    }
}
