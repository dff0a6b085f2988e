mod app;
mod applying;
mod ask;
mod handover;
mod members;
mod policy;
mod reading;
mod renewal;
mod snapshots;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use quorate_core::{Fatal, Instant, NodeId};
use quorate_raft::{Heap, Index, Raft, ReadId, Role, Status, Term};
use quorate_tokio::LogLimit;
use quorate_tokio::app::StorageHealth;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::apply::State;
use crate::archive::Archive;
use crate::batch::Batch;
use crate::forward::{Call, Frame, Refusal};
use crate::incarnation::Incarnation;
use crate::pending::{Answer, Pending, Waiting};
use crate::session::BatchId;
use crate::unread::Unread;
use crate::view::{Counters, View};
use crate::work::Meter;

pub(crate) use ask::Ask;
pub(crate) use members::Places;
use members::Ways;
pub(crate) use policy::Policy;
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
    /// Entries up to here are committed, and applied as turns have time for it.
    committed: Index,
    /// Those that wait, in runs: the last index and the bytes of each, and the bytes of all.
    backlog: VecDeque<(Index, u64)>,
    backlog_bytes: u64,
    /// Reads for the next round, the rounds under way, and what they confirmed: answered when what was
    /// committed then is applied.
    asked: Vec<Asker>,
    rounds: VecDeque<(ReadId, Vec<Asker>)>,
    confirmed: VecDeque<(Index, Asker)>,
    readings: Readings,
    meter: Meter,
    /// Has the loop turn again soon.
    wake: Arc<Notify>,
    /// Replies that clients have not taken.
    unread: Unread,
    /// The last read that was handed over while these were too many, and those that wait until it is answered.
    tried: Option<u64>,
    put_off: VecDeque<u64>,
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
    part_lost: bool,
    refused: snapshots::Refused,
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
            committed: 0,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            asked: Vec::new(),
            rounds: VecDeque::new(),
            confirmed: VecDeque::new(),
            readings: Readings::default(),
            meter: Meter::default(),
            wake: Arc::default(),
            unread: Unread::default(),
            tried: None,
            put_off: VecDeque::new(),
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
            part_lost: false,
            refused: snapshots::Refused::default(),
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

    /// With what counts the replies that clients have not taken.
    pub(crate) fn counting(self, unread: Unread) -> Self {
        Self { unread, ..self }
    }

    /// What another node answered goes to the client.
    fn answer(&self, waiting: Waiting, write: bool, replies: &[u8], index: Index) {
        if self.unread.drops(replies.len()) {
            return waiting.fail_at(if write { DROPPED } else { UNREAD }, index);
        }
        let share = self.unread.share(replies.len());
        let _ = waiting.answer.send(Answer { replies: replies.into(), index, share });
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

pub(crate) const UNREAD: &str = "TRYAGAIN the replies that clients of this node have not read take too much memory, the command was not executed";
const DROPPED: &str = "ERR the command was executed, but its reply was dropped: the replies that clients of this node have not read take too much memory";
const NOT_ASKED: &str = "an answer to a request that was handed to other nodes";
const STOLEN: &str = "ERR the command was not executed: another was applied under its number, which somebody else used in this node's name";
const UNKNOWN_STOLEN: &str = "ERR outcome unknown: somebody else used this node's numbers; the command may or may not have been executed";
const UNKNOWN_STOPPED: &str = "ERR outcome unknown: this node has stopped itself; the command may or may not have been executed";

fn replicas(raft: &Raft<Heap>, index: Index) -> i64 {
    raft.peers().filter(|peer| peer.match_index >= index).count() as i64
}
