use core::fmt;

use embedded_storage::nor_flash::NorFlashErrorKind;
use quorate_core::Corrupt;

/// Why the log could not be opened or written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The flash failed. What it holds now is not known: the log takes nothing more; open it again.
    Flash(NorFlashErrorKind),
    /// The flash is too small, or its page and word sizes do not fit: two halves of whole pages with room for one record each are needed.
    Geometry,
    /// What was acknowledged is damaged, at this offset. The node must not run on it: it may have forgotten its vote.
    Corrupt {
        /// Bytes from the start of the flash.
        offset: u32,
    },
    /// The log is of another node or another cluster.
    Identity,
    /// There is no room in this half: write a checkpoint. During a checkpoint: what is alive does not fit at all.
    Full,
    /// The record is larger than the log's buffer.
    TooLarge {
        /// Bytes of buffer the record would need.
        needed: usize,
    },
    /// The machine refused a record at this offset.
    Refused {
        /// Bytes from the start of the flash.
        offset: u32,
        /// What the machine said.
        reason: Corrupt,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(kind) => write!(f, "the flash failed: {kind:?}"),
            Self::Geometry => f.write_str("the flash is too small, or its pages do not fit"),
            Self::Corrupt { offset } => {
                write!(
                    f,
                    "the log is damaged at byte {offset}, the node has forgotten what it acknowledged: remove it from its cluster, \
                     erase the flash and let it join under a new id"
                )
            }
            Self::Identity => f.write_str("the log is of another node or cluster"),
            Self::Full => f.write_str("the flash is full"),
            Self::TooLarge { needed } => {
                write!(f, "the record is too large: a buffer of {needed} bytes is needed")
            }
            Self::Refused { offset, reason } => {
                write!(f, "the record at byte {offset} cannot be replayed: {reason:?}")
            }
        }
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "defmt")]
impl defmt::Format for Error {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Flash(_) => defmt::write!(f, "the flash failed"),
            Self::Geometry => defmt::write!(f, "the flash is too small, or its pages do not fit"),
            Self::Corrupt { offset } => defmt::write!(f, "the log is damaged at byte {}", offset),
            Self::Identity => defmt::write!(f, "the log is of another node or cluster"),
            Self::Full => defmt::write!(f, "the flash is full"),
            Self::TooLarge { needed } => defmt::write!(f, "the record needs {} bytes", needed),
            Self::Refused { offset, .. } => {
                defmt::write!(f, "the record at byte {} cannot be replayed", offset);
            }
        }
    }
}
