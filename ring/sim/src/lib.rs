//! The quorum store and migrations under every fault there is.
//!
//! Of the quorum store: registers are linearizable, plain reads see each
//! write that was acknowledged before they began, nothing that was acknowledged is lost, and all
//! replicas of a key agree once faults stop.
//!
//! Of migrations: while members join and leave, each key has one owner at most at any time and one on record, no write is lost that was
//! acknowledged, and all keys are back where they were when those that joined have left.
#![allow(clippy::unwrap_used, reason = "the run reports a panic as a violation")]

mod contents;
mod history;
mod migration;
#[cfg(feature = "model")]
mod modelled;
mod promises;
mod subject;

pub use migration::MigrationSubject;
#[cfg(feature = "model")]
pub use modelled::{ModelledMigration, ModelledRegister, Operation};
pub use subject::QuorumSubject;

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
];

/// Room for few requests, answers and hints, so that all run out.
pub type OnInline = QuorumSubject<Inline<16, 8, 3, 6, 3>>;

/// Everything on the heap.
pub type OnHeap = QuorumSubject<Heap>;

/// Room for the hand-overs of one plan and short chunks.
pub type MigrationOnInline = MigrationSubject<quorate_ring::migration::Inline<8, 3, 48, 1>>;

/// Everything on the heap.
pub type MigrationOnHeap = MigrationSubject<quorate_ring::Heap>;
