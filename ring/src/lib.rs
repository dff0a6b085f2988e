//! Where a key lives, and how replicas without a leader agree on it.
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

mod bounded;
mod error;
mod hash;
mod hash_ring;
mod jump;
mod log2;
mod member;
mod members;
mod modulo;
mod partitions;
pub mod pbs;
mod placement;
mod plan;
mod points;
mod preference;
pub mod ranges;
mod rendezvous;
mod slots;
mod storage;
mod token;
pub mod topology;

pub use bounded::{Bounded, Load};
pub use error::MemberError;
pub use hash::KeyHash;
pub use hash_ring::{HashRing, MAX_POINTS};
pub use jump::{Jump, jump};
pub use member::{Member, Zone};
pub use modulo::Modulo;
pub use partitions::Partitions;
pub use placement::Placement;
pub use plan::{Divided, Move, Moves, Plan};
pub use preference::{MAX_PREFERENCE, PreferenceList};
pub use rendezvous::Rendezvous;
pub use slots::{SLOTS, Slot, Slots, hash_tag};
pub use storage::*;
pub use token::{Token, TokenRange};
