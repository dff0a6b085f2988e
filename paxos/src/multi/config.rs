use crate::ConfigError;

/// How a node of a log behaves. Every field is public; [`MultiPaxos::new`](super::MultiPaxos::new) checks them once.
///
/// All nodes of a cluster should have the same times. None may have room for fewer members, shorter entries or shorter parts of snapshots
/// than the others: it refuses what does not fit, and stays behind.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `heartbeat_us` | 50 ms | 500 ms | 5 s | longer than a message takes |
/// | `election_us` | 150 ms | 1.5 s | 15 s | three heartbeats: two may get lost |
/// | `max_accept_bytes` | 64 KiB | 64 KiB | 160 | a good part of what a link takes at once; one radio packet |
/// | `max_inflight_entries` | 4096 | 4096 | 8 | bounds what is sent again after a loss, where entries are small |
/// | `max_inflight_bytes` | 1 MiB | 4 MiB | 320 | what the link carries in a round trip |
/// | `max_entry_bytes` | 1 MiB | 1 MiB | 128 | an entry travels in one message |
/// | `max_uncommitted_bytes` | 16 MiB | 16 MiB | 2 KiB | what proposals may take of memory before they are refused |
/// | `max_chunk_bytes` | 64 KiB | 64 KiB | 160 | as `max_accept_bytes` |
/// | `max_log_bytes` | 1 GiB | 1 GiB | 64 KiB | what the application keeps before it must have compacted |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// How often each acceptor is heard, in µs; not 0. Default 50 ms.
    pub heartbeat_us: u64,
    /// A link counts as down when nothing was heard over it for so long, in µs; at least twice `heartbeat_us`. A node that has no leader
    /// waits up to as long again, at random, before it is a candidate. Default 150 ms.
    pub election_us: u64,
    /// Bytes of entries in one message, at least 1; one entry may exceed it alone. Default 64 KiB.
    pub max_accept_bytes: usize,
    /// Entries on their way to one node, at least 1. Default 4096.
    pub max_inflight_entries: u64,
    /// Bytes of entries on their way to one node, at least 1; one entry may exceed it alone. Default 1 MiB.
    pub max_inflight_bytes: usize,
    /// Bytes of a command, at least 1. Default 1 MiB.
    pub max_entry_bytes: usize,
    /// Bytes of entries that are not chosen yet, at least `max_entry_bytes`. Default 16 MiB.
    pub max_uncommitted_bytes: usize,
    /// Bytes of one part of a snapshot, at least 1; inline storage has its own limit, too. Default 64 KiB.
    pub max_chunk_bytes: usize,
    /// Bytes of the log, where the storage does not say; at least twice `max_entry_bytes`. Default 1 GiB.
    pub max_log_bytes: usize,
    /// Members, where the storage does not say; at most 62. Default 15.
    pub max_members: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

impl Config {
    /// For nodes in one building: messages take a few ms at most, and links carry megabytes a second. The default.
    ///
    /// ```
    /// use quorate_paxos::multi::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!(Config::lan().validate(), Ok(()));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            heartbeat_us: 50_000,
            election_us: 150_000,
            max_accept_bytes: 64 << 10,
            max_inflight_entries: 4096,
            max_inflight_bytes: 1 << 20,
            max_entry_bytes: 1 << 20,
            max_uncommitted_bytes: 16 << 20,
            max_chunk_bytes: 64 << 10,
            max_log_bytes: 1 << 30,
            max_members: 15,
        }
    }

    /// For nodes on several continents: a round trip takes up to 300 ms.
    ///
    /// ```
    /// use quorate_paxos::multi::Config;
    /// assert_eq!(Config::wan().heartbeat_us, 500_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            heartbeat_us: 500_000,
            election_us: 1_500_000,
            max_inflight_bytes: 4 << 20,
            ..Self::lan()
        }
    }

    /// For slow radio: packets of some 200 bytes, which take seconds.
    ///
    /// ```
    /// use quorate_paxos::multi::Config;
    /// assert_eq!(Config::radio().max_accept_bytes, 160);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            heartbeat_us: 5_000_000,
            election_us: 15_000_000,
            max_accept_bytes: 160,
            max_inflight_entries: 8,
            max_inflight_bytes: 320,
            max_entry_bytes: 128,
            max_uncommitted_bytes: 2 << 10,
            max_chunk_bytes: 160,
            max_log_bytes: 64 << 10,
            ..Self::lan()
        }
    }

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Timeouts`], or [`ConfigError::Limits`].
    ///
    /// ```
    /// use quorate_paxos::{ConfigError, multi::Config};
    /// let config = Config { election_us: 99_999, ..Config::lan() };
    /// assert_eq!(config.validate(), Err(ConfigError::Timeouts));
    /// let config = Config { max_entry_bytes: 0, ..Config::lan() };
    /// assert_eq!(config.validate(), Err(ConfigError::Limits));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.heartbeat_us == 0 || self.election_us < self.heartbeat_us.saturating_mul(2) {
            return Err(ConfigError::Timeouts);
        }
        let is_zero = self.max_accept_bytes == 0
            || self.max_inflight_entries == 0
            || self.max_inflight_bytes == 0
            || self.max_entry_bytes == 0
            || self.max_chunk_bytes == 0;
        let is_small = self.max_uncommitted_bytes < self.max_entry_bytes
            || self.max_log_bytes < self.max_entry_bytes.saturating_mul(2);
        if is_zero || is_small {
            return Err(ConfigError::Limits);
        }
        Ok(())
    }
}
