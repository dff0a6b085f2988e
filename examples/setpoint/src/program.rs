use quorate_core::{Instant, NodeId, Wire};
use quorate_raft::{
    Config, EntryKind, Event, Index, Proposal, ProposeError, Raft, ReadError, ReadId, Role, Storage,
};
use quorate_serial::Text;

use crate::{Command, MAX_SNAPSHOT, Request, Snapshot, USAGE, Values};

/// One line of an answer: it begins with `ok ` or `error `.
pub type Answer = Text<320>;

/// Entries between two snapshots.
pub const SNAPSHOT_EVERY: u64 = 32;
/// Entries that stay in the log behind a snapshot, so that a node a little behind needs none.
const KEEP: u64 = 16;
/// How long a command may take before whoever asked is told that nobody knows, in µs.
const PATIENCE_US: u64 = 4_000_000;
/// Proposals of `log fill`, at most.
const FILL: u32 = 100_000;

/// How the nodes run Raft: for lines of 100 kbit/s and schedulers that stall.
#[must_use]
pub fn config() -> Config {
    Config {
        election_min_us: 600_000,
        election_max_us: 1_200_000,
        heartbeat_us: 150_000,
        max_append_bytes: 192,
        max_inflight_entries: 64,
        max_inflight_bytes: 1024,
        max_entry_bytes: 32,
        max_uncommitted_bytes: 4096,
        snapshot_part_bytes: 64,
        max_log_bytes: 8192,
        ..Config::default()
    }
}

/// The values, and who waits for what.
#[derive(Clone, Debug, Default)]
pub struct Program {
    values: Values,
    applied: Index,
    /// The durable one.
    snapshot: Snapshot,
    waiting: Option<Waiting>,
    answer: Option<Answer>,
    wanted: Option<Wanted>,
    received: Option<Result<Snapshot, ()>>,
    /// The log is full: snapshot now, and keep nothing behind it.
    make_room: bool,
}

/// What the one command that is under way waits for.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    what: Wait,
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Wait {
    Commit(Proposal),
    Read(ReadId),
}

/// A peer that needs the snapshot.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    to: NodeId,
    index: Index,
    offset: u64,
}

impl Program {
    /// Begins with the newest snapshot that was kept, once the records are restored and before the first tick. False when the two do
    /// not fit together: then the node must not run.
    #[must_use]
    pub fn resume<S: Storage>(snapshot: Snapshot, raft: &mut Raft<S>) -> Option<Self> {
        let known = raft.status().snapshot;
        if snapshot.index < known {
            return None;
        }
        // the power may have gone between a snapshot and the record of it
        if snapshot.index > known {
            raft.resume(snapshot.index, snapshot.term).ok()?;
        }
        let (values, applied) = (snapshot.values, snapshot.index);
        Some(Self { values, applied, snapshot, ..Self::default() })
    }

    /// The values as this node has them.
    #[must_use]
    pub const fn values(&self) -> Values {
        self.values
    }

    /// The snapshot to keep: for a driver that writes its log anew.
    #[must_use]
    pub const fn snapshot(&self) -> Snapshot {
        self.snapshot
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
            Request::Get | Request::Set(_) | Request::Add(_) if self.waiting.is_some() => {
                return Some(error("busy: the command before this one is under way"));
            }
            Request::Get => match raft.read() {
                Ok(read) => self.wait(now, Wait::Read(read)),
                Err(reason) => return Some(refused_read(reason)),
            },
            Request::Set(value) => return self.propose(raft, now, Command::Set(value)),
            Request::Add(value) => return self.propose(raft, now, Command::Add(value)),
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
            Event::Role { role, .. } if role != Role::Leader && self.reads() => {
                self.waiting = None;
                self.answer = Some(error("the leader changed: try again"));
            }
            Event::Read { through } => {
                if let Some(Waiting { what: Wait::Read(read), .. }) = self.waiting
                    && read <= through
                {
                    self.waiting = None;
                    self.answer = Some(self.say_values(&mut ok("")));
                }
            }
            Event::LogFull => self.make_room = true,
            Event::SnapshotWanted { to, index, offset, .. } => {
                self.wanted = Some(Wanted { to, index, offset });
            }
            Event::SnapshotPart { offset, data, done, .. } => {
                let whole = offset == 0 && done; // ours have one part
                let snapshot = Snapshot::from_slice(data).ok().filter(|_| whole);
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
        mut save: impl FnMut(&Snapshot) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.received.take() {
            Some(Ok(snapshot)) => {
                save(&snapshot)?;
                if raft.snapshot_installed(snapshot.index).is_ok() {
                    (self.values, self.applied) = (snapshot.values, snapshot.index);
                    self.snapshot = snapshot;
                    self.forget_covered();
                }
            }
            Some(Err(())) => raft.snapshot_refused(),
            None => {}
        }
        let due = self.applied.saturating_sub(self.snapshot.index) >= SNAPSHOT_EVERY;
        let newer = self.applied > self.snapshot.index;
        if due || (self.make_room && newer) {
            let term = raft.term(self.applied).unwrap_or(0);
            let snapshot = Snapshot { index: self.applied, term, values: self.values };
            save(&snapshot)?;
            self.snapshot = snapshot;
        }
        if due || self.make_room {
            let keep = if self.make_room { 0 } else { KEEP };
            self.make_room = false;
            let index = self.snapshot.index;
            // refused only when it says nothing new
            let _ = raft.snapshot_taken(index, index.saturating_sub(keep));
        }
        if let Some(wanted) = self.wanted.take() {
            self.send(raft, wanted);
        }
        Ok(())
    }

    /// The answer to the command that was under way, once there is one.
    pub fn answer(&mut self, now: Instant) -> Option<Answer> {
        if self.waiting.is_some_and(|waiting| waiting.until <= now) {
            let text = match self.waiting.take().map(|waiting| waiting.what) {
                Some(Wait::Commit(_)) => "no majority answers: it may be committed later, or not",
                _ => "no majority answers",
            };
            self.answer = Some(error(text));
        }
        self.answer.take()
    }

    /// When [`answer`](Self::answer) must be asked again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.map(|waiting| waiting.until)
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
            .pair("rejected", u64::from(status.rejections.total()));
        text
    }

    fn propose<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        now: Instant,
        command: Command,
    ) -> Option<Answer> {
        match propose(raft, command) {
            Ok(proposal) => {
                self.wait(now, Wait::Commit(proposal));
                None
            }
            Err(reason) => {
                // room is made when there is something to drop
                self.make_room |= reason == ProposeError::LogFull;
                Some(refused(reason))
            }
        }
    }

    const fn reads(&self) -> bool {
        matches!(self.waiting, Some(Waiting { what: Wait::Read(_), .. }))
    }

    fn wait(&mut self, now: Instant, what: Wait) {
        let until = Instant::from_micros(now.as_micros().saturating_add(PATIENCE_US));
        self.waiting = Some(Waiting { what, until });
    }

    fn apply(&mut self, entry: quorate_raft::Entry<'_>) {
        self.applied = entry.index;
        if let (EntryKind::Command, Ok(command)) = (entry.kind, Command::from_slice(entry.data)) {
            self.values.apply(command);
        }
        if let Some(Waiting { what: Wait::Commit(proposal), .. }) = self.waiting
            && proposal.index == entry.index
        {
            self.waiting = None;
            self.answer = Some(if proposal.term == entry.term {
                let mut text = ok("");
                text.str("index=").number(entry.index).str(" ");
                self.say_values(&mut text)
            } else {
                error("lost: another leader's entry took its place, try again")
            });
        }
    }

    /// A snapshot jumped over the entry that somebody waits for.
    fn forget_covered(&mut self) {
        if let Some(Waiting { what: Wait::Commit(proposal), .. }) = self.waiting
            && proposal.index <= self.applied
        {
            self.waiting = None;
            self.answer = Some(error("nobody knows: it may be committed, or not"));
        }
    }

    fn send<S: Storage>(&self, raft: &mut Raft<S>, wanted: Wanted) {
        if wanted.offset != 0 && wanted.index != self.snapshot.index {
            return;
        }
        let mut buffer = [0; MAX_SNAPSHOT];
        let bytes = self.snapshot.to_slice(&mut buffer).unwrap_or_default();
        let from = usize::try_from(wanted.offset).unwrap_or(usize::MAX);
        if let Some(rest) = bytes.get(from..) {
            // refused when the peer needs it no more
            let _ = raft.send_snapshot(wanted.to, self.snapshot.index, wanted.offset, rest, true);
        }
    }

    fn say_values(&self, text: &mut Answer) -> Answer {
        let Values { setpoint, counter } = self.values;
        text.str("setpoint=").signed(setpoint).signed_pair("counter", counter);
        text.clone()
    }
}

fn propose<S: Storage>(raft: &mut Raft<S>, command: Command) -> Result<Proposal, ProposeError> {
    let mut buffer = [0; 16];
    raft.propose(command.to_slice(&mut buffer).unwrap_or_default())
}

/// Proposes changes that change nothing until the log takes no more.
fn fill<S: Storage>(raft: &mut Raft<S>) -> Answer {
    for proposed in 0..FILL {
        if let Err(reason) = propose(raft, Command::Add(0)) {
            let mut text = refused(reason);
            text.pair("proposed", u64::from(proposed));
            return text;
        }
    }
    ok("the log takes them all")
}

fn refused(reason: ProposeError) -> Answer {
    match reason {
        ProposeError::NotLeader(leader) => not_leader(leader),
        ProposeError::LogFull => error("log full: wait until the other nodes have answered"),
        ProposeError::Busy => {
            error("log full of what is not committed: wait until the other nodes have answered")
        }
        ProposeError::TooLarge => error("the command is too large"),
        ProposeError::Stopped => error("stopped: the node takes no part any more"),
        _ => error("refused"),
    }
}

fn refused_read(reason: ReadError) -> Answer {
    match reason {
        ReadError::NotLeader(leader) => not_leader(leader),
        ReadError::Stopped => error("stopped: the node takes no part any more"),
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
