use quorate_core::Instant;

use crate::MAX_INDEX;

/// The cluster's time, by which sessions expire on all nodes alike: the leader puts it into the
/// entries (Raft thesis, 6.3; LogCabin calls it the cluster clock).
///
/// It is not the time of day. It begins at 0, and each leader continues from the latest time that
/// it observed at the rate of its clock. So it hardly stops while the leader changes, and stops
/// while the whole cluster is down.
///
/// Every node has one, and lets it [`observe`](Self::observe) the time in the calls that it
/// applies; the node that proposes a call puts its [`stamp`](Self::stamp) into it.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_log::session::ClusterClock;
/// let mut clock = ClusterClock::new(Instant::ZERO);
/// clock.observe(1_000_000, Instant::from_millis(500)); // in an entry
/// // 20 ms later this node is the leader, and proposes
/// assert_eq!(clock.stamp(Instant::from_millis(520)), 1_020_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClusterClock {
    time_us: u64,
    /// When it was `time_us`.
    at: Instant,
}

impl ClusterClock {
    /// The clock of a node that starts now, and has observed nothing yet.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_log::session::ClusterClock;
    /// let now = Instant::from_millis(86_400_000); // the board has been on for a day
    /// assert_eq!(ClusterClock::new(now).stamp(now.after(5)), 5);
    /// ```
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { time_us: 0, at: now }
    }

    /// Notes the time in an entry, or in a snapshot:
    /// [`Sessions::time_us`](super::Sessions::time_us). Ignores a time that is not later than all
    /// that were observed or stamped before: a leader applies its own entries late.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_log::session::ClusterClock;
    /// let mut clock = ClusterClock::new(Instant::ZERO);
    /// clock.observe(1_000_000, Instant::from_millis(500));
    /// clock.observe(1_000_000, Instant::from_millis(600)); // the same entry again
    /// assert_eq!(clock.stamp(Instant::from_millis(600)), 1_100_000);
    /// ```
    pub fn observe(&mut self, time_us: u64, now: Instant) {
        if time_us > self.time_us {
            *self = Self { time_us, at: now };
        }
    }

    /// The time for an entry that is proposed now.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_log::session::ClusterClock;
    /// let mut clock = ClusterClock::new(Instant::ZERO);
    /// let first = clock.stamp(Instant::from_millis(3));
    /// assert_eq!(clock.stamp(Instant::from_millis(4)), first + 1_000);
    /// assert_eq!(clock.stamp(Instant::from_millis(2)), first + 1_000); // not back
    /// ```
    pub fn stamp(&mut self, now: Instant) -> u64 {
        let passed = now.as_micros().saturating_sub(self.at.as_micros());
        self.time_us = self.time_us.saturating_add(passed).min(MAX_INDEX);
        self.at = self.at.max(now);
        self.time_us
    }
}
