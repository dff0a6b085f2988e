//! The quorum store under every fault there is: registers are linearizable, plain reads see each
//! write that was acknowledged before they began, nothing that was acknowledged is lost, and all
//! replicas of a key agree once faults stop.
#![allow(clippy::unwrap_used, reason = "the run reports a panic as a violation")]

mod history;
mod subject;

pub use subject::QuorumSubject;

use quorate_ring::quorum::{Heap, Inline};

/// Room for few requests, answers and hints, so that all run out.
pub type OnInline = QuorumSubject<Inline<16, 8, 3, 6, 3>>;

/// Everything on the heap.
pub type OnHeap = QuorumSubject<Heap>;
