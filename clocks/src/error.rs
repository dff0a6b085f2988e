use core::fmt;

use quorate_core::Full;

/// A counter is at its maximum: it does not wrap. Nothing was changed; go on as the node's next incarnation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Exhausted;

/// Why an event was not counted. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IncrementError {
    /// There is no room for another actor: give the clock more, or retire actors that are gone.
    Full,
    /// The actor's counter is at its maximum: go on as the node's next incarnation.
    Exhausted,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the counter is at its maximum: go on as the next incarnation")
    }
}

impl fmt::Display for IncrementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room for another actor"),
            Self::Exhausted => Exhausted.fmt(f),
        }
    }
}

impl From<Full> for IncrementError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl From<Exhausted> for IncrementError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl core::error::Error for Exhausted {}
impl core::error::Error for IncrementError {}
