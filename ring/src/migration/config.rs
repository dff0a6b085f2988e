use super::ConfigError;

/// How a [`Migration`](super::Migration) behaves.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `retry_us` | 200 ms | 1 s | 10 s | some round trips, so that what is on its way is seldom repeated |
/// | `stall_us` | 5 s | 15 s | 5 min | a node that restarts is back by then |
/// | `max_open` | 2 | 2 | 1 | one is written while another is on its way |
/// | `bytes_per_second` | 16 MiB | 2 MiB | 100 | leaves most of the link to clients |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// After how long without an answer a message is repeated, in µs; not 0. Default 200 ms.
    pub retry_us: u64,
    /// After how long without an answer the application learns [`Event::Stalled`](super::Event::Stalled), in µs; not below `retry_us`.
    /// Default 5 s.
    pub stall_us: u64,
    /// How many hand-overs a source has open at once: those that are not released yet; not 0. Default 2.
    pub max_open: usize,
    /// How many bytes of chunks a source reads and sends within a second, on average over all its hand-overs; not 0. At once it may be a
    /// chunk for each open hand-over. Forwarded writes are not counted. Default 16 MiB; `u64::MAX` for no limit.
    pub bytes_per_second: u64,
    /// Members, where the storage does not say. Default 64.
    pub max_members: usize,
    /// Hand-overs of each direction, where the storage does not say. Default 64.
    pub max_handovers: usize,
    /// Bytes of a chunk, where the storage does not say. Default 64 KiB.
    pub max_chunk_bytes: usize,
    /// Bytes of a cursor, where the storage does not say. Default 1 KiB.
    pub max_cursor_bytes: usize,
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
    /// use quorate_ring::migration::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!(Config::lan().validate(), Ok(()));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            retry_us: 200_000,
            stall_us: 5_000_000,
            max_open: 2,
            bytes_per_second: 16 << 20,
            max_members: 64,
            max_handovers: 64,
            max_chunk_bytes: 64 << 10,
            max_cursor_bytes: 1024,
        }
    }

    /// For links between sites.
    ///
    /// ```
    /// use quorate_ring::migration::Config;
    /// assert_eq!(Config::wan().retry_us, 1_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { retry_us: 1_000_000, stall_us: 15_000_000, bytes_per_second: 2 << 20, ..Self::lan() }
    }

    /// For slow radio.
    ///
    /// ```
    /// use quorate_ring::migration::Config;
    /// assert_eq!(Config::radio().bytes_per_second, 100);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            retry_us: 10_000_000,
            stall_us: 300_000_000,
            max_open: 1,
            bytes_per_second: 100,
            max_chunk_bytes: 128,
            max_cursor_bytes: 32,
            ..Self::lan()
        }
    }

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_ring::migration::{Config, ConfigError};
    /// let config = Config { max_open: 0, ..Config::lan() };
    /// assert_eq!(config.validate(), Err(ConfigError::Throttle));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.retry_us == 0 || self.stall_us < self.retry_us {
            return Err(ConfigError::Timeouts);
        }
        if self.max_open == 0 || self.bytes_per_second == 0 {
            return Err(ConfigError::Throttle);
        }
        Ok(())
    }

    /// How long a target waits before it asks a silent source whether the hand-over goes on, in µs: eight times `retry_us`.
    ///
    /// ```
    /// use quorate_ring::migration::Config;
    /// assert_eq!(Config::lan().ask_us(), 1_600_000);
    /// ```
    #[must_use]
    pub const fn ask_us(&self) -> u64 {
        self.retry_us.saturating_mul(8)
    }

    /// How long the next chunk waits after one of so many bytes.
    pub(super) const fn pause_us(&self, bytes: usize) -> u64 {
        let Some(us) = (bytes as u64).saturating_mul(1_000_000).checked_div(self.bytes_per_second)
        else {
            return 0;
        };
        us
    }
}
