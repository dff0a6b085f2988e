use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer};
use quorate_raft::{Index, Term};

use crate::command::{unzigzag, zigzag};
use crate::values::{MAX_NODES, Session, Values};

/// Bytes of an encoded snapshot, at most.
pub const MAX_SNAPSHOT: usize = 4 * 10 + 1 + MAX_NODES * 3 * 10;

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

/// What a node keeps besides Raft's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SavedState {
    /// How often it was started.
    pub boots: u64,
    /// The newest snapshot.
    pub snapshot: Snapshot,
}

/// Bytes of an encoded [`SavedState`], at most.
pub const MAX_SAVED_STATE: usize = MAX_SNAPSHOT + 10;

impl<'a> Wire<'a> for Snapshot {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.index);
        out.u64(self.term);
        out.u64(zigzag(self.values.setpoint));
        out.u64(zigzag(self.values.counter));
        let used = || self.values.sessions.iter().filter(|session| session.node.get() > 0);
        out.u64(used().count() as u64);
        for session in used() {
            out.u64(session.node.get());
            out.u64(session.boot);
            out.u64(session.serial);
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (index, term) = (input.u64()?, input.u64()?);
        let setpoint = unzigzag(input.u64()?);
        let counter = unzigzag(input.u64()?);
        let mut sessions = [Session::default(); MAX_NODES];
        let count = usize::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)?;
        for session in sessions.get_mut(..count).ok_or(DecodeError::Invalid)? {
            let node = NodeId::new(input.u64()?);
            *session = Session { node, boot: input.u64()?, serial: input.u64()? };
        }
        Ok(Self { index, term, values: Values { setpoint, counter, sessions } })
    }
}

impl<'a> Wire<'a> for SavedState {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.boots);
        self.snapshot.encode(out);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { boots: input.u64()?, snapshot: Snapshot::decode(input)? })
    }
}
