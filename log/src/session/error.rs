use core::fmt;

use quorate_core::DecodeError;

/// Why a client's request was not applied. Every node refuses it alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SessionError {
    /// There is no such session: it expired, was closed or evicted, or never existed. The client
    /// should register again. Its commands without a response may have been applied or not.
    Expired,
    /// `max_sessions` sessions are alive: try again later.
    TooManySessions,
    /// The serial number is too far above the lowest that the client still waits for: it has more
    /// commands in flight than the window allows.
    WindowExceeded,
    /// The client has acknowledged the response to this command: a late duplicate.
    Acknowledged,
    /// The entry is not after the last one: it was applied already.
    AlreadyApplied,
    /// The entry's bytes are not a [`Call`](super::Call).
    Malformed(DecodeError),
}

/// Why a table of sessions was not restored from a snapshot. The table is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RestoreError {
    /// The snapshot has another version: this one.
    Version(u8),
    /// The snapshot was made with another configuration: start this node with that of the others.
    Config,
    /// The bytes are not a table of sessions.
    Malformed(DecodeError),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => {
                f.write_str("the session has expired or never existed: register again")
            }
            Self::TooManySessions => f.write_str("there are too many sessions: try again later"),
            Self::WindowExceeded => {
                f.write_str("too many commands are in flight: wait for a response")
            }
            Self::Acknowledged => {
                f.write_str("the client has acknowledged the response to this command")
            }
            Self::AlreadyApplied => f.write_str("the entry was applied already"),
            Self::Malformed(error) => write!(f, "not a client's request: {error}"),
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "the sessions in the snapshot have version {version}, which this node does not \
                 know: upgrade it"
            ),
            Self::Config => f.write_str(
                "the sessions were made with another configuration: start this node with that of \
                 the others",
            ),
            Self::Malformed(error) => write!(f, "not a table of sessions: {error}"),
        }
    }
}

impl core::error::Error for SessionError {}
impl core::error::Error for RestoreError {}

impl From<DecodeError> for SessionError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl From<DecodeError> for RestoreError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}
