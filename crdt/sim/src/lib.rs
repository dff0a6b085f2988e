//! Replicas of a set under every fault there is: they converge once faults stop, nothing that was
//! durable is lost, nothing that was removed comes back, and no replica takes itself for amnesiac.
//! One whose disk was erased comes back as the next incarnation; or under its old name, and then
//! stops as soon as it hears of what it forgot, and takes nothing of that for its own.
#![allow(clippy::unwrap_used, reason = "the run reports a panic as a violation")]

pub mod hostile;
mod subject;

pub use subject::ReplicaSubject;

use quorate_clocks::{Heap, Inline};

/// Room for few elements and hardly any delta, so that both run out all the time.
pub type OnInline = ReplicaSubject<Inline<12>, Inline<9>, Inline<160>>;

/// Sets on the heap.
pub type OnHeap = ReplicaSubject<Heap, Heap, Heap>;
