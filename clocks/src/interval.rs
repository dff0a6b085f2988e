use core::fmt;

/// A reading of physical time that says how uncertain it is: true time lies within (Corbett et al., "Spanner", 2012, section 3:
/// TrueTime). Microseconds since the epoch, both ends included.
///
/// **Commit-wait** (section 4.2.1) makes timestamps agree with real time: take `latest` as the timestamp, and make the result
/// visible only when [`is_after`](Self::is_after) says that it has certainly passed. Whoever starts after seeing the result
/// then gets a greater timestamp, on whatever node.
///
/// ```
/// use quorate_clocks::TimeInterval;
/// let now = TimeInterval::new(9_997, 10_003).ok_or("reversed")?;
/// let commit_us = now.latest_us();
/// assert!(!now.is_after(commit_us));
/// assert_eq!(now.commit_wait_us(commit_us), 7);
/// let later = TimeInterval::new(10_004, 10_010).ok_or("reversed")?; // read anew, seven later
/// assert!(later.is_after(commit_us));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimeInterval {
    earliest_us: u64,
    latest_us: u64,
}

impl TimeInterval {
    /// From both ends; `None` if the earliest is after the latest.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// assert!(TimeInterval::new(5, 5).is_some());
    /// assert!(TimeInterval::new(6, 5).is_none());
    /// ```
    #[must_use]
    pub const fn new(earliest_us: u64, latest_us: u64) -> Option<Self> {
        if earliest_us > latest_us { None } else { Some(Self { earliest_us, latest_us }) }
    }

    /// From a time and how far it may be off to either side; ends beyond the range are cut.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// let now = TimeInterval::around(100, 7);
    /// assert_eq!((now.earliest_us(), now.latest_us()), (93, 107));
    /// ```
    #[must_use]
    pub const fn around(time_us: u64, error_us: u64) -> Self {
        Self {
            earliest_us: time_us.saturating_sub(error_us),
            latest_us: time_us.saturating_add(error_us),
        }
    }

    /// True time is not before this.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// assert_eq!(TimeInterval::around(100, 7).earliest_us(), 93);
    /// ```
    #[must_use]
    pub const fn earliest_us(self) -> u64 {
        self.earliest_us
    }

    /// True time is not after this.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// assert_eq!(TimeInterval::around(100, 7).latest_us(), 107);
    /// ```
    #[must_use]
    pub const fn latest_us(self) -> u64 {
        self.latest_us
    }

    /// The middle, rounded down: the best single guess.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// assert_eq!(TimeInterval::around(100, 7).middle_us(), 100);
    /// ```
    #[must_use]
    pub const fn middle_us(self) -> u64 {
        self.earliest_us.saturating_add(self.latest_us.saturating_sub(self.earliest_us) / 2)
    }

    /// How far the middle may be off, rounded up.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// assert_eq!(TimeInterval::around(100, 7).error_us(), 7);
    /// ```
    #[must_use]
    pub const fn error_us(self) -> u64 {
        self.latest_us.saturating_sub(self.earliest_us).div_ceil(2)
    }

    /// Whether the time has certainly passed.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// let now = TimeInterval::around(100, 7);
    /// assert!(now.is_after(92) && !now.is_after(93));
    /// ```
    #[must_use]
    pub const fn is_after(self, time_us: u64) -> bool {
        self.earliest_us > time_us
    }

    /// Whether the time has certainly not come yet.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// let now = TimeInterval::around(100, 7);
    /// assert!(now.is_before(108) && !now.is_before(107));
    /// ```
    #[must_use]
    pub const fn is_before(self, time_us: u64) -> bool {
        self.latest_us < time_us
    }

    /// How long until [`is_after`](Self::is_after) can be true, in µs; 0 if it is. Read the time again after waiting: the
    /// interval may have widened.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// let now = TimeInterval::around(100, 7);
    /// assert_eq!(now.commit_wait_us(107), 15);
    /// assert_eq!(now.commit_wait_us(50), 0);
    /// ```
    #[must_use]
    pub const fn commit_wait_us(self, commit_us: u64) -> u64 {
        commit_us.saturating_add(1).saturating_sub(self.earliest_us)
    }

    /// What both allow; `None` if they exclude each other, so that one of them is wrong.
    ///
    /// ```
    /// # use quorate_clocks::TimeInterval;
    /// let (a, b) = (TimeInterval::around(100, 7), TimeInterval::around(110, 5));
    /// assert_eq!(a.intersect(b), TimeInterval::new(105, 107));
    /// assert_eq!(a.intersect(TimeInterval::around(200, 5)), None);
    /// ```
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.earliest_us.max(other.earliest_us), self.latest_us.min(other.latest_us))
    }
}

impl fmt::Display for TimeInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={} us", self.earliest_us, self.latest_us)
    }
}
