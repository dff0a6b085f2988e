//! Paxos under every fault there is: one value is chosen at most, and it was proposed; once faults stop, one is chosen and learned.
//!
//! A seed draws who does what ([`Setup`]): nodes with all roles, roles on different nodes, or Fast Paxos; majorities, flexible and
//! weighted quorums, grids; how learners learn; the times. [`Oracle`] judges it by bytes: by the records that are durable and the messages
//! that leave, which it reads with a parser of its own.

pub mod abstract_paxos;
mod attempts;
mod disk;
pub mod hostile;
#[cfg(feature = "model")]
mod modelled;
pub mod multi;
mod node;
mod oracle;
mod parse;
mod register;
mod setup;
mod subject;
mod synod_protocol;

#[cfg(feature = "model")]
pub use modelled::{Layout, ModelledSynod};
pub use node::{Node, Role};
pub use oracle::Oracle;
pub use register::hostile as register_hostile;
pub use register::{
    REGISTER_MARKS, RegisterOnHeap, RegisterOnInline, RegisterProtocol, RegisterSubject, Update,
    settle_us as register_settle_us,
};
pub use setup::{Kind, Setup, settle_us};
pub use subject::PaxosSubject;
pub use synod_protocol::SynodProtocol;

use quorate_paxos::{Heap, Inline};

/// Everything on the heap.
pub type OnHeap = PaxosSubject<Heap>;

/// Everything in the machines.
pub type OnInline = PaxosSubject<Inline<7, { setup::MAX_VALUE }>>;

/// What must happen in a campaign of some length.
pub const REQUIRED_MARKS: &[&str] = &[
    "another ballot after a back-off",
    "chosen again in a later ballot",
    "chosen in a classic ballot",
    "chosen in the fast ballot",
    "collision in the fast ballot",
    "crash between a sync and its ticket",
    "crash when decided",
    "decided told",
    "disk damaged",
    "disk erased in the middle",
    "disk erased while all are there",
    "distinguished learner",
    "erased node asked",
    "fast ballot given up",
    "fast quorums",
    "finished for others",
    "flexible quorums",
    "free choice after a collision",
    "grid",
    "learners hear acceptors",
    "nobody is told to do anything",
    "nobody proposes after a vote",
    "only proposers learn",
    "own value proposed",
    "possibly chosen value recovered",
    "preempted in phase 1",
    "preempted in phase 2",
    "quorums of one size",
    "restarted after a message",
    "restarted when decided",
    "restored with a vote",
    "roles apart",
    "roles together",
    "unsynced write survived",
    "value adopted",
    "weighted votes",
];
