use quorate_core::Instant;

use super::Detector;
use crate::{Config, ConfigError};

/// Suspects after K intervals of silence (Coulouris et al., "Distributed Systems", 5th edition, section 15.1).
///
/// Simple and blind: right where the interval is known and the network's worst delay is small against it.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::detector::{Detector, Heartbeat, HeartbeatConfig};
/// let mut detector = Heartbeat::new(HeartbeatConfig { interval_us: 100_000, max_missed: 3 })?;
/// assert!(!detector.suspects(Instant::from_millis(9_999))); // never heard
/// detector.heartbeat(Instant::from_millis(1_000));
/// assert!(!detector.suspects(Instant::from_millis(1_300)));
/// assert_eq!(detector.suspects_at(), Some(Instant::from_micros(1_300_001)));
/// assert!(detector.suspects(Instant::from_micros(1_300_001)));
/// # Ok::<(), quorate_election::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heartbeat {
    /// `MAX` while nothing was heard: no instant is later.
    last: Instant,
    tolerated_us: u64,
}

/// How a [`Heartbeat`] detector judges. The presets are for a peer that is heard as often as a leader
/// is with the presets of an election's [`Config`](crate::Config).
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `interval_us` | 100 ms | 1 s | 10 s | `heartbeat_us` of the election's preset |
/// | `max_missed` | 3 | 3 | 3 | one heartbeat may be lost and the next one nearly an interval late; still before the election's own timeout, 3.5 intervals |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HeartbeatConfig {
    /// The interval at which the peer is heard, in µs, above 0.
    pub interval_us: u64,
    /// How many of them may pass, above 0.
    pub max_missed: u32,
}

impl HeartbeatConfig {
    /// For a local network: heard every 100 ms. The default.
    ///
    /// ```
    /// use quorate_election::detector::HeartbeatConfig;
    /// assert_eq!(HeartbeatConfig::lan(), HeartbeatConfig::default());
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self::for_interval(Config::lan().heartbeat_us)
    }

    /// For links between sites: heard every second.
    ///
    /// ```
    /// use quorate_election::detector::HeartbeatConfig;
    /// assert_eq!(HeartbeatConfig::wan().interval_us, 1_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self::for_interval(Config::wan().heartbeat_us)
    }

    /// For slow radio: heard every 10 s.
    ///
    /// ```
    /// use quorate_election::detector::HeartbeatConfig;
    /// assert_eq!(HeartbeatConfig::radio().interval_us, 10_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self::for_interval(Config::radio().heartbeat_us)
    }

    /// For a peer that is heard at this interval, in µs: three of them may pass.
    ///
    /// ```
    /// use quorate_election::detector::HeartbeatConfig;
    /// assert_eq!(HeartbeatConfig::for_interval(20_000).max_missed, 3);
    /// ```
    #[must_use]
    pub const fn for_interval(interval_us: u64) -> Self {
        Self { interval_us, max_missed: 3 }
    }

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if one is out of range.
    ///
    /// ```
    /// use quorate_election::detector::HeartbeatConfig;
    /// assert!(HeartbeatConfig::lan().validate().is_ok());
    /// assert!(HeartbeatConfig { max_missed: 0, ..HeartbeatConfig::lan() }.validate().is_err());
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.interval_us > 0 && self.max_missed > 0 {
            Ok(())
        } else {
            Err(ConfigError::Detector)
        }
    }
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self::lan()
    }
}

impl Heartbeat {
    /// A detector that has heard nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if a field is 0.
    ///
    /// ```
    /// use quorate_election::detector::{Heartbeat, HeartbeatConfig};
    /// assert!(Heartbeat::new(HeartbeatConfig { interval_us: 0, max_missed: 3 }).is_err());
    /// ```
    pub const fn new(config: HeartbeatConfig) -> Result<Self, ConfigError> {
        if let Err(error) = config.validate() {
            return Err(error);
        }
        let tolerated_us = config.interval_us.saturating_mul(config.max_missed as u64);
        Ok(Self { last: Instant::MAX, tolerated_us })
    }
}

impl Detector for Heartbeat {
    #[inline]
    fn heartbeat(&mut self, now: Instant) {
        self.last = if self.last == Instant::MAX { now } else { self.last.max(now) };
    }

    #[inline]
    fn suspects(&self, now: Instant) -> bool {
        now.since(self.last) > self.tolerated_us
    }

    fn suspects_at(&self) -> Option<Instant> {
        let at = self.last.after(self.tolerated_us).after(1);
        (self.last != Instant::MAX).then_some(at)
    }

    fn ignore_local_pause(&mut self, us: u64) {
        self.last = self.last.after(us);
    }
}
