use core::fmt;

use crate::SubmitError;

/// What became of a command that was not seen applied.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// It is committed. Told only where the entry was applied before its place was known, as it may be at a node that handed the
    /// command to the leader.
    Committed,
    /// It was proposed, and another entry is in its place: it is not in the log, and never will be.
    Lost,
    /// It was not taken, for this reason the last time, or because no leader was found: it is not in the log, and never will be.
    Refused(SubmitError),
    /// It may be in the log, now or later, or not.
    Unknown,
}

impl Outcome {
    /// Whether the command is certainly not in the log, so that it may be submitted anew.
    ///
    /// ```
    /// use quorate_log::submission::Outcome;
    /// assert!(Outcome::Lost.is_certainly_absent() && !Outcome::Unknown.is_certainly_absent());
    /// ```
    #[must_use]
    pub const fn is_certainly_absent(self) -> bool {
        matches!(self, Self::Lost | Self::Refused(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed => f.write_str("committed"),
            Self::Lost => f.write_str("lost with its leader, and not executed"),
            Self::Refused(error) => write!(f, "not executed: {error}"),
            Self::Unknown => f.write_str("outcome unknown: it may or may not be executed"),
        }
    }
}
