use core::fmt;

/// Times and limits of a node.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `retry_us` | 50 ms | 500 ms | 2 s | some round trips: what was lost is sent again so late |
/// | `attempts` | 20 | 10 | 10 | a request times out after as many `retry_us`: 1 s, 5 s, 20 s |
/// | `handoff_us` | 1 s | 5 s | 1 min | a node that is back gets what was kept for it so late, where no failure detector tells sooner |
/// | `hint_life_us` | 3 h | 3 h | 3 h | what a node missed that is away for longer, sweeps bring |
/// | `sweep_us` | 10 ms | 10 ms | 10 ms | a sweep leaves room for requests |
/// | `sweep_pause_us` | 1 min | 1 min | 1 min | a node sweeps with one other after the other: what nobody noticed is repaired after as many pauses as there are other nodes; each sweep reads all keys |
/// | `purge_us` | 1 h | 1 h | 1 h | a key that was deleted takes room for two to three times as long, and for longer while a node is down |
/// | `max_key_len` | 1,024 B | 1,024 B | 1,024 B | |
/// | `max_requests` | 4,096 | 4,096 | 4,096 | |
/// | `max_keys` | 16,777,216 | 16,777,216 | 16,777,216 | |
/// | `max_repairs` | 16 | 32 | 1 | [the pace of repairs](#the-pace-of-repairs) |
/// | `max_answers` | 16,384 | 16,384 | 16,384 | several coordinators at once |
/// | `max_hints` | 65,536 | 65,536 | 65,536 | |
///
/// ```
/// use quorate_ring::quorum::Config;
/// let a_day_us = 24 * 3_600_000_000;
/// let config = Config { purge_us: a_day_us, ..Config::lan() }; // tombstones are kept that long
/// assert_eq!(config.retry_us * u64::from(config.attempts), 1_000_000); // a request times out after a second
/// ```
///
/// # The pace of repairs
///
/// To a node that has none of them a sweep sends 32 values in 1 + 32 / [`max_repairs`](Self::max_repairs) round trips. So many values a second, by the time of
/// a round trip:
///
/// | `max_repairs` | 0.5 ms | 50 ms | 1 s |
/// |---|---|---|---|
/// | 1, as [`radio`](Self::radio) has it | 1,900 | 19 | 0.97 |
/// | 16, as [`lan`](Self::lan) has it | 21,000 | 210 | 11 |
/// | 32, as [`wan`](Self::wan) has it | 32,000 | 320 | 16 |
///
/// What is the same on both sides is compared, and not sent: 4,096 keys in each [`sweep_us`](Self::sweep_us) and round trip. Writes that were kept for another node go one in a
/// round trip to begin with, then two, four and so on, and `max_repairs` in the end.
///
/// At no time are there more values on the line than that, so a line takes at most `max_repairs` times their length in a round trip: 16 values of 1 KB in 0.5 ms are 32 MB a second.
/// Where that is more than the line can carry round trips take longer, and those of the application too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// After this time without enough answers a request is sent again to the nodes that have not
    /// answered, and to fallbacks in their place if it is sloppy: 1 µs to an hour. Of a node that
    /// is [down](super::Node::set_down) the fallback is asked at once.
    pub retry_us: u64,
    /// How often it is sent, before it fails with a timeout: 1 to 255.
    pub attempts: u8,
    /// After this time a write that is kept for another node is handed over, or tried again: 1 µs to an hour.
    pub handoff_us: u64,
    /// After this time without success it goes to the other replicas of the key in its place: 1 µs to 365 days.
    pub hint_life_us: u64,
    /// After this time a sweep goes on, when it has read 4,096 keys; after a part of it, when it has read fewer: 1 µs to an hour.
    pub sweep_us: u64,
    /// After this time it begins with the next node: 1 µs to 365 days.
    pub sweep_pause_us: u64,
    /// Tombstones of this age may be purged, and it is looked for them as often: 1 µs to 365 days.
    pub purge_us: u64,
    /// Bytes of a key. With `Inline` storage at most its `KEY_BYTES`.
    pub max_key_len: usize,
    /// Requests in flight: up to 65,536, and more than that count as that. With `Inline` storage
    /// the storage's limits hold instead of this and the following.
    pub max_requests: usize,
    /// Keys that a replica holds.
    pub max_keys: usize,
    /// Repairs that are under way at once: values that a sweep found wanting, and as many that were kept for other nodes: 1 to 32.
    /// Each of the two has an eighth of `max_requests` at most, and one at least.
    pub max_repairs: u8,
    /// Answers that a replica owes.
    pub max_answers: usize,
    /// Writes that are kept for other nodes.
    pub max_hints: usize,
}

impl Config {
    /// For nodes in one building: a retry after 50 ms, and a timeout after 1 s.
    ///
    /// ```
    /// use quorate_ring::quorum::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!((Config::lan().retry_us, Config::lan().attempts), (50_000, 20));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            retry_us: 50_000,
            attempts: 20,
            handoff_us: 1_000_000,
            hint_life_us: 3 * 3_600_000_000,
            sweep_us: 10_000,
            sweep_pause_us: 60_000_000,
            purge_us: 3_600_000_000,
            max_key_len: 1_024,
            max_requests: 4_096,
            max_keys: 1 << 24,
            max_repairs: 16,
            max_answers: 16_384,
            max_hints: 65_536,
        }
    }

    /// For nodes in several regions: a retry after 500 ms, and a timeout after 5 s.
    ///
    /// ```
    /// use quorate_ring::quorum::Config;
    /// assert_eq!((Config::wan().retry_us, Config::wan().attempts), (500_000, 10));
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            retry_us: 500_000,
            attempts: 10,
            handoff_us: 5_000_000,
            max_repairs: 32,
            ..Self::lan()
        }
    }

    /// For nodes on slow lines: a retry after 2 s, and a timeout after 20 s.
    ///
    /// ```
    /// use quorate_ring::quorum::Config;
    /// assert_eq!((Config::radio().retry_us, Config::radio().handoff_us), (2_000_000, 60_000_000));
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            retry_us: 2_000_000,
            attempts: 10,
            handoff_us: 60_000_000,
            max_repairs: 1,
            ..Self::lan()
        }
    }

    pub(crate) const fn check(&self) -> Result<(), ConfigError> {
        if self.retry_us == 0 || self.retry_us > 3_600_000_000 {
            return Err(ConfigError::Retry);
        }
        if self.attempts == 0 {
            return Err(ConfigError::Attempts);
        }
        let year_us = 365 * 24 * 3_600_000_000;
        let handoff = self.handoff_us > 0 && self.handoff_us <= 3_600_000_000;
        let life = self.hint_life_us > 0 && self.hint_life_us <= year_us;
        if !handoff || !life {
            return Err(ConfigError::Handoff);
        }
        let sweep = self.sweep_us > 0 && self.sweep_us <= 3_600_000_000;
        let pause = self.sweep_pause_us > 0 && self.sweep_pause_us <= year_us;
        if !sweep || !pause {
            return Err(ConfigError::Sweep);
        }
        if self.purge_us == 0 || self.purge_us > year_us {
            return Err(ConfigError::Purge);
        }
        if self.max_repairs == 0 || self.max_repairs > 32 {
            return Err(ConfigError::Repairs);
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

/// Why a configuration cannot be used.
///
/// ```
/// use quorate_ring::quorum::{Config, ConfigError, Coordinator, Inline, Tagged};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// let config = Config { sweep_us: 0, ..Config::lan() };
/// let refused = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, config).unwrap_err();
/// assert_eq!(refused, ConfigError::Sweep);
/// assert!(refused.to_string().starts_with("sweep_us must be 1 µs to an hour"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The time between attempts is 0, or more than an hour.
    Retry,
    /// There are no attempts.
    Attempts,
    /// The time before a hand-over is 0 or more than an hour, or a hint's life is 0 or more than 365 days.
    Handoff,
    /// The time between two runs of a sweep is 0 or more than an hour, or that between two sweeps 0 or more than 365 days.
    Sweep,
    /// The age of tombstones that may be purged is 0 or more than 365 days.
    Purge,
    /// No repairs may be under way, or more than 32.
    Repairs,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry => "retry_us must be 1 µs to an hour",
            Self::Attempts => "attempts must be 1 or more",
            Self::Handoff => "handoff_us must be 1 µs to an hour, hint_life_us 1 µs to 365 days",
            Self::Sweep => "sweep_us must be 1 µs to an hour, sweep_pause_us 1 µs to 365 days",
            Self::Purge => "purge_us must be 1 µs to 365 days",
            Self::Repairs => "max_repairs must be 1 to 32",
        })
    }
}

impl core::error::Error for ConfigError {}
