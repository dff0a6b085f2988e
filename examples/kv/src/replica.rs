use std::collections::{HashMap, VecDeque};

use quorate_core::{Fatal, Instant, NodeId};
use quorate_driver::app::{App, Outbox, StorageHealth};
use quorate_raft::{
    Entries, EntryKind, Event, Heap, Index, ProposeError, Raft, ReadId, Role, Status, Term,
};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::apply::{Entry, State};
use crate::archive::Archive;
use crate::batch::{Batch, Ops};
use crate::forward::{Call, Frame, Refusal};
use crate::limits;
use crate::pending::{Answer, Pending, Waiting};
use crate::reply::Reply;
use crate::session::BatchId;
use crate::store;
use crate::view::{Counters, View};

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
    incarnation: u64,
    policy: Policy,
    state: State,
    archive: Archive,
    /// Batches of own clients that contain writes, and those that do not.
    writes: Pending,
    reads: Pending,
    /// Writes of other nodes' clients that this node proposed.
    forwarded: HashMap<BatchId, Batch>,
    forwarded_bytes: usize,
    /// Reads for the next round, the rounds under way, and what they confirmed.
    asked: Vec<Asker>,
    rounds: VecDeque<(ReadId, Vec<Asker>)>,
    confirmed: Vec<Asker>,
    /// Own batches to hand over when frames can be sent.
    fresh: Vec<Call>,
    /// Frames for peers, and which own batch a request is about.
    outgoing: Vec<(NodeId, Vec<u8>, Option<Call>)>,
    wanted: Vec<Wanted>,
    role: (Role, Term),
    role_changed: bool,
    sweep_at: Instant,
    disk: StorageHealth,
    fatal: Option<Fatal>,
    snapshot_failed: bool,
    since_snapshot: Since,
    counters: Counters,
    scratch: Vec<u8>,
}

/// When to give up, and when to write a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// A batch that waits longer is answered by an error, in µs.
    pub(crate) timeout_us: u64,
    /// A snapshot is written after so many bytes of entries, or so many entries.
    pub(crate) snapshot_bytes: u64,
    pub(crate) snapshot_entries: u64,
    /// Entries that stay in the log behind a snapshot, so that a node that was away for a moment needs none.
    pub(crate) keep_entries: u64,
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

#[derive(Clone, Copy, Debug)]
struct Wanted {
    to: NodeId,
    index: Index,
    offset: u64,
    max_len: usize,
}

/// How often waiting batches are gone through, in µs.
const SWEEP_US: u64 = 20_000;
/// A request to another node that was not answered for this long, in µs, is sent again.
const RESEND_US: u64 = 1_000_000;
/// After a refusal, in µs.
const RETRY_US: u64 = 20_000;

const STOPPED: &str = "ERR this node has stopped itself and serves nothing any more: see its log, then restart or replace it";
const DISK: &str = "MISCONF the leader's disk takes no more writes, the command was not executed: free some space, it then goes on by itself";

impl Replica {
    pub(crate) fn new(
        id: NodeId,
        incarnation: u64,
        policy: Policy,
        state: State,
        archive: Archive,
    ) -> Self {
        Self {
            id,
            incarnation,
            policy,
            state,
            archive,
            writes: Pending::default(),
            reads: Pending::default(),
            forwarded: HashMap::new(),
            forwarded_bytes: 0,
            asked: Vec::new(),
            rounds: VecDeque::new(),
            confirmed: Vec::new(),
            fresh: Vec::new(),
            outgoing: Vec::new(),
            wanted: Vec::new(),
            role: (Role::Follower, 0),
            role_changed: false,
            sweep_at: Instant::ZERO,
            disk: StorageHealth::default(),
            fatal: None,
            snapshot_failed: false,
            since_snapshot: Since::default(),
            counters: Counters::default(),
            scratch: Vec::new(),
        }
    }

    fn execute(
        &mut self,
        raft: &mut Raft<Heap>,
        now: Instant,
        batch: Batch,
        stale: bool,
        answer: oneshot::Sender<Answer>,
    ) {
        let waiting = Waiting::new(batch, answer, now.after(self.policy.timeout_us));
        if self.fatal.is_some() {
            return waiting.fail(STOPPED);
        }
        if stale && waiting.batch.is_read_only() {
            return self.reply_to_reads(raft, waiting);
        }
        let bytes = self.writes.bytes() + self.reads.bytes() + self.forwarded_bytes;
        if bytes + waiting.batch.ops.len() > limits::INFLIGHT_BYTES || !self.writes.has_room() {
            return waiting.fail(
                "TRYAGAIN too many commands wait at this node, the command was not executed: send less at once",
            );
        }
        if waiting.batch.is_read_only() {
            let number = self.reads.insert(waiting);
            self.fresh.push(self.call(number, false));
        } else {
            let number = self.writes.insert(waiting);
            if self.role.0 == Role::Leader {
                self.propose(raft, now, number);
            } else {
                self.fresh.push(self.call(number, true));
            }
        }
    }

    /// Proposes an own batch, if this node leads.
    fn propose(&mut self, raft: &mut Raft<Heap>, now: Instant, number: u64) {
        let floor = self.writes.floor();
        let id = BatchId { origin: self.id, incarnation: self.incarnation, number };
        let Some(waiting) = self.writes.get_mut(number) else { return };
        if self.disk != StorageHealth::Good && waiting.chances == 0 {
            if let Some(waiting) = self.writes.remove(number) {
                waiting.fail(DISK);
            }
            return;
        }
        self.scratch.clear();
        Entry::encode(&mut self.scratch, id, floor, &waiting.batch);
        match raft.propose(&self.scratch) {
            Ok(proposal) => waiting.hand_over(self.id, proposal.term, now),
            Err(ProposeError::TooLarge) => {
                if let Some(waiting) = self.writes.remove(number) {
                    waiting.fail(TOO_LARGE);
                }
            }
            Err(error) => {
                waiting.refusal = Some(refusal(error));
                waiting.handed = None;
                waiting.retry_at = now.after(RETRY_US);
            }
        }
    }

    /// Hands an own batch over to whoever leads.
    fn hand_over(&mut self, raft: &mut Raft<Heap>, now: Instant, status: &Status, call: Call) {
        let Some(leader) = status.leader else { return };
        if leader == self.id {
            if call.write {
                self.propose(raft, now, call.number);
            } else if let Some(waiting) = self.reads.get_mut(call.number) {
                waiting.hand_over(self.id, status.term, now);
                self.asked.push(Asker::Own(call.number));
            }
            return;
        }
        let floor = self.writes.floor();
        let pending = if call.write { &mut self.writes } else { &mut self.reads };
        let Some(waiting) = pending.get_mut(call.number) else { return };
        waiting.hand_over(leader, status.term, now);
        let Batch { protocol, ref ops, .. } = waiting.batch;
        let request = Frame::Request { call, floor, protocol, ops }.to_vec();
        self.outgoing.push((leader, request, Some(call)));
        self.counters.forwarded_out += 1;
    }

    /// Takes a batch of another node's client.
    fn request(
        &mut self,
        raft: &mut Raft<Heap>,
        from: NodeId,
        call: Call,
        floor: u64,
        batch: Batch,
    ) -> Result<(), Refusal> {
        let bytes = self.forwarded_bytes + self.writes.bytes() + batch.ops.len();
        if self.role.0 != Role::Leader {
            return Err(Refusal::NotLeader);
        }
        if self.forwarded.len() >= limits::FORWARDED_BATCHES || bytes > limits::INFLIGHT_BYTES {
            return Err(Refusal::Busy);
        }
        self.counters.forwarded_in += 1;
        if !call.write {
            self.asked.push(Asker::Peer { node: from, call, batch });
            return Ok(());
        }
        let id = BatchId { origin: from, incarnation: call.incarnation, number: call.number };
        if self.forwarded.contains_key(&id) {
            return Ok(());
        }
        if self.state.sessions.is_over(id) {
            return Err(Refusal::Over);
        }
        if self.disk != StorageHealth::Good {
            return Err(Refusal::Disk);
        }
        self.scratch.clear();
        Entry::encode(&mut self.scratch, id, floor, &batch);
        raft.propose(&self.scratch).map_err(refusal)?;
        self.forwarded_bytes += batch.ops.len();
        self.forwarded.insert(id, batch);
        Ok(())
    }

    fn refused(&mut self, now: Instant, from: NodeId, call: Call, reason: Refusal) {
        let pending = if call.write { &mut self.writes } else { &mut self.reads };
        let Some(waiting) = pending.get_mut(call.number) else { return };
        if reason == Refusal::Over {
            // it is in the log: this node will come to it
            return;
        }
        waiting.refused(from, reason, now.after(RETRY_US));
        let error = match reason {
            Refusal::Disk => DISK,
            Refusal::TooLarge => TOO_LARGE,
            _ => return,
        };
        if waiting.chances == 0
            && let Some(waiting) = pending.remove(call.number)
        {
            waiting.fail(error);
        }
    }

    fn apply(&mut self, entries: Entries<'_>) {
        for entry in entries.iter() {
            // a snapshot may be ahead of the log
            if entry.index <= self.state.applied {
                continue;
            }
            self.state.applied = entry.index;
            self.since_snapshot.entries += 1;
            self.since_snapshot.bytes += entry.data.len() as u64;
            if entry.kind == EntryKind::Command {
                match Entry::decode(entry.data) {
                    Ok(command) => self.apply_command(entry.index, command),
                    // every node skips it alike
                    Err(error) => {
                        error!(index = entry.index, %error, "skipping a command of a form unknown here")
                    }
                }
            }
        }
    }

    fn apply_command(&mut self, index: Index, entry: Entry<'_>) {
        if !self.state.sessions.admit(entry.id, entry.floor) {
            self.counters.duplicates += 1;
            return;
        }
        self.counters.applied += 1;
        let own = entry.id.origin == self.id && entry.id.incarnation == self.incarnation;
        if let Some(waiting) = own.then(|| self.writes.remove(entry.id.number)).flatten() {
            let mut reply = Reply::new(waiting.batch.protocol);
            self.state.execute(waiting.batch.ops(), Some(&mut reply));
            waiting.finish(reply, index);
        } else if let Some(batch) = self.forwarded.remove(&entry.id) {
            self.forwarded_bytes -= batch.ops.len();
            let mut reply = Reply::new(batch.protocol);
            self.state.execute(batch.ops(), Some(&mut reply));
            let BatchId { origin, incarnation, number } = entry.id;
            let call = Call { incarnation, number, write: true };
            let answer = Frame::Answer { call, index, replies: reply.bytes() };
            self.outgoing.push((origin, answer.to_vec(), None));
        } else {
            self.state.execute(Ops::new(entry.ops), None);
        }
    }

    fn role_changed(&mut self, role: Role, term: Term, leader: Option<NodeId>) {
        info!(?role, term, leader = leader.map(NodeId::get), "role");
        self.role = (role, term);
        self.role_changed = true;
        self.counters.leader_changes += u64::from(leader.is_some());
        // reads under way are lost; the nodes whose clients asked ask again
        for (_, askers) in self.rounds.drain(..) {
            for asker in askers {
                if let Asker::Own(number) = asker
                    && let Some(waiting) = self.reads.get_mut(number)
                {
                    waiting.handed = None;
                }
            }
        }
        if role != Role::Leader {
            // their nodes will find them in the log, if they are in it
            self.forwarded.clear();
            self.forwarded_bytes = 0;
            self.archive.stop_serving();
        }
    }

    /// Goes through what waits: gives up what is too old, and hands over again what was lost.
    fn sweep(&mut self, raft: &mut Raft<Heap>, now: Instant, status: &Status) {
        self.role_changed = false;
        self.sweep_at = now.after(SWEEP_US);
        for write in [true, false] {
            let pending = if write { &mut self.writes } else { &mut self.reads };
            for number in pending.numbers(|waiting| waiting.deadline <= now) {
                if let Some(waiting) = pending.remove(number) {
                    self.counters.timeouts += 1;
                    let error = given_up(&waiting, status, self.disk, self.policy.timeout_us);
                    waiting.fail(&error);
                }
            }
            let again = pending.numbers(|waiting| match waiting.handed {
                None => waiting.retry_at <= now,
                Some(handed) => {
                    handed.term != status.term
                        || (handed.to != self.id && now.since(handed.at) >= RESEND_US)
                }
            });
            if status.leader.is_some() {
                self.counters.retries += again.len() as u64;
                for number in again {
                    self.hand_over(raft, now, status, self.call(number, write));
                }
            }
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
                            let refusal = Frame::Refusal { call, reason: Refusal::NotLeader };
                            self.outgoing.push((node, refusal.to_vec(), None));
                        }
                    }
                }
            }
        }
    }

    fn answer_confirmed(&mut self, raft: &Raft<Heap>) {
        for asker in core::mem::take(&mut self.confirmed) {
            match asker {
                Asker::Own(number) => {
                    if let Some(waiting) = self.reads.remove(number) {
                        self.reply_to_reads(raft, waiting);
                    }
                }
                Asker::Peer { node, call, batch } => {
                    let mut reply = Reply::new(batch.protocol);
                    self.state.answer(batch.ops(), |index| replicas(raft, index), &mut reply);
                    let index = self.state.applied;
                    let answer = Frame::Answer { call, index, replies: reply.bytes() };
                    self.outgoing.push((node, answer.to_vec(), None));
                }
            }
        }
    }

    fn reply_to_reads(&self, raft: &Raft<Heap>, waiting: Waiting) {
        let mut reply = Reply::new(waiting.batch.protocol);
        self.state.answer(waiting.batch.ops(), |index| replicas(raft, index), &mut reply);
        waiting.finish(reply, self.state.applied);
    }

    fn keep_snapshots(&mut self, raft: &mut Raft<Heap>, status: &Status) {
        self.snapshot_written(raft, status);
        self.snapshot_loaded(raft);
        for wanted in core::mem::take(&mut self.wanted) {
            self.send_part(raft, wanted);
        }
        let Since { bytes, entries } = self.since_snapshot;
        let due = bytes >= self.policy.snapshot_bytes || entries >= self.policy.snapshot_entries;
        if due && self.archive.is_idle() {
            self.since_snapshot = Since::default();
            self.archive.begin(self.state.clone());
        }
    }

    fn snapshot_written(&mut self, raft: &mut Raft<Heap>, status: &Status) {
        let written = match self.archive.written() {
            None => return,
            Some(Ok(written)) => written,
            Some(Err(error)) => {
                warn!(%error, "could not write a snapshot; trying again, the log grows meanwhile");
                self.snapshot_failed = true;
                self.since_snapshot.entries = u64::MAX / 2;
                return;
            }
        };
        self.snapshot_failed = false;
        self.counters.snapshots_written += 1;
        let behind = written.index.saturating_sub(self.policy.keep_entries);
        let anchor = behind.max(status.first.saturating_sub(1)).min(written.index);
        match raft.snapshot_taken(written.index, anchor) {
            Ok(()) => info!(
                index = written.index,
                bytes = written.bytes,
                ms = written.took.as_millis() as u64,
                log_from = anchor + 1,
                "wrote a snapshot"
            ),
            Err(error) => warn!(index = written.index, %error, "a snapshot came too late"),
        }
        if let Err(error) = self.archive.prune() {
            warn!(%error, "could not remove old snapshots");
        }
    }

    fn snapshot_loaded(&mut self, raft: &mut Raft<Heap>) {
        let state = match self.archive.loaded() {
            None => return,
            Some(Ok(state)) => state,
            Some(Err(fault)) => {
                warn!(%fault, "refusing a snapshot from the leader");
                return raft.snapshot_refused();
            }
        };
        let index = state.applied;
        if index > self.state.applied {
            let old = core::mem::replace(&mut self.state, *state);
            store::discard(old.store);
            self.since_snapshot = Since::default();
            self.answer_from_snapshot();
        }
        self.counters.snapshots_installed += 1;
        match raft.snapshot_installed(index) {
            Ok(()) => {
                info!(index, keys = self.state.store.len(), "installed a snapshot from the leader")
            }
            Err(error) => warn!(index, %error, "a snapshot from the leader came too late"),
        }
        if let Err(error) = self.archive.prune() {
            warn!(%error, "could not remove old snapshots");
        }
    }

    /// A snapshot may contain batches whose clients wait here: they are done, and what they would have been told is not known.
    fn answer_from_snapshot(&mut self) {
        for number in self.writes.numbers(|_| true) {
            let id = BatchId { origin: self.id, incarnation: self.incarnation, number };
            if self.state.sessions.is_over(id)
                && let Some(waiting) = self.writes.remove(number)
            {
                waiting.fail("ERR the command was executed, but its reply was lost as this node caught up by a snapshot");
            }
        }
    }

    fn send_part(&mut self, raft: &mut Raft<Heap>, wanted: Wanted) {
        let Wanted { to, index, offset, max_len } = wanted;
        match self.archive.part(to, index, offset, max_len) {
            Ok(part) => {
                if offset == 0 {
                    info!(to = to.get(), index = part.index, "sending a snapshot");
                }
                if let Err(error) =
                    raft.send_snapshot(to, part.index, offset, &part.data, part.done)
                {
                    warn!(to = to.get(), %error, "a part of a snapshot was not sent");
                }
            }
            Err(error) => warn!(to = to.get(), index, %error, "could not read a snapshot"),
        }
    }

    fn view(&self, raft: &Raft<Heap>) -> View {
        View {
            status: raft.status(),
            peers: raft.peers().collect(),
            applied: self.state.applied,
            keys: self.state.store.len(),
            bytes: self.state.store.bytes(),
            waiting: self.writes.len() + self.reads.len(),
            disk: self.disk,
            snapshot_failed: self.snapshot_failed,
            counters: self.counters,
        }
    }

    fn call(&self, number: u64, write: bool) -> Call {
        Call { incarnation: self.incarnation, number, write }
    }
}

impl App for Replica {
    type Machine = Raft<Heap>;
    type Command = Ask;

    fn command(&mut self, raft: &mut Raft<Heap>, now: Instant, command: Ask) {
        match command {
            Ask::Execute { batch, stale, answer } => self.execute(raft, now, batch, stale, answer),
            Ask::Inspect(answer) => drop(answer.send(self.view(raft))),
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
                    // without an acknowledgement the leader begins anew
                    warn!(index, offset, %error, "could not keep a part of a snapshot");
                }
            }
            Event::Fatal(fatal) => {
                error!(%fatal, "this node stopped itself");
                self.fatal = Some(fatal);
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
            Err(error) => return warn!(from = from.get(), %error, "ignoring a frame"),
        };
        match frame {
            Frame::Request { call, floor, protocol, ops } => {
                let batch = match Batch::parse(ops, protocol) {
                    Ok(batch) if batch.is_read_only() != call.write => batch,
                    _ => return warn!(from = from.get(), "ignoring a request that does not parse"),
                };
                if let Err(reason) = self.request(raft, from, call, floor, batch) {
                    self.outgoing.push((from, Frame::Refusal { call, reason }.to_vec(), None));
                }
            }
            Frame::Answer { call, index, replies } if call.incarnation == self.incarnation => {
                let pending = if call.write { &mut self.writes } else { &mut self.reads };
                if let Some(waiting) = pending.remove(call.number) {
                    let _ = waiting.answer.send(Answer { replies: replies.into(), index });
                }
            }
            Frame::Refusal { call, reason } if call.incarnation == self.incarnation => {
                self.refused(now, from, call, reason);
            }
            // for an earlier life of this node
            Frame::Answer { .. } | Frame::Refusal { .. } => {}
        }
    }

    fn settle(&mut self, raft: &mut Raft<Heap>, now: Instant, outbox: &mut Outbox) {
        let status = raft.status();
        for call in core::mem::take(&mut self.fresh) {
            self.hand_over(raft, now, &status, call);
        }
        if self.role_changed || now >= self.sweep_at {
            self.sweep(raft, now, &status);
        }
        self.answer_confirmed(raft);
        self.begin_round(raft);
        self.keep_snapshots(raft, &status);
        for (to, frame, call) in core::mem::take(&mut self.outgoing) {
            // an answer that is dropped is asked for again, or found in the log
            if let (false, Some(call)) = (outbox.send(to, &frame), call) {
                self.refused(now, to, call, Refusal::NotLeader);
            }
        }
    }

    fn storage(&mut self, health: StorageHealth) {
        if health != self.disk {
            warn!(?health, "disk");
        }
        self.disk = health;
    }
}

const TOO_LARGE: &str = "ERR the command is larger than the log takes";
const UNKNOWN_STOPPED: &str = "ERR outcome unknown: this node has stopped itself; the command may or may not have been executed";

fn refusal(error: ProposeError) -> Refusal {
    match error {
        ProposeError::Busy | ProposeError::LogFull => Refusal::Busy,
        ProposeError::TooLarge => Refusal::TooLarge,
        _ => Refusal::NotLeader,
    }
}

/// What to tell a client whose batch waited for too long.
fn given_up(waiting: &Waiting, status: &Status, disk: StorageHealth, timeout_us: u64) -> String {
    let ms = timeout_us / 1_000;
    let full = disk != StorageHealth::Good || waiting.refusal == Some(Refusal::Disk);
    if !waiting.batch.is_read_only() && waiting.chances > 0 {
        let why = if full { " and a disk takes no more" } else { "" };
        return format!(
            "ERR outcome unknown: no majority confirmed the command within {ms} ms{why}; it may or may not have been executed"
        );
    }
    match (status.leader, waiting.refusal) {
        (None, _) => {
            format!("CLUSTERDOWN no leader was found within {ms} ms, the command was not executed")
        }
        (_, Some(Refusal::Disk)) => DISK.into(),
        (_, Some(Refusal::Busy)) => {
            format!("TRYAGAIN the leader was too busy for {ms} ms, the command was not executed")
        }
        _ => format!(
            "CLUSTERDOWN the leader did not answer within {ms} ms, the command was not executed"
        ),
    }
}

fn replicas(raft: &Raft<Heap>, index: Index) -> i64 {
    raft.peers().filter(|peer| peer.match_index >= index).count() as i64
}
