use quorate_core::Instant;

use super::Detector;
use crate::ConfigError;

/// Suspects after K intervals of silence (Coulouris et al., "Distributed Systems", 5th edition, section 15.1).
///
/// Simple and blind: right where the interval is known and the network's worst delay is small against it.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::detector::{Detector, Heartbeat, HeartbeatConfig};
/// let mut detector = Heartbeat::new(HeartbeatConfig { interval_us: 100_000, missed: 3 })?;
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

/// How a [`Heartbeat`] detector judges.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HeartbeatConfig {
    /// The interval at which the peer is heard, in µs, above 0.
    pub interval_us: u64,
    /// How many of them may pass, above 0.
    pub missed: u32,
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
    /// assert!(Heartbeat::new(HeartbeatConfig { interval_us: 0, missed: 3 }).is_err());
    /// ```
    pub const fn new(config: HeartbeatConfig) -> Result<Self, ConfigError> {
        let tolerated_us = config.interval_us.saturating_mul(config.missed as u64);
        if tolerated_us == 0 {
            return Err(ConfigError::Detector);
        }
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
