use core::fmt;

/// How much a node remembers of its clients.
///
/// It must be the same on all nodes of a cluster for as long as the cluster exists: nodes that
/// evict different sessions would apply different commands.
///
/// ```
/// use quorate_log::session::Config;
/// let config = Config { max_sessions: 16, timeout_us: 0, ..Config::default() };
/// assert_eq!(config.validate(), Ok(()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// Sessions at a time, at least 1. Default 1024.
    pub max_sessions: usize,
    /// Commands that a client may have in flight, 1 to 64: that many responses are stored for it.
    /// Default 16.
    pub window: usize,
    /// The longest response that is stored, in bytes. Default 256.
    pub max_response_bytes: usize,
    /// The session timeout: a session expires when no entry of its client was applied for longer
    /// than this, in µs of the cluster's time; 0: never. Default one hour.
    pub timeout_us: u64,
    /// What happens when another client registers. Default [`WhenFull::EvictOldest`].
    pub when_full: WhenFull,
}

/// What happens to a registration while `max_sessions` sessions are alive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused. Then clients should close their sessions, or `timeout_us` should be above 0:
    /// otherwise sessions of clients that never return keep others out.
    Refuse,
    /// The session whose last entry is oldest is evicted.
    EvictOldest,
}

/// Why a table of sessions cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_sessions` must be at least 1.
    NoSession,
    /// `window` must be from 1 to 64.
    Window,
    /// The storage has room for fewer sessions, fewer responses in each, or shorter ones.
    Storage,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_sessions: 1024,
            window: 16,
            max_response_bytes: 256,
            timeout_us: 3_600_000_000,
            when_full: WhenFull::EvictOldest,
        }
    }
}

impl Config {
    /// The largest window.
    pub const MAX_WINDOW: usize = 64;

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field that is out of range.
    ///
    /// ```
    /// use quorate_log::session::{Config, ConfigError};
    /// assert_eq!(Config::default().validate(), Ok(()));
    /// assert_eq!(Config { window: 65, ..Config::default() }.validate(), Err(ConfigError::Window));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.max_sessions == 0 {
            return Err(ConfigError::NoSession);
        }
        if self.window == 0 || self.window > Self::MAX_WINDOW {
            return Err(ConfigError::Window);
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSession => "there must be room for at least one session: raise max_sessions",
            Self::Window => "the window must be from 1 to 64 commands",
            Self::Storage => {
                "the storage has room for less than the configuration states: raise the storage's \
                 capacities or lower max_sessions, window or max_response_bytes"
            }
        })
    }
}

impl core::error::Error for ConfigError {}
