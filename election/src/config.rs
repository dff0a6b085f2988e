use quorate_core::Drift;

use crate::ConfigError;

/// How an election behaves: timeouts, and what to do about nodes that come back. The same on every node.
///
/// The presets differ in the time a message may take: [`lan`](Self::lan) 10 ms, [`wan`](Self::wan) 200 ms,
/// [`radio`](Self::radio) 2 s.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `answer_timeout_us` | 50 ms | 500 ms | 5 s | a message and its answer, and the node's own delays |
/// | `outcome_timeout_us` | 250 ms | 2.5 s | 25 s | five answers: a node that is asked twice, a claim that is made twice, and the message that tells |
/// | `heartbeat_us` | 100 ms | 1 s | 10 s | two answers: half the traffic of a heartbeat for each answer |
/// | `leader_timeout_us` | 350 ms | 3.5 s | 35 s | two heartbeats may get lost, and the next be half an interval late |
/// | `attempts` | 2 | 2 | 2 | one lost message is ridden out |
/// | `takeover` | `Highest` | `Highest` | `Highest` | the paper's |
/// | `mode` | `Classic` | `Classic` | `Classic` | the paper's |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long to wait for an answer, in µs: longer than a message and its answer take, or live nodes count as dead. A ring
    /// waits as long for the acknowledgement of a hop. Default 50 ms.
    pub answer_timeout_us: u64,
    /// How long to wait for the outcome of an election that others carry on, in µs; at least `answer_timeout_us`. A
    /// [`Ring`](crate::Ring) waits longer if it has many members. Default 250 ms.
    pub outcome_timeout_us: u64,
    /// How often a leader is heard, in µs. Default 100 ms.
    pub heartbeat_us: u64,
    /// A leader that was not heard for so long is taken for dead, in µs; at least `2 * heartbeat_us`. With a failure detector
    /// that calls `suspect`, this is only the last resort: set it long. Default 350 ms.
    pub leader_timeout_us: u64,
    /// How often a silent node is asked before it counts as dead, 1 to 255. 1 is the algorithm of the paper; more rides out
    /// lost messages. Default 2.
    pub attempts: u8,
    /// What a node does that is higher than the leader, or comes back. Default [`Takeover::Highest`].
    pub takeover: Takeover,
    /// Who may lead. Default [`Mode::Classic`].
    pub mode: Mode,
}

/// What a live node does about a leader with a lower id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Takeover {
    /// It deposes it (Garcia-Molina 1982): the highest live node leads. A high node that comes and
    /// goes takes the leadership with it each time.
    Highest,
    /// It follows, and a leader stays until it fails: no flapping. The leader is then not always the highest. Nodes that were cut off
    /// depose no leader that a majority hears, whatever they did meanwhile: [`Bully`](crate::Bully) and [`Ring`](crate::Ring) tell how.
    Keep,
}

/// Who may lead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Mode {
    /// Whoever wins, as in the paper, which takes for granted that a live node always answers in time. Where that fails (a
    /// partition, a pause, a timeout too short), two nodes lead at once, in different epochs: the resource has to refuse the
    /// lower token.
    Classic,
    /// Only a node that a majority accepts, and only as long as it hears a majority. A minority has no leader. An old leader may
    /// go on for up to `leader_timeout_us` beside a new one: the resource has to refuse the lower token.
    ///
    /// A new group has its first leader when all of three, three of four or four of five nodes are up at once, as has one with a node
    /// whose disk was erased: see [`Role::Recovering`](crate::Role::Recovering).
    Quorum,
    /// As `Quorum`, and a majority promises for `lease_us` at a time to accept no other: as long as clocks keep to `drift`,
    /// no two nodes hold the lease at once, see `Bully::holds_lease`.
    Lease {
        /// How long a promise lasts, in µs; at least `2 * heartbeat_us`, at most `leader_timeout_us`.
        lease_us: u64,
        /// How wrong clocks may run.
        drift: Drift,
    },
}

impl Mode {
    pub(crate) const fn needs_quorum(self) -> bool {
        !matches!(self, Self::Classic)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

impl Config {
    /// For a local network: answers within 50 ms, a dead leader is missed after 350 ms. The default.
    ///
    /// ```
    /// use quorate_election::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!(Config::lan().validate(), Ok(()));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self::with_round_trip(50_000)
    }

    /// For links between sites: answers within 500 ms, a dead leader is missed after 3.5 s.
    ///
    /// ```
    /// use quorate_election::Config;
    /// assert_eq!(Config::wan().leader_timeout_us, 3_500_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self::with_round_trip(500_000)
    }

    /// For slow radio: answers within 5 s, a dead leader is missed after 35 s.
    ///
    /// ```
    /// use quorate_election::Config;
    /// assert_eq!(Config::radio().heartbeat_us, 10_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self::with_round_trip(5_000_000)
    }

    const fn with_round_trip(answer_timeout_us: u64) -> Self {
        Self {
            answer_timeout_us,
            outcome_timeout_us: answer_timeout_us.saturating_mul(5),
            heartbeat_us: answer_timeout_us.saturating_mul(2),
            leader_timeout_us: answer_timeout_us.saturating_mul(7),
            attempts: 2,
            takeover: Takeover::Highest,
            mode: Mode::Classic,
        }
    }

    /// For [`Bully`](crate::Bully) only; a ring has [`Ring::settle_us`](crate::Ring::settle_us).
    ///
    /// How long it takes at most, once faults stop, until the right node leads and all know, in µs: provided that a message and
    /// its answer take no longer than `answer_timeout_us`.
    ///
    /// A dead leader is missed (`leader_timeout_us`, and what was promised to it in lease mode), an election that was under way
    /// comes to nothing (`outcome_timeout_us`), the silent are asked `attempts` times, a claim is made as often, and the
    /// leader's next heartbeat reaches those that missed the outcome.
    ///
    /// ```
    /// use quorate_election::Config;
    /// assert_eq!(Config::lan().settle_us(), 1_900_000);
    /// ```
    #[must_use]
    pub const fn settle_us(&self) -> u64 {
        let attempts = self.answer_timeout_us.saturating_mul(self.attempts as u64);
        let round = self.leader_timeout_us.saturating_add(self.outcome_timeout_us);
        round
            .saturating_add(attempts.saturating_mul(2))
            .saturating_mul(2)
            .saturating_add(self.heartbeat_us.saturating_mul(3))
    }

    /// Checks the fields against each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_election::{Config, ConfigError};
    /// let config = Config { attempts: 0, ..Config::lan() };
    /// assert_eq!(config.validate(), Err(ConfigError::Attempts));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.answer_timeout_us == 0 || self.outcome_timeout_us < self.answer_timeout_us {
            return Err(ConfigError::Timeouts);
        }
        if self.heartbeat_us == 0 || self.leader_timeout_us / 2 < self.heartbeat_us {
            return Err(ConfigError::Heartbeat);
        }
        if self.attempts == 0 {
            return Err(ConfigError::Attempts);
        }
        if let Mode::Lease { lease_us, .. } = self.mode
            && (lease_us / 2 < self.heartbeat_us || lease_us > self.leader_timeout_us)
        {
            return Err(ConfigError::Lease);
        }
        Ok(())
    }
}
