use crate::ConfigError;

/// How the nodes of one decision behave.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `retry_us` | 50 ms | 1 s | 10 s | some round trips and a write, so that what is on its way is seldom repeated |
/// | `backoff_us` | 20 ms | 400 ms | 5 s | two round trips and two writes: a ballot is over by then |
/// | `learn_us` | 200 ms | 2 s | 30 s | |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// After how long without an answer a proposer repeats a message, in µs; not 0. Default 50 ms.
    pub retry_us: u64,
    /// How long a proposer that was preempted waits before its next ballot, in µs; not 0. The first time between once and twice that,
    /// at random; up to 64 times as long after it was preempted again and again. Default 20 ms.
    pub backoff_us: u64,
    /// How learners learn. Default [`Learning::Distinguished`].
    pub learning: Learning,
    /// How often a learner asks, in µs; not 0. Default 200 ms.
    pub learn_us: u64,
    /// Members, where the storage does not say. Default 64.
    pub max_members: usize,
    /// Bytes of a value, where the storage does not say. Default 64 KiB.
    pub max_value_bytes: usize,
}

/// How learners learn what was chosen (Lamport, "Paxos Made Simple", 2001, section 2.3). All nodes of an instance do it the same way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Learning {
    /// Only the proposer learns. Others ask.
    Proposer,
    /// The proposer learns, and tells the learners: one message for each. It is the distinguished learner.
    #[default]
    Distinguished,
    /// Each acceptor tells each learner its vote: a message delay less, and as many messages as the product of their numbers.
    Direct,
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

impl Config {
    /// For a local network. The default.
    ///
    /// ```
    /// use quorate_paxos::synod::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!(Config::lan().validate(), Ok(()));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            retry_us: 50_000,
            backoff_us: 20_000,
            learning: Learning::Distinguished,
            learn_us: 200_000,
            max_members: 64,
            max_value_bytes: 64 << 10,
        }
    }

    /// For links between sites.
    ///
    /// ```
    /// use quorate_paxos::synod::Config;
    /// assert_eq!(Config::wan().retry_us, 1_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { retry_us: 1_000_000, backoff_us: 400_000, learn_us: 2_000_000, ..Self::lan() }
    }

    /// For slow radio.
    ///
    /// ```
    /// use quorate_paxos::synod::Config;
    /// assert_eq!(Config::radio().backoff_us, 5_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            retry_us: 10_000_000,
            backoff_us: 5_000_000,
            learn_us: 30_000_000,
            max_value_bytes: 128,
            ..Self::lan()
        }
    }

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Timeouts`] if one of them is 0.
    ///
    /// ```
    /// use quorate_paxos::{ConfigError, synod::Config};
    /// let config = Config { backoff_us: 0, ..Config::lan() };
    /// assert_eq!(config.validate(), Err(ConfigError::Timeouts));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.retry_us == 0 || self.backoff_us == 0 || self.learn_us == 0 {
            return Err(ConfigError::Timeouts);
        }
        Ok(())
    }
}
