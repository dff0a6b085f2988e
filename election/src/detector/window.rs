/// The last `N` samples, in µs, and their exact sum.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Window<const N: usize> {
    samples: [u32; N],
    next: u16,
    len: u16,
    /// Silence that is forgiven, or a margin, in µs; here because here is room for it.
    pub(super) pause_us: u32,
    sum: u64,
}

impl<const N: usize> Window<N> {
    /// Intervals beyond this count as this, so that neither the sum nor the sum of squares can leave 64 bits: with 64 samples
    /// 8.9 minutes.
    #[allow(clippy::cast_possible_truncation)] // the root of 64 bits has 32, and of less, less
    const LONGEST: u32 = (u64::MAX / N as u64).isqrt() as u32;

    pub(super) const fn new(pause_us: u32) -> Self {
        const { assert!(N >= 2 && N <= 1024, "a window has 2 to 1024 samples") };
        Self { samples: [0; N], next: 0, len: 0, pause_us, sum: 0 }
    }

    /// An interval as it may be [pushed](Self::push).
    #[inline]
    pub(super) fn sample(us: u64) -> u32 {
        u32::try_from(us).map_or(Self::LONGEST, |us| us.min(Self::LONGEST))
    }

    /// Takes a sample in; gives the one that went (0 if none did).
    #[inline]
    pub(super) fn push(&mut self, new: u32) -> u32 {
        let Some(place) = self.samples.get_mut(usize::from(self.next)) else { return 0 };
        let old = core::mem::replace(place, new);
        // exact: what is taken away was added before
        self.sum = self.sum.wrapping_add(u64::from(new)).wrapping_sub(u64::from(old));
        let next = self.next.wrapping_add(1);
        self.next = if usize::from(next) < N { next } else { 0 };
        if usize::from(self.len) < N {
            self.len = self.len.wrapping_add(1);
        }
        old
    }

    /// How many intervals there are: at least 1 after the first.
    #[inline]
    pub(super) fn len(&self) -> u64 {
        u64::from(self.len)
    }

    #[inline]
    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }
}
