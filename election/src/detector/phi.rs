use core::fmt;

use crate::{Config, ConfigError};

/// Fractions are counted in 1/65,536.
pub(super) const ONE: i64 = 1 << 16;

/// The longest time in a detector's configuration, in µs: 50 days.
pub(super) const MAX_INTERVAL_US: u64 = 50 * 86_400_000_000;

/// log10(e), in 1/2^20.
const LOG10_E: i64 = 455_391;

/// A level of suspicion: that of a silence whose probability is `10^-phi` (Hayashibara, Défago, Yared and Katayama, "The phi
/// accrual failure detector", SRDS 2004, section 3). In thousandths; ends at 1000.
///
/// ```
/// use quorate_election::detector::Phi;
/// assert_eq!(Phi::from_milli(8_250).to_string(), "8.250");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Phi(u32);

impl Phi {
    /// The highest there is: 1000.
    pub const MAX: Self = Self(1_000_000);

    /// So many thousandths, at most [`MAX`](Self::MAX).
    ///
    /// ```
    /// use quorate_election::detector::Phi;
    /// assert_eq!(Phi::from_milli(u32::MAX), Phi::MAX);
    /// ```
    #[must_use]
    pub const fn from_milli(milli: u32) -> Self {
        if milli < Self::MAX.0 { Self(milli) } else { Self::MAX }
    }

    /// In thousandths.
    ///
    /// ```
    /// use quorate_election::detector::Phi;
    /// assert_eq!(Phi::from_milli(8_000).milli(), 8_000);
    /// ```
    #[must_use]
    pub const fn milli(self) -> u32 {
        self.0
    }

    /// From 1/65,536.
    pub(super) fn from_fraction(phi: i64) -> Self {
        let milli = phi.max(0).saturating_mul(1_000).saturating_add(ONE / 2) >> 16;
        u32::try_from(milli).map_or(Self::MAX, Self::from_milli)
    }
}

impl fmt::Display for Phi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// How a phi detector judges. The presets are for a peer that is heard as often as a leader is with the
/// presets of an election's [`Config`](crate::Config).
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `threshold` | 8 | 12 | 8 | Akka's default, and what its documentation advises between data centers, where delays vary; on a radio the pause does that |
/// | `pause_us` | 50 ms | 500 ms | 10 s | half an interval: what a busy process stops for; on a radio a whole one, as heartbeats get lost |
/// | `min_deviation_us` | 10 ms | 100 ms | 1 s | a tenth of an interval: jitter that nobody should be suspected for |
/// | `first_interval_us` | 100 ms | 1 s | 10 s | `heartbeat_us` of the election's preset |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PhiConfig {
    /// Suspicious from here on; 0.5 to 100. Akka and Cassandra take 8; 12 for clouds. Default 8.
    pub threshold: Phi,
    /// Silence that is tolerated on top of what was learnt, in µs: for pauses of the peer's
    /// process. At most 50 days.
    pub pause_us: u64,
    /// The deviation counts as at least this, in µs, above 0: a peer that was regular to the microsecond must not be suspected
    /// when it is a millisecond late. In an [exponential](super::ExponentialPhi) distribution the deviation is the mean. At most
    /// 50 days.
    pub min_deviation_us: u64,
    /// What the first interval is taken for before one was seen, in µs, above 0; with a deviation of a quarter, as Akka does.
    /// At most 50 days.
    pub first_interval_us: u64,
}

impl PhiConfig {
    /// For a local network: heard every 100 ms, suspected after some 200 ms. The default.
    ///
    /// ```
    /// use quorate_election::detector::PhiConfig;
    /// assert_eq!(PhiConfig::lan(), PhiConfig::for_interval(100_000));
    /// assert_eq!(PhiConfig::lan(), PhiConfig::default());
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self::for_interval(Config::lan().heartbeat_us)
    }

    /// For links between sites: heard every second, and more doubt before a peer is suspected.
    ///
    /// ```
    /// use quorate_election::detector::PhiConfig;
    /// assert_eq!(PhiConfig::wan().threshold.milli(), 12_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { threshold: Phi(12_000), ..Self::for_interval(Config::wan().heartbeat_us) }
    }

    /// For slow radio: heard every 10 s, and one heartbeat may get lost.
    ///
    /// ```
    /// use quorate_election::detector::PhiConfig;
    /// assert_eq!(PhiConfig::radio().pause_us, PhiConfig::radio().first_interval_us);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        let interval_us = Config::radio().heartbeat_us;
        Self { pause_us: interval_us, ..Self::for_interval(interval_us) }
    }

    /// For a peer that is heard at this interval, in µs: phi 8, a pause of half of it, a deviation of at least a tenth.
    ///
    /// ```
    /// use quorate_election::detector::PhiConfig;
    /// assert_eq!(PhiConfig::for_interval(100_000).min_deviation_us, 10_000);
    /// ```
    #[must_use]
    pub const fn for_interval(interval_us: u64) -> Self {
        Self {
            threshold: Phi(8_000),
            pause_us: interval_us / 2,
            min_deviation_us: interval_us / 10,
            first_interval_us: interval_us,
        }
    }

    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Detector`] if one is out of range.
    ///
    /// ```
    /// use quorate_election::detector::{Phi, PhiConfig};
    /// let config = PhiConfig::for_interval(100_000);
    /// assert!(config.validate().is_ok());
    /// assert!(PhiConfig { threshold: Phi::from_milli(100), ..config }.validate().is_err());
    /// assert!(PhiConfig { pause_us: u64::MAX, ..config }.validate().is_err());
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        let threshold = self.threshold.0;
        let in_range = threshold >= 500 && threshold <= 100_000;
        let above_zero = self.min_deviation_us > 0 && self.first_interval_us > 0;
        let short = self.pause_us <= MAX_INTERVAL_US
            && self.min_deviation_us <= MAX_INTERVAL_US
            && self.first_interval_us <= MAX_INTERVAL_US;
        if in_range && above_zero && short { Ok(()) } else { Err(ConfigError::Detector) }
    }
}

impl Default for PhiConfig {
    fn default() -> Self {
        Self::lan()
    }
}

/// Phi of `y` deviations beyond the mean, both in 1/65,536, for `y` from -32 to 32.
///
/// The logistic approximation of the normal distribution that Akka uses: with `x = y (1.5976 + 0.070566 y^2)`, phi is
/// `log10(1 + e^x)`, that is `x log10(e)` for a positive `x`, and the little more that [`log10_1p_exp`] has.
#[allow(clippy::arithmetic_side_effects)] // 2^21, squared 2^26 in 1/65,536, times 2^17: below 2^49 everywhere
pub(super) fn of_deviations(y: i64) -> i64 {
    let y = y.clamp(-32 * ONE, 32 * ONE);
    let squared = (y * y) >> 16;
    let slope = 1_675_205 + ((squared * 73_994) >> 16); // in 1/2^20
    let x = (y * slope) >> 20;
    let straight = (x.max(0) * LOG10_E) >> 20;
    straight + log10_1p_exp(x.unsigned_abs())
}

/// The number of deviations, in 1/65,536, at which phi reaches this.
pub(super) fn deviations_for(threshold: Phi) -> u32 {
    let wanted = (i64::from(threshold.0) << 16).div_euclid(1_000);
    let (mut y, mut bit) = (0_u32, 1_u32 << 20);
    while bit > 0 {
        if of_deviations(i64::from(y | bit)) < wanted {
            y |= bit;
        }
        bit >>= 1;
    }
    y.saturating_add(1)
}

/// log10(1 + e^-x), both in 1/65,536: a table from 0 to 8 in steps of a quarter, straight lines between. Beyond 8 it is below
/// 0.00015. The lines are above the curve by at most 0.0009.
fn log10_1p_exp(x: u64) -> i64 {
    const TABLE: [u16; 33] = [
        19728, 16392, 13493, 11011, 8916, 7170, 5733, 4560, 3613, 2852, 2245, 1764, 1383, 1083,
        847, 662, 517, 403, 314, 245, 191, 149, 116, 90, 70, 55, 43, 33, 26, 20, 16, 12, 10,
    ];
    let at = usize::try_from(x >> 14).unwrap_or(usize::MAX);
    let rest = i64::try_from(x & 0x3fff).unwrap_or(0);
    let value = |at: usize| TABLE.get(at).map_or(0, |&v| i64::from(v));
    let (here, next) = (value(at), value(at.saturating_add(1)));
    here.saturating_sub(here.saturating_sub(next).saturating_mul(rest) >> 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phi_rounds_to_thousandths() {
        for (thousandths, expected) in [(0, 0), (1, 1), (8_000, 8_000)] {
            let exact = thousandths * ONE / 1_000;
            for around in [exact - 32, exact, exact + 32] {
                assert_eq!(Phi::from_fraction(around).milli(), expected, "{around}");
            }
            assert_eq!(Phi::from_fraction(exact + 34).milli(), expected + 1);
        }
    }
}
