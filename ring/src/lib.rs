//! Where a key lives, computed by every node alike; and a [store without a leader](quorum) over it.
//!
//! Plain data: a placement knows no messages and no time, and never allocates unless it lives on the heap. Every list is bounded; an
//! error leaves the value as it was. Nodes with the same members and parameters, and with [`Jump`] the same order of changes, place each key alike, whatever their word size and
//! byte order.
//!
//! A [`Placement`] gives each key a position, and walks the nodes from there. The first is the owner;
//! [`preference_list`](Placement::preference_list) takes as many as a key has replicas, spread over zones, and then those that
//! stand in for them.
//!
//! | placement | how it decides |
//! |---|---|
//! | [`HashRing`] | the next point on a circle: consistent hashing with virtual nodes |
//! | [`Rendezvous`] | the highest hash of key and member |
//! | [`Jump`] | jump consistent hashing, with removals in any order |
//! | [`Slots`] | an assignment of 16,384 slots, as in Redis Cluster |
//! | [`Ranges`](ranges::Ranges) | an assignment of ranges of ordered keys; [`SplitFinder`](ranges::SplitFinder) tells where to split |
//! | [`Bounded`] | the next point on a circle whose member has room |
//! | [`Partitions`] | as another placement of tokens does, for 2^n equal parts of the circle instead of single keys |
//! | [`Modulo`] | the hash modulo the number of members |
//!
//! | noun | what it is |
//! |---|---|
//! | [`KeyHash`], [`Token`], [`TokenRange`] | how keys become places on the circle; a place; neighbouring places |
//! | [`Member`], [`Zone`] | a node with its weight; what fails as a whole |
//! | [`PreferenceList`] | the nodes of a key: replicas, then fallbacks |
//! | [`Plan`], [`Move`] | what has to move from one placement to the next, range by range |
//! | [`Migration`](migration::Migration) | the machine that executes a plan: it hands ranges over from node to node |
//! | [`quorum`] | the store without a leader: [`Node`](quorum::Node), [`Replica`](quorum::Replica) and [`Coordinator`](quorum::Coordinator), which read and write replicas of keys |
//! | [`Topology`](topology::Topology) | the members with their states, in a version that requests carry |
//! | [`pbs`] | how likely a read of some replicas is stale |
//! | [`Storage`], [`Inline`], `Heap` | where the lists live, and how long they get |
//!
//! [`Migration`](migration::Migration) and the nodes of the store are machines without I/O: a
//! driver carries their messages and writes their records.
//!
//! The README compares the placements, and has sizes, limits and sources.
//!
//! ```
//! use quorate_core::NodeId;
//! use quorate_ring::{HashRing, Inline, KeyHash, Member, Placement, Zone};
//!
//! let mut ring = HashRing::<Inline<3, 192>>::new(KeyHash::default(), 64);
//! for (id, rack) in [(1, 1), (2, 1), (3, 2)] {
//!     ring.add(Member::new(NodeId::new(id)).in_zone(Zone::new(rack)))?;
//! }
//! let list = ring.preference_list(ring.position(b"key"), 2, 1);
//! assert!(list.replicas().contains(&NodeId::new(3))); // the only one in its rack
//! assert_eq!(list.nodes().len(), 3);
//! # Ok::<(), quorate_ring::MemberError>(())
//! ```
//!
//! # What nodes must agree on
//!
//! | placement | the same on all nodes |
//! |---|---|
//! | [`HashRing`], [`Bounded`] | hash key, points for each unit of weight, members with weights and zones; tokens that were chosen |
//! | [`Rendezvous`] | hash key, members with weights and zones |
//! | [`Jump`] | hash key, all additions and removals, in their order |
//! | [`Slots`], [`Ranges`](ranges::Ranges) | members and assignments |
//! | [`Partitions`] | the number of bits, and what its placement needs |
//! | [`Modulo`] | hash key, members with zones |
//!
//! Where two nodes do not agree, a key has two owners. Nothing here notices that by itself: send a
//! [`Version`](topology::Version) with each request, which is of a topology and a placement's
//! [fingerprint](Placement::fingerprint), and compare.
//!
//! # Features
//!
//! All additive, none on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` | the storage `Heap` |
//! | `std` | implies `alloc` |
//! | `serde` | `Serialize` and `Deserialize` for the plain data types |
//! | `defmt` | `defmt::Format` for errors and the plain data types |
//! | `crdt` | `Crdt` for [`Topology`](topology::Topology), so that `quorate_crdt::Replica` holds and gossips it; `quorum::Merged`, any CRDT as a value of the quorum store |
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

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bounded;
mod error;
mod fingerprint;
mod hash;
mod hash_ring;
mod jump;
mod log2;
mod member;
mod members;
pub mod migration;
mod modulo;
mod partitions;
pub mod pbs;
mod placement;
mod plan;
mod points;
mod preference;
pub mod quorum;
pub mod ranges;
mod rendezvous;
#[cfg(feature = "serde")]
mod serde_list;
mod slots;
mod storage;
mod token;
pub mod topology;

pub use bounded::{Bounded, LoadFactor};
pub use error::MemberError;
pub use hash::KeyHash;
pub use hash_ring::{HashRing, MAX_POINTS};
pub use jump::{Jump, jump};
pub use member::{Member, Zone};
pub use modulo::Modulo;
pub use partitions::{Partitions, PartitionsError};
pub use placement::Placement;
pub use plan::{Divided, Move, Moves, Plan, PlanError};
pub use preference::{MAX_PREFERENCE, PreferenceList};
pub use rendezvous::Rendezvous;
pub use slots::{SLOTS, Slot, Slots, hash_tag};
pub use storage::*;
pub use token::{Token, TokenRange};
