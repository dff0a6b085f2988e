/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Case {
    /// Bytes of each command.
    pub payload: usize,
    /// Commands proposed in each round.
    pub batch: usize,
}

impl Case {
    /// The rows that are measured: small and middling commands, one at a time and many.
    pub const ALL: [Self; 4] = [
        Self { payload: 16, batch: 1 },
        Self { payload: 16, batch: 64 },
        Self { payload: 256, batch: 1 },
        Self { payload: 256, batch: 64 },
    ];

    /// How many rounds make this many proposals, at least.
    #[must_use]
    pub const fn rounds(self, proposals: usize) -> usize {
        proposals.div_ceil(self.batch)
    }
}
