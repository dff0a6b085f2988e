use core::fmt;

use clap::ValueEnum;

/// Which protocol keeps the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogProtocol {
    Raft,
    /// Multi-Paxos.
    Paxos,
}

impl fmt::Display for LogProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raft => "raft",
            Self::Paxos => "paxos",
        })
    }
}
