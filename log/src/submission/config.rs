/// How long commands are kept, and whether they are submitted again. Every value is valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// At most so many numbers from the oldest undecided command to the newest, so one that stays
    /// undecided holds up new ones. With [`Inline`](super::Inline) storage, at most its capacity.
    /// With 0, no command is taken in. Default 1024.
    pub max_pending: usize,
    /// How long a command may take, in µs. Then it ends with what is known of it: see
    /// [`Outcome`](super::Outcome). With 0, it ends in the turn of the loop in which it came in;
    /// [`submit_until`](super::Submissions::submit_until) gives a command another deadline.
    /// Default 5 s.
    pub timeout_us: u64,
    /// How long to wait after the log did not take a command, in µs; another leader ends the pause.
    /// 0 counts as 1: without a pause, the loop would never sleep. Default 20 ms.
    pub retry_us: u64,
    /// A command that the application itself [handed to the
    /// leader](super::Submissions::handed_over), and that is not applied after this long, is due
    /// again, in µs. 0 counts as 1, as above. Default 1 s.
    pub resend_us: u64,
    /// Whether a command that may be in the log already is submitted again. The state machine must
    /// then recognize what it has applied.
    pub resubmit: bool,
    /// After so many leaders were lost while they had a command, it is not submitted again: it may
    /// be what made them fail. 0 for no limit. Default 0.
    pub max_lost_leaders: u32,
}

impl Config {
    /// Commands are submitted until they are applied, for `timeout_us` at most: the state machine
    /// must apply each once.
    ///
    /// ```
    /// use quorate_log::submission::Config;
    /// assert!(Config::exactly_once(4_000_000).resubmit);
    /// ```
    #[must_use]
    pub const fn exactly_once(timeout_us: u64) -> Self {
        Self {
            max_pending: 1024,
            timeout_us,
            retry_us: 20_000,
            resend_us: 1_000_000,
            resubmit: true,
            max_lost_leaders: 0,
        }
    }

    /// Commands are submitted again only while they are certainly not in the log, for `timeout_us`
    /// at most.
    ///
    /// ```
    /// use quorate_log::submission::Config;
    /// assert!(!Config::at_most_once(4_000_000).resubmit);
    /// ```
    #[must_use]
    pub const fn at_most_once(timeout_us: u64) -> Self {
        Self { resubmit: false, ..Self::exactly_once(timeout_us) }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::at_most_once(5_000_000)
    }
}
