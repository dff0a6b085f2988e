use core::marker::PhantomData;
use std::collections::HashMap;

use quorate_core::{Instant, Machine, NodeId, Rejected, Rng, Shown, Wire};
use quorate_paxos::Roles;
use quorate_paxos::multi::{
    Config, Event, Message, MultiPaxos, ProposeError, ReconfigureError, Record, Role, Status,
    Storage, TransferError,
};
use quorate_sim::{Access, LeaderStatus, Marks, Subject, Swarm};

use super::application::Application;
use super::oracle::Oracle;
use super::parse::{self, Kind as EntryKind, Run, Said, Slot};
use crate::{Kind, Setup};

/// A cluster that keeps a log: an application beside each node, clients that propose and read, and an operator who restarts nodes in the
/// middle of something.
pub struct MultiSubject<S: Storage> {
    rng: Rng,
    config: Config,
    oracle: Oracle,
    applications: Vec<Application>,
    /// Each node was founded, and its record of that was durable.
    is_set_up: Vec<bool>,
    wants_restart: Vec<bool>,
    /// The status that each node had last in this life.
    seen: Vec<Option<Status>>,
    /// The longest message and record, as each node tells.
    limits: Vec<(usize, usize)>,
    /// Messages sent, and whether each heartbeat among them said that the sender hears the receiver.
    sent: u64,
    heartbeats: HashMap<u64, bool>,
    /// What was violated where nothing can be told of it.
    violation: Option<String>,
    /// Commands that were made up.
    operations: u64,
    /// How many of 1,000 steps of the clients propose, and read.
    propose: u64,
    read: u64,
    /// Commands proposed in one step, at most.
    burst: u64,
    /// How many of 10,000 messages end with a restart.
    restart: u64,
    /// Bytes of a command beside its number, at most.
    padding: u64,
    /// Take a snapshot when the log is that long, and keep that many entries behind it.
    snapshot_every: u64,
    trailing: u64,
    /// How many nodes may lose their disks.
    erasures: usize,
    /// How many of 10,000 steps of the clients change the members, and how often they may still.
    change: u64,
    changes: u64,
    /// How many of 10,000 steps of the clients hand the lead over.
    hand_over: u64,
    /// Nodes that found the log; the others join.
    founders: Setup,
    /// When faults end, in µs.
    chaos_us: u64,
    now_us: u64,
    /// Faults have ended: clients propose and read more, so that there is something to see.
    is_healed: bool,
    is_stopped: bool,
    lost: Vec<usize>,
    /// Commands that their own applications have seen applied.
    completed: u64,
    storage: PhantomData<S>,
}

/// No restarts are asked for in the last so many µs of faults.
const RESTART_MARGIN_US: u64 = 500_000;

/// Bytes of a command, at most.
const MAX_ENTRY: usize = 300;

/// A third of the times are those of the preset.
fn draw_config(swarm: &Swarm, rng: &mut Rng) -> Config {
    let lan = Config::lan();
    let heartbeat_us = rng.range(20_000, 60_000);
    let election_us = rng.range(3 * heartbeat_us, 4 * heartbeat_us + 1);
    let (heartbeat_us, election_us) = if rng.chance(1, 3) {
        (lan.heartbeat_us, lan.election_us)
    } else {
        (heartbeat_us, election_us)
    };
    Config {
        heartbeat_us,
        election_us,
        max_accept_bytes: rng.range(1, 2_000) as usize,
        max_inflight_entries: rng.range(1, 64),
        max_inflight_bytes: rng.range(1, 4_000) as usize,
        max_entry_bytes: MAX_ENTRY,
        max_uncommitted_bytes: 3_000,
        max_chunk_bytes: rng.range(20, 100) as usize,
        max_log_bytes: if swarm.small { 4_096 } else { 64 << 10 },
        max_members: 7,
    }
}

fn id(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

impl<S: Storage> MultiSubject<S> {
    /// Remembers what was violated, if nothing was before.
    fn note(&mut self, result: Result<(), String>) {
        if let Err(what) = result {
            self.violation.get_or_insert(what);
        }
    }

    fn take_violation(&mut self) -> Result<(), String> {
        self.violation.take().map_or(Ok(()), Err)
    }

    fn may_restart(&self) -> bool {
        self.now_us + RESTART_MARGIN_US < self.chaos_us
    }

    /// Whether nodes that are there and remember could choose anything without this one.
    fn suffices_without(&self, node: usize) -> bool {
        let has =
            |one: usize| one != node && !self.lost.contains(&one) && !self.oracle.is_erased(one);
        self.oracle.setup().suffices(has)
    }

    fn apply(&mut self, node: usize, run: &Run, marks: &mut Marks) -> Result<(), String> {
        for (slot, entry) in run.iter() {
            let here = &mut self.applications[node];
            if slot != here.applied + 1 {
                let at = here.applied;
                return Err(format!("node {} is given {slot} after {at}", node + 1));
            }
            here.apply(entry);
            let digest = here.digest;
            self.oracle.applied(node, slot, entry, digest)?;
            let decided = |(place, _): &mut (quorate_log::Proposal, u64)| place.index == slot;
            let decided: Vec<_> =
                self.applications[node].proposals.extract_if(.., decided).collect();
            for (place, operation) in decided {
                if place.epoch != entry.epoch {
                    marks.hit("proposal lost");
                    self.oracle.dropped(node, operation)?;
                } else if entry.kind == EntryKind::Command && entry.operation == operation {
                    marks.hit("proposal applied");
                    self.completed += 1;
                } else {
                    return Err(format!("{operation} is not at {place:?}: {entry:?}"));
                }
            }
        }
        Ok(())
    }

    /// What was proposed in epochs before this one, and did not come yet, is lost, but for what a snapshot may hold.
    fn drop_proposals(
        &mut self,
        node: usize,
        (before, after): (u64, Slot),
        marks: &mut Marks,
    ) -> Result<(), String> {
        let gone = |(place, _): &mut (quorate_log::Proposal, u64)| place.epoch < before;
        let gone: Vec<_> = self.applications[node].proposals.extract_if(.., gone).collect();
        for (place, operation) in gone {
            if place.index > after {
                marks.hit("proposal told to be dropped");
                self.oracle.dropped(node, operation)?;
            } else {
                marks.hit("outcome in a snapshot");
            }
        }
        Ok(())
    }

    fn receive_chunk(
        &mut self,
        node: usize,
        slot: Slot,
        (offset, data, done): (u64, &[u8], bool),
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
        here.complete = done.then_some(slot);
        Ok(())
    }

    /// Installs a snapshot that arrived.
    fn install(
        &mut self,
        node: usize,
        machine: &mut MultiPaxos<S>,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        let here = &mut self.applications[node];
        // making it durable may take a while
        if here.complete.is_some() && self.rng.chance(1, 2) {
            return Ok(false);
        }
        let Some(slot) = here.complete.take() else { return Ok(false) };
        if self.rng.chance(1, 20) {
            marks.hit("snapshot refused");
            machine.snapshot_refused();
            return Ok(true);
        }
        let bytes = core::mem::take(&mut here.incoming);
        let mut loaded = Application::default();
        loaded.load(&bytes)?;
        if loaded.applied != slot {
            return Err(format!("a snapshot of {} was sent as one of {slot}", loaded.applied));
        }
        self.oracle.check_state(node, slot, loaded.digest)?;
        if slot > here.applied {
            here.snapshot = Some((slot, bytes));
            (here.applied, here.digest) = (slot, loaded.digest);
            // only the state knows what became of these
            here.proposals.retain(|(place, _)| place.index > slot);
        }
        if machine.snapshot_installed(slot).is_ok() {
            marks.hit("snapshot installed");
        }
        Ok(true)
    }

    /// Takes a snapshot if the log is long, or tells of one from before a crash.
    fn compact(&mut self, node: usize, machine: &mut MultiPaxos<S>, marks: &mut Marks) -> bool {
        let status = machine.status();
        let here = &mut self.applications[node];
        let known = here.snapshot.as_ref().map_or(0, |(slot, _)| *slot);
        if known > status.snapshot && known <= status.applied {
            return machine.snapshot_taken(known, known.saturating_sub(self.trailing)).is_ok();
        }
        if here.applied != status.applied || status.applied == 0 {
            here.is_full = false;
            return false;
        }
        let padding = (here.applied % 400) as usize;
        if core::mem::take(&mut here.is_full) && status.applied > status.compacted {
            marks.hit("log full: compacted");
            here.take_snapshot(node, padding);
            return machine.snapshot_taken(status.applied, status.applied).is_ok();
        }
        let is_long = status.last.saturating_sub(status.compacted) > self.snapshot_every;
        if !is_long || status.applied < status.snapshot + self.snapshot_every.div_ceil(4) {
            return false;
        }
        marks.hit("snapshot taken");
        here.take_snapshot(node, padding);
        let compacted = status.applied.saturating_sub(self.trailing).max(status.compacted);
        machine.snapshot_taken(status.applied, compacted).is_ok()
    }

    /// Sends what peers want of the snapshot.
    fn send_snapshot(&mut self, node: usize, machine: &mut MultiPaxos<S>) -> bool {
        let here = &mut self.applications[node];
        let mut called = false;
        for (to, slot, offset, max_len) in core::mem::take(&mut here.requests) {
            let Some((newest, bytes)) = here.snapshot.as_ref() else { continue };
            let (slot, offset) = if *newest == slot { (slot, offset) } else { (*newest, 0) };
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let data = rest.get(..max_len.min(rest.len())).unwrap_or_default();
            let done = data.len() == rest.len();
            called |= machine.send_snapshot(to, slot, offset, data, done).is_ok();
        }
        called
    }

    /// A client proposes a command at a node.
    fn propose(
        &mut self,
        node: usize,
        machine: &mut MultiPaxos<S>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        self.operations += 1;
        let operation = self.operations;
        let mut command = operation.to_le_bytes().to_vec();
        let is_long = self.rng.chance(1, 200);
        let padding = self.rng.below(self.padding + 1) as usize;
        command.resize(if is_long { MAX_ENTRY + 1 } else { 8 + padding }, operation as u8);
        let role = machine.status().role;
        match machine.propose(&command) {
            Ok(place) if role == Role::Leader && !is_long => {
                self.oracle.proposed(node, operation, place)?;
                self.applications[node].proposals.push((place, operation));
            }
            Err(ProposeError::NotLeader(_)) if role != Role::Leader => {}
            Err(ProposeError::Reconfiguring) if role == Role::Leader => {
                marks.hit("proposal after a stop-sign");
            }
            Err(ProposeError::Transferring(_)) if role == Role::Leader => {
                marks.hit("proposal while the lead is handed over");
            }
            Err(ProposeError::TooLarge) if is_long => {}
            Err(ProposeError::Busy) if role == Role::Leader => marks.hit("too much under way"),
            Err(ProposeError::LogFull) if role == Role::Leader => {
                marks.hit("log full");
                self.applications[node].is_full = true;
            }
            other => return Err(format!("node {} as {role:?} answers {other:?}", node + 1)),
        }
        Ok(())
    }

    /// An operator replaces the members, or some of them.
    fn reconfigure(
        &mut self,
        node: usize,
        machine: &mut MultiPaxos<S>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        let mut members: Vec<bool> =
            (0..self.applications.len()).map(|_| self.rng.chance(3, 5)).collect();
        if !members.contains(&true) {
            let one = self.rng.below(members.len() as u64) as usize;
            members[one] = true;
        }
        let next = Setup::draw_members(&mut self.rng, &members);
        match machine.reconfigure(next.listed(), next.quorums) {
            Ok(place) => {
                marks.hit("members changed");
                self.changes -= 1;
                self.oracle.stop_sign(node, place, next);
                Ok(())
            }
            Err(ReconfigureError::Propose(_)) => Ok(()),
            Err(error) => Err(format!("node {} refuses {next:?}: {error}", node + 1)),
        }
    }

    /// An operator wants another node to lead, or only this one not to.
    fn hand_over(
        &mut self,
        node: usize,
        machine: &mut MultiPaxos<S>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        if self.rng.chance(1, 5) {
            machine.step_down();
            marks.hit("leader stepped down");
            return match machine.status().role {
                Role::Leader => Err(format!("node {} still leads", node + 1)),
                _ => Ok(()),
            };
        }
        let to = id(self.rng.below(self.applications.len() as u64) as usize);
        let before = machine.status();
        match machine.transfer(to) {
            Ok(()) => Ok(()),
            Err(TransferError::InProgress(other)) if before.transfer == Some(other) => Ok(()),
            Err(TransferError::AlreadyLeader) if to == before.id => Ok(()),
            Err(
                TransferError::NoSuchNode
                | TransferError::CannotLead
                | TransferError::Reconfiguring,
            ) => Ok(()),
            Err(error) => Err(format!("node {} does not hand over to {to}: {error}", node + 1)),
        }
    }

    /// A client reads at a node.
    fn read(&mut self, node: usize, machine: &mut MultiPaxos<S>) -> Result<(), String> {
        match machine.read() {
            Ok(id) => self.oracle.read_asked(node, id),
            Err(_) => Ok(()),
        }
    }

    /// Things that an application at the end of a run has: nothing is open.
    fn is_settled(&self, status: &Status) -> bool {
        let node = status.id.get() as usize - 1;
        if !self.oracle.setup().has_roles(node, Roles::LEARNER) {
            return true; // it is no member, and may not know so
        }
        let here = &self.applications[node];
        let last = self.oracle.last_chosen();
        status.applied == last
            && status.transfer.is_none()
            && here.applied == last
            && here.proposals.is_empty()
            && !self.oracle.has_reads(node)
    }
}

impl<S: Storage> Subject for MultiSubject<S> {
    type Machine = MultiPaxos<S>;

    const SLOW_LINKS: bool = true;
    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let change = [0, 0, 30, 200][rng.below(4) as usize];
        let mut members = vec![true; nodes];
        if change > 0 {
            members.iter_mut().skip(1).for_each(|member| *member = rng.chance(3, 5));
        }
        let founders = Setup::draw_members(&mut rng, &members);
        let config = draw_config(swarm, &mut rng);
        Self {
            config,
            change,
            changes: if change > 0 { 1 + rng.below(8) } else { 0 },
            oracle: Oracle::new(founders.clone()),
            founders,
            hand_over: [0, 0, 20, 100][rng.below(4) as usize],
            applications: (0..nodes).map(|_| Application::default()).collect(),
            is_set_up: vec![false; nodes],
            wants_restart: vec![false; nodes],
            seen: vec![None; nodes],
            limits: vec![(usize::MAX, usize::MAX); nodes],
            sent: 0,
            heartbeats: HashMap::new(),
            violation: None,
            operations: 0,
            propose: [20, 100, 300, 600][rng.below(4) as usize],
            read: [0, 20, 100, 300][rng.below(4) as usize],
            burst: [1, 1, 4, 20][rng.below(4) as usize],
            restart: [0, 0, 0, 2, 10][rng.below(5) as usize],
            padding: if rng.chance(1, 2) { 0 } else { rng.below(200) },
            snapshot_every: if swarm.small { rng.range(10, 80) } else { rng.range(10, 400) },
            trailing: rng.below(30),
            erasures: if change > 0 { 0 } else { [0, 0, 1, 7][rng.below(4) as usize] },
            chaos_us: swarm.chaos_us,
            now_us: 0,
            is_healed: false,
            is_stopped: false,
            lost: Vec::new(),
            completed: 0,
            storage: PhantomData,
            rng,
        }
    }

    /// The longest wait of an election: until a link counts as down, and as long again at random. Where members change, twice that: those of
    /// the next configuration must learn of it first, which may take a snapshot.
    fn timeout_us(&self) -> u64 {
        let elections = if self.change > 0 { 4 } else { 2 };
        elections * self.config.election_us
    }

    fn boot(&mut self, node: usize) -> Result<MultiPaxos<S>, String> {
        let seed = self.rng.next_u64();
        let setup = &self.founders;
        let machine = if setup.has_roles(node, Roles::LEARNER) {
            MultiPaxos::new(id(node), setup.listed(), setup.quorums, self.config, seed)
        } else {
            MultiPaxos::join(id(node), self.config, seed)
        };
        let machine = machine.map_err(|e| format!("the drawn configuration is refused: {e}"))?;
        let limit = |limit: Option<usize>| limit.unwrap_or(usize::MAX);
        self.limits[node] = (limit(machine.max_message_len()), limit(machine.max_record_len()));
        Ok(machine)
    }

    fn restored(&mut self, node: usize, machine: &mut MultiPaxos<S>) -> Result<(), String> {
        self.oracle.check_checkpoint(node)?;
        let status = machine.status();
        let disk = self.oracle.disk(node);
        let has = (status.promised.round, status.promised.node.get());
        if has != disk.promised
            || status.founded != disk.is_founded
            || status.snapshot != disk.snapshot
            || status.compacted != disk.compacted
            || status.commit < disk.commit
            || status.configuration != disk.configuration
        {
            return Err(format!("node {} restores {status:?}, its disk holds {disk:?}", node + 1));
        }
        if !disk.votes.is_empty() {
            self.oracle.marks.hit("restored with votes");
        }
        let here = &mut self.applications[node];
        let covers = here.snapshot.as_ref().map_or(0, |(slot, _)| *slot);
        if covers < status.snapshot {
            let snapshot = status.snapshot;
            return Err(format!("node {} lost its snapshot of {snapshot}", node + 1));
        }
        if let Some((_, bytes)) = here.snapshot.clone() {
            here.load(&bytes)?;
        }
        machine.resume(covers).map_err(|e| format!("node {} cannot resume: {e}", node + 1))?;
        let status = machine.status();
        self.oracle.seen(node, has, status.last, status.configuration);
        if !self.is_set_up[node] && !self.oracle.is_erased(node) {
            machine.found();
        }
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        self.oracle.crashed(node);
        self.applications[node].crash();
        self.seen[node] = None;
        self.wants_restart[node] = false;
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event<'_>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        let result = self.oracle.check_checkpoint(node);
        self.note(result);
        Ok(match event {
            Event::Committed(entries) => {
                let run = Run::read(entries.first(), entries.bytes())?;
                self.apply(node, &run, marks)?;
                marks.hit("commit moved");
                Some("crash as the commit moves")
            }
            Event::ProposalsDropped { before, after } => {
                marks.hit("proposals told to be decided");
                self.drop_proposals(node, (before, after), marks)?;
                None
            }
            Event::Leading { ballot, .. } => {
                marks.hit("became leader");
                self.oracle.check_leads(node, (ballot.round, ballot.node.get()))?;
                Some("crash as leader")
            }
            Event::Following { leader, ballot, .. } => {
                if self.seen[node].is_some_and(|seen| seen.transfer == Some(leader)) {
                    marks.hit("lead handed over");
                }
                if ballot.node != leader {
                    return Err(format!("node {} follows {leader} in {ballot}", node + 1));
                }
                None
            }
            Event::Reconfigured { .. } => {
                marks.hit("reconfigured");
                Some("crash as the configuration changes")
            }
            Event::Leaderless { .. } => {
                marks.hit("leaderless");
                None
            }
            Event::Read { through } => {
                let applied = self.applications[node].applied;
                self.oracle.read_ready(node, through, applied)?;
                None
            }
            Event::LogFull => {
                self.applications[node].is_full = true;
                None
            }
            Event::SnapshotWanted { to, slot, offset, max_len } => {
                marks.hit("snapshot wanted");
                self.applications[node].requests.push((to, slot, offset, max_len));
                Some("crash while sending a snapshot")
            }
            Event::SnapshotChunk { slot, offset, data, done } => {
                marks.hit("snapshot chunk");
                self.receive_chunk(node, slot, (offset, data, done))?;
                Some("crash while receiving a snapshot")
            }
            _ => None,
        })
    }

    fn run_application(
        &mut self,
        node: usize,
        _now: Instant,
        machine: &mut MultiPaxos<S>,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        self.take_violation()?;
        let installed = self.install(node, machine, marks)?;
        let compacted = self.compact(node, machine, marks);
        let served = self.send_snapshot(node, machine);
        Ok(installed || compacted || served)
    }

    fn durable(&mut self, node: usize, record: Record<'_>) {
        let result = bytes(&record).and_then(|bytes| parse::record(&bytes));
        let result = result.and_then(|record| self.oracle.durable(node, &record));
        self.note(result);
        self.is_set_up[node] |= self.oracle.disk(node).is_founded;
    }

    fn records_replaced(&mut self, node: usize) {
        self.oracle.replaced(node);
    }

    fn issued(&mut self, node: usize, record: Record<'_>) -> Result<(), String> {
        self.take_violation()?;
        let bytes = bytes(&record)?;
        if bytes.len() > self.limits[node].1 {
            return Err(format!("a record of {} bytes: {}", bytes.len(), Shown(&record)));
        }
        self.oracle.issued(node, &parse::record(&bytes)?)
    }

    fn max_outputs_per_step(&self) -> u64 {
        1_000
    }

    fn max_messages_per_second(&self) -> u64 {
        4_000 * self.applications.len() as u64
    }

    fn sent(&mut self, node: usize, to: NodeId, message: Message<'_>) -> Result<(), String> {
        self.take_violation()?;
        let bytes = bytes(&message)?;
        if bytes.len() > self.limits[node].0 {
            return Err(format!("a message of {} bytes: {}", bytes.len(), Shown(&message)));
        }
        let said = parse::message(&bytes)?;
        self.sent += 1;
        if let Said::Heartbeat(heartbeat) = &said {
            self.heartbeats.insert(self.sent, heartbeat.hears_you);
        }
        self.oracle.sent(node, (to.get() as usize).wrapping_sub(1), &said)?;
        let mark = match &said {
            Said::Promise { run, .. } if !run.entries.is_empty() => Some("votes told"),
            Said::Preempted { .. } => Some("preempted"),
            Said::Chosen { .. } => Some("chosen entries sent"),
            Said::Query { .. } => Some("query"),
            Said::Stand { .. } => Some("asked to lead"),
            _ => None,
        };
        mark.into_iter().for_each(|mark| self.oracle.marks.hit(mark));
        let matters = !matches!(said, Said::Heartbeat(_) | Said::Fetch { .. } | Said::Chunk { .. });
        if matters && self.may_restart() && self.rng.chance(self.restart, 10_000) {
            self.oracle.marks.hit("restarted after a message");
            self.wants_restart[node] = true;
        }
        Ok(())
    }

    fn received(&mut self, node: usize, from: usize, order: u64, _machine: &MultiPaxos<S>) {
        if let Some(hears) = self.heartbeats.get(&order) {
            self.oracle.hears(node, from, *hears);
        }
    }

    fn rejected(&mut self, node: usize, why: Rejected, marks: &mut Marks) -> Result<(), String> {
        if self.change > 0 && why == Rejected::UnknownSender {
            marks.hit("sender is no member");
            return Ok(());
        }
        if why == Rejected::Full {
            marks.hit("message refused: full");
            return Ok(());
        }
        // it was said to a life of the node that it does not remember
        if self.oracle.is_erased(node) && matches!(why, Rejected::Impossible | Rejected::OutOfRange)
        {
            marks.hit("message to an earlier life refused");
            return Ok(());
        }
        Err(format!("node {} refuses an honest message: {why}", node + 1))
    }

    fn check(
        &mut self,
        node: usize,
        machine: &MultiPaxos<S>,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        self.oracle.check_checkpoint(node)?;
        self.take_violation()?;
        let status = machine.status();
        let promised = (status.promised.round, status.promised.node.get());
        self.oracle.seen(node, promised, status.last, status.configuration);
        let earlier = self.seen[node].replace(status);
        let violation = |what: &str| Err(format!("node {}: {what}: {status:?}", node + 1));
        if machine.fatal().is_some() {
            return violation("stopped itself");
        }
        let is_ordered = status.compacted <= status.snapshot
            && status.snapshot <= status.applied
            && status.applied <= status.commit;
        if !is_ordered || status.compacted > status.last {
            return violation("compacted ≤ snapshot ≤ applied ≤ commit does not hold");
        }
        if let Some(earlier) = earlier
            && (status.promised < earlier.promised
                || status.commit < earlier.commit
                || status.applied < earlier.applied
                || status.snapshot < earlier.snapshot
                || status.compacted < earlier.compacted
                || status.configuration < earlier.configuration)
        {
            return violation("went back");
        }
        if status.role == Role::Leader && status.promised.node != status.id {
            return violation("leads, and has promised a ballot of another");
        }
        self.oracle.check_commit(node, status.commit)
    }

    fn wants_restart(&mut self, node: usize) -> bool {
        core::mem::take(&mut self.wants_restart[node]) && self.may_restart()
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        self.now_us = access.now_us();
        let nodes = access.nodes();
        let wait = self.rng.range(2_000, 30_000);
        if self.is_stopped {
            return Ok(wait);
        }
        let mut marks = Marks::default();
        let least = if self.is_healed { 300 } else { 0 };
        let leads = |node: &usize| {
            access.peek(*node).is_some_and(|machine| machine.status().role == Role::Leader)
        };
        let leaders: Vec<usize> = (0..nodes).filter(leads).collect();
        if self.rng.chance(self.propose.max(least), 1_000) {
            let drawn = self.rng.below(leaders.len().max(1) as u64) as usize;
            let any = self.rng.below(nodes as u64) as usize;
            let is_any = self.rng.chance(1, 20);
            let target = leaders.get(drawn).copied().filter(|_| !is_any).unwrap_or(any);
            let count = 1 + self.rng.below(self.burst);
            if let Some(machine) = access.machine(target) {
                (0..count).try_for_each(|_| self.propose(target, machine, &mut marks))?;
            }
        }
        // all but one are leaders of the past, and do not know it
        for target in leaders.iter().copied().filter(|_| leaders.len() > 1) {
            if let Some(machine) = access.machine(target) {
                marks.hit("read beside another leader");
                self.read(target, machine)?;
            }
        }
        if self.changes > 0 && !self.is_healed && self.rng.chance(self.change, 10_000) {
            let drawn = self.rng.below(leaders.len().max(1) as u64) as usize;
            if let Some(&target) = leaders.get(drawn)
                && let Some(machine) = access.machine(target)
            {
                self.reconfigure(target, machine, &mut marks)?;
            }
        }
        if !self.is_healed && self.rng.chance(self.hand_over, 10_000) {
            let drawn = self.rng.below(leaders.len().max(1) as u64) as usize;
            if let Some(&target) = leaders.get(drawn)
                && let Some(machine) = access.machine(target)
            {
                self.hand_over(target, machine, &mut marks)?;
            }
        }
        if self.rng.chance(self.read, 1_000) {
            let target = self.rng.below(nodes as u64) as usize;
            if let Some(machine) = access.machine(target) {
                self.read(target, machine)?;
            }
        }
        access.marks.merge(&marks);
        Ok(wait)
    }

    fn links_changed(&mut self, _node: usize, _now: Instant, _machine: &mut MultiPaxos<S>) {
        self.is_healed = true;
    }

    fn node_lost(&mut self, node: usize) {
        self.lost.push(node);
    }

    fn may_erase_disk(&self, node: usize, calm: bool) -> bool {
        let erased = self.applications.len() - self.oracle.remember().count();
        (calm || erased < self.erasures)
            && !self.oracle.is_erased(node)
            && self.suffices_without(node)
    }

    fn disk_erased(&mut self, node: usize) {
        self.oracle.erased(node);
        self.applications[node] = Application::default();
    }

    fn needs_all_nodes(&self) -> bool {
        let all = self.oracle.remember().count() == self.applications.len();
        !all || self.change > 0 || !self.oracle.setup().is_plain()
    }

    fn format_message(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &MultiPaxos<S>>) -> bool {
        // one that leads in a lower ballot than somebody has promised is a leader of the past
        let statuses: Vec<Status> = machines.map(|machine| machine.status()).collect();
        // those that were removed may have promised more
        let present = statuses.iter().map(|status| status.configuration).max();
        let votes = |status: &&Status| {
            Some(status.configuration) == present && status.roles.contains(Roles::ACCEPTOR)
        };
        let newest = statuses.iter().filter(votes).map(|status| status.promised).max();
        statuses
            .iter()
            .filter(votes)
            .any(|status| status.role == Role::Leader && Some(status.promised) == newest)
    }

    fn leader_status(&self, machine: &MultiPaxos<S>) -> Option<LeaderStatus> {
        let status = machine.status();
        let node = status.id.get() as usize - 1;
        // elsewhere fewer nodes than a majority may do, or more be needed
        let majority = self.applications.len() as u64 / 2 + 1;
        if self.needs_all_nodes() || self.oracle.setup().kind != Kind::Votes([majority; 2]) {
            return None;
        }
        let term = status.promised.round << 8 | status.promised.node.get();
        // any node can be elected, whatever its log is: which one is to be is drawn
        let log = (Rng::new(self.completed << 8 | node as u64).next_u64(), 0);
        Some(LeaderStatus { is_leader: status.role == Role::Leader, term, log })
    }

    fn completed(&self) -> u64 {
        self.completed
    }

    fn stop_clients(&mut self) {
        self.is_stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &MultiPaxos<S>>) -> bool {
        machines.map(|machine| machine.status()).all(|status| self.is_settled(&status))
    }

    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        self.take_violation()?;
        marks.merge(&self.oracle.marks);
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.oracle.chosen_through() ^ self.completed << 20 ^ self.operations << 40
    }
}

fn bytes<'a>(value: &impl Wire<'a>) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}
