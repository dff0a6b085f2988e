use quorate_core::Instant;

use super::window::{Window, coarsen, in_units};
use super::{Detector, Phi, PhiConfig, first_suspicious};
use crate::ConfigError;

/// Silences of more units than this, 12 days of microseconds, count as this in the arithmetic.
const MAX_SILENCE: u64 = (1 << 40) - 1;

/// The phi accrual detector with an exponential distribution of intervals, as Cassandra has it (Lakshman and Malik, "Cassandra: a
/// decentralized structured storage system", 2010, section 5.4): phi is the silence in mean intervals, times log10(e).
///
/// Its deviation is its mean (and so the least deviation is the least mean): it is slow where the peer is regular, and hard to fool
/// where traffic comes at random: feed it with any traffic. `SAMPLES` samples, 2 to 1024, of any length (in units as
/// [`NormalPhi`](super::NormalPhi) has them); RAM `4 * SAMPLES + 32` bytes. [`phi`](Self::phi) is exact to 0.001 and 0.0002 %; the threshold to
/// 0.02 %.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::detector::{Detector, ExponentialPhi, Phi, PhiConfig};
///
/// let config = PhiConfig { pause_us: 0, ..PhiConfig::for_interval(100_000) };
/// let mut detector = ExponentialPhi::<64>::new(config)?;
/// for n in 0..100 {
///     detector.heartbeat(Instant::from_millis(n * 100));
/// }
/// let last = Instant::from_millis(9_900);
/// assert_eq!(detector.phi(last.after(100_000)), Phi::from_milli(434));
/// assert_eq!(detector.suspects_at().map(|at| at.since(last) / 1_000), Some(1_842)); // 8 ln 10 intervals
/// # Ok::<(), quorate_election::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ExponentialPhi<const SAMPLES: usize> {
    window: Window<SAMPLES>,
    /// `MAX` while nothing was heard: no instant is later.
    last: Instant,
    /// The threshold in mean intervals, in 1/4096.
    threshold: u32,
    /// The mean counts as at least this, in the window's units.
    min_mean: u32,
}

impl<const SAMPLES: usize> ExponentialPhi<SAMPLES> {
    /// A detector that has heard nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if a field is out of range.
    ///
    /// ```
    /// use quorate_election::detector::{ExponentialPhi, PhiConfig};
    /// assert!(ExponentialPhi::<64>::new(PhiConfig::for_interval(100_000)).is_ok());
    /// assert!(size_of::<ExponentialPhi<64>>() <= 300);
    /// ```
    pub fn new(config: PhiConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let window = Window::new(config.pause_us, config.min_deviation_us);
        // ln(10) / 1000 * 4096 = 9.43139..., in 1/65,536
        let threshold = u64::from(config.threshold.milli()).saturating_mul(618_096) >> 16;
        let mut detector = Self {
            min_mean: in_units(config.min_deviation_us, window.shift()),
            window,
            last: Instant::MAX,
            threshold: u32::try_from(threshold).unwrap_or(u32::MAX),
        };
        detector.push_sample(config.first_interval_us);
        Ok(detector)
    }

    /// How suspicious the silence is at `now`; 0 if nothing was ever heard.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::detector::{ExponentialPhi, Phi, PhiConfig};
    /// let detector = ExponentialPhi::<64>::new(PhiConfig::for_interval(100_000))?;
    /// assert_eq!(detector.phi(Instant::from_millis(5_000)), Phi::default());
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub fn phi(&self, now: Instant) -> Phi {
        // 434.294 thousandths for each mean interval, in two steps that fit 64 bits
        let silence = self.silence(now).wrapping_mul(self.window.len());
        let sum = self.sum();
        let whole = silence.checked_div(sum).unwrap_or(0);
        let rest = silence.wrapping_sub(whole.wrapping_mul(sum)).wrapping_mul(434_294);
        let milli = whole
            .saturating_mul(434_294)
            .saturating_add(rest.checked_div(sum).unwrap_or(0))
            .saturating_add(500)
            / 1_000;
        u32::try_from(milli).map_or(Phi::MAX, Phi::from_milli)
    }

    /// The silence beyond the tolerated pause, in units.
    #[inline]
    fn silence(&self, now: Instant) -> u64 {
        let silence = self.window.units(now.since(self.last));
        silence.saturating_sub(u64::from(self.window.pause)).min(MAX_SILENCE)
    }

    #[inline]
    fn push_sample(&mut self, us: u64) {
        let sample = match self.window.sample(us) {
            Some(sample) => sample,
            None => self.coarsen_for(us),
        };
        self.window.push(sample);
    }

    /// Makes the unit so large that an interval is a sample, and gives it.
    #[cold]
    #[inline(never)]
    fn coarsen_for(&mut self, us: u64) -> u32 {
        let doubled = self.window.coarsen_for(us);
        self.min_mean = coarsen(self.min_mean, doubled);
        self.window.sample(us).unwrap_or(0)
    }

    /// `N` times the mean.
    #[inline]
    fn sum(&self) -> u64 {
        self.window.sum().max(self.window.len().wrapping_mul(u64::from(self.min_mean)))
    }

    /// Whether a silence, without the pause, is longer than what is tolerated.
    #[inline]
    #[allow(clippy::arithmetic_side_effects)] // 40 bits of silence, 10 of length, 12 of fraction; 20 of threshold, 42 of sum
    fn exceeds_tolerance(&self, silence: u64) -> bool {
        silence * self.window.len() * 4096 > u64::from(self.threshold) * self.sum()
    }

    #[cold]
    fn longest_tolerated(&self) -> u64 {
        self.suspects_at().map_or(0, |at| at.since(self.last))
    }
}

impl<const SAMPLES: usize> Detector for ExponentialPhi<SAMPLES> {
    #[inline]
    fn heartbeat(&mut self, now: Instant) {
        if self.last == Instant::MAX {
            self.last = now;
            return;
        }
        let mut us = now.since(self.last);
        if self.suspects(now) {
            us = us.min(self.longest_tolerated());
        }
        self.push_sample(us);
        self.last = self.last.max(now);
    }

    #[inline]
    fn suspects(&self, now: Instant) -> bool {
        self.exceeds_tolerance(self.silence(now))
    }

    fn suspects_at(&self) -> Option<Instant> {
        if self.last == Instant::MAX {
            return None;
        }
        let silence = first_suspicious(40, |us| self.exceeds_tolerance(us));
        let silence = silence.saturating_add(u64::from(self.window.pause));
        Some(self.last.after(self.window.us(silence)))
    }

    fn ignore_local_pause(&mut self, us: u64) {
        self.last = self.last.after(us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::phi::MAX_INTERVAL_US;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn phi_and_deadline_are_as_exact_as_documented(
            samples in prop::collection::vec(1u64..400_000, 8),
            scale in 0u32..17,
            silence in 0u64..3_000_000,
            threshold in 500u32..100_000,
        ) {
            let config = PhiConfig {
                threshold: Phi::from_milli(threshold), pause_us: 0, min_deviation_us: 1,
                ..PhiConfig::for_interval(100_000)
            };
            let samples: Vec<_> = samples.iter().map(|&s| (s >> scale).max(1)).collect();
            let mut detector = ExponentialPhi::<8>::new(config).unwrap();
            let now = Instant::from_millis(99);
            detector.last = now;
            samples.iter().for_each(|&s| { detector.window.push(s as u32); });
            let mean = samples.iter().sum::<u64>() as f64 / 8.0;
            let exact = silence as f64 / mean * std::f64::consts::LOG10_E;
            let found = f64::from(detector.phi(now.after(silence)).milli()) / 1_000.0;
            prop_assert!((found - exact.min(1_000.0)).abs() <= 0.001 + exact * 0.000_002, "{found} {exact}");

            let at = detector.suspects_at().unwrap();
            prop_assert!(detector.suspects(at));
            prop_assert!(!detector.suspects(Instant::from_micros(at.as_micros() - 1)));
            let exact = f64::from(threshold) / 1_000.0 * std::f64::consts::LN_10 * mean;
            let found = at.since(now) as f64;
            prop_assert!((found - exact).abs() <= 1.0 + exact * 0.0002, "{found} {exact}");
        }

        #[test]
        fn nothing_overflows(samples in prop::collection::vec(any::<u64>(), 0..200), at: u64) {
            let mut detector = ExponentialPhi::<64>::new(PhiConfig {
                pause_us: MAX_INTERVAL_US, min_deviation_us: 1, first_interval_us: MAX_INTERVAL_US,
                threshold: Phi::from_milli(100_000),
            }).unwrap();
            for sample in samples {
                detector.heartbeat(Instant::from_micros(sample));
                let _ = detector.phi(Instant::from_micros(at));
                detector.suspects(Instant::from_micros(at));
                detector.suspects_at();
            }
        }
    }

    #[test]
    fn burst_does_not_lower_the_threshold() {
        let mut detector = ExponentialPhi::<16>::new(PhiConfig::for_interval(100_000)).unwrap();
        (0..100).for_each(|_| detector.heartbeat(Instant::from_millis(5)));
        // half an interval of pause, and 18.4 tenths
        assert_eq!(detector.suspects_at().map(|at| at.as_micros() / 1_000), Some(239));
    }
}
