/// How much faster or slower than true time a clock may run, in parts per million (ppm).
///
/// Crystals are good for 20 to 100 ppm, RC oscillators for 10,000 to 50,000. Leases and clock synchronization are as good as
/// this bound: a clock that leaves it breaks their promise.
///
/// ```
/// use quorate_core::Drift;
/// let crystal = Drift::from_ppm(100).ok_or("too much")?;
/// assert_eq!(crystal.ppm(), 100);
/// assert_eq!(Drift::from_ppm(500_000), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Drift(u32);

impl Drift {
    /// Clocks that run true.
    pub const NONE: Self = Self(0);

    /// Clocks off by at most so many parts per million; `None` at 500,000 and above, where a bound is of no use.
    ///
    /// ```
    /// use quorate_core::Drift;
    /// assert_eq!(Drift::from_ppm(0), Some(Drift::NONE));
    /// ```
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if ppm < 500_000 { Some(Self(ppm)) } else { None }
    }

    /// In parts per million.
    ///
    /// ```
    /// use quorate_core::Drift;
    /// assert_eq!(Drift::NONE.ppm(), 0);
    /// ```
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// How wrong a clock may be about a time of `us`, in µs: rounded up, by the 8 millionth part and a microsecond.
    ///
    /// ```
    /// use quorate_core::Drift;
    /// let crystal = Drift::from_ppm(100).unwrap_or_default();
    /// assert_eq!(crystal.error_us(10_000_000), 1_001);
    /// assert_eq!(Drift::NONE.error_us(10_000_000), 0);
    /// ```
    #[must_use]
    pub const fn error_us(self, us: u64) -> u64 {
        if self.0 == 0 {
            return 0;
        }
        // in 1/2^32, without a division: boards have no instruction for one of this size; below 2^31, as the drift is, and each
        // product below 2^63, so that nothing wraps
        let fraction = (self.0 as u64).wrapping_mul(4_295);
        let whole = (us >> 32).wrapping_mul(fraction);
        let rest = (us & 0xffff_ffff).wrapping_mul(fraction) >> 32;
        whole.wrapping_add(rest).wrapping_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_round_up_without_overflow() {
        let drift = |ppm| Drift::from_ppm(ppm).unwrap();
        assert_eq!((drift(0).error_us(u64::MAX), drift(1).error_us(1)), (0, 1));
        for (ppm, us) in [(1u32, 1_000_001u64), (100, 3_000_000), (499_999, 1 << 50), (20_000, 7)] {
            let exact = (u128::from(ppm) * u128::from(us)).div_ceil(1_000_000) as u64;
            let found = drift(ppm).error_us(us);
            assert!((exact..=exact + exact / 100_000 + 1).contains(&found), "{ppm} {us} {found}");
        }
        assert!(drift(499_999).error_us(u64::MAX) < u64::MAX / 2 + u64::MAX / 100_000);
        assert_eq!((Drift::from_ppm(499_999).map(Drift::ppm), Drift::from_ppm(500_000)), {
            (Some(499_999), None)
        });
    }
}
