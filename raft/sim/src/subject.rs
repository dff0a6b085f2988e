use std::collections::HashMap;

mod adversary;
mod client;
mod operator;

use quorate_core::{Drift, Instant, Machine, NodeId, Rejected, Rng, Wire};
use quorate_raft::{
    Config, EntryKind, Event, Forwarded, Index, Message, Proposal, Raft, Record, Replication, Role,
    Status, Storage, Term,
};
use quorate_sim::{Access, LeaderStatus, Marks, Subject, Swarm};

use super::application::Application;
use super::clients::{Client, Keys, State};
use super::history::History;
use super::oracle::Oracle;
use super::protocol::{incarnation_seed, node_config};
use super::store::{Command, Store};
use super::text_format;

/// A cluster of Raft nodes with a store beside each, and clients.
pub struct RaftSubject<S: Storage> {
    config: Config,
    voters: Vec<NodeId>,
    applications: Vec<Application>,
    clients: Vec<Client>,
    keys: Keys,
    history: History,
    /// Where in the log each operation is that was seen there; 0 if it was refused.
    log_positions: HashMap<u64, Index>,
    oracle: Oracle,
    rng: Rng,
    operations: u64,
    completed: u64,
    /// Take a snapshot when the log is that long.
    snapshot_every: u64,
    /// Keep that many entries behind it.
    trailing: u64,
    padding: u64,
    clients_stopped: bool,
    /// An operator transfers leadership, once in so many steps of a client; 0 is never.
    transfers: u64,
    /// An operator has a node campaign, once in so many steps of a client; 0 is never.
    campaigns: u64,
    /// Nodes that found the cluster: all, unless its members change.
    founders: usize,
    /// An operator changes the members, once in so many steps of a client until chaos ends; 0 is
    /// never.
    changes: u64,
    chaos_us: u64,
    /// The last node is one that comes as a witness.
    witness: bool,
    /// The target of the last leadership transfer.
    transfer_target: Option<usize>,
    /// Nodes whose disk is damaged.
    lost: Vec<usize>,
    /// A node that lost state that it acknowledged: it is not checked any more.
    amnesiac: Option<usize>,
    /// Its leader reported the loss.
    loss_reported: bool,
    /// A snapshot restored all that it had acknowledged, before its leader could notice the loss:
    /// its disk counts again from then on.
    loss_repaired: bool,
    /// What timeouts are drawn from, with the node and its incarnation.
    seed: u64,
    incarnations: Vec<u64>,
    /// Steps of the clients.
    steps: u64,
    /// How much longer the election timeouts of some nodes are, in µs.
    spread_us: u64,
    /// No state is damaged again before that operation.
    damaged_at: u64,
    /// An operation that completed at once.
    done: Option<u64>,
    /// What a client has found.
    violated: Option<String>,
    /// What was done, as commands of interaction tests.
    commands: Vec<String>,
    storage: core::marker::PhantomData<S>,
}

const CLIENTS: usize = 4;

/// Messages in a second, at most, for each node: two thirds of that are the most that was seen (a node far behind, that is sent one entry at a
/// time and out of order), with four clients that wait for their
/// answers.
const MAX_MESSAGES_PER_SECOND: u64 = 4_000;

impl<S: Storage> RaftSubject<S> {
    fn draw_config(swarm: &Swarm, rng: &mut Rng) -> Config {
        let election_min_us = 150_000;
        let check_quorum = rng.chance(4, 5);
        let lease = check_quorum && rng.chance(1, 2);
        let drift_ppm = if lease { swarm.drift_ppm.max(1) as u32 } else { 0 };
        let heartbeat_us = rng.range(20_000, 60_000);
        // clients are seldom away for long
        let quiesce_us = if heartbeat_us.is_multiple_of(3) { heartbeat_us % 40_000 + 1 } else { 0 };
        Config {
            election_min_us,
            election_max_us: 300_000,
            heartbeat_us,
            quiesce_us,
            forward: heartbeat_us.is_multiple_of(2),
            pre_vote: rng.chance(4, 5),
            check_quorum,
            lease_drift: Some(drift_ppm).filter(|&ppm| ppm != 0).and_then(Drift::from_ppm),
            max_append_bytes: rng.range(1, 2_000) as usize,
            max_inflight_entries: rng.range(1, 64),
            max_inflight_bytes: rng.range(1, 4_000) as usize,
            max_entry_bytes: 300,
            max_uncommitted_bytes: 3_000,
            max_snapshot_chunk_bytes: rng.range(20, 100) as usize,
            max_log_bytes: if swarm.small { 4_096 } else { 64 << 10 },
            ..Config::default()
        }
    }

    fn id(node: usize) -> NodeId {
        NodeId::new(node as u64 + 1)
    }

    fn apply(
        &mut self,
        node: usize,
        entries: quorate_raft::Entries<'_>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        if self.amnesiac != Some(node) {
            self.oracle.check_applied(node, entries)?;
        }
        if self.applications[node].damaged {
            return Err(format!("node {} applies to a state that is damaged", node + 1));
        }
        for entry in entries {
            let here = &mut self.applications[node];
            if entry.index <= here.store.applied {
                continue;
            }
            if entry.index != here.store.applied + 1 {
                let at = here.store.applied;
                return Err(format!("node {} applies {} after {at}", node + 1, entry.index));
            }
            here.store.applied = entry.index;
            let (mut effect, mut applied) = (false, 0);
            if entry.kind == EntryKind::Command {
                let command = Command::from_slice(entry.data)
                    .map_err(|e| format!("entry {} is no command: {e}", entry.index))?;
                effect = here.store.apply(command.key, command.change);
                applied = command.operation;
                self.record_position(applied, entry.index)?;
            }
            // there may be more than one, of terms that this node led
            let here = |(proposal, ..): &(Proposal, u64, usize)| proposal.index == entry.index;
            while let Some(at) = self.applications[node].writes.iter().position(here) {
                let (proposal, operation, client) = self.applications[node].writes.remove(at);
                if proposal.term == entry.term && entry.kind == EntryKind::MetadataOnly {
                    // forwarded by a witness, which cannot tell what came of it
                    self.release_client(client, operation);
                } else if proposal.term == entry.term {
                    if applied != operation {
                        return Err(format!("{operation} is not at {}: {entry:?}", entry.index));
                    }
                    self.history.write_returned(operation, effect);
                    self.complete(client, operation);
                } else {
                    marks.hit("proposal lost");
                    self.history.remove(operation);
                    self.release_client(client, operation);
                }
            }
        }
        Ok(())
    }

    /// What became of writes that were handed to the leader.
    fn forwarded(
        &mut self,
        node: usize,
        (first, count): (u64, u64),
        end: Forwarded,
        marks: &mut Marks,
    ) -> Result<(), String> {
        for at in 0..count {
            let forwards = &mut self.applications[node].forwards;
            if forwards.first().is_none_or(|(id, ..)| id.get() != first + at) {
                return Err(format!("node {} tells {} out of order", node + 1, first + at));
            }
            let (_, operation, client) = forwards.remove(0);
            match end {
                Forwarded::Proposed(proposal) => {
                    let proposal = Proposal { index: proposal.index + at, ..proposal };
                    if self.applications[node].store.applied < proposal.index {
                        self.applications[node].writes.push((proposal, operation, client));
                    } else {
                        // it came before this was told
                        self.release_client(client, operation);
                    }
                }
                Forwarded::Refused => {
                    marks.hit("forwarded command refused");
                    self.history.remove(operation);
                    self.log_positions.entry(operation).or_insert(0);
                    if self.log_positions[&operation] != 0 {
                        return Err(format!("{operation} is refused, and in the log"));
                    }
                    self.release_client(client, operation);
                }
                _ => marks.hit("forwarded command unknown"),
            }
        }
        Ok(())
    }

    /// A command is in the log once, and not after it was refused.
    fn record_position(&mut self, operation: u64, index: Index) -> Result<(), String> {
        match *self.log_positions.entry(operation).or_insert(index) {
            0 => Err(format!("{operation} is refused, and in the log at {index}")),
            at if at != index => Err(format!("{operation} is in the log at {at} and at {index}")),
            _ => Ok(()),
        }
    }

    /// What was proposed in terms before this one, and did not come yet, is lost, but for what a snapshot may hold. The history takes
    /// its word that there never is an effect.
    fn drop_lost_proposals(&mut self, node: usize, before: Term, after: Index, marks: &mut Marks) {
        let open = core::mem::take(&mut self.applications[node].writes);
        let (gone, left) = open.into_iter().partition(|(p, ..)| p.term < before);
        self.applications[node].writes = left;
        let gone: Vec<(Proposal, u64, usize)> = gone;
        for (proposal, operation, client) in gone {
            if proposal.index > after {
                marks.hit("proposal reported lost");
                self.history.remove(operation);
                self.release_client(client, operation);
            }
        }
    }

    /// A client got its answer.
    fn complete(&mut self, client: usize, operation: u64) {
        self.completed += 1;
        self.release_client(client, operation);
    }

    /// A client may go on, if it still waits for this.
    fn release_client(&mut self, client: usize, operation: u64) {
        let state = &mut self.clients[client].state;
        if matches!(state, State::Waiting { request, .. } if request.operation == operation) {
            *state = State::Idle { until: 0 };
        }
    }

    fn answer_reads(&mut self, node: usize, through: quorate_raft::ReadId, marks: &mut Marks) {
        let reads = core::mem::take(&mut self.applications[node].reads);
        for (id, operation, client, key) in reads {
            if id > through {
                self.applications[node].reads.push((id, operation, client, key));
                continue;
            }
            marks.hit("read answered");
            let value = self.applications[node].store.get(key);
            self.history.read_returned(operation, value);
            self.clients[client].last_seen = value;
            self.complete(client, operation);
        }
    }

    fn receive_snapshot_chunk(
        &mut self,
        node: usize,
        (index, index_term): (Index, Term),
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> Result<(), String> {
        let here = &mut self.applications[node];
        if offset == 0 {
            here.incoming.clear();
        }
        if here.incoming.len() as u64 != offset {
            let had = here.incoming.len();
            return Err(format!("node {}: a part at {offset} after {had} bytes", node + 1));
        }
        here.incoming.extend_from_slice(data);
        here.complete = done.then_some((index, index_term));
        Ok(())
    }

    /// Installs a snapshot that arrived.
    fn install(
        &mut self,
        node: usize,
        raft: &mut Raft<S>,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        let witness = self.is_witness(node);
        let here = &mut self.applications[node];
        let Some((index, index_term)) = here.complete.take() else { return Ok(false) };
        if self.rng.chance(1, 20) {
            marks.hit("snapshot refused");
            self.commands.push(format!("refuse-snapshot {}", node + 1));
            raft.snapshot_refused();
            return Ok(true);
        }
        self.commands.push(format!("install-snapshot {}", node + 1));
        let bytes = core::mem::take(&mut here.incoming);
        let store = if witness && bytes.is_empty() {
            Store::empty_at(index)
        } else {
            Store::load(&bytes).map_err(|e| format!("a snapshot does not load: {e}"))?
        };
        if store.applied != index {
            return Err(format!("a snapshot of {} was sent as one of {index}", store.applied));
        }
        if index > here.store.applied || (here.damaged && index == here.store.applied) {
            if here.damaged {
                marks.hit("damaged state replaced");
            }
            here.damaged = false;
            here.snapshot = Some((index, index_term, bytes));
            here.store = store;
        }
        if raft.snapshot_installed(index).is_ok() {
            marks.hit("snapshot installed");
        }
        Ok(true)
    }

    /// Takes a snapshot if the log is long, or tells of one from before a crash.
    fn compact(&mut self, node: usize, raft: &mut Raft<S>, marks: &mut Marks) -> bool {
        let status = raft.status();
        let here = &mut self.applications[node];
        let known = here.snapshot.as_ref().map_or(0, |b| b.0);
        if known > status.snapshot && known <= status.applied {
            let size = here.snapshot.as_ref().map_or(0, |b| b.2.len());
            let keep = status.applied - known.saturating_sub(self.trailing);
            self.commands.push(snapshot(node, keep, size));
            return raft.snapshot_taken(known, known.saturating_sub(self.trailing)).is_ok();
        }
        // after a restart the store may be ahead of the machine, as its snapshot is newer than the record of it
        let level = here.store.applied == status.applied && !here.damaged;
        if core::mem::take(&mut here.snapshot_due) > status.snapshot && level {
            marks.hit("snapshot requested");
            here.take_snapshot(status.applied, raft);
            self.commands.push(snapshot(node, 0, here.snapshot_len()));
            return raft.snapshot_taken(status.applied, status.applied).is_ok();
        }
        if level && core::mem::take(&mut here.full) && status.applied >= status.first {
            marks.hit("log full: compacted");
            here.take_snapshot(status.applied, raft);
            self.commands.push(snapshot(node, 0, here.snapshot_len()));
            return raft.snapshot_taken(status.applied, status.applied).is_ok();
        }
        let long = status.last + 1 - status.first > self.snapshot_every;
        if !long || status.applied < status.snapshot + self.snapshot_every / 4 {
            return false;
        }
        if !level {
            return false;
        }
        marks.hit("snapshot taken");
        here.take_snapshot(status.applied, raft);
        self.commands.push(snapshot(node, self.trailing, here.snapshot_len()));
        let compacted = status.applied.saturating_sub(self.trailing);
        raft.snapshot_taken(status.applied, compacted).is_ok()
    }

    /// Sends what peers want of the snapshot.
    fn send_snapshot(&mut self, node: usize, raft: &mut Raft<S>) -> bool {
        let here = &mut self.applications[node];
        let mut called = false;
        for (to, index, offset, max_len) in core::mem::take(&mut here.snapshot_requests) {
            let Some((newest, _, bytes)) = here.snapshot.as_ref() else { continue };
            let (index, offset) = if *newest == index { (index, offset) } else { (*newest, 0) };
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let data = rest.get(..max_len.min(rest.len())).unwrap_or_default();
            let done = data.len() == rest.len();
            self.commands.push(format!("send-snapshot {}", node + 1));
            called |= raft.send_snapshot(to, index, offset, data, done).is_ok();
        }
        called
    }

    /// Whether a node is, or was, a witness.
    const fn is_witness(&self, node: usize) -> bool {
        self.witness && node + 1 == self.applications.len()
    }
}

/// Takes records of entries off the end, so that one that was acknowledged is missing, and all up to `covers` are there. False if
/// that cannot be; some may be missing then all the same.
fn truncate_records(records: &mut Vec<Vec<u8>>, acknowledged: Index, covers: Index) -> bool {
    while let Some(Ok(Record::Append { first, .. })) =
        records.last().map(|bytes| Record::from_slice(bytes))
    {
        records.pop();
        if first <= covers + 1 {
            return false;
        }
        if first <= acknowledged {
            return true;
        }
    }
    false
}

fn snapshot(node: usize, keep: u64, size: usize) -> String {
    format!("snapshot {} keeping {keep} bytes {size}", node + 1)
}

impl<S: Storage> Subject for RaftSubject<S> {
    type Machine = Raft<S>;
    const SLOW_LINKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let mut config = Self::draw_config(swarm, &mut rng);
        let changes = if swarm.nodes > 2 && rng.chance(1, 3) { rng.range(10, 200) } else { 0 };
        let founders = match changes {
            0 => swarm.nodes,
            _ => rng.range(1, swarm.nodes as u64 + 1) as usize,
        };
        if changes > 0 {
            // or those that were removed and do not know it disturb the others (Raft thesis, 4.2.3)
            (config.pre_vote, config.check_quorum) = (true, true);
        }
        let witness = founders < swarm.nodes && rng.chance(1, 3);
        // leases must hold where the settings of the nodes differ
        let spread_us = if config.lease_drift.is_some() && config.heartbeat_us % 5 < 2 {
            // an odd one has some nodes without leases
            config.heartbeat_us * 2 + u64::from(config.heartbeat_us % 7 < 3)
        } else {
            0
        };
        let idle = |rng: &mut Rng| Client {
            state: State::Idle { until: rng.below(500_000) },
            target: rng.below(swarm.nodes as u64) as usize,
            last_seen: 0,
        };
        Self {
            config,
            voters: (0..founders).map(Self::id).collect(),
            founders,
            changes,
            chaos_us: swarm.chaos_us,
            witness,
            applications: (0..swarm.nodes).map(|_| Application::default()).collect(),
            clients: (0..CLIENTS).map(|_| idle(&mut rng)).collect(),
            keys: Keys::new(),
            history: History::default(),
            log_positions: HashMap::new(),
            oracle: Oracle::new(swarm.nodes, founders),
            operations: 0,
            completed: 0,
            snapshot_every: if swarm.small { rng.range(10, 80) } else { rng.range(10, 400) },
            trailing: rng.below(30),
            padding: if rng.chance(1, 2) { 0 } else { rng.below(200) },
            clients_stopped: false,
            transfers: if rng.chance(1, 2) { rng.range(20, 400) } else { 0 },
            campaigns: if rng.chance(1, 3) { rng.range(10, 100) } else { 0 },
            transfer_target: None,
            lost: Vec::new(),
            amnesiac: None,
            loss_reported: false,
            loss_repaired: false,
            seed: rng.next_u64() >> 32,
            incarnations: vec![0; swarm.nodes],
            damaged_at: 20,
            steps: 0,
            spread_us,
            done: None,
            violated: None,
            commands: Vec::new(),
            rng,
            storage: core::marker::PhantomData,
        }
    }

    fn timeout_us(&self) -> u64 {
        self.config.election_max_us + 2 * self.spread_us
    }

    fn boot(&mut self, node: usize) -> Result<Raft<S>, String> {
        self.incarnations[node] += 1;
        let seed = incarnation_seed(self.seed, node as u64 + 1, self.incarnations[node]);
        let id = Self::id(node);
        let config = node_config(&self.config, self.spread_us, node as u64 + 1);
        let made = if node < self.founders {
            Raft::new(id, &self.voters, config, seed)
        } else {
            Raft::join(id, config, seed)
        };
        made.map_err(|e| format!("the drawn configuration is refused: {e}"))
    }

    fn restored(&mut self, node: usize, raft: &mut Raft<S>) -> Result<(), String> {
        let here = &mut self.applications[node];
        let snapshot = raft.status().snapshot;
        let covers = here.snapshot.as_ref().map_or(0, |b| b.0);
        if covers < snapshot {
            return Err(format!("node {} lost its snapshot of {snapshot}", node + 1));
        }
        if let Some((index, index_term, bytes)) = &here.snapshot {
            here.store = if bytes.is_empty() {
                Store::empty_at(*index)
            } else {
                Store::load(bytes).map_err(|e| format!("a snapshot is damaged: {e}"))?
            };
            let resumed = raft.resume(*index, *index_term);
            resumed.map_err(|e| format!("node {} cannot resume: {e}", node + 1))?;
        }
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        self.applications[node].crash();
        self.oracle.crashed(node);
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event<'_>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        Ok(match event {
            Event::Committed(entries) => {
                self.apply(node, entries, marks)?;
                marks.hit("commit moved");
                Some("crash as the commit moves")
            }
            Event::Leading { .. } | Event::Following { .. } | Event::Leaderless { .. } => {
                self.applications[node].reads.clear();
                self.oracle.reads.drop_pending(node);
                if let Event::Leading { .. } = event {
                    marks.hit("became leader");
                    if self.transfer_target.take() == Some(node) {
                        marks.hit("leadership transferred");
                    }
                    Some("crash as leader")
                } else {
                    None
                }
            }
            Event::Read { through } => {
                if self.amnesiac != Some(node) {
                    self.oracle.read(node, through, self.applications[node].store.applied)?;
                }
                self.answer_reads(node, through, marks);
                None
            }
            Event::SnapshotWanted { to, index, offset, max_len } => {
                marks.hit("snapshot wanted");
                self.applications[node].snapshot_requests.push((to, index, offset, max_len));
                Some("crash while sending a snapshot")
            }
            Event::SnapshotChunk { index, index_term, offset, data, done } => {
                marks.hit("snapshot chunk");
                self.receive_snapshot_chunk(node, (index, index_term), offset, data, done)?;
                Some("crash while receiving a snapshot")
            }
            Event::ProposalsDropped { before, after } => {
                self.drop_lost_proposals(node, before, after, marks);
                None
            }
            Event::Forwarded { first, count, end } => {
                self.forwarded(node, (first.get(), count), end, marks)?;
                None
            }
            Event::SnapshotDue { index } => {
                self.applications[node].snapshot_due = index;
                None
            }
            Event::LogFull => {
                self.applications[node].full = true;
                None
            }
            Event::Members { index, .. } => {
                marks.hit("members changed");
                if index < core::mem::replace(&mut self.applications[node].config_at, index) {
                    marks.hit("members rolled back");
                }
                Some("crash as the members change")
            }
            Event::PeerLostEntries { peer, acknowledged } => {
                if self.amnesiac.map(Self::id) != Some(peer) {
                    return Err(format!(
                        "node {peer} has all {acknowledged} entries, and is told to have lost some"
                    ));
                }
                if core::mem::replace(&mut self.loss_reported, true) {
                    return Err(format!("that node {peer} lost entries is told twice"));
                }
                marks.hit("lost entries reported");
                None
            }
            Event::Fatal(_) if self.amnesiac == Some(node) => {
                self.loss_reported = true;
                marks.hit("lost entries reported");
                None
            }
            Event::Fatal(reason) => return Err(format!("node {} stops: {reason}", node + 1)),
            _ => None,
        })
    }

    fn run_application(
        &mut self,
        node: usize,
        _now: Instant,
        raft: &mut Raft<S>,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        let installed = self.install(node, raft, marks)?;
        let compacted = self.compact(node, raft, marks);
        let served = self.send_snapshot(node, raft);
        Ok(installed || compacted || served)
    }

    fn durable(&mut self, node: usize, record: Record<'_>) {
        // the disk of a node that lost entries does not count until it has all of them again
        if self.amnesiac == Some(node) && !self.loss_repaired {
            let acknowledged = self.oracle.last_durable(node);
            if !matches!(record, Record::Snapshot { compacted, .. } if compacted >= acknowledged) {
                return;
            }
            self.loss_repaired = true;
        }
        self.oracle.durable(node, record);
    }

    fn received(&mut self, node: usize, from: usize, order: u64, raft: &Raft<S>) {
        self.oracle.reads.received(node, from, order, raft.status().term);
    }

    fn max_outputs_per_step(&self) -> u64 {
        500
    }

    fn max_messages_per_second(&self) -> u64 {
        // a leader that is the only voter commits at once, and its clients send the next request at
        // once: a node that lags always gets a full window
        let pace = if self.changes > 0 { 12 } else { 1 };
        pace * MAX_MESSAGES_PER_SECOND * self.applications.len() as u64
    }

    fn records_replaced(&mut self, node: usize) {
        self.oracle.records_replaced(node);
    }

    fn issued(&mut self, node: usize, record: Record<'_>) -> Result<(), String> {
        if self.amnesiac == Some(node) { Ok(()) } else { self.oracle.issued(node, record) }
    }

    fn sent(&mut self, node: usize, to: NodeId, message: Message<'_>) -> Result<(), String> {
        if self.amnesiac == Some(node) { Ok(()) } else { self.oracle.sent(node, to, message) }
    }

    fn rejected(&mut self, node: usize, reason: Rejected, marks: &mut Marks) -> Result<(), String> {
        match reason {
            Rejected::Full => {
                marks.hit("message refused: full");
                Ok(())
            }
            _ if self.amnesiac.is_some() => Ok(()),
            // an answer that comes when its sender is no member any more
            Rejected::UnknownSender if self.changes > 0 => Ok(()),
            reason => Err(format!("node {} refuses an honest message: {reason}", node + 1)),
        }
    }

    fn check(&mut self, node: usize, raft: &Raft<S>, marks: &mut Marks) -> Result<(), String> {
        if raft.status().quiescent {
            marks.hit("quiesced");
        }
        if self.amnesiac == Some(node) { Ok(()) } else { self.oracle.check(node, raft, marks) }
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        self.check_leases(access);
        self.probe_with_forged_messages(access);
        for client in 0..self.clients.len() {
            self.client(client, access);
            if let Some(operation) = self.done.take() {
                self.complete(client, operation);
            }
        }
        if let Some(what) = self.violated.take() {
            return Err(what);
        }
        Ok(self.rng.range(2_000, 30_000))
    }

    fn links_changed(&mut self, node: usize, now: Instant, raft: &mut Raft<S>) {
        if raft.status().quiescent {
            raft.unquiesce(now);
            self.commands.push(format!("unquiesce {}", node + 1));
        }
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Raft<S>>) -> bool {
        // An old leader that does not know of a later term does not count: the newest term of the members must be led. A removed node may
        // have gone on to a later one alone.
        let machines: Vec<_> = machines.collect();
        machines.iter().filter(|raft| raft.status().role == Role::Leader).any(|leader| {
            let members = leader.members();
            let is_member = |raft: &&&Raft<S>| members.membership(raft.status().id).is_member();
            machines.iter().filter(is_member).all(|raft| raft.status().term <= leader.status().term)
        })
    }

    fn scenario_setup(&self) -> Option<Vec<String>> {
        let nodes = self.applications.len();
        let c = &self.config;
        let switch = |on: bool| if on { "on" } else { "off" };
        let options = [
            format!("pre-vote={} check-quorum={}", switch(c.pre_vote), switch(c.check_quorum)),
            format!(
                "lease-drift={} quiesce={}us",
                c.lease_drift.map_or(0, Drift::ppm),
                c.quiesce_us
            ),
            format!("forward={}", switch(c.forward)),
            format!("heartbeat={}us max-append={}", c.heartbeat_us, c.max_append_bytes),
            format!("max-inflight={}", c.max_inflight_entries),
            format!("max-inflight-bytes={}", c.max_inflight_bytes),
            format!("max-entry={} max-uncommitted={}", c.max_entry_bytes, c.max_uncommitted_bytes),
            format!("snapshot-chunk={} max-log={}", c.max_snapshot_chunk_bytes, c.max_log_bytes),
            format!(
                "voters={} election-spread={}us seed={}",
                self.founders, self.spread_us, self.seed
            ),
        ];
        let mut commands = vec![format!("nodes {nodes} {}", options.join(" "))];
        commands.push("disk all slow".into());
        commands.extend((1..=nodes).map(|node| format!("application {node} slow")));
        Some(commands)
    }

    fn take_commands(&mut self) -> Vec<String> {
        core::mem::take(&mut self.commands)
    }

    fn message_digest(message: &Message<'_>) -> u64 {
        text_format::message_digest(message)
    }

    fn format_message(message: &Message<'_>) -> String {
        text_format::line(message)
    }

    fn format_record(record: &Record<'_>) -> String {
        text_format::line(record)
    }

    fn format_event(event: &Event<'_>) -> String {
        text_format::event(event)
    }

    fn leader_status(&self, raft: &Raft<S>) -> Option<LeaderStatus> {
        // without these two a partial partition may well keep the old leader, or lead to one campaign after another
        let status = Some(raft.status())
            .filter(|_| self.config.pre_vote && self.config.check_quorum && self.changes == 0)?;
        let is_leader = status.role == Role::Leader;
        let log = (raft.term(status.last).unwrap_or(0), status.last);
        Some(LeaderStatus { is_leader, term: status.term, log })
    }

    fn node_lost(&mut self, node: usize) {
        self.lost.push(node);
    }

    fn inject_amnesia(
        &mut self,
        node: usize,
        leader: &Raft<S>,
        records: &mut Vec<Vec<u8>>,
        rng: &mut Rng,
    ) -> Option<&'static str> {
        let peer = leader.peers().find(|peer| peer.id == Self::id(node))?;
        if peer.replication != Replication::Replicate || peer.match_index < 2 {
            return None;
        }
        // what it acknowledged before was on its disk, and may be committed by that; nothing comes to it any more
        self.oracle.amnesia = true;
        self.amnesiac = Some(node);
        // no campaigns are requested: an election would hide what happened
        (self.transfers, self.campaigns) = (0, 0);
        // the application's snapshot is no newer than the records that are left
        let covers = self.applications[node].snapshot.as_ref().map_or(0, |snapshot| snapshot.0);
        if rng.chance(1, 2) && truncate_records(records, peer.match_index, covers) {
            return Some("disk replaced by an older copy");
        }
        records.clear();
        self.applications[node] = Application::default();
        Some("disk erased")
    }

    fn detected_amnesia(&self) -> bool {
        self.loss_reported || self.loss_repaired
    }

    fn min_frame_bytes(&self) -> Option<usize> {
        // an entry, or a part of a snapshot
        let single = Config { max_append_bytes: 1, ..self.config.clone() };
        Some(Raft::<S>::max_message_len(&single))
    }

    fn completed(&self) -> u64 {
        self.completed
    }

    fn needs_all_nodes(&self) -> bool {
        self.changes > 0
    }

    fn stop_clients(&mut self) {
        self.clients_stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Raft<S>>) -> bool {
        let members = self.oracle.members();
        let place = |status: &Status| status.id.get() as usize - 1;
        let mut statuses = machines.map(Raft::status).filter(|s| members.is_member(place(s)));
        let committed = self.oracle.committed();
        let counts = |node: usize| {
            members.is_member(node) && !members.is_witness(node) && !self.lost.contains(&node)
        };
        let sound = self.applications.iter().enumerate().filter(|(node, _)| counts(*node));
        let mut stores = sound.map(|(_, node)| &node.store);
        let first = stores.next();
        statuses.all(|s| s.applied == committed && s.last == committed)
            && stores.all(|store| Some(store) == first)
            && self
                .applications
                .iter()
                .enumerate()
                .all(|(node, n)| !members.is_member(node) || n.forwards.is_empty())
    }

    fn finish(&mut self, _marks: &mut Marks) -> Result<(), String> {
        self.history.check()
    }

    fn fingerprint(&self) -> u64 {
        self.oracle.committed() ^ self.completed << 20 ^ self.operations << 40
    }
}
