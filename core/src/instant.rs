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
