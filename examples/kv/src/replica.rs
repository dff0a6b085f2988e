mod app;
mod apply;
mod forged_batches;
mod handle;
mod members;
mod policy;
mod reads;
mod request;
mod routing;
mod snapshots;
#[cfg(test)]
mod tests;

use core::marker::PhantomData;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use quorate_core::{Fatal, Instant, NodeId};
use quorate_log::{Index, ReadId};
use quorate_tokio::LogLimit;
use quorate_tokio::app::StorageHealth;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::apply::State;
use crate::batch::Batch;
use crate::consensus::{Consensus, Role, Status};
use crate::forward::{Frame, Refusal, RequestId};
use crate::incarnation::Incarnation;
use crate::limits;
use crate::node_status::{Counters, NodeStatus};
use crate::output_budget::OutputBudget;
use crate::pending::{BatchReply, Pending, PendingBatch};
use crate::session::BatchId;
use crate::snapshot_store::SnapshotStore;
use crate::work::Meter;

pub(crate) use handle::NodeHandle;
pub(crate) use members::Addresses;
use members::PeerConnections;
pub(crate) use policy::Policy;
use reads::ReadQueue;
pub(crate) use request::Request;

/// The key-value store beside a node of the log: the application of the driver's loop.
///
/// A batch of a client goes to the leader: by `propose` or `read` here, or by a frame to another
/// node. A batch with writes becomes one entry of the log; whoever proposed it answers when it is
/// applied, its reads being done in between at that place of the log. A batch of reads alone is
/// answered when a read round has confirmed that the leader still is one.
///
/// While a batch waits it is sent again when the leader changes or does not answer. The entry
/// carries the batch's number, and [`Sessions`](crate::session::Sessions), a part of the replicated
/// state, let it through once. The node whose client waits needs no answer from the leader if that
/// is lost: it finds its own batch in the log, and replies from there.
pub(crate) struct Replica<C> {
    machine: PhantomData<fn(C)>,
    id: NodeId,
    incarnation: Incarnation,
    /// No batch can have a number any more.
    numbers_exhausted: bool,
    policy: Policy,
    state: State,
    snapshots: SnapshotStore,
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
    queued_writes: VecDeque<QueuedWrite>,
    /// At which commit index and epoch the log had no room for the first of them.
    log_full_at: (Index, u64),
    /// Entries up to here are committed, and applied as turns have time for it.
    committed: Index,
    /// Those that wait, in runs: the last index and the bytes of each, and the bytes of all.
    backlog: VecDeque<(Index, u64)>,
    backlog_bytes: u64,
    /// Reads for the next round, the rounds under way, and what they confirmed: answered when what was
    /// committed then is applied.
    unconfirmed: Vec<Requester>,
    rounds: VecDeque<(ReadId, Vec<Requester>)>,
    confirmed: VecDeque<(Index, Requester)>,
    read_queue: ReadQueue,
    meter: Meter,
    /// Has the loop turn again soon.
    wake: Arc<Notify>,
    /// Memory for replies that clients have not read.
    output_budget: OutputBudget,
    /// The last read that was forwarded while these were too many, and those deferred until it is
    /// answered.
    probe_read: Option<u64>,
    deferred_reads: VecDeque<u64>,
    /// Batches are due, and this turn has no time for them.
    more_due: bool,
    /// Frames for peers, and which own batch a request is about.
    outgoing: Vec<(NodeId, Vec<u8>, Option<RequestId>)>,
    chunk_requests: Vec<ChunkRequest>,
    addresses: Addresses,
    connections: PeerConnections,
    /// This node is in the cluster.
    member: bool,
    role: (Role, u64),
    role_changed: bool,
    sweep_at: Instant,
    disk: StorageHealth,
    fatal: Option<Fatal>,
    snapshot_failed: bool,
    /// There is no space to reserve for the next snapshot.
    no_snapshot_space: bool,
    /// This node stepped down for its disk, which has not recovered since.
    stepped_down_for_disk: bool,
    /// Bytes of the last snapshot that was written.
    snapshot_bytes: u64,
    /// A part of the snapshot that is being received was lost here.
    chunk_lost: bool,
    snapshot_backoff: snapshots::SnapshotBackoff,
    /// The log has no room: the next snapshot takes the place of everything it covers.
    compact_all: bool,
    /// Since when this node's disk takes no more.
    disk_bad_since: Option<Instant>,
    /// How many entries stay in the log behind the snapshot that is being written.
    retained_entries: u64,
    growth_since_snapshot: LogGrowth,
    counters: Counters,
    scratch: Vec<u8>,
    /// Lines that peers can cause.
    log_limit: LogLimit<&'static str>,
    role_log_limit: LogLimit<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LogGrowth {
    bytes: u64,
    entries: u64,
}

#[derive(Debug)]
enum Requester {
    Local(u64),
    Peer { node: NodeId, request_id: RequestId, batch: Batch },
}

/// A batch of writes that waits at the leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum QueuedWrite {
    Local(u64),
    /// One of the forwarded ones, and its floor.
    Peer(BatchId, u64),
}

#[derive(Clone, Copy, Debug)]
struct ChunkRequest {
    to: NodeId,
    index: Index,
    offset: u64,
    max_len: usize,
}

/// How long a leader's disk may take nothing before the leader steps down, in µs.
const DISK_FULL_US: u64 = 1_500_000;

/// What peers can make a node log is logged this often a minute, each kind.
const LOG_LINES_PER_MINUTE: u32 = 10;
/// Elections are what an operator looks for.
const ROLE_LINES_PER_MINUTE: u32 = 120;

const STOPPED: &str = "ERR this node has stopped itself and serves nothing any more: see its log, then restart or replace it";

impl<C: Consensus> Replica<C> {
    pub(crate) fn new(
        id: NodeId,
        incarnation: Incarnation,
        policy: Policy,
        state: State,
        snapshots: SnapshotStore,
        addresses: Addresses,
    ) -> Self {
        Self {
            machine: PhantomData,
            id,
            incarnation,
            numbers_exhausted: false,
            policy,
            state,
            snapshots,
            writes: Pending::new(limits::SESSION_WINDOW as usize),
            // bounded by the bytes of all that is in flight
            reads: Pending::new(usize::MAX),
            forwarded: HashMap::new(),
            forwarded_bytes: 0,
            in_flight: VecDeque::new(),
            in_flight_work: 0,
            queued_writes: VecDeque::new(),
            log_full_at: (0, 0),
            committed: 0,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            unconfirmed: Vec::new(),
            rounds: VecDeque::new(),
            confirmed: VecDeque::new(),
            read_queue: ReadQueue::default(),
            meter: Meter::default(),
            wake: Arc::default(),
            output_budget: OutputBudget::default(),
            probe_read: None,
            deferred_reads: VecDeque::new(),
            more_due: false,
            outgoing: Vec::new(),
            chunk_requests: Vec::new(),
            addresses,
            connections: PeerConnections::default(),
            // until the first look
            member: true,
            role: (Role::Follower, 0),
            role_changed: false,
            sweep_at: Instant::ZERO,
            disk: StorageHealth::default(),
            fatal: None,
            snapshot_failed: false,
            no_snapshot_space: false,
            stepped_down_for_disk: false,
            snapshot_bytes: 0,
            chunk_lost: false,
            snapshot_backoff: snapshots::SnapshotBackoff::default(),
            compact_all: false,
            disk_bad_since: None,
            retained_entries: policy.keep_entries,
            growth_since_snapshot: LogGrowth::default(),
            counters: Counters::default(),
            scratch: Vec::new(),
            log_limit: LogLimit::new(LOG_LINES_PER_MINUTE),
            role_log_limit: LogLimit::new(ROLE_LINES_PER_MINUTE),
        }
    }

    /// With the notification that has the loop turn again soon.
    pub(crate) fn with_wake(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }

    /// With the memory budget for replies that clients have not read.
    pub(crate) fn with_output_budget(self, output_budget: OutputBudget) -> Self {
        Self { output_budget, ..self }
    }

    /// Passes another node's replies on to the client.
    fn answer(&self, waiting: PendingBatch, write: bool, replies: &[u8], index: Index) {
        if self.output_budget.must_drop(replies.len()) {
            return waiting.fail_at(if write { REPLY_DROPPED } else { OUTPUT_FULL }, index);
        }
        let share = self.output_budget.share(replies.len());
        let _ = waiting.answer.send(BatchReply { replies: replies.into(), index, share });
    }

    fn leader_changed(&mut self, role: Role, epoch: u64, leader: Option<NodeId>) {
        if let Some(suppressed) = self.role_log_limit.pass(()) {
            info!(?role, epoch, leader = leader.map(NodeId::get), suppressed, "leader");
        }
        self.role = (role, epoch);
        self.role_changed = true;
        self.counters.leader_changes += u64::from(leader.is_some());
        // reads under way are lost; their nodes send them again
        for requester in self.rounds.drain(..).flat_map(|(_, requesters)| requesters) {
            match requester {
                // due at once if this node knows a leader: the round may be of the term that it is told of only now
                Requester::Local(number) => self.reads.resume(number),
                Requester::Peer { node, request_id, .. } => {
                    self.read_queue.unregister(node, request_id)
                }
            }
        }
        if role != Role::Leader {
            // their nodes will find them in the log, if they are in it
            self.forwarded.clear();
            self.forwarded_bytes = 0;
            self.in_flight.clear();
            self.in_flight_work = 0;
            for queued_write in self.queued_writes.drain(..) {
                if let QueuedWrite::Local(number) = queued_write {
                    self.writes.resume(number);
                }
            }
            self.snapshots.stop_serving();
        }
    }

    fn start_read_round(&mut self, log: &mut C) {
        if self.unconfirmed.is_empty() {
            return;
        }
        let requesters = core::mem::take(&mut self.unconfirmed);
        match log.read() {
            Ok(id) => self.rounds.push_back((id, requesters)),
            Err(_) => {
                for requester in requesters {
                    match requester {
                        Requester::Local(number) => self.reads.resume(number),
                        Requester::Peer { node, request_id, .. } => {
                            self.read_queue.unregister(node, request_id);
                            let refusal = Frame::Refusal { request_id, reason: Refusal::NotLeader };
                            self.outgoing.push((node, refusal.to_vec(), None));
                        }
                    }
                }
            }
        }
    }

    fn node_status(&self, log: &C) -> NodeStatus {
        NodeStatus {
            status: log.view(),
            rejections: log.rejections(),
            // only a leader knows
            members: self.member_list(log),
            known: self.state.directory.len(),
            peers: if self.role.0 == Role::Leader { log.progress().collect() } else { Vec::new() },
            applied: self.state.applied,
            keys: self.state.store.len(),
            bytes: self.state.store.bytes(),
            waiting: self.writes.len() + self.reads.len(),
            disk: match self.disk {
                StorageHealth::Good if self.no_snapshot_space => StorageHealth::Full,
                disk => disk,
            },
            snapshot_failed: self.snapshot_failed,
            counters: self.counters,
            meter: self.meter,
        }
    }

    /// The disk takes no more, or has no space for the next snapshot.
    fn disk_full(&self) -> bool {
        self.disk != StorageHealth::Good || self.no_snapshot_space
    }

    /// A leader with a full disk proposes nothing. But if nothing of the log waits for the disk, it tries one: so it learns whether the
    /// others' disks are full as well.
    fn refuses_writes(&self, log: &C) -> bool {
        if self.disk == StorageHealth::Good {
            return self.no_snapshot_space;
        }
        let status = log.view();
        status.last > status.durable
    }

    /// A leader whose disk takes no more applies nothing, and takes no writes. If others have what it cannot write, one of them should
    /// lead. Where all disks are full, nobody could be elected, and this node goes on to answer reads.
    fn step_down_if_disk_full(&mut self, log: &mut C, now: Instant, status: &Status) {
        if !self.disk_full() {
            self.disk_bad_since = None;
            self.stepped_down_for_disk = false;
            return;
        }
        let since = *self.disk_bad_since.get_or_insert(now);
        let others = status.commit > status.durable
            || (self.disk == StorageHealth::Good && !self.stepped_down_for_disk);
        if status.role == Role::Leader
            && log.members().any(|member| member.id != self.id)
            && now.since(since) >= DISK_FULL_US
            && others
        {
            warn!("this node's disk takes no more: stepping down");
            self.stepped_down_for_disk = true;
            log.step_down();
        }
    }

    /// Fails what this node's clients wait for.
    fn fail_all_pending(&mut self, error: &str, unknown: &str) {
        for pending in [&mut self.writes, &mut self.reads] {
            for number in pending.numbers(|_, _| true) {
                if let Some((waiting, known)) = pending.give_up(number) {
                    let certain = known.is_certainly_absent() || waiting.batch.is_read_only();
                    waiting.fail(if certain { error } else { unknown });
                }
            }
        }
    }

    fn request_id(&self, number: u64, write: bool) -> RequestId {
        RequestId { incarnation: self.incarnation.get(), number, write }
    }

    /// A peer sent what no honest node sends: it is counted, logged and has no effect.
    fn reject_invalid(&mut self, from: NodeId, why: &str) {
        self.counters.invalid_requests = self.counters.invalid_requests.saturating_add(1);
        if let Some(suppressed) = self.log_limit.pass("invalid request") {
            warn!(from = from.get(), why, suppressed, "refusing an invalid request of a peer");
        }
    }
}

pub(crate) const OUTPUT_FULL: &str = "TRYAGAIN the replies that clients of this node have not read take too much memory, the command was not executed";
const REPLY_DROPPED: &str = "ERR the command was executed, but its reply was dropped: the replies that clients of this node have not read take too much memory";
const NOT_SENT_TO: &str = "a response to a request that was sent to other nodes";
const FORGED: &str = "ERR the command was not executed: another was applied under its number, which somebody else used in this node's name";
const UNKNOWN_FORGED: &str = "ERR outcome unknown: somebody else used this node's numbers; the command may or may not have been executed";
const UNKNOWN_STOPPED: &str = "ERR outcome unknown: this node has stopped itself; the command may or may not have been executed";

fn replicas(log: &impl Consensus, index: Index) -> i64 {
    i64::try_from(log.replicas(index)).unwrap_or(i64::MAX)
}
