/// The last `N` samples of a time, and their exact sum, in units of a power of two of microseconds.
///
/// The unit is 1 µs as long as no sample is longer than the arithmetic allows for. One that is doubles the unit for all, so that no
/// length is cut off: what is lost of a sample is less than the 2^26th part of the longest there was.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Window<const N: usize> {
    samples: [u32; N],
    /// Where the next sample goes.
    next: u16,
    full: bool,
    /// A unit has `2^shift` µs.
    shift: u8,
    /// Silence that is tolerated, or a margin, in units, rounded up; here because here is room for
    /// it.
    pub(super) pause: u32,
    sum: u64,
}

impl<const N: usize> Window<N> {
    /// Samples have so many units at most, so that neither the sum nor the sum of squares can leave 64 bits: with 64 samples of
    /// microseconds 8.9 minutes.
    #[allow(clippy::cast_possible_truncation)] // the root of 64 bits has 32, and of less, less
    const MAX_SAMPLE: u32 = (u64::MAX / N as u64).isqrt() as u32;

    /// An empty window whose unit is so large that it can count so many µs besides the pause.
    #[allow(clippy::cast_possible_truncation)] // a shift is below 64
    pub(super) const fn new(pause_us: u64, most_us: u64) -> Self {
        const { assert!(N >= 2 && N <= 1024, "a window has 2 to 1024 samples") };
        let most_us = if pause_us > most_us { pause_us } else { most_us };
        let mut shift: u32 = 0;
        while most_us.wrapping_shr(shift) > Self::MAX_SAMPLE as u64 {
            shift = shift.wrapping_add(1);
        }
        let pause = in_units(pause_us, shift);
        Self { samples: [0; N], next: 0, full: false, shift: shift as u8, pause, sum: 0 }
    }

    /// Takes a sample of so many units in, at most [`MAX_SAMPLE`](Self::MAX_SAMPLE); gives the one
    /// that went (0 if none did).
    #[inline]
    pub(super) fn push(&mut self, new: u32) -> u32 {
        let Some(place) = self.samples.get_mut(usize::from(self.next)) else { return 0 };
        let old = core::mem::replace(place, new);
        // exact: what is taken away was added before
        self.sum = self.sum.wrapping_add(u64::from(new)).wrapping_sub(u64::from(old));
        self.next = self.next.wrapping_add(1);
        if usize::from(self.next) == N {
            (self.next, self.full) = (0, true);
        }
        old
    }

    /// So many µs as a sample, if the unit is large enough for them.
    #[inline]
    pub(super) fn sample(&self, us: u64) -> Option<u32> {
        u32::try_from(self.units(us)).ok().filter(|&units| units <= Self::MAX_SAMPLE)
    }

    /// Doubles the unit until it is large enough for so many µs; how often that was. What else is counted in units is to be
    /// [coarsened](coarsen) by as many bits.
    #[cold]
    #[inline(never)]
    pub(super) fn coarsen_for(&mut self, us: u64) -> u32 {
        let before = self.shift();
        while self.sample(us).is_none() {
            self.shift = self.shift.wrapping_add(1);
        }
        let doubled = self.shift().wrapping_sub(before);
        self.pause = coarsen(self.pause, doubled);
        self.sum = 0;
        for sample in &mut self.samples {
            *sample = sample.wrapping_shr(doubled);
            self.sum = self.sum.wrapping_add(u64::from(*sample));
        }
        doubled
    }

    pub(super) fn clear(&mut self) {
        (self.samples, self.next, self.full, self.sum) = ([0; N], 0, false, 0);
    }

    pub(super) fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// How many intervals there are: at least 1 after the first.
    #[inline]
    pub(super) fn len(&self) -> u64 {
        if self.full { N as u64 } else { u64::from(self.next) }
    }

    #[inline]
    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }

    /// So many µs in units, rounded down.
    #[inline]
    pub(super) const fn units(&self, us: u64) -> u64 {
        us.wrapping_shr(self.shift as u32)
    }

    /// So many units in µs.
    #[inline]
    pub(super) const fn us(&self, units: u64) -> u64 {
        let us = units.wrapping_shl(self.shift as u32);
        if self.units(us) == units { us } else { u64::MAX }
    }

    #[inline]
    pub(super) const fn shift(&self) -> u32 {
        self.shift as u32
    }
}

/// So many µs in units of `2^shift`, rounded up. The unit must be large enough.
#[allow(clippy::cast_possible_truncation)] // as is said
pub(super) const fn in_units(us: u64, shift: u32) -> u32 {
    let down = us.wrapping_shr(shift);
    let more = down.wrapping_shl(shift) != us;
    down.wrapping_add(more as u64) as u32
}

/// So many units in units that are larger by so many bits, rounded up.
pub(super) const fn coarsen(units: u32, bits: u32) -> u32 {
    in_units(units as u64, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_keeps_last_samples_and_their_sum() {
        let mut window = Window::<3>::new(0, 1);
        assert_eq!((window.len(), window.sum()), (0, 0));
        for (new, old, len, sum) in [
            (5, 0, 1, 5),
            (7, 0, 2, 12),
            (1, 0, 3, 13),
            (2, 5, 3, 10),
            (9, 7, 3, 12),
            (4, 1, 3, 15),
        ] {
            assert_eq!(window.push(new), old);
            assert_eq!((window.len(), window.sum()), (len, sum));
        }
        assert_eq!(window.samples(), [2, 9, 4]);
        window.clear();
        assert_eq!((window.len(), window.sum()), (0, 0));
        assert_eq!(window.push(8), 0);
        assert_eq!((window.len(), window.sum()), (1, 8));
    }

    #[test]
    fn overflowing_samples_are_refused() {
        fn longest<const N: usize>() -> u32 {
            let longest = Window::<N>::MAX_SAMPLE;
            // the sum of the squares of N of them, and what is one longer, around 64 bits
            let squares = |us: u32| u128::from(us) * u128::from(us) * N as u128;
            assert!(squares(longest) <= u128::from(u64::MAX));
            assert!(longest == u32::MAX || squares(longest + 1) > u128::from(u64::MAX));
            let window = Window::<N>::new(0, 1);
            assert_eq!(window.sample(longest.into()), Some(longest));
            assert_eq!(window.sample(u64::from(longest) + 1), None);
            assert_eq!(window.sample(1 << 40), None);
            longest
        }
        assert_eq!(longest::<64>(), 536_870_911);
        assert_eq!((longest::<1000>(), longest::<2>()), (135_818_791, 3_037_000_499));
    }

    #[test]
    fn unit_grows_with_the_maximum() {
        // 29 bits fit a sample of 64
        for (pause, most, shift, units) in [
            (0, 0, 0, 0),
            (10, 20, 0, 10),
            ((1 << 29) - 1, 0, 0, (1 << 29) - 1),
            (1 << 29, 0, 1, 1 << 28),
            (7, 1 << 29, 1, 4),
            (8, 1 << 29, 1, 4),
            (9, (1 << 33) + 5, 5, 1),
            ((1 << 33) + 5, 9, 5, (1 << 28) + 1),
            (0, u64::MAX, 35, 0),
        ] {
            let window = Window::<64>::new(pause, most);
            assert_eq!((window.shift(), window.pause), (shift, units), "{pause} {most}");
        }
        let window = Window::<64>::new(7, 1 << 31);
        assert_eq!((window.units(15), window.units(16)), (1, 2));
        assert_eq!((window.us(1), window.us(3)), (8, 24));
        assert_eq!((window.us(1 << 61), window.us((1 << 61) - 1)), (u64::MAX, u64::MAX - 7));
    }

    #[test]
    fn coarsening_fits_a_longer_sample() {
        let mut window = Window::<4>::new(5, 0);
        [1_001, 2_002, 3_003].into_iter().for_each(|us| {
            window.push(us);
        });
        let longest = u64::from(Window::<4>::MAX_SAMPLE);
        assert_eq!(window.coarsen_for(longest), 0);
        assert_eq!((window.shift(), window.pause, window.sum()), (0, 5, 6_006));
        assert_eq!(window.coarsen_for(4 * longest), 2);
        assert_eq!((window.shift(), window.pause), (2, 2));
        assert_eq!(window.samples(), [250, 500, 750, 0]);
        assert_eq!((window.len(), window.sum()), (3, 1_500));
        assert_eq!(window.sample(4 * longest), Some(Window::<4>::MAX_SAMPLE));
        assert_eq!(window.push(10), 0);
        assert_eq!(window.push(20), 250);
        assert_eq!(window.sum(), 500 + 750 + 10 + 20);
        assert_eq!(coarsen(9, 2), 3);
        assert_eq!(coarsen(8, 2), 2);
    }
}
