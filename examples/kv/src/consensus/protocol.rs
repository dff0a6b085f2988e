use core::fmt;

use clap::ValueEnum;

/// Which protocol keeps the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogProtocol {
    Raft,
    /// Multi-Paxos
    Paxos,
}

impl LogProtocol {
    /// The one of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Raft, Self::Paxos].into_iter().find(|protocol| protocol.to_string() == name)
    }

    /// What the protocol counts its leaders by.
    pub(crate) const fn epoch_name(self) -> &'static str {
        match self {
            Self::Raft => "term",
            Self::Paxos => "ballot",
        }
    }

    /// Makes a number of founders another one for each protocol.
    pub(crate) const fn mix(self, hash: u64) -> u64 {
        match self {
            Self::Raft => hash,
            Self::Paxos => hash ^ 0x7061_786f_735f_6d70,
        }
    }
}

impl fmt::Display for LogProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raft => "raft",
            Self::Paxos => "paxos",
        })
    }
}
