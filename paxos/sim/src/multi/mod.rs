//! Multi-Paxos under every fault there is: one entry is chosen for each slot at most, all applications are given the same, and reads are
//! linearizable; once faults stop, a node leads and all is decided.
//!
//! In half of the seeds an operator changes the members, to any others at once; in half of them another one hands the lead over, to nodes that are there or not.
//!
//! A seed draws who votes and who learns, majorities, flexible and weighted quorums, grids, the times and the limits. The oracle reads the
//! records that are durable, the messages that leave and the entries with a parser of its own.

mod application;
mod disk;
pub mod hostile;
#[cfg(feature = "model")]
mod modelled;
mod oracle;
mod parse;
mod subject;

#[cfg(feature = "model")]
pub use modelled::ModelledMulti;
pub use subject::MultiSubject;

use quorate_paxos::{Heap, multi::Inline};

/// Everything on the heap.
pub type OnHeap = MultiSubject<Heap>;

/// Everything in the machines, in a log that is often full.
pub type OnInline = MultiSubject<Inline<7, 4096, 96, 100>>;

/// What must happen in a campaign of some length.
pub const REQUIRED_MARKS: &[&str] = &[
    "asked to lead",
    "became leader",
    "checkpoint",
    "chosen entries sent",
    "chosen in a later ballot than it was proposed in",
    "commit moved",
    "configuration ended",
    "crash after a send",
    "crash after a swap",
    "crash as leader",
    "crash as the commit moves",
    "crash as the configuration changes",
    "crash before a swap",
    "crash before a sync",
    "crash between a sync and its ticket",
    "crash while receiving a snapshot",
    "crash while sending a snapshot",
    "disk damaged",
    "disk erased in the middle",
    "disk erased while all are there",
    "entry adopted",
    "flexible quorums",
    "grid",
    "lead handed over",
    "leader stepped down",
    "leaderless",
    "log full",
    "log full: compacted",
    "members changed",
    "members sent with a snapshot",
    "message delayed by bulk",
    "no-op chosen",
    "no-op proposed",
    "partial partition: chain",
    "partial partition: constrained election",
    "partial partition: quorum loss",
    "preempted",
    "proposal after a stop-sign",
    "proposal applied",
    "proposal lost",
    "proposal while the lead is handed over",
    "proposals told to be decided",
    "query",
    "quorums of one size",
    "read answered",
    "read beside another leader",
    "reconfigured",
    "restarted after a message",
    "restored with votes",
    "roles apart",
    "sender is no member",
    "snapshot chunk",
    "snapshot installed",
    "snapshot refused",
    "snapshot taken",
    "snapshot wanted",
    "too much under way",
    "votes told",
    "weighted votes",
];
