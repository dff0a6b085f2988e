use quorate_core::Instant;

use super::window::{Window, coarsen, in_units};
use super::{Detector, Phi, PhiConfig, first_suspicious, phi};
use crate::ConfigError;

/// The phi accrual detector with a normal distribution of intervals (Hayashibara et al. 2004), in the form Akka gave it: a
/// window of samples, an acceptable pause, a least deviation, and the logistic approximation of the distribution.
///
/// With `SAMPLES` samples, 2 to 1024: RAM `4 * SAMPLES + 40` bytes. [`heartbeat`](Detector::heartbeat) and
/// [`suspects`](Detector::suspects) take a few nanoseconds: no division, no root, no logarithm.
/// Only [`phi`](Self::phi) does.
///
/// Intervals may have any length. Samples are counted in microseconds up to 8.9 minutes (with 64 of them; with 1000, 2.2 minutes). The
/// first one that is longer makes the unit a larger power of two, which costs a pass over the window.
///
/// # How exact it is
///
/// [`phi`](Self::phi) is within 0.002 and 0.05 % of Akka's formula in exact arithmetic on the same samples (checked by a
/// property test against floating point). That formula itself is higher than the true normal distribution from phi 4 on: at
/// Akka's 8 the true one is 7.0.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::detector::{Detector, NormalPhi, Phi, PhiConfig};
///
/// let mut detector = NormalPhi::<64>::new(PhiConfig::for_interval(100_000))?;
/// for n in 0..100 {
///     detector.heartbeat(Instant::from_millis(n * 100 + n % 3)); // every 100 ms or so
/// }
/// let last = Instant::from_millis(9_900);
/// assert!(detector.phi(last.after(100_000)) < Phi::from_milli(100));
/// assert!(detector.phi(last.after(250_000)) > Phi::from_milli(30_000));
/// // when will it reach the threshold? That is how long to sleep
/// let at = detector.suspects_at().ok_or("never heard")?;
/// assert_eq!(at.since(last) / 1_000, 202); // 100 of mean, 50 of pause, 52 of deviations
/// assert!(detector.suspects(at) && !detector.suspects(Instant::from_micros(at.as_micros() - 1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NormalPhi<const SAMPLES: usize> {
    window: Window<SAMPLES>,
    squares: u64,
    /// `MAX` while nothing was heard: no instant is later.
    last: Instant,
    /// In the window's units.
    min_deviation: u32,
    /// The threshold in deviations, in 1/65,536.
    threshold: u32,
}

impl<const SAMPLES: usize> NormalPhi<SAMPLES> {
    /// A detector that has heard nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if a field is out of range.
    ///
    /// ```
    /// use quorate_election::detector::{NormalPhi, PhiConfig};
    /// assert!(NormalPhi::<64>::new(PhiConfig::for_interval(100_000)).is_ok());
    /// assert!(size_of::<NormalPhi<64>>() <= 300);
    /// ```
    pub fn new(config: PhiConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut detector = Self {
            window: Window::new(config.pause_us, config.min_deviation_us),
            squares: 0,
            last: Instant::MAX,
            min_deviation: 0,
            threshold: phi::deviations_for(config.threshold),
        };
        detector.min_deviation = in_units(config.min_deviation_us, detector.window.shift());
        // as Akka does: two samples whose mean is the estimate, and whose deviation is a quarter of it
        let quarter = config.first_interval_us / 4;
        detector.push_sample(config.first_interval_us.saturating_sub(quarter));
        detector.push_sample(config.first_interval_us.saturating_add(quarter));
        Ok(detector)
    }

    /// How suspicious the silence is at `now`; 0 if nothing was ever heard.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::detector::{Detector, NormalPhi, Phi, PhiConfig};
    /// let mut detector = NormalPhi::<64>::new(PhiConfig::for_interval(100_000))?;
    /// assert_eq!(detector.phi(Instant::from_millis(5_000)), Phi::default());
    /// detector.heartbeat(Instant::ZERO);
    /// assert_eq!(detector.phi(Instant::from_millis(150)), Phi::from_milli(301)); // at the mean: log10(2)
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    #[allow(clippy::arithmetic_side_effects)] // shifts by 13 and twice 13
    pub fn phi(&self, now: Instant) -> Phi {
        if self.last == Instant::MAX {
            return Phi::default();
        }
        let n = self.window.len();
        let mean = n.saturating_mul(self.window.pause.into()).saturating_add(self.window.sum());
        let silence = n.saturating_mul(self.window.units(now.since(self.last)));
        // of small deviations 13 bits of fraction; either way 47 bits are 32 of them, which is all that counts, and y has 16 more
        let variance = self.variance();
        let fraction = if variance >> 58 == 0 { 13 } else { 0 };
        let deviation = isqrt(variance << (2 * fraction)).max(1);
        let most = deviation.saturating_mul(32) >> fraction;
        let beyond = silence.abs_diff(mean).min(most) << (16 + fraction);
        let y = beyond.checked_div(deviation).unwrap_or(0).cast_signed();
        let y = if silence < mean { y.saturating_neg() } else { y };
        Phi::from_fraction(phi::of_deviations(y))
    }

    /// The square of `N` times the deviation.
    #[inline]
    #[allow(clippy::arithmetic_side_effects)] // n and the least deviation: 42 bits, squared 84; n^2 variance is not negative
    fn variance(&self) -> u128 {
        let (n, sum) = (self.window.len(), self.window.sum());
        let least = n * u64::from(self.min_deviation);
        let found = product(n, self.squares) - product(sum, sum);
        found.max(product(least, least))
    }

    /// The square of what `n (silence - pause) - sum` may be.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)] // 84 bits of variance and 42 of the threshold's square
    fn tolerated(&self) -> u128 {
        let squared = u64::from(self.threshold) * u64::from(self.threshold);
        let variance = self.variance();
        let (high, low) = ((variance >> 64) as u64, variance as u64);
        (product(high, squared) << 32) + (product(low, squared) >> 32)
    }

    /// The silence beyond the tolerated pause, in units.
    #[inline]
    fn silence(&self, now: Instant) -> u64 {
        let silence = self.window.units(now.since(self.last));
        silence.saturating_sub(u64::from(self.window.pause))
    }

    /// Whether a silence, without the pause, is longer than what is tolerated.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline)]
    fn exceeds_tolerance(&self, silence: u64, tolerated: u128) -> bool {
        let beyond = silence.saturating_mul(self.window.len()).saturating_sub(self.window.sum());
        beyond > 0 && product(beyond, beyond) > tolerated
    }

    #[inline]
    fn push_sample(&mut self, us: u64) {
        let new = match self.window.sample(us) {
            Some(new) => new,
            None => self.coarsen_for(us),
        };
        let old = self.window.push(new);
        // exact: what is taken away was added before
        self.squares = self.squares.wrapping_add(square(new)).wrapping_sub(square(old));
    }

    /// Makes the unit so large that an interval is a sample, and gives it.
    #[cold]
    #[inline(never)]
    fn coarsen_for(&mut self, us: u64) -> u32 {
        let doubled = self.window.coarsen_for(us);
        self.min_deviation = coarsen(self.min_deviation, doubled);
        let add = |sum: u64, &sample| sum.wrapping_add(square(sample));
        self.squares = self.window.samples().iter().fold(0, add);
        self.window.sample(us).unwrap_or(0)
    }

    #[cold]
    fn longest_tolerated(&self) -> u64 {
        self.suspects_at().map_or(0, |at| at.since(self.last))
    }
}

impl<const SAMPLES: usize> Detector for NormalPhi<SAMPLES> {
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
        self.exceeds_tolerance(self.silence(now), self.tolerated())
    }

    fn suspects_at(&self) -> Option<Instant> {
        if self.last == Instant::MAX {
            return None;
        }
        let tolerated = self.tolerated();
        let silence = first_suspicious(44, |us| self.exceeds_tolerance(us, tolerated));
        let silence = silence.saturating_add(u64::from(self.window.pause));
        Some(self.last.after(self.window.us(silence)))
    }

    fn ignore_local_pause(&mut self, us: u64) {
        self.last = self.last.after(us);
    }
}

fn square(sample: u32) -> u64 {
    u64::from(sample).wrapping_mul(u64::from(sample))
}

/// On boards a call is smaller than the multiplications of 32 bits that this takes.
#[cfg_attr(target_pointer_width = "32", inline(never))]
#[cfg_attr(not(target_pointer_width = "32"), inline)]
#[allow(clippy::arithmetic_side_effects)] // twice 64 bits fit 128
fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// The root, rounded down, of at most 126 bits: bit by bit, as boards have no instruction for it.
#[allow(clippy::arithmetic_side_effects)] // the bits of the root are set from the top, each below the last
fn isqrt(square: u128) -> u64 {
    let mut root: u64 = 0;
    let mut bit = (128 - square.leading_zeros()).div_ceil(2).min(63);
    while bit > 0 {
        bit -= 1;
        let higher = root | 1 << bit;
        if product(higher, higher) <= square {
            root = higher;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::phi::MAX_INTERVAL_US;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn exact(samples: &[u64], config: &PhiConfig, silence: u64) -> f64 {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<u64>() as f64 / n + config.pause_us as f64;
        let plain = samples.iter().sum::<u64>() as f64 / n;
        let variance = samples.iter().map(|&s| (s as f64 - plain).powi(2)).sum::<f64>() / n;
        let deviation = variance.sqrt().max(config.min_deviation_us as f64);
        let y = (silence as f64 - mean) / deviation;
        let x = y * (1.5976 + 0.070566 * y * y);
        if x > 700.0 { x * std::f64::consts::LOG10_E } else { (1.0 + x.exp()).log10() }
    }

    proptest! {
        #[test]
        fn phi_is_as_exact_as_documented(
            samples in prop::collection::vec(0u64..400_000, 8),
            silence in 0u64..1_000_000,
            min in 1u64..50_000,
            scale in 0u32..18,
        ) {
            let samples: Vec<_> = samples.iter().map(|s| s >> scale).collect();
            let (min, silence) = ((min >> scale).max(1), silence >> scale);
            let config = PhiConfig {
                min_deviation_us: min, pause_us: min, ..PhiConfig::for_interval(100_000)
            };
            let mut detector = NormalPhi::<8>::new(config).unwrap();
            let mut now = Instant::ZERO;
            detector.heartbeat(now);
            for &sample in &samples {
                detector.push_sample(sample);
                now = now.after(sample);
            }
            detector.last = now;
            let exact = exact(&samples, &config, silence);
            let found = f64::from(detector.phi(now.after(silence)).milli()) / 1_000.0;
            if exact < 999.0 {
                prop_assert!((found - exact).abs() <= 0.002 + 0.0005 * exact, "{found} {exact}");
            } else {
                prop_assert!(found > 998.0);
            }
        }

        #[test]
        fn deadline_is_the_first_suspicious_instant(
            samples in prop::collection::vec(0u64..u64::from(u32::MAX), 2..40),
            min in 1u64..u64::from(u32::MAX),
            threshold in 500u32..100_000,
        ) {
            let config = PhiConfig {
                threshold: Phi::from_milli(threshold),
                min_deviation_us: min,
                ..PhiConfig::for_interval(100_000)
            };
            let mut detector = NormalPhi::<16>::new(config).unwrap();
            let mut now = Instant::ZERO;
            for sample in samples {
                now = now.after(sample);
                detector.heartbeat(now);
            }
            let at = detector.suspects_at().unwrap();
            prop_assert!(detector.suspects(at));
            prop_assert!(!detector.suspects(Instant::from_micros(at.as_micros() - 1)));
            // and phi has the same opinion, as far as it is exact
            let phi = detector.phi(at).milli();
            prop_assert!(phi.abs_diff(threshold) <= 3 + threshold / 1_000, "{phi} {threshold}");
        }

        #[test]
        fn nothing_overflows(samples in prop::collection::vec(any::<u64>(), 0..200), at: u64) {
            let mut detector = NormalPhi::<64>::new(PhiConfig {
                pause_us: MAX_INTERVAL_US, min_deviation_us: MAX_INTERVAL_US, first_interval_us: MAX_INTERVAL_US,
                threshold: Phi::from_milli(100_000),
            }).unwrap();
            for sample in samples {
                detector.heartbeat(Instant::from_micros(sample));
                let _ = detector.phi(Instant::from_micros(at));
                detector.suspects(Instant::from_micros(at));
                detector.suspects_at();
            }
        }

        #[test]
        fn roots_are_rounded_down(value in any::<u64>()) {
            let square = u128::from(value >> 1) * u128::from(value >> 1);
            prop_assert_eq!(isqrt(square), value >> 1);
            prop_assert_eq!(isqrt(square + 1), if value >> 1 == 0 { 1 } else { value >> 1 });
        }
    }

    #[test]
    fn outage_does_not_blind_the_window() {
        let mut detector = NormalPhi::<16>::new(PhiConfig::for_interval(100_000)).unwrap();
        let mut now = Instant::ZERO;
        for _ in 0..50 {
            now = now.after(100_000);
            detector.heartbeat(now);
        }
        let before = detector.suspects_at().unwrap().since(now);
        now = now.after(3_600_000_000);
        detector.heartbeat(now);
        let after = detector.suspects_at().unwrap().since(now);
        assert!(after < before * 2, "{before} became {after}");
    }

    #[test]
    fn burst_between_heartbeats_causes_no_suspicion() {
        let config = PhiConfig { pause_us: 100_000, ..PhiConfig::for_interval(100_000) };
        let mut detector = NormalPhi::<16>::new(config).unwrap();
        for n in 0..100 {
            let beat = Instant::from_millis(n * 100 + n % 2 * 40); // up to 140 ms apart
            assert!(!detector.suspects(beat), "{n}");
            (0..n).for_each(|us| detector.heartbeat(beat.after(us)));
        }
    }

    #[test]
    fn slower_peer_is_learned() {
        let mut detector = NormalPhi::<16>::new(PhiConfig::for_interval(100_000)).unwrap();
        let mut now = Instant::ZERO;
        let mut wrong = Vec::new();
        for n in 0..200 {
            now = now.after(if n < 100 { 100_000 } else { 300_000 });
            if detector.suspects(now) {
                wrong.push(n);
            }
            detector.heartbeat(now);
        }
        assert!(!wrong.is_empty() && wrong.len() < 10, "{wrong:?}");
    }
}
