//! Probabilistically bounded staleness (Bailis et al., "Probabilistically Bounded Staleness for Practical Partial Quorums", VLDB 2012,
//! section 3): the probability that a read misses the last writes, when reads and writes each reach random replicas.
//!
//! The formulas count on nothing but the quorums. A store whose writes reach more than `w` replicas in the end, or whose replicas
//! are repaired, reads stale data less often.

use core::fmt;

/// The probability that a read of `r` of `n` replicas reaches none of the `w` that have the last write: C(n - w, r) / C(n, r) (equation
/// 1). It is 0 where r + w is more than n.
///
/// ```
/// use quorate_ring::pbs::{Fraction, PbsError, stale_read};
/// assert_eq!(stale_read(3, 1, 1).ok(), Fraction::new(2, 3));
/// assert_eq!(stale_read(3, 2, 2), Ok(Fraction::ZERO)); // any two of three share one
/// assert_eq!(stale_read(3, 4, 1), Err(PbsError::Size));
/// ```
///
/// # Errors
///
/// [`PbsError::Size`] if a number is 0, or `r` or `w` is more than `n`; [`PbsError::TooLarge`] if the fraction, or a product on the way to it, has
/// more than 128 bits. Up to 131 replicas none has.
pub const fn stale_read(n: u8, r: u8, w: u8) -> Result<Fraction, PbsError> {
    if n == 0 || r == 0 || w == 0 || r > n || w > n {
        return Err(PbsError::Size);
    }
    if r > n.saturating_sub(w) {
        return Ok(Fraction::ZERO); // they meet
    }
    // it is the same the other way round, with fewer factors
    let (r, w) = if r > w { (w, r) } else { (r, w) };
    let mut product = Fraction { numerator: 1, denominator: 1 };
    let mut picked = 0;
    while picked < r {
        // of the replicas that are left, those without the write
        let left = n.saturating_sub(picked);
        let stale = left.saturating_sub(w);
        let Some(factor) = Fraction::new(stale as u128, left as u128) else {
            return Err(PbsError::Size);
        };
        let Some(next) = product.times(factor) else { return Err(PbsError::TooLarge) };
        product = next;
        picked = picked.saturating_add(1);
    }
    Ok(product)
}

/// The probability that a read is behind by `k` versions or more, because it misses each of the last `k` writes: that of
/// [`stale_read`] to the power of `k` (equation 2).
///
/// ```
/// use quorate_ring::pbs::{Fraction, stale_by};
/// assert_eq!(stale_by(5, 2, 2, 2).ok(), Fraction::new(9, 100));
/// ```
///
/// # Errors
///
/// Those of [`stale_read`].
pub const fn stale_by(n: u8, r: u8, w: u8, k: u32) -> Result<Fraction, PbsError> {
    let one = match stale_read(n, r, w) {
        Ok(one) => one,
        Err(error) => return Err(error),
    };
    let mut product = Fraction { numerator: 1, denominator: 1 };
    let mut version = 0;
    while version < k && product.numerator > 0 {
        let Some(next) = product.times(one) else { return Err(PbsError::TooLarge) };
        product = next;
        version = version.saturating_add(1);
    }
    Ok(product)
}

/// Why a probability cannot be computed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PbsError {
    /// A number is 0, or a quorum is larger than the number of replicas.
    Size,
    /// The fraction in lowest terms, or an intermediate product, has more than 128 bits.
    TooLarge,
}

impl fmt::Display for PbsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "n, r and w must be 1 or more, r and w at most n",
            Self::TooLarge => "the fraction, or a product on the way to it, has more than 128 bits",
        })
    }
}

impl core::error::Error for PbsError {}

/// A probability, as a fraction in lowest terms.
///
/// ```
/// use quorate_ring::pbs::Fraction;
/// assert_eq!(Fraction::new(2, 4), Fraction::new(1, 2));
/// assert_eq!(Fraction::new(1, 2).map(|half| half.to_string()), Some("1/2".to_owned()));
/// assert_eq!((Fraction::new(1, 0), Fraction::new(3, 2)), (None, None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Fraction {
    numerator: u128,
    denominator: u128,
}

impl Fraction {
    /// 0, the probability of what never happens.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `numerator / denominator` in lowest terms; `None` if the denominator is 0, or the fraction above 1.
    #[must_use]
    pub const fn new(numerator: u128, denominator: u128) -> Option<Self> {
        if numerator > denominator {
            return None;
        }
        Self::reduced(numerator, denominator)
    }

    /// The numerator in lowest terms.
    ///
    /// ```
    /// # use quorate_ring::pbs::Fraction;
    /// assert_eq!(Fraction::ZERO.numerator(), 0);
    /// ```
    #[must_use]
    pub const fn numerator(self) -> u128 {
        self.numerator
    }

    /// The denominator in lowest terms: never 0.
    ///
    /// ```
    /// # use quorate_ring::pbs::Fraction;
    /// assert_eq!(Fraction::ZERO.denominator(), 1);
    /// ```
    #[must_use]
    pub const fn denominator(self) -> u128 {
        self.denominator
    }

    /// The fraction in millionths, rounded down: 0 to 1,000,000.
    ///
    /// ```
    /// # use quorate_ring::pbs::Fraction;
    /// assert_eq!(Fraction::new(1, 3).map(Fraction::millionths), Some(333_333));
    /// ```
    #[must_use]
    pub const fn millionths(self) -> u64 {
        // numerator * 1,000,000 / denominator, bit by bit of the million: what is left over is always below the denominator
        let (mut millionths, mut left) = (0_u64, 0_u128);
        let mut bit = 1_u64 << 19;
        while bit > 0 {
            let (carry, rest) = self.add(left, left);
            (millionths, left) = (millionths.saturating_mul(2).saturating_add(carry), rest);
            if 1_000_000 & bit > 0 {
                let (carry, rest) = self.add(left, self.numerator);
                (millionths, left) = (millionths.saturating_add(carry), rest);
            }
            bit >>= 1;
        }
        millionths
    }

    /// How often the denominator is in the sum of two numbers that are not above it, at most once, and what is left over.
    const fn add(self, one: u128, other: u128) -> (u64, u128) {
        match one.checked_sub(self.denominator.saturating_sub(other)) {
            Some(left) => (1, left),
            None => (0, one.saturating_add(other)),
        }
    }

    const fn times(self, other: Self) -> Option<Self> {
        // crosswise first, so that what cancels does not overflow
        let (Some(one), Some(two)) = (
            Self::reduced(self.numerator, other.denominator),
            Self::reduced(other.numerator, self.denominator),
        ) else {
            return None;
        };
        let (Some(n), Some(d)) = (
            one.numerator.checked_mul(two.numerator),
            one.denominator.checked_mul(two.denominator),
        ) else {
            return None;
        };
        Self::reduced(n, d)
    }

    /// In lowest terms, also what is more than 1; `None` of two zeros. The denominator alone is never 0.
    const fn reduced(numerator: u128, denominator: u128) -> Option<Self> {
        let divisor = gcd(numerator, denominator);
        match (numerator.checked_div(divisor), denominator.checked_div(divisor)) {
            (Some(numerator), Some(denominator)) => Some(Self { numerator, denominator }),
            _ => None,
        }
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Fraction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "Fraction")]
        struct Fields {
            numerator: u128,
            denominator: u128,
        }
        let Fields { numerator, denominator } = Fields::deserialize(deserializer)?;
        let fraction = Self::new(numerator, denominator);
        let lowest = fraction.filter(|lowest| lowest.denominator == denominator);
        lowest.ok_or_else(|| serde::de::Error::custom("a fraction is in lowest terms"))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}
