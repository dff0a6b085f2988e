use quorate_core::Instant;

use super::window::Window;
use super::{Detector, first_suspicious};
use crate::ConfigError;

/// A heartbeat that is this much later or earlier than the first of the window, 18 minutes, begins a new window.
const FAR: u32 = 1 << 30;
const FAR_US: u64 = FAR as u64;

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
/// An [excuse](Detector::excuse) is rounded up to the next 1,024 µs, and all together overlook 50 days at most.
///
/// `N` samples, 2 to 1024; RAM `4 N + 40` bytes.
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
    /// How late each heartbeat was, against the first of the window, and [`FAR`] more, so that nothing is negative; and the margin.
    late: Window<N>,
    /// The next number, 0 while nothing was heard.
    next_number: u64,
    /// When that one would be as late as the first of the window was.
    next_at: Instant,
    interval_us: u32,
    /// What of the present silence is overlooked, in 1024 µs: 50 days of it at most.
    excused: u32,
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
    /// assert!(size_of::<Chen<64>>() <= 300);
    /// ```
    pub const fn new(config: ChenConfig) -> Result<Self, ConfigError> {
        if config.interval_us == 0 {
            return Err(ConfigError::Detector);
        }
        Ok(Self {
            late: Window::new(config.margin_us),
            next_number: 0,
            next_at: Instant::ZERO,
            interval_us: config.interval_us,
            excused: 0,
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
        let interval_us = u64::from(self.interval_us);
        let skipped = number.saturating_sub(self.next_number);
        let ideal = self.next_at.after(skipped.saturating_mul(interval_us));
        let late = now.after(FAR_US).since(ideal);
        // never far back, or `number` would have been seen
        let fits = self.late.len() > 0 && skipped <= JUMP && late > 0 && late >> 31 == 0;
        if let (true, Ok(late)) = (fits, u32::try_from(late)) {
            self.late.push(late);
            self.next_at = ideal.after(interval_us);
        } else {
            self.late = Window::new(self.late.pause_us);
            self.late.push(FAR);
            self.next_at = now.after(interval_us);
        }
        self.next_number = number.saturating_add(1);
        self.excused = 0;
    }

    /// When the next heartbeat is suspiciously late, if the mean is as late as the first of the window was.
    #[inline]
    fn due(&self) -> Instant {
        let excused_us = u64::from(self.excused) << 10;
        self.next_at.after(excused_us.saturating_add(u64::from(self.late.pause_us)))
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
        // now > due + sum / len - FAR, without the division
        let past = now.after(FAR_US).since(self.due());
        self.late.len() > 0 && past.saturating_mul(self.late.len()) > self.late.sum()
    }

    fn suspects_at(&self) -> Option<Instant> {
        if self.late.len() == 0 {
            return None;
        }
        let past = first_suspicious(31, |us| us.saturating_mul(self.late.len()) > self.late.sum());
        let at = self.due().after(past).as_micros();
        Some(Instant::from_micros(at.saturating_sub(FAR_US)))
    }

    fn excuse(&mut self, us: u64) {
        let more = u32::try_from(us.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        self.excused = self.excused.saturating_add(more);
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
    fn a_silence_stays_suspicious_to_the_end_of_time() {
        let mut detector = Chen::<4>::new(ChenConfig { interval_us: 1_000, margin_us: 0 }).unwrap();
        assert!(!detector.suspects(Instant::MAX)); // never heard
        detector.heard(Instant::ZERO);
        for at in [1_001, 1 << 32, 1 << 62, 1 << 63, (1 << 63) + 2_000, u64::MAX] {
            assert!(detector.suspects(Instant::from_micros(at)), "{at}");
        }
    }

    #[test]
    fn an_excuse_is_for_one_silence() {
        let config = ChenConfig { interval_us: 100_000, margin_us: 50_000 };
        let mut detector = Chen::<8>::new(config).unwrap();
        let ms = Instant::from_millis;
        for n in 0..20 {
            detector.heard_number(ms(n * 100), n);
        }
        let at = detector.suspects_at().unwrap();
        detector.excuse(3_600_000_000);
        let excused = detector.suspects_at().unwrap().since(at);
        assert!((3_600_000_000..3_600_001_024).contains(&excused), "{excused}");
        detector.heard_number(ms(2_000), 20);
        assert_eq!(detector.suspects_at().unwrap().since(at), 100_000);
        detector.excuse(u64::MAX);
        assert!(!detector.suspects(ms(30 * 86_400_000)));
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
