use crate::ConfigError;

/// How a Raft node behaves. Every field is public; [`Raft::new`](crate::Raft::new) checks them once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// Lower end of the randomised election timeout, in µs. At least twice `heartbeat_us`. Default 150 ms.
    pub election_min_us: u64,
    /// Upper end of the randomised election timeout, in µs. Default 300 ms.
    pub election_max_us: u64,
    /// How often an idle leader is heard, in µs. Default 50 ms.
    pub heartbeat_us: u64,
    /// Ask whether a majority would vote before disturbing the term (Raft thesis, 9.6). Default true.
    pub pre_vote: bool,
    /// A leader that has not heard a majority for an election timeout steps down, and nodes that hear a leader refuse to
    /// vote (Raft thesis, 6.2 and 4.2.3). Default true.
    pub check_quorum: bool,
    /// Bytes of entries in one message, at most (one entry may exceed it alone). Default 64 KiB.
    pub max_append_bytes: usize,
    /// Entries on their way to one follower, at most. Default 4096.
    pub max_inflight_entries: u64,
    /// Bytes of entries on their way to one follower, at most (one entry may exceed it alone). Default 1 MiB.
    pub max_inflight_bytes: usize,
    /// Bytes of a proposed command, at most. Default 1 MiB.
    pub max_entry_bytes: usize,
    /// Bytes of entries that are not committed yet, at most; beyond that proposals are refused as busy. Default 16 MiB.
    pub max_uncommitted_bytes: usize,
    /// Bytes of one part of a snapshot, at most; the inline storage also has its own limit. Default 64 KiB.
    pub snapshot_part_bytes: usize,
    /// Bytes of the whole log, at most; the inline storage also has its own limit. Default 1 GiB.
    pub max_log_bytes: usize,
    /// Voters in the cluster, at most, on the heap storage. Default 15.
    pub max_voters: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            election_min_us: 150_000,
            election_max_us: 300_000,
            heartbeat_us: 50_000,
            pre_vote: true,
            check_quorum: true,
            max_append_bytes: 64 << 10,
            max_inflight_entries: 4096,
            max_inflight_bytes: 1 << 20,
            max_entry_bytes: 1 << 20,
            max_uncommitted_bytes: 16 << 20,
            snapshot_part_bytes: 64 << 10,
            max_log_bytes: 1 << 30,
            max_voters: 15,
        }
    }
}

impl Config {
    /// Checks the fields against each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field that does not fit.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.heartbeat_us == 0 || self.election_min_us / 2 < self.heartbeat_us {
            return Err(ConfigError::ElectionTimeout);
        }
        if self.election_max_us <= self.election_min_us {
            return Err(ConfigError::ElectionSpread);
        }
        if self.max_append_bytes == 0
            || self.max_inflight_entries == 0
            || self.max_inflight_bytes == 0
            || self.max_entry_bytes == 0
            || self.snapshot_part_bytes == 0
            || self.max_uncommitted_bytes < self.max_entry_bytes
            || self.max_log_bytes / 2 < self.max_entry_bytes
        {
            return Err(ConfigError::Limits);
        }
        Ok(())
    }
}
