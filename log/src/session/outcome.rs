use core::fmt;

use quorate_core::DecodeError;

use super::SessionId;

/// What became of something that a client asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Done<'a> {
    /// The client has this session; the one it had, if its token registered before.
    Registered(SessionId),
    /// The command was carried out now: the application's answer.
    Applied(&'a [u8]),
    /// The command was carried out before: what was answered then.
    Repeated(&'a [u8]),
    /// The command was carried out, now or before, and its answer is longer than the limits allow: nobody has it any more.
    Unkept {
        /// It was before.
        repeated: bool,
    },
    /// The session is noted as alive.
    Alive,
    /// The session ended, as the client wished.
    Closed,
}

/// Why what a client asked was not carried out. Every node refuses it alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refused {
    /// There is no such session, or no longer: the client should register anew. What it sent before and was not answered may have been
    /// carried out or not.
    Gone,
    /// There are as many sessions as there may be: try again later.
    Full,
    /// The serial number is too far above the lowest that the client still waits for: it has more commands under way than the window allows.
    Ahead,
    /// The client has said that it waits for this command no longer: a late duplicate.
    Settled,
    /// The entry is not after the last one: it was applied already.
    Past,
    /// The entry's bytes are nothing that a client asks.
    Garbled(DecodeError),
}

/// Why a table of sessions was not taken from a snapshot. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RestoreError {
    /// The form is of another version: this is its number.
    Version(u8),
    /// It was made with other limits: start this node with those of the others.
    Limits,
    /// The bytes are no table of sessions.
    Garbled(DecodeError),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("there is no such session any more: register again"),
            Self::Full => f.write_str("there are too many sessions: try again later"),
            Self::Ahead => f.write_str("too many commands are under way: wait for an answer"),
            Self::Settled => f.write_str("the client does not wait for this command any more"),
            Self::Past => f.write_str("the entry was applied already"),
            Self::Garbled(error) => write!(f, "not what a client asks: {error}"),
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "the sessions are of version {version}, which is not known here")
            }
            Self::Limits => f.write_str(
                "the sessions were made with other limits: start this node with the same as the \
                 others",
            ),
            Self::Garbled(error) => write!(f, "not a table of sessions: {error}"),
        }
    }
}

impl core::error::Error for Refused {}
impl core::error::Error for RestoreError {}

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Self::Garbled(error)
    }
}

impl From<DecodeError> for RestoreError {
    fn from(error: DecodeError) -> Self {
        Self::Garbled(error)
    }
}
