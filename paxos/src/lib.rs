//! Paxos as state machines without I/O: nodes that agree on a value or a log, whatever is lost, late or repeated, and whichever nodes crash.
//!
//! | what | who thought of it | what it is here |
//! |---|---|---|
//! | [`synod`] | Lamport 1998, 2001 | one decision; the roles together or apart; flexible quorums |
//! | [`fast`] | Lamport 2006 | one decision, two message delays after the proposal |
//! | [`multi`] | Lamport 1998; van Renesse and Altinbuken 2015; Ng, Haridi and Carbone 2023 | a log: Multi-Paxos with a leader that reaches a quorum |
//! | [`register`] | Rystsov 2018 | registers by key, which any node changes: no log and no leader (CASPaxos) |
//!
//! Any of it runs without a heap, in memory that is known at compile time.
//!
//! # What is **not** there
//!
//! Viewstamped Replication without a disk: diskless recovery as published can lose acknowledged operations (Michael, Ports, Sharma and
//! Szekeres, "Recovering Shared Objects Without Stable Storage", DISC 2017). EPaxos, and Byzantine faults.
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | the storage `Heap` of all modules |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for configurations, ballots and roles |
//! | `defmt` | `defmt::Format` for events, errors and plain data |
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

mod ballot;
mod error;
pub mod fast;
mod member;
pub mod multi;
pub mod register;
mod storage;
pub mod synod;

pub use ballot::Ballot;
pub use error::{ConfigError, ProposeError};
pub use member::{Member, Roles};
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Inline, Storage};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
