//! Why a run ends badly.

use core::fmt;
use std::io;

/// How something ends.
pub type Outcome<T = ()> = Result<T, Failure>;

/// What is wrong, in a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// This machine does not let a fault be injected, or a file be made: nothing is known of the server.
    Environment(String),
    /// The server did what it must not.
    Server(String),
}

impl Failure {
    /// For `map_err`: what was being done when an error came.
    pub fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Environment(format!("{what}: {error}"))
    }

    /// Something that the server did wrong.
    pub fn server(text: impl Into<String>) -> Self {
        Self::Server(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(text) | Self::Server(text) => f.write_str(text),
        }
    }
}
