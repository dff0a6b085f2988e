use quorate_core::Instant;

use super::{Detector, first_suspicious};
use crate::ConfigError;

/// A heartbeat that is this much later or earlier than the first of the window, 18 minutes, begins a new window.
const FAR: i64 = 1 << 30;

/// A number that is this much beyond the last begins a new window: the sender started anew, or was away for long.
const JUMP: u64 = 1 << 16;

/// Chen's adaptive detector (Chen, Toueg and Aguilera, "On the quality of service of failure detectors", IEEE Transactions on
/// Computers 51(5), 2002, section 6: NFD-E): expects heartbeat `l + 1` at the mean of how late the last `N` were, and suspects a
/// margin later.
///
/// Its heartbeats have an interval that is known and a number each; so it knows a late one from a lost one, and one late
/// heartbeat does not make the next one late as well. The detection time is at most interval plus margin plus the mean delay's
/// error. Numbers must grow: a sender that restarts puts a counter of its restarts into their upper half. Late and repeated
/// numbers are ignored. A sender's clock that runs fast or slow is followed, as the window moves along: it may be off by the
/// margin over half a window. A sender that sleeps for the interval between heartbeats, and so is late a little more each time,
/// is further off than that; it should send at multiples of the interval.
///
/// `N` samples, 2 to 1024; RAM `4 N + 48` bytes.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::detector::{Chen, ChenConfig, Detector};
///
/// let mut detector = Chen::<32>::new(ChenConfig { interval_us: 100_000, margin_us: 50_000 })?;
/// for n in 0..100 {
///     if n % 7 != 3 { // some get lost
///         detector.heard_number(Instant::from_millis(n * 100 + 20), n);
///     }
/// }
/// // number 100 is expected at 10,020
/// assert_eq!(detector.suspects_at(), Some(Instant::from_micros(10_070_001)));
/// # Ok::<(), quorate_election::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Chen<const N: usize> {
    /// How late each heartbeat was, against the first of the window.
    late_us: [i32; N],
    sum: i64,
    /// When heartbeat 0 would have been as late as the first of the window; wraps.
    base: u64,
    /// The next number, 0 while nothing was heard, and when it is due with the margin, as late as the first was.
    next_number: u64,
    due: Instant,
    interval_us: u32,
    margin_us: u32,
    next: u16,
    len: u16,
}

/// How a [`Chen`] detector judges.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChenConfig {
    /// The interval at which the peer sends, in µs, above 0.
    pub interval_us: u32,
    /// How much later than expected a heartbeat may come, in µs.
    pub margin_us: u32,
}

impl<const N: usize> Chen<N> {
    /// A detector that has heard nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if the interval is 0.
    ///
    /// ```
    /// use quorate_election::detector::{Chen, ChenConfig};
    /// assert!(Chen::<32>::new(ChenConfig { interval_us: 0, margin_us: 50_000 }).is_err());
    /// ```
    pub const fn new(config: ChenConfig) -> Result<Self, ConfigError> {
        const { assert!(N >= 2 && N <= 1024, "a window has 2 to 1024 samples") };
        if config.interval_us == 0 {
            return Err(ConfigError::Detector);
        }
        Ok(Self {
            late_us: [0; N],
            sum: 0,
            base: 0,
            next_number: 0,
            due: Instant::MAX,
            interval_us: config.interval_us,
            margin_us: config.margin_us,
            next: 0,
            len: 0,
        })
    }

    /// The heartbeat with this number arrived.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::detector::{Chen, ChenConfig, Detector};
    /// let mut detector = Chen::<32>::new(ChenConfig { interval_us: 100_000, margin_us: 50_000 })?;
    /// detector.heard_number(Instant::ZERO, 7);
    /// let at = detector.suspects_at();
    /// detector.heard_number(Instant::from_millis(40), 6); // late
    /// assert_eq!(detector.suspects_at(), at);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[inline]
    pub fn heard_number(&mut self, now: Instant, number: u64) {
        if number < self.next_number {
            return;
        }
        let ideal = self.base.wrapping_add(number.wrapping_mul(u64::from(self.interval_us)));
        let late = now.as_micros().wrapping_sub(ideal).cast_signed();
        let jumped = number.saturating_sub(self.next_number) > JUMP;
        match i32::try_from(late) {
            Ok(late) if i64::from(late).abs() < FAR && !jumped && self.len > 0 => self.take(late),
            _ => self.begin(now, number),
        }
        self.next_number = number.saturating_add(1);
        self.due = now.after(u64::from(self.interval_us)).after(u64::from(self.margin_us));
        // as late as the first of the window: what this one was late is taken off again
        let off = self.last_late();
        let due = self.due.as_micros().saturating_add_signed(off.saturating_neg());
        self.due = Instant::from_micros(due);
    }

    fn begin(&mut self, now: Instant, number: u64) {
        self.late_us = [0; N];
        (self.sum, self.next, self.len) = (0, 0, 0);
        let passed = number.wrapping_mul(u64::from(self.interval_us));
        self.base = now.as_micros().wrapping_sub(passed);
        self.take(0);
    }

    #[inline]
    fn take(&mut self, late: i32) {
        let Some(place) = self.late_us.get_mut(usize::from(self.next)) else { return };
        let old = core::mem::replace(place, late);
        self.sum = self.sum.wrapping_add(i64::from(late)).wrapping_sub(i64::from(old));
        let next = self.next.wrapping_add(1);
        self.next = if usize::from(next) < N { next } else { 0 };
        if usize::from(self.len) < N {
            self.len = self.len.wrapping_add(1);
        }
    }

    #[inline]
    fn last_late(&self) -> i64 {
        let at = usize::from(self.next).checked_sub(1).unwrap_or(N.saturating_sub(1));
        self.late_us.get(at).copied().unwrap_or(0).into()
    }
}

impl<const N: usize> Detector for Chen<N> {
    /// Any traffic counts as the next heartbeat. Better give numbers to heartbeats: [`heard_number`](Chen::heard_number).
    #[inline]
    fn heard(&mut self, now: Instant) {
        self.heard_number(now, self.next_number);
    }

    #[inline]
    fn suspects(&self, now: Instant) -> bool {
        // now > due + sum / len, without the division
        let past = now.as_micros().wrapping_sub(self.due.as_micros()).cast_signed();
        self.len > 0 && past.saturating_mul(i64::from(self.len)) > self.sum
    }

    fn suspects_at(&self) -> Option<Instant> {
        if self.len == 0 {
            return None;
        }
        // from the earliest that the mean can be, to the latest
        let from = self.due.as_micros().saturating_sub(1 << 30);
        let after = first_suspicious(32, |us| self.suspects(Instant::from_micros(from).after(us)));
        Some(Instant::from_micros(from).after(after))
    }

    fn excuse(&mut self, us: u64) {
        if self.len > 0 {
            self.due = self.due.after(us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn it_expects_what_the_paper_says(
            delays in prop::collection::vec((0u64..90_000, any::<bool>()), 20..60),
        ) {
            let config = ChenConfig { interval_us: 100_000, margin_us: 30_000 };
            let mut detector = Chen::<16>::new(config).unwrap();
            let mut arrived: Vec<(i64, i64)> = Vec::new();
            for (number, (delay, lost)) in delays.into_iter().enumerate() {
                let number = number as u64 + 5;
                let at = number * 100_000 + delay;
                if !lost {
                    detector.heard_number(Instant::from_micros(at), number);
                    arrived.push((at as i64, number as i64));
                }
            }
            let Some(&(_, last)) = arrived.last() else { return Ok(()) };
            let window: Vec<_> = arrived.iter().rev().take(16).collect();
            // equation 6.3
            let mean = window.iter().map(|(a, l)| (a - 100_000 * l) as f64).sum::<f64>() / window.len() as f64;
            let expected = mean + 100_000.0 * (last + 1) as f64 + 30_000.0;
            let at = detector.suspects_at().unwrap();
            prop_assert!((at.as_micros() as f64 - expected).abs() <= 2.0, "{at:?} {expected}");
            prop_assert!(detector.suspects(at));
            prop_assert!(!detector.suspects(Instant::from_micros(at.as_micros() - 1)));
        }

        #[test]
        fn nothing_overflows(heard in prop::collection::vec((any::<u64>(), any::<u64>()), 0..60), at: u64) {
            let config = ChenConfig { interval_us: u32::MAX, margin_us: u32::MAX };
            let mut detector = Chen::<4>::new(config).unwrap();
            for (now, number) in heard {
                detector.heard_number(Instant::from_micros(now), number);
                detector.suspects(Instant::from_micros(at));
                detector.suspects_at();
            }
        }
    }

    #[test]
    fn a_sender_whose_clock_is_off_is_followed() {
        let config = ChenConfig { interval_us: 100_000, margin_us: 30_000 };
        let mut detector = Chen::<16>::new(config).unwrap();
        for n in 0..100_000_u64 {
            let now = Instant::from_micros(n * 100_100); // 0.1 % slow: 10 s late in the end
            assert!(!detector.suspects(now), "{n}");
            detector.heard_number(now, n);
        }
    }
}
