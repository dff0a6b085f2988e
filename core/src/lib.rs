//! The vocabulary every Quorate crate speaks.
//!
//! A protocol is a [`Machine`]: a value that takes messages, ticks and tickets in, and gives messages, records and events
//! out when it is polled. It opens no socket, reads no clock and writes no file. That is what lets one driver, one simulator,
//! one model checker and one write-ahead log serve every protocol.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Machine`], [`Output`], [`Sink`] | the shape of a protocol, what it asks of its driver, and where that goes |
//! | [`Ticket`], [`Tickets`] | proof that records reached the disk, and who issues it |
//! | [`Instant`], [`Drift`] | microseconds on the driver's monotonic clock, and how wrong it may run |
//! | [`NodeId`] | who |
//! | [`Quorums`], [`Votes`], [`majority`] | which sets of members are quorums, and what a quorum has reached |
//! | [`List`], [`InlineList`], `HeapList` | bounded containers: full is an error, never a panic |
//! | [`Rng`] | small seeded generator |
//! | [`sort`], [`sort_places`] | in place, without a panic |
//! | [`Wire`], [`Writer`], [`Reader`] | the postcard wire format, canonical, without recursion or allocation |
//! | [`varint_len`], [`bytes_len`] | how many bytes an encoding takes, at compile time |
//! | [`wire!`], [`Declared`], [`Field`] | one declaration for the codec, text, generator and table of a message |
//! | [`Rejected`], [`Rejections`] | why a message from a peer was refused, and how often |
//! | [`Corrupt`], [`Fatal`] | a record that cannot be replayed; a machine that stopped itself |
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | `HeapList` |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for the plain data types |
//! | `defmt` | `defmt::Format` for the plain data types |
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

/// The example of the README, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod declare;
mod drift;
mod embedded;
mod encoded_len;
mod error;
mod field;
mod instant;
mod list;
mod machine;
mod node;
mod quorum;
mod rng;
mod shape;
mod sink;
mod sort;
mod source;
mod ticket;
mod wire;

#[doc(hidden)]
pub use declare::__show_fields;
pub use declare::{Declared, VisitedField};
pub use drift::Drift;
pub use embedded::Embedded;
pub use encoded_len::{bytes_len, varint_len};
pub use error::{Corrupt, Fatal, Full, Rejected, Rejections};
pub use field::{Field, FieldValue, Shown};
pub use instant::Instant;
#[cfg(feature = "alloc")]
pub use list::HeapList;
pub use list::{InlineList, List};
pub use machine::{Machine, Output};
pub use node::NodeId;
pub use quorum::{Phase, QuorumError, Quorums, Tally, Votes, majority};
pub use rng::Rng;
pub use shape::{FieldShape, Form, Shape, Variant};
pub use sink::Sink;
pub use sort::{sort, sort_places};
pub use source::{Hint, Source};
pub use ticket::{Ticket, Tickets};
pub use wire::{DecodeError, Overflow, Reader, Wire, Writer};
