//! Causal delivery and session guarantees with every fault on: what is delivered, in which order, and what clients see.
#![allow(clippy::unwrap_used, reason = "the run reports a panic as a violation")]

mod application;
pub mod hostile;
mod member;
mod subject;

pub use member::{Member, TaggedRecord};
pub use subject::CausalSubject;

use quorate_clocks::{Heap, Inline};

/// Groups on the heap.
pub type OnHeap = CausalSubject<Heap, Heap, Heap>;

/// Room for so few messages that the store is full again and again.
pub type OnInline = CausalSubject<Inline<8>, Inline<12>, Inline<24>>;
