use core::marker::PhantomData;
use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Instant, List, Machine, NodeId, Quorums, Rejected, Rng, Shown};
use quorate_paxos::Member;
use quorate_paxos::register::{
    Attempt, Cancelled, Change, Changes, Config, Effect, Event, Message, Outcome, Record, Register,
    Request, Status, Storage,
};
use quorate_sim::{Access, LEADER_TIMEOUTS, Marks, Subject, Swarm};

use super::disk::{Ballot, Disk, owned, pair};
use super::history::{Asked, History};
use super::operator::Operator;

/// Bytes of a key and of a value, and keys, in either storage.
pub(crate) const KEY: usize = 2;
pub(crate) const VALUE: usize = 8;
pub(crate) const KEYS: usize = 12;

/// Names that clients use.
const NAMES: u64 = 10;

/// So many changes of a key are asked for at most, and so many may have outcomes that nobody knows: the checker takes too long otherwise.
const MAX_CHANGES: u32 = 60;
const MAX_UNKNOWN: u32 = 5;

/// The changes of the application: number 16 sets a value if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Update;

impl Changes for Update {
    fn apply<V: List<u8>>(
        &self,
        number: u16,
        argument: &[u8],
        present: Option<&[u8]>,
        out: &mut V,
    ) -> Effect {
        let is_meant = number == 16 && present.is_some();
        if is_meant && out.extend_from_slice(argument).is_ok() {
            Effect::Set
        } else {
            Effect::Refuse
        }
    }
}

type Node<S> = Register<S, Update>;

/// Clients that change and delete registers at any node, ask again for what they do not know, and an operator who collects what was deleted and
/// changes the acceptors.
pub struct RegisterSubject<S: Storage> {
    rng: Rng,
    config: Config,
    /// What each node is started with, and with which version it is set up, if it is.
    members: Vec<Vec<Member>>,
    quorums: Vec<Quorums>,
    founding: Vec<Option<u64>>,
    /// As many as a quorum of each phase at first.
    sizes: (u8, u8),
    disks: Vec<Disk>,
    operator: Operator,
    changes_members: bool,
    dead: Vec<bool>,
    clients: Vec<Client>,
    orphans: VecDeque<Operation>,
    keys: BTreeMap<u8, Key>,
    history: History,
    /// Values by their versions.
    versions: BTreeMap<(u8, Ballot), u64>,
    values: BTreeMap<u64, Ballot>,
    /// The life of its node in which each ballot was used, and what was sent in it.
    lives: Vec<u64>,
    used: BTreeMap<(Vec<u8>, Ballot), u64>,
    proposed: BTreeMap<(Vec<u8>, Ballot), super::disk::Accepted>,
    violation: Option<String>,
    operations: u64,
    completed: u64,
    healed_at: Option<u64>,
    begin_us: u64,
    activity: u64,
    collects: u64,
    erasures: usize,
    is_stopped: bool,
    marks: Marks,
    storage: PhantomData<S>,
}

#[derive(Clone, Default, Debug)]
struct Client {
    open: BTreeMap<Request, Operation>,
    wants_restart: bool,
    is_set_up: bool,
}

#[derive(Clone, Default, Debug)]
struct Key {
    changes: u32,
    unknown: u32,
    /// The version and the value that a client saw last.
    seen: Option<(quorate_paxos::Ballot, Option<u64>)>,
    deleted: bool,
}

/// A request of a client; the operator's reads have no place in the history.
#[derive(Clone, Debug)]
struct Operation {
    id: u64,
    key: u8,
    asked: Asked,
    expected: quorate_paxos::Ballot,
    attempt: Option<Attempt>,
    /// Of the operator, for this key.
    scans: Option<Vec<u8>>,
}

impl Operation {
    fn is_change(&self) -> bool {
        self.asked != Asked::Read
    }
}

impl<S: Storage> RegisterSubject<S> {
    fn fresh(&mut self, node: usize) -> Result<Node<S>, String> {
        let seed = self.rng.next_u64();
        let (members, quorums) = (&self.members[node], self.quorums[node]);
        let id = NodeId::new(node as u64 + 1);
        Node::new(id, members, quorums, self.config, Update, seed).map_err(|e| e.to_string())
    }

    fn suffices(&self, has: impl Fn(usize) -> bool) -> bool {
        self.operator.sets().iter().enumerate().all(|(at, set)| {
            let live = set.iter().filter(|node| has(**node)).count();
            // a flexible quorum may take all of a set
            let all = at > 0 || self.operator.done > 0;
            let (one, two) = self.sizes;
            let least = if all { set.len() } else { one.max(two).into() };
            live >= least && self.operator.sets()[0].iter().any(|node| has(*node))
        })
    }

    fn ask(&mut self, access: &mut Access<'_, Self>, node: usize) -> Result<(), String> {
        let key = self.rng.below(NAMES) as u8;
        let entry = self.keys.entry(key).or_default();
        let may_change = entry.changes < MAX_CHANGES && entry.unknown < MAX_UNKNOWN;
        self.operations += 1;
        let value = self.operations;
        let seen = entry.seen;
        let mut expected = quorate_paxos::Ballot::ZERO;
        let asked = match self.rng.below(10) {
            _ if !may_change => Asked::Read,
            0..=2 => Asked::Read,
            3..=4 => Asked::Set(value),
            5..=6 => {
                let (version, value_seen) = seen.unwrap_or_default();
                expected = version;
                Asked::Swap { expected: value_seen, value }
            }
            7 => Asked::Update(value),
            _ => Asked::Delete,
        };
        let id = self.operations;
        let operation = Operation { id, key, asked, expected, attempt: None, scans: None };
        if self.submit(access, node, operation)? {
            let entry = self.keys.entry(key).or_default();
            entry.changes += u32::from(asked != Asked::Read);
        }
        Ok(())
    }

    /// Asks a node. False if it does not take the request.
    fn submit(
        &mut self,
        access: &mut Access<'_, Self>,
        node: usize,
        operation: Operation,
    ) -> Result<bool, String> {
        let now = access.clock(node);
        let Some(machine) = access.machine(node) else { return Ok(false) };
        let name = operation.scans.clone().unwrap_or_else(|| vec![b'k', operation.key]);
        let bytes;
        let change = match operation.asked {
            Asked::Read => Change::Read,
            Asked::Delete => Change::Delete,
            Asked::Set(value) => {
                bytes = value.to_le_bytes();
                Change::Set { value: &bytes }
            }
            Asked::Swap { value, .. } => {
                bytes = value.to_le_bytes();
                Change::CompareAndSet { version: operation.expected, value: &bytes }
            }
            Asked::Update(value) => {
                bytes = value.to_le_bytes();
                Change::Other { number: 16, argument: &bytes }
            }
        };
        let is_again = operation.attempt.is_some();
        let result = match operation.attempt {
            Some(attempt) => machine.retry(now, &name, change, attempt),
            None => machine.submit(now, &name, change),
        };
        let Ok(request) = result else { return Ok(false) };
        if is_again {
            access.marks.hit("asked again");
        } else if operation.scans.is_none() {
            self.history.call(operation.id, operation.key, operation.asked);
        }
        self.clients[node].open.insert(request, operation);
        Ok(true)
    }

    /// The node of a request has crashed, or does not serve it any more.
    fn orphan(&mut self, operation: Operation) {
        if let Some(key) = operation.scans {
            // the operator reads it again
            let scan = self.operator.change.as_mut().and_then(|change| change.scan.as_mut());
            scan.into_iter().for_each(|scan| scan.push(key.clone()));
        } else if operation.attempt.is_none() || !operation.is_change() {
            self.history.remove(operation.id);
        } else {
            self.orphans.push_back(operation);
        }
    }

    fn answered(
        &mut self,
        node: usize,
        request: Request,
        (outcome, version, value): (Outcome, quorate_paxos::Ballot, Option<&[u8]>),
    ) -> Result<(), String> {
        let Some(operation) = self.clients[node].open.remove(&request) else {
            return Err(format!("node {} answers a request that is not open", node + 1));
        };
        self.completed += 1;
        let key = operation.key;
        let value = match value {
            None => None,
            Some(bytes) => {
                let bytes = bytes.try_into().map_err(|_| "a value of another length")?;
                Some(u64::from_le_bytes(bytes))
            }
        };
        if operation.scans.is_some() {
            return Ok(());
        }
        if version.is_zero() != value.is_none() {
            return Err(format!("node {} tells {value:?} with version {version}", node + 1));
        }
        if let Some(value) = value {
            let of_version = *self.versions.entry((key, pair(version))).or_insert(value);
            let of_value = *self.values.entry(value).or_insert(pair(version));
            if (of_version, of_value) != (value, pair(version)) {
                return Err(format!("{value} has the versions {of_value:?} and {version}"));
            }
        }
        let entry = self.keys.entry(key).or_default();
        match outcome {
            Outcome::Unknown => {
                self.marks.hit("outcome unknown");
                if !operation.is_change() {
                    return Err(format!("node {} does not know what it read", node + 1));
                }
                entry.unknown += 1;
                return Ok(());
            }
            Outcome::AlreadyApplied if operation.attempt.is_none() => {
                return Err(format!("node {} had applied what was not sent", node + 1));
            }
            Outcome::AlreadyApplied => self.marks.hit("already applied"),
            Outcome::Refused => self.marks.hit("refused"),
            _ => {}
        }
        entry.seen = Some((version, value));
        entry.deleted = operation.asked == Asked::Delete || entry.deleted && value.is_none();
        self.history.returned(operation.id, outcome != Outcome::Refused, value);
        Ok(())
    }

    fn note(&mut self, result: Result<(), String>) {
        if let Err(what) = result {
            self.violation.get_or_insert(what);
        }
    }

    fn take_violation(&mut self) -> Result<(), String> {
        self.violation.take().map_or(Ok(()), Err)
    }

    /// The operator: a step of the change of the acceptors, or another change.
    fn operate(&mut self, access: &mut Access<'_, Self>) -> Result<(), String> {
        for node in 0..access.nodes() {
            if let Some(machine) = access.peek(node)
                && machine.status().founded
            {
                self.operator.see(node, machine.status());
            }
        }
        if self.operator.finish() {
            access.marks.hit("acceptors changed");
        }
        let is_sound = !self.dead.contains(&true);
        if self.operator.change.is_none() {
            let begins = self.changes_members && !self.is_stopped && is_sound;
            if begins && self.rng.chance(1, 15) && self.operator.begin(&mut self.rng) {
                self.set_up_those_that_enter(access)?;
            }
            return Ok(());
        }
        self.set_up_those_that_enter(access)?;
        for node in 0..access.nodes() {
            if self.operator.is_in_change(node)
                && self.rng.chance(1, 2)
                && let Some(machine) = access.machine(node)
                && let Some(step) = self.operator.step()
            {
                let version = machine.status().version;
                let result = machine.take(step);
                if version < step.version() && result.is_err() && machine.status().founded {
                    return Err(format!("node {} does not take {step:?}: {result:?}", node + 1));
                }
                // what it was asked for, and does not serve any more
                if !self.operator.is_member(node) {
                    let open = core::mem::take(&mut self.clients[node].open);
                    for (request, mut operation) in open {
                        match machine.cancel(request) {
                            Some(Cancelled::Sent(attempt)) => operation.attempt = Some(attempt),
                            Some(Cancelled::NotSent) => {}
                            // its answer is to be told
                            None => {
                                self.clients[node].open.insert(request, operation);
                                continue;
                            }
                        }
                        self.orphan(operation);
                    }
                }
            }
        }
        if self.operator.must_scan() {
            self.scan(access)?;
        }
        Ok(())
    }

    fn set_up_those_that_enter(&mut self, access: &mut Access<'_, Self>) -> Result<(), String> {
        let enters = self.operator.change.as_ref().map(|change| change.enters.clone());
        for node in enters.unwrap_or_default() {
            if self.founding[node].is_some() {
                continue;
            }
            let present = self.operator.present.iter();
            let members = present.map(|node| Member::new(NodeId::new(*node as u64 + 1))).collect();
            self.members[node] = members;
            self.quorums[node] = Quorums::majority(self.operator.present.len() as u8);
            let mut fresh = self.fresh(node)?;
            let now = access.clock(node);
            if let Some(machine) = access.machine(node) {
                fresh.tick(now);
                fresh.found(self.operator.version());
                *machine = fresh;
                self.founding[node] = Some(self.operator.version());
                access.marks.hit("a node enters");
            }
        }
        Ok(())
    }

    /// Reads every key that a node of the acceptors knows, since all have taken the first step.
    fn scan(&mut self, access: &mut Access<'_, Self>) -> Result<(), String> {
        let present = self.operator.present.clone();
        let scan = self.operator.change.as_ref().and_then(|change| change.scan.clone());
        let Some(mut left) = scan else {
            // all of them: any quorum of phase 1 is among those
            if present.iter().any(|node| access.peek(*node).is_none()) {
                return Ok(());
            }
            let machines = present.iter().filter_map(|node| access.peek(*node));
            let mut keys: Vec<Vec<u8>> =
                machines.flat_map(|machine| machine.keys().map(<[u8]>::to_vec)).collect();
            keys.sort();
            keys.dedup();
            if let Some(change) = &mut self.operator.change {
                change.scan = Some(keys);
            }
            return Ok(());
        };
        let open = |client: &Client| client.open.values().any(|one| one.scans.is_some());
        if left.is_empty() && !self.clients.iter().any(open) {
            access.marks.hit("all keys were read");
            self.operator.scanned();
            return Ok(());
        }
        let members: Vec<usize> =
            present.into_iter().filter(|node| self.operator.is_member(*node)).collect();
        let Some(&node) = members.get(self.rng.below(members.len().max(1) as u64) as usize) else {
            return Ok(()); // nobody stays
        };
        if let Some(key) = left.pop() {
            let operation = Operation {
                id: 0,
                key: 0,
                asked: Asked::Read,
                expected: quorate_paxos::Ballot::ZERO,
                attempt: None,
                scans: Some(key),
            };
            if self.submit(access, node, operation)?
                && let Some(change) = &mut self.operator.change
            {
                change.scan = Some(left);
            }
        }
        Ok(())
    }

    fn is_plain(&self) -> bool {
        let nodes = self.clients.len();
        let majority = (nodes / 2 + 1) as u8;
        !self.changes_members
            && self.operator.present.len() == nodes
            && self.sizes == (majority, majority)
            && !self.dead.contains(&true)
    }
}

impl<S: Storage> Subject for RegisterSubject<S> {
    type Machine = Node<S>;

    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let changes_members = nodes >= 2 && rng.chance(1, 2);
        let acceptors = if changes_members { rng.range(1, nodes as u64 + 1) } else { nodes as u64 };
        let count = acceptors as u8;
        let majority = count / 2 + 1;
        let (one, two) = match rng.below(4) {
            0 => {
                let one = rng.range(1, acceptors + 1);
                (one as u8, rng.range(acceptors + 1 - one, acceptors + 1) as u8)
            }
            _ => (majority, majority),
        };
        let quorums = Quorums::flexible(count, one, two).unwrap_or(Quorums::majority(count));
        let members: Vec<Member> = (1..=acceptors).map(|id| Member::new(NodeId::new(id))).collect();
        let preset = Config {
            max_members: 7,
            max_keys: KEYS,
            max_requests: 3,
            max_key_bytes: KEY,
            max_value_bytes: VALUE,
            ..Config::lan()
        };
        let config = if rng.chance(1, 3) {
            preset
        } else {
            Config {
                retry_us: rng.range(20_000, 500_000),
                backoff_us: rng.range(5_000, 100_000),
                ..preset
            }
        };
        let founding = (0..nodes).map(|node| (node < acceptors as usize).then_some(0)).collect();
        let (present, new) = (0..acceptors as usize, acceptors as usize..nodes);
        let operator = Operator::new(present.collect(), new.collect());
        Self {
            config,
            members: vec![members; nodes],
            quorums: vec![quorums; nodes],
            founding,
            sizes: (one, two),
            disks: (1..=nodes as u64).map(Disk::of).collect(),
            operator,
            changes_members,
            dead: vec![false; nodes],
            clients: vec![Client::default(); nodes],
            orphans: VecDeque::new(),
            keys: BTreeMap::new(),
            history: History::default(),
            versions: BTreeMap::new(),
            values: BTreeMap::new(),
            lives: vec![0; nodes],
            used: BTreeMap::new(),
            proposed: BTreeMap::new(),
            violation: None,
            operations: 0,
            completed: 0,
            healed_at: None,
            begin_us: if rng.chance(1, 2) { 0 } else { rng.below(swarm.chaos_us / 2) },
            activity: [20, 100, 400, 900][rng.below(4) as usize],
            collects: [0, 30, 150, 400][rng.below(4) as usize],
            erasures: [0, 0, 1, 2][rng.below(4) as usize],
            is_stopped: false,
            marks: Marks::default(),
            storage: PhantomData,
            rng,
        }
    }

    /// An eighth of the time in which requests are answered, as a run waits for eight.
    fn timeout_us(&self) -> u64 {
        super::settle_us(&self.config).div_ceil(LEADER_TIMEOUTS)
    }

    fn boot(&mut self, node: usize) -> Result<Node<S>, String> {
        self.fresh(node)
    }

    /// A node is founded until that is on its disk, which it was set up with; and never again.
    fn restored(&mut self, node: usize, machine: &mut Node<S>) -> Result<(), String> {
        let (disk, status) = (&self.disks[node], machine.status());
        let keys: Vec<Vec<u8>> = machine.keys().map(<[u8]>::to_vec).collect();
        let known: Vec<Vec<u8>> = disk.cells.keys().cloned().collect();
        if keys != known || status.founded != disk.is_founded || status.version < disk.version {
            let node = node + 1;
            return Err(format!("node {node} restores {status:?}, {keys:?}; its disk: {disk:?}"));
        }
        for (key, (promised, accepted)) in &disk.cells {
            let has = machine.accepted(key).map(|(state, ballot)| (pair(ballot), state.map(owned)));
            if has != Some((*promised, accepted.clone())) {
                return Err(format!("node {} restores {has:?} of {key:?}: {disk:?}", node + 1));
            }
        }
        if !self.clients[node].is_set_up
            && !self.dead[node]
            && let Some(version) = self.founding[node]
        {
            machine.found(version);
        }
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        self.lives[node] += 1;
        let open = core::mem::take(&mut self.clients[node].open);
        open.into_values().for_each(|operation| self.orphan(operation));
        self.clients[node].wants_restart = false;
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event<'_>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        match event {
            Event::Attempted { request, attempt } => {
                if let Some(operation) = self.clients[node].open.get_mut(&request) {
                    operation.attempt = Some(attempt);
                }
                Ok(Some("crash when attempted"))
            }
            Event::Answered { request, outcome, version, value } => {
                self.answered(node, request, (outcome, version, value))?;
                Ok(None)
            }
            Event::Collected { key, erased } => {
                marks.hit(if erased { "collected" } else { "not collected" });
                if erased && let [_, name] = key {
                    self.keys.entry(*name).or_default().deleted = false;
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn run_application(
        &mut self,
        _node: usize,
        _now: Instant,
        _machine: &mut Node<S>,
        _marks: &mut Marks,
    ) -> Result<bool, String> {
        self.take_violation()?;
        Ok(false)
    }

    fn durable(&mut self, node: usize, record: Record<'_>) {
        if self.dead[node] && !self.disks[node].is_founded {
            self.note(Err(format!("node {} was erased, and writes {record:?}", node + 1)));
        }
        let result = self.disks[node].apply(&record);
        self.note(result.map_err(|what| format!("node {} {what}", node + 1)));
        self.clients[node].is_set_up |= self.disks[node].is_founded;
    }

    fn records_replaced(&mut self, node: usize) {
        self.disks[node] = Disk::of(node as u64 + 1);
    }

    fn issued(&mut self, _node: usize, _record: Record<'_>) -> Result<(), String> {
        Ok(())
    }

    fn max_outputs_per_step(&self) -> u64 {
        500
    }

    fn max_messages_per_second(&self) -> u64 {
        20_000
    }

    fn sent(&mut self, node: usize, to: NodeId, message: Message<'_>) -> Result<(), String> {
        self.take_violation()?;
        let disk = &self.disks[node];
        if !disk.keeps(to.get(), &message) {
            return Err(format!("node {} says {message:?}, and its disk holds {disk:?}", node + 1));
        }
        let (key, ballot) = match message {
            Message::Prepare { key, ballot, .. } => (key, ballot),
            Message::Accept { key, state, .. } => {
                let state = owned(state);
                let at = (key.to_vec(), state.0);
                let sent = self.proposed.entry(at).or_insert_with(|| state.clone());
                if *sent != state {
                    return Err(format!("{sent:?} and {state:?} are both proposed"));
                }
                (key, message_ballot(&message))
            }
            Message::Conflict { .. } => {
                self.marks.hit("conflict");
                return Ok(());
            }
            _ => return Ok(()),
        };
        let at = (key.to_vec(), pair(ballot));
        let life = *self.used.entry(at).or_insert(self.lives[node]);
        if life != self.lives[node] || ballot.node.get() != node as u64 + 1 {
            return Err(format!("node {} uses {ballot} again after a restart", node + 1));
        }
        if !self.is_stopped && self.healed_at.is_none() && self.rng.chance(1, 400) {
            self.clients[node].wants_restart = true;
        }
        Ok(())
    }

    fn rejected(&mut self, node: usize, why: Rejected, marks: &mut Marks) -> Result<(), String> {
        match why {
            Rejected::Full => marks.hit("no room for a key"),
            // nodes that have entered, or left
            Rejected::UnknownSender if self.changes_members => {}
            _ => return Err(format!("node {} refuses an honest message: {why}", node + 1)),
        }
        Ok(())
    }

    fn check(&mut self, _node: usize, _machine: &Node<S>, _: &mut Marks) -> Result<(), String> {
        self.take_violation()
    }

    fn wants_restart(&mut self, node: usize) -> bool {
        core::mem::take(&mut self.clients[node].wants_restart) && self.healed_at.is_none()
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        let wait = self.rng.range(1_000, 40_000);
        self.operate(access)?;
        if access.now_us() < self.begin_us && self.healed_at.is_none() {
            return Ok(wait);
        }
        let nodes = access.nodes() as u64;
        let node = self.rng.below(nodes) as usize;
        if self.is_stopped {
            return Ok(wait);
        }
        let is_busy = self.rng.chance(self.activity, 1_000) || self.healed_at.is_some();
        if is_busy && self.operator.is_member(node) {
            self.ask(access, node)?;
        }
        if self.rng.chance(self.activity / 2, 1_000) {
            // others at the same time, as likely as not for the same key
            for other in 0..access.nodes() {
                if self.operator.is_member(other) {
                    self.ask(access, other)?;
                }
            }
        }
        if let Some(operation) = self.orphans.pop_front() {
            let node = self.rng.below(nodes) as usize;
            let may_ask = self.operator.is_member(node) && self.rng.chance(1, 4);
            if !may_ask || !self.submit(access, node, operation.clone())? {
                self.orphans.push_back(operation);
            }
        }
        if self.rng.chance(self.collects, 1_000) && self.operator.is_member(node) {
            let deleted: Vec<u8> =
                self.keys.iter().filter(|(_, key)| key.deleted).map(|(name, _)| *name).collect();
            if !deleted.is_empty() {
                let name = deleted[self.rng.below(deleted.len() as u64) as usize];
                let now = access.clock(node);
                if let Some(machine) = access.machine(node) {
                    let _ = machine.collect(now, &[b'k', name]);
                }
            }
        }
        Ok(wait)
    }

    /// Faults have ended, of which the drivers are told.
    fn links_changed(&mut self, _node: usize, _now: Instant, _machine: &mut Node<S>) {
        self.healed_at.get_or_insert(self.completed);
    }

    fn node_lost(&mut self, node: usize) {
        self.dead[node] = true;
        self.crashed(node);
    }

    fn may_erase_disk(&self, node: usize, _calm: bool) -> bool {
        let dead = self.dead.iter().filter(|dead| **dead).count();
        let has = |one: usize| one != node && !self.dead[one];
        dead < self.erasures
            && self.clients[node].is_set_up
            && self.operator.change.is_none()
            && self.operator.present.contains(&node)
            && self.suffices(has)
    }

    fn disk_erased(&mut self, node: usize) {
        self.dead[node] = true;
    }

    fn needs_all_nodes(&self) -> bool {
        !self.is_plain()
    }

    fn format_message(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }

    fn has_leader(&self, _machines: &mut dyn Iterator<Item = &Node<S>>) -> bool {
        self.healed_at.is_some_and(|before| self.completed > before)
    }

    fn completed(&self) -> u64 {
        self.completed
    }

    fn stop_clients(&mut self) {
        self.is_stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Node<S>>) -> bool {
        let is_sound = !self.dead.contains(&true);
        let is_quiet = |status: Status| {
            let node = status.id.get() as usize - 1;
            let is_stable = self.operator.is_stable(node) || self.operator.has_left(node);
            status.requests == 0 && (!is_sound || !status.collecting && is_stable)
        };
        machines.map(Machine::status).all(is_quiet) && (!is_sound || self.operator.change.is_none())
    }

    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        self.take_violation()?;
        self.history.check()?;
        marks.merge(&self.marks);
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.completed.wrapping_mul(31) ^ self.operations
    }
}

fn message_ballot(message: &Message<'_>) -> quorate_paxos::Ballot {
    match message {
        Message::Accept { state, .. } => state.ballot,
        _ => quorate_paxos::Ballot::ZERO,
    }
}

const _: () = assert!(KEYS as u64 >= NAMES);
