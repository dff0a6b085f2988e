use core::time::Duration;

/// Microseconds on the driver's monotonic clock, from a zero of the driver's choice.
///
/// 64 bits last 584,000 years, so nothing wraps; arithmetic saturates.
///
/// ```
/// use quorate_core::Instant;
/// let start = Instant::from_micros(1_500);
/// let later = start.after(2_000);
/// assert_eq!(later.as_micros(), 3_500);
/// assert_eq!(later.since(start), 2_000);
/// assert_eq!(start.since(later), 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);
    /// Later than every other instant; as a deadline it never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant this many microseconds after the clock's zero.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// The instant this many milliseconds after the clock's zero.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// Microseconds since the clock's zero.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The instant this long after the clock's zero, for a driver whose clock measures in [`Duration`]: the time since its
    /// start, for instance. Fractions of a microsecond are dropped.
    ///
    /// ```
    /// use core::time::Duration;
    /// use quorate_core::Instant;
    /// assert_eq!(Instant::from_duration(Duration::from_millis(2)), Instant::from_micros(2_000));
    /// assert_eq!(Instant::from_duration(Duration::MAX), Instant::MAX);
    /// ```
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // compared before
    pub const fn from_duration(duration: Duration) -> Self {
        let us = duration.as_micros();
        Self(if us > u64::MAX as u128 { u64::MAX } else { us as u64 })
    }

    /// The time since `earlier`, as [`since`](Self::since): how long a driver may wait for its next input.
    ///
    /// ```
    /// use core::time::Duration;
    /// use quorate_core::Instant;
    /// let (now, deadline) = (Instant::from_millis(5), Instant::from_millis(8));
    /// assert_eq!(deadline.duration_since(now), Duration::from_millis(3));
    /// assert_eq!(now.duration_since(deadline), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.since(earlier))
    }

    /// The instant `us` microseconds later, or [`MAX`](Self::MAX).
    #[must_use]
    pub const fn after(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Microseconds since `earlier`; 0 if that is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
