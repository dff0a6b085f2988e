use quorate_core::Instant;

use super::phi::MAX_INTERVAL_US;
use super::window::{Window, in_units};
use super::{Detector, first_suspicious};
use crate::{Config, ConfigError};

/// A heartbeat that is this much later or earlier than the first of the window, in units, begins a new window.
const DELAY_OFFSET: u32 = 1 << 30;

/// The interval and the margin are this many bits shorter than the longest sample, and
/// [`DELAY_OFFSET`] is four of them or more.
const SPARE_BITS: u32 = 3;

/// A number that is this much beyond the last begins a new window: the sender started anew, or was away for long.
const JUMP: u64 = 1 << 16;

/// Chen's adaptive detector (Chen, Toueg and Aguilera, "On the quality of service of failure detectors", IEEE Transactions on
/// Computers 51(5), 2002, section 6: NFD-E): expects heartbeat `l + 1` at the mean of how late the last `SAMPLES` were, and suspects a
/// margin later.
///
/// Its heartbeats have an interval that is known and a number each, which
/// [`heartbeat_numbered`](Detector::heartbeat_numbered) is told: so it knows a late one from a lost
/// one, and one late heartbeat does not make the next one late as well. The detection time is at
/// most interval plus margin plus the mean delay's error. **A lost heartbeat is suspicious until
/// the next one comes, unless the margin is longer than an interval**: a margin of `k` intervals
/// and the delay's jitter rides out `k` losses in a row.
///
/// The paper's sender never stands still, and a schedule that moved would be suspicious until the window has moved along. Here a heartbeat
/// that is late by more than the margin begins a new window: a pause is suspicious once. So does one that is earlier than the mean by more
/// than the longer of interval and margin: what a stall held back, or numbers that skipped some, would be taken for a peer that is that
/// late, and its death would be noticed that much later.
///
/// Numbers must grow: a sender that restarts puts a counter of its restarts into their upper half, or goes on from the time. Late and
/// repeated numbers are ignored; while the peer is suspected, one that is not later begins a new window, as a sender that began
/// again with low numbers would be suspected for ever otherwise.
///
/// Traffic without numbers, [`heartbeat`](Detector::heartbeat), is taken for the heartbeat whose
/// expected arrival is nearest, and ignored if that one has come already. So a loss makes a gap
/// there, too; but a heartbeat that is late by more than half an interval is taken for the next
/// one.
///
/// A sender's clock that runs fast or slow is followed, as the window moves along: it may be off by the margin over half a window. A
/// sender that sleeps for the interval between heartbeats, and so is late a little more each time, is further off than that; it should
/// send at multiples of the interval.
///
/// An ignored [local pause](Detector::ignore_local_pause) is rounded up to the next 1,024 µs, and
/// all together are 50 days at most. Times are counted in microseconds if interval and margin are
/// below 67 s (with 64 samples; 16 s with 1000), or else in a larger power of two of them, less
/// than the 2^23rd part of the longer of both.
///
/// The clock ends after 584,000 years; a silence that begins in the last 2^30 of those units before (18 minutes, if they are microseconds) is
/// never suspicious.
///
/// `SAMPLES` samples, 2 to 1024; RAM `4 * SAMPLES + 40` bytes.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::detector::{Chen, ChenConfig, Detector};
///
/// let mut detector = Chen::<32>::new(ChenConfig { interval_us: 100_000, margin_us: 50_000 })?;
/// for n in 0..100 {
///     if n % 7 != 3 { // some get lost
///         detector.heartbeat_numbered(Instant::from_millis(n * 100 + 20), n);
///     }
/// }
/// // number 100 is expected at 10,020
/// assert_eq!(detector.suspects_at(), Some(Instant::from_micros(10_070_001)));
/// # Ok::<(), quorate_election::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Chen<const SAMPLES: usize> {
    /// How late each heartbeat was, against the first of the window, and [`DELAY_OFFSET`] more, so
    /// that nothing is negative; and the margin.
    delays: Window<SAMPLES>,
    /// The next number, 0 while nothing was heard.
    next_number: u64,
    /// When that one would be as late as the first of the window was.
    next_at: Instant,
    /// In units.
    interval: u32,
    /// The local pause in the present silence that is ignored, in 1024 µs: 50 days of it at most.
    ignored_pause: u32,
}

/// How a [`Chen`] detector judges. The presets are for a peer that is heard as often as a leader is with
/// the presets of an election's [`Config`](crate::Config).
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `interval_us` | 100 ms | 1 s | 10 s | `heartbeat_us` of the election's preset |
/// | `margin_us` | 120 ms | 1.2 s | 12 s | an interval, so that one heartbeat may get lost, and a fifth for jitter: a message takes a tenth of an interval on a local network, a fifth with the other presets |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChenConfig {
    /// The interval at which the peer sends, in µs, above 0; at most 50 days.
    pub interval_us: u64,
    /// How much later than expected a heartbeat may come, in µs; at most 50 days. Above the interval, if single losses are to be ridden
    /// out.
    pub margin_us: u64,
}

impl ChenConfig {
    /// For a local network: heard every 100 ms, suspected after 220 ms. The default.
    ///
    /// ```
    /// use quorate_election::detector::ChenConfig;
    /// assert_eq!(ChenConfig::lan(), ChenConfig { interval_us: 100_000, margin_us: 120_000 });
    /// assert_eq!(ChenConfig::lan(), ChenConfig::default());
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self::for_interval(Config::lan().heartbeat_us)
    }

    /// For links between sites: heard every second, suspected after 2.2 s.
    ///
    /// ```
    /// use quorate_election::detector::ChenConfig;
    /// assert_eq!(ChenConfig::wan().interval_us, 1_000_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self::for_interval(Config::wan().heartbeat_us)
    }

    /// For slow radio: heard every 10 s, suspected after 22 s.
    ///
    /// ```
    /// use quorate_election::detector::ChenConfig;
    /// assert_eq!(ChenConfig::radio().margin_us, 12_000_000);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self::for_interval(Config::radio().heartbeat_us)
    }

    /// For a peer that is heard at this interval, in µs: one heartbeat may get lost and the next be late by a fifth of the interval.
    ///
    /// ```
    /// use quorate_election::detector::ChenConfig;
    /// assert_eq!(ChenConfig::for_interval(20_000).margin_us, 24_000);
    /// ```
    #[must_use]
    pub const fn for_interval(interval_us: u64) -> Self {
        Self { interval_us, margin_us: interval_us.saturating_add(interval_us / 5) }
    }

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if one is out of range.
    ///
    /// ```
    /// use quorate_election::detector::ChenConfig;
    /// let config = ChenConfig { interval_us: 7_200_000_000, margin_us: 10_000_000_000 }; // a radio
    /// assert!(config.validate().is_ok());
    /// assert!(ChenConfig { interval_us: 0, ..config }.validate().is_err());
    /// assert!(ChenConfig { margin_us: u64::MAX, ..config }.validate().is_err());
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        let short = self.interval_us <= MAX_INTERVAL_US && self.margin_us <= MAX_INTERVAL_US;
        if self.interval_us > 0 && short { Ok(()) } else { Err(ConfigError::Detector) }
    }
}

impl Default for ChenConfig {
    fn default() -> Self {
        Self::lan()
    }
}

impl<const SAMPLES: usize> Chen<SAMPLES> {
    /// A detector that has heard nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if a field is out of range.
    ///
    /// ```
    /// use quorate_election::detector::{Chen, ChenConfig};
    /// assert!(Chen::<32>::new(ChenConfig { interval_us: 0, margin_us: 50_000 }).is_err());
    /// assert!(size_of::<Chen<64>>() <= 300);
    /// ```
    pub const fn new(config: ChenConfig) -> Result<Self, ConfigError> {
        if let Err(error) = config.validate() {
            return Err(error);
        }
        let (interval_us, margin_us) = (config.interval_us, config.margin_us);
        let longer = if interval_us > margin_us { interval_us } else { margin_us };
        let delays = Window::new(margin_us, longer.wrapping_shl(SPARE_BITS));
        Ok(Self {
            interval: in_units(interval_us, delays.shift()),
            delays,
            next_number: 0,
            next_at: Instant::ZERO,
            ignored_pause: 0,
        })
    }

    #[inline]
    const fn interval_us(&self) -> u64 {
        self.delays.us(self.interval as u64)
    }

    /// When a heartbeat is suspiciously late, if the mean is as late as the first of the window was, and it would be then.
    #[inline]
    fn due(&self, ideal: Instant) -> Instant {
        let ignored_us = u64::from(self.ignored_pause) << 10;
        ideal.after(ignored_us.saturating_add(self.delays.us(self.delays.pause.into())))
    }

    /// Whether it is.
    #[inline]
    fn is_late(&self, now: Instant, ideal: Instant) -> bool {
        // now > due + sum / len - FAR, without the division
        let past = self
            .delays
            .units(now.after(self.delays.us(DELAY_OFFSET.into())).since(self.due(ideal)));
        past.saturating_mul(self.delays.len()) > self.delays.sum()
    }

    /// Whether a heartbeat that is so late comes earlier than the mean by more than the longer of interval and margin: no heartbeat that is
    /// in time does.
    #[inline]
    fn is_early(&self, delay: u64) -> bool {
        let most = u64::from(self.interval.max(self.delays.pause));
        delay.saturating_add(most).saturating_mul(self.delays.len()) < self.delays.sum()
    }

    /// How many heartbeats are missing if the one whose expected arrival is nearest comes at `now`; `None` if that has come already.
    fn missed_heartbeats(&self, now: Instant) -> Option<u64> {
        let (len, interval) = (self.delays.len(), u64::from(self.interval));
        if len == 0 {
            return Some(0);
        }
        // everything `len` times, so that the mean needs no division: from half an interval before the next one is expected
        let past =
            self.delays.units(now.after(self.delays.us(DELAY_OFFSET.into())).since(self.next_at));
        let past = past.saturating_add(interval >> 1).saturating_mul(len);
        let since = past.checked_sub(self.delays.sum())?;
        let span = interval.saturating_mul(len);
        let bits = JUMP.trailing_zeros().wrapping_add(2);
        Some(first_suspicious(bits, |n| n.saturating_mul(span) > since).wrapping_sub(1))
    }

    fn restart(&mut self, now: Instant) {
        self.delays.clear();
        self.delays.push(DELAY_OFFSET);
        self.next_at = now.after(self.interval_us());
    }
}

impl<const SAMPLES: usize> Detector for Chen<SAMPLES> {
    fn heartbeat(&mut self, now: Instant) {
        if let Some(missed) = self.missed_heartbeats(now) {
            self.heartbeat_numbered(now, self.next_number.saturating_add(missed));
        }
    }

    #[inline]
    fn heartbeat_numbered(&mut self, now: Instant, number: u64) {
        let again = number < self.next_number;
        if again && !self.suspects(now) {
            return;
        }
        // a local pause is no lateness of the peer's, and not to be learnt
        self.ignored_pause = 0;
        let interval_us = self.interval_us();
        let skipped = number.saturating_sub(self.next_number);
        let ideal = self.next_at.after(skipped.saturating_mul(interval_us));
        let by = self.delays.units(now.after(self.delays.us(DELAY_OFFSET.into())).since(ideal));
        let near = skipped <= JUMP && by > 0 && by >> 31 == 0 && !self.is_early(by);
        let fits = self.delays.len() > 0 && !again && near && !self.is_late(now, ideal);
        if let (true, Ok(by)) = (fits, u32::try_from(by)) {
            self.delays.push(by);
            self.next_at = ideal.after(interval_us);
        } else {
            self.restart(now);
        }
        self.next_number = number.saturating_add(1);
    }

    #[inline]
    fn suspects(&self, now: Instant) -> bool {
        self.delays.len() > 0 && self.is_late(now, self.next_at)
    }

    fn suspects_at(&self) -> Option<Instant> {
        if self.delays.len() == 0 {
            return None;
        }
        let past =
            first_suspicious(31, |us| us.saturating_mul(self.delays.len()) > self.delays.sum());
        let at = self.due(self.next_at).after(self.delays.us(past)).as_micros();
        Some(Instant::from_micros(at.saturating_sub(self.delays.us(DELAY_OFFSET.into()))))
    }

    fn ignore_local_pause(&mut self, us: u64) {
        let more = u32::try_from(us.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        self.ignored_pause = self.ignored_pause.saturating_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn expected_arrival_matches_the_paper(
            delays in prop::collection::vec((0u64..90_000, any::<bool>()), 20..60),
        ) {
            let config = ChenConfig { interval_us: 100_000, margin_us: 100_000 };
            let mut detector = Chen::<16>::new(config).unwrap();
            let mut arrived: Vec<(i64, i64)> = Vec::new();
            for (number, (delay, lost)) in delays.into_iter().enumerate() {
                let number = number as u64 + 5;
                let at = number * 100_000 + delay;
                if !lost {
                    detector.heartbeat_numbered(Instant::from_micros(at), number);
                    arrived.push((at as i64, number as i64));
                }
            }
            let Some(&(_, last)) = arrived.last() else { return Ok(()) };
            let window: Vec<_> = arrived.iter().rev().take(16).collect();
            // equation 6.3
            let mean = window.iter().map(|(a, l)| (a - 100_000 * l) as f64).sum::<f64>() / window.len() as f64;
            let expected = mean + 100_000.0 * (last + 1) as f64 + 100_000.0;
            let at = detector.suspects_at().unwrap();
            prop_assert!((at.as_micros() as f64 - expected).abs() <= 2.0, "{at:?} {expected}");
            prop_assert!(detector.suspects(at));
            prop_assert!(!detector.suspects(Instant::from_micros(at.as_micros() - 1)));
        }

        #[test]
        fn nothing_overflows(heard in prop::collection::vec((any::<u64>(), any::<u64>()), 0..60), at: u64) {
            let config = ChenConfig { interval_us: MAX_INTERVAL_US, margin_us: MAX_INTERVAL_US };
            let mut detector = Chen::<4>::new(config).unwrap();
            for (now, number) in heard {
                detector.heartbeat_numbered(Instant::from_micros(now), number);
                detector.suspects(Instant::from_micros(at));
                detector.suspects_at();
            }
        }
    }

    #[test]
    fn suspicion_persists_for_any_silence() {
        let mut detector = Chen::<4>::new(ChenConfig { interval_us: 1_000, margin_us: 0 }).unwrap();
        assert!(!detector.suspects(Instant::MAX)); // never heard
        detector.heartbeat(Instant::ZERO);
        for at in [1_001, 1 << 32, 1 << 62, 1 << 63, (1 << 63) + 2_000, u64::MAX] {
            assert!(detector.suspects(Instant::from_micros(at)), "{at}");
        }
        // but for one that begins at the end of the clock
        for (left, suspects) in
            [(u64::from(DELAY_OFFSET) + 2_000, true), (u64::from(DELAY_OFFSET), false)]
        {
            let mut detector =
                Chen::<4>::new(ChenConfig { interval_us: 1_000, margin_us: 0 }).unwrap();
            detector.heartbeat(Instant::from_micros(u64::MAX - left));
            assert_eq!(detector.suspects(Instant::MAX), suspects);
        }
    }

    #[test]
    fn ignored_pause_applies_to_one_silence() {
        let config = ChenConfig { interval_us: 100_000, margin_us: 50_000 };
        let mut detector = Chen::<8>::new(config).unwrap();
        let ms = Instant::from_millis;
        for n in 0..20 {
            detector.heartbeat_numbered(ms(n * 100), n);
        }
        let at = detector.suspects_at().unwrap();
        detector.ignore_local_pause(3_600_000_000);
        let ignored_pause = detector.suspects_at().unwrap().since(at);
        assert!((3_600_000_000..3_600_001_024).contains(&ignored_pause), "{ignored_pause}");
        detector.heartbeat_numbered(ms(2_000), 20);
        assert_eq!(detector.suspects_at().unwrap().since(at), 100_000);
        detector.ignore_local_pause(u64::MAX);
        assert!(!detector.suspects(ms(30 * 86_400_000)));
    }

    #[test]
    fn restarted_numbering_is_accepted_once_suspected() {
        let config = ChenConfig { interval_us: 100_000, margin_us: 50_000 };
        let mut detector = Chen::<8>::new(config).unwrap();
        let ms = Instant::from_millis;
        (0..20).for_each(|n| detector.heartbeat_numbered(ms(n * 100), n + 1_000));
        let at = detector.suspects_at();
        assert_eq!(at, Some(Instant::from_micros(2_050_001)));
        detector.heartbeat_numbered(ms(2_050), 3); // late, or repeated
        assert_eq!(detector.suspects_at(), at);
        detector.heartbeat_numbered(Instant::from_micros(2_050_001), 3);
        assert_eq!(detector.suspects_at(), Some(Instant::from_micros(2_200_002)));
        detector.heartbeat_numbered(ms(2_150), 4);
        assert!(!detector.suspects(ms(2_300)) && detector.suspects(ms(2_301)));
        // the last one once more is late, too
        detector.heartbeat_numbered(ms(2_200), 4);
        assert!(!detector.suspects(ms(2_300)) && detector.suspects(ms(2_301)));
    }

    #[test]
    fn implausible_numbers_and_times_restart_the_window() {
        let config = ChenConfig { interval_us: 1_000, margin_us: 500 };
        let mut steady = Chen::<4>::new(config).unwrap();
        (0..4).for_each(|n| steady.heartbeat_numbered(Instant::from_micros(n * 1_000), n));
        // number 4 is due at 4,000
        for (number, at, fits) in [
            (4 + JUMP, 4_000 + JUMP * 1_000, true),
            (5 + JUMP, 4_000 + JUMP * 1_000 + 1_000, false),
            (4, 4_500, true),
            (4, 4_501, false), // it was suspected
            (5, 5_500, true),
            (5, 5_501, false),
        ] {
            let mut detector = steady.clone();
            detector.heartbeat_numbered(Instant::from_micros(at), number);
            assert_eq!(detector.delays.len(), if fits { 4 } else { 1 }, "{number} at {at}");
            assert_eq!(detector.next_number, number + 1);
        }
        // later and later, by less than the margin each time: 2^32 µs after 15 of them
        let config = ChenConfig { interval_us: 1_000, margin_us: 1_000_000_000 };
        let mut detector = Chen::<4>::new(config).unwrap();
        assert_eq!(detector.delays.shift(), 2);
        for number in 0..20 {
            detector.heartbeat_numbered(Instant::from_micros(number * 300_001_000), number);
            assert_eq!(detector.delays.len(), (number % 15 + 1).min(4), "{number}");
        }
        // earlier and earlier, by less than an interval each time
        let config = ChenConfig { interval_us: 60_000_000, margin_us: 500 };
        let mut detector = Chen::<4>::new(config).unwrap();
        for number in 0..60 {
            detector.heartbeat_numbered(Instant::from_micros(number * 40_000_000), number);
            assert_eq!(detector.delays.len(), (number % 54 + 1).min(4), "{number}");
        }
    }

    #[test]
    fn too_early_heartbeat_restarts_the_window() {
        for (margin_us, early, fits) in
            [(500, 1_000, true), (500, 1_001, false), (3_000, 3_000, true), (3_000, 3_001, false)]
        {
            let config = ChenConfig { interval_us: 1_000, margin_us };
            let mut detector = Chen::<8>::new(config).unwrap();
            (0..4).for_each(|n| {
                detector.heartbeat_numbered(Instant::from_micros(10_000 + n * 1_000), n)
            });
            // number 8 is due at 18,000
            detector.heartbeat_numbered(Instant::from_micros(18_000 - early), 8);
            assert_eq!(detector.delays.len(), if fits { 5 } else { 1 }, "{margin_us} {early}");
        }
    }

    const CHEN: ChenConfig = ChenConfig { interval_us: 100_000, margin_us: 120_000 };

    /// A detector that has heard 100 heartbeats, the last at 9,900 ms.
    fn steady() -> Chen<64> {
        let mut detector = Chen::new(CHEN).unwrap();
        (0..100).for_each(|n| detector.heartbeat_numbered(Instant::from_millis(n * 100), n));
        detector
    }

    /// In ms after the last heartbeat.
    fn suspects_after(detector: &Chen<64>, last: u64) -> u64 {
        detector.suspects_at().unwrap().since(Instant::from_millis(last)) / 1_000
    }

    #[test]
    fn stall_and_number_jump_do_not_blind_detection() {
        let ms = Instant::from_millis;
        // nothing arrives for 60 s; then the 100 that a buffer kept of what was sent meanwhile
        let mut detector = steady();
        (100..200).for_each(|n| detector.heartbeat_numbered(ms(70_000), n));
        detector.heartbeat_numbered(ms(70_100), 701);
        assert_eq!(suspects_after(&detector, 70_100), 220);
        // or all of them
        for kept in [2, 10, 64, 600] {
            let mut detector = steady();
            (100..100 + kept).for_each(|n| detector.heartbeat_numbered(ms(70_000), n));
            for n in 1..=2 {
                detector.heartbeat_numbered(ms(70_000 + n * 100), 700 + n);
                assert!(suspects_after(&detector, 70_000 + n * 100) <= 320, "{kept}");
            }
        }
        // the sender started again, from a number that it had reserved
        let mut detector = steady();
        detector.heartbeat_numbered(ms(10_000), 5_000);
        assert_eq!(suspects_after(&detector, 10_000), 220);
    }

    /// This node slept for 15 minutes.
    #[test]
    fn ignored_pause_is_not_sampled_as_delay() {
        let ms = Instant::from_millis;
        let mut detector = steady();
        detector.ignore_local_pause(900_000_000);
        let wake = 9_900 + 900_000;
        detector.heartbeat_numbered(ms(wake), 100); // it waited in the socket
        assert_eq!(suspects_after(&detector, wake), 220);
        detector.heartbeat_numbered(ms(wake + 50), 9_100);
        detector.heartbeat_numbered(ms(wake + 150), 9_101);
        assert_eq!(suspects_after(&detector, wake + 150), 220);
    }

    #[test]
    fn unnumbered_traffic_counts_as_nearest_heartbeat() {
        let config = ChenConfig { interval_us: 100_000, margin_us: 50_000 };
        let mut detector = Chen::<8>::new(config).unwrap();
        let ms = Instant::from_millis;
        for (at, next) in [
            (1_000, 1),
            (1_049, 1), // the same once more
            (1_050, 2), // early
            (1_200, 3), // on time; they are early by 17 ms on average
            (1_230, 3),
            (1_500, 6), // two were lost; 12.5 ms
            (1_537, 6),
            (1_637, 7), // late
        ] {
            detector.heartbeat(ms(at));
            assert_eq!(detector.next_number, next, "{at}");
        }
        let mut detector = Chen::<8>::new(ChenConfig { margin_us: 10_000, ..config }).unwrap();
        (0..8).for_each(|n| detector.heartbeat(ms(n * 100)));
        detector.heartbeat(ms(849)); // late by nearly half an interval: it is number 8
        assert_eq!(detector.next_number, 9);
        let at = detector.suspects_at().unwrap();
        detector.heartbeat(Instant::from_micros(at.as_micros() - 1));
        detector.heartbeat(at);
        assert_eq!(detector.next_number, 10);
        assert!(!detector.suspects(at));
        // a silence of any length
        detector.heartbeat(ms(800 + 100 * (JUMP + 5)));
        assert_eq!(detector.delays.len(), 1);
        detector.heartbeat(Instant::MAX);
        detector.heartbeat(Instant::ZERO);
    }

    #[test]
    fn long_intervals_use_coarser_units() {
        let hour = 3_600_000_000;
        let config = ChenConfig { interval_us: 2 * hour, margin_us: 3 * hour };
        let mut detector = Chen::<64>::new(config).unwrap();
        (0..100).for_each(|n| detector.heartbeat_numbered(Instant::from_micros(n * 2 * hour), n));
        let at = detector.suspects_at().unwrap().as_micros();
        assert!((at - 203 * hour) < 1_000, "{at}");
        assert!(
            Chen::<64>::new(ChenConfig {
                interval_us: MAX_INTERVAL_US,
                margin_us: MAX_INTERVAL_US
            })
            .is_ok()
        );
        for (interval_us, margin_us) in [(MAX_INTERVAL_US + 1, 0), (1, MAX_INTERVAL_US + 1), (0, 1)]
        {
            let config = ChenConfig { interval_us, margin_us };
            assert_eq!(Chen::<64>::new(config).err(), Some(ConfigError::Detector));
        }
    }

    #[test]
    fn sender_clock_drift_is_followed() {
        let config = ChenConfig { interval_us: 100_000, margin_us: 30_000 };
        let mut detector = Chen::<16>::new(config).unwrap();
        for n in 0..100_000_u64 {
            let now = Instant::from_micros(n * 100_100); // 0.1 % slow: 10 s late in the end
            assert!(!detector.suspects(now), "{n}");
            detector.heartbeat_numbered(now, n);
        }
    }
}
