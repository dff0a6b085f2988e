use quorate_core::{
    Corrupt, Fatal, Instant, List, Machine, NodeId, Output, Phase, Quorums, Rejected, Rejections,
    Rng, Ticket,
};
use quorate_log::{ChunkBuffer, Proposal, ReadError, ReadId};

use super::catch_up::CatchUp;
use super::configuration::is_sound_role;
use super::disk::Disk;
use super::election::Election;
use super::entry::{self, EntryKind, Header};
use super::handover::Handover;
use super::output::View;
use super::peer::Peer;
use super::proposals::Proposals;
use super::reads::Reads;
use super::reconfiguration::Reconfiguration;
use super::slots::{MAX_HOLES, Slots};
use super::work::Work;
use super::{
    Ballots, Config, Configuration, Entries, Event, LIMIT, Message, ProposeError, Record, Role,
    Slot, Status, Storage, limits,
};
use crate::member::Group;
use crate::{Ballot, ConfigError, Member, Roles};

/// A node that keeps a log with others by Multi-Paxos.
///
/// The driving loop is that of [`Machine`]; what the driver owes is stated there. On top of that:
///
/// * Make it with [`new`](Self::new) and replay the records on disk through [`restore`](Machine::restore). A node without records is one of
///   a new cluster: say so by [`found`](Self::found), once in its life. If the application has a snapshot, say by [`resume`](Self::resume) what
///   it covers. Then [`tick`](Machine::tick): the first tick starts it.
/// * Send while the disk writes: a leader's own vote is one among others.
/// * Take snapshots with [`snapshot_taken`](Self::snapshot_taken), or the log fills up; answer [`Event::SnapshotWanted`].
///
/// A node whose disk was erased has no record that it was founded, and neither votes nor leads: it could vote against what it had promised.
/// It learns what is chosen, and never is more than a learner under its old id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MultiPaxos<S: Storage> {
    pub(super) work: Work,
    pub(super) group: Group<S>,
    pub(super) config: Config,
    pub(super) now: Instant,
    started: bool,
    is_resumed: bool,
    pub(super) fatal: Option<Fatal>,
    pub(super) is_fatal_owed: bool,
    pub(super) founded: bool,
    pub(super) role: Role,
    pub(super) election: Election,
    /// The last slot that was voted for when this node began to lead.
    pub(super) takeover: Slot,
    pub(super) disk: Disk,
    pub(super) slots: Slots<S>,
    pub(super) proposals: Proposals,
    /// The lead is on its way to another node.
    pub(super) handover: Option<Handover>,
    pub(super) reads: Reads,
    pub(super) catch_up: CatchUp,
    pub(super) chunk: ChunkBuffer<S::Chunk, Slot>,
    /// What was acknowledged to the leader.
    pub(super) acknowledged: Slot,
    pub(super) is_full_owed: bool,
    /// What the application was told of the leader, and whether that may have changed.
    pub(super) told: View,
    pub(super) is_view_old: bool,
    pub(super) rng: Rng,
    rejections: Rejections,
    pub(super) peers: S::Members<Peer>,
    /// A digest of the founders; 0 at a node that joins them.
    pub(super) founders: u64,
    pub(super) reconfiguration: Reconfiguration<S>,
}

/// The last round there is: epochs have six bits more.
pub(super) const MAX_ROUND: u64 = LIMIT >> 7;

/// Room in the log that proposals leave for the no-ops of new leaders.
const SPARE: usize = 4;

impl<S: Storage> MultiPaxos<S> {
    /// A node of a cluster with these members, the same on each, in any order. Members that vote have [all roles](Roles::ALL); others are
    /// [learners](Roles::LEARNER) alone. `seed` should differ from start to start:
    /// with the time of the first question it tells answers to this start's reads from late ones to an earlier one's.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let node = MultiPaxos::<Inline<3, 1024, 16, 64>>::new(
    ///     NodeId::new(1), members, Quorums::majority(3), Config::lan(), 42,
    /// )?;
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn new(
        id: NodeId,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let group = Group::any(id, members, quorums, config.max_members.min(Work::MEMBERS))?;
        if !group.members().all(|member| is_sound_role(member.roles)) {
            return Err(ConfigError::Roles);
        }
        let founders = group.digest();
        Self::build(group, founders, config, seed)
    }

    /// A node that is to become a member of a log by [`reconfigure`](Self::reconfigure): it knows nobody, and waits to be spoken to. It
    /// is made so at every start, and [founded](Self::found) at its first one; a node that has records of a founder is
    /// [refused](Corrupt::Founders).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit; [`ConfigError::Fixed`] if the storage is for members that never change.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_paxos::multi::{Config, Inline, MultiPaxos};
    /// let mut node = MultiPaxos::<Inline<5, 1024, 16, 64>>::join(NodeId::new(4), Config::lan(), 42)?;
    /// node.found(); // at its first start, and never again
    /// node.tick(Instant::ZERO);
    /// assert_eq!(node.deadline(), None);
    /// assert_eq!(node.members().count(), 0);
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn join(id: NodeId, config: Config, seed: u64) -> Result<Self, ConfigError> {
        config.validate()?;
        if !S::CHANGES {
            return Err(ConfigError::Fixed);
        }
        let group = Group::nobody_but(id, config.max_members.min(Work::MEMBERS));
        Self::build(group, 0, config, seed)
    }

    fn build(
        group: Group<S>,
        founders: u64,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let limit = config.max_members.min(Work::MEMBERS);
        let id = group.my_id();
        let mut peers = S::Members::with_limit(limit);
        for _ in 0..group.len() {
            peers.push(Peer::default()).map_err(|_| ConfigError::TooManyMembers)?;
        }
        let chunk = ChunkBuffer::with_limit(config.max_chunk_bytes);
        let slots = Slots::new(&config);
        if chunk.limit() == 0 || !slots.fits(1, SPARE) {
            return Err(ConfigError::Limits);
        }
        // nodes that were given one seed must not all become candidates at the same times
        let mut rng = Rng::new(Rng::new(seed).next_u64() ^ id.get());
        Ok(Self {
            work: Work::new(group.len(), group.me()),
            now: Instant::ZERO,
            started: false,
            is_resumed: false,
            fatal: None,
            is_fatal_owed: false,
            founded: false,
            role: Role::Follower,
            election: Election::default(),
            takeover: 0,
            disk: Disk::default(),
            slots,
            proposals: Proposals::default(),
            handover: None,
            reads: Reads::new(rng.next_u64() >> 2),
            catch_up: CatchUp::default(),
            chunk,
            acknowledged: 0,
            is_full_owed: false,
            told: View::Leaderless,
            is_view_old: false,
            rng,
            rejections: Rejections::default(),
            peers,
            founders,
            reconfiguration: Reconfiguration::new(limit),
            group,
            config,
        })
    }

    /// This node is one of a new cluster, and not one whose disk was erased: say so once in its life, before its first tick, and never because
    /// a disk is empty; an option with which the operator starts it is a good place. Has no effect on a node that has a record of it. After a
    /// crash before that record was durable, say it again. A learner needs it not.
    ///
    /// A node that was erased and says so all the same may vote against what it had promised: two commands may be chosen for one
    /// slot. One that does not say so learns what is chosen, and never votes again.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, Record}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// node.found();
    /// node.tick(Instant::ZERO);
    /// assert!(matches!(node.poll(), Some(Output::Persist(_, Record::Founded { .. }))));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn found(&mut self) {
        if !self.founded {
            self.founded = true;
            self.disk.found();
            self.work.all();
        }
    }

    /// The application's newest durable snapshot covers everything up to this slot; 0 without one. To be said after the last record was
    /// restored, before the first tick.
    ///
    /// # Errors
    ///
    /// [`Corrupt::StaleSnapshot`] if the records tell of a later one; [`Corrupt::Started`] after the first tick; [`Corrupt::Malformed`] for
    /// 2^62 or more; [`Corrupt::Gap`] if who the members were then is not known. Nothing was changed. A node that is not told, though its records name a snapshot, stops itself at the first tick
    /// ([`Fatal::LostState`]).
    ///
    /// ```
    /// # use quorate_core::{Corrupt, NodeId, Quorums};
    /// # use quorate_core::Machine;
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, Record}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// node.restore(Record::Snapshot { slot: 7, compacted: 7 })?;
    /// assert_eq!(node.resume(6), Err(Corrupt::StaleSnapshot));
    /// node.resume(9)?;
    /// assert_eq!(node.status().applied, 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(&mut self, snapshot: Slot) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        if snapshot < self.slots.snapshot() {
            return Err(Corrupt::StaleSnapshot);
        }
        if snapshot >= LIMIT {
            return Err(Corrupt::Malformed);
        }
        if snapshot > self.slots.snapshot() && !self.knows_members_at(snapshot) {
            return Err(Corrupt::Gap);
        }
        self.is_resumed = true;
        if snapshot > self.slots.snapshot() {
            let is_another = self.restore_members_at(snapshot);
            // what the log has up to there may not be what was chosen
            self.slots.install(snapshot, is_another);
            self.disk.restored(self.slots.last());
            self.disk.snapshot();
        }
        Ok(())
    }

    /// Proposes a command. It is on its way when this returns, and chosen when [`Event::Committed`] brings it back.
    ///
    /// # Errors
    ///
    /// [`ProposeError`] tells why it was not taken; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos, ProposeError}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert_eq!(node.propose(b"x"), Err(ProposeError::NotLeader(None)));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn propose(&mut self, command: &[u8]) -> Result<Proposal, ProposeError> {
        self.may_propose()?;
        self.add(EntryKind::Command, command)
    }

    #[inline]
    pub(super) fn may_propose(&self) -> Result<(), ProposeError> {
        if self.role != Role::Leader {
            return Err(match self.fatal {
                Some(_) => ProposeError::Stopped,
                None => ProposeError::NotLeader(self.leader_id()),
            });
        }
        if S::CHANGES && self.reconfiguration.is_ending {
            return Err(ProposeError::Reconfiguring);
        }
        match self.handover {
            Some(handover) => Err(ProposeError::Transferring(handover.to)),
            None => Ok(()),
        }
    }

    #[inline]
    pub(super) fn add(
        &mut self,
        kind: EntryKind,
        command: &[u8],
    ) -> Result<Proposal, ProposeError> {
        let len = command.len() as u64;
        let (half_entries, half_bytes) = self.slots.half();
        if command.len() > self.config.max_entry_bytes || len > half_bytes {
            return Err(ProposeError::TooLarge);
        }
        let (commit, last) = (self.slots.commit(), self.slots.last());
        let uncommitted = self.slots.bytes_between(commit, last).saturating_add(len);
        let is_much = uncommitted > (self.config.max_uncommitted_bytes as u64).min(half_bytes);
        // the other half is the application's to free
        if is_much || last.saturating_sub(commit) >= half_entries {
            return Err(ProposeError::Busy);
        }
        let epoch = self.proposals.epoch();
        let header = Header { epoch, kind, len: command.len() };
        let has_room = last.saturating_add(1) < LIMIT && self.slots.fits(command.len(), SPARE);
        if !has_room || self.slots.add(header, command, self.election.promised()).is_err() {
            self.is_full_owed = true;
            self.work.events();
            return Err(ProposeError::LogFull);
        }
        let index = self.slots.last();
        self.proposals.made(index);
        self.work.records();
        self.work.members();
        Ok(Proposal { epoch, index })
    }

    /// Asks to read the application's state, linearizably, at any node. When [`Event::Read`] comes with this id or a later one, everything
    /// that was chosen before this call is applied here: answer from the state as it is then.
    ///
    /// A leader asks a quorum of phase 2 for nothing but whether it still leads; any other node asks a quorum of phase 1 how far they have
    /// voted, and waits until that is chosen. Reads that are asked for together, or while others are under way, share a question.
    ///
    /// # Errors
    ///
    /// [`ReadError::Stopped`] if the machine stopped itself; [`ReadError::NotAMember`] at a node that is no member. Reads that wait when a
    /// node is removed are not answered any more: [`Event::Reconfigured`] says when.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_log::ReadId;
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert_eq!(node.read(), Ok(ReadId::new(1)));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn read(&mut self) -> Result<ReadId, ReadError> {
        if self.fatal.is_some() {
            return Err(ReadError::Stopped);
        }
        if S::CHANGES && self.group.has_no_role(self.group.me()) {
            return Err(ReadError::NotAMember);
        }
        self.work.all();
        Ok(self.reads.want())
    }

    /// The number of a ballot in entries and proposals: it grows with the ballots, and no two members have the same. 0 for none.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Ballot, Member, multi::{Config, Inline, MultiPaxos}};
    /// # let [a, b] = [1, 2].map(NodeId::new);
    /// # type Node = MultiPaxos<Inline<2, 1024, 16, 64>>;
    /// let members = [a, b].map(Member::new);
    /// let node = Node::new(a, members, Quorums::majority(2), Config::lan(), 42)?;
    /// assert!(node.epoch_of(Ballot::new(3, a)) < node.epoch_of(Ballot::new(3, b)));
    /// assert!(node.epoch_of(Ballot::new(3, b)) < node.epoch_of(Ballot::new(4, a)));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    #[must_use]
    pub fn epoch_of(&self, ballot: Ballot) -> u64 {
        if ballot.is_zero() {
            return 0;
        }
        // among the members: what else is known differs from node to node
        let place = self.group.members().position(|member| member.id == ballot.node);
        let place = place.unwrap_or(Work::MEMBERS);
        ballot.round.wrapping_shl(6) | place as u64
    }

    /// Entries of the log from a slot on, as many as lie one after the other in memory; none where the log does not have it. What is after
    /// the [commit](Status::commit) may never be chosen, and there may be [holes](EntryKind::Hole) in it.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert!(node.entries(1).is_empty());
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    #[must_use]
    pub fn entries(&self, from: Slot) -> Entries<'_> {
        self.slots.slice(self.slots.span(from, Slot::MAX, usize::MAX))
    }

    /// The ballot of this node's vote for a slot that it does not know to be chosen; none without a vote.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # let me = NodeId::new(1);
    /// # type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert!(node.accepted(1).is_zero());
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    #[must_use]
    pub fn accepted(&self, slot: Slot) -> Ballot {
        if slot <= self.slots.commit() { Ballot::ZERO } else { self.slots.ballot_at(slot) }
    }

    pub(super) fn leader_id(&self) -> Option<NodeId> {
        match self.role {
            Role::Leader => Some(self.group.my_id()),
            _ => self.election.leader().map(|(index, _)| self.group.id(index)),
        }
    }

    /// Whether this node votes.
    #[inline]
    pub(super) fn votes(&self) -> bool {
        self.founded && self.group.has_role(self.group.me(), Roles::ACCEPTOR)
    }

    /// Whether others may count on what it says of itself: not if its disk was erased, and it is one that votes.
    pub(super) fn may_be_heard(&self) -> bool {
        self.founded || !self.group.has_role(self.group.me(), Roles::ACCEPTOR)
    }

    fn handle(&mut self, from: NodeId, message: &Message<'_>) -> Result<(), Rejected> {
        if self.fatal.is_some() {
            return Err(Rejected::Stopped);
        }
        let index = match self.group.index_of(from) {
            Some(index) => index,
            None => self.meet(from, message)?,
        };
        if index == self.group.me() {
            return Err(Rejected::Impossible);
        }
        match *message {
            Message::Heartbeat { .. } => self.on_heartbeat(index, message),
            Message::Prepare { configuration, .. }
            | Message::Accept { configuration, .. }
            | Message::Query { configuration, .. }
            | Message::Stand { configuration, .. }
                if configuration != self.reconfiguration.number =>
            {
                self.on_foreign(index, configuration)
            }
            Message::Prepare { ballot, from, .. } => self.on_prepare(index, ballot, from),
            Message::Promise { .. } => self.on_promise(index, message),
            Message::Accept { ballot, first, commit, entries, .. } => {
                self.on_accept(index, ballot, (first, commit, entries))
            }
            Message::Accepted { ballot, through } => self.on_accepted(index, ballot, through),
            Message::Preempted { ballot, promised } => self.on_preempted(index, ballot, promised),
            Message::Fetch { from, snapshot, offset } => {
                self.on_fetch(index, from, (snapshot, offset))
            }
            Message::Chosen { first, commit, entries } => {
                self.on_chosen(index, first, commit, entries)
            }
            Message::Chunk { snapshot, offset, done, data } => {
                self.on_chunk(index, snapshot, (offset, done, data), None)
            }
            Message::LastChunk { .. } if !S::CHANGES => Err(Rejected::Full),
            Message::LastChunk { snapshot, offset, configuration, quorums, members, data } => {
                let configuration = Configuration { number: configuration, quorums, members };
                self.on_chunk(index, snapshot, (offset, true, data), Some(configuration))
            }
            Message::Query { number, .. } => self.on_query(index, number),
            Message::Stand { ballot, .. } => self.on_stand(index, ballot),
            Message::Answer { number, promised, last } => {
                self.on_answer(index, number, promised, last)
            }
        }
    }

    /// The sender must vote.
    pub(super) fn acceptor(&self, index: usize) -> Result<(), Rejected> {
        match self.group.has_role(index, Roles::ACCEPTOR) {
            true => Ok(()),
            false => Err(Rejected::Impossible),
        }
    }

    /// The sender of an answer must vote. One that did when it was asked is not listened to: in a configuration that has ended, or in a later
    /// one that this node has lost in a crash.
    pub(super) fn listens_to(&self, index: usize) -> Result<bool, Rejected> {
        let votes = self.group.has_role(index, Roles::ACCEPTOR);
        match votes || S::CHANGES {
            true => Ok(votes),
            false => Err(Rejected::Impossible),
        }
    }

    /// A ballot that a message names.
    pub(super) fn check_ballot(&self, ballot: Ballot) -> Result<(), Rejected> {
        match ballot.is_in_range(self.election.seen()) && ballot.round <= MAX_ROUND {
            true => Ok(()),
            false => Err(Rejected::OutOfRange),
        }
    }

    /// A ballot that must be the sender's own.
    pub(super) fn check_own_ballot(&self, index: usize, ballot: Ballot) -> Result<(), Rejected> {
        self.acceptor(index)?;
        if ballot.is_zero() || ballot.node != self.group.id(index) {
            return Err(Rejected::Malformed);
        }
        self.check_ballot(ballot)
    }

    fn restore_accepted(
        &mut self,
        first: Slot,
        (ballot, then): (Ballot, Ballots<'_>),
        (commit, entries): (Slot, &[u8]),
    ) -> Result<(), Corrupt> {
        let run = entry::check_restored(entries, S::CHANGES).map_err(|_| Corrupt::Malformed)?;
        let count = run.count;
        let last = first.saturating_add(count).saturating_sub(1);
        let is_number = first > 0 && count > 0 && last < LIMIT && commit <= last;
        if !is_number || ballot.round > MAX_ROUND {
            return Err(Corrupt::Malformed);
        }
        let (mut slot, mut highest) = (first, ballot);
        for (next, ballot) in then.iter() {
            if next <= slot || next > last || ballot.round > MAX_ROUND {
                return Err(Corrupt::Malformed);
            }
            (slot, highest) = (next, highest.max(ballot));
        }
        if let Some(members) = run.members
            && (!S::CHANGES || members > self.most_members())
        {
            return Err(Corrupt::Full);
        }
        let open = self.slots.commit().saturating_add(1);
        if first > self.slots.last().saturating_add(MAX_HOLES) {
            return Err(Corrupt::Gap);
        }
        self.restore_commit(commit.min(first.saturating_sub(1)), 0);
        self.slots.put_back(first, (ballot, then), entries)?;
        if run.members.is_some() {
            self.slots.has_stop_sign();
        }
        if commit >= open && self.slots.has_hole(open, commit) {
            return Err(Corrupt::Gap);
        }
        self.restore_commit(commit, last);
        if !self.slots.is_consistent(first) {
            return Err(Corrupt::Malformed);
        }
        self.election.restore(highest);
        Ok(())
    }

    pub(super) const fn is_started(&self) -> bool {
        self.started
    }
}

impl<S: Storage> Machine for MultiPaxos<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        match record {
            Record::Founded { members } => {
                if members != self.founders {
                    return Err(Corrupt::Founders);
                }
                self.founded = true;
            }
            Record::Promised { ballot } => {
                if ballot < self.election.promised() {
                    return Err(Corrupt::Regression);
                }
                if ballot.is_zero() || ballot.round > MAX_ROUND {
                    return Err(Corrupt::Malformed);
                }
                self.election.restore(ballot);
            }
            Record::Accepted { first, ballot, then, commit, entries } => {
                self.restore_accepted(first, (ballot, then), (commit, entries))?;
            }
            Record::Snapshot { slot, compacted } => {
                if slot == 0 || compacted > slot || slot >= LIMIT {
                    return Err(Corrupt::Malformed);
                }
                if slot < self.slots.snapshot() {
                    return Err(Corrupt::Regression);
                }
                if self.restore_members_at(slot) {
                    self.slots.reset(compacted);
                }
                self.slots.restore_snapshot(slot, compacted);
            }
            Record::Configuration { slot, number, quorums, members } => {
                self.restore_configuration(slot, Configuration { number, quorums, members })?;
            }
        }
        self.disk.restored(self.slots.last());
        Ok(())
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        // the two on the hot path say themselves what follows
        if !matches!(message, Message::Accept { .. } | Message::Accepted { .. }) {
            self.work.all();
        }
        let result = self.handle(from, &message);
        result.map_err(|reason| self.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.started {
            self.started = true;
            self.work.all();
            // the application must have the snapshot that the records name
            if self.slots.snapshot() > 0 && !self.is_resumed {
                (self.fatal, self.is_fatal_owed) = (Some(Fatal::LostState), true);
            } else {
                self.start();
            }
        }
        if self.fatal.is_none() {
            self.election_tick();
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        let was_open = self.disk.is_open();
        if !self.disk.returned(ticket) {
            return;
        }
        match self.role {
            Role::Leader => {
                // a quorum of phase 2 may be this node alone
                if self.disk.durable() > self.slots.commit() {
                    self.advance_commit();
                }
            }
            Role::Candidate => {
                self.work.all();
                self.conclude();
            }
            Role::Follower => {}
        }
        if !was_open || self.disk.issued() < self.slots.last() {
            self.work.all();
            return;
        }
        self.work.events();
        for (index, peer) in self.peers.iter().enumerate() {
            if !peer.owed.is_nothing() {
                self.work.member(index);
            }
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.next_output()
    }

    fn deadline(&self) -> Option<Instant> {
        // the first tick, which starts it, is due at once
        if self.started { self.election.deadline() } else { Some(self.now) }
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let founded = self.founded.then_some(Record::Founded { members: self.founders });
        let promised = self.election.promised();
        let promised = (!promised.is_zero()).then_some(Record::Promised { ballot: promised });
        let (slot, compacted) = (self.slots.snapshot(), self.slots.compacted());
        let snapshot = (slot > 0).then_some(Record::Snapshot { slot, compacted });
        let mut at = compacted;
        let votes = core::iter::from_fn(move || {
            let span = self.slots.unwritten(at)?;
            at = span.last();
            Some(self.slots.record(span))
        });
        let (base, arriving) = self.configuration_records();
        let said = [founded, promised, base, snapshot, arriving];
        said.into_iter().flatten().chain(votes)
    }

    fn status(&self) -> Status {
        Status {
            id: self.group.my_id(),
            founded: self.founded,
            role: self.role,
            leader: self.leader_id(),
            promised: self.election.promised(),
            last: self.slots.last(),
            commit: self.slots.commit(),
            applied: self.slots.applied(),
            snapshot: self.slots.snapshot(),
            compacted: self.slots.compacted(),
            runs: self.slots.runs(),
            connected: self.election.is_connected(),
            configuration: self.reconfiguration.number,
            roles: self.own_roles(),
            foreign: self.reconfiguration.foreign,
            transfer: self.handover.map(|handover| handover.to),
            durable: self.disk.durable(),
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn fatal(&self) -> Option<Fatal> {
        self.fatal
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(limits::max_message_len::<S>(&self.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(limits::max_record_len::<S>(&self.config))
    }
}

impl<S: Storage> MultiPaxos<S> {
    /// Whether a quorum of acceptors, each counted once, agrees.
    pub(super) fn is_quorum(&self, phase: Phase, agrees: impl Fn(usize, &Peer) -> bool) -> bool {
        let me = self.group.me();
        let peers = &self.peers;
        self.group.is_quorum(phase, |index| {
            if index == me {
                self.founded
            } else {
                peers.get(index).is_some_and(|p| agrees(index, p))
            }
        })
    }
}
