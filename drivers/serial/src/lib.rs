//! Frames for lines that lose, garble and invent bytes: UARTs, RS-485, radio modems, a socket that stands for one.
//!
//! On the wire a frame is
//!
//! ```text
//! 0 | COBS( version, cluster, to, from, payload, crc32 ) | 0
//! ```
//!
//! A zero ends a frame, and there is none inside: COBS (Cheshire and Baker, "Consistent Overhead Byte Stuffing", SIGCOMM 1997)
//! takes them out at the cost of a byte for every 254. So a receiver that was switched on in the middle, or that a burst of noise threw out
//! of step, is in step again after the next zero. The zero before a frame ends whatever noise came while the line was idle.
//! `version` is a byte, whose top bit tells bytes of the application from a machine's message; `cluster`, `to` and `from` are postcard varints, `crc32` is CRC-32C over everything before it, little-endian.
//!
//! [`Encoder`] makes the bytes, [`Decoder`] takes them one at a time, as an interrupt hands them over. A frame that is damaged, for another
//! node or of another cluster is dropped with a [`FrameError`] and counted; nothing here can fail otherwise, and nothing panics.
//!
//! For the line to a person there are [`LineReader`] and [`Text`].
//!
//! ```
//! use quorate_core::NodeId;
//! use quorate_serial::{Decoder, Encoder, Endpoint};
//!
//! let (here, there) = (NodeId::new(1), NodeId::new(2));
//! let mut encoder = Encoder::<64>::new(Endpoint { cluster: 7, node: here });
//! let mut decoder = Decoder::<64>::new(Endpoint { cluster: 7, node: there });
//!
//! let frame: Vec<u8> = encoder.encode(there, |out| out.raw(b"hello"))?.collect();
//! assert_eq!(frame.first(), Some(&0));
//! assert_eq!(frame.last(), Some(&0));
//!
//! let mut received = None;
//! for byte in [0x55, 0xaa].into_iter().chain(frame) { // noise, then the frame
//!     match decoder.push(byte) {
//!         Some(Ok(frame)) => received = Some((frame.from, frame.payload.to_vec())),
//!         Some(Err(_)) | None => {}
//!     }
//! }
//! assert_eq!(received, Some((here, b"hello".to_vec())));
//! assert_eq!(decoder.counters().frames, 1);
//! assert_eq!(decoder.counters().errors(), 1);
//! # Ok::<(), quorate_core::Overflow>(())
//! ```
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `defmt` | `defmt::Format` for errors and counters |
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod cobs;
mod console;
mod counters;
mod decoder;
mod encoder;

pub use console::{LineReader, Text};
pub use counters::{Counters, FrameError};
pub use decoder::{Decoder, Frame};
pub use encoder::{Encoded, Encoder};

use crc::{CRC_32_ISCSI, Crc, NoTable};
use quorate_core::NodeId;

/// The version of the frames made and taken here.
pub const VERSION: u8 = 1;
/// Added to the version: the payload is the application's.
const APPLICATION: u8 = 0x80;
/// Bytes that a frame has besides its payload, at most: zeros, version, addresses and checksum, without COBS's byte for every 254.
pub const OVERHEAD: usize = 2 + 1 + 3 * 10 + CRC_LEN + 1;

const CRC_LEN: usize = 4;
/// Bit by bit: a table would be faster than any line, and cost a kilobyte of flash.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// Who is at this end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Endpoint {
    /// The cluster's id: frames of another one are dropped.
    pub cluster: u64,
    /// This node: frames for another one are dropped, as on a bus.
    pub node: NodeId,
}
