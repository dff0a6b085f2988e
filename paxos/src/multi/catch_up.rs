//! A node that lacks what is chosen asks for it: whichever node it reaches that has more, so that it catches up in a chain of links, too,
//! and without the leader.

use quorate_core::{NodeId, Rejected};
use quorate_log::{Held, Incoming};

use super::peer::{Due, Peer, Stage, Transfer};
use super::{Configuration, LIMIT, Message, MultiPaxos, Role, Slot, SnapshotError, Storage};

/// What a node that lacks something has got of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct CatchUp {
    /// What was known to be chosen at the last heartbeat, and how much of a snapshot was there.
    mark: (Slot, u64),
    /// Who was asked last, and for how many heartbeat intervals nothing has come since.
    asked: Option<usize>,
    silent: u8,
    /// A snapshot that is being received, and from whom.
    incoming: Option<Incoming<(Slot, usize)>>,
    /// A snapshot that was received whole, for the application to install or refuse.
    received: Option<Slot>,
    /// Others may want parts of a snapshot.
    is_wanted: bool,
}

impl CatchUp {
    /// The places of nodes are others.
    pub(super) fn regrouped(&mut self, place: impl Fn(usize) -> Option<usize>) {
        self.asked = self.asked.and_then(&place);
        let is_same = |incoming: &Incoming<(Slot, usize)>| {
            let (_, index) = incoming.snapshot();
            place(index) == Some(index)
        };
        // parts are asked for anew
        self.incoming = self.incoming.filter(is_same);
    }
}

/// So many heartbeat intervals a node waits for an answer before it asks another.
const PATIENCE: u8 = 4;

impl<S: Storage> MultiPaxos<S> {
    /// Once in a heartbeat interval: if others have more, and nothing came since the last one, it asks.
    pub(super) fn fetch_if_behind(&mut self) {
        let commit = self.slots.commit();
        let offset = self.catch_up.incoming.map_or(0, |incoming| incoming.offset());
        let is_stalled =
            core::mem::replace(&mut self.catch_up.mark, (commit, offset)) == (commit, offset);
        self.catch_up.silent = if is_stalled { self.catch_up.silent.saturating_add(1) } else { 0 };
        if !is_stalled || self.catch_up.received.is_some() {
            return;
        }
        let asked = self.catch_up.asked.filter(|&index| self.has_more(index));
        let again = asked.filter(|_| self.catch_up.silent < PATIENCE);
        let Some(index) = again.or_else(|| self.whom_to_ask(asked)) else {
            self.catch_up.asked = None;
            return;
        };
        if asked != Some(index) {
            // parts of another's snapshot do not fit
            self.catch_up.incoming = None;
            self.catch_up.asked = Some(index);
            self.catch_up.silent = 0;
        }
        if let Some(peer) = self.peers.get_mut(index) {
            peer.owed.owe(Due::Fetch);
        }
    }

    /// A node that is heard knows of more that is chosen.
    fn has_more(&self, index: usize) -> bool {
        let (now, timeout, commit) = (self.now, self.config.election_us, self.slots.commit());
        let link = self.peers.get(index).map(|peer| &peer.link);
        // a node that is no member any more needs to know so, and no more than that
        let needs = |number| {
            !S::CHANGES
                || number > self.reconfiguration.number
                || !self.group.has_no_role(self.group.me())
        };
        link.is_some_and(|link| {
            link.commit > commit && link.is_heard(now, timeout) && needs(link.configuration)
        })
    }

    /// The node that has most, rather one that hears this node, and not the one that does not answer unless it is the only one. Nodes that
    /// come in together ask different ones.
    fn whom_to_ask(&self, silent: Option<usize>) -> Option<usize> {
        let has_more = |&(index, _): &(usize, &Peer)| self.has_more(index);
        let members = self.peers.iter().enumerate().filter(has_more);
        let (me, len) = (self.group.me(), self.group.len().max(1));
        let best = members.max_by_key(|(index, peer)| {
            let turn = index.wrapping_add(me).checked_rem(len);
            (silent != Some(*index), peer.link.hears_me, peer.link.commit, turn)
        });
        best.map(|(index, _)| index)
    }

    /// What this node asks a member for.
    pub(super) fn fetch(&self, index: usize) -> Message<'static> {
        let incoming = self.catch_up.incoming.filter(|incoming| incoming.snapshot().1 == index);
        let (snapshot, offset) =
            incoming.map_or((0, 0), |incoming| (incoming.snapshot().0, incoming.offset()));
        Message::Fetch { from: self.slots.commit().saturating_add(1), snapshot, offset }
    }

    pub(super) fn on_fetch(
        &mut self,
        index: usize,
        from: Slot,
        (snapshot, offset): (Slot, u64),
    ) -> Result<(), Rejected> {
        if from == 0 {
            return Err(Rejected::Malformed);
        }
        if from >= LIMIT || snapshot >= LIMIT || offset >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        if from > self.slots.commit() {
            return Ok(());
        }
        let (compacted, newest) = (self.slots.compacted(), self.slots.snapshot());
        let Some(peer) = self.peers.get_mut(index) else { return Ok(()) };
        if from > compacted {
            peer.owed.chosen = from;
            peer.owed.owe(Due::Chosen);
            peer.transfer = Transfer::default();
        } else {
            let goes_on = snapshot > 0 && snapshot == peer.transfer.slot;
            let (slot, offset) = if goes_on { (snapshot, offset) } else { (newest, 0) };
            let is_same = (peer.transfer.slot, peer.transfer.offset) == (slot, offset);
            // it asks again: the application may have missed the event, or was not able to answer
            if !is_same || matches!(peer.transfer.stage, Stage::Idle | Stage::Asked) {
                peer.transfer = Transfer { slot, offset, stage: Stage::Wanted };
                self.catch_up.is_wanted = true;
            }
        }
        self.drop_part();
        Ok(())
    }

    pub(super) fn on_chosen(
        &mut self,
        index: usize,
        first: Slot,
        commit: Slot,
        entries: &[u8],
    ) -> Result<(), Rejected> {
        let count = self.check_entries(entries)?;
        let next = first.saturating_add(count);
        if first == 0 || count == 0 || next > commit.saturating_add(1) {
            return Err(Rejected::Malformed);
        }
        if commit >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        let before = self.slots.commit();
        if first > before.saturating_add(1) {
            return Ok(());
        }
        let agrees = self.role != Role::Leader || self.slots.agrees(first, entries);
        let sender = self.group.id(index);
        let has_room = self.learn(first, entries)?;
        if !agrees {
            // chosen in a later ballot, of which this leader has not heard: what it says to be chosen is not what it proposed any more
            self.resign();
        }
        self.is_full_owed |= !has_room;
        let after = self.slots.commit();
        if after == before {
            return Ok(());
        }
        self.catch_up.incoming = None;
        // the members may have changed
        if let Some(peer) = self.group.index_of(sender).and_then(|at| self.peers.get_mut(at)) {
            peer.link.commit = peer.link.commit.max(commit);
            if commit > after && has_room {
                peer.owed.owe(Due::Fetch);
            }
        }
        self.advance_commit();
        Ok(())
    }

    pub(super) fn on_chunk(
        &mut self,
        index: usize,
        snapshot: Slot,
        (offset, done, data): (u64, bool, &[u8]),
        configuration: Option<Configuration<'_>>,
    ) -> Result<(), Rejected> {
        if S::CHANGES && configuration.is_some_and(|configuration| !configuration.is_valid()) {
            return Err(Rejected::Malformed);
        }
        if snapshot == 0 || (data.is_empty() && !done) {
            return Err(Rejected::Malformed);
        }
        if snapshot >= LIMIT || offset >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        let members = configuration.map_or(0, |configuration| configuration.members.len());
        if data.len() > self.chunk.limit() || members > self.most_members() {
            return Err(Rejected::Full);
        }
        if snapshot <= self.slots.commit() || self.catch_up.received.is_some() {
            return Ok(());
        }
        let named = (snapshot, index);
        let present = self.catch_up.incoming.filter(|incoming| incoming.snapshot() == named);
        let mut incoming = match present {
            Some(incoming) => incoming,
            None if offset == 0 && !self.is_receiving_from_another(index) => Incoming::new(named),
            None => return Ok(()),
        };
        let held = Held::Incoming { snapshot, offset, done };
        let is_free = self.chunk.held() == Held::Nothing;
        if incoming.expects(offset, done) && is_free && self.chunk.hold(data, held) {
            incoming.take(offset, data.len(), done);
            self.catch_up.incoming = Some(incoming);
            self.catch_up.received = done.then_some(snapshot);
            if S::CHANGES && done {
                self.arrive(snapshot, configuration);
            }
        }
        Ok(())
    }

    /// A snapshot is being received from another node than this, which still has it. Parts of both would begin anew each other's, for ever.
    pub(super) fn is_receiving_from_another(&self, index: usize) -> bool {
        let (now, timeout, commit) = (self.now, self.config.election_us, self.slots.commit());
        let sender = self.catch_up.incoming.map(|incoming| incoming.snapshot().1);
        let peer = sender.filter(|sender| *sender != index).and_then(|at| self.peers.get(at));
        peer.is_some_and(|peer| peer.link.commit > commit && peer.link.is_heard(now, timeout))
    }

    /// The application was given a part: the next one is asked for.
    pub(super) fn part_given(&mut self) {
        if self.catch_up.received.is_none()
            && let Some(incoming) = self.catch_up.incoming
            && let Some(peer) = self.peers.get_mut(incoming.snapshot().1)
        {
            peer.owed.owe(Due::Fetch);
        }
        self.work.all();
    }

    /// The application has a durable snapshot of its state after `slot`; the log may be dropped up to and including `compacted`. Leaving
    /// some entries between the two spares nodes that are a little behind a snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Slot`] unless `compacted` ≤ `slot` ≤ the applied slot, and `slot` is not 0 and not behind the present snapshot.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, SnapshotError}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert_eq!(node.snapshot_taken(7, 3), Err(SnapshotError::Slot)); // nothing was applied yet
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn snapshot_taken(&mut self, slot: Slot, compacted: Slot) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        let is_ahead = compacted > slot || slot > self.slots.applied();
        if slot == 0 || is_ahead || slot < self.slots.snapshot() {
            return Err(SnapshotError::Slot);
        }
        if S::CHANGES {
            self.rebase(slot);
        }
        self.slots.compact(slot, compacted);
        self.disk.snapshot();
        self.work.all();
        Ok(())
    }

    /// Hands over the next part of a snapshot for a peer, as [`Event::SnapshotWanted`](super::Event::SnapshotWanted) asked: of the snapshot
    /// that it named, or at offset 0 of the newest one. An empty last part is fine.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; nothing was changed. [`NotWanted`](SnapshotError::NotWanted) is no fault: the peer caught up meanwhile.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, SnapshotError}};
    /// # let [a, b] = [1, 2].map(NodeId::new);
    /// # type Node = MultiPaxos<Inline<2, 1024, 16, 64>>;
    /// let members = [a, b].map(Member::new);
    /// let mut node = Node::new(a, members, Quorums::majority(2), Config::lan(), 42)?;
    /// assert_eq!(node.send_snapshot(b, 7, 0, b"state", true), Err(SnapshotError::NotWanted));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn send_snapshot(
        &mut self,
        to: NodeId,
        slot: Slot,
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        let newest = self.slots.snapshot();
        let index = self.group.index_of(to).ok_or(SnapshotError::NotWanted)?;
        let peer = self.peers.get_mut(index).ok_or(SnapshotError::NotWanted)?;
        if peer.transfer.stage != Stage::Asked {
            return Err(SnapshotError::NotWanted);
        }
        let goes_on = (slot, offset) == (peer.transfer.slot, peer.transfer.offset);
        let is_newer = slot > peer.transfer.slot && slot == newest && offset == 0;
        let is_part = data.len() <= self.chunk.limit() && (done || !data.is_empty());
        // a part that is on its way in goes first
        if self.chunk.held() != Held::Nothing {
            return Err(SnapshotError::NotWanted);
        }
        if !(goes_on || is_newer) || !is_part {
            return Err(SnapshotError::Chunk);
        }
        if !self.chunk.hold(data, Held::Outgoing { offset, done }) {
            return Err(SnapshotError::Chunk);
        }
        peer.transfer = Transfer { slot, offset, stage: Stage::Ready };
        self.work.all();
        Ok(())
    }

    /// The snapshot that [`Event::SnapshotChunk`](super::Event::SnapshotChunk) completed is durable and loaded: the log goes on after it.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::NotWanted`] when no snapshot that covers `slot` was completed, or entries got there first: go on from the state that
    /// is applied.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, SnapshotError}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert_eq!(node.snapshot_installed(7), Err(SnapshotError::NotWanted));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn snapshot_installed(&mut self, slot: Slot) -> Result<(), SnapshotError> {
        if self.fatal.is_some() {
            return Err(SnapshotError::Stopped);
        }
        if self.catch_up.received != Some(slot) {
            return Err(SnapshotError::NotWanted);
        }
        self.catch_up.received = None;
        self.catch_up.incoming = None;
        if slot <= self.slots.applied() {
            return Err(SnapshotError::NotWanted);
        }
        if self.role == Role::Leader && slot > self.slots.commit() {
            self.resign(); // it may not be what this leader proposed
        }
        let is_another = S::CHANGES && self.adopt_arriving(slot) == Some(true);
        self.slots.install(slot, is_another);
        if is_another {
            self.disk.changed(slot.saturating_add(1));
        }
        self.proposals.installed = slot;
        self.disk.snapshot();
        self.work.all();
        Ok(())
    }

    /// The snapshot that was received is damaged: asks for it from the beginning.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// node.snapshot_refused();
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn snapshot_refused(&mut self) {
        self.catch_up.incoming = None;
        self.catch_up.received = None;
        if matches!(self.chunk.held(), Held::Incoming { .. }) {
            self.chunk.clear();
        }
        self.work.all();
    }

    /// Parts of an earlier snapshot are not sent any more.
    pub(super) fn forget_parts(&mut self) {
        for peer in self.peers.iter_mut() {
            peer.transfer = Transfer::default();
        }
        self.drop_part();
    }

    /// A part for a peer that began anew would be in the way of all others.
    fn drop_part(&mut self) {
        let is_outgoing = matches!(self.chunk.held(), Held::Outgoing { .. });
        if is_outgoing && !self.peers.iter().any(|peer| peer.transfer.stage == Stage::Ready) {
            self.chunk.clear();
        }
    }

    /// Once in a heartbeat interval: those that are heard no more are not waited for.
    pub(super) fn forget_transfers(&mut self) {
        let (now, timeout) = (self.now, self.config.election_us);
        for peer in self.peers.iter_mut() {
            if peer.transfer.stage != Stage::Idle && !peer.link.is_heard(now, timeout) {
                peer.transfer = Transfer::default();
            }
        }
        self.drop_part();
    }

    /// The peer whose next part the application should be asked for: one at a time, as there is one buffer.
    pub(super) fn part_wanted(&mut self) -> Option<usize> {
        if !self.catch_up.is_wanted {
            return None;
        }
        let is_asked = |stage| matches!(stage, Stage::Asked | Stage::Ready);
        let is_busy = self.peers.iter().any(|peer| is_asked(peer.transfer.stage));
        if is_busy || self.chunk.held() != Held::Nothing {
            return None;
        }
        let index = self.peers.iter().position(|peer| peer.transfer.stage == Stage::Wanted);
        self.catch_up.is_wanted = index.is_some();
        let index = index?;
        self.peers.get_mut(index)?.transfer.stage = Stage::Asked;
        Some(index)
    }
}
