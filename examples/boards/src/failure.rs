use core::fmt;
use core::time::Duration;
use std::io;

/// Why the bench did not do what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A program or a file is not there; the text says how to get it.
    Missing(String),
    /// The system refused something.
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        error: io::Error,
    },
    /// Something did not happen in time.
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
    },
    /// Something is not as it must be.
    Unexpected(String),
    /// A guarantee of the protocol is violated: nothing excuses that.
    Violation(String),
    /// Somebody asked to stop.
    Interrupted,
}

impl Failure {
    /// For `map_err`: names what was being done.
    pub fn io(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { doing: doing.to_string(), error }
    }

    /// What is not as it must be.
    pub fn unexpected(what: impl Into<String>) -> Self {
        Self::Unexpected(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) | Self::Unexpected(what) | Self::Violation(what) => {
                f.write_str(what)
            }
            Self::Io { doing, error } => write!(f, "{doing}: {error}"),
            Self::TimedOut { what, after } => {
                write!(f, "timed out after {:.1} s: {what}", after.as_secs_f64())
            }
            Self::Interrupted => f.write_str("stopped by a signal"),
        }
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
