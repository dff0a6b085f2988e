use crate::ConfigError;

/// How the nodes of a register behave.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `retry_us` | 50 ms | 1 s | 10 s | some round trips and a write, so that what is on its way is seldom repeated |
/// | `backoff_us` | 20 ms | 400 ms | 5 s | two round trips and two writes: a change is over by then |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// After how long without an answer a message is repeated, in µs; not 0. Default 50 ms.
    pub retry_us: u64,
    /// How long a proposer waits after a conflict before its next ballot for the key, in µs; not 0. The first time between once and twice
    /// that, at random; up to 64 times as long after further conflicts. Default 20 ms.
    pub backoff_us: u64,
    /// Members, where the storage does not say; 64 at most in any case. Default 64.
    pub max_members: usize,
    /// Keys, where the storage does not say. Default 65,536.
    pub max_keys: usize,
    /// Requests at a time, where the storage does not say. Default 64.
    pub max_requests: usize,
    /// Bytes of a key, where the storage does not say. Default 256.
    pub max_key_bytes: usize,
    /// Bytes of a value, where the storage does not say. Default 64 KiB.
    pub max_value_bytes: usize,
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
    /// use quorate_paxos::register::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!(Config::lan().validate(), Ok(()));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            retry_us: 50_000,
            backoff_us: 20_000,
            max_members: 64,
            max_keys: 1 << 16,
            max_requests: 64,
            max_key_bytes: 256,
            max_value_bytes: 64 << 10,
        }
    }

    /// For links between sites.
    ///
    /// ```
    /// use quorate_paxos::register::Config;
    /// assert_eq!(Config::wan().retry_us, 1_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { retry_us: 1_000_000, backoff_us: 400_000, ..Self::lan() }
    }

    /// For slow radio.
    ///
    /// ```
    /// use quorate_paxos::register::Config;
    /// assert_eq!(Config::radio().backoff_us, 5_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            retry_us: 10_000_000,
            backoff_us: 5_000_000,
            max_key_bytes: 16,
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
    /// use quorate_paxos::{ConfigError, register::Config};
    /// let config = Config { backoff_us: 0, ..Config::lan() };
    /// assert_eq!(config.validate(), Err(ConfigError::Timeouts));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.retry_us == 0 || self.backoff_us == 0 {
            return Err(ConfigError::Timeouts);
        }
        Ok(())
    }
}
