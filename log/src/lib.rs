//! What stands on any replicated log, and belongs to no protocol.
//!
//! A protocol such as Raft or Multi-Paxos agrees on a sequence of entries. Everything around that
//! is the same for all of them, and is here: how entries lie in memory, on disk and in messages;
//! clients whose commands must be applied once; commands as types; and the trait through which an
//! application uses a log without knowing which protocol keeps it.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Header`] | how a protocol's entries begin; the one thing that it declares |
//! | [`Entries`], [`Iter`] | a run of encoded entries, as it goes to disk, peers and the application |
//! | [`Log`], [`InlineLog`], `HeapLog` | entries in memory: in a fixed array, in chunks on the heap |
//! | [`ChunkBuffer`] | the one chunk of a snapshot that a machine holds, on its way in or out |
//! | [`ReplicatedLog`], [`Notice`] | a log that several nodes keep alike, as the application sees it |
//! | [`Submissions`] | the commands of a node that are on their way into the log: submitted again, bounded, each with its outcome |
//! | [`session`] | clients' sessions: a command is applied once, however often it is proposed |
//! | `typed` | commands as types, encoded with postcard (feature `serde`) |
//!
//! The crate knows no terms, ballots or members. A protocol that orders its entries by terms puts
//! the term into the [`Header`] and names it as its [`Tag`](Header::Tag); one that keeps ballots
//! outside the entries, as Multi-Paxos does since a re-proposal changes the ballot and not the
//! entry, has the tag `()`.
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | `HeapLog`, and `Heap` for sessions |
//! | `std` | implies `alloc` |
//! | `serde` | the module `typed` |
//! | `defmt` | `defmt::Format` for the plain data types, for logs on boards |
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

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
mod example;

mod chunk;
mod entries;
mod header;
#[cfg(feature = "alloc")]
mod heap;
mod index;
mod replicated;
pub mod session;
mod store;
pub mod submission;
#[cfg(feature = "serde")]
pub mod typed;

pub use chunk::{ChunkBuffer, Held, Incoming};
pub use entries::{Encoded, Entries, Iter};
pub use header::{Header, MAX_HEADER_LEN};
#[cfg(feature = "alloc")]
pub use heap::Heap;
pub use index::{Index, MAX_INDEX};
pub use replicated::{
    ForwardId, Forwarded, Leadership, Notice, Proposal, ReadError, ReadId, ReplicatedLog,
    SubmitError, Submitted,
};
#[cfg(feature = "alloc")]
pub use store::{HeapLog, MAX_RUN_LEN};
pub use store::{InlineLog, Log, Span, Tag};
pub use submission::Submissions;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
