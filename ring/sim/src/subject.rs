use std::collections::BTreeMap;

use quorate_core::{Instant, Machine, NodeId, Rejected, Rng, Shown, Wire};
use quorate_ring::quorum::{
    Config, Event, Failure, Layout as _, Level, Message, Node, ReadOptions, ReadRepair, Record,
    Replicated, Request, RequestError, Storage, Value as _, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};
use quorate_sim::{Access, Marks, Subject, Swarm};

use crate::kind::{Context, Kind, Place};
use crate::promises::{Promises, hints};

type Ring = HashRing<quorate_ring::Heap>;
type Machine_<K, S> = Node<<K as Kind>::Value, Replicated<Ring>, S>;

/// The keys that clients use.
const KEYS: u64 = 16;

/// How many messages are kept to arrive again.
const OLD_MESSAGES: usize = 64;

/// How many clients have a session.
const SESSIONS: usize = 3;

/// A store of one kind of values, and clients that read and write them at all nodes.
pub struct StoreSubject<K: Kind, S: Storage> {
    /// All layouts there were; of two neighbours one is where both sets are asked.
    layouts: Vec<Replicated<Ring>>,
    /// Which of them each node goes by.
    goes_by: Vec<usize>,
    hash: KeyHash,
    config: Config,
    fallbacks: usize,
    nodes: usize,
    replicas: usize,
    rng: Rng,
    /// What is durable, rebuilt from records alone.
    shadows: Vec<Machine_<K, S>>,
    incarnations: Vec<u64>,
    founded: Vec<bool>,
    /// Disks that were erased, once at least.
    erased: Vec<bool>,
    erases: bool,
    /// Requests in flight.
    open: BTreeMap<(usize, Request), Open<K::Write>>,
    kind: K,
    sessions: Vec<Session<K>>,
    promises: Promises<K::Value>,
    /// Values on their way to a node, of any time of the run: they may arrive again.
    old: Vec<(usize, usize, Vec<u8>)>,
    /// How many values were written; none is written twice.
    written: u64,
    completed: u64,
    purged: u64,
    /// The highest floor of any node.
    floor: u64,
    /// What was found while a record was written.
    violation: Option<String>,
    stopped: bool,
    /// The members that keys move to.
    moving_to: Option<u64>,
    /// Members change in this run.
    operates: bool,
    /// Of so many nodes one is said to be down.
    down_of: u64,
}

/// A client that goes from node to node, and keeps account of what it has seen. It does one thing at a time, with one replica each.
struct Session<K: Kind> {
    seen: BTreeMap<u8, Context<K>>,
    waits: bool,
}

impl<K: Kind> Session<K> {
    fn see(&mut self, key: u8, also: Context<K>) {
        match self.seen.get_mut(&key) {
            Some(seen) => K::join(seen, also),
            None => _ = self.seen.insert(key, also),
        }
    }
}

#[derive(Clone, Debug)]
enum Open<W> {
    Write { key: u8, write: W, strict: bool, session: Option<usize> },
    Read { key: u8, called: u64, kind: ReadKind },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ReadKind {
    Atomic,
    Plain,
    Sloppy,
    Session(usize),
}

impl<K: Kind, S: Storage + 'static> StoreSubject<K, S> {
    /// Hints are handed over soon or late, and tombstones forgotten: in some runs the floor rises while hints are kept.
    fn config(rng: &mut Rng) -> Config {
        Config {
            retry_us: 60_000,
            attempts: 12,
            handoff_us: if rng.chance(1, 2) { 150_000 } else { 3_000_000 },
            hint_life_us: if rng.chance(1, 2) { 4_000_000 } else { 400_000 },
            sweep_us: 20_000,
            sweep_pause_us: if rng.chance(1, 2) { 300_000 } else { 60_000 },
            purge_us: if rng.chance(1, 2) { 1_000_000 } else { 300_000 },
            max_key_len: 8,
            max_requests: 16,
            max_keys: 64,
            max_repairs: if rng.chance(1, 2) { 32 } else { 1 },
            max_answers: 64,
            max_hints: 32,
        }
    }

    fn machine(&self, node: usize, incarnation: u64) -> Machine_<K, S> {
        let id = NodeId::new(node as u64 + 1);
        let layout = self.layouts[self.goes_by[node]].clone();
        Node::new(id, incarnation, layout, self.config).unwrap()
    }

    fn ring(&self, members: u64) -> Ring {
        let mut ring = Ring::new(self.hash, 8);
        for id in (1..=self.nodes as u64).filter(|id| members & 1 << id > 0) {
            ring.add(Member::new(NodeId::new(id))).unwrap();
        }
        ring
    }

    fn new_layout(&self, members: u64) -> Replicated<Ring> {
        let epoch = self.layouts.len() as u64 + 1;
        let ring = self.ring(members);
        let version = Version { epoch, digest: 1 };
        Replicated::new(version, ring, self.replicas).with_fallbacks(self.fallbacks)
    }

    /// An operator changes which nodes hold keys, one step at a time.
    fn operate(&mut self, access: &mut Access<'_, Self>) {
        let newest = self.layouts.len() - 1;
        let node = self.rng.below(self.nodes as u64) as usize;
        if self.goes_by[node] < newest {
            if let Some(machine) = access.machine(node) {
                self.goes_by[node] += 1;
                self.kind.forgot(node);
                if !self.layouts[self.goes_by[node]].is_moving() {
                    self.kind.left();
                }
                machine.set_layout(self.layouts[self.goes_by[node]].clone()).unwrap();
            }
            return;
        }
        let all_there = self.goes_by.iter().all(|layout| *layout == newest);
        let synchronized = (0..self.nodes)
            .all(|node| access.peek(node).is_some_and(|machine| machine.status().synchronized));
        if !all_there || !synchronized {
            return;
        }
        if let Some(members) = self.moving_to.take() {
            access.marks.hit("replicas changed");
            self.layouts.push(self.new_layout(members));
        } else if !self.stopped && self.rng.chance(1, 4) {
            let members = self.rng.below(1 << self.nodes) << 1;
            if members.count_ones() as usize >= self.replicas.min(2) {
                self.moving_to = Some(members);
                let next = self.ring(members);
                let now = self.layouts[newest].clone();
                let epoch = self.layouts.len() as u64 + 1;
                let version = Version { epoch, digest: 1 };
                self.layouts.push(now.in_version(version).moving_to(next).unwrap());
            }
        }
    }

    /// A value that was sent long ago arrives again.
    fn replay(&mut self, access: &mut Access<'_, Self>) -> Result<(), String> {
        let at = self.rng.below(OLD_MESSAGES as u64) as usize;
        let Some((from, to, bytes)) = self.old.get(at) else { return Ok(()) };
        let (from, now) = (NodeId::new(*from as u64 + 1), access.clock(*to));
        let Some(machine) = access.machine(*to) else { return Ok(()) };
        let message = Message::from_slice(bytes).map_err(|error| error.to_string())?;
        match machine.receive(now, from, message) {
            Ok(()) | Err(Rejected::Full) => {}
            Err(reason) => return Err(format!("an old message was refused: {reason}")),
        }
        access.marks.hit("old value arrived again");
        Ok(())
    }

    fn is_member(&self, node: usize) -> bool {
        let id = NodeId::new(node as u64 + 1);
        self.layouts.last().is_some_and(|layout| layout.membership(id).is_member())
    }

    /// A session goes on.
    fn free(&mut self, session: Option<usize>) {
        if let Some(session) = session {
            self.sessions[session].waits = false;
        }
    }

    fn holders(&self, key: u8) -> Vec<usize> {
        self.layouts.last().map_or_else(Vec::new, |layout| holders(layout, &[key]))
    }

    /// The floor of a node is this: true if it is the first one to have it.
    fn raise_floor(&mut self, node: usize, floor: u64) -> Result<bool, String> {
        if floor <= self.floor {
            return Ok(false);
        }
        self.check_floor(node, floor)?;
        self.floor = floor;
        Ok(true)
    }

    /// The floor rises at a node, the first one: whatever is up to it, kept for others or not, is on the disks of all replicas, but of those that are rebuilt.
    fn check_floor(&self, node: usize, floor: u64) -> Result<(), String> {
        let layout = &self.layouts[self.goes_by[node]];
        for (at, shadow) in self.shadows.iter().enumerate() {
            let own = (0..KEYS as u8)
                .filter(|key| holders(layout, &[*key]).contains(&at))
                .filter_map(|key| Some((vec![key], shadow.local(&[key])?.clone())));
            let kept = hints::<K::Value, _, S>(shadow).map(|(_, key, value)| (key, value));
            for (key, value) in own.chain(kept) {
                let is_new = (self.floor + 1..=floor).contains(&value.clock());
                let lacks = |holder: &usize| {
                    let local = self.shadows[*holder].local(&key);
                    let includes = local.is_some_and(|local| local.includes(&value.context()));
                    self.founded[*holder] && !includes
                };
                if let Some(lacks) = holders(layout, &key).into_iter().find(lacks)
                    && is_new
                {
                    let (at, lacks) = (at + 1, lacks + 1);
                    return Err(format!(
                        "the floor rises to {floor}, and node {lacks} lacks {value:?} of {key:?}, which node {at} has"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The nodes of a key.
fn holders(layout: &Replicated<Ring>, key: &[u8]) -> Vec<usize> {
    let list = layout.replicas(layout.token(key));
    list.replicas().iter().map(|node| node.get() as usize - 1).collect()
}

pub(crate) fn encoded<'a, M: Machine>(machine: &'a M) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = machine
        .checkpoint()
        .map(|record: M::Record<'a>| {
            let mut bytes = vec![0; record.encoded_len()];
            record.to_slice(&mut bytes).unwrap();
            bytes
        })
        .collect();
    records.sort();
    records
}

impl<K: Kind, S: Storage + 'static> Subject for StoreSubject<K, S> {
    type Machine = Machine_<K, S>;

    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let (erases, operates) = (rng.chance(1, 2), rng.chance(1, 2));
        let down_of = if rng.chance(1, 3) { 2 } else { 20 };
        let hash = KeyHash::new([rng.next_u64(), 0]);
        let config = Self::config(&mut rng);
        let replicas = nodes.min(3);
        let fallbacks = rng.below(3) as usize;
        let kind = K::new(nodes, &mut rng);
        let session = || Session { seen: BTreeMap::new(), waits: false };
        let mut subject = Self {
            layouts: Vec::new(),
            goes_by: vec![0; nodes],
            moving_to: None,
            operates,
            down_of,
            hash,
            config,
            fallbacks,
            nodes,
            replicas,
            rng,
            shadows: Vec::new(),
            incarnations: vec![0; nodes],
            founded: vec![false; nodes],
            erased: vec![false; nodes],
            erases,
            open: BTreeMap::new(),
            kind,
            sessions: (0..SESSIONS).map(|_| session()).collect(),
            promises: Promises::default(),
            old: Vec::new(),
            written: 0,
            completed: 0,
            purged: 0,
            floor: 0,
            violation: None,
            stopped: false,
        };
        let all = (2 << nodes) - 2;
        subject.layouts.push(subject.new_layout(all));
        subject.shadows = (0..nodes).map(|node| subject.machine(node, 0)).collect();
        subject
    }

    fn may_erase_disk(&self, node: usize, _calm: bool) -> bool {
        // each write is on two replicas at least, and the next disk may go once this one is rebuilt
        let newest = self.layouts.len() - 1;
        let settled =
            self.moving_to.is_none() && self.goes_by.iter().all(|layout| *layout == newest);
        let members = (0..self.nodes).filter(|other| self.is_member(*other));
        let known = members.clone().all(|other| self.founded[other]);
        settled && known && self.is_member(node) && members.count() >= 2 && self.erases
    }

    fn disk_erased(&mut self, node: usize) {
        self.founded[node] = false;
        self.erased[node] = true;
        self.kind.forget_weak();
        self.kind.forgot(node);
        // a session writes with one replica: what it has seen may have been on that disk alone
        self.sessions.iter_mut().for_each(|session| session.seen.clear());
        self.old.retain(|(from, to, _)| *from != node && *to != node);
    }

    fn timeout_us(&self) -> u64 {
        1_000_000
    }

    fn max_messages_per_second(&self) -> u64 {
        12_000
    }

    fn boot(&mut self, node: usize) -> Result<Self::Machine, String> {
        self.incarnations[node] += 1;
        self.kind.started(node, self.incarnations[node]);
        Ok(self.machine(node, self.incarnations[node]))
    }

    fn restored(&mut self, node: usize, machine: &mut Self::Machine) -> Result<(), String> {
        if encoded(machine) != encoded(&self.shadows[node]) {
            return Err("a node does not come back as it was written down".into());
        }
        if machine.status().founded != self.founded[node] {
            return Err("a node forgot whether it is a member".into());
        }
        // the first layout has all nodes
        if !self.founded[node] && self.goes_by[node] == 0 && !self.erased[node] {
            machine.found();
        }
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        let all = std::mem::take(&mut self.open);
        for ((at, request), open) in all {
            if at != node {
                self.open.insert((at, request), open);
                continue;
            }
            match open {
                Open::Write { key, write, session, .. } => {
                    self.kind.abandoned(node, key, &write);
                    self.free(session);
                }
                Open::Read { kind: ReadKind::Session(session), .. } => self.free(Some(session)),
                Open::Read { .. } => {}
            }
        }
    }

    fn event(
        &mut self,
        node: usize,
        now: Instant,
        event: Event<'_, K::Value>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        match event {
            Event::Written { request, value, superseded } => {
                let open = self.open.remove(&(node, request));
                let Some(Open::Write { key, write, strict, session }) = open else {
                    return Err("a write that nobody made is acknowledged".into());
                };
                if superseded {
                    marks.hit("write superseded");
                }
                self.completed += 1;
                if !strict {
                    marks.hit(if session.is_some() { "session write" } else { "sloppy write" });
                }
                self.free(session);
                self.kind.wrote(key, &write, value, strict)?;
                if let Some(session) = session {
                    self.sessions[session].see(key, value.context());
                } else {
                    self.kind.saw(node, now, key, value);
                }
                Ok(Some("crash after a write"))
            }
            Event::Found { request, value } => {
                let Some(Open::Read { key, called, kind }) = self.open.remove(&(node, request))
                else {
                    return Err("a read that nobody made returns".into());
                };
                self.completed += 1;
                match kind {
                    ReadKind::Sloppy => {}
                    ReadKind::Session(session) => {
                        self.free(Some(session));
                        if let Some(seen) = self.sessions[session].seen.get(&key) {
                            marks.hit("session read");
                            self.kind.read_after(key, seen, value)?;
                        }
                        // it includes what was seen, or that was purged
                        let seen = &mut self.sessions[session].seen;
                        if let Some(value) = value {
                            seen.insert(key, value.context());
                        } else if seen.remove(&key).is_some() {
                            marks.hit("session read of a purged key");
                        }
                    }
                    ReadKind::Plain => self.kind.read(key, called, value, false)?,
                    ReadKind::Atomic => self.kind.read(key, called, value, true)?,
                }
                if let Some(value) = value
                    && !matches!(kind, ReadKind::Session(_))
                {
                    self.kind.saw(node, now, key, value);
                }
                Ok(Some("crash after a read"))
            }
            Event::Failed { request, failure, seen, sent } => {
                let (key, write, session) = match self.open.remove(&(node, request)) {
                    Some(Open::Write { key, write, session, .. }) => (key, Some(write), session),
                    Some(Open::Read { key, kind: ReadKind::Session(session), .. }) => {
                        if matches!(failure, Failure::Timeout { .. } | Failure::Missing) {
                            marks.hit("session read timed out");
                        }
                        (key, None, Some(session))
                    }
                    Some(Open::Read { key, .. }) => (key, None, None),
                    None => return Err("a request that nobody made fails".into()),
                };
                if !sent && let Some(write) = &write {
                    self.kind.never_sent(key, write);
                    marks.hit("write failed before it was sent");
                }
                let reads_in_session = session.is_some() && write.is_none();
                self.free(session);
                let floor = self.shadows[node].status().floor;
                let place = Place { node, now, key, stored: seen, floor, seen: None };
                let of_kind = self.kind.failed(place, failure, write.as_ref());
                match failure {
                    _ if of_kind.is_some() => of_kind.into_iter().for_each(|mark| marks.hit(mark)),
                    Failure::Stale { .. } if self.operates => marks.hit("stale"),
                    Failure::Timeout { .. } => marks.hit("timeout"),
                    Failure::Missing if reads_in_session => marks.hit("missing"),
                    Failure::Full => marks.hit("full"),
                    Failure::Blank => marks.hit("blank"),
                    other => return Err(format!("a request failed: {other}")),
                }
                Ok(None)
            }
            Event::Swept { .. } => {
                marks.hit("swept");
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn run_application(
        &mut self,
        _node: usize,
        _now: Instant,
        _machine: &mut Self::Machine,
        _marks: &mut Marks,
    ) -> Result<bool, String> {
        Ok(false)
    }

    fn format_message(message: &Message<'_, K::Value>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &Record<'_, K::Value>) -> String {
        Shown(record).to_string()
    }

    fn durable(&mut self, node: usize, record: Record<'_, K::Value>) {
        self.purged += u64::from(Shown(&record).to_string().starts_with("Purged"));
        self.shadows[node].restore(record).unwrap();
        self.founded[node] = self.shadows[node].status().founded;
        // a node that crashes right after it wrote the floor down purges as soon as it is back
        let floor = self.shadows[node].status().floor;
        if let Err(violation) = self.raise_floor(node, floor) {
            self.violation.get_or_insert(violation);
        }
    }

    fn records_replaced(&mut self, node: usize) {
        self.shadows[node] = self.machine(node, 0);
        self.founded[node] = false; // unless a record of the checkpoint says otherwise
    }

    fn issued(&mut self, _node: usize, _record: Record<'_, K::Value>) -> Result<(), String> {
        Ok(())
    }

    fn sent(
        &mut self,
        node: usize,
        to: NodeId,
        message: Message<'_, K::Value>,
    ) -> Result<(), String> {
        let (id, layout) = (NodeId::new(node as u64 + 1), &self.layouts[self.goes_by[node]]);
        let holds = |key: &[u8]| {
            let token = layout.token(key);
            layout.replicas(token).replicas().contains(&id)
                || layout.next_replicas(token).is_some_and(|next| next.replicas().contains(&id))
        };
        let bytes = self.promises.check(id, to, &message, &self.shadows, holds)?;
        if let Some(bytes) = bytes {
            let old = (node, to.get() as usize - 1, bytes);
            if self.old.len() < OLD_MESSAGES {
                self.old.push(old);
            } else if self.rng.chance(1, 16) {
                let at = self.rng.below(OLD_MESSAGES as u64) as usize;
                self.old[at] = old;
            }
        }
        Ok(())
    }

    fn rejected(
        &mut self,
        _node: usize,
        reason: Rejected,
        marks: &mut Marks,
    ) -> Result<(), String> {
        if reason == Rejected::Full {
            marks.hit("no room for an answer");
            return Ok(());
        }
        Err(format!("an honest message was refused: {reason}"))
    }

    fn check(
        &mut self,
        node: usize,
        machine: &Self::Machine,
        marks: &mut Marks,
    ) -> Result<(), String> {
        if let Some(violation) = self.violation.take() {
            return Err(violation);
        }
        if self.raise_floor(node, machine.status().floor)? {
            marks.hit("floor raised");
        }
        if machine.status().hints > 0 {
            marks.hit("hints kept");
        }
        Ok(())
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        if self.operates && (self.stopped || self.rng.chance(1, 8)) {
            self.operate(access);
        }
        if self.stopped {
            return Ok(50_000);
        }
        if self.rng.chance(1, 16) {
            self.replay(access)?;
        }
        let node = self.rng.below(self.nodes as u64) as usize;
        let cold = self.rng.chance(1, 4);
        let key = self.rng.below(if cold { KEYS } else { 4 }) as u8;
        let now = access.clock(node);
        let sloppy = self.rng.chance(1, 6);
        let down = self.rng.chance(1, self.down_of);
        let other = NodeId::new(1 + self.rng.below(self.nodes as u64));
        let writes = self.rng.chance(1, 2);
        let kind = match self.rng.below(3) {
            _ if sloppy => ReadKind::Sloppy,
            0 => ReadKind::Plain,
            _ => ReadKind::Atomic,
        };
        let always = self.rng.chance(1, 4);
        let background = self.rng.chance(1, 2);
        let wait = 1_000 + self.rng.below(30_000);
        let replicas = self.replicas as u64;
        let session = self.rng.below(3 * SESSIONS as u64) as usize;
        let session = (!sloppy && session < SESSIONS).then_some(session);
        if session.is_some_and(|session| self.sessions[session].waits) {
            return Ok(wait);
        }
        let deletes = !sloppy && self.rng.chance(1, if cold { 2 } else { 6 });
        let level = match session {
            _ if sloppy => Level::Count(1 + self.rng.below(replicas) as u8),
            Some(_) => Level::One,
            None => Level::Quorum,
        };
        let seen = session.and_then(|session| self.sessions[session].seen.get(&key).cloned());
        let Some(machine) = access.machine(node) else { return Ok(wait) };
        if other != NodeId::new(node as u64 + 1) {
            machine.set_down(other, down);
        }
        let result = if writes {
            let (stored, floor) = (machine.local(&[key]), machine.status().floor);
            let place = Place { node, now, key, stored, floor, seen: seen.as_ref() };
            let data = (!deletes).then_some(self.written + 1);
            let formed = self.kind.form(place, data, &mut self.rng);
            let Some((value, order, mut write)) = formed else { return Ok(wait) };
            let options = WriteOptions { level, sloppy, order, primaries: 0 };
            machine.write(now, &[key], value, options).map(|request| {
                self.written += 1;
                self.kind.called(key, &mut write);
                let strict = !sloppy && session.is_none();
                (request, Open::Write { key, write, strict, session })
            })
        } else {
            let kind = session.map_or(kind, ReadKind::Session);
            let called = self.kind.call_read();
            let repair = match kind {
                ReadKind::Atomic if always => ReadRepair::Always,
                ReadKind::Atomic => ReadRepair::Blocking,
                _ if background => ReadRepair::Background,
                _ => ReadRepair::Off,
            };
            let options = ReadOptions { level, sloppy, repair, primaries: 0 };
            let request = match seen {
                Some(seen) => machine.read_at_least(now, &[key], options, seen),
                None => machine.read(now, &[key], options),
            };
            request.map(|request| (request, Open::Read { key, called, kind }))
        };
        match result {
            Ok((request, open)) => {
                self.open.insert((node, request), open);
                if let Some(session) = session {
                    self.sessions[session].waits = true;
                }
            }
            Err(RequestError::NotReplica) => access.marks.hit("not a replica"),
            Err(RequestError::Level(_)) if self.operates => {}
            Err(RequestError::Busy) => access.marks.hit("too many requests"),
            Err(RequestError::Unavailable { .. }) => access.marks.hit("unavailable"),
            Err(error) => return Err(format!("a request cannot be made: {error}")),
        }
        Ok(wait)
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        machines.next().is_some()
    }

    fn needs_all_nodes(&self) -> bool {
        true
    }

    fn completed(&self) -> u64 {
        self.completed
    }

    fn stop_clients(&mut self) {
        self.stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        let machines: Vec<_> = machines.collect();
        let idle = machines.iter().all(|machine| {
            let status = machine.status();
            status.hints == 0 && status.requests == 0
        });
        let equal = (0..KEYS as u8).all(|key| {
            let mut values = self.holders(key).into_iter().map(|node| machines[node].local(&[key]));
            let first = values.next().flatten();
            let same = values.all(|value| value == first);
            if !same && std::env::var_os("DEBUG").is_some() {
                let all: Vec<_> = self
                    .holders(key)
                    .into_iter()
                    .map(|node| (node, machines[node].local(&[key])))
                    .collect();
                let status: Vec<_> = machines.iter().map(|machine| machine.status()).collect();
                eprintln!("{key} {all:?} {status:?}");
            }
            same
        });
        let newest = self.layouts.len() - 1;
        let settled =
            self.moving_to.is_none() && self.goes_by.iter().all(|layout| *layout == newest);
        if !(idle && equal && settled) && std::env::var_os("DEBUG").is_some() {
            eprintln!("idle {idle} equal {equal} settled {settled} {:?} {newest}", self.goes_by);
            for machine in &machines {
                eprintln!("{:?}", machine.status());
            }
        }
        idle && equal && settled
    }

    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        marks.add("purged", self.purged);
        for key in 0..KEYS as u8 {
            let node = self.holders(key)[0];
            let end = self.shadows[node].local(&[key]);
            if end.is_some() {
                marks.hit("kept");
            }
            self.kind.end(key, end)?;
        }
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.written ^ self.completed << 32
    }
}
