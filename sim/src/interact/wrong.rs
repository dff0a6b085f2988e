/// Why a command ended a script.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Wrong {
    /// The command makes no sense, here or at all.
    Command(String),
    /// The machines did what they must not.
    Violated(String),
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self::Command(what)
    }
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        Self::Command(what.into())
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command(what) => f.write_str(what),
            Self::Violated(what) => write!(f, "violated: {what}"),
        }
    }
}
