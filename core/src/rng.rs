/// A small seeded generator (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
/// figure 16). Eight bytes of state, the same numbers on every platform.
///
/// Good for jitter, sampling and simulation; not for secrets.
///
/// ```
/// use quorate_core::Rng;
/// let (mut a, mut b) = (Rng::new(7), Rng::new(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!(a.range(150, 300) < 300);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that always gives the same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Self::mix(self.0)
    }

    /// Spreads each bit of a number over all bits of another, one to one: the finalizer of the generator (Steele, Lea and Flood, 2014).
    /// It is a fast hash of a number, and no protection against those who choose numbers.
    ///
    /// ```
    /// use quorate_core::Rng;
    /// assert_eq!((Rng::mix(0), Rng::mix(1)), (0, 0x5692_161d_100b_05e5));
    /// ```
    #[must_use]
    pub const fn mix(mut z: u64) -> u64 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0. Multiplies high instead of dividing (Lemire, "Fast random integer
    /// generation in an interval", 2019, without the rejection step: the bias is below `bound` / 2^64).
    #[allow(clippy::cast_possible_truncation, clippy::arithmetic_side_effects)] // the high half of a 128-bit product
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// A number in `low..high`; `low` when the range is empty.
    pub const fn range(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low)))
    }

    /// True `numerator` times out of `denominator` on average.
    pub const fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// A generator of its own, for a part that must not disturb the numbers of the rest.
    pub const fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_are_those_of_the_reference() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn ranges_hold() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            let n = rng.range(10, 15);
            assert!((10..15).contains(&n));
            seen[(n - 10) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.range(9, 9), 9);
        assert_eq!(rng.range(9, 3), 9);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn below_is_the_high_half_of_a_product() {
        for bound in [1, 2, 3, 1000, 1 << 32, (1 << 40) + 7, u64::MAX] {
            let (mut rng, mut same) = (Rng::new(9), Rng::new(9));
            for _ in 0..100 {
                let expected = (u128::from(same.next_u64()) * u128::from(bound)) >> 64;
                assert_eq!(u128::from(rng.below(bound)), expected);
            }
        }
    }

    #[test]
    fn chances_are_what_they_say() {
        let mut rng = Rng::new(5);
        let hits = (0..10_000).filter(|_| rng.chance(1, 4)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert!((0..100).all(|_| rng.chance(4, 4) && !rng.chance(0, 4)));
    }

    #[test]
    fn a_fork_goes_its_own_way() {
        let (mut rng, mut same) = (Rng::new(7), Rng::new(7));
        let mut fork = rng.fork();
        assert_eq!(fork, Rng::new(same.next_u64()));
        // and takes one number from the other, however many it makes
        (0..9).for_each(|_| _ = fork.next_u64());
        assert_eq!(rng.next_u64(), same.next_u64());
    }
}
