use core::fmt;

use quorate_core::Instant;

use crate::{Exhausted, Timestamp};

/// A hybrid logical clock (Kulkarni, Demirbas, Madeppa, Avva, Leone, "Logical Physical Clocks", 2014, figure 5): timestamps that
/// respect causality, as a logical clock's do, and stay close to physical time.
///
/// It reads no clock: each call is handed a [`Reading`]. **The one rule of receiving**: the new timestamp is the wall clock's,
/// if that is beyond both the last timestamp here and the message's; else it is the successor of the greater of those two. (The
/// paper's three cases are one when the counter is the low end of the number; a counter that overflows borrows the next
/// microsecond.)
///
/// Four things keep a bad clock from doing harm:
///
/// * **Drift bound.** A message from more than `max_drift_us` in the future is refused; one from the past never is. Timestamps
///   made here are held to the same bound, so that nobody refuses them: a clock that stands still or was set back gives
///   [`HlcError::Ahead`] until it has caught up.
/// * **Forward jumps.** A wall clock that runs `max_jump_us` ahead of the monotonic clock between two readings gives
///   [`HlcError::Jump`], until it is back or [`accept_jump`](Self::accept_jump) is called. A rate difference of 1/1024 is let pass.
/// * **Ceiling.** With `window_us` set, no timestamp is made beyond what was made durable, so that a restart with the clock set
///   back never repeats one: [`ceiling_due`](Self::ceiling_due) says what to write, [`ceiling_written`](Self::ceiling_written)
///   lets go on, [`restart`](Self::restart) begins after it.
/// * **Unsynchronised mode** for boards without a wall clock: [`Reading::unsynchronised`]. The first timestamp that arrives sets
///   the time, on trust; from then on time runs with the monotonic clock, up to 1/256 faster while messages are
///   ahead, and the drift bound holds again. A board whose crystal is fast gets ahead of the others; a
///   [`ClockSync`](crate::ClockSync) can give it a wall clock.
///
/// ```
/// use quorate_clocks::{Hlc, HlcConfig, Reading};
/// use quorate_core::Instant;
///
/// let mut a = Hlc::new(HlcConfig::LAN);
/// let mut b = Hlc::new(HlcConfig::LAN);
/// let wall = 1_700_000_000_000_000;
/// let now = Instant::from_millis(5);
/// let sent = a.stamp(Reading::new(now, wall))?;
/// // b's wall clock is 20 ms behind, and yet
/// let received = b.receive(Reading::new(now, wall - 20_000), sent)?;
/// assert!(received > sent);
/// # Ok::<(), quorate_clocks::HlcError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hlc {
    config: HlcConfig,
    last: Timestamp,
    /// No timestamp beyond this: what was made durable.
    ceiling: Timestamp,
    /// The last reading of a wall clock, or, without one, what was taken for it.
    base: Option<(Instant, u64)>,
    steps_back: u32,
}

/// The limits of an [`Hlc`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HlcConfig {
    /// How far timestamps may be ahead of the own wall clock, in µs; the same on all nodes.
    pub max_drift_us: u64,
    /// How far the wall clock may get ahead of the monotonic one between two readings, in µs; `u64::MAX` for no limit.
    pub max_jump_us: u64,
    /// How much time a durable ceiling is good for, in µs: one write each half of it. 0 for no ceiling: then a restart must
    /// come with a new [incarnation](crate::Actor), or with a wall clock that was not set back.
    pub window_us: u64,
}

impl HlcConfig {
    /// Clocks held together by NTP or PTP: drift 500 ms, jump 250 ms, no ceiling.
    pub const LAN: Self = Self { max_drift_us: 500_000, max_jump_us: 250_000, window_us: 0 };

    /// Boards whose clocks are set by hand or by radio: drift 5 s, no jump limit, a ceiling written at most every 30 s.
    pub const RADIO: Self =
        Self { max_drift_us: 5_000_000, max_jump_us: u64::MAX, window_us: 60_000_000 };
}

/// What the clocks say: the driver's monotonic one and, if there is one that is right, the wall clock.
///
/// ```
/// use quorate_clocks::Reading;
/// use quorate_core::Instant;
/// assert_eq!(Reading::new(Instant::ZERO, 7).wall_us, Some(7));
/// assert_eq!(Reading::unsynchronised(Instant::ZERO).wall_us, None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reading {
    /// The monotonic clock, which is not set back.
    pub now: Instant,
    /// The wall clock, in µs since the epoch; `None` where there is none, or it was not set yet.
    pub wall_us: Option<u64>,
}

impl Reading {
    /// Both clocks.
    ///
    /// ```
    /// # use quorate_clocks::Reading;
    /// # use quorate_core::Instant;
    /// assert_eq!(Reading::new(Instant::from_micros(3), 7).now.as_micros(), 3);
    /// ```
    #[must_use]
    pub const fn new(now: Instant, wall_us: u64) -> Self {
        Self { now, wall_us: Some(wall_us) }
    }

    /// The monotonic clock alone.
    ///
    /// ```
    /// # use quorate_clocks::Reading;
    /// # use quorate_core::Instant;
    /// assert!(Reading::unsynchronised(Instant::ZERO).wall_us.is_none());
    /// ```
    #[must_use]
    pub const fn unsynchronised(now: Instant) -> Self {
        Self { now, wall_us: None }
    }
}

impl Hlc {
    /// A clock without a past.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Timestamp};
    /// assert_eq!(Hlc::new(HlcConfig::LAN).last(), Timestamp::ZERO);
    /// ```
    #[must_use]
    pub const fn new(config: HlcConfig) -> Self {
        Self::restart(config, Timestamp::ZERO)
    }

    /// A clock whose former self wrote this ceiling, the greatest found: every timestamp is beyond it.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading, Timestamp};
    /// # use quorate_core::Instant;
    /// let written = Timestamp::from_micros(9_000_000);
    /// let mut clock = Hlc::restart(HlcConfig::LAN, written);
    /// // the wall clock was set back by two tenths of a second
    /// let stamp = clock.stamp(Reading::new(Instant::ZERO, 8_800_000))?;
    /// assert!(stamp > written);
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[must_use]
    pub const fn restart(config: HlcConfig, ceiling: Timestamp) -> Self {
        Self { config, last: ceiling, ceiling, base: None, steps_back: 0 }
    }

    /// The timestamp of an event here, such as sending a message: beyond all before it.
    ///
    /// # Errors
    ///
    /// [`HlcError::Ahead`], [`HlcError::Jump`], [`HlcError::Ceiling`] or [`HlcError::Exhausted`]; no time has passed on the clock.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::LAN);
    /// let frozen = Reading::new(Instant::ZERO, 1_000);
    /// let (first, second) = (clock.stamp(frozen)?, clock.stamp(frozen)?);
    /// assert_eq!((second.micros(), second.logical()), (first.micros(), first.logical() + 1));
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[inline]
    pub fn stamp(&mut self, reading: Reading) -> Result<Timestamp, HlcError> {
        self.advance(reading, self.last, self.base)
    }

    /// The timestamp of receiving a message with this one: beyond it, and beyond all before it here.
    ///
    /// # Errors
    ///
    /// [`HlcError::TooFarAhead`] if the message is more than the drift bound in the future; otherwise as [`stamp`](Self::stamp).
    /// The clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading, Timestamp};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::LAN);
    /// let here = Reading::new(Instant::ZERO, 1_000_000);
    /// let future = Timestamp::from_micros(1_600_000);
    /// assert_eq!(clock.receive(here, future), Err(HlcError::TooFarAhead { by_us: 100_000 }));
    /// assert!(clock.receive(here, Timestamp::from_micros(1)).is_ok()); // the past does no harm
    /// # Ok::<(), HlcError>(())
    /// ```
    pub fn receive(&mut self, reading: Reading, message: Timestamp) -> Result<Timestamp, HlcError> {
        let base = match (reading.wall_us, self.base) {
            (None, None) => Some((reading.now, message.micros())), // on trust
            (None, Some(base)) => Some(Self::follow(base, reading.now, message)),
            (Some(_), base) => base,
        };
        if let Some(wall_us) = reading.wall_us.or_else(|| estimate(base, reading.now)) {
            let by_us =
                message.micros().saturating_sub(wall_us).saturating_sub(self.config.max_drift_us);
            if by_us > 0 {
                return Err(HlcError::TooFarAhead { by_us });
            }
        }
        self.advance(reading, self.last.max(message), base)
    }

    /// Takes a wall clock that jumped forward as right from now on.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::LAN);
    /// clock.stamp(Reading::new(Instant::ZERO, 1_000_000))?;
    /// let hour_later = Reading::new(Instant::from_millis(10), 3_601_000_000);
    /// assert!(matches!(clock.stamp(hour_later), Err(HlcError::Jump { .. })));
    /// clock.accept_jump(hour_later); // an operator says so
    /// assert!(clock.stamp(hour_later).is_ok());
    /// # Ok::<(), HlcError>(())
    /// ```
    pub const fn accept_jump(&mut self, reading: Reading) {
        if let Some(wall_us) = reading.wall_us {
            self.base = Some((reading.now, wall_us));
        }
    }

    /// The ceiling to be made durable, if it is time for one: half of the window is used up, or the clock is stuck without it.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig { window_us: 60_000_000, ..HlcConfig::LAN });
    /// let reading = Reading::new(Instant::ZERO, 1_000_000);
    /// assert_eq!(clock.stamp(reading), Err(HlcError::Ceiling));
    /// let ceiling = clock.ceiling_due(reading).ok_or(HlcError::Ceiling)?;
    /// // … written and synced
    /// clock.ceiling_written(ceiling);
    /// assert!(clock.stamp(reading)? <= ceiling);
    /// assert_eq!(clock.ceiling_due(reading), None);
    /// # Ok::<(), HlcError>(())
    /// ```
    #[must_use]
    pub fn ceiling_due(&self, reading: Reading) -> Option<Timestamp> {
        let window_us = self.config.window_us;
        if window_us == 0 || self.check_jump(reading).is_err() {
            return None; // a jump that nobody accepted must not be made durable
        }
        if reading.wall_us.is_some_and(|wall_us| wall_us > Timestamp::MAX_MICROS) {
            return None; // nor a time there is no timestamp for
        }
        let wall_us = reading.wall_us.or_else(|| estimate(self.base, reading.now)).unwrap_or(0);
        let reached_us = wall_us.max(self.last.micros());
        let due = reached_us.saturating_add(window_us / 2) >= self.ceiling.micros();
        let ceiling = Timestamp::from_micros(reached_us.saturating_add(window_us));
        (due && ceiling > self.ceiling).then_some(ceiling)
    }

    /// This ceiling is durable: timestamps up to it may be made. A lesser one than before is ignored.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading, Timestamp};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig { window_us: 1_000_000, ..HlcConfig::LAN });
    /// clock.ceiling_written(Timestamp::from_micros(5_000_000));
    /// assert!(clock.stamp(Reading::new(Instant::ZERO, 4_900_000)).is_ok());
    /// ```
    pub fn ceiling_written(&mut self, ceiling: Timestamp) {
        self.ceiling = self.ceiling.max(ceiling);
    }

    /// The last timestamp that was made; what [`restart`](Self::restart) was given before the first.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::LAN);
    /// let stamp = clock.stamp(Reading::new(Instant::ZERO, 5))?;
    /// assert_eq!(clock.last(), stamp);
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[must_use]
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// How often the wall clock was found set back between two readings. Stops at its maximum.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::LAN);
    /// clock.stamp(Reading::new(Instant::ZERO, 1_000))?;
    /// clock.stamp(Reading::new(Instant::ZERO, 900))?;
    /// assert_eq!(clock.steps_back(), 1);
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[must_use]
    pub const fn steps_back(&self) -> u32 {
        self.steps_back
    }

    /// Without a wall clock: runs up to 1/256 faster while messages are ahead, so that a slow crystal does not part the clock from
    /// the others, and no message can pull it along at once.
    fn follow(base: (Instant, u64), now: Instant, message: Timestamp) -> (Instant, u64) {
        let passed_us = now.since(base.0);
        let expected_us = base.1.saturating_add(passed_us);
        let ahead_us = message.micros().saturating_sub(expected_us);
        (now.max(base.0), expected_us.saturating_add(ahead_us.min(passed_us >> 8)))
    }

    /// The rule: the wall clock if it is beyond `seen`, else the successor of `seen`.
    #[inline]
    fn advance(
        &mut self,
        reading: Reading,
        seen: Timestamp,
        base: Option<(Instant, u64)>,
    ) -> Result<Timestamp, HlcError> {
        let stepped_back = self.check_jump(reading)?;
        let known = reading.wall_us.or_else(|| estimate(base, reading.now));
        let wall_us = known.unwrap_or(0);
        if wall_us > Timestamp::MAX_MICROS {
            return Err(HlcError::Exhausted); // it would use up all the timestamps there are
        }
        let wall = Timestamp::from_micros(wall_us);
        let stamp = if wall > seen { wall } else { seen.next()? };
        let by_us = stamp.micros().saturating_sub(wall_us).saturating_sub(self.config.max_drift_us);
        if known.is_some() && by_us > 0 {
            return Err(HlcError::Ahead { by_us });
        }
        if self.config.window_us > 0 && stamp > self.ceiling {
            return Err(HlcError::Ceiling);
        }
        self.last = stamp;
        self.base = known.map(|wall_us| (reading.now, wall_us));
        self.steps_back = self.steps_back.saturating_add(u32::from(stepped_back));
        Ok(stamp)
    }

    /// Whether the wall clock was set back since the last reading; an error if it jumped forward.
    #[inline]
    fn check_jump(&self, reading: Reading) -> Result<bool, HlcError> {
        let (Some((then, was_us)), Some(wall_us)) = (self.base, reading.wall_us) else {
            return Ok(false);
        };
        let passed_us = reading.now.since(then);
        let allowed_us =
            passed_us.saturating_add(passed_us >> 10).saturating_add(self.config.max_jump_us);
        match wall_us.checked_sub(was_us) {
            Some(wall_passed_us) if wall_passed_us > allowed_us => {
                Err(HlcError::Jump { by_us: wall_passed_us.saturating_sub(passed_us) })
            }
            Some(_) => Ok(false),
            None => Ok(true),
        }
    }
}

/// What the wall clock would say, had it gone on with the monotonic one.
#[inline]
fn estimate(base: Option<(Instant, u64)>, now: Instant) -> Option<u64> {
    base.map(|(then, wall_us)| wall_us.saturating_add(now.since(then)))
}

/// Why there is no timestamp. The clock is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HlcError {
    /// The message is from the future, beyond the drift bound: refuse it.
    TooFarAhead {
        /// By how much it is beyond the bound, in µs.
        by_us: u64,
    },
    /// The next timestamp would be ahead of the own wall clock by more than the drift bound, because that was set back, stands
    /// still, or is read too often: wait.
    Ahead {
        /// By how much it is beyond the bound, in µs: how long to wait.
        by_us: u64,
    },
    /// The wall clock jumped forward: have somebody look at it.
    Jump {
        /// By how much more it went forward than the monotonic clock, in µs.
        by_us: u64,
    },
    /// A new ceiling must be made durable first.
    Ceiling,
    /// The last of the timestamps was used up, or the wall clock is beyond it: it is not right, or not in microseconds.
    Exhausted,
}

impl From<Exhausted> for HlcError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl fmt::Display for HlcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFarAhead { by_us } => {
                write!(
                    f,
                    "the message is from the future, {by_us} us beyond the drift bound: refuse it"
                )
            }
            Self::Ahead { by_us } => {
                write!(f, "the wall clock is behind the timestamps made: wait {by_us} us")
            }
            Self::Jump { by_us } => {
                write!(
                    f,
                    "the wall clock jumped {by_us} us forward: check it, then accept the jump"
                )
            }
            Self::Ceiling => f.write_str("a new ceiling must be made durable first"),
            Self::Exhausted => {
                f.write_str("there is no timestamp for that time: check the wall clock")
            }
        }
    }
}

impl core::error::Error for HlcError {}
