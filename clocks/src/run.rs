use core::fmt;

use quorate_core::{DecodeError, Reader, Wire, Writer};

use crate::{Actor, Dot};

/// Consecutive events of one actor, at least one.
///
/// ```
/// use quorate_clocks::{Actor, Dot, Run};
/// let actor = Actor::default();
/// let run = Run::new(actor, 4, 6).ok_or("empty")?;
/// assert_eq!((run.first(), run.last()), (4, 6));
/// assert!(Dot::new(actor, 5).is_some_and(|dot| run.contains(dot)));
/// assert_eq!(Run::new(actor, 6, 4), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Run {
    start: Dot,
    last: u64,
}

impl Run {
    /// The events from the `first`th up to and including the `last`th; `None` if there are none, or `first` is 0.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Run};
    /// assert!(Run::new(Actor::default(), 1, 1).is_some());
    /// assert!(Run::new(Actor::default(), 0, 1).is_none());
    /// ```
    #[must_use]
    pub fn new(actor: Actor, first: u64, last: u64) -> Option<Self> {
        let start = Dot::new(actor, first)?;
        (first <= last).then_some(Self { start, last })
    }

    /// Whose events they are.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Run};
    /// assert_eq!(Run::from(Dot::first(Actor::default())).actor(), Actor::default());
    /// ```
    #[must_use]
    pub const fn actor(self) -> Actor {
        self.start.actor()
    }

    /// The number of the first event.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Run};
    /// assert_eq!(Run::new(Actor::default(), 4, 6).map(Run::first), Some(4));
    /// ```
    #[must_use]
    pub const fn first(self) -> u64 {
        self.start.counter()
    }

    /// The number of the last event.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Run};
    /// assert_eq!(Run::new(Actor::default(), 4, 6).map(Run::last), Some(6));
    /// ```
    #[must_use]
    pub const fn last(self) -> u64 {
        self.last
    }

    /// Whether the event is one of them.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Run};
    /// let run = Run::from(Dot::first(Actor::default()));
    /// assert!(run.contains(Dot::first(Actor::default())));
    /// ```
    #[must_use]
    pub fn contains(self, dot: Dot) -> bool {
        self.actor() == dot.actor() && (self.first()..=self.last).contains(&dot.counter())
    }

    /// The first event.
    pub(crate) const fn start(self) -> Dot {
        self.start
    }

    /// Whether the other begins within this run, or just after it, so that both make one.
    pub(crate) fn touches(self, other: Self) -> bool {
        self.actor() == other.actor() && other.first() <= self.last.saturating_add(1)
    }

    /// Both as one; the other must [touch](Self::touches) it and begin no earlier.
    pub(crate) fn extend(&mut self, other: Self) {
        self.last = self.last.max(other.last);
    }
}

impl From<Dot> for Run {
    fn from(dot: Dot) -> Self {
        Self { start: dot, last: dot.counter() }
    }
}

/// As short as `Display`: clocks are lists of these.
impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.start, self.last)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Run {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}..={}", self.start, self.last);
    }
}

impl Wire<'_> for Run {
    fn encode(&self, out: &mut Writer<'_>) {
        self.start.encode(out);
        out.u64(self.last);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = Dot::decode(input)?;
        Self::new(start.actor(), start.counter(), input.u64()?).ok_or(DecodeError::Invalid)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Run {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "Run")]
        struct Fields {
            start: Dot,
            last: u64,
        }
        let Fields { start, last } = Fields::deserialize(deserializer)?;
        Self::new(start.actor(), start.counter(), last)
            .ok_or_else(|| serde::de::Error::custom("a run ends before it begins"))
    }
}
