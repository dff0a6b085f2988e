use core::fmt;

use quorate_core::{Drift, Instant};

use crate::{Reading, TimeInterval};

/// Clocks that are read in whole microseconds are off by up to one.
const GRANULARITY_US: i64 = 1;

/// What a wall clock elsewhere says, from requests and replies: how far it is off the own monotonic clock, and how uncertain
/// that is.
///
/// A reply bounds the offset on both sides: it was made after the request left and before it
/// arrived (Cristian, "Probabilistic Clock Synchronization", 1989; with two times of the server, as
/// in NTP, RFC 5905 section 8, what it took to answer does not count). Each new bound is
/// intersected with what is known, which widens as the clocks drift apart (Marzullo, Owicki,
/// "Maintaining the Time in a Distributed System", 1983, rule IM): one slow reply does no harm, and
/// two that are slow in opposite directions are as good as a fast one. Symmetric delays are not
/// assumed. Nothing is kept across restarts: before the first reply no time is known.
///
/// ```
/// use quorate_clocks::{ClockSync, Exchange};
/// use quorate_core::{Drift, Instant};
///
/// let mut clock = ClockSync::new(Drift::from_ppm(50).unwrap_or_default()); // two crystals of 25 ppm
/// clock.exchange(Exchange {
///     sent: Instant::from_micros(1_000),
///     arrived_us: 1_700_000_000_000_400,
///     left_us: 1_700_000_000_000_500,
///     received: Instant::from_micros(1_900),
///     server_error_us: 0,
/// })?;
/// let now = clock.read(Instant::from_micros(1_900)).ok_or("no reply yet")?;
/// // 800 us on the way, so 400 either way at most, one for drift and one for rounding
/// assert_eq!((now.middle_us(), now.error_us()), (1_700_000_000_000_900, 402));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClockSync {
    drift: Drift,
    bound: Option<Bound>,
    steps: u32,
}

/// The wall clock minus the monotonic one, in µs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Bound {
    min_offset_us: i64,
    max_offset_us: i64,
    at: Instant,
}

/// One request and its reply.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Exchange {
    /// When the request left, on the own monotonic clock.
    pub sent: Instant,
    /// When it arrived, on the server's wall clock, in µs.
    pub arrived_us: u64,
    /// When the reply left, on the server's wall clock; the same as `arrived_us` where the server tells one time only.
    pub left_us: u64,
    /// When the reply arrived, on the own monotonic clock.
    pub received: Instant,
    /// How far the server's clock may itself be off, in µs.
    pub server_error_us: u64,
}

impl ClockSync {
    /// Nothing known yet. `drift` is how much the two clocks may drift apart: the tolerances of both crystals.
    ///
    /// ```
    /// # use quorate_clocks::ClockSync;
    /// # use quorate_core::{Drift, Instant};
    /// assert_eq!(ClockSync::new(Drift::from_ppm(50).unwrap_or_default()).read(Instant::ZERO), None);
    /// ```
    #[must_use]
    pub const fn new(drift: Drift) -> Self {
        Self { drift, bound: None, steps: 0 }
    }

    /// Takes a reply. If it contradicts what is known, one of the clocks was stepped: the reply counts, and
    /// [`steps`](Self::steps) tells.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`] if the times cannot be; nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{ClockSync, Exchange, ExchangeError};
    /// # use quorate_core::{Drift, Instant};
    /// let mut clock = ClockSync::new(Drift::from_ppm(50).unwrap_or_default());
    /// let backwards = Exchange {
    ///     sent: Instant::from_micros(20),
    ///     arrived_us: 500,
    ///     left_us: 500,
    ///     received: Instant::from_micros(10),
    ///     server_error_us: 0,
    /// };
    /// assert_eq!(clock.exchange(backwards), Err(ExchangeError::Impossible));
    /// ```
    pub fn exchange(&mut self, exchange: Exchange) -> Result<(), ExchangeError> {
        let fresh = exchange.bound(self.drift)?;
        let known = self.bound.map(|bound| bound.widened(exchange.received, self.drift));
        let both = known.and_then(|known| known.intersect(fresh));
        if known.is_some() && both.is_none() {
            self.steps = self.steps.saturating_add(1);
        }
        self.bound = Some(both.unwrap_or(fresh));
        Ok(())
    }

    /// True time at an instant of the own clock; `None` before the first reply.
    ///
    /// ```
    /// # use quorate_clocks::{ClockSync, Exchange};
    /// # use quorate_core::{Drift, Instant};
    /// let mut clock = ClockSync::new(Drift::from_ppm(100).unwrap_or_default());
    /// let t = Instant::from_micros(10);
    /// clock.exchange(Exchange { sent: t, arrived_us: 500, left_us: 500, received: t, server_error_us: 3 })?;
    /// let later = clock.read(t.after(10_000_000)).ok_or("no reply yet")?;
    /// assert_eq!(later.middle_us(), 10_000_500);
    /// assert_eq!(later.error_us(), 3 + 1 + 1_000); // ten seconds at 100 us a second
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn read(&self, now: Instant) -> Option<TimeInterval> {
        let bound = self.bound?.widened(now, self.drift);
        let now_us = now.as_micros();
        TimeInterval::new(
            now_us.saturating_add_signed(bound.min_offset_us),
            now_us.saturating_add_signed(bound.max_offset_us),
        )
    }

    /// The best guess at an instant, for a hybrid clock; unsynchronised before the first reply.
    ///
    /// ```
    /// # use quorate_clocks::ClockSync;
    /// # use quorate_core::{Drift, Instant};
    /// assert_eq!(ClockSync::new(Drift::from_ppm(50).unwrap_or_default()).reading(Instant::ZERO).wall_us, None);
    /// ```
    #[must_use]
    pub fn reading(&self, now: Instant) -> Reading {
        Reading { now, wall_us: self.read(now).map(TimeInterval::middle_us) }
    }

    /// How often a reply contradicted what was known. Stops at its maximum.
    ///
    /// ```
    /// # use quorate_clocks::{ClockSync, Exchange};
    /// # use quorate_core::{Drift, Instant};
    /// let mut clock = ClockSync::new(Drift::from_ppm(50).unwrap_or_default());
    /// let t = Instant::ZERO;
    /// for server_us in [500, 900] {
    ///     clock.exchange(Exchange { sent: t, arrived_us: server_us, left_us: server_us, received: t, server_error_us: 0 })?;
    /// }
    /// assert_eq!(clock.steps(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn steps(&self) -> u32 {
        self.steps
    }
}

impl Exchange {
    /// What the exchange says about the offset at the time the reply arrived.
    fn bound(&self, drift: Drift) -> Result<Bound, ExchangeError> {
        let Self { sent, received, arrived_us, left_us, server_error_us } = *self;
        let times = [sent.as_micros(), received.as_micros(), arrived_us, left_us, server_error_us];
        if times.iter().fold(0, |all, time| all | time) >> 63 != 0 {
            return Err(ExchangeError::OutOfRange);
        }
        let [sent, received, arrived, left, error] = times.map(u64::cast_signed);
        if received < sent || left < arrived {
            return Err(ExchangeError::Impossible);
        }
        let drift = drift_us(self.received.since(self.sent), drift);
        let error = error.saturating_add(drift).saturating_add(GRANULARITY_US);
        // none of these can overflow: all are at least 0
        let min_offset_us = left.saturating_sub(received).saturating_sub(error);
        let max_offset_us = arrived.saturating_sub(sent).saturating_add(error);
        let bound = Bound { min_offset_us, max_offset_us, at: self.received };
        if min_offset_us <= max_offset_us { Ok(bound) } else { Err(ExchangeError::Impossible) }
    }
}

impl Bound {
    fn widened(self, now: Instant, drift: Drift) -> Self {
        let drift = drift_us(now.since(self.at), drift);
        Self {
            min_offset_us: self.min_offset_us.saturating_sub(drift),
            max_offset_us: self.max_offset_us.saturating_add(drift),
            at: self.at.max(now),
        }
    }

    fn intersect(self, other: Self) -> Option<Self> {
        let (min_offset_us, max_offset_us) = (
            self.min_offset_us.max(other.min_offset_us),
            self.max_offset_us.min(other.max_offset_us),
        );
        (min_offset_us <= max_offset_us).then_some(Self {
            min_offset_us,
            max_offset_us,
            at: self.at.max(other.at),
        })
    }
}

/// How far clocks get apart, rounded up.
fn drift_us(passed_us: u64, drift: Drift) -> i64 {
    let drift = passed_us.saturating_mul(u64::from(drift.ppm())).div_ceil(1_000_000);
    i64::try_from(drift).unwrap_or(i64::MAX)
}

/// Why a reply was not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ExchangeError {
    /// A reply before its request, or a server that took longer than the whole exchange: a clock was stepped meanwhile. Ask again.
    Impossible,
    /// A time of 2^63 or more.
    OutOfRange,
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Impossible => "the times contradict each other: ask again",
            Self::OutOfRange => "a time beyond what there is",
        })
    }
}

impl core::error::Error for ExchangeError {}
