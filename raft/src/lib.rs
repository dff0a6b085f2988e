//! Raft as a state machine without I/O.
//!
//! [`Raft`] takes messages, ticks and tickets, and gives messages, records and events; its driver owns the sockets, the disk
//! and the clock ([`quorate_core::Machine`] is the contract). Entries are encoded once, when they are proposed: the log in
//! memory, the record on disk, the message and the applied command are the same bytes.
//!
//! ```
//! use quorate_core::{Instant, Machine, NodeId, Output};
//! use quorate_raft::{Config, Event, Inline, Raft};
//!
//! // A cluster of one, so that the example needs no network: 1 voter, 1 KiB and 16 entries of log, no heap.
//! let me = NodeId::new(1);
//! let mut raft = Raft::<Inline<1, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
//! let (mut now, mut applied) = (Instant::ZERO, Vec::new());
//! for _ in 0..20 {
//!     raft.tick(now);
//!     if raft.status().leader == Some(me) && raft.status().last < 2 {
//!         raft.propose(b"set-point 21")?;
//!     }
//!     let mut durable = None;
//!     while let Some(output) = raft.poll() {
//!         match output {
//!             Output::Persist(ticket, _record) => durable = Some(ticket), // append it to the disk
//!             Output::Send(_to, _message) => {}                           // send it
//!             Output::Event(Event::Committed(entries)) => {
//!                 applied.extend(entries.iter().map(|e| e.data.to_vec()));
//!             }
//!             Output::Event(_) => {}
//!         }
//!     }
//!     if let Some(ticket) = durable {
//!         raft.persisted(ticket); // after the sync
//!     }
//!     now = now.after(50_000);
//! }
//! assert!(applied.contains(&b"set-point 21".to_vec()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is there
//!
//! Randomised elections with pre-vote, check-quorum and leader stickiness; replication in probe, replicate and snapshot mode
//! with windows by entries and bytes; back-up over conflicts by term; commit of the own term only; durability by tickets with
//! the leader's disk in parallel; compaction and chunked, resumable snapshots; linearizable reads by read rounds, also
//! through followers and learners, and by leases ([`Raft::read_lease`]); leadership transfer, priorities; proposals through followers
//! ([`Raft::forward`]), and told to be lost ([`Event::ProposalsDropped`]); changes of the members, one step at a time or through joint consensus, learners and witnesses
//! ([`Raft::change`], [`Raft::join`]). Presets: [`Config::lan`], [`Config::wan`], [`Config::radio`].
//!
//! On top, for programs that want them, from `quorate-log`: `Submissions`, which submits a node's
//! commands again after a leader was lost and tells what became of each; [`session`], for outside
//! clients whose commands are applied once however often they are proposed; with feature `serde`,
//! `typed`: commands as types. [`ReplicatedLog`] is what an application needs of any log.
//!
//! The crate's [README.md](https://github.com/quorate/quorate/blob/main/raft/README.md) has the
//! loop of a driver in full, what each output obliges a driver to do, an application with commands
//! and reads on every node, the memory by formula, and what is there beside other libraries and
//! what is left out.
//!
//! A cluster whose members never change can do without the code for that: [`Fixed`].
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | the storage [`Heap`] |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for messages and records (the wire form is postcard's either way), and the module `typed` |
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

mod beyond;
mod change;
mod checkpoint;
mod config;
mod disk;
mod election;
mod entry;
mod error;
mod event;
#[allow(unnameable_types, unreachable_pub)] // sealed parts of `Storage`
mod extras;
mod flow;
mod follower;
mod forward;
mod gap;
mod leader;
mod lease;
mod limits;
mod log;
mod member;
mod members;
#[cfg(test)]
mod memory;
mod message;
mod open;
mod output;
#[allow(unnameable_types)] // a sealed part of `Storage`
mod peer;
mod raft;
mod read;
mod record;
mod relay;
mod removal;
mod renew;
mod replicated;
mod rest;
mod snapshot;
mod status;
mod storage;
mod transfer;
mod work;

pub use change::Change;
pub use config::Config;
pub use entry::{Entries, Entry, EntryKind, Header, Iter};
pub use error::{ChangeError, ConfigError, ProposeError, SnapshotError, TransferError};
pub use event::Event;
pub use forward::Forwarded;
pub use member::{Member, Members, MembersIter, Membership};
pub use message::Message;
#[cfg(feature = "alloc")]
pub use quorate_log::Heap;
#[cfg(feature = "serde")]
pub use quorate_log::typed;
pub use quorate_log::{ForwardId, Index, ReadError, ReadId, ReplicatedLog, session};
pub use raft::{Proposal, Raft};
pub use record::Record;
pub use status::{Progress, Replication, Role, Status};
pub use storage::{Fixed, Inline, Storage};

/// A term: the logical clock of leaders, from 1; 0 before the first election.
pub type Term = u64;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
