use core::fmt;

/// A row of the table. All requests are for values of 16 bytes at 3 replicas, of which 2 must answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Case {
    /// A value that the coordinator has given its timestamp is written: the last write wins.
    Write,
    /// A read that repairs replicas in the background, where none is behind.
    Read,
    /// A write of a register, which asks the replicas first: linearizable with the reads of the next row.
    RegisterWrite,
    /// A read that waits until what it returns is on enough replicas, where none is behind.
    RegisterRead,
}

impl Case {
    /// The rows that are measured.
    pub const ALL: [Self; 4] = [Self::Write, Self::Read, Self::RegisterWrite, Self::RegisterRead];

    /// The name of the row.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::RegisterWrite => "register-write",
            Self::RegisterRead => "register-read",
        }
    }

    /// The row of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }

    /// Whether it writes.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::RegisterWrite)
    }

    /// How many messages there must be: a request to each of the other two replicas and its answer, once or, for a write that asks first, twice.
    #[must_use]
    pub const fn messages(self) -> usize {
        match self {
            Self::RegisterWrite => 8,
            Self::Write | Self::Read | Self::RegisterRead => 4,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
