//! Clocks that tell what happened before what, without a leader.
//!
//! Plain data: a clock knows no messages and no time of its own, and never allocates unless it lives on the heap. Every counter
//! is checked, every list bounded; an error leaves the clock as it was.
//!
//! | noun | what it tells |
//! |---|---|
//! | [`Actor`] | who makes events: a node and its incarnation, so that one that lost its memory cannot reuse its dots |
//! | [`Dot`] | one event: the `n`th of an actor |
//! | [`VersionVector`] | all events up to the `n`th of each actor; before, after, equal or [concurrent](Causality) |
//! | [`DotContext`] | any set of events, gaps included |
//! | [`Pruned`] | a version vector from which actors that are gone were dropped, by agreement |
//! | [`Siblings`] | the values of a key that were written concurrently: dotted version vector set |
//! | [`Causal`] | causal delivery as a machine: holds messages until their causes arrived |
//! | [`Session`] | a client's token: read your writes, and the other session guarantees |
//! | [`Lamport`] | a time that respects causality |
//! | [`Hlc`], [`Timestamp`], [`Stamp`] | the same, close to physical time: hybrid logical clock |
//! | [`ClockSync`], [`TimeInterval`] | a wall clock elsewhere, and how uncertain it is; commit-wait |
//! | [`Storage`], [`Inline`], `Heap` | where the lists live, and how long they get |
//!
//! ```
//! use quorate_clocks::{Actor, Causality, Inline, VersionVector};
//! use quorate_core::NodeId;
//!
//! let (a, b) = (Actor::from(NodeId::new(1)), Actor::from(NodeId::new(2)));
//! let mut left = VersionVector::<Inline<4>>::new();
//! let mut right = left.clone();
//! left.increment(a)?;
//! right.increment(b)?;
//! assert_eq!(left.compare(&right), Causality::Concurrent);
//! right.merge(&left)?;
//! assert_eq!(left.compare(&right), Causality::Before);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A node that forgets
//!
//! A disk that was erased, or is an older copy, takes back what others have seen:
//!
//! | type | what a node that forgets does, and who notices |
//! |---|---|
//! | [`Actor`], [`Dot`], [`VersionVector`], [`DotContext`] | it would make dots again that others have, and they would drop its events; it must go on as the next incarnation, whose dots are new |
//! | [`Siblings`] | the same; two values for one dot are refused, [`SiblingsError::Conflict`] |
//! | [`Pruned`] | it is at an earlier mark, and vectors at another are refused until it has taken the retirements again |
//! | [`Causal`] | as the next incarnation it takes over another member's state and goes on; as the same actor it finds out once others have broadcasts of it, and stops itself |
//! | [`Session`] | a client without its token begins another session: nothing is guaranteed across the two |
//! | [`Lamport`], [`Hlc`] | it may repeat times, and nobody can notice; with the incarnation beside them they are different ones |
//! | [`ClockSync`] | nothing is lost: it knows no time until the next reply |
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | the storage `Heap` |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for the data types |
//! | `defmt` | `defmt::Format` for the plain data types |
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

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod actor;
pub mod causal;
mod causality;
mod context;
mod dot;
mod error;
mod hlc;
mod interval;
mod lamport;
mod pruned;
mod run;
#[cfg(feature = "serde")]
pub mod seq;
mod session;
mod siblings;
mod sorted;
mod storage;
mod sync;
mod timestamp;
mod version;
mod versions;

pub use actor::Actor;
pub use causal::Causal;
pub use causality::Causality;
pub use context::DotContext;
pub use dot::Dot;
pub use error::{Exhausted, IncrementError};
pub use hlc::{Hlc, HlcConfig, HlcError, Reading};
pub use interval::TimeInterval;
pub use lamport::{Lamport, LamportError};
pub use pruned::{Pruned, PrunedError, RetireError};
pub use run::Run;
pub use session::{Behind, Guarantees, Session};
pub use siblings::{Siblings, SiblingsError};
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Element, Inline, Storage};
pub use sync::{ClockSync, Exchange, ExchangeError};
pub use timestamp::{Stamp, Timestamp};
pub use version::VersionVector;
pub use versions::Versions;
