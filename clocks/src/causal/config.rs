/// The times of a group, in µs of the driver's clock.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `interval_us` | 50 ms | 500 ms | 2 s | a little over one round trip: an earlier status would report as missing what is still on its way |
/// | `gap_us` | 200 ms | 2 s | 10 s | four or five intervals: the origin had its chance to send again |
/// | `member_timeout_us` | 1 min | 10 min | 1 h | a restart of a node, a cut between sites, a board that sleeps |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// Interval of status messages while something is in flight; backs off to sixteen times as
    /// long while nothing changes. A little over one round trip.
    pub interval_us: u64,
    /// How long a member waits for the origin of a missing message before it requests the message
    /// from all members and reports [`Event::Gap`](super::Event::Gap).
    pub gap_us: u64,
    /// Stability does not wait for a member that lacks something and acknowledged nothing new for
    /// this long: what it lacks may be dropped once a majority has it, and when it comes back it
    /// must merge the state of another. `u64::MAX` for applications whose states cannot be merged.
    /// Many times `interval_us` and `gap_us`, as members that catch up acknowledge with their
    /// statuses.
    pub member_timeout_us: u64,
}

impl Config {
    /// For a local network: milliseconds between nodes. The default.
    ///
    /// ```
    /// use quorate_clocks::causal::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!(Config::lan().interval_us, 50_000);
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self { interval_us: 50_000, gap_us: 200_000, member_timeout_us: 60_000_000 }
    }

    /// For links between sites: a round trip takes up to 300 ms.
    ///
    /// ```
    /// use quorate_clocks::causal::Config;
    /// assert_eq!(Config::wan().gap_us, 2_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { interval_us: 500_000, gap_us: 2_000_000, member_timeout_us: 600_000_000 }
    }

    /// For slow radio: a message takes up to a second.
    ///
    /// ```
    /// use quorate_clocks::causal::Config;
    /// assert_eq!(Config::radio().member_timeout_us, 3_600_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self { interval_us: 2_000_000, gap_us: 10_000_000, member_timeout_us: 3_600_000_000 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}
