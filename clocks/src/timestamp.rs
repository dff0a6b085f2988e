use core::fmt;

use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Actor;

/// Bits of the logical part.
const LOGICAL_BITS: u32 = 12;
/// Events that one microsecond has room for.
const LOGICAL: u64 = 1 << LOGICAL_BITS;

/// A hybrid timestamp in 64 bits: microseconds of wall-clock time (52 bits, 142 years from the epoch that all nodes share, the
/// UNIX one unless they agree otherwise) and a logical counter (12 bits) for what falls into one of them.
///
/// Ordered as a number; the successor of the last counter of a microsecond is the first of the next.
///
/// ```
/// use quorate_clocks::Timestamp;
/// let t = Timestamp::new(1_700_000_000_000_000, 3).ok_or("beyond the year 2112")?;
/// assert_eq!((t.micros(), t.logical()), (1_700_000_000_000_000, 3));
/// assert!(t < t.next()?);
/// assert_eq!(t.to_string(), "1700000000.000000+3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp(u64);

impl Timestamp {
    /// Before every other.
    pub const ZERO: Self = Self(0);
    /// After every other.
    pub const MAX: Self = Self(u64::MAX);
    /// The last microsecond there is: 2^52 - 1.
    pub const MAX_MICROS: u64 = u64::MAX >> LOGICAL_BITS;

    /// The `logical`th event (from 0, below 4096) of a microsecond; `None` beyond the range of either.
    ///
    /// ```
    /// # use quorate_clocks::Timestamp;
    /// assert!(Timestamp::new(5, 4095).is_some());
    /// assert!(Timestamp::new(5, 4096).is_none());
    /// assert!(Timestamp::new(1 << 52, 0).is_none());
    /// ```
    #[must_use]
    pub const fn new(micros: u64, logical: u16) -> Option<Self> {
        if micros > Self::MAX_MICROS || logical as u64 >= LOGICAL {
            return None;
        }
        Some(Self(micros << LOGICAL_BITS | logical as u64))
    }

    /// The first of a microsecond, or [`MAX`](Self::MAX) beyond the range.
    ///
    /// ```
    /// # use quorate_clocks::Timestamp;
    /// assert_eq!(Timestamp::from_micros(5), Timestamp::new(5, 0).ok_or("range")?);
    /// # Ok::<(), &str>(())
    /// ```
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::MAX_MICROS { Self::MAX } else { Self(micros << LOGICAL_BITS) }
    }

    /// The timestamp with these 64 bits.
    ///
    /// ```
    /// # use quorate_clocks::Timestamp;
    /// assert_eq!(Timestamp::from_bits(4096), Timestamp::from_micros(1));
    /// ```
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its 64 bits, whose order is the order of time.
    ///
    /// ```
    /// # use quorate_clocks::Timestamp;
    /// assert_eq!(Timestamp::from_micros(1).to_bits(), 4096);
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Microseconds since the epoch.
    ///
    /// ```
    /// # use quorate_clocks::Timestamp;
    /// assert_eq!(Timestamp::from_micros(7).micros(), 7);
    /// ```
    #[inline]
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0 >> LOGICAL_BITS
    }

    /// Which event of the microsecond, 0 to 4095.
    ///
    /// ```
    /// # use quorate_clocks::Timestamp;
    /// assert_eq!(Timestamp::from_bits(4099).logical(), 3);
    /// ```
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // twelve bits
    pub const fn logical(self) -> u16 {
        (self.0 & (LOGICAL - 1)) as u16
    }

    /// The least timestamp after this one.
    ///
    /// # Errors
    ///
    /// [`Exhausted`](crate::Exhausted) after the last.
    ///
    /// ```
    /// # use quorate_clocks::{Exhausted, Timestamp};
    /// let last = Timestamp::new(5, 4095).ok_or(Exhausted)?;
    /// assert_eq!(last.next()?, Timestamp::from_micros(6));
    /// assert_eq!(Timestamp::MAX.next(), Err(Exhausted));
    /// # Ok::<(), Exhausted>(())
    /// ```
    #[inline]
    pub const fn next(self) -> Result<Self, crate::Exhausted> {
        match self.0.checked_add(1) {
            Some(bits) => Ok(Self(bits)),
            None => Err(crate::Exhausted),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.micros() / 1_000_000, self.micros() % 1_000_000);
        write!(f, "{seconds}.{micros:06}+{}", self.logical())
    }
}

impl Wire<'_> for Timestamp {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.u64()?))
    }
}

/// A timestamp and whose it is: no two events have the same, so stamps order all events totally.
///
/// ```
/// use quorate_clocks::{Actor, Stamp, Timestamp};
/// use quorate_core::NodeId;
/// let time = Timestamp::from_micros(5);
/// let [a, b] = [1, 2].map(|n| Stamp { time, actor: Actor::from(NodeId::new(n)) });
/// assert!(a < b); // one of them, and the same one everywhere
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stamp {
    /// When.
    pub time: Timestamp,
    /// Who, for ties.
    pub actor: Actor,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.time, self.actor)
    }
}

impl Wire<'_> for Stamp {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        self.time.encode(out);
        self.actor.encode(out);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { time: Timestamp::decode(input)?, actor: Actor::decode(input)? })
    }
}
