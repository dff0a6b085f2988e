use quorate_core::{Instant, Machine, NodeId, Wire};
use quorate_log::submission::{self, Due, Outcome, Submissions};
use quorate_log::{ReadError, ReadId, ReplicatedLog, SubmitError, Submitted};
use quorate_raft::{Config, EntryKind, Event, Index, Raft, Role, Storage};
use quorate_serial::Text;

use crate::{Change, Command, MAX_SNAPSHOT, Request, SavedState, Snapshot, USAGE, Values};

/// One line of an answer: it begins with `ok ` or `error `.
pub type Answer = Text<320>;

/// Entries between two snapshots.
pub const SNAPSHOT_EVERY: u64 = 32;
/// Entries that stay in the log behind a snapshot, so that a node a little behind needs none.
const RETAINED_ENTRIES: u64 = 16;
/// How long a command may take before its outcome is reported as unknown, in µs.
const TIMEOUT_US: u64 = 4_000_000;
/// A command that was handed to the leader and is not applied by then is handed over again, in µs:
/// a message was lost.
const RESEND_US: u64 = 400_000;
/// Proposals of `log fill`, at most.
const MAX_FILL_PROPOSALS: u32 = 100_000;

/// How the nodes run Raft: for lines of 100 kbit/s and schedulers that stall.
#[must_use]
pub const fn config() -> Config {
    Config {
        election_min_us: 600_000,
        election_max_us: 1_200_000,
        heartbeat_us: 150_000,
        max_append_bytes: 192,
        max_inflight_entries: 64,
        max_inflight_bytes: 1024,
        max_entry_bytes: 64,
        max_uncommitted_bytes: 4096,
        max_snapshot_chunk_bytes: MAX_SNAPSHOT,
        max_log_bytes: 8192,
        ..Config::lan()
    }
}

/// How commands go into the log: until they are applied, since [`Values`] applies each once.
const SUBMISSION: submission::Config =
    submission::Config { resend_us: RESEND_US, ..submission::Config::exactly_once(TIMEOUT_US) };

/// The replicated values, and the pending request.
#[derive(Debug)]
pub struct Program {
    node: NodeId,
    values: Values,
    applied: Index,
    /// What is durable, but for `boots` until that was saved.
    saved_state: SavedState,
    is_saved: bool,
    /// The change that is under way, if one is: its number is the command's serial.
    submissions: Submissions<Change, submission::Inline<1>>,
    /// The read that is under way, and when it is given up.
    read: Option<(ReadId, Instant)>,
    /// A command to be handed to the leader.
    forward: Option<(NodeId, Command)>,
    answer: Option<Answer>,
    chunk_request: Option<ChunkRequest>,
    received: Option<Result<Snapshot, ()>>,
    /// The log is full: snapshot now, and keep nothing behind it.
    compact_all: bool,
}

/// A peer that needs the snapshot.
#[derive(Clone, Copy, Debug)]
struct ChunkRequest {
    to: NodeId,
    index: Index,
    offset: u64,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            node: NodeId::default(),
            values: Values::default(),
            applied: 0,
            saved_state: SavedState::default(),
            is_saved: false,
            submissions: Submissions::new(SUBMISSION),
            read: None,
            forward: None,
            answer: None,
            chunk_request: None,
            received: None,
            compact_all: false,
        }
    }
}

impl Program {
    /// Begins with what was kept last, once the records are restored and before the first tick. `None` when the two do not fit
    /// together: then the node must not run.
    #[must_use]
    pub fn resume<S: Storage>(saved_state: SavedState, raft: &mut Raft<S>) -> Option<Self> {
        let snapshot = saved_state.snapshot;
        // newer than its record if the power went between the two; one that is older was lost
        raft.resume(snapshot.index, snapshot.term).ok()?;
        let (values, applied) = (snapshot.values, snapshot.index);
        let saved_state = SavedState { boots: saved_state.boots.saturating_add(1), snapshot };
        Some(Self { node: raft.status().id, values, applied, saved_state, ..Self::default() })
    }

    /// The values as this node has them.
    #[must_use]
    pub const fn values(&self) -> Values {
        self.values
    }

    /// What to keep: for a driver that writes its log anew.
    #[must_use]
    pub const fn saved_state(&self) -> SavedState {
        self.saved_state
    }

    /// A command to be forwarded to the leader, as often as this returns one; there it is given to
    /// [`receive_forwarded`](Self::receive_forwarded).
    pub const fn forward(&mut self) -> Option<(NodeId, Command)> {
        self.forward.take()
    }

    /// Takes a command that node `from` forwards. Whether it comes to anything, that node sees in
    /// its log.
    ///
    /// What it cannot have sent is dropped: a command in another node's name, or with numbers so large that none would come after
    /// them. In the log either would end a node's commands on every node.
    pub fn receive_forwarded<S: Storage>(
        &self,
        raft: &mut Raft<S>,
        from: NodeId,
        command: Command,
    ) {
        if command.node == from && self.values.is_valid(command) {
            let _ = submit(raft, command); // it is handed over again
        }
    }

    /// Takes a line that somebody typed. `None` when the answer comes later, from [`answer`](Self::answer).
    pub fn line<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        now: Instant,
        line: &[u8],
    ) -> Option<Answer> {
        match Request::parse(line) {
            Ok(request) => self.request(raft, now, request),
            Err(what) => Some(error(what)),
        }
    }

    /// Takes a request. `None` when the answer comes later, from [`answer`](Self::answer).
    pub fn request<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        now: Instant,
        request: Request,
    ) -> Option<Answer> {
        match request {
            Request::Help => return Some(ok(USAGE)),
            Request::Status => return Some(self.status(raft)),
            Request::FlashFail => return Some(error("this node has no flash to fail")),
            Request::LogFill => return Some(fill(raft)),
            Request::Get | Request::Set(_) | Request::Add(_) if self.is_busy() => {
                return Some(error("busy: the command before this one is under way"));
            }
            Request::Get | Request::Set(_) | Request::Add(_) if !self.is_saved => {
                return Some(error("busy: the node is starting"));
            }
            Request::Get => match raft.read() {
                Ok(read) => self.read = Some((read, now.after(TIMEOUT_US))),
                // a change that changes nothing: once it is applied here, so is everything before it
                Err(ReadError::NotLeader(_)) => return self.submit(raft, now, Change::Noop),
                Err(_) => return Some(error(STOPPED)),
            },
            Request::Set(value) => return self.submit(raft, now, Change::Set(value)),
            Request::Add(value) => return self.submit(raft, now, Change::Add(value)),
        }
        None
    }

    /// Takes what the machine says.
    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Committed(entries) => {
                for entry in entries {
                    self.apply(entry);
                }
            }
            Event::Following { .. } | Event::Leaderless { .. } if self.read.is_some() => {
                self.read = None;
                self.answer = Some(error("the leader changed: try again"));
            }
            Event::Read { through } if self.read.is_some_and(|(read, _)| read <= through) => {
                self.read = None;
                self.answer = Some(self.write_values(&mut ok("")));
            }
            Event::LogFull => self.compact_all = true,
            Event::SnapshotWanted { to, index, offset, .. } => {
                self.chunk_request = Some(ChunkRequest { to, index, offset });
            }
            Event::SnapshotChunk { index, offset, data, done, .. } => {
                let whole = offset == 0 && done; // ours have one part
                // kept, one of another index would keep this node from starting again
                let fits = |snapshot: &Snapshot| whole && snapshot.index == index;
                let snapshot = Snapshot::from_slice(data).ok().filter(fits);
                self.received = Some(snapshot.ok_or(()));
            }
            _ => {}
        }
    }

    /// Does what the events asked for: snapshots. `save` makes one durable.
    ///
    /// # Errors
    ///
    /// What `save` says; the node must stop then.
    pub fn settle<S: Storage, E>(
        &mut self,
        raft: &mut Raft<S>,
        mut save: impl FnMut(&SavedState) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.is_saved {
            // before any command has this number
            save(&self.saved_state)?;
            self.is_saved = true;
        }
        match self.received.take() {
            Some(Ok(snapshot)) => {
                save(&SavedState { snapshot, ..self.saved_state })?;
                if raft.snapshot_installed(snapshot.index).is_ok() {
                    (self.values, self.applied) = (snapshot.values, snapshot.index);
                    self.saved_state.snapshot = snapshot;
                    self.complete_from_snapshot();
                }
            }
            Some(Err(())) => raft.snapshot_refused(),
            None => {}
        }
        let due = self.applied.saturating_sub(self.saved_state.snapshot.index) >= SNAPSHOT_EVERY;
        let newer = self.applied > self.saved_state.snapshot.index;
        if due || (self.compact_all && newer) {
            let term = raft.term(self.applied).unwrap_or(0);
            let snapshot = Snapshot { index: self.applied, term, values: self.values };
            save(&SavedState { snapshot, ..self.saved_state })?;
            self.saved_state.snapshot = snapshot;
        }
        if due || self.compact_all {
            let keep = if self.compact_all { 0 } else { RETAINED_ENTRIES };
            self.compact_all = false;
            let index = self.saved_state.snapshot.index;
            // refused only when it says nothing new
            let _ = raft.snapshot_taken(index, index.saturating_sub(keep));
        }
        if let Some(chunk_request) = self.chunk_request.take() {
            self.send(raft, chunk_request);
        }
        Ok(())
    }

    /// The answer to the request that was under way, once there is one. Hands changes to the log: call it in every turn.
    pub fn answer<S: Storage>(&mut self, raft: &mut Raft<S>, now: Instant) -> Option<Answer> {
        self.submit_due(raft, now);
        if let Some((_, change, outcome)) = self.submissions.outcome(now) {
            self.answer = Some(error(match outcome {
                Outcome::Unknown if change != Change::Noop => {
                    "no majority answers: it may be committed later, or not"
                }
                _ => "no majority answers",
            }));
        }
        if self.read.take_if(|(_, deadline)| *deadline <= now).is_some() {
            self.answer = Some(error("no majority answers"));
        }
        self.answer.take()
    }

    /// When [`answer`](Self::answer) must be asked again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let read = self.read.map(|(_, deadline)| deadline);
        self.submissions.deadline().into_iter().chain(read).min()
    }

    /// One line about the node, for `status` and for logs; its driver adds what it counts.
    pub fn status<S: Storage>(&self, raft: &Raft<S>) -> Answer {
        let status = raft.status();
        let mut text = ok("");
        text.str("id=").number(status.id.get()).key("role").str(match status.role {
            Role::Leader => "leader",
            Role::Candidate => "candidate",
            Role::PreCandidate => "precandidate",
            _ => "follower",
        });
        text.pair("leader", status.leader.map_or(0, NodeId::get))
            .pair("term", status.term)
            .pair("commit", status.commit)
            .pair("last", status.last)
            .pair("applied", status.applied)
            .pair("snapshot", status.snapshot)
            .signed_pair("setpoint", self.values.setpoint)
            .signed_pair("counter", self.values.counter)
            .pair("rejected", u64::from(raft.rejections().total()));
        text
    }

    /// Gives a change a number, and hands it to the log. A change that the log does not take at once is refused, so that the user can try again.
    fn submit<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        now: Instant,
        change: Change,
    ) -> Option<Answer> {
        let Ok(number) = self.submissions.submit(now, change) else {
            return Some(error("busy: the command before this one is under way"));
        };
        self.submit_due(raft, now);
        if self.submissions.is_under_way(number) {
            return None;
        }
        let (_, outcome) = self.submissions.give_up(number)?;
        Some(match outcome {
            Outcome::Refused(reason) => refused(reason),
            _ => error("refused"),
        })
    }

    /// Proposes the change that is due, or has it handed to the leader.
    fn submit_due<S: Storage>(&mut self, raft: &mut Raft<S>, now: Instant) {
        let leadership = raft.leadership();
        while let Some(Due { number, command: &change, .. }) = self.submissions.due(now, leadership)
        {
            let boot = self.saved_state.boots;
            let command = Command { node: self.node, boot, serial: number, change };
            match submit(raft, command) {
                Err(SubmitError::NotLeader(Some(leader))) => {
                    self.forward = Some((leader, command));
                    self.submissions.handed_over(now, leadership, number, leader);
                }
                result => {
                    self.submissions.submitted(now, leadership, number, result);
                }
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.read.is_some() || !self.submissions.is_empty()
    }

    fn apply(&mut self, entry: quorate_raft::Entry<'_>) {
        self.applied = entry.index;
        if let (EntryKind::Command, Ok(command)) = (entry.kind, Command::from_slice(entry.data)) {
            self.values.apply(command);
            let own = command.node == self.node && command.boot == self.saved_state.boots;
            if own && self.submissions.get(command.serial) == Some(&command.change) {
                self.complete(command.serial, entry.index);
            }
            self.skip_forged_numbers(command);
        }
    }

    /// The log has a command in this node's name that it never sent: from now on its own have
    /// larger numbers.
    fn skip_forged_numbers(&mut self, command: Command) {
        let own = (self.saved_state.boots, self.submissions.last_number());
        if command.node == self.node && (command.boot, command.serial) > own {
            self.saved_state.boots = command.boot.saturating_add(1);
            if !self.submissions.is_empty() {
                self.answer = Some(error("somebody used this node's numbers: try again"));
            }
            self.submissions = Submissions::new(SUBMISSION);
            self.is_saved = false;
        }
    }

    /// A snapshot may cover the entry that the pending change waits for.
    fn complete_from_snapshot(&mut self) {
        let pending = self.submissions.iter().next().map(|(serial, &change)| (serial, change));
        if let Some((serial, change)) = pending {
            let mut with = self.values;
            with.apply(Command { node: self.node, boot: self.saved_state.boots, serial, change });
            if with == self.values {
                self.complete(serial, self.applied);
            }
        }
    }

    fn complete(&mut self, serial: u64, index: Index) {
        let Some(change) = self.submissions.applied(serial) else { return };
        let mut text = ok("");
        if change != Change::Noop {
            text.str("index=").number(index).str(" ");
        }
        self.answer = Some(self.write_values(&mut text));
    }

    fn send<S: Storage>(&self, raft: &mut Raft<S>, chunk_request: ChunkRequest) {
        if chunk_request.offset != 0 && chunk_request.index != self.saved_state.snapshot.index {
            return;
        }
        let mut buffer = [0; MAX_SNAPSHOT];
        let bytes = self.saved_state.snapshot.to_slice(&mut buffer).unwrap_or_default();
        let from = usize::try_from(chunk_request.offset).unwrap_or(usize::MAX);
        if let Some(rest) = bytes.get(from..) {
            // refused when the peer needs it no more
            let _ = raft.send_snapshot(
                chunk_request.to,
                self.saved_state.snapshot.index,
                chunk_request.offset,
                rest,
                true,
            );
        }
    }

    fn write_values(&self, text: &mut Answer) -> Answer {
        let Values { setpoint, counter, .. } = self.values;
        text.str("setpoint=").signed(setpoint).signed_pair("counter", counter);
        text.clone()
    }
}

const STOPPED: &str = "stopped: the node takes no part any more";

#[inline(never)]
fn submit<S: Storage>(raft: &mut Raft<S>, command: Command) -> Result<Submitted, SubmitError> {
    let mut buffer = [0; 64];
    raft.submit(command.to_slice(&mut buffer).unwrap_or_default())
}

/// Proposes no-ops until the log takes no more.
fn fill<S: Storage>(raft: &mut Raft<S>) -> Answer {
    for proposed in 0..MAX_FILL_PROPOSALS {
        // of no node: it is not carried out
        let (node, boot, serial) = (NodeId::new(0), 0, 0);
        let command = Command { node, boot, serial, change: Change::Noop };
        if let Err(reason) = submit(raft, command) {
            let mut text = refused(reason);
            text.pair("proposed", u64::from(proposed));
            return text;
        }
    }
    ok("the log takes them all")
}

fn refused(reason: SubmitError) -> Answer {
    match reason {
        SubmitError::NotLeader(leader) => not_leader(leader),
        SubmitError::LogFull => error("log full: wait until the other nodes have answered"),
        SubmitError::Busy => {
            error("log full of what is not committed: wait until the other nodes have answered")
        }
        SubmitError::TooLarge => error("the command is too large"),
        SubmitError::Stopped => error(STOPPED),
        _ => error("refused"),
    }
}

fn not_leader(leader: Option<NodeId>) -> Answer {
    match leader {
        Some(leader) => {
            let mut text = error("not leader, ask ");
            text.number(leader.get());
            text
        }
        None => error("not leader, and none is known: try again"),
    }
}

fn ok(words: &str) -> Answer {
    let mut text = Answer::new();
    text.str("ok ").str(words);
    text
}

fn error(words: &str) -> Answer {
    let mut text = Answer::new();
    text.str("error ").str(words);
    text
}
