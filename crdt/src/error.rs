use core::fmt;

use quorate_clocks::{Exhausted, IncrementError};
use quorate_core::Full;

/// Why an update was not made. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UpdateError {
    /// There is no room for another entry, or another actor: remove something, or give the type more.
    Full,
    /// A counter is at its maximum and does not wrap: go on as the node's next incarnation.
    Exhausted,
    /// A write with a later stamp is known, or a different one with this very stamp, so this one, or that
    /// one, would be lost. Take a later stamp, from a clock that has received that of the known write,
    /// such as [`Hlc`](quorate_clocks::Hlc). A stamp ahead of the clocks [locks the
    /// value](crate::LwwRegister#a-stamp-ahead-of-the-clocks) for others until they get there: refuse
    /// what [`Hlc::receive`](quorate_clocks::Hlc::receive) refuses before you apply it.
    Stale,
    /// A closure that is to make one update and return its delta did something else: it made several
    /// updates, returned the delta of another value, replaced the value or merged into it, or updated
    /// a copy. Make each update in a call of its own, to the value that the closure gets.
    DeltaMismatch,
}

/// Why another's state was not merged. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MergeError {
    /// The result does not fit. Merge again once something was removed, here or there.
    Full,
    /// Both have a different thing under one identity: an actor works in two places, or lost its memory and kept its name.
    Conflict,
}

/// Why another's update was not applied. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ApplyError {
    /// The result does not fit. Apply it again once something was removed, or merge the sender's whole state later.
    Full,
    /// An update that came before it did not arrive yet: apply that first, or merge the sender's whole state.
    Missing,
    /// It is a different thing under an identity that is known: an actor works in two places, or lost its memory.
    Conflict,
}

impl From<Full> for UpdateError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl From<Exhausted> for UpdateError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl From<IncrementError> for UpdateError {
    fn from(error: IncrementError) -> Self {
        match error {
            IncrementError::Full => Self::Full,
            _ => Self::Exhausted,
        }
    }
}

impl From<Full> for MergeError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl From<Full> for ApplyError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl From<MergeError> for ApplyError {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Full => Self::Full,
            MergeError::Conflict => Self::Conflict,
        }
    }
}

const FULL: &str = "no room left; nothing was changed";
const CONFLICT: &str =
    "two different things under one identity: an actor works in two places, or lost its memory";

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str(FULL),
            Self::Exhausted => Exhausted.fmt(f),
            Self::Stale => f.write_str(
                "a write with a later stamp is known, or another with the same: take a later stamp",
            ),
            Self::DeltaMismatch => f.write_str(
                "the delta is not of the one update that was made: make each on its own",
            ),
        }
    }
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => FULL,
            Self::Conflict => CONFLICT,
        })
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => FULL,
            Self::Missing => {
                "an earlier update is missing: apply that first, or merge the whole state"
            }
            Self::Conflict => CONFLICT,
        })
    }
}

impl core::error::Error for UpdateError {}
impl core::error::Error for MergeError {}
impl core::error::Error for ApplyError {}
