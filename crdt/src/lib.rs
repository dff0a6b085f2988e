//! Conflict-free replicated data types: every replica takes writes, none waits for another, and all end up equal.
//!
//! Plain data that knows no messages and no time; [`Replica`] is the machine that spreads it. Nothing allocates unless it
//! lives on the heap; every list is bounded and every counter checked; an error leaves the state as it was; equal states
//! have equal bytes.
//!
//! | type | what it is | concurrent updates |
//! |---|---|---|
//! | [`GCounter`], [`PnCounter`] | counters that grow; that grow and shrink | all count |
//! | [`BoundedCounter`] | never below zero, by rights that can be handed over | all count |
//! | [`ResettableCounter`] | can be set back to zero | a reset takes back what it has seen |
//! | [`LwwRegister`] | a value | the last write wins |
//! | [`MvRegister`] | a value | all are kept |
//! | [`EwFlag`], [`DwFlag`] | on or off | on wins; off wins |
//! | [`GSet`], [`TwoPhaseSet`] | elements never come out; or never in again | |
//! | [`LwwSet`] | elements | the last update of an element wins |
//! | [`OrSet`], [`RwSet`] | elements | addition wins; removal wins |
//! | [`OrCounter`] | a counter for a map: removing it takes back what the removal has seen | all count |
//! | [`OrMap`] | keys with counters, flags, registers, sets or maps | what a removal of the key has not seen stays |
//! | [`List`] | a sequence | both stay, and runs do not interleave |
//!
//! Two kernels carry all of them: a sorted map whose values only grow, and a sorted list of dotted entries with the set of all
//! dots seen. So a program pays for two merges, whatever types it uses.
//!
//! # Three ways to the same state
//!
//! Every update returns a delta. [`Crdt::merge`] takes whole states; [`Crdt::apply`] takes deltas in the order of their making, as
//! operations; [`DeltaState::delta_state`] turns a delta into a small state to be merged in any order.
//!
//! ```
//! use quorate_clocks::{Actor, Inline};
//! use quorate_core::NodeId;
//! use quorate_crdt::{Crdt, OrSet};
//!
//! type Set = OrSet<u32, Inline<16>, Inline<4>>;
//! let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
//! let (mut left, mut right) = (Set::new(), Set::new());
//! let delta = left.add(a, 7)?;
//! right.add(b, 8)?;
//! right.apply(&delta)?;
//! left.merge(&right)?;
//! assert_eq!(left, right);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who writes
//!
//! An [`Actor`](quorate_clocks::Actor) works in one place only. A node that lost its memory takes the next incarnation: otherwise
//! others take its new updates for old ones and drop them. [`Crdt::actor_version`] lets a replica
//! find out that somebody else uses its name; [`Replica`] does so with every message.
//!
//! # Limits
//!
//! Give all replicas the same limits. One that is full refuses, says so, stays as it is, and converges again once there is
//! room: a merge counts what is left in the end, not what was in between.
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | the storage `Heap`; `String` as a value |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for the data types |
//! | `defmt` | `defmt::Format` for the errors, events and plain types |
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
#![cfg_attr(not(feature = "alloc"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[macro_use]
mod macros;

mod bounded;
mod crdt;
mod dot_store;
mod entry;
mod error;
mod flag;
mod gcounter;
mod grow_map;
mod list;
mod map;
mod or_counter;
mod or_set;
mod pncounter;
mod register;
mod replica;
mod resettable;
mod rw_set;
#[cfg(feature = "serde")]
mod serde_form;
mod sets;
mod value;

pub use bounded::{BoundedCounter, EscrowError};
pub use crdt::{Crdt, DeltaState};
pub use dot_store::Change;
pub use entry::Entry;
pub use error::{ApplyError, MergeError, UpdateError};
pub use flag::{DwFlag, EwFlag};
pub use gcounter::GCounter;
pub use list::{List, ListError, ListId, Node};
pub use map::{Nested, OrMap};
pub use or_counter::OrCounter;
pub use or_set::OrSet;
pub use pncounter::PnCounter;
pub use register::{Latest, LwwRegister, MvRegister};
pub use replica::{Config, ConfigError, Event, MembersError, Message, Record, Replica, Status};
pub use resettable::ResettableCounter;
pub use rw_set::RwSet;
pub use sets::{GSet, LwwSet, TwoPhaseSet};
pub use value::Value;
