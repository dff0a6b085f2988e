//! Leader election and failure detection without I/O.
#![no_std]
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
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]
#![cfg_attr(not(feature = "alloc"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(test)]
extern crate std;

pub mod bully;
mod config;
mod counts;
pub mod detector;
mod epoch;
mod event;
pub mod lease;
mod members;
mod office;
mod record;
#[allow(unnameable_types)] // the sealed parts of `Storage` and `Algorithm`
pub mod ring;
mod storage;

pub use bully::Bully;
pub use config::{Config, ConfigError, Mode, Takeover};
pub use counts::Counts;
pub use epoch::Epoch;
pub use event::{Event, Role, Status};
pub use record::Record;
pub use ring::Ring;
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Inline, Storage};

/// As many members as an election takes: what fits the owner's place in an [`Epoch`]. Bully sends up to the square of that many
/// messages for one election; larger groups elect among few.
pub const MAX_MEMBERS: usize = 32;
