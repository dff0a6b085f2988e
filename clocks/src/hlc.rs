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
/// What a bad clock does:
///
/// * **Set back, or standing still.** Timestamps go on logically from the last one, until the wall
///   clock has caught up (the paper's section 4 masks such errors in the same way; CockroachDB's
///   `hlc` and `uhlc` do so without a bound). Those that are more than `max_ahead_us` ahead of the
///   wall clock are not made: [`HlcError::Ahead`] says how long to wait.
///   [`steps_back`](Self::steps_back) counts how often the clock was set back, for an operator to
///   see.
/// * **Offset bound.** A message from more than `max_offset_us` in the future is refused; one from
///   the past never is. So messages of others are refused here as long as the wall clock is that
///   far behind their timestamps, and messages of this node are refused there as long as its
///   timestamps are that far ahead of their wall clocks. After all clocks of a group were set back
///   together, all messages are refused until the wall clocks have caught up.
/// * **Forward jumps.** A wall clock that gains more than `max_jump_us` on the monotonic clock
///   gives [`HlcError::Jump`], until it is back or [`accept_jump`](Self::accept_jump) is called. A
///   rate difference of 1/1024 is let pass. One that was set back, or stood still, may go on from
///   where it would have been.
/// * **Ceiling.** With `window_us` set, no timestamp is made beyond what was made durable, so that a restart with the clock set
///   back never repeats one: [`ceiling_due`](Self::ceiling_due) says what to write, [`ceiling_written`](Self::ceiling_written)
///   lets go on, [`restart`](Self::restart) begins after it.
/// * **Unsynchronised mode**, for boards without a wall clock: [`Reading::unsynchronised`]. The
///   first timestamp that arrives sets the time, on trust; from then on time runs with the
///   monotonic clock, up to 1/256 faster while messages are ahead, however often they come, and the
///   offset bound holds again.
///   A board whose crystal is fast gets ahead of the others; a [`ClockSync`](crate::ClockSync) can
///   give it a wall clock.
///
/// # A node that forgets
///
/// A clock that restarts without its ceiling may repeat timestamps, if its wall clock was set back
/// meanwhile; nobody can notice. Write ceilings, or make each start another
/// [incarnation](crate::Actor) and use [`Stamp`](crate::Stamp)s, which then differ.
///
/// ```
/// use quorate_clocks::{Hlc, HlcConfig, Reading};
/// use quorate_core::Instant;
///
/// let mut a = Hlc::new(HlcConfig::lan());
/// let mut b = Hlc::new(HlcConfig::lan());
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
    /// No timestamp beyond this: what was made durable; or all there are, where no ceilings are
    /// kept.
    ceiling: Timestamp,
    /// The greatest reading of a wall clock, and when it was new; without one, what was taken for
    /// it.
    base: Option<(Instant, u64)>,
    steps_back: u32,
    /// The wall clock has not caught up since it was set back.
    is_set_back: bool,
}

/// How an [`Hlc`] judges clocks.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `max_offset_us` | 500 ms | 1 s | 5 s | how far two clocks are apart: CockroachDB's default; NTP errs by up to half a round trip, more between sites, and steps a clock that is 128 ms off (RFC 5905); one that is set by hand is seconds off |
/// | `max_ahead_us` | no bound | no bound | 1 h | servers rather go on than wait; a board whose clock was a year ahead must not give timestamps that all refuse for a year |
/// | `max_jump_us` | 250 ms | 500 ms | no bound | half the offset: a clock that jumps that far is refused here before others refuse its messages; a board's clock jumps when it is set |
/// | `window_us` | 0 | 0 | 60 s | servers take the next incarnation at a restart; a board writes flash at most every 30 s |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HlcConfig {
    /// How far a message may be ahead of the own wall clock, in µs; the same on all nodes.
    pub max_offset_us: u64,
    /// How far timestamps may get ahead of a wall clock that was set back or stands still, in µs;
    /// at least `max_offset_us` is used. `u64::MAX` for no bound; 0 to make no timestamp that a node
    /// with the same wall clock would refuse, and to wait instead.
    ///
    /// A restart begins at the ceiling, so there `window_us` counts, too: a clock that was set back
    /// by up to `max_ahead_us - window_us` goes on at once, and otherwise waits for the rest. Where
    /// a node may boot with a clock that is hours ahead and is corrected later, either pass
    /// [`Reading::unsynchronised`] until the clock is known to be right, or set this to those hours
    /// and `window_us` more: the timestamps then go on, and others refuse them until their own wall
    /// clocks are within `max_offset_us`.
    pub max_ahead_us: u64,
    /// How far the wall clock may get ahead of the monotonic one between two readings, in µs; `u64::MAX` for no limit.
    pub max_jump_us: u64,
    /// How much time a durable ceiling is good for, in µs: one write each half of it. 0 for no
    /// ceiling: then a restart must come with a new [incarnation](crate::Actor), or with a wall
    /// clock that was not set back. After a restart timestamps are up to this much ahead of the
    /// wall clock, and farther by as much as that was set back; so others may refuse them for as
    /// long, less `max_offset_us`. With a `max_ahead_us` of 0 the clock waits for that time instead.
    pub window_us: u64,
}

impl HlcConfig {
    /// For a local network: NTP or PTP holds the clocks together, offsets up to 500 ms, no ceiling.
    /// Timestamps go on however far the clock was set back; others refuse them until their wall
    /// clocks are within the offset bound. The default.
    ///
    /// ```
    /// use quorate_clocks::HlcConfig;
    /// assert_eq!(HlcConfig::lan(), HlcConfig::default());
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self { max_offset_us: 500_000, max_ahead_us: u64::MAX, max_jump_us: 250_000, window_us: 0 }
    }

    /// For links between sites: offsets up to a second, the rest as in a local network.
    ///
    /// ```
    /// use quorate_clocks::HlcConfig;
    /// assert_eq!(HlcConfig::wan().max_offset_us, 1_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { max_offset_us: 1_000_000, max_jump_us: 500_000, ..Self::lan() }
    }

    /// For slow radio, and boards whose clocks are set by hand or by radio: offsets up to 5 s, no
    /// jump limit, a ceiling written at most every 30 s. Timestamps go on when the clock is set
    /// back by up to an hour, or, after a restart, by up to an hour less the minute of the ceiling;
    /// a clock that was set back farther waits for the rest. So a clock that was a year ahead and is
    /// corrected gives no timestamps, instead of some that everybody refuses for a year. Where
    /// clocks may be hours ahead at boot, see [`max_ahead_us`](Self::max_ahead_us).
    ///
    /// ```
    /// use quorate_clocks::HlcConfig;
    /// assert_eq!(HlcConfig::radio().window_us, 60_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            max_offset_us: 5_000_000,
            max_ahead_us: 3_600_000_000,
            max_jump_us: u64::MAX,
            window_us: 60_000_000,
        }
    }
}

impl Default for HlcConfig {
    fn default() -> Self {
        Self::lan()
    }
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
    /// assert_eq!(Hlc::new(HlcConfig::lan()).last(), Timestamp::ZERO);
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
    /// let mut clock = Hlc::restart(HlcConfig::lan(), written);
    /// // the wall clock was set back by two tenths of a second
    /// let stamp = clock.stamp(Reading::new(Instant::ZERO, 8_800_000))?;
    /// assert!(stamp > written);
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[must_use]
    pub const fn restart(mut config: HlcConfig, ceiling: Timestamp) -> Self {
        if config.max_ahead_us < config.max_offset_us {
            config.max_ahead_us = config.max_offset_us; // messages may take it as far
        }
        let last = ceiling;
        let ceiling = if config.window_us == 0 { Timestamp::MAX } else { ceiling };
        Self { config, last, ceiling, base: None, steps_back: 0, is_set_back: false }
    }

    /// The timestamp of an event here, such as sending a message: beyond all before it.
    ///
    /// # Errors
    ///
    /// [`HlcError::Ahead`], [`HlcError::Jump`], [`HlcError::Ceiling`] or [`HlcError::Exhausted`]; no time has passed on the clock.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::lan());
    /// let frozen = Reading::new(Instant::ZERO, 1_000);
    /// let (first, second) = (clock.stamp(frozen)?, clock.stamp(frozen)?);
    /// assert_eq!((second.micros(), second.logical()), (first.micros(), first.logical() + 1));
    /// // set back by a second: it goes on
    /// let mut clock = Hlc::new(HlcConfig::lan());
    /// let before = clock.stamp(Reading::new(Instant::ZERO, 2_000_000))?;
    /// let set_back = Reading::new(Instant::from_millis(1), 1_001_000);
    /// assert_eq!(clock.stamp(set_back)?, before.next()?);
    /// // or waits, if it must not be more than the offset bound of half a second ahead
    /// let mut clock = Hlc::new(HlcConfig { max_ahead_us: 0, ..HlcConfig::lan() });
    /// clock.stamp(Reading::new(Instant::ZERO, 2_000_000))?;
    /// assert_eq!(clock.stamp(set_back), Err(HlcError::Ahead { by_us: 499_000 }));
    /// # Ok::<(), HlcError>(())
    /// ```
    #[inline]
    pub fn stamp(&mut self, reading: Reading) -> Result<Timestamp, HlcError> {
        self.advance(reading, self.last, self.base)
    }

    /// The timestamp of receiving a message with this one: beyond it, and beyond all before it here.
    ///
    /// # Errors
    ///
    /// [`HlcError::TooFarAhead`] if the message is more than the offset bound in the future; otherwise as [`stamp`](Self::stamp).
    /// The clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading, Timestamp};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::lan());
    /// let here = Reading::new(Instant::ZERO, 1_000_000);
    /// let future = Timestamp::from_micros(1_600_000);
    /// assert_eq!(clock.receive(here, future), Err(HlcError::TooFarAhead { by_us: 100_000 }));
    /// assert!(clock.receive(here, Timestamp::from_micros(1)).is_ok()); // the past does no harm
    /// # Ok::<(), HlcError>(())
    /// ```
    pub fn receive(&mut self, reading: Reading, message: Timestamp) -> Result<Timestamp, HlcError> {
        let base = match (reading.wall_us, self.base) {
            (None, None) => Some((reading.now, message.micros())), // on trust
            (None, Some(base)) => Some(Self::slew(base, reading.now, message)),
            (Some(_), base) => base,
        };
        if let Some(wall_us) = reading.wall_us.or_else(|| estimate_wall_us(base, reading.now)) {
            let by_us =
                message.micros().saturating_sub(wall_us).saturating_sub(self.config.max_offset_us);
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
    /// let mut clock = Hlc::new(HlcConfig::lan());
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
    /// let mut clock = Hlc::new(HlcConfig { window_us: 60_000_000, ..HlcConfig::lan() });
    /// let reading = Reading::new(Instant::ZERO, 1_000_000);
    /// let ceiling = clock.ceiling_due(reading).ok_or("none is due")?;
    /// assert_eq!(clock.stamp(reading), Err(HlcError::Ceiling { due: ceiling }));
    /// // … written and synced
    /// clock.ceiling_written(ceiling);
    /// assert!(clock.stamp(reading)? <= ceiling);
    /// assert_eq!(clock.ceiling_due(reading), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
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
        let wall_us =
            reading.wall_us.or_else(|| estimate_wall_us(self.base, reading.now)).unwrap_or(0);
        let reached_us = wall_us.max(self.last.micros());
        let ceiling = self.next_ceiling(wall_us, self.last);
        let good_for_us = ceiling.micros().saturating_sub(reached_us);
        let due = reached_us.saturating_add(good_for_us / 2) >= self.ceiling.micros();
        (due && ceiling > self.ceiling).then_some(ceiling)
    }

    /// This ceiling is durable: timestamps up to it may be made. A lesser one than before is ignored.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading, Timestamp};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig { window_us: 1_000_000, ..HlcConfig::lan() });
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
    /// let mut clock = Hlc::new(HlcConfig::lan());
    /// let stamp = clock.stamp(Reading::new(Instant::ZERO, 5))?;
    /// assert_eq!(clock.last(), stamp);
    /// # Ok::<(), quorate_clocks::HlcError>(())
    /// ```
    #[must_use]
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// How often the wall clock was found behind what it had shown before: once, until it has
    /// caught up. Stops at its maximum.
    ///
    /// ```
    /// # use quorate_clocks::{Hlc, HlcConfig, Reading};
    /// # use quorate_core::Instant;
    /// let mut clock = Hlc::new(HlcConfig::lan());
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
    fn slew(base: (Instant, u64), now: Instant, message: Timestamp) -> (Instant, u64) {
        let passed_us = now.since(base.0);
        let expected_us = base.1.saturating_add(passed_us);
        let ahead_us = message.micros().saturating_sub(expected_us);
        let (then, was_us) = advance_base(base, now);
        (then, was_us.saturating_add(ahead_us.min(passed_us >> 8)))
    }

    /// The rule: the wall clock if it is beyond `seen`, else the successor of `seen`.
    fn advance(
        &mut self,
        reading: Reading,
        seen: Timestamp,
        base: Option<(Instant, u64)>,
    ) -> Result<Timestamp, HlcError> {
        let is_set_back = self.check_jump(reading)?;
        let known = reading.wall_us.or_else(|| estimate_wall_us(base, reading.now));
        let wall_us = known.unwrap_or(0);
        if wall_us > Timestamp::MAX_MICROS {
            return Err(HlcError::Exhausted); // it would use up all the timestamps there are
        }
        let wall = Timestamp::from_micros(wall_us);
        let stamp = if wall > seen { wall } else { seen.next()? };
        let ahead_us = stamp.micros().saturating_sub(wall_us);
        let by_us = ahead_us.saturating_sub(self.config.max_ahead_us);
        if known.is_some() && by_us > 0 {
            return Err(HlcError::Ahead { by_us });
        }
        if stamp > self.ceiling {
            return Err(HlcError::Ceiling { due: self.next_ceiling(wall_us, stamp) });
        }
        self.last = stamp;
        // one that was set back or stands still may go on later from where it would have been
        let is_new = base.is_none_or(|(_, was_us)| wall_us > was_us);
        self.base = match (reading.wall_us, base) {
            (Some(wall_us), _) if is_new => Some((reading.now, wall_us)),
            (None, Some(base)) => Some(advance_base(base, reading.now)),
            (_, base) => base,
        };
        if is_set_back && !self.is_set_back {
            self.steps_back = self.steps_back.saturating_add(1);
        }
        self.is_set_back = is_set_back;
        Ok(stamp)
    }

    /// Whether the wall clock is behind what it showed before; an error if it jumped forward.
    #[inline]
    fn check_jump(&self, reading: Reading) -> Result<bool, HlcError> {
        let (Some((then, was_us)), Some(wall_us)) = (self.base, reading.wall_us) else {
            return Ok(false);
        };
        let passed_us = reading.now.since(then);
        let allowed_us = (passed_us >> 10).saturating_add(self.config.max_jump_us);
        let by_us = wall_us.saturating_sub(was_us).saturating_sub(passed_us);
        if by_us > allowed_us { Err(HlcError::Jump { by_us }) } else { Ok(wall_us < was_us) }
    }

    /// The ceiling that lets timestamps go on beyond this one. Up to where messages may take them
    /// it is good for a whole window; farther ahead of the wall clock, where they go on logically,
    /// a microsecond is good for 4096 of them: with whole windows there, a node that restarts again
    /// and again would run away from the wall clock.
    fn next_ceiling(&self, wall_us: u64, stamp: Timestamp) -> Timestamp {
        let window_us = self.config.window_us;
        let near_us = stamp.micros().min(wall_us.saturating_add(self.config.max_offset_us));
        let window_end_us = near_us.max(wall_us).saturating_add(window_us);
        let beyond_us = stamp.micros().saturating_add(window_us >> 10 | 1);
        Timestamp::from_micros(window_end_us.max(beyond_us))
    }
}

/// Moves what was taken for the wall clock's reading forward with the monotonic clock, by whole
/// 256 µs: what is left over counts later, so that a clock that reads often follows as fast.
fn advance_base((then, was_us): (Instant, u64), now: Instant) -> (Instant, u64) {
    let passed_us = now.since(then) & !0xff;
    (then.after(passed_us), was_us.saturating_add(passed_us))
}

/// What the wall clock would say, had it gone on with the monotonic one.
#[inline]
fn estimate_wall_us(base: Option<(Instant, u64)>, now: Instant) -> Option<u64> {
    base.map(|(then, wall_us)| wall_us.saturating_add(now.since(then)))
}

/// Why there is no timestamp. The clock is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HlcError {
    /// The message is from the future, beyond the offset bound: refuse it.
    TooFarAhead {
        /// By how much it is beyond the bound, in µs.
        by_us: u64,
    },
    /// The next timestamp would be ahead of the own wall clock by more than
    /// [`max_ahead_us`](HlcConfig::max_ahead_us), because that was set back or stands still: wait,
    /// or have somebody look at it.
    Ahead {
        /// By how much it is beyond the bound, in µs: how long to wait.
        by_us: u64,
    },
    /// The wall clock jumped forward: have somebody look at it.
    Jump {
        /// By how much more it went forward than the monotonic clock, in µs.
        by_us: u64,
    },
    /// A new ceiling must be made durable first. Then call [`Hlc::ceiling_written`], and try again.
    Ceiling {
        /// The ceiling to write.
        due: Timestamp,
    },
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
                    "the message is from the future, {by_us} us beyond the offset bound: refuse it"
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
            Self::Ceiling { due } => {
                write!(f, "the ceiling {due} must be made durable first: write it, then try again")
            }
            Self::Exhausted => {
                f.write_str("there is no timestamp for that time: check the wall clock")
            }
        }
    }
}

impl core::error::Error for HlcError {}
