use quorate_core::NodeId;
use quorate_raft::{ForwardId, Index, Proposal, Raft, ReadId, Storage, Term};

use super::store::Store;

/// The application beside one machine, and what it has on disk.
#[derive(Debug, Default)]
pub(crate) struct Application {
    pub(crate) store: Store,
    /// The newest snapshot on disk: the index it covers, the term of the entry there, and its bytes.
    pub(crate) snapshot: Option<(Index, Term, Vec<u8>)>,
    /// A snapshot on its way in.
    pub(crate) incoming: Vec<u8>,
    /// It is complete, and covers this.
    pub(crate) complete: Option<(Index, Term)>,
    /// Where the members were listed, when it was last told.
    pub(crate) config_at: Index,
    /// The log has no room.
    pub(crate) full: bool,
    /// The store is damaged: it is good for nothing until a snapshot comes.
    pub(crate) damaged: bool,
    /// A follower needs a snapshot up to here.
    pub(crate) snapshot_due: Index,
    /// Chunks that peers want: to, which snapshot, offset, at most how many bytes.
    pub(crate) snapshot_requests: Vec<(NodeId, Index, u64, usize)>,
    /// Writes proposed here: where, and which operation of which client.
    pub(crate) writes: Vec<(Proposal, u64, usize)>,
    /// Writes forwarded to the leader: which operation of which client.
    pub(crate) forwards: Vec<(ForwardId, u64, usize)>,
    /// Reads requested here: which operation of which client, and of which key.
    pub(crate) reads: Vec<(ReadId, u64, usize, u64)>,
}

impl Application {
    /// Puts a snapshot of the present state on disk.
    pub(crate) fn take_snapshot<S: Storage>(&mut self, applied: Index, raft: &Raft<S>) {
        let term = raft.term(applied).unwrap_or(0);
        self.snapshot = Some((applied, term, self.store.snapshot()));
    }

    /// Bytes of the newest snapshot.
    pub(crate) fn snapshot_len(&self) -> usize {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.2.len())
    }

    /// What was in memory is gone.
    pub(crate) fn crash(&mut self) {
        let snapshot = self.snapshot.take();
        *self = Self { snapshot, ..Self::default() };
    }
}
