//! Paxos under every fault there is: one value is chosen at most, and it was proposed; once faults stop, one is chosen and learned.
//!
//! A seed draws who does what ([`Setup`]): nodes with all roles, roles on different nodes, or Fast Paxos; majorities, flexible and
//! weighted quorums, grids; how learners learn; the times. [`Oracle`] judges it by bytes: by the records that are durable and the messages
//! that leave, which it reads with a parser of its own.

mod attempts;
mod node;
mod oracle;
mod parse;
mod setup;
mod subject;

pub use node::{Node, Role};
pub use oracle::Oracle;
pub use setup::{Kind, Setup, settle_us};
pub use subject::PaxosSubject;

use quorate_paxos::{Heap, Inline};

/// Everything on the heap.
pub type OnHeap = PaxosSubject<Heap>;

/// Everything in the machines.
pub type OnInline = PaxosSubject<Inline<7, { setup::MAX_VALUE }>>;

/// What must happen in a campaign of some length.
pub const REQUIRED_MARKS: &[&str] = &[];
