//! Raft as a subject: a store of registers beside each node, clients that use it, and everything that must hold.
//!
//! Invariants after every step (Raft paper, figure 3.2 of the thesis, and what durability promises): at most one leader a term;
//! a leader's log only grows; entries with the same index and term are the same and follow the same; a new leader has all that
//! is committed; all nodes apply the same; what is committed never changes and is on a majority's *disks* when it is first
//! committed anywhere; votes and acknowledgements leave after the records they promise; terms, commit and applied never go
//! back; `compacted ≤ snapshot ≤ applied ≤ commit ≤ last`. At the end of a run the clients' history must be linearizable.

mod application;
mod clients;
mod configs;
mod entries;
mod forge;
mod history;
pub mod hostile;
#[cfg(feature = "model")]
mod modelled;
mod oracle;
mod protocol;
mod reads;
mod shadow;
mod store;
mod subject;
mod text_format;

#[cfg(feature = "model")]
pub use modelled::{ModelledRaft, Observed, Request, SmallRaft};
pub use protocol::RaftProtocol;
pub use subject::RaftSubject;

use quorate_raft::{Heap, Inline};

/// Room for a log that is often full.
pub type SmallLog = Inline<7, 4096, 96, 100>;

/// Raft without a heap, with small limits, so that full logs and snapshots are everyday matters.
pub type OnInline = RaftSubject<SmallLog>;

/// Raft on the heap.
pub type OnHeap = RaftSubject<Heap>;

/// Marks that a campaign must reach, or it does not test what it says.
pub const REQUIRED_MARKS: &[&str] = &[
    "message lost",
    "message duplicated",
    "message late",
    "message delayed by bulk",
    "message cut off",
    "old message replayed",
    "crash at random",
    "crash after a send",
    "crash before a sync",
    "crash between a sync and its ticket",
    "crash before a swap",
    "crash after a swap",
    "power loss",
    "rolling restart",
    "pause",
    "partition: split",
    "partition: isolated",
    "partition: one way",
    "partition: quorum loss",
    "partition: chain",
    "partition: one link",
    "partition: any links",
    "partial partition: quorum loss",
    "partial partition: constrained election",
    "partial partition: chain",
    "disk damaged",
    "disk erased",
    "disk replaced by an older copy",
    "lost entries reported",
    "message longer than a frame",
    "leader deposed",
    "campaign requested",
    "torn tail",
    "unsynced write survived",
    "sync failed",
    "write on a full disk",
    "checkpoint",
    "command forwarded",
    "forwarded command refused",
    "forwarded command unknown",
    "became leader",
    "commit moved",
    "snapshot wanted",
    "snapshot chunk",
    "snapshot taken",
    "snapshot installed",
    "snapshot refused",
    "log full",
    "log full: compacted",
    "leadership transfer started",
    "leadership transferred",
    "quiesced",
    "forged messages tried",
    "state damaged",
    "damaged state replaced",
    "snapshot requested",
    "unquiesced by a client",
    "proposal lost",
    "outcome unknown",
    "read answered",
    "entries replaced",
    "members changed",
    "joint consensus",
    "learner promoted",
    "voter demoted",
    "member removed",
    "leader removed",
    "witness added",
    "members rolled back",
];
