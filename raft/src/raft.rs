use quorate_core::{
    Corrupt, Fatal, Instant, List, Machine, NodeId, Output, Rejected, Rejections, Rng, Ticket,
};
use quorate_log::{Held, MAX_HEADER_LEN};

use crate::disk::Disk;
use crate::extras::Extra;
use crate::log::{Log, TermLog};
use crate::members::Voters;
use crate::peer::Peer;
use crate::snapshot::{Chunk, Incoming};
use crate::storage::Storage;
use crate::transfer::Handover;
use crate::work::Work;
use crate::{
    Config, ConfigError, Entries, EntryKind, Event, Index, Member, Members, Membership, Message,
    Progress, ProposeError, Record, Role, Status, Term,
};

/// Terms and indexes at or beyond this are refused: no honest node comes near, and one hostile message must not use them up.
pub(crate) const LIMIT: u64 = 1 << 62;

/// The next index, term or round. It cannot wrap: every number from a peer or the disk is checked against
/// [`LIMIT`]. Saturating would take twice the code.
#[inline]
pub(crate) const fn succ(number: u64) -> u64 {
    number.wrapping_add(1)
}

/// A term further beyond the own one is not adopted: no honest node gets there between two messages, and a hostile message
/// cannot use up the terms there are. How such a gap is closed is in `gap.rs`.
pub(crate) const TERM_JUMP: u64 = 1 << 32;

/// Room in the log that proposals leave for the blank entries of that many leaders: without it, a log full of uncommitted
/// commands could never be committed by a new leader.
pub(crate) const SPARE_BLANKS: usize = 4;

/// A Raft node as a [`Machine`](quorate_core::Machine): the replicated log of Ongaro and Ousterhout ("In Search of an
/// Understandable Consensus Algorithm", 2014; sections in the comments are of Ongaro's thesis, "Consensus: Bridging Theory and
/// Practice", 2014).
///
/// The crate's front page shows the driving loop; [`Machine`](quorate_core::Machine) states what the driver owes. On top of
/// that contract:
///
/// * Make it with [`new`](Self::new), replay the records on disk through [`restore`](Self::restore), say by
///   [`resume`](Self::resume) what the application's snapshot covers, then [`tick`](Self::tick): the first tick starts it. A
///   restarted node is a follower.
/// * Send while the disk writes: a leader's own disk is one vote among others for the commit (10.2.1).
/// * Answer [`Event::SnapshotWanted`]; take snapshots with [`snapshot_taken`](Self::snapshot_taken), or the log fills up.
///
/// A node sends another at most 8 messages in each [`Config::heartbeat_us`](crate::Config::heartbeat_us), even if that one
/// refuses everything, or forgets everything with each message; and one for each command, read or snapshot chunk of the
/// application on either node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
// The order matters on a Cortex-M: fields near the front take shorter instructions, and the log is long.
#[repr(C)]
pub struct Raft<S: Storage> {
    pub(crate) role: Role,
    pub(crate) fatal: Option<Fatal>,
    pub(crate) started: bool,
    /// What this node is in the cluster.
    pub(crate) membership: Membership,
    /// The leader itself asked for this election.
    pub(crate) taking_over: bool,
    /// Whether it might lead by the configuration before the last.
    pub(crate) led_before: bool,
    /// Something may have to follow when the last configuration is committed.
    pub(crate) unsettled: bool,
    /// A message of this round was made: reads from now on need another.
    pub(crate) round_sent: bool,
    /// The application must be told of the role.
    pub(crate) role_changed: bool,
    /// The application must be told of the members.
    pub(crate) members_changed: bool,
    /// The application must be told of peers that lost entries.
    pub(crate) losses_owed: bool,
    /// The application must be told that something did not fit.
    pub(crate) full_owed: bool,
    /// The application must be told that the machine stopped.
    pub(crate) fatal_owed: bool,
    pub(crate) voters: Voters,
    pub(crate) work: Work,
    pub(crate) now: Instant,

    // On disk (3.8), with the log
    pub(crate) term: Term,
    pub(crate) vote: Option<NodeId>,
    pub(crate) snapshot: Index,
    pub(crate) snapshot_term: Term,

    // Not on disk
    pub(crate) commit: Index,
    pub(crate) applied: Index,
    pub(crate) leader: Option<NodeId>,
    pub(crate) id: NodeId,
    /// The entry that lists the members, if it is after the snapshot.
    pub(crate) config_at: Index,
    /// The election timeout drawn last, in µs.
    pub(crate) timeout_us: u64,
    /// A follower starts an election then; a leader does not look at it.
    pub(crate) election_at: Instant,
    /// When leaders are due to be heard, and candidates to ask again.
    pub(crate) heartbeat_at: Instant,

    // Followers
    /// When the leader was last heard.
    pub(crate) leader_heard: Instant,
    /// The leader's round that was heard last.
    pub(crate) leader_round: u64,
    /// The log agrees with the leader's up to here.
    pub(crate) verified: Index,
    /// What was acknowledged to the leader.
    pub(crate) acknowledged: Index,
    pub(crate) incoming: Option<Incoming>,
    /// A snapshot that was received whole, for the application to install or refuse: its index and term.
    pub(crate) received: Option<(Index, Term)>,
    /// The index and term of that snapshot, or of one that was received before this node was started.
    pub(crate) arriving_at: (Index, Term),

    // Leaders
    /// The target of the leadership transfer in progress.
    pub(crate) handover: Option<Handover>,
    /// Who answers this round knows that the last configuration is committed.
    pub(crate) farewell: u64,
    /// The index of the blank entry that began the term.
    pub(crate) term_start: Index,
    pub(crate) round: u64,
    pub(crate) reads_wanted: u64,
    pub(crate) reads_done: u64,
    /// Reads up to this id are confirmed, and wait until this index is applied.
    pub(crate) reads_confirmed: Option<(u64, Index)>,

    pub(crate) disk: Disk,
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) rejections: Rejections,
    /// What goes beyond the bare protocol.
    pub(crate) extra: S::Extra,

    /// The members as of the snapshot; before the first, those that founded the cluster.
    pub(crate) base: S::Members,
    /// Those that founded the cluster; of no use where the members never change, as they are the base there.
    pub(crate) founders: S::Founders,
    /// The members as of the snapshot that arrives.
    pub(crate) arriving: S::Members,
    pub(crate) chunk: Chunk<S::Chunk>,
    pub(crate) peers: S::Peers,
    pub(crate) log: S::Log,
}

/// A command on its way: it is committed when the entry at this index is committed with this term, and lost when that entry
/// is committed with another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Proposal {
    /// The term it was proposed in.
    pub term: Term,
    /// Its place in the log.
    pub index: Index,
}

impl<S: Storage> Raft<S> {
    /// A node that founds a cluster. `voters` are all of its nodes, this one included, and the same on each, in any order. Pass this same
    /// list on every start, even after membership changes: it is a [record](Record::Founders), and another list is
    /// [refused](quorate_core::Corrupt::Founders) when that is restored. `seed` feeds the jitter of election timeouts and, with the time of the first question, the
    /// numbers that tell questions and forwarded commands of this start from those of earlier ones. The node's id is mixed in, so that all
    /// nodes may have the same. It should differ from start to start: where both seed and time are those of an earlier start, a late answer
    /// may be taken for one to a question of this.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    pub fn new(
        id: NodeId,
        voters: &[NodeId],
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        Self::build(id, Some(voters), config, seed)
    }

    /// A node that is to be added to a cluster: it knows nobody, asks for nothing, and waits for a leader. It is made so at every start; a
    /// node that has records of a founder is [refused](quorate_core::Corrupt::Founders).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_raft::{Config, Inline, Raft};
    /// let mut raft = Raft::<Inline<5, 1024, 16, 64>>::join(NodeId::new(4), Config::default(), 42)?;
    /// raft.tick(Instant::ZERO);
    /// assert_eq!(raft.deadline(), None);
    /// # Ok::<(), quorate_raft::ConfigError>(())
    /// ```
    pub fn join(id: NodeId, config: Config, seed: u64) -> Result<Self, ConfigError> {
        Self::build(id, None, config, seed)
    }

    fn build(
        id: NodeId,
        voters: Option<&[NodeId]>,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut peers = S::Peers::with_limit(config.max_members.min(Work::PEERS));
        let mut base = S::Members::with_limit(config.max_members.min(Work::PEERS));
        let mut own = Membership::NONE;
        for &voter in voters.unwrap_or_default() {
            let membership = Membership::VOTER;
            let twice = if voter == id {
                core::mem::replace(&mut own, membership) == membership
            } else {
                peers.iter().any(|peer| peer.id == voter)
            };
            if twice {
                return Err(ConfigError::DuplicateVoter(voter));
            }
            base.push(Member { id: voter, membership }.encode())
                .map_err(|_| ConfigError::TooManyMembers)?;
            if voter != id {
                peers
                    .push(Peer::new(voter, membership))
                    .map_err(|_| ConfigError::TooManyMembers)?;
            }
        }
        if voters.is_some() && own == Membership::NONE {
            return Err(ConfigError::NotAVoter);
        }
        let mut founders = S::Founders::with_limit(config.max_members);
        if S::CHANGES {
            let _ = founders.extend_from_slice(&base);
        }
        let extra = S::Extra::with_limit(config.max_members);
        let beyond = config.lease_drift.is_some()
            || config.snapshot_chunk_interval_us != 0
            || config.quiesce_us != 0
            || config.forward;
        if extra.get().is_none() && beyond {
            return Err(ConfigError::Fixed);
        }
        let log = S::Log::with_limit(config.max_log_bytes);
        let chunk = Chunk::<S::Chunk>::with_limit(config.max_snapshot_chunk_bytes);
        if !log.fits(1, SPARE_BLANKS) || chunk.limit() == 0 {
            return Err(ConfigError::Limits);
        }
        Ok(Self {
            id,
            // nodes that were given one seed must not all stand for election at the same times
            // (3.4); the seed goes through the generator first, because one that was drawn from
            // `Rng::new(id)` would cancel against the id
            rng: Rng::new(Rng::new(seed).next_u64() ^ id.get()),
            now: Instant::ZERO,
            started: false,
            fatal: None,
            rejections: Rejections::default(),
            term: 0,
            vote: None,
            log,
            snapshot: 0,
            snapshot_term: 0,
            membership: own,
            voters: Voters::founders(base.len()),
            led_before: false,
            base,
            founders,
            disk: Disk::default(),
            commit: 0,
            applied: 0,
            role: Role::Follower,
            leader: None,
            peers,
            config_at: 0,
            unsettled: false,
            timeout_us: config.election_max_us,
            election_at: Instant::ZERO,
            heartbeat_at: Instant::ZERO,
            taking_over: false,
            leader_heard: Instant::ZERO,
            leader_round: 0,
            verified: 0,
            acknowledged: 0,
            incoming: None,
            received: None,
            arriving: S::Members::with_limit(config.max_members),
            arriving_at: (0, 0),
            handover: None,
            farewell: 0,
            term_start: 0,
            round: 0,
            round_sent: true,
            reads_wanted: 0,
            reads_done: 0,
            reads_confirmed: None,
            chunk,
            extra,
            role_changed: false,
            members_changed: false,
            losses_owed: false,
            full_owed: false,
            fatal_owed: false,
            work: Work::default(),
            config,
        })
    }

    /// Proposes a command for the log. The leader's entry is on its way when this returns; it is committed when
    /// [`Event::Committed`] brings it back.
    ///
    /// # Errors
    ///
    /// [`ProposeError`] tells why it was not taken; nothing was changed. After
    /// [`LogFull`](ProposeError::LogFull), [`Event::LogFull`] comes as well.
    #[inline(always)] // whoever proposes in one place does without the call
    pub fn propose(&mut self, command: &[u8]) -> Result<Proposal, ProposeError> {
        self.stir();
        if self.role != Role::Leader {
            return Err(match self.fatal {
                Some(_) => ProposeError::Stopped,
                None => ProposeError::NotLeader(self.leader),
            });
        }
        if let Some(handover) = self.handover {
            return Err(ProposeError::Transferring(handover.to));
        }
        let len = command.len() as u64;
        let (half_entries, half_bytes) = self.log.half();
        let reserved = (SPARE_BLANKS.saturating_add(1)).saturating_mul(MAX_HEADER_LEN) as u64;
        let fits =
            len <= half_bytes && len.saturating_add(reserved) <= half_bytes.saturating_mul(2);
        if command.len() > self.config.max_entry_bytes || !fits {
            return Err(ProposeError::TooLarge);
        }
        let last = self.log.last();
        let uncommitted = self.log.bytes_between(self.commit, last);
        if uncommitted.saturating_add(len) > self.config.max_uncommitted_bytes as u64 {
            return Err(ProposeError::Busy);
        }
        // What is not committed may take half the log, or there might be no room for the blank entries of the leaders that are
        // to commit it; the other half is the application's to free.
        let pending = last.saturating_sub(self.commit);
        if pending >= half_entries || uncommitted.saturating_add(len) > half_bytes {
            return Err(ProposeError::Busy);
        }
        if last >= LIMIT
            || !self.log.fits(command.len(), SPARE_BLANKS)
            || self.log.add(self.term, EntryKind::Command, command).is_err()
        {
            self.owe_log_full();
            return Err(ProposeError::LogFull);
        }
        self.work.records();
        self.work.peers(self.peers_to_mark());
        Ok(Proposal { term: self.term, index: succ(last) })
    }

    /// The application is to make room in the log.
    #[cold]
    pub(crate) const fn owe_log_full(&mut self) {
        self.full_owed = true;
        self.work.events();
    }

    fn dispatch(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        if self.fatal.is_some() {
            return Err(Rejected::Stopped);
        }
        let mut guest = None;
        let at = match self.peers.iter().position(|p| p.id == from) {
            Some(at) => at,
            None => {
                let (at, before) = self.admit(from, &message).ok_or(Rejected::UnknownSender)?;
                guest = Some(before);
                at
            }
        };
        let result = self.hear(now, at, message);
        if result.is_err()
            && let Some(before) = guest
        {
            self.turn_away(at, before);
        }
        result
    }

    fn hear(&mut self, now: Instant, from: usize, message: Message<'_>) -> Result<(), Rejected> {
        self.advance(now);
        if self.fatal.is_some() {
            return Err(Rejected::Stopped);
        }
        if S::CHANGES
            && !self.peers.get(from).is_some_and(|peer| peer.membership.is_member())
            && let Some(result) = self.screen(from, &message)
        {
            return result;
        }
        let woken = self.rouse_by(&message);
        let result = match message {
            Message::Append { term, prev_index, prev_term, commit, round, entries } => {
                self.on_append(from, term, (prev_index, prev_term), commit, round, entries)
            }
            Message::AppendAccepted { term, round, match_index } => {
                self.on_accept(from, term, round, match_index)
            }
            Message::AppendRejected { term, round, prev_index, hint_index, hint_term } => {
                self.on_reject(from, term, round, prev_index, (hint_index, hint_term))
            }
            Message::RequestVote { pre, term, last_index, last_term } => {
                self.on_request_vote(from, pre, term, (last_term, last_index))
            }
            Message::TimeoutNow { term } => self.on_time_out(from, term),
            Message::RequestVoteForTransfer { term, last_index, last_term } => {
                self.on_take_over(from, term, (last_term, last_index))
            }
            Message::Vote { pre, term, granted } => self.on_vote(from, pre, term, granted),
            Message::Snapshot { term, round, index, index_term, offset, done, data } => {
                let part = (offset, done, data);
                self.on_snapshot(from, term, round, (index, index_term), part, Members::NONE)
            }
            Message::SnapshotEnd { term, round, index, index_term, offset, members, data } => {
                let part = (offset, true, data);
                self.on_snapshot(from, term, round, (index, index_term), part, members)
            }
            Message::SnapshotAck { term, round, index, offset } => {
                self.on_snapshot_ack(from, term, round, index, offset)
            }
            Message::ReadIndex { term, id } => self.on_read_index(from, term, id),
            Message::ReadIndexConfirmed { term, id, index } => {
                self.on_read_at(from, term, id, index)
            }
            Message::Quiesce { term, round, index } => self.on_rest(from, term, round, index),
            Message::RequestSnapshot { term, index } => self.on_renew(from, term, index),
            Message::Propose { term, id, round, commands } => {
                self.on_propose(from, term, (id, round), commands)
            }
            Message::Proposed { term, id, index, count } => {
                self.on_proposed(from, term, id, (index, count))
            }
            Message::Removed { term, index, index_term } => {
                self.on_removed(term, (index, index_term))
            }
            Message::LeasePromise { term, round, promise_us } => {
                self.on_promise(from, term, round, promise_us)
            }
        };
        let result = match result {
            Err(reason) if self.extra.get().is_some() => self.on_refused(from, &message, reason),
            taken => taken,
        };
        if woken && result.is_err() {
            self.rest_on();
        }
        result
    }

    /// Whether the own disk alone cannot commit anything: other voters are needed, and no peer is beyond the commit index.
    #[inline]
    fn is_first_to_write(&self) -> bool {
        S::CHANGES
            && self.voters.new > 1
            && self.peers.iter().all(|peer| peer.match_index <= self.commit)
    }

    /// A leader's view of its peers; of no meaning on other nodes.
    pub fn peers(&self) -> impl Iterator<Item = Progress> + '_ {
        let members = self.peers.iter().filter(|peer| peer.membership.is_member());
        members.map(|peer| Progress {
            id: peer.id,
            membership: peer.membership,
            replication: peer.replication,
            match_index: peer.match_index,
            next_index: peer.next_index,
            lost: peer.lost(),
            inflight_bytes: self
                .log
                .bytes_between(peer.match_index, peer.next_index.saturating_sub(1)),
            silent_us: self.now.since(peer.heard),
        })
    }

    /// The term of the entry at `index`, if it is in the log or just before it.
    #[must_use]
    pub fn term(&self, index: Index) -> Option<Term> {
        self.log.term(index)
    }

    /// The term of the entry at `index`, 0 if it is not in the log: no entry has term 0.
    pub(crate) fn term_at(&self, index: Index) -> Term {
        self.log.term(index).unwrap_or(0)
    }

    /// A contiguous run of the log from `from` on; it may end before the log does. Empty where there are no entries.
    #[must_use]
    pub fn entries(&self, from: Index) -> Entries<'_> {
        self.log.entries(from, Index::MAX, usize::MAX)
    }

    /// Moves the clock, never back, and starts the machine if it has not been.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.started {
            self.start();
        }
    }

    #[cold]
    fn start(&mut self) {
        self.started = true;
        self.work.all();
        // The records must lead up to the snapshot they speak of, and the application must have said that it has that one, or the
        // disk has lost some.
        if self.applied < self.snapshot
            || self.log.last() < self.snapshot
            || self.log.last_term() > self.term
        {
            self.stop(Fatal::LostState);
            return;
        }
        self.draw_election_timeout();
        if self.leases() {
            // it may have answered a leader just before it went down, which counts on that
            self.leader_heard = self.now;
        }
    }

    /// Takes no further part (DESIGN: a violated invariant is reported, never repaired in silence).
    #[cold]
    pub(crate) fn stop(&mut self, reason: Fatal) {
        self.fatal = Some(reason);
        self.fatal_owed = true;
        self.work.all();
        self.role = Role::Follower;
        self.leader = None;
    }

    /// How many peers to look at when all are to be: on a board it is cheaper to find out than to compute.
    #[inline]
    pub(crate) fn peers_to_mark(&self) -> usize {
        if S::CHANGES { self.peers.len() } else { Work::PEERS }
    }

    /// Whether an honest node may be in this term.
    pub(crate) const fn plausible(&self, term: Term) -> bool {
        term < LIMIT && term <= self.term.wrapping_add(TERM_JUMP)
    }
}

/// Beside what [`Machine`] says of each method: the first [`tick`](Machine::tick) starts the node, and what
/// [`restore`](Machine::restore) leaves behind after an error is told there, with one exception: if a [`Record::Append`] does not
/// fit ([`Corrupt::Full`]), the log may have been truncated to where the record begins, and may hold as many of its entries as
/// fitted, with the members that these list. Drop the machine after any error but [`Corrupt::Started`].
impl<S: Storage> Machine for Raft<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.restore_record(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        let result = self.dispatch(now, from, message);
        if let Err(reason) = result {
            self.rejections.count(reason);
        }
        result
    }

    fn tick(&mut self, now: Instant) {
        if self.fatal.is_some() {
            return;
        }
        self.advance(now);
        self.set_times();
        match self.role {
            // a part of a snapshot may be due
            Role::Leader if self.now < self.heartbeat_at && self.extra.get().is_some() => {
                self.work.events();
            }
            Role::Leader if self.now < self.heartbeat_at || self.peers.is_empty() => {}
            Role::Leader => self.lead_on(),
            _ if self.now >= self.election_at => {
                self.forget_raises();
                if self.has_refused() {
                    self.look_at_refusals();
                }
                self.start_election(self.config.pre_vote);
            }
            Role::PreCandidate | Role::Candidate if self.now >= self.heartbeat_at => {
                self.ask_again();
            }
            Role::Follower => {
                self.ask_leader_again();
                self.renew_again();
                self.forward_again();
            }
            _ => {}
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        if self.fatal.is_some() || !self.disk.returned(ticket) {
            return;
        }
        self.work.disk_done();
        if self.disk.snapshot_dirty || self.disk.issued_index() < self.log.last() {
            self.work.records();
        }
        if self.applied < self.commit || self.chunk.held() != Held::Nothing {
            self.work.events();
        }
        match self.role {
            Role::Leader if self.disk.durable() > self.commit && !self.is_first_to_write() => {
                self.advance_commit();
            }
            Role::Candidate => self.count_votes(),
            _ => {}
        }
    }

    #[inline]
    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.next_output()
    }

    fn deadline(&self) -> Option<Instant> {
        if self.fatal.is_some() {
            return None;
        }
        if !self.started {
            return Some(Instant::ZERO);
        }
        if self.is_quiet() {
            return None;
        }
        match self.role {
            Role::Leader if self.peers.is_empty() => None,
            Role::Leader => Some(self.heartbeat_at.min(self.part_at())),
            Role::Follower if self.leader.is_none() && !self.may_lead() => {
                self.may_be_removed().then_some(self.election_at)
            }
            Role::Follower => Some(self.election_at.min(self.asks_at())),
            _ => Some(self.heartbeat_at.min(self.election_at)),
        }
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.records()
    }

    fn status(&self) -> Status {
        Status {
            id: self.id,
            role: self.role,
            term: self.term,
            vote: self.vote,
            leader: self.leader,
            first: succ(self.log.compacted()),
            last: self.log.last(),
            durable: self.disk.durable(),
            commit: self.commit,
            applied: self.applied,
            snapshot: self.snapshot,
            membership: self.membership,
            config: self.config_at,
            joint: self.voters.old != 0,
            transfer: self.handover.map(|handover| handover.to),
            quiescent: self.is_quiet(),
            removed: self.removed_by(),
            awaits_snapshot: self.awaits_snapshot(),
            refusing: self.refusing(),
            fatal: self.fatal,
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(Self::max_message_len(&self.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(Self::max_record_len(&self.config))
    }

    fn fatal(&self) -> Option<Fatal> {
        self.fatal
    }
}
