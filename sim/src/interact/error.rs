/// Why a command ended a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The command makes no sense, here or at all.
    Command(String),
    /// The machines did what they must not.
    Violation(String),
}

impl From<String> for Error {
    fn from(what: String) -> Self {
        Self::Command(what)
    }
}

impl From<&str> for Error {
    fn from(what: &str) -> Self {
        Self::Command(what.into())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command(what) => f.write_str(what),
            Self::Violation(what) => write!(f, "violated: {what}"),
        }
    }
}
