use core::fmt;

use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::Exhausted;

/// A time this far beyond the own one is refused: no honest clock gets there between two messages, and a hostile message cannot
/// use up the times there are.
const MAX_JUMP: u64 = 1 << 32;

/// A logical clock (Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978): if one event happened
/// before another, its time is less. The converse does not hold; a [`VersionVector`](crate::VersionVector) tells concurrency.
///
/// The three rules: every event advances the clock ([`tick`](Self::tick)); a message carries the time of its sending; receiving
/// it advances the clock beyond both ([`receive`](Self::receive)). Times of one clock are never equal; to order the events of
/// several totally, break ties by actor: `(time, actor)`.
///
/// ```
/// use quorate_clocks::Lamport;
/// let (mut a, mut b) = (Lamport::new(), Lamport::new());
/// let sent = a.tick()?; // an event at a: it sends a message
/// let received = b.receive(sent)?; // an event at b
/// assert!(sent < received);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A clock that restarts goes on from a time it made durable, [`from_time`](Self::from_time); from
/// 0 it would repeat itself, and nobody can notice. A node that forgot that time breaks ties as its
/// next [incarnation](crate::Actor::next_incarnation).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lamport {
    time: u64,
}

impl Lamport {
    /// At time 0, before the first event.
    ///
    /// ```
    /// # use quorate_clocks::Lamport;
    /// assert_eq!(Lamport::new().time(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { time: 0 }
    }

    /// At the time of an event that was made durable: the next is later.
    ///
    /// ```
    /// # use quorate_clocks::Lamport;
    /// assert_eq!(Lamport::from_time(41).tick(), Ok(42));
    /// ```
    #[must_use]
    pub const fn from_time(time: u64) -> Self {
        Self { time }
    }

    /// The time of a new event, such as sending a message.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] at 2^64 - 1; the clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Exhausted, Lamport};
    /// assert_eq!(Lamport::new().tick(), Ok(1));
    /// assert_eq!(Lamport::from_time(u64::MAX).tick(), Err(Exhausted));
    /// ```
    pub const fn tick(&mut self) -> Result<u64, Exhausted> {
        match self.time.checked_add(1) {
            Some(time) => {
                self.time = time;
                Ok(time)
            }
            None => Err(Exhausted),
        }
    }

    /// The time of receiving a message that was sent at `sent`: later than both.
    ///
    /// # Errors
    ///
    /// [`LamportError::TooFarAhead`] if the message is 2^32 or more ahead of this clock; [`LamportError::Exhausted`] at the
    /// last of the times. The clock is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Lamport, LamportError};
    /// let mut clock = Lamport::from_time(5);
    /// assert_eq!(clock.receive(9), Ok(10));
    /// assert_eq!(clock.receive(3), Ok(11));
    /// assert_eq!(clock.receive(u64::MAX), Err(LamportError::TooFarAhead));
    /// ```
    pub const fn receive(&mut self, sent: u64) -> Result<u64, LamportError> {
        if sent.saturating_sub(self.time) >= MAX_JUMP {
            return Err(LamportError::TooFarAhead);
        }
        let mut after = Self { time: if sent > self.time { sent } else { self.time } };
        match after.tick() {
            Ok(time) => {
                *self = after;
                Ok(time)
            }
            Err(Exhausted) => Err(LamportError::Exhausted),
        }
    }

    /// The time of the last event.
    ///
    /// ```
    /// # use quorate_clocks::Lamport;
    /// let mut clock = Lamport::new();
    /// clock.tick()?;
    /// assert_eq!(clock.time(), 1);
    /// # Ok::<(), quorate_clocks::Exhausted>(())
    /// ```
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.time
    }
}

/// Why a message's time was refused. The clock is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LamportError {
    /// It is farther ahead than any honest clock gets between two messages: refuse the message.
    TooFarAhead,
    /// The clock is at its maximum.
    Exhausted,
}

impl fmt::Display for LamportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooFarAhead => "the message's time is 2^32 or more ahead: refuse the message",
            Self::Exhausted => "the clock is at its maximum",
        })
    }
}

impl core::error::Error for LamportError {}

impl Wire<'_> for Lamport {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.time);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { time: input.u64()? })
    }
}
