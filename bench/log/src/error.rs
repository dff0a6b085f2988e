use core::fmt;

use quorate_core::{DecodeError, Fatal, Overflow, Rejected};
use quorate_log::SubmitError;

/// Why a measurement cannot go on: any of these is a bug in the machine or in the harness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The cluster cannot be made.
    Config(quorate_raft::ConfigError),
    /// A proposal was refused.
    Propose(SubmitError),
    /// A message was refused.
    Rejected(Rejected),
    /// A message or record could not be read back.
    Decode(DecodeError),
    /// A message or record is larger than the buffer.
    Overflow(Overflow),
    /// A snapshot was refused.
    Snapshot(quorate_raft::SnapshotError),
    /// A machine stopped itself.
    Fatal(Fatal),
    /// A node of Multi-Paxos cannot be made.
    PaxosConfig(quorate_paxos::ConfigError),
    /// A snapshot was refused by Multi-Paxos.
    PaxosSnapshot(quorate_paxos::multi::SnapshotError),
    /// No node was elected.
    NoLeader,
    /// A machine asked for a snapshot's part, though no peer is behind.
    UnexpectedSnapshot,
    /// A round ended without its commands committed.
    NotCommitted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(e) => write!(f, "the cluster cannot be made: {e}"),
            Self::Propose(e) => write!(f, "a proposal was refused: {e}"),
            Self::Rejected(e) => write!(f, "a message was refused: {e}"),
            Self::Decode(e) => write!(f, "what was encoded cannot be decoded: {e}"),
            Self::Overflow(e) => write!(f, "the harness's buffer is too small: {e}"),
            Self::Snapshot(e) => write!(f, "a snapshot was refused: {e}"),
            Self::Fatal(e) => write!(f, "a machine stopped itself: {e}"),
            Self::PaxosConfig(e) => write!(f, "the cluster cannot be made: {e}"),
            Self::PaxosSnapshot(e) => write!(f, "a snapshot was refused: {e}"),
            Self::NoLeader => f.write_str("no node was elected"),
            Self::UnexpectedSnapshot => {
                f.write_str("a part of a snapshot was asked for, though nobody is behind")
            }
            Self::NotCommitted => f.write_str("a round ended without its commands committed"),
        }
    }
}

impl core::error::Error for Failure {}

macro_rules! from {
    ($($kind:ident: $source:ty),*) => {
        $(impl From<$source> for Failure {
            fn from(e: $source) -> Self {
                Self::$kind(e)
            }
        })*
    };
}

from!(
    Config: quorate_raft::ConfigError, PaxosConfig: quorate_paxos::ConfigError,
    Propose: SubmitError, Rejected: Rejected, Decode: DecodeError, Overflow: Overflow,
    Snapshot: quorate_raft::SnapshotError, PaxosSnapshot: quorate_paxos::multi::SnapshotError,
    Fatal: Fatal
);
