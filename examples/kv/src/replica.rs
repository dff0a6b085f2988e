mod handover;
mod members;
mod reading;
mod renewal;
mod snapshots;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use quorate_core::{Fatal, Instant, NodeId};
use quorate_driver::app::{App, Outbox, StorageHealth};
use quorate_driver::{Lane, LogLimit};
use quorate_raft::{
    Change, ChangeError, Entries, EntryKind, Event, Heap, Index, Message, Raft, ReadId, Role,
    Status, Term, TransferError,
};
use tokio::sync::{Notify, oneshot};
use tracing::{error, info, warn};

use crate::apply::{Entry, State};
use crate::archive::{self, Archive};
use crate::batch::{Batch, Ops};
use crate::forward::{Call, Frame, Refusal};
use crate::incarnation::Incarnation;
use crate::limits;
use crate::pending::{Answer, Pending};
use crate::reply::Reply;
use crate::session::BatchId;
use crate::view::{Counters, View};
use crate::work::Meter;

pub(crate) use members::Places;
use members::Ways;
use reading::Readings;

/// The key-value store beside a Raft node: the application of the driver's loop.
///
/// A batch of a client goes to the leader: by `propose` or `read` here, or by a frame to the node that leads. A batch with
/// writes becomes one entry of the log; whoever proposed it answers when it is applied, its reads being done in between at
/// that place of the log. A batch of reads alone is answered when a read round has confirmed that the leader still leads.
///
/// While a batch waits it is handed over again when the leader changes or nothing is heard. The entry carries the batch's
/// number, and [`Sessions`](crate::session::Sessions), a part of the replicated state, let it through once. The node whose client
/// waits needs no answer from the leader if that is lost: it finds its own batch in the log, and replies from there.
pub(crate) struct Replica {
    id: NodeId,
    incarnation: Incarnation,
    /// No batch can have a number any more.
    exhausted: bool,
    policy: Policy,
    state: State,
    archive: Archive,
    /// Batches of own clients that contain writes, and those that do not.
    writes: Pending,
    reads: Pending,
    /// Writes of other nodes' clients that this node proposed.
    forwarded: HashMap<BatchId, Batch>,
    forwarded_bytes: usize,
    /// What this node proposed as the leader and did not apply yet: index and steps of each, and the steps of all.
    in_flight: VecDeque<(Index, u64)>,
    in_flight_work: u64,
    /// What comes into the log when that has room.
    held: VecDeque<Held>,
    /// At which commit index and term the log had no room for the first of them.
    no_room: (Index, Term),
    /// Reads for the next round, the rounds under way, and what they confirmed.
    asked: Vec<Asker>,
    rounds: VecDeque<(ReadId, Vec<Asker>)>,
    confirmed: Vec<Asker>,
    readings: Readings,
    meter: Meter,
    /// Has the loop turn again soon.
    wake: Arc<Notify>,
    /// Own batches to hand over when frames can be sent.
    fresh: VecDeque<Call>,
    /// Frames for peers, and which own batch a request is about.
    outgoing: Vec<(NodeId, Vec<u8>, Option<Call>)>,
    wanted: Vec<Wanted>,
    places: Places,
    ways: Ways,
    /// This node is in the cluster.
    member: bool,
    role: (Role, Term),
    role_changed: bool,
    sweep_at: Instant,
    disk: StorageHealth,
    fatal: Option<Fatal>,
    snapshot_failed: bool,
    /// There is no space to set aside for the next snapshot.
    tight: bool,
    /// This node gave up the lead for its disk, which has not recovered since.
    left: bool,
    /// Bytes of the last snapshot that was written.
    snapshot_bytes: u64,
    /// A part of the snapshot that is being received was lost here.
    refuse_snapshot: bool,
    /// The log has no room: the next snapshot takes the place of everything it covers.
    make_room: bool,
    /// Since when this node's disk takes no more.
    disk_bad_since: Option<Instant>,
    /// How many entries stay in the log behind the snapshot that is being written.
    keep: u64,
    since_snapshot: Since,
    counters: Counters,
    scratch: Vec<u8>,
    /// Lines that peers can cause.
    lines: LogLimit<&'static str>,
    role_lines: LogLimit<()>,
}

/// When to give up, and when to write a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// A batch that waits longer is answered by an error, in µs.
    pub(crate) timeout_us: u64,
    /// A snapshot is written after so many bytes of entries, or so many entries; where it is larger than that, after as many bytes as it
    /// has, and at most four times as many as this.
    pub(crate) snapshot_bytes: u64,
    pub(crate) snapshot_entries: u64,
    /// Entries that stay in the log behind a snapshot, so that a node that was away for a moment needs none.
    pub(crate) keep_entries: u64,
}

impl Policy {
    /// After how many bytes of entries the next snapshot is due, if the last had so many bytes.
    const fn due_bytes(&self, last: u64) -> u64 {
        let most = self.snapshot_bytes.saturating_mul(4);
        let due = if last < most { last } else { most };
        if due > self.snapshot_bytes { due } else { self.snapshot_bytes }
    }

    /// The most that a node takes on disk, in bytes, if its snapshots never have more than this. Not counted: a snapshot that is being
    /// received, which `--max-snapshot-mb` bounds, and an older one for as long as a peer is being sent it.
    pub(crate) fn disk_bytes(&self, snapshot: u64) -> u64 {
        let waiting = 4 * limits::ENTRY_BYTES as u64;
        let live = self.due_bytes(snapshot) + self.snapshot_bytes / 4 + waiting;
        limits::wal().max_disk_bytes(live, waiting).saturating_add(archive::max_bytes(snapshot))
    }
}

/// What client connections and the metrics page ask of the node.
pub(crate) enum Ask {
    /// Execute a batch; `stale` lets reads be answered from what this node has.
    Execute {
        batch: Batch,
        stale: bool,
        answer: oneshot::Sender<Answer>,
    },
    Inspect(oneshot::Sender<View>),
    /// Hand the lead to another node; the answer is whether that has begun.
    Transfer {
        to: NodeId,
        answer: oneshot::Sender<Result<(), TransferError>>,
    },
    /// Change the members; the answer is whether that has begun.
    Change {
        change: Change,
        answer: oneshot::Sender<Result<(), ChangeError>>,
    },
    /// Bring a node in that is at this address: the change of the members has begun, or the node is one. Its address is not entered yet.
    Add {
        node: NodeId,
        address: String,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Whether the address of a member may be entered anew.
    Move {
        node: NodeId,
        address: String,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Time has passed: look after deadlines.
    Tick,
}

#[derive(Clone, Copy, Debug, Default)]
struct Since {
    bytes: u64,
    entries: u64,
}

#[derive(Debug)]
enum Asker {
    Own(u64),
    Peer { node: NodeId, call: Call, batch: Batch },
}

/// A batch of writes that waits at the leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    Own(u64),
    /// One of the forwarded ones, and its floor.
    Peer(BatchId, u64),
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    to: NodeId,
    index: Index,
    offset: u64,
    max_len: usize,
}

/// How long a leader's disk may take nothing before it leaves the lead, in µs.
const FULL_DISK_US: u64 = 1_500_000;

/// What peers can make a node log is logged this often a minute, each kind.
const LINES_A_MINUTE: u32 = 10;
/// Elections are what an operator looks for.
const ROLES_A_MINUTE: u32 = 120;

const STOPPED: &str = "ERR this node has stopped itself and serves nothing any more: see its log, then restart or replace it";

impl Replica {
    pub(crate) fn new(
        id: NodeId,
        incarnation: Incarnation,
        policy: Policy,
        state: State,
        archive: Archive,
        places: Places,
    ) -> Self {
        Self {
            id,
            incarnation,
            exhausted: false,
            policy,
            state,
            archive,
            writes: Pending::default(),
            reads: Pending::default(),
            forwarded: HashMap::new(),
            forwarded_bytes: 0,
            in_flight: VecDeque::new(),
            in_flight_work: 0,
            held: VecDeque::new(),
            no_room: (0, 0),
            asked: Vec::new(),
            rounds: VecDeque::new(),
            confirmed: Vec::new(),
            readings: Readings::default(),
            meter: Meter::default(),
            wake: Arc::default(),
            fresh: VecDeque::new(),
            outgoing: Vec::new(),
            wanted: Vec::new(),
            places,
            ways: Ways::default(),
            // until the first look
            member: true,
            role: (Role::Follower, 0),
            role_changed: false,
            sweep_at: Instant::ZERO,
            disk: StorageHealth::default(),
            fatal: None,
            snapshot_failed: false,
            tight: false,
            left: false,
            snapshot_bytes: 0,
            refuse_snapshot: false,
            make_room: false,
            disk_bad_since: None,
            keep: policy.keep_entries,
            since_snapshot: Since::default(),
            counters: Counters::default(),
            scratch: Vec::new(),
            lines: LogLimit::new(LINES_A_MINUTE),
            role_lines: LogLimit::new(ROLES_A_MINUTE),
        }
    }

    /// With what has the loop turn again soon, when there is more to do than a turn takes.
    pub(crate) fn waking(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }

    fn apply(&mut self, entries: Entries<'_>) {
        let mut named = false;
        for entry in entries.iter() {
            // a snapshot may be ahead of the log
            if entry.index <= self.state.applied {
                continue;
            }
            self.state.applied = entry.index;
            self.since_snapshot.entries += 1;
            self.since_snapshot.bytes += entry.data.len() as u64;
            if entry.kind == EntryKind::Config {
                self.state.members(entry.data);
            } else if entry.kind == EntryKind::Command {
                match Entry::decode(entry.data) {
                    Ok(command) => {
                        named |= command.id.origin == self.id;
                        self.apply_command(entry.index, command);
                    }
                    // every node skips it alike
                    Err(error) => {
                        if let Some(suppressed) = self.lines.pass("unknown form") {
                            error!(index = entry.index, %error, suppressed, "skipping a command of a form unknown here");
                        }
                    }
                }
            }
        }
        self.landed();
        if named {
            self.renew_if_forged();
        }
    }

    /// What was in flight and is applied.
    fn landed(&mut self) {
        while let Some(&(index, work)) = self.in_flight.front()
            && index <= self.state.applied
        {
            self.in_flight.pop_front();
            self.in_flight_work = self.in_flight_work.saturating_sub(work);
        }
    }

    fn apply_command(&mut self, index: Index, entry: Entry<'_>) {
        if !self.state.sessions.admit(entry.id, entry.floor) {
            self.counters.duplicates += 1;
            return;
        }
        self.counters.applied += 1;
        let steps = self.execute_entry(index, entry);
        self.meter.applied(steps);
    }

    /// Does what the entry says, as every node does; who waits for it is answered.
    fn execute_entry(&mut self, index: Index, entry: Entry<'_>) -> u64 {
        let own = entry.id.origin == self.id && entry.id.incarnation == self.incarnation.get();
        if let Some(waiting) = own.then(|| self.writes.remove(entry.id.number)).flatten() {
            if waiting.batch.has_writes(entry.ops) {
                let mut reply = Reply::new(waiting.batch.protocol);
                let steps = self.state.execute(waiting.batch.ops(), Some(&mut reply));
                waiting.finish(reply, index);
                return steps;
            }
            waiting.fail(STOLEN);
        }
        if let Some(batch) = self.forwarded.remove(&entry.id) {
            self.forwarded_bytes -= batch.ops.len();
            if batch.has_writes(entry.ops) {
                let mut reply = Reply::new(batch.protocol);
                let steps = self.state.execute(batch.ops(), Some(&mut reply));
                let BatchId { origin, incarnation, number } = entry.id;
                let call = Call { incarnation, number, write: true };
                let answer = Frame::Answer { call, index, replies: reply.bytes() };
                self.outgoing.push((origin, answer.to_vec(), None));
                return steps;
            }
            // another batch under this number came into the log first
        }
        self.state.execute(Ops::new(entry.ops), None)
    }

    fn role_changed(&mut self, role: Role, term: Term, leader: Option<NodeId>) {
        if let Some(suppressed) = self.role_lines.pass(()) {
            info!(?role, term, leader = leader.map(NodeId::get), suppressed, "role");
        }
        self.role = (role, term);
        self.role_changed = true;
        self.counters.leader_changes += u64::from(leader.is_some());
        // reads under way are lost; the nodes whose clients asked ask again
        for asker in self.rounds.drain(..).flat_map(|(_, askers)| askers) {
            match asker {
                Asker::Own(number) => {
                    if let Some(waiting) = self.reads.get_mut(number) {
                        waiting.leader_lost();
                    }
                }
                Asker::Peer { node, call, .. } => self.readings.leave(node, call),
            }
        }
        if role != Role::Leader {
            // their nodes will find them in the log, if they are in it
            self.forwarded.clear();
            self.forwarded_bytes = 0;
            self.in_flight.clear();
            self.in_flight_work = 0;
            for held in self.held.drain(..) {
                if let Held::Own(number) = held
                    && let Some(waiting) = self.writes.get_mut(number)
                {
                    waiting.retry_at = Instant::ZERO;
                }
            }
            self.archive.stop_serving();
        }
    }

    fn begin_round(&mut self, raft: &mut Raft<Heap>) {
        if self.asked.is_empty() {
            return;
        }
        let askers = core::mem::take(&mut self.asked);
        match raft.read() {
            Ok(id) => self.rounds.push_back((id, askers)),
            Err(_) => {
                for asker in askers {
                    match asker {
                        Asker::Own(number) => {
                            if let Some(waiting) = self.reads.get_mut(number) {
                                waiting.handed = None;
                            }
                        }
                        Asker::Peer { node, call, .. } => {
                            self.readings.leave(node, call);
                            let refusal = Frame::Refusal { call, reason: Refusal::NotLeader };
                            self.outgoing.push((node, refusal.to_vec(), None));
                        }
                    }
                }
            }
        }
    }

    fn view(&self, raft: &Raft<Heap>) -> View {
        View {
            status: raft.status(),
            // only a leader knows
            members: self.neighbours(raft),
            known: self.state.directory.len(),
            peers: if self.role.0 == Role::Leader { raft.peers().collect() } else { Vec::new() },
            applied: self.state.applied,
            keys: self.state.store.len(),
            bytes: self.state.store.bytes(),
            waiting: self.writes.len() + self.reads.len(),
            disk: match self.disk {
                StorageHealth::Good if self.tight => StorageHealth::Full,
                disk => disk,
            },
            snapshot_failed: self.snapshot_failed,
            counters: self.counters,
            meter: self.meter,
        }
    }

    /// The disk takes no more, or has no space for the next snapshot.
    fn disk_full(&self) -> bool {
        self.disk != StorageHealth::Good || self.tight
    }

    /// A leader with a full disk proposes nothing. But if nothing of the log waits for the disk, it tries one: so it learns whether the
    /// others' disks are full as well.
    fn refuses_writes(&self, raft: &Raft<Heap>) -> bool {
        if self.disk == StorageHealth::Good {
            return self.tight;
        }
        let status = raft.status();
        status.last > status.durable
    }

    /// A leader whose disk takes no more applies nothing, and takes no writes. If others have what it cannot write, one of them should
    /// lead. Where all disks are full, nobody could be elected, and this node goes on to answer reads.
    fn leave_if_full(&mut self, raft: &mut Raft<Heap>, now: Instant, status: &Status) {
        if !self.disk_full() {
            self.disk_bad_since = None;
            self.left = false;
            return;
        }
        let since = *self.disk_bad_since.get_or_insert(now);
        let others =
            status.commit > status.durable || (self.disk == StorageHealth::Good && !self.left);
        if status.role == Role::Leader
            && raft.peers().next().is_some()
            && now.since(since) >= FULL_DISK_US
            && others
        {
            warn!("this node's disk takes no more: leaving the lead to another");
            self.left = true;
            raft.step_down();
        }
    }

    fn call(&self, number: u64, write: bool) -> Call {
        Call { incarnation: self.incarnation.get(), number, write }
    }

    /// A peer sent what no honest node can have sent: it has no effect.
    fn implausible(&mut self, from: NodeId, why: &str) {
        self.counters.implausible = self.counters.implausible.saturating_add(1);
        if let Some(suppressed) = self.lines.pass("implausible") {
            warn!(from = from.get(), why, suppressed, "refusing what no node can have sent");
        }
    }
}

impl App for Replica {
    type Machine = Raft<Heap>;
    type Command = Ask;

    /// Heartbeats, votes and answers; entries and parts of snapshots are bulk.
    fn lane(message: &Message<'_>) -> Lane {
        match message {
            Message::Append { entries: data, .. } | Message::Snapshot { data, .. }
                if data.is_empty() =>
            {
                Lane::Urgent
            }
            Message::Append { .. }
            | Message::Snapshot { .. }
            | Message::SnapshotEnd { .. }
            | Message::Propose { .. }
            | Message::Proposed { .. } => Lane::Bulk,
            _ => Lane::Urgent,
        }
    }

    fn command(&mut self, raft: &mut Raft<Heap>, now: Instant, command: Ask) {
        match command {
            Ask::Execute { batch, stale, answer } => self.execute(raft, now, batch, stale, answer),
            Ask::Inspect(answer) => drop(answer.send(self.view(raft))),
            Ask::Transfer { to, answer } => drop(answer.send(raft.transfer(to))),
            Ask::Change { change, answer } => {
                // who asked may be gone
                let _ = answer.send(raft.change(&[change]).map(drop));
            }
            // who asked may be gone
            Ask::Add { node, address, answer } => {
                let _ = answer.send(self.add(raft, node, &address));
            }
            Ask::Move { node, address, answer } => {
                let _ = answer.send(self.may_move(raft, node, &address));
            }
            Ask::Tick => {}
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Committed(entries) => self.apply(entries),
            Event::Role { role, term, leader } => self.role_changed(role, term, leader),
            Event::Read { through } => {
                while self.rounds.front().is_some_and(|&(id, _)| id <= through) {
                    self.confirmed.extend(self.rounds.pop_front().into_iter().flat_map(|(_, a)| a));
                }
            }
            Event::SnapshotWanted { to, index, offset, max_len } => {
                self.wanted.push(Wanted { to, index, offset, max_len });
            }
            Event::SnapshotPart { index, offset, data, done, .. } => {
                if let Err(error) = self.archive.receive(index, offset, data, done) {
                    if let Some(suppressed) = self.lines.pass("snapshot part") {
                        warn!(index, offset, %error, suppressed, "could not keep a part of a snapshot; asking for it anew");
                    }
                    self.refuse_snapshot = true;
                }
            }
            Event::Members { .. } => self.ways.changed(),
            Event::PeerLostEntries { peer, acknowledged } => {
                let Some(suppressed) = self.lines.pass("peer lost entries") else { return };
                error!(%peer, acknowledged, suppressed, "a node lost entries that it had acknowledged, and so its votes: it counts for nothing until \
                     it is removed (ctl remove {peer}); let it come back with an empty data directory under a new id");
            }
            Event::Removed { index } => {
                if let Some(suppressed) = self.lines.pass("removed") {
                    error!(
                        index,
                        suppressed,
                        "this node was removed from the cluster while it was cut off, and takes no part any more: stop it; a node comes back under a new id, with an empty directory"
                    );
                }
                self.ways.changed();
            }
            Event::Refusing { peer, reason } => {
                let peer = peer.get();
                let Some(suppressed) = self.lines.pass("refusing a peer") else { return };
                error!(peer, %reason, suppressed, "this node keeps refusing the messages of a peer: compare both with `ctl status`, then take the one that is wrong out with `ctl remove`, and add a new one under a new id");
            }
            Event::LogFull => {
                if let Some(suppressed) = self.lines.pass("log full") {
                    warn!(suppressed, "the log is full; writing a snapshot to make room");
                }
                self.make_room = true;
            }
            Event::Fatal(fatal) => {
                error!(%fatal, "this node stopped itself");
                self.fatal = Some(fatal);
                self.readings.fail(STOPPED);
                for pending in [&mut self.writes, &mut self.reads] {
                    for number in pending.numbers(|_| true) {
                        if let Some(waiting) = pending.remove(number) {
                            let certain = waiting.chances == 0 || waiting.batch.is_read_only();
                            waiting.fail(if certain { STOPPED } else { UNKNOWN_STOPPED });
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn frame(&mut self, raft: &mut Raft<Heap>, now: Instant, from: NodeId, bytes: &[u8]) {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(_) => return self.implausible(from, "a frame that does not parse"),
        };
        match frame {
            Frame::Request { call, floor, protocol, ops } => {
                let batch = match Batch::parse(ops, protocol) {
                    Ok(batch) if batch.is_read_only() != call.write => batch,
                    _ => return self.implausible(from, "a request that does not parse"),
                };
                if let Err(reason) = self.request(raft, from, call, floor, batch) {
                    self.outgoing.push((from, Frame::Refusal { call, reason }.to_vec(), None));
                }
            }
            Frame::Answer { call, index, replies }
                if call.incarnation == self.incarnation.get() =>
            {
                let pending = if call.write { &mut self.writes } else { &mut self.reads };
                match pending.get_mut(call.number).map(|waiting| waiting.was_asked(from)) {
                    Some(true) => {
                        if let Some(waiting) = pending.remove(call.number) {
                            let _ = waiting.answer.send(Answer { replies: replies.into(), index });
                        }
                    }
                    Some(false) => self.implausible(from, NOT_ASKED),
                    // given up, or answered from the log
                    None => {}
                }
            }
            Frame::Refusal { call, reason } => {
                self.refused(now, from, call, reason);
            }
            // for an earlier life of this node
            Frame::Answer { .. } => {}
        }
    }

    fn settle(&mut self, raft: &mut Raft<Heap>, now: Instant, outbox: &mut Outbox) {
        let status = raft.status();
        self.meter.settle(now);
        self.keep_ways(raft, now, &status, outbox);
        // bytes that are copied in one turn: a large batch is the last
        let mut bytes = 0;
        while bytes < limits::LARGE_BYTES
            && let Some(call) = self.fresh.pop_front()
        {
            let pending = if call.write { &self.writes } else { &self.reads };
            bytes += pending.ops_len(call.number);
            self.hand_over(raft, now, &status, call);
        }
        if self.role_changed || now >= self.sweep_at {
            self.sweep(raft, now, &status);
        }
        self.propose_held(raft, now);
        self.leave_if_full(raft, now, &status);
        self.take_confirmed();
        self.read_on(raft);
        self.begin_round(raft);
        self.keep_snapshots(raft, &status);
        for (to, frame, call) in core::mem::take(&mut self.outgoing) {
            // an answer that is dropped is asked for again, or found in the log
            if let (false, Some(call)) = (outbox.send(to, &frame), call) {
                self.refused(now, to, call, Refusal::NotLeader);
            }
        }
    }

    fn has_more(&self) -> bool {
        !self.fresh.is_empty()
    }

    fn storage(&mut self, health: StorageHealth) {
        if health != self.disk {
            warn!(?health, "disk");
        }
        self.disk = health;
    }
}

const NOT_ASKED: &str = "an answer to a request that was handed to other nodes";
const STOLEN: &str = "ERR the command was not executed: another was applied under its number, which somebody else used in this node's name";
const UNKNOWN_STOLEN: &str = "ERR outcome unknown: somebody else used this node's numbers; the command may or may not have been executed";
const UNKNOWN_STOPPED: &str = "ERR outcome unknown: this node has stopped itself; the command may or may not have been executed";

fn replicas(raft: &Raft<Heap>, index: Index) -> i64 {
    raft.peers().filter(|peer| peer.match_index >= index).count() as i64
}
