use quorate_core::{NodeId, Reader, Writer};
use quorate_log::Proposal;
use quorate_sim::Digest;

use super::parse::{Entry, Slot};

/// The application beside one machine, and what it has on disk: its state is a digest of all that it applied, in order.
#[derive(Debug, Default)]
pub(super) struct Application {
    pub(super) applied: Slot,
    pub(super) digest: u64,
    /// The newest snapshot on disk: the slot it covers, and its bytes.
    pub(super) snapshot: Option<(Slot, Vec<u8>)>,
    /// A snapshot on its way in.
    pub(super) incoming: Vec<u8>,
    /// It is complete, and covers this.
    pub(super) complete: Option<Slot>,
    /// The log has no room.
    pub(super) is_full: bool,
    /// Chunks that peers want: to, which snapshot, offset, at most how many bytes.
    pub(super) requests: Vec<(NodeId, Slot, u64, usize)>,
    /// Commands proposed here that are not decided.
    pub(super) proposals: Vec<(Proposal, u64)>,
}

impl Application {
    /// Applies the entry of the next slot.
    pub(super) fn apply(&mut self, entry: Entry) {
        self.applied += 1;
        let mut digest = Digest::new();
        digest.mix(&[self.digest, entry.digest], &[]);
        self.digest = digest.value();
    }

    /// Puts a snapshot of the present state on disk. Those of two nodes are different in all their bytes, even if they cover the same.
    pub(super) fn take_snapshot(&mut self, node: usize, padding: usize) {
        let mut bytes = vec![0; 40 + padding];
        let mut out = Writer::new(&mut bytes);
        for number in [self.applied, self.digest, node as u64, padding as u64] {
            out.u64(number);
        }
        let len = out.needed();
        bytes.truncate(len);
        bytes.extend((0..padding).map(|at| filler(self.applied, node as u64, at as u64)));
        self.snapshot = Some((self.applied, bytes));
    }

    /// Loads a snapshot.
    pub(super) fn load(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut input = Reader::new(bytes);
        let mut number = || input.u64().map_err(|e| format!("a snapshot does not load: {e}"));
        let (applied, digest, node, padding) = (number()?, number()?, number()?, number()?);
        let rest = input.rest();
        let intact = (0..).zip(rest).all(|(at, byte)| *byte == filler(applied, node, at));
        if rest.len() as u64 != padding || !intact {
            return Err(format!("a snapshot of {applied} is put together from several"));
        }
        (self.applied, self.digest) = (applied, digest);
        Ok(())
    }

    /// What was in memory is gone.
    pub(super) fn crash(&mut self) {
        let snapshot = self.snapshot.take();
        *self = Self { snapshot, ..Self::default() };
    }
}

fn filler(applied: Slot, node: u64, at: u64) -> u8 {
    (applied.wrapping_mul(31) ^ node.wrapping_mul(97) ^ at) as u8
}
