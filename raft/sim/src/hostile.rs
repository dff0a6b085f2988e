//! One Raft node against anything: what the fuzz targets run, and the tests replay.
//!
//! No input, however hostile, may panic the node, make it go back on what it promised, stop it, or keep it from following an
//! honest leader afterwards. Bytes are read as a list of inputs, so that a fuzzer can cut and splice them.

use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Ticket, Wire, Writer};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{
    Change, Config, Event, Heap, Index, Inline, Members, Message, Raft, Record, Status, Storage,
    Term,
};

use super::oracle::Oracle;

/// Decodes bytes as a message and as a record. What decodes must encode to the same bytes.
///
/// # Errors
///
/// What does not.
pub fn decode(data: &[u8]) -> Result<(), String> {
    check_round_trip(data, Message::from_slice(data).ok())?;
    check_round_trip(data, Record::from_slice(data).ok())
}

fn check_round_trip<'a, T: Wire<'a> + core::fmt::Debug>(
    data: &[u8],
    value: Option<T>,
) -> Result<(), String> {
    let Some(value) = value else { return Ok(()) };
    let mut bytes = vec![0; value.encoded_len()];
    match value.to_slice(&mut bytes) {
        Ok(written) if written == data => Ok(()),
        other => Err(format!("{value:?} was read from {data:02x?} and is written as {other:02x?}")),
    }
}

/// Gives a node of a cluster of three a list of inputs, then an honest leader.
///
/// # Errors
///
/// What was violated.
pub fn inputs(data: &[u8]) -> Result<(), String> {
    match data.split_first() {
        Some((0..128, rest)) => NodeUnderTest::<Inline<3, 512, 16, 32>>::new(rest.len())?.run(rest),
        Some((_, rest)) => NodeUnderTest::<Heap>::new(rest.len())?.run(rest),
        None => Ok(()),
    }
}

/// The node, its disk and its application.
struct NodeUnderTest<S: Storage> {
    raft: Raft<S>,
    config: Config,
    now: Instant,
    disk: Vec<Vec<u8>>,
    waiting: Vec<(Ticket, Vec<u8>)>,
    oracle: Oracle,
    /// The newest snapshot that the application has: the index it covers and the term there.
    snapshot: (Index, Term),
    /// A snapshot that arrived whole.
    complete: Option<(Index, Term)>,
    snapshot_requests: Option<(NodeId, Index, u64)>,
    full: bool,
    accepted: Index,
    seen: Option<Status>,
}

const NODE: NodeId = NodeId::new(1);

/// More outputs than this at once are a storm.
const MAX_OUTPUTS: usize = 2_000;

impl<S: Storage> NodeUnderTest<S> {
    fn new(salt: usize) -> Result<Self, String> {
        let config = Config {
            pre_vote: !salt.is_multiple_of(3),
            check_quorum: !salt.is_multiple_of(5),
            forward: !salt.is_multiple_of(7),
            max_append_bytes: 64,
            max_inflight_entries: 4,
            max_inflight_bytes: 128,
            max_entry_bytes: 64,
            max_uncommitted_bytes: 256,
            max_snapshot_chunk_bytes: 32,
            max_log_bytes: 512,
            ..Config::default()
        };
        let mut victim = Self {
            raft: Self::boot(&config)?,
            config,
            now: Instant::ZERO,
            disk: Vec::new(),
            waiting: Vec::new(),
            oracle: Oracle::new(3, 3).for_single_node(),
            snapshot: (0, 0),
            complete: None,
            snapshot_requests: None,
            full: false,
            accepted: 0,
            seen: None,
        };
        victim.raft.tick(victim.now);
        Ok(victim)
    }

    fn boot(config: &Config) -> Result<Raft<S>, String> {
        let voters = [NODE, NodeId::new(2), NodeId::new(3)];
        Raft::new(NODE, &voters, config.clone(), 7).map_err(|e| format!("no node: {e}"))
    }

    fn run(mut self, data: &[u8]) -> Result<(), String> {
        let mut input = Input(data);
        while let Some(what) = input.byte() {
            self.step(what, &mut input)?;
            self.drain()?;
            self.check()?;
        }
        self.follow_an_honest_leader()
    }

    fn step(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        match what % 16 {
            0..6 => return self.receive(input),
            6 => {
                self.now = self.now.after(u64::from(input.byte().unwrap_or(0)) * 2_000);
                self.raft.tick(self.now);
            }
            7 | 8 => self.sync(usize::MAX),
            9 => self.sync(usize::from(input.byte().unwrap_or(0) % 4)),
            10 => self.raft.campaign(self.now),
            11 => {
                let len = usize::from(input.byte().unwrap_or(0) % 80);
                let command = &[0x55; 80][..len];
                if self.raft.propose(command).is_err() {
                    let _ = self.raft.forward(command);
                }
            }
            12 => {
                let _ = self.raft.read();
            }
            13 => self.compact(u64::from(input.byte().unwrap_or(0) % 8)),
            14 => self.install(input.byte().unwrap_or(0).is_multiple_of(4)),
            _ => return self.operator_input(input),
        }
        Ok(())
    }

    /// Requests of an operator, and the rest of what an application does.
    fn operator_input(&mut self, input: &mut Input<'_>) -> Result<(), String> {
        match input.byte().unwrap_or(0) % 12 {
            0 => return self.restart(),
            1 => self.raft.step_down(),
            2 => self.send_snapshot(),
            3 => return self.checkpoint(),
            4 => {
                let _ = self.raft.transfer(input.node());
            }
            5 => self.raft.abort_transfer(),
            6 => self.raft.forget_leader(),
            7 => {
                let _ = self.raft.leave_joint();
            }
            10 => self.raft.unquiesce(self.now),
            11 => {
                let _ = self.raft.request_snapshot();
            }
            what => {
                let count = usize::from(input.byte().unwrap_or(0) % 4);
                let changes: Vec<Change> = (0..count).map(|_| input.change()).collect();
                let _ = if what == 8 {
                    self.raft.change(&changes)
                } else {
                    self.raft.change_jointly(&changes)
                };
            }
        }
        Ok(())
    }

    /// A message from a peer or a non-member: made of plausible numbers, or of whatever bytes
    /// decode.
    fn receive(&mut self, input: &mut Input<'_>) -> Result<(), String> {
        let from = NodeId::new(2 + u64::from(input.byte().unwrap_or(0) % 4));
        let before = self.raft.status();
        let mut bytes = Vec::new();
        let result = match input.message(&before, &mut bytes) {
            Some(message) => self.raft.receive(self.now, from, message),
            None => Ok(()),
        };
        let Err(reason) = result else { return Ok(()) };
        let after = self.raft.status();
        if after != before {
            return Err(format!("refused ({reason}), and yet {before:?} became {after:?}"));
        }
        if reason == Rejected::Stopped {
            return Err("the node stopped".into());
        }
        Ok(())
    }

    fn sync(&mut self, count: usize) {
        let count = count.min(self.waiting.len());
        let mut last = None;
        for (ticket, record) in self.waiting.drain(..count) {
            if let Ok(record) = Record::from_slice(&record) {
                self.oracle.durable(0, record);
            }
            self.disk.push(record);
            last = Some(ticket);
        }
        if let Some(ticket) = last {
            self.raft.persisted(ticket);
        }
    }

    fn compact(&mut self, keep: u64) {
        let index = self.raft.status().applied;
        let term = self.raft.term(index).unwrap_or(0);
        if self.raft.snapshot_taken(index, index.saturating_sub(keep)).is_ok() {
            self.snapshot = (index, term);
        }
    }

    fn install(&mut self, refuse: bool) {
        let Some(complete) = self.complete.take() else { return };
        if refuse {
            self.raft.snapshot_refused();
            return;
        }
        if self.raft.snapshot_installed(complete.0).is_ok() {
            self.snapshot = complete.max(self.snapshot);
        }
    }

    fn send_snapshot(&mut self) {
        let Some((to, index, offset)) = self.snapshot_requests.take() else { return };
        let _ = self.raft.send_snapshot(to, index, offset, &[7; 16], offset > 64);
    }

    fn restart(&mut self) -> Result<(), String> {
        self.waiting.clear();
        let mut raft = Self::boot(&self.config)?;
        for record in &self.disk {
            let decoded = Record::from_slice(record).map_err(|e| format!("{record:?}: {e}"))?;
            raft.restore(decoded).map_err(|e| format!("cannot replay {decoded:?}: {e}"))?;
        }
        let (index, term) = self.snapshot;
        raft.resume(index, term).map_err(|e| format!("cannot resume {index}@{term}: {e}"))?;
        raft.tick(self.now);
        self.raft = raft;
        self.oracle.crashed(0);
        (self.complete, self.snapshot_requests, self.seen) = (None, None, None);
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        let mut disk = Vec::new();
        self.oracle.records_replaced(0);
        for record in self.raft.checkpoint() {
            let mut bytes = vec![0; record.encoded_len()];
            record.to_slice(&mut bytes).map_err(|e| format!("does not encode: {e}"))?;
            self.oracle.durable(0, record);
            disk.push(bytes);
        }
        self.disk = disk;
        if let Some((ticket, _)) = self.waiting.drain(..).next_back() {
            self.raft.persisted(ticket);
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), String> {
        let mut count = 0;
        while let Some(output) = self.raft.poll() {
            count += 1;
            if count > MAX_OUTPUTS {
                return Err("never gets quiet".into());
            }
            match output {
                Output::Persist(ticket, record) => {
                    let mut bytes = vec![0; record.encoded_len()];
                    record.to_slice(&mut bytes).map_err(|e| format!("does not encode: {e}"))?;
                    self.waiting.push((ticket, bytes));
                }
                Output::Send(to, message) => {
                    self.oracle.sent(0, to, message)?;
                    if let Message::AppendAccepted { match_index, .. } = message {
                        self.accepted = match_index;
                    }
                }
                Output::Event(event) => match event {
                    Event::Fatal(reason) => return Err(format!("stopped: {reason}")),
                    Event::LogFull => self.full = true,
                    Event::SnapshotWanted { to, index, offset, .. } => {
                        self.snapshot_requests = Some((to, index, offset));
                    }
                    Event::SnapshotChunk { index, index_term, done: true, .. } => {
                        self.complete = Some((index, index_term));
                    }
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let status = self.raft.status();
        let ordered = status.first <= status.snapshot + 1
            && status.snapshot <= status.applied
            && status.applied <= status.commit
            && status.commit <= status.last;
        if !ordered {
            return Err(format!("out of order: {status:?}"));
        }
        let earlier = self.seen.replace(status);
        let back = |e: Status| {
            let again = e.term == status.term && e.vote.is_some() && e.vote != status.vote;
            again || e.term > status.term || e.commit > status.commit || e.applied > status.applied
        };
        match earlier {
            Some(earlier) if back(earlier) => Err(format!("{earlier:?} became {status:?}")),
            _ => Ok(()),
        }
    }

    /// Whatever happened, the node takes an entry of a leader that has all it committed: of a voter, or else of another
    /// member, if it knows one.
    fn follow_an_honest_leader(&mut self) -> Result<(), String> {
        let term = self.raft.status().term + 1;
        for round in 1..20 {
            self.sync(usize::MAX);
            self.drain()?;
            self.install(false);
            if core::mem::take(&mut self.full) {
                self.compact(0);
            }
            self.drain()?;
            let status = self.raft.status();
            // a non-member would have to wait until a leader that is a non-member too is given up,
            // if there is room for one only
            let mut others: Vec<_> = self.raft.members().iter().filter(|m| m.id != NODE).collect();
            others.sort_by_key(|member| !member.membership.is_voter());
            let leader = others.first().map_or(NodeId::new(2), |member| member.id);
            let prev_term = self.raft.term(status.commit).unwrap_or(0);
            if status.applied < status.commit {
                // it asked for a snapshot, and applies nothing until it has one
                self.send_full_snapshot(leader, (term, round), (status.commit, prev_term))?;
                continue;
            }
            let mut entry = Vec::new();
            super::text_format::push_entry(&mut entry, term, 1, &[]);
            let message = Message::Append {
                term,
                prev_index: status.commit,
                prev_term,
                commit: status.commit,
                round,
                entries: &entry,
            };
            self.accepted = 0; // what it accepted before says nothing of this one
            let result = self.raft.receive(self.now, leader, message);
            self.drain()?;
            self.sync(usize::MAX);
            self.drain()?;
            if self.accepted > status.commit && result.is_ok() && self.raft.status().term == term {
                return Ok(());
            }
        }
        let members = self.raft.members();
        Err(format!("follows no honest leader of {members:?}: {:?}", self.raft.status()))
    }

    fn send_full_snapshot(
        &mut self,
        leader: NodeId,
        (term, round): (u64, u64),
        (index, index_term): (u64, u64),
    ) -> Result<(), String> {
        let members = self.raft.members().bytes().to_vec();
        let Ok(members) = Members::decode(&members) else { return Ok(()) };
        let message = Message::SnapshotEnd {
            term,
            round,
            index,
            index_term,
            offset: 0,
            members,
            data: &[0x55],
        };
        let _ = self.raft.receive(self.now, leader, message);
        self.drain()?;
        self.sync(usize::MAX);
        self.drain()
    }
}

/// Bytes that are read as numbers and messages.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A number near one that matters, or near an end of the range.
    fn number_near(&mut self, number: u64) -> u64 {
        let byte = self.byte().unwrap_or(0);
        let offset = u64::from(byte & 0x0f);
        match byte >> 4 {
            0..6 => number.saturating_add(offset),
            6..11 => number.saturating_sub(offset),
            11 => offset,
            // about as far as a member is believed
            12 => number.saturating_add((1 << 32) - 8 + offset),
            13 => (1 << 62) - 8 + offset,
            14 => (1 << 63) - 8 + offset,
            _ => u64::MAX - offset,
        }
    }

    /// A node of the cluster, this one, or a non-member.
    fn node(&mut self) -> NodeId {
        NodeId::new(1 + u64::from(self.byte().unwrap_or(0) % 6))
    }

    fn change(&mut self) -> Change {
        let what = self.byte().unwrap_or(0) % 5;
        let node = self.node();
        match what {
            0 => Change::Add(node),
            1 => Change::AddWitness(node),
            2 => Change::Promote(node),
            3 => Change::Demote(node),
            _ => Change::Remove(node),
        }
    }

    /// A list of members, mostly one that there may be.
    fn members(&mut self, out: &mut Vec<u8>) {
        for _ in 0..self.byte().unwrap_or(0) % 6 {
            let membership = match self.byte().unwrap_or(0) {
                byte @ 0..32 => byte,
                byte => [3, 3, 7, 4, 1, 11, 15, 19][usize::from(byte % 8)],
            };
            out.push(membership);
            out.extend(self.node().get().to_le_bytes());
        }
    }

    /// Entries of every kind.
    fn entries(&mut self, status: &Status, run: &mut Vec<u8>) {
        for _ in 0..self.byte().unwrap_or(0) % 6 {
            let term = self.number_near(status.term);
            let what = self.byte().unwrap_or(0);
            let mut data = Vec::new();
            let kind = match what >> 5 {
                0..5 => 0,
                5 => 1,
                6 => 2,
                _ => 3,
            };
            match kind {
                0 => data.resize(usize::from(what % 40), 0x77),
                2 => self.members(&mut data),
                // there should be nothing in these
                _ if what % 32 == 31 => data.push(0x77),
                _ => {}
            }
            super::text_format::push_entry(run, term, kind, &data);
        }
    }

    /// A message: what it carries is written to `buffer`.
    fn message<'b>(&mut self, status: &Status, buffer: &'b mut Vec<u8>) -> Option<Message<'b>>
    where
        'a: 'b,
    {
        let kind = self.byte()?;
        if kind >= 224 {
            let (bytes, rest) = self.0.split_at(usize::from(kind - 224).min(self.0.len()));
            self.0 = rest;
            return Message::from_slice(bytes).ok();
        }
        let term = self.number_near(status.term);
        let flag = kind & 8 == 0;
        Some(match kind % 17 {
            _ if kind == 222 => Message::Removed {
                term,
                index: self.number_near(status.commit),
                index_term: self.number_near(status.term),
            },
            _ if kind == 223 => Message::LeasePromise {
                term,
                round: self.number_near(0),
                promise_us: self.number_near(0),
            },
            0 => Message::RequestVote {
                pre: flag,
                term,
                last_index: self.number_near(status.last),
                last_term: self.number_near(status.term),
            },
            1 => Message::Vote { pre: flag, term, granted: kind & 16 == 0 },
            2 | 3 => {
                self.entries(status, buffer);
                Message::Append {
                    term,
                    prev_index: self.number_near(status.commit),
                    prev_term: self.number_near(status.term),
                    commit: self.number_near(status.commit),
                    round: self.number_near(0),
                    entries: buffer,
                }
            }
            4 => Message::AppendAccepted {
                term,
                round: self.number_near(0),
                match_index: self.number_near(status.last),
            },
            5 => Message::AppendRejected {
                term,
                round: self.number_near(0),
                prev_index: self.number_near(status.last),
                hint_index: self.number_near(status.commit),
                hint_term: self.number_near(status.term),
            },
            6 => {
                buffer.resize(usize::from(self.byte().unwrap_or(0) % 40), 9);
                Message::Snapshot {
                    term,
                    round: self.number_near(0),
                    index: self.number_near(status.last),
                    index_term: self.number_near(status.term),
                    offset: self.number_near(0),
                    done: flag,
                    data: buffer,
                }
            }
            7 => Message::TimeoutNow { term },
            8 => Message::RequestVoteForTransfer {
                term,
                last_index: self.number_near(status.last),
                last_term: self.number_near(status.term),
            },
            9 => return self.snapshot_end(term, status, buffer),
            10 => Message::ReadIndex { term, id: self.number_near(1) },
            11 => Message::ReadIndexConfirmed {
                term,
                id: self.number_near(1),
                index: self.number_near(status.commit),
            },
            12 => Message::Quiesce {
                term,
                round: self.number_near(1),
                index: self.number_near(status.last),
            },
            13 => Message::RequestSnapshot { term, index: self.number_near(status.applied) },
            14 => {
                if kind & 16 == 0 {
                    super::text_format::push_entry(buffer, term, 0, &[0x66; 3]);
                    super::text_format::push_entry(buffer, term, 0, &[]);
                } else {
                    self.entries(status, buffer);
                }
                let (id, round) = (self.number_near(1), self.number_near(0));
                Message::Propose { term, id, round, commands: buffer }
            }
            15 => Message::Proposed {
                term,
                id: self.number_near(1),
                index: self.number_near(status.last),
                count: self.number_near(0),
            },
            _ => Message::SnapshotAck {
                term,
                round: self.number_near(0),
                index: self.number_near(status.snapshot),
                offset: self.number_near(0),
            },
        })
    }

    /// The last part of a snapshot. Its members can only be had from bytes.
    fn snapshot_end<'b>(
        &mut self,
        term: Term,
        status: &Status,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Message<'b>> {
        let (round, index) = (self.number_near(0), self.number_near(status.last));
        let (index_term, offset) = (self.number_near(status.term), self.number_near(0));
        let (mut members, data) = (Vec::new(), self.byte().unwrap_or(0) % 40);
        self.members(&mut members);
        let mut head = [0; 64];
        let mut out = Writer::new(&mut head);
        out.u8(9);
        for number in [term, round, index, index_term, offset, members.len() as u64] {
            out.u64(number);
        }
        let len = out.needed();
        buffer.extend(head.get(..len)?);
        buffer.extend(members);
        buffer.push(data);
        buffer.resize(buffer.len() + usize::from(data), 9);
        Message::from_slice(buffer).ok()
    }
}
