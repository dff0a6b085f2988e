use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Instant, Machine, NodeId, Rejected, Rng, Shown, Wire};
use quorate_ring::migration::{
    BeginError, Config, Event, ForwardError, Item, Message, Migration, Ownership, Progress, Record,
    Refusal, Storage,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, Heap, KeyHash, Member, Move, Placement, Plan, Token, TokenRange};
use quorate_sim::{Access, Marks, Subject, Swarm};

use crate::contents::{Contents, Known, Write};

type Ring = HashRing<Heap>;
type Machine_<S> = Migration<TokenRange, S>;

const KEYS: u8 = 24;
/// Points of a member: as many ranges move at most when one joins or leaves.
const POINTS: u16 = 3;

/// A map of keys on a ring whose members join and leave, one at a time: plans are carried out range by range while clients read and write.
/// In the end the members are those of the beginning.
pub struct MigrationSubject<S: Storage> {
    rng: Rng,
    nodes: usize,
    /// Where each key is.
    tokens: Vec<Token>,
    /// All placements there were; the last is the one that the plan leads to while keys move.
    placements: Vec<Ring>,
    moving: bool,
    /// The moves are done: nodes take over the new placement.
    adopting: bool,
    hosts: Vec<Host<S>>,
    clients: Vec<Known>,
    /// Which node serves which key.
    serving: Vec<Vec<bool>>,
    erases: bool,
    cancels: bool,
    written: u64,
    completed: u64,
    stopped: bool,
    /// What is on record was checked, since it changed.
    is_checked: bool,
}

/// One node, besides its machine.
struct Host<S: Storage> {
    /// What is durable, rebuilt from records alone.
    shadow: Machine_<S>,
    /// The placement that it goes by, on its disk.
    goes_by: usize,
    /// The keys that it has, on its disk.
    data: Contents,
    /// Writes that are being forwarded, with their range and number.
    forwarding: Vec<(TokenRange, u64, Write)>,
    /// What the machine asked for.
    tasks: VecDeque<Task>,
    was_erased: bool,
}

#[derive(Clone, Debug)]
enum Task {
    Accept(TokenRange),
    Read(TokenRange, Option<u8>, usize),
    Apply(TokenRange, Vec<Write>),
    Reclaim(TokenRange),
}

impl Task {
    const fn range(&self) -> TokenRange {
        match self {
            Self::Accept(range)
            | Self::Read(range, ..)
            | Self::Apply(range, _)
            | Self::Reclaim(range) => *range,
        }
    }
}

const fn id(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

const fn index(node: NodeId) -> usize {
    node.get() as usize - 1
}

impl<S: Storage + 'static> MigrationSubject<S> {
    fn config() -> Config {
        Config {
            retry_us: 60_000,
            stall_us: 400_000,
            max_open: 2,
            bytes_per_second: 20_000,
            max_members: 8,
            max_handovers: usize::from(POINTS),
            max_chunk_bytes: 48,
            max_cursor_bytes: 1,
        }
    }

    /// The number of the placement in force: the older one while keys move.
    fn current(&self) -> usize {
        self.placements.len() - 1 - usize::from(self.moving)
    }

    /// Every range that the plan gives to another owner.
    fn copies(&self) -> Vec<(TokenRange, usize, usize)> {
        let [.., old, new] = &self.placements[..] else { return Vec::new() };
        let plan = Plan::new(old, new, 1).unwrap();
        let copies = plan.moves().filter_map(|step| match step {
            Move::Copy { range, from: Some(from), to } => Some((range, index(from), index(to))),
            _ => None,
        });
        copies.collect()
    }

    fn owner(&self, placement: usize, token: Token) -> usize {
        index(self.placements[placement].owner(token).unwrap())
    }

    /// Whether a node serves a key, by its hand-overs and its placement.
    fn serves(&self, node: usize, machine: &Machine_<S>, key: u8) -> bool {
        let token = self.tokens[usize::from(key)];
        let by_placement = || self.owner(self.hosts[node].goes_by, token) == node;
        machine.ownership(TokenRange::new(token, token)).is_here().unwrap_or_else(by_placement)
    }

    fn in_range(&self, range: TokenRange) -> Vec<u8> {
        (0..KEYS).filter(|key| range.contains(self.tokens[usize::from(*key)])).collect()
    }

    fn delete(&mut self, node: usize, range: TokenRange) {
        for key in self.in_range(range) {
            self.hosts[node].data.remove(&key);
        }
    }

    // The operator

    /// Begins a plan, carries it out, and lets the nodes take over its placement.
    fn operate(&mut self, access: &mut Access<'_, Self>) -> Result<(), String> {
        if !self.moving {
            self.plan(access.marks);
            return Ok(());
        }
        let copies = self.copies();
        let node = self.rng.below(self.nodes as u64) as usize;
        if self.adopting {
            return self.adopt(node, access);
        }
        for &(range, from, to) in copies.iter().filter(|copy| copy.1 == node) {
            let cancel = self.cancels && !self.stopped && self.rng.chance(1, 20);
            let Some(machine) = access.machine(node) else { break };
            let one = machine.outgoing().find(|one| one.range == range);
            match one.map(|one| one.progress) {
                None => {
                    let epoch = self.placements.len() as u64;
                    match machine.begin(range, id(to), Version { epoch, digest: 1 }) {
                        Ok(()) | Err(BeginError::Busy) => {}
                        Err(error) => return Err(format!("{from} cannot begin: {error}")),
                    }
                }
                // it may be over already
                Some(Progress::Copying | Progress::Copied) if cancel => {
                    let _ = machine.cancel(range);
                }
                Some(Progress::Copied) => {
                    let _ = machine.release(range);
                }
                Some(_) => {}
            }
        }
        let is_closed = |&(range, from, to): &(TokenRange, usize, usize)| {
            let closed = |one: quorate_ring::migration::Handover<TokenRange>| {
                (one.range, one.progress) == (range, Progress::Closed)
            };
            let source = access.peek(from).is_some_and(|machine| machine.outgoing().any(closed));
            source && access.peek(to).is_some_and(|machine| machine.incoming().any(closed))
        };
        self.adopting = copies.iter().all(is_closed);
        Ok(())
    }

    /// A member joins, or one leaves.
    fn plan(&mut self, marks: &mut Marks) {
        let now = &self.placements[self.placements.len() - 1];
        let is_member =
            |ring: &Ring, node: usize| ring.members().iter().any(|member| member.id == id(node));
        let node = if self.stopped {
            let first = &self.placements[0];
            let differs = |node: &usize| is_member(now, *node) != is_member(first, *node);
            // those that join come first: there is always a member
            let all = || (0..self.nodes).filter(differs);
            let Some(node) = all().find(|node| !is_member(now, *node)).or_else(|| all().next())
            else {
                return;
            };
            node
        } else if self.rng.chance(1, 4) {
            self.rng.below(self.nodes as u64) as usize
        } else {
            return;
        };
        let mut next = now.clone();
        if !is_member(now, node) {
            next.add(Member::new(id(node))).unwrap();
            marks.hit("joins");
        } else if now.members().len() > 1 {
            next.remove(id(node)).unwrap();
            marks.hit("leaves");
        } else {
            return;
        }
        self.placements.push(next);
        (self.moving, self.adopting) = (true, false);
    }

    /// A node goes by the new placement, and forgets the hand-overs that led to it.
    fn adopt(&mut self, node: usize, access: &mut Access<'_, Self>) -> Result<(), String> {
        let newest = self.placements.len() - 1;
        if let Some(machine) = access.machine(node) {
            self.hosts[node].goes_by = newest;
            let ranges: Vec<_> =
                machine.outgoing().chain(machine.incoming()).map(|one| one.range).collect();
            for range in ranges {
                // a target that restarted asks its source once more
                let _ = machine.retire(range);
            }
            let machine = machine.clone();
            self.look(node, &machine)?;
        }
        let is_over = |node: usize| {
            let host = &self.hosts[node];
            let idle = |machine: &Machine_<S>| {
                machine.outgoing().next().is_none() && machine.incoming().next().is_none()
            };
            host.goes_by == newest && idle(&host.shadow) && access.peek(node).is_some_and(idle)
        };
        if (0..self.nodes).all(is_over) {
            (self.moving, self.adopting) = (false, false);
            self.completed += 1;
            access.marks.hit("placement changed");
        }
        Ok(())
    }

    // Applications

    /// Does the next thing that a machine asked for.
    fn work(&mut self, node: usize, machine: &mut Machine_<S>) {
        let Some(task) = self.hosts[node].tasks.pop_front() else { return };
        match task {
            Task::Accept(_) if self.cancels && !self.stopped && self.rng.chance(1, 10) => {
                let _ = machine.refuse(task.range(), Refusal::Unwanted);
            }
            Task::Accept(range) => {
                self.delete(node, range);
                let _ = machine.accept(range);
            }
            Task::Read(range, after, max_bytes) => {
                let keys = self.in_range(range);
                let data = &self.hosts[node].data;
                let mut rest: Vec<_> = keys
                    .into_iter()
                    .filter(|key| after.is_none_or(|after| *key > after))
                    .filter_map(|key| data.get(&key).map(|number| Write::put(key, *number)))
                    .collect();
                let fit = (max_bytes / Write::LEN).min(2);
                let cursor = (rest.len() > fit).then(|| rest[fit - 1].key);
                rest.truncate(fit);
                let chunk: Vec<u8> = rest.iter().flat_map(|write| write.to_bytes()).collect();
                let _ = machine.provide(range, &chunk, cursor.as_ref().map(std::slice::from_ref));
            }
            Task::Apply(range, writes) => {
                writes.iter().for_each(|write| write.apply(&mut self.hosts[node].data));
                let _ = machine.applied(range);
            }
            Task::Reclaim(range) => {
                let _ = machine.reclaim(range);
            }
        }
    }

    // What must hold

    /// A node served or stopped serving keys: of each key there is one owner at most, and what it has is not older than what clients saw.
    fn look(&mut self, node: usize, machine: &Machine_<S>) -> Result<(), String> {
        for key in 0..KEYS {
            let serves = self.serves(node, machine, key);
            self.serving[node][usize::from(key)] = serves;
            if !serves {
                continue;
            }
            // a crash takes back what is not on record
            if !self.serves(node, &self.hosts[node].shadow, key) {
                return Err(format!("node {} serves key {key}, and not on record", node + 1));
            }
            let others = (0..self.nodes).filter(|other| self.serving[*other][usize::from(key)]);
            let owners: Vec<_> = others.map(|other| other + 1).collect();
            if owners.len() > 1 {
                return Err(format!("key {key} has the owners {owners:?}"));
            }
            let found = self.hosts[node].data.get(&key).copied();
            self.clients[usize::from(key)]
                .read(found)
                .map_err(|error| format!("key {key} at node {}: {error}", node + 1))?;
        }
        Ok(())
    }

    /// On record a key has one owner: a node that says so of itself, or the one that a release names, which has everything then.
    fn check_record(&self, key: u8) -> Result<(), String> {
        let token = self.tokens[usize::from(key)];
        let all = || self.hosts.iter().enumerate();
        let holds = |(node, host): &(usize, &Host<S>)| self.serves(*node, &host.shadow, key);
        let holders: Vec<usize> = all().filter(holds).map(|(node, _)| node).collect();
        let named: Vec<_> = all()
            .filter_map(|(node, host)| {
                let released = host
                    .shadow
                    .outgoing()
                    .find(|one| one.range.contains(token) && one.progress == Progress::Released)?;
                Some((node, index(released.peer)))
            })
            .collect();
        match (&holders[..], &named[..]) {
            ([_], []) => Ok(()),
            ([holder], [(_, to)]) if holder == to => Ok(()),
            ([], [(from, to)]) => {
                let target = &self.hosts[*to];
                let has_all = target.shadow.incoming().any(|one| {
                    one.range.contains(token)
                        && (one.peer, one.progress) == (id(*from), Progress::Copied)
                });
                if has_all || target.was_erased {
                    return Ok(());
                }
                Err(format!("key {key} was released to node {}, which does not have it", to + 1))
            }
            _ => Err(format!("on record key {key} is owned by {holders:?}, released {named:?}")),
        }
    }
}

fn machine<S: Storage + 'static>(nodes: usize, node: usize) -> Machine_<S> {
    let members: Vec<NodeId> = (0..nodes).map(id).collect();
    Migration::new(id(node), &members, MigrationSubject::<S>::config()).unwrap()
}

fn encoded<S: Storage>(machine: &Machine_<S>) -> Vec<Vec<u8>> {
    let mut records: Vec<_> = machine.checkpoint().map(|record| record.to_vec()).collect();
    records.sort();
    records
}

impl<S: Storage + 'static> Subject for MigrationSubject<S> {
    type Machine = Machine_<S>;

    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let (erases, cancels) = (rng.chance(1, 2), rng.chance(1, 2));
        let mut ring = Ring::new(KeyHash::new([rng.next_u64(), 0]), POINTS);
        let first = rng.below(nodes as u64) as usize;
        for node in (0..nodes).filter(|node| *node == first || rng.chance(1, 2)) {
            ring.add(Member::new(id(node))).unwrap();
        }
        let host = |node| Host {
            shadow: machine(nodes, node),
            goes_by: 0,
            data: BTreeMap::new(),
            forwarding: Vec::new(),
            tasks: VecDeque::new(),
            was_erased: false,
        };
        Self {
            nodes,
            tokens: (0..KEYS).map(|key| ring.position(&[key])).collect(),
            placements: vec![ring],
            moving: false,
            adopting: false,
            hosts: (0..nodes).map(host).collect(),
            clients: (0..KEYS).map(|_| Known::default()).collect(),
            serving: vec![vec![false; usize::from(KEYS)]; nodes],
            erases,
            cancels,
            written: 0,
            completed: 0,
            stopped: false,
            is_checked: true,
            rng,
        }
    }

    /// A node may lose its disk while nothing is there that nobody else has.
    fn may_erase_disk(&self, node: usize, _calm: bool) -> bool {
        let holds = |key| self.serves(node, &self.hosts[node].shadow, key);
        let released = self
            .hosts
            .iter()
            .flat_map(|host| host.shadow.outgoing())
            .any(|one| one.peer == id(node) && one.progress >= Progress::Released);
        let owns = self.placements[self.current()].members().iter().any(|one| one.id == id(node));
        self.erases && !self.adopting && !owns && !released && !(0..KEYS).any(holds)
    }

    /// The topology tells it again by which placement the others go.
    fn disk_erased(&mut self, node: usize) {
        let goes_by = self.current();
        let host = &mut self.hosts[node];
        host.data.clear();
        (host.goes_by, host.was_erased) = (goes_by, true);
    }

    fn timeout_us(&self) -> u64 {
        1_000_000
    }

    fn max_messages_per_second(&self) -> u64 {
        10_000
    }

    fn boot(&mut self, node: usize) -> Result<Self::Machine, String> {
        Ok(machine(self.nodes, node))
    }

    fn restored(&mut self, node: usize, machine: &mut Self::Machine) -> Result<(), String> {
        if encoded(machine) != encoded(&self.hosts[node].shadow) {
            return Err("a node does not come back as it was written down".into());
        }
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        self.serving[node].fill(false);
        let host = &mut self.hosts[node];
        host.tasks.clear();
        host.forwarding.clear();
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event<'_, TokenRange>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        let host = &mut self.hosts[node];
        match event {
            Event::Offered { range, .. } => host.tasks.push_back(Task::Accept(range)),
            Event::Read { range, after, max_bytes } => {
                host.tasks.push_back(Task::Read(range, after.first().copied(), max_bytes));
            }
            Event::Apply { range, item, .. } => {
                let writes = match item {
                    Item::Chunk(bytes) => Write::all(bytes),
                    Item::Writes(writes) => writes.iter().flat_map(Write::all).collect(),
                };
                host.tasks.push_back(Task::Apply(range, writes));
                return Ok(Some("crash before an item is applied"));
            }
            Event::Forwarded { range, write } => {
                let is_told = |one: &mut (TokenRange, u64, Write)| one.0 == range && one.1 <= write;
                let told: Vec<_> = host.forwarding.extract_if(.., is_told).collect();
                for (_, _, write) in told {
                    marks.hit("write forwarded");
                    write.apply(&mut host.data);
                    self.clients[usize::from(write.key)].acknowledged(write.number);
                    self.completed += 1;
                }
            }
            Event::Copied { .. } => return Ok(Some("crash when all is copied")),
            Event::Released { range, .. } => {
                if host.forwarding.iter().any(|one| one.0 == range) {
                    return Err("a write was taken, and left behind".into());
                }
                return Ok(Some("crash after a release"));
            }
            Event::Closed { range, .. } => {
                marks.hit("handed over");
                self.completed += 1;
                self.delete(node, range);
                return Ok(Some("crash when both know"));
            }
            Event::Arrived { .. } => return Ok(Some("crash after an arrival")),
            Event::Canceled { range, .. } => {
                marks.hit("canceled");
                let is_on_record = {
                    let mut all = host.shadow.outgoing().chain(host.shadow.incoming());
                    all.any(|one| one.range == range)
                };
                if is_on_record {
                    return Err("a hand-over was told to be over, and goes on on record".into());
                }
                host.tasks.retain(|task| task.range() != range);
                if self.owner(self.hosts[node].goes_by, range.first) != node {
                    self.delete(node, range);
                }
            }
            Event::Restarted { .. } => marks.hit("started over"),
            Event::Refused { .. } => marks.hit("refused"),
            Event::Stalled { .. } => marks.hit("stalled"),
            Event::TargetLost { range, .. } => {
                marks.hit("target forgot a release");
                host.tasks.push_back(Task::Reclaim(range));
            }
            _ => {}
        }
        Ok(None)
    }

    fn run_application(
        &mut self,
        node: usize,
        _now: Instant,
        machine: &mut Self::Machine,
        _marks: &mut Marks,
    ) -> Result<bool, String> {
        // some things take the application until the next step of the clients
        if self.hosts[node].tasks.is_empty() || self.rng.chance(1, 3) {
            return Ok(false);
        }
        self.work(node, machine);
        Ok(true)
    }

    fn format_message(message: &Message<'_, TokenRange>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &Record<'_, TokenRange>) -> String {
        Shown(record).to_string()
    }

    fn durable(&mut self, node: usize, record: Record<'_, TokenRange>) {
        self.hosts[node].shadow.restore(record).unwrap();
        self.is_checked = false;
    }

    fn records_replaced(&mut self, node: usize) {
        self.hosts[node].shadow = machine(self.nodes, node);
    }

    fn issued(&mut self, _node: usize, _record: Record<'_, TokenRange>) -> Result<(), String> {
        Ok(())
    }

    /// What a message promises is on record.
    fn sent(
        &mut self,
        node: usize,
        to: NodeId,
        message: Message<'_, TokenRange>,
    ) -> Result<(), String> {
        let shadow = &self.hosts[node].shadow;
        let is_kept = match message {
            Message::Released { handover, .. } => shadow
                .outgoing()
                .any(|one| one.number == handover && one.progress >= Progress::Released),
            Message::Arrived { handover } => shadow.incoming().any(|one| {
                (one.peer, one.number) == (to, handover) && one.progress >= Progress::Arrived
            }),
            Message::Position { handover, session, item, complete, .. } => {
                let is_it = |record| match record {
                    Record::Incoming {
                        from,
                        handover: of,
                        session: s,
                        item: i,
                        complete: c,
                        ..
                    } => (from, of) == (to, handover) && (s, i, c) >= (session, item, complete),
                    _ => false,
                };
                shadow.checkpoint().any(is_it)
            }
            _ => true,
        };
        if is_kept { Ok(()) } else { Err(format!("{message:?} is not on record")) }
    }

    fn rejected(
        &mut self,
        _node: usize,
        reason: Rejected,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        Err(format!("an honest message was refused: {reason}"))
    }

    fn check(
        &mut self,
        node: usize,
        machine: &Self::Machine,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        if !self.is_checked {
            (0..KEYS).try_for_each(|key| self.check_record(key))?;
            self.is_checked = true;
        }
        self.look(node, machine)
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        let node = self.rng.below(self.nodes as u64) as usize;
        if let Some(machine) = access.machine(node) {
            self.work(node, machine);
        }
        if self.stopped || self.rng.chance(1, 4) {
            self.operate(access)?;
        }
        if self.stopped {
            return Ok(5_000);
        }
        let wait = 1_000 + self.rng.below(20_000);
        let key = self.rng.below(u64::from(KEYS)) as u8;
        let token = self.tokens[usize::from(key)];
        let (writes, deletes) = (self.rng.chance(1, 2), self.rng.chance(1, 4));
        let Some(node) = (0..self.nodes).find(|node| self.serving[*node][usize::from(key)]) else {
            access.marks.hit("nobody serves");
            return Ok(wait);
        };
        let Some(machine) = access.machine(node) else { return Ok(wait) };
        if !self.serves(node, machine, key) {
            return Err("a node serves what it does not own".into());
        }
        if !writes {
            self.completed += 1; // reads are checked in every step
            return Ok(wait);
        }
        self.written += 1;
        let write = Write { key, number: self.written, deletes };
        let place = TokenRange::new(token, token);
        match machine.ownership(place) {
            Ownership::HandingOver(_) => {
                let Some(range) =
                    machine.outgoing().map(|one| one.range).find(|range| range.contains(token))
                else {
                    return Err("a range is handed over, and is not listed".into());
                };
                match machine.forward(range, &write.to_bytes()) {
                    Ok(number) => {
                        self.clients[usize::from(key)].called(write);
                        self.hosts[node].forwarding.push((range, number, write));
                    }
                    Err(ForwardError::Busy) => access.marks.hit("writes wait"),
                    Err(error) => return Err(format!("a write is refused: {error}")),
                }
            }
            Ownership::Settled | Ownership::Arrived(_) => {
                let known = &mut self.clients[usize::from(key)];
                known.called(write);
                known.acknowledged(write.number);
                write.apply(&mut self.hosts[node].data);
                self.completed += 1;
            }
            _ => access.marks.hit("write while releasing"),
        }
        Ok(wait)
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        machines.next().is_some()
    }

    /// Each key is on one node.
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
        let idle = machines.into_iter().all(|machine| {
            machine.outgoing().next().is_none() && machine.incoming().next().is_none()
        });
        idle && !self.moving && self.placements.last() == self.placements.first()
    }

    /// Whoever joined has left: the keys are where they were, and nowhere else.
    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        for key in 0..KEYS {
            let owner = self.owner(0, self.tokens[usize::from(key)]);
            for (node, host) in self.hosts.iter().enumerate() {
                let found = host.data.get(&key).copied();
                if node == owner {
                    self.clients[usize::from(key)].read(found)?;
                    marks.add("keys kept", u64::from(found.is_some()));
                } else if found.is_some() {
                    return Err(format!("node {} kept key {key}, which it gave away", node + 1));
                }
            }
        }
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.written ^ self.completed << 32
    }
}
