use quorate_core::{Instant, NodeId, Wire};
use quorate_raft::{
    Config, EntryKind, Event, Index, Proposal, ProposeError, Raft, ReadError, ReadId, Role, Storage,
};
use quorate_serial::Text;

use crate::{Change, Command, Kept, MAX_SNAPSHOT, Request, Snapshot, USAGE, Values};

/// One line of an answer: it begins with `ok ` or `error `.
pub type Answer = Text<320>;

/// Entries between two snapshots.
pub const SNAPSHOT_EVERY: u64 = 32;
/// Entries that stay in the log behind a snapshot, so that a node a little behind needs none.
const KEEP: u64 = 16;
/// How long a command may take before whoever asked is told that nobody knows, in µs.
const PATIENCE_US: u64 = 4_000_000;
/// A command that was not carried out by then is proposed or handed over again, in µs: a message was lost, or a leader.
const AGAIN_US: u64 = 400_000;
/// Proposals of `log fill`, at most.
const FILL: u32 = 100_000;

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
        snapshot_part_bytes: MAX_SNAPSHOT,
        max_log_bytes: 8192,
        ..Config::lan()
    }
}

/// The values, and who waits for what.
#[derive(Clone, Debug, Default)]
pub struct Program {
    node: NodeId,
    values: Values,
    applied: Index,
    /// What is durable, but for `boots` until that was saved.
    kept: Kept,
    saved: bool,
    /// The command that was asked for last.
    serial: u64,
    /// A command that goes to the leader.
    ask: Option<(NodeId, Command)>,
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
    /// When to try again.
    again: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Wait {
    Done(Command),
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
    /// Begins with what was kept last, once the records are restored and before the first tick. `None` when the two do not fit
    /// together: then the node must not run.
    #[must_use]
    pub fn resume<S: Storage>(kept: Kept, raft: &mut Raft<S>) -> Option<Self> {
        let snapshot = kept.snapshot;
        // newer than its record if the power went between the two; one that is older was lost
        raft.resume(snapshot.index, snapshot.term).ok()?;
        let (values, applied) = (snapshot.values, snapshot.index);
        let kept = Kept { boots: kept.boots.saturating_add(1), snapshot };
        Some(Self { node: raft.status().id, values, applied, kept, ..Self::default() })
    }

    /// The values as this node has them.
    #[must_use]
    pub const fn values(&self) -> Values {
        self.values
    }

    /// What to keep: for a driver that writes its log anew.
    #[must_use]
    pub const fn kept(&self) -> Kept {
        self.kept
    }

    /// A command to be sent to the node that leads, as often as this says so; there it is given to [`asked`](Self::asked).
    pub const fn ask(&mut self) -> Option<(NodeId, Command)> {
        self.ask.take()
    }

    /// Takes a command that node `from` hands over. Whether it comes to anything, that node sees in its log.
    ///
    /// What it cannot have sent is dropped: a command in another node's name, or with numbers so large that none would come after
    /// them. In the log either would end a node's commands on every node.
    pub fn asked<S: Storage>(&self, raft: &mut Raft<S>, from: NodeId, command: Command) {
        if command.node == from && self.values.is_plausible(command) {
            let _ = propose(raft, command); // it is handed over again
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
            Request::Get | Request::Set(_) | Request::Add(_) if self.waiting.is_some() => {
                return Some(error("busy: the command before this one is under way"));
            }
            Request::Get | Request::Set(_) | Request::Add(_) if !self.saved => {
                return Some(error("busy: the node is starting"));
            }
            Request::Get => match raft.read() {
                Ok(read) => self.wait(now, Wait::Read(read)),
                // a change that changes nothing: once it is applied here, so is everything before it
                Err(ReadError::NotLeader(_)) => return self.begin(raft, now, Change::Nothing),
                Err(_) => return Some(error(STOPPED)),
            },
            Request::Set(value) => return self.begin(raft, now, Change::Set(value)),
            Request::Add(value) => return self.begin(raft, now, Change::Add(value)),
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
            Event::SnapshotPart { index, offset, data, done, .. } => {
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
        mut save: impl FnMut(&Kept) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.saved {
            // before any command has this number
            save(&self.kept)?;
            self.saved = true;
        }
        match self.received.take() {
            Some(Ok(snapshot)) => {
                save(&Kept { snapshot, ..self.kept })?;
                if raft.snapshot_installed(snapshot.index).is_ok() {
                    (self.values, self.applied) = (snapshot.values, snapshot.index);
                    self.kept.snapshot = snapshot;
                    self.answer_covered();
                }
            }
            Some(Err(())) => raft.snapshot_refused(),
            None => {}
        }
        let due = self.applied.saturating_sub(self.kept.snapshot.index) >= SNAPSHOT_EVERY;
        let newer = self.applied > self.kept.snapshot.index;
        if due || (self.make_room && newer) {
            let term = raft.term(self.applied).unwrap_or(0);
            let snapshot = Snapshot { index: self.applied, term, values: self.values };
            save(&Kept { snapshot, ..self.kept })?;
            self.kept.snapshot = snapshot;
        }
        if due || self.make_room {
            let keep = if self.make_room { 0 } else { KEEP };
            self.make_room = false;
            let index = self.kept.snapshot.index;
            // refused only when it says nothing new
            let _ = raft.snapshot_taken(index, index.saturating_sub(keep));
        }
        if let Some(wanted) = self.wanted.take() {
            self.send(raft, wanted);
        }
        Ok(())
    }

    /// The answer to the command that was under way, once there is one. Tries again what has taken too long.
    pub fn answer<S: Storage>(&mut self, raft: &mut Raft<S>, now: Instant) -> Option<Answer> {
        if let Some(waiting) = self.waiting {
            if waiting.until <= now {
                self.waiting = None;
                self.answer = Some(error(match waiting.what {
                    Wait::Done(command) if command.change != Change::Nothing => {
                        "no majority answers: it may be committed later, or not"
                    }
                    _ => "no majority answers",
                }));
            } else if waiting.again <= now
                && let Wait::Done(command) = waiting.what
            {
                self.waiting = Some(Waiting { again: after(now, AGAIN_US), ..waiting });
                let _ = self.put(raft, command); // and again, if need be
            }
        }
        self.answer.take()
    }

    /// When [`answer`](Self::answer) must be asked again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.map(|waiting| waiting.until.min(waiting.again))
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

    /// Gives a change a number and sets it on its way.
    fn begin<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        now: Instant,
        change: Change,
    ) -> Option<Answer> {
        let serial = self.serial.saturating_add(1);
        let command = Command { node: self.node, boot: self.kept.boots, serial, change };
        if let Err(reason) = self.put(raft, command) {
            // room is made when there is something to drop
            self.make_room |= reason == ProposeError::LogFull;
            return Some(refused(reason));
        }
        self.serial = serial;
        self.wait(now, Wait::Done(command));
        None
    }

    /// Proposes a command, or hands it to who can.
    fn put<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        command: Command,
    ) -> Result<(), ProposeError> {
        match propose(raft, command) {
            Ok(_) => Ok(()),
            Err(ProposeError::NotLeader(Some(leader))) => {
                self.ask = Some((leader, command));
                Ok(())
            }
            Err(reason) => Err(reason),
        }
    }

    const fn reads(&self) -> bool {
        matches!(self.waiting, Some(Waiting { what: Wait::Read(_), .. }))
    }

    fn wait(&mut self, now: Instant, what: Wait) {
        let until = after(now, PATIENCE_US);
        // reads are the machine's to repeat
        let again = if matches!(what, Wait::Done(_)) { after(now, AGAIN_US) } else { until };
        self.waiting = Some(Waiting { what, until, again });
    }

    fn apply(&mut self, entry: quorate_raft::Entry<'_>) {
        self.applied = entry.index;
        if let (EntryKind::Command, Ok(command)) = (entry.kind, Command::from_slice(entry.data)) {
            self.values.apply(command);
            self.outrun(command);
            if let Some(Waiting { what: Wait::Done(asked), .. }) = self.waiting
                && asked == command
            {
                self.done(asked, entry.index);
            }
        }
    }

    /// Somebody else had a command in this node's name brought into the log: from now on its own have larger numbers.
    fn outrun(&mut self, command: Command) {
        let own = (self.kept.boots, self.serial);
        if command.node == self.node && (command.boot, command.serial) > own {
            self.kept.boots = command.boot.saturating_add(1);
            self.serial = 0;
            self.saved = false;
        }
    }

    /// A snapshot jumped over the entry that somebody waits for.
    fn answer_covered(&mut self) {
        if let Some(Waiting { what: Wait::Done(asked), .. }) = self.waiting {
            let mut with = self.values;
            with.apply(asked);
            if with == self.values {
                self.done(asked, self.applied);
            }
        }
    }

    fn done(&mut self, command: Command, index: Index) {
        self.waiting = None;
        let mut text = ok("");
        if command.change != Change::Nothing {
            text.str("index=").number(index).str(" ");
        }
        self.answer = Some(self.say_values(&mut text));
    }

    fn send<S: Storage>(&self, raft: &mut Raft<S>, wanted: Wanted) {
        if wanted.offset != 0 && wanted.index != self.kept.snapshot.index {
            return;
        }
        let mut buffer = [0; MAX_SNAPSHOT];
        let bytes = self.kept.snapshot.to_slice(&mut buffer).unwrap_or_default();
        let from = usize::try_from(wanted.offset).unwrap_or(usize::MAX);
        if let Some(rest) = bytes.get(from..) {
            // refused when the peer needs it no more
            let _ =
                raft.send_snapshot(wanted.to, self.kept.snapshot.index, wanted.offset, rest, true);
        }
    }

    fn say_values(&self, text: &mut Answer) -> Answer {
        let Values { setpoint, counter, .. } = self.values;
        text.str("setpoint=").signed(setpoint).signed_pair("counter", counter);
        text.clone()
    }
}

const STOPPED: &str = "stopped: the node takes no part any more";

fn after(now: Instant, us: u64) -> Instant {
    Instant::from_micros(now.as_micros().saturating_add(us))
}

fn propose<S: Storage>(raft: &mut Raft<S>, command: Command) -> Result<Proposal, ProposeError> {
    let mut buffer = [0; 64];
    raft.propose(command.to_slice(&mut buffer).unwrap_or_default())
}

/// Proposes changes that change nothing until the log takes no more.
fn fill<S: Storage>(raft: &mut Raft<S>) -> Answer {
    for proposed in 0..FILL {
        // of no node: it is not carried out
        let (node, boot, serial) = (NodeId::new(0), 0, 0);
        let command = Command { node, boot, serial, change: Change::Nothing };
        if let Err(reason) = propose(raft, command) {
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
        ProposeError::Stopped => error(STOPPED),
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
