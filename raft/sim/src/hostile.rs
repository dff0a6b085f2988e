//! One Raft node against anything: what the fuzz targets run, and the tests replay.
//!
//! No input, however hostile, may panic the node, make it go back on what it promised, stop it, or keep it from following an
//! honest leader afterwards. Bytes are read as a list of inputs, so that a fuzzer can cut and splice them.

use quorate_core::{Declared, Hint, Instant, Machine, NodeId, Output, Rejected, Ticket, Wire};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{
    Change, Config, Event, Heap, Index, Inline, Members, Message, Raft, Record, Status, Storage,
    Term,
};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

use super::oracle::Oracle;
use super::text_format::push_entry;

/// Decodes bytes as a message and as a record. What decodes must encode to the same bytes.
///
/// # Errors
///
/// What does not.
pub fn decode(data: &[u8]) -> Result<(), String> {
    check_round_trip::<Message<'_>>(data)?;
    check_round_trip::<Record<'_>>(data)
}

/// Gives a node of a cluster of three a list of inputs, then an honest leader.
///
/// # Errors
///
/// What was violated.
pub fn inputs(data: &[u8]) -> Result<(), String> {
    outcomes(data).map(drop)
}

/// The same; what became of the messages.
///
/// # Errors
///
/// What was violated.
pub fn outcomes(data: &[u8]) -> Result<Outcomes, String> {
    match data.split_first() {
        Some((0..128, rest)) => NodeUnderTest::<Inline<3, 512, 16, 32>>::new(rest.len())?.run(rest),
        Some((_, rest)) => NodeUnderTest::<Heap>::new(rest.len())?.run(rest),
        None => Ok(Outcomes::default()),
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
    echo: Echo,
    outcomes: Outcomes,
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
            echo: Echo::default(),
            outcomes: Outcomes::default(),
        };
        victim.raft.tick(victim.now);
        Ok(victim)
    }

    fn boot(config: &Config) -> Result<Raft<S>, String> {
        let voters = [NODE, NodeId::new(2), NodeId::new(3)];
        Raft::new(NODE, &voters, config.clone(), 7).map_err(|e| format!("no node: {e}"))
    }

    fn run(mut self, data: &[u8]) -> Result<Outcomes, String> {
        let mut input = Input::new(data);
        while let Some(what) = input.byte() {
            self.step(what, &mut input)?;
            self.drain()?;
            self.check()?;
        }
        self.follow_an_honest_leader()?;
        Ok(self.outcomes)
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
                let _ = self.raft.transfer(node(input));
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
                let changes: Vec<Change> = (0..count).map(|_| change(input)).collect();
                let _ = if what == 8 {
                    self.raft.change(&changes)
                } else {
                    self.raft.change_jointly(&changes)
                };
            }
        }
        Ok(())
    }

    /// A message from a peer or a non-member, with numbers near those of the node, and entries and members that there may be.
    fn receive(&mut self, input: &mut Input<'_>) -> Result<(), String> {
        let how = input.byte().unwrap_or(0);
        let from = NodeId::new(2 + u64::from(how % 4));
        let before = self.raft.status();
        let (term, last) = (before.term.max(1), before.last);
        let commit_term = self.raft.term(before.commit).unwrap_or(0);
        let (mut commands, mut blank) = (Vec::new(), Vec::new());
        push_entry(&mut commands, term, 0, &[0x66; 3]);
        push_entry(&mut commands, term, 0, &[]);
        push_entry(&mut blank, term, 1, &[]);
        let (made, list) = match how {
            0..64 => (entries(input, term), members(input)),
            _ => (blank.clone(), self.raft.members().bytes().to_vec()),
        };
        let runs = [&made[..], &commands, &blank, &[]];
        let lists = [&list[..]];
        let chunks = [&[9; 40][..20], &[9; 40], &[9], &[]];
        let positions = [last, before.commit, last.max(1), before.snapshot];
        let mut hints = vec![
            Hint::near("prev_index", &positions[..2]),
            Hint::near("hint_index", &positions[1..2]),
            Hint::near("match_index", &positions[..1]),
            Hint::near("last_index", &positions[..1]),
            Hint::near("index", &positions),
            Hint::near("commit", &positions[1..2]),
        ];
        let terms = [term, commit_term];
        let last_term = [self.raft.term(last).unwrap_or(0)];
        let (ids, rounds) = ([self.echo.last("id").max(1)], [self.echo.last("round").max(1)]);
        hints.extend([
            Hint::near("last_term", &last_term),
            Hint::near("prev_term", &terms),
            Hint::near("index_term", &terms),
            Hint::near("term", &terms[..1]),
            Hint::near("id", &ids),
            Hint::near("round", &rounds),
            Hint::bytes("entries", &runs),
            Hint::bytes("commands", &runs[..2]),
            Hint::bytes("members", &lists),
            Hint::bytes("data", &chunks),
        ]);
        let Some(message) = input.message::<Message<'_>>(&hints) else { return Ok(()) };
        let result = self.raft.receive(self.now, from, message);
        self.outcomes.record(message.name(), result);
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
                    self.echo.sent(&message);
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
            push_entry(&mut entry, term, 1, &[]);
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

/// A node of the cluster, this one, or a non-member.
fn node(input: &mut Input<'_>) -> NodeId {
    NodeId::new(1 + u64::from(input.byte().unwrap_or(0) % 6))
}

fn change(input: &mut Input<'_>) -> Change {
    let what = input.byte().unwrap_or(0) % 5;
    let node = node(input);
    match what {
        0 => Change::Add(node),
        1 => Change::AddWitness(node),
        2 => Change::Promote(node),
        3 => Change::Demote(node),
        _ => Change::Remove(node),
    }
}

/// A list of members, mostly one that there may be.
fn members(input: &mut Input<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..input.byte().unwrap_or(0) % 6 {
        let membership = match input.byte().unwrap_or(0) {
            byte @ 0..32 => byte,
            byte => [3, 3, 7, 4, 1, 11, 15, 19][usize::from(byte % 8)],
        };
        out.push(membership);
        out.extend(node(input).get().to_le_bytes());
    }
    out
}

/// Entries of every kind.
fn entries(input: &mut Input<'_>, term: Term) -> Vec<u8> {
    let mut run = Vec::new();
    for _ in 0..input.byte().unwrap_or(0) % 6 {
        let term = input.number_near(term);
        let what = input.byte().unwrap_or(0);
        let mut data = Vec::new();
        let kind = match what >> 5 {
            0..5 => 0,
            5 => 1,
            6 => 2,
            _ => 3,
        };
        match kind {
            0 => data.resize(usize::from(what % 40), 0x77),
            2 => data = members(input),
            // there should be nothing in these
            _ if what % 32 == 31 => data.push(0x77),
            _ => {}
        }
        push_entry(&mut run, term, kind, &data);
    }
    run
}
