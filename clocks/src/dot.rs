use core::fmt;
use core::num::NonZeroU64;

use quorate_core::{DecodeError, Field, Form, Reader, Source, Wire, Writer};

use crate::{Actor, Exhausted};

/// One event: the `counter`th of an actor, from 1 (Almeida, Baquero et al., "Scalable and Accurate Causality Tracking for
/// Eventually Consistent Stores", 2014, section 3).
///
/// ```
/// use quorate_clocks::{Actor, Dot};
/// use quorate_core::NodeId;
/// let actor = Actor::from(NodeId::new(7));
/// assert_eq!(Dot::new(actor, 0), None);
/// let dot = Dot::first(actor).next()?;
/// assert_eq!(Some(dot), Dot::new(actor, 2));
/// assert_eq!(dot.to_string(), "7:2");
/// # Ok::<(), quorate_clocks::Exhausted>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dot {
    actor: Actor,
    counter: NonZeroU64,
}

impl Dot {
    /// The actor's `counter`th event; `None` for 0, which is no event.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot};
    /// assert!(Dot::new(Actor::default(), 3).is_some());
    /// assert!(Dot::new(Actor::default(), 0).is_none());
    /// ```
    #[must_use]
    pub const fn new(actor: Actor, counter: u64) -> Option<Self> {
        match NonZeroU64::new(counter) {
            Some(counter) => Some(Self { actor, counter }),
            None => None,
        }
    }

    /// The actor's first event.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot};
    /// assert_eq!(Dot::first(Actor::default()).counter(), 1);
    /// ```
    #[must_use]
    pub const fn first(actor: Actor) -> Self {
        Self { actor, counter: NonZeroU64::MIN }
    }

    /// The actor's event after this one.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] after the last of 2^64: the counter does not wrap. The node goes on as its next incarnation.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Exhausted};
    /// let actor = Actor::default();
    /// assert_eq!(Dot::first(actor).next()?.counter(), 2);
    /// assert_eq!(Dot::new(actor, u64::MAX).map(Dot::next), Some(Err(Exhausted)));
    /// # Ok::<(), Exhausted>(())
    /// ```
    pub const fn next(self) -> Result<Self, Exhausted> {
        match self.counter.checked_add(1) {
            Some(counter) => Ok(Self { actor: self.actor, counter }),
            None => Err(Exhausted),
        }
    }

    /// Whose event it is.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot};
    /// assert_eq!(Dot::first(Actor::default()).actor(), Actor::default());
    /// ```
    #[inline]
    #[must_use]
    pub const fn actor(self) -> Actor {
        self.actor
    }

    /// Which of the actor's events it is, from 1.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot};
    /// assert_eq!(Dot::new(Actor::default(), 9).map(Dot::counter), Some(9));
    /// ```
    #[inline]
    #[must_use]
    pub const fn counter(self) -> u64 {
        self.counter.get()
    }

    /// The later of two events of one actor.
    #[inline]
    pub(crate) fn raise(&mut self, other: Self) {
        self.counter = self.counter.max(other.counter);
    }
}

/// As short as `Display`: clocks are lists of these.
impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.actor, self.counter)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Dot {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}:{}", self.actor, self.counter.get());
    }
}

impl Wire<'_> for Dot {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        self.actor.encode(out);
        out.u64(self.counter.get());
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let actor = Actor::decode(input)?;
        Self::new(actor, input.u64()?).ok_or(DecodeError::Invalid)
    }
}

impl Field<'_> for Dot {
    const FORM: Form = Form::named("dot");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn generate(source: &mut Source<'_>) -> Self {
        let actor = Actor::generate(source);
        Self { actor, counter: NonZeroU64::new(source.number()).unwrap_or(NonZeroU64::MIN) }
    }
}
