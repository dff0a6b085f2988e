use core::fmt;

use crate::SubmitError;

/// What became of a command that [`applied`](super::Submissions::applied) and
/// [`applied_at`](super::Submissions::applied_at) did not return. The crate's README.md says what
/// to do on each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// It is committed, and was applied here before its place was known: a node that handed the
    /// command to the leader may learn its place late. What applying it returned is not known here.
    Committed,
    /// It was proposed, and another entry is in its place: it is not in the log, and never will be.
    Lost,
    /// The log did not take it, and this is why: what the log said at the last attempt, or what it
    /// said of an earlier command that holds this one back;
    /// [`NotLeader(None)`](SubmitError::NotLeader) when no leader is known. Of a command that was
    /// [forwarded](crate::Submitted::Forwarded), the leader's reason is not told: it is given as
    /// [`Busy`](SubmitError::Busy), also when the leader's log is full or leadership is being
    /// transferred. The command is not in the log, and never will be.
    Refused(SubmitError),
    /// It may be in the log, or get there later, or not. Submitting it anew may apply it twice.
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
