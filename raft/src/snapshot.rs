//! Log compaction and snapshots (Raft thesis, chapter 5).
//!
//! The application owns the snapshot; the machine holds one part of it at a time, on its way out or in.

use quorate_core::{Instant, NodeId, Rejected};
use quorate_log::Held;

use crate::extras::Extra;
use crate::log::{Log, TermLog};
use crate::peer::{Peer, Reply, Stage};
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, Members, Replication, Role, SnapshotError, Term};

/// A snapshot this far beyond the own log is refused: no honest leader gets there, and one message must not use up the indexes there
/// are.
const INDEX_JUMP: u64 = 1 << 48;

/// Names a snapshot: the last index that it covers, and the term there.
pub(crate) type SnapshotId = (Index, Term);

/// A snapshot that is being received, with the term of its sender: chunks of two leaders' snapshots do not mix, even at the same
/// index.
pub(crate) type Incoming = quorate_log::Incoming<(SnapshotId, Term)>;

/// The one chunk of a snapshot that the machine holds.
pub(crate) type Chunk<B> = quorate_log::ChunkBuffer<B, SnapshotId>;

impl<S: Storage> Raft<S> {
    /// The application has a durable snapshot of its state after the entry at `index`; the log may be dropped up to and
    /// including `compacted`. Leaving some entries between the two spares peers that are a little behind a snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Index`] unless `compacted` ≤ `index` ≤ the applied index, and `index` is not 0 and not behind the present
    /// snapshot.
    pub fn snapshot_taken(&mut self, index: Index, compacted: Index) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        if index == 0 || compacted > index || index > self.applied || index < self.snapshot {
            return Err(SnapshotError::Index);
        }
        let term = self.log.term(index).ok_or(SnapshotError::Index)?;
        self.found_at(index);
        (self.snapshot, self.snapshot_term) = (index, term);
        self.config_at = self.config_at.max(index);
        if compacted > self.log.compacted() {
            self.log.compact(compacted);
        }
        self.disk.snapshot_dirty = true;
        self.work.all();
        Ok(())
    }

    /// Hands over the next part of a snapshot for a peer, as [`Event::SnapshotWanted`](crate::Event::SnapshotWanted) asked:
    /// of the snapshot it named, or at offset 0 of the newest one. An empty last part is fine.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; nothing was changed. [`NotWanted`](SnapshotError::NotWanted) is no fault: the peer caught up or the
    /// leader changed meanwhile.
    pub fn send_snapshot(
        &mut self,
        to: NodeId,
        index: Index,
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        let (snapshot, snapshot_term, leads) =
            (self.snapshot, self.snapshot_term, self.role == Role::Leader);
        let Some(peer) = self.peers.iter_mut().find(|p| p.id == to) else {
            return Err(SnapshotError::NotWanted);
        };
        if !leads
            || peer.replication != Replication::Snapshot
            || peer.transfer.stage != Stage::Asked
        {
            return Err(SnapshotError::NotWanted);
        }
        let goes_on = index == peer.transfer.index && offset == peer.transfer.offset;
        let newer = index > peer.transfer.index && index == snapshot && offset == 0;
        if !(goes_on || newer) || data.len() > self.chunk.limit() || (data.is_empty() && !done) {
            return Err(SnapshotError::Chunk);
        }
        if !self.chunk.hold(data, Held::Outgoing { offset, done }) {
            return Err(SnapshotError::Chunk);
        }
        if newer {
            peer.start_transfer(snapshot, snapshot_term);
        }
        peer.transfer.stage = Stage::Ready;
        let end = offset.saturating_add(data.len() as u64);
        peer.transfer.beyond = if done { end.saturating_add(1) } else { 0 };
        self.work.all();
        Ok(())
    }

    /// The snapshot that [`Event::SnapshotChunk`](crate::Event::SnapshotChunk) completed is durable and loaded: the log goes on
    /// after it.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::NotWanted`] when no snapshot covering `index` was completed, or entries got there first: go on from the
    /// state that is applied.
    pub fn snapshot_installed(&mut self, index: Index) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        let Some((_, index_term)) = self.received.filter(|received| received.0 == index) else {
            return Err(SnapshotError::NotWanted);
        };
        self.received = None;
        self.incoming = None;
        let contradicts = index <= self.commit && self.term_at(index) != index_term;
        // one that was asked for takes the place of what was applied
        let known = index <= self.applied && !(index == self.applied && self.awaits_snapshot());
        if known || contradicts {
            // caught up by entries meanwhile
            return Err(SnapshotError::NotWanted);
        }
        self.adopt_snapshot(index, index_term);
        self.commit = self.commit.max(index);
        self.applied = index;
        self.decide_by_snapshot(index, index_term);
        self.renewed();
        self.verified = self.verified.max(index);
        if let Some(from) = self.leader_at() {
            self.owe_accept(from, false);
        }
        self.work.all();
        Ok(())
    }

    /// Lets the log begin after a snapshot that the application has, and that came from elsewhere with its members.
    pub(crate) fn adopt_snapshot(&mut self, index: Index, index_term: Term) {
        self.found_on_arrival();
        if self.term_at(index) == index_term {
            // what follows the snapshot in the log is good (5.1, figure 5.3 step 6)
            self.log.compact(index);
        } else {
            self.disk.truncated(self.commit.min(self.log.last()));
            self.log.reset(index, index_term);
            self.verified = index;
        }
        (self.snapshot, self.snapshot_term) = (index, index_term);
        self.disk.snapshot_dirty = true;
        self.reconfigure();
    }

    /// The snapshot that was received is damaged: asks for it from the beginning.
    pub fn snapshot_refused(&mut self) {
        self.incoming = None;
        self.received = None;
        if matches!(self.chunk.held(), Held::Incoming { .. }) {
            self.chunk.clear();
        }
    }

    #[cold]
    pub(crate) fn on_snapshot(
        &mut self,
        from: usize,
        term: Term,
        round: u64,
        covers: (Index, Term),
        part: (u64, bool, &[u8]),
        members: Members<'_>,
    ) -> Result<(), Rejected> {
        let (index, index_term) = covers;
        let (offset, done, data) = part;
        if term == 0 || index == 0 || index_term == 0 || index_term > term {
            return Err(Rejected::Malformed);
        }
        let far = self.log.last().wrapping_add(INDEX_JUMP);
        if !self.plausible(term)
            || index >= LIMIT
            || index >= far
            || round >= LIMIT
            || offset >= LIMIT
        {
            return Err(Rejected::OutOfRange);
        }
        if S::CHANGES && !members.is_empty() && !members.is_valid() {
            return Err(Rejected::Malformed);
        }
        if data.len() > self.chunk.limit() || !self.holds(members) {
            return Err(Rejected::Full);
        }
        if !self.heed(from, term, round)? {
            return Ok(());
        }
        let known = index <= self.commit || self.term_at(index) == index_term;
        if known && !(self.awaits_snapshot() && index >= self.applied) {
            // it is all here: the leader may go on with entries
            self.verified = self.verified.max(self.commit).max(index);
            self.commit = self.commit.max(index);
            self.incoming = None;
            self.work.events();
            self.owe_accept(from, true);
            return Ok(());
        }
        let named = (covers, term);
        let incoming = match self.incoming {
            Some(incoming) if incoming.snapshot() == named => incoming,
            _ => Incoming::new(named),
        };
        let incoming = self.incoming.insert(incoming);
        let carries = done || !data.is_empty();
        // a whole one is taken whatever came before: it may have become a witness's meanwhile
        let next = incoming.expects(offset, done);
        // one that was received whole is the application's to install or refuse before another is begun
        let wanted = carries && next && self.received.is_none();
        if wanted && self.awaits_answer() {
            // the buffer is needed
            self.end_forward();
        }
        if wanted && self.chunk.held() == Held::Nothing {
            let held = Held::Incoming { snapshot: covers, offset, done };
            if self.chunk.hold(data, held) {
                if let Some(incoming) = &mut self.incoming {
                    incoming.take(offset, data.len(), done);
                }
                self.received = done.then_some((index, index_term));
                if done {
                    self.arrive((index, index_term), members);
                }
            }
        }
        self.work.events();
        self.owe(from, Reply::Part { index });
        Ok(())
    }

    #[cold]
    pub(crate) fn on_snapshot_ack(
        &mut self,
        from: usize,
        term: Term,
        round: u64,
        index: Index,
        offset: u64,
    ) -> Result<(), Rejected> {
        if index >= LIMIT || offset >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if !self.heeds_answer(term, round)? {
            return Ok(());
        }
        let now = self.now;
        let Some(peer) = self.peers.get_mut(from) else { return Ok(()) };
        peer.heard = now;
        if peer.replication == Replication::Halted {
            return Ok(());
        }
        peer.round = peer.round.max(round);
        self.work.all();
        let transfer = &mut peer.transfer;
        if peer.replication != Replication::Snapshot
            || transfer.index != index
            || transfer.stage != Stage::Sent
        {
            return Ok(());
        }
        if transfer.beyond == offset.saturating_add(1) {
            // all there: the peer is installing it
            transfer.offset = offset;
            return Ok(());
        }
        // An answer to a later round than the part's tells what the peer has even if that is no progress: the part, or what
        // the peer had, was lost.
        if offset > transfer.offset || round > transfer.sent_round {
            transfer.offset = offset;
            transfer.stage = Stage::Wanted;
        }
        Ok(())
    }

    /// A part for a peer that was dropped, or began anew, would be in the way of all others.
    pub(crate) fn drop_part(&mut self) {
        let waits =
            |p: &Peer| p.replication == Replication::Snapshot && p.transfer.stage == Stage::Ready;
        if matches!(self.chunk.held(), Held::Outgoing { .. }) && !self.peers.iter().any(waits) {
            self.chunk.clear();
        }
    }

    /// Whether the last part of a snapshot was sent so lately that the next one must wait.
    fn paced(&self) -> bool {
        self.extra.get().is_some_and(|extras| self.now < extras.part_at)
    }

    /// When the next part of a snapshot may be asked for, if one waits for that.
    pub(crate) fn part_at(&self) -> Instant {
        let wanted = |peer: &Peer| {
            peer.replication == Replication::Snapshot && peer.transfer.stage == Stage::Wanted
        };
        match self.extra.get() {
            Some(extras) if self.paced() && self.peers.iter().any(wanted) => extras.part_at,
            _ => Instant::MAX,
        }
    }

    /// The peer whose next part the application should be asked for: one at a time, as there is one buffer.
    pub(crate) fn part_wanted(&self) -> Option<usize> {
        if self.role != Role::Leader || self.chunk.held() != Held::Nothing || self.paced() {
            return None;
        }
        let wants = |p: &&Peer| {
            p.replication == Replication::Snapshot && !(S::CHANGES && p.membership.is_witness())
        };
        let mut transfers = self.peers.iter().filter(wants);
        if transfers.clone().any(|p| p.transfer.stage == Stage::Asked) {
            return None;
        }
        let id = transfers.find(|p| p.transfer.stage == Stage::Wanted)?.id;
        self.peers.iter().position(|p| p.id == id)
    }
}
