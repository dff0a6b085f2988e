use core::fmt;

use quorate_core::{InlineList, List, Rng};

/// How many keys must have been compared with a sample before it is considered.
const ENOUGH: u64 = 100;

/// Finds the key that splits the load of a range into halves, from the keys of its requests (load-based splitting as in CockroachDB:
/// `SAMPLES` keys chosen at random, each with a count of the requests to its left and to its right).
///
/// The middle one of a range's keys would not do, because all load may be in one half. Some load cannot be split at all: where all
/// requests are for one key, or for keys that only grow, any split leaves one side idle and the other as busy as before.
///
/// It takes `SAMPLES * (KEY_BYTES + 32)` bytes and 24 more; 16 samples are plenty. Keys longer than `KEY_BYTES` are counted, and never
/// become samples. Same seed and same keys, same answer.
///
/// ```
/// use quorate_ring::ranges::{NoSplit, SplitFinder};
/// let mut finder = SplitFinder::<16, 8>::new(7);
/// assert_eq!(finder.split_key(), Err(NoSplit::TooFew));
/// for n in 0..2_000_u64 {
///     finder.record(&(n * 7_919 % 1_000).to_be_bytes());
/// }
/// let key = finder.split_key()?;
/// assert!((300_u64.to_be_bytes()..700_u64.to_be_bytes()).contains(&key.try_into().unwrap_or_default()));
/// # Ok::<(), NoSplit>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SplitFinder<const SAMPLES: usize, const KEY_BYTES: usize> {
    samples: InlineList<Sample<KEY_BYTES>, SAMPLES>,
    /// How many keys there were.
    seen: u64,
    rng: Rng,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Sample<const KEY_BYTES: usize> {
    key: InlineList<u8, KEY_BYTES>,
    /// Keys below it, equal to it, and above it, since it was chosen.
    left: u64,
    same: u64,
    right: u64,
}

/// Why a range should not be split.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoSplit {
    /// Fewer than 100 keys were compared with each sample.
    TooFew,
    /// At least half of the requests are for one key: a split does not divide them.
    OneKey,
    /// Each split would leave more than three quarters of the requests on one side, as where keys only grow.
    OneSide,
}

impl fmt::Display for NoSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooFew => "too few keys were seen",
            Self::OneKey => "at least half of the requests are for one key",
            Self::OneSide => "each split would leave nearly everything on one side",
        })
    }
}

impl core::error::Error for NoSplit {}

impl<const SAMPLES: usize, const KEY_BYTES: usize> SplitFinder<SAMPLES, KEY_BYTES> {
    /// A finder that has seen no keys. The seed determines which keys become samples.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { samples: InlineList::with_limit(SAMPLES), seen: 0, rng: Rng::new(seed) }
    }

    /// Counts a request for a key of the range. Compares it with each sample.
    pub fn record(&mut self, key: &[u8]) {
        for sample in self.samples.iter_mut() {
            let count = match key.cmp(&*sample.key) {
                core::cmp::Ordering::Less => &mut sample.left,
                core::cmp::Ordering::Equal => &mut sample.same,
                core::cmp::Ordering::Greater => &mut sample.right,
            };
            *count = count.saturating_add(1);
        }
        self.seen = self.seen.saturating_add(1);
        let mut new = InlineList::with_limit(KEY_BYTES);
        if new.extend_from_slice(key).is_err() {
            return;
        }
        let new = Sample { key: new, left: 0, same: 0, right: 0 };
        // reservoir sampling (Vitter, algorithm R, 1985): each key is a sample with the same probability
        let Err(quorate_core::Full) = self.samples.push(new.clone()) else { return };
        let place = self.rng.below(self.seen);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if let Some(sample) = self.samples.get_mut(place) {
            *sample = new;
        }
    }

    /// The key at which to split: of the samples the one whose two sides are most even. It becomes the first key of the right half.
    ///
    /// # Errors
    ///
    /// [`NoSplit`] if no sample has a quarter of the load or more on either side.
    pub fn split_key(&self) -> Result<&[u8], NoSplit> {
        let ready = self.samples.iter().filter(|sample| sample.counted() >= ENOUGH);
        let Some(best) = ready.clone().max_by_key(|sample| sample.evenness()) else {
            return Err(NoSplit::TooFew);
        };
        if ready.clone().any(|sample| sample.same >= sample.counted().div_ceil(2)) {
            return Err(NoSplit::OneKey);
        }
        // the smaller side has a quarter or more
        if best.evenness() < 250 { Err(NoSplit::OneSide) } else { Ok(&best.key) }
    }

    /// Forgets all keys. Call it after a split, and when the load may have changed.
    ///
    /// ```
    /// # use quorate_ring::ranges::{NoSplit, SplitFinder};
    /// let mut finder = SplitFinder::<4, 8>::new(7);
    /// (0..200).for_each(|_| finder.record(b"same"));
    /// assert_eq!(finder.split_key(), Err(NoSplit::OneKey));
    /// finder.reset();
    /// assert_eq!(finder.split_key(), Err(NoSplit::TooFew));
    /// ```
    pub fn reset(&mut self) {
        self.samples.clear();
        self.seen = 0;
    }
}

impl<const KEY_BYTES: usize> Sample<KEY_BYTES> {
    fn counted(&self) -> u64 {
        self.left.saturating_add(self.same).saturating_add(self.right)
    }

    /// The share of the smaller side if the range were split here, in thousandths: 500 at best.
    fn evenness(&self) -> u64 {
        let smaller = self.left.min(self.same.saturating_add(self.right));
        smaller.saturating_mul(1_000).checked_div(self.counted()).unwrap_or(0)
    }
}

/// Whether two neighbouring ranges may be merged: their loads together are below half of `split_at`, the load at which a range is
/// split. All three are in the same unit, such as requests a second.
///
/// The distance between the two limits keeps a merged range from being split again at once, and the halves of a split range from
/// being merged. Also wait for some minutes after a split before merging.
///
/// ```
/// use quorate_ring::ranges::may_merge;
/// assert!(may_merge(100, 100, 1_000));
/// assert!(!may_merge(300, 300, 1_000));
/// ```
#[must_use]
pub const fn may_merge(left: u64, right: u64, split_at: u64) -> bool {
    left.saturating_add(right) < split_at / 2
}
