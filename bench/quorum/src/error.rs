use core::fmt;

use quorate_core::{DecodeError, Overflow, Rejected};
use quorate_ring::MemberError;
use quorate_ring::quorum::{self, ConfigError, RequestError};

/// Why a measurement cannot go on: any of these is a bug in the machine or in the harness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The cluster cannot be made.
    Config(ConfigError),
    /// Its members cannot be placed.
    Members(MemberError),
    /// A request was not begun.
    Request(RequestError),
    /// A request was not carried out.
    Failed(quorum::Failure),
    /// A message was refused.
    Rejected(Rejected),
    /// A message or record could not be read back.
    Decode(DecodeError),
    /// A message or record is larger than the buffer.
    Overflow(Overflow),
    /// A round ended, and its request is not done.
    NotDone,
    /// A read returned something else than what was written last.
    WrongValue,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(e) => write!(f, "the cluster cannot be made: {e}"),
            Self::Members(e) => write!(f, "its members cannot be placed: {e}"),
            Self::Request(e) => write!(f, "a request was not begun: {e}"),
            Self::Failed(e) => write!(f, "a request was not carried out: {e}"),
            Self::Rejected(e) => write!(f, "a message was refused: {e}"),
            Self::Decode(e) => write!(f, "what was encoded cannot be decoded: {e}"),
            Self::Overflow(e) => write!(f, "the harness's buffer is too small: {e}"),
            Self::NotDone => f.write_str("a round ended, and its request is not done"),
            Self::WrongValue => {
                f.write_str("a read returned something else than what was written last")
            }
        }
    }
}

impl core::error::Error for Failure {}

macro_rules! from {
    ($($kind:ident: $source:ty),*) => {
        $(impl From<$source> for Failure {
            fn from(e: $source) -> Self {
                Self::$kind(e)
            }
        })*
    };
}

from!(
    Config: ConfigError, Members: MemberError, Request: RequestError, Failed: quorum::Failure,
    Rejected: Rejected, Decode: DecodeError, Overflow: Overflow
);
