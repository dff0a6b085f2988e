//! A machine's records on NOR flash, behind the [`embedded_storage`] traits: the write-ahead log of a board.
//!
//! The flash is two halves. Records are appended to one; when it is full, or holds much that is dead, what is alive is written into the
//! other ([`FlashLog::checkpoint`]) and that becomes the log with its last write, the header. So at any moment one half is whole, and the
//! wear is spread over all pages.
//!
//! ```text
//! half   = header record | record | record | ... | 0xff ...
//! record = committed (one unit) | length u32 | CRC-32C u32 | payload | padding to a unit
//! ```
//!
//! The checksum covers the record's place on the flash and the generation of its half, too, so that a record that was exchanged with
//! another, copied over one, or left by an earlier generation is damage.
//!
//! A unit is the larger of what the flash writes and reads at least. `committed` is written last,
//! after the rest is in place. That tells apart what a checksum alone cannot: a record that a power
//! cut left half written (nothing was acknowledged: it is forgotten) and one that was acknowledged
//! and is damaged now (a node that went on would break its promises: [`Error::Corrupt`]).
//!
//! ```
//! use quorate_core::{NodeId, Writer};
//! use quorate_flash::{FlashLog, Identity, RamFlash};
//!
//! let mut ram = RamFlash::<8192>::default();
//! let identity = Identity { cluster: 7, node: NodeId::new(1) };
//! let mut log = FlashLog::<_, 256>::open(&mut ram, identity, |_| Ok(()))?;
//! log.append(|out| out.raw(b"vote 3"))?; // durable when it returns
//! drop(log);
//!
//! let mut seen = Vec::new();
//! FlashLog::<_, 256>::open(&mut ram, identity, |record| { seen.push(record.to_vec()); Ok(()) })?;
//! assert_eq!(seen, [b"vote 3"]);
//! # Ok::<(), quorate_flash::Error>(())
//! ```
//!
//! # Versions
//!
//! In version 1 the checksum covered the length and the payload alone. A log of that version is opened; it takes nothing more until a
//! checkpoint has written it anew ([`FlashLog::is_torn`], [`Error::Full`]). Version 1 refuses a flash of version 2 as damaged.
//!
//! **Not** noticed: a whole flash, or a whole half with the other one erased, that was replaced by what it held earlier.
//!
//! # Why not a crate that exists
//!
//! `sequential-storage` 8.0 was measured for this place: linked into an image for a Cortex-M3 with link-time optimisation it leaves 18 calls
//! into core's panicking machinery (slices by lengths read from flash, assertions on the state of pages) at every optimisation level, so
//! a flipped bit in flash can stop a board with a panic, and an image without a panic cannot hold it.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `defmt` | `defmt::Format` for errors |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod checkpoint;
mod error;
mod half;
mod header;
mod log;
mod ram;

pub use checkpoint::Checkpoint;
pub use error::Error;
pub use header::Identity;
pub use log::FlashLog;
pub use ram::RamFlash;
