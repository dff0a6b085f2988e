use quorate_core::{DecodeError, Reader, Wire, Writer};
use quorate_raft::{Index, Term};

use crate::Values;
use crate::command::{unzigzag, zigzag};

/// Bytes of an encoded snapshot, at most.
pub const MAX_SNAPSHOT: usize = 4 * 10;

/// The values after the entry at `index`: what is kept on disk, and sent to a node that is far behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// The last entry it covers; 0 before there is a snapshot.
    pub index: Index,
    /// That entry's term.
    pub term: Term,
    /// What it holds.
    pub values: Values,
}

impl<'a> Wire<'a> for Snapshot {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.index);
        out.u64(self.term);
        out.u64(zigzag(self.values.setpoint));
        out.u64(zigzag(self.values.counter));
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (index, term) = (input.u64()?, input.u64()?);
        let setpoint = unzigzag(input.u64()?);
        let counter = unzigzag(input.u64()?);
        Ok(Self { index, term, values: Values { setpoint, counter } })
    }
}
