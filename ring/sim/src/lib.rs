//! The quorum store and migrations under every fault there is.
//!
//! Of the quorum store: nothing that was acknowledged is lost, nothing that was deleted comes back, reads
//! see each write that was acknowledged before they began, and all replicas of a key agree once faults stop.
//!
//! | subject | keys hold | what else must hold |
//! |---|---|---|
//! | [`QuorumSubject`] | registers | requests with a quorum are linearizable |
//! | [`LwwSubject`] | the last write, by hybrid clocks that are not set right | reads with blocking repair do not go back |
//! | [`SiblingsSubject`] | all values that nobody has replaced | a write replaces what its client had seen, and nothing else |
//!
//! In each of them clients with a session read and write one replica only, and never see time go back.
//!
//! Of migrations: while members join and leave, each key has one owner at most at any time and one on record, no write is lost that was
//! acknowledged, and all keys are back where they were when those that joined have left.
#![allow(clippy::unwrap_used, reason = "the run reports a panic as a violation")]

mod contents;
pub mod dotted;
mod history;
pub mod hostile;
pub mod kind;
mod migration;
#[cfg(feature = "model")]
mod modelled;
pub mod ordered;
mod promises;
mod subject;

pub use dotted::Dotted;
pub use history::Mark;
pub use migration::MigrationSubject;
#[cfg(feature = "model")]
pub use modelled::{ModelledMigration, ModelledRegister, Operation};
pub use ordered::{LastWrites, Registers};
pub use subject::StoreSubject;

use quorate_ring::quorum::{Heap, Inline};

/// What must happen in a campaign of some length.
pub const REQUIRED_MARKS: &[&str] = &[
    "floor raised",
    "purged",
    "refused below the floor",
    "hints kept",
    "sloppy write",
    "replicas changed",
    "stale",
    "blank",
    "disk erased in the middle",
    "disk erased while all are there",
    "no room for an answer",
    "too many requests",
    "session read",
    "session read of a purged key",
    "session write",
    "old value arrived again",
    "behind",
    "not a replica",
    "handed over",
    "write forwarded",
    "canceled",
    "started over",
    "target forgot a release",
];

/// Registers.
pub type QuorumSubject<S> = StoreSubject<Registers, S>;

/// The last write wins.
pub type LwwSubject<S> = StoreSubject<LastWrites, S>;

/// Siblings.
pub type SiblingsSubject<S> = StoreSubject<Dotted, S>;

/// Room for few requests, answers and hints, so that all run out.
pub type Small = Inline<16, 8, 3, 6, 3>;

/// Registers where all runs out.
pub type OnInline = QuorumSubject<Small>;

/// Registers on the heap.
pub type OnHeap = QuorumSubject<Heap>;

/// The last write wins, on the heap.
pub type LwwOnHeap = LwwSubject<Heap>;

/// The last write wins where all runs out.
pub type LwwOnInline = LwwSubject<Small>;

/// Siblings on the heap.
pub type SiblingsOnHeap = SiblingsSubject<Heap>;

/// Siblings where all runs out.
pub type SiblingsOnInline = SiblingsSubject<Small>;

/// Room for the hand-overs of one plan and short chunks.
pub type MigrationOnInline = MigrationSubject<quorate_ring::migration::Inline<8, 3, 48, 1>>;

/// Everything on the heap.
pub type MigrationOnHeap = MigrationSubject<quorate_ring::Heap>;
