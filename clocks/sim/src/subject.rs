use std::collections::BTreeSet;

use quorate_clocks::causal::{BroadcastError, Config, Event, Message, Record, ResumeError};
use quorate_clocks::{Actor, Causal, Causality, Storage};
use quorate_core::{Instant, Machine, NodeId, Rejected, Rng, Shown};
use quorate_sim::{Access, Fault, Marks, Subject, Swarm};

use crate::application::{Application, Broadcasts, Client, Sent};
use crate::member::{Member, TaggedRecord};

const TIMEOUT_US: u64 = 2_000_000;
/// After so many refusals in a row, or rounds of waiting, a client begins a new session: what it saw may be on nodes that are
/// down.
const MAX_REFUSALS: u32 = 30;

/// A group of members, the sets they keep, and clients with session tokens.
pub struct CausalSubject<A, M, P> {
    rng: Rng,
    config: Config,
    applications: Vec<Application>,
    /// What is durable: the number of starts, and own broadcasts.
    disks: Vec<(u32, u64)>,
    /// Whose state is to be merged.
    behind: Vec<Option<NodeId>>,
    /// A node that lost its application's state, and what it had.
    lost: Option<(usize, Application)>,
    /// Nodes whose disk is damaged: they stay down.
    damaged: BTreeSet<usize>,
    /// Which incarnation each node is: the next one after its disk was erased.
    incarnations: Vec<u32>,
    /// Nodes may lose their applications' state; not in runs that damage disks, as both together may lose every copy.
    may_lose_state: bool,
    broadcasts: Broadcasts,
    clients: Vec<Client>,
    written: u64,
    clients_stopped: bool,
    storage: core::marker::PhantomData<(A, M, P)>,
}

fn id(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

impl<A: Storage, M: Storage, P: Storage> CausalSubject<A, M, P> {
    fn actor(&self, node: usize) -> Actor {
        Actor::new(id(node), self.incarnations[node])
    }

    fn deliver(
        &mut self,
        node: usize,
        dot: quorate_clocks::Dot,
        payload: &[u8],
    ) -> Result<(), String> {
        let own = self.actor(node);
        let app = &mut self.applications[node];
        let sent =
            self.broadcasts.get(dot).ok_or(format!("{dot} was delivered, and never broadcast"))?;
        if sent.payload != payload {
            return Err(format!("{dot} was delivered with another payload"));
        }
        if app.vector.next(dot.actor()) != Ok(dot) {
            return Err(format!("{dot} was delivered out of turn, after {:?}", app.vector));
        }
        if !app.vector.includes(&sent.causes) {
            return Err(format!(
                "{dot} was delivered before its causes {:?}: {:?}",
                sent.causes, app.vector
            ));
        }
        if !sent.needs.is_subset(&app.set) {
            return Err(format!("{dot} was delivered before what its session had seen or written"));
        }
        app.add(dot);
        if own == dot.actor() {
            self.written += 1;
            self.acknowledge(dot, payload);
        }
        Ok(())
    }

    /// The write is durable: its client learns of it.
    fn acknowledge(&mut self, dot: quorate_clocks::Dot, payload: &[u8]) {
        for client in &mut self.clients {
            if client.pending.as_ref().is_some_and(|(_, d, p)| *d == dot && p == payload) {
                (client.pending, client.refused) = (None, 0);
                client.token.record_write(dot).unwrap();
                client.seen.insert(dot);
            }
        }
    }

    fn read(
        &mut self,
        at: usize,
        node: usize,
        machine: &Causal<A, M, P>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        let (client, app) = (&mut self.clients[at], &self.applications[node]);
        match client.token.may_read(machine.delivered()) {
            Ok(()) if !client.seen.is_subset(&app.set) => {
                Err("a read was allowed that does not see what the session saw or wrote".into())
            }
            Ok(()) => {
                client.refused = 0;
                client.token.record_read(machine.delivered()).unwrap();
                client.seen.extend(&app.set);
                Ok(())
            }
            Err(missing) if app.set.contains(&missing.dot) => {
                Err(format!("a read was refused for {}, which is there", missing.dot))
            }
            Err(_) => {
                client.refused += 1;
                marks.hit("read refused");
                Ok(())
            }
        }
    }

    fn write(
        &mut self,
        at: usize,
        node: usize,
        machine: &mut Causal<A, M, P>,
        marks: &mut Marks,
    ) -> Result<(), String> {
        let client = &mut self.clients[at];
        if client.token.may_write(machine.delivered()).is_err() {
            client.refused += 1;
            marks.hit("write refused");
            return Ok(());
        }
        let payload: Vec<u8> = (0..self.rng.below(20)).map(|_| self.rng.next_u64() as u8).collect();
        match machine.broadcast(&payload) {
            Ok(dot) => {
                client.refused = 0;
                if self.applications.iter().any(|app| app.set.contains(&dot)) {
                    return Err(format!("{dot} was made twice"));
                }
                let (causes, needs) = (self.applications[node].vector.clone(), client.seen.clone());
                self.broadcasts.add(dot, Sent { payload: payload.clone(), causes, needs });
                client.pending = Some((node, dot, payload));
                Ok(())
            }
            Err(BroadcastError::Busy) => {
                marks.hit("broadcast refused: busy");
                Ok(())
            }
            Err(why) => Err(format!("a broadcast was refused: {why}")),
        }
    }

    /// The applications whose nodes are not damaged.
    fn undamaged(&self) -> impl Iterator<Item = &Application> + '_ {
        self.applications
            .iter()
            .enumerate()
            .filter(|(node, _)| !self.damaged.contains(node))
            .map(|(_, app)| app)
    }

    /// Sometimes a node loses its application's state, when no other has lost its own.
    fn maybe_lose_state(&mut self, node: usize) {
        self.check_lost();
        if self.may_lose_state
            && self.lost.is_none()
            && !self.clients_stopped
            && self.rng.chance(1, 6)
        {
            self.lost = Some((node, core::mem::take(&mut self.applications[node])));
        }
    }

    /// And sometimes all of its disk, once in a run: it comes back as its next incarnation. What no
    /// other had delivered is lost.
    fn maybe_erase_disk(&mut self, node: usize) {
        self.check_lost();
        let started = self.disks[node].0 > 0;
        let room = self.applications.len() < A::LIMIT;
        if !self.may_lose_state
            || !started
            || self.was_erased()
            || !room
            || self.lost.is_some()
            || self.clients_stopped
        {
            return;
        }
        if self.rng.chance(1, 6) {
            let mut had = core::mem::take(&mut self.applications[node]);
            let mut others = crate::application::Vector::new();
            self.applications.iter().for_each(|app| others.merge(&app.vector).unwrap());
            had.vector.meet(&others);
            had.set.retain(|dot| had.vector.contains(*dot));
            self.lost = Some((node, had));
            self.incarnations[node] += 1;
            self.disks[node] = (0, 0);
        }
    }

    fn was_erased(&self) -> bool {
        self.incarnations.iter().any(|incarnation| *incarnation > 0)
    }

    /// Whether what was lost has come back.
    fn check_lost(&mut self) {
        if let Some((who, had)) = &self.lost
            && self.applications[*who].vector.includes(&had.vector)
        {
            self.lost = None;
        }
    }
}

impl<A: Storage, M: Storage, P: Storage> Subject for CausalSubject<A, M, P> {
    type Machine = Member<A, M, P>;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let config = Config { member_timeout_us: rng.range(1_500_000, 8_000_000), ..Config::lan() };
        let nodes = swarm.nodes;
        Self {
            rng,
            config,
            applications: vec![Application::default(); nodes],
            disks: vec![(0, 0); nodes],
            behind: vec![None; nodes],
            lost: None,
            damaged: BTreeSet::new(),
            incarnations: vec![0; nodes],
            may_lose_state: nodes >= 3
                && !swarm.faults.iter().any(|(fault, _)| *fault == Fault::DiskDamage),
            broadcasts: Broadcasts::default(),
            clients: (0..3).map(|_| Client::new()).collect(),
            written: 0,
            clients_stopped: false,
            storage: core::marker::PhantomData,
        }
    }

    fn timeout_us(&self) -> u64 {
        TIMEOUT_US
    }

    fn boot(&mut self, node: usize) -> Result<Self::Machine, String> {
        self.maybe_erase_disk(node);
        let members: Vec<NodeId> = (0..self.applications.len()).map(id).collect();
        let causal = Causal::new(self.actor(node), &members, self.config);
        Ok(Member::new(causal.map_err(|e| e.to_string())?, self.incarnations[node]))
    }

    fn restored(&mut self, node: usize, machine: &mut Self::Machine) -> Result<(), String> {
        self.maybe_lose_state(node);
        let lost = self.lost.as_ref().is_some_and(|(who, _)| *who == node);
        match machine.resume(&self.applications[node].vector) {
            Err(ResumeError::Older(_)) if lost => {
                // nothing of what it has counts until it merged what another has
                self.applications[node] = Application::default();
                Ok(())
            }
            other => other.map_err(|e| format!("node {} cannot resume: {e}", node + 1)),
        }
    }

    fn crashed(&mut self, node: usize) {
        self.behind[node] = None;
        for client in &mut self.clients {
            if client.pending.as_ref().is_some_and(|(at, ..)| *at == node) {
                client.pending = None; // it will never know
            }
        }
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event<'_>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        match event {
            Event::Deliver { dot, payload } => {
                self.deliver(node, dot, payload)?;
                return Ok(Some("crash at a delivery"));
            }
            Event::Behind { peer } => self.behind[node] = Some(peer),
            Event::Gap { .. } => marks.hit("gap told"),
            Event::Fatal(fatal) => return Err(format!("a member stopped itself: {fatal}")),
            _ => return Ok(Some("crash when something is stable")),
        }
        Ok(None)
    }

    fn run_application(
        &mut self,
        node: usize,
        _now: Instant,
        machine: &mut Self::Machine,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        let Some(peer) = self.behind[node].take() else { return Ok(false) };
        let lost = self.lost.as_ref().is_some_and(|(who, _)| *who == node);
        let mut merged = self.applications[node].clone();
        merged.merge(&self.applications[peer.get() as usize - 1]);
        match machine.resume(&merged.vector) {
            Ok(()) => {
                marks.hit(match (lost, self.incarnations[node]) {
                    (true, 0) => "state found again",
                    (true, _) => "state found after the disk was erased",
                    (false, _) => "state merged",
                });
                self.applications[node] = merged;
            }
            Err(ResumeError::Older(_))
                if self.lost.as_ref().is_some_and(|(who, _)| *who == node) => {}
            Err(why) => return Err(format!("node {} cannot resume: {why}", node + 1)),
        }
        Ok(true)
    }

    fn format_message(message: &<Self::Machine as Machine>::Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &<Self::Machine as Machine>::Record<'_>) -> String {
        Shown(record).to_string()
    }

    fn durable(&mut self, node: usize, tagged: TaggedRecord<'_>) {
        if tagged.incarnation != self.incarnations[node] {
            return;
        }
        let (boot, sent) = &mut self.disks[node];
        match tagged.record {
            Record::Boot { boot: number } => *boot = number,
            Record::Sent { counter, .. } | Record::Stable { counter } => {
                *sent = (*sent).max(counter)
            }
            _ => {}
        }
    }

    fn records_replaced(&mut self, node: usize) {
        self.disks[node] = (0, 0);
    }

    fn issued(&mut self, _node: usize, _kept: TaggedRecord<'_>) -> Result<(), String> {
        Ok(())
    }

    fn sent(&mut self, node: usize, _to: NodeId, message: Message<'_>) -> Result<(), String> {
        let (disk_boot, disk_sent) = self.disks[node];
        match message {
            Message::Data { dot, .. }
                if dot.actor() == self.actor(node) && dot.counter() > disk_sent =>
            {
                Err(format!("{dot} left, and only {disk_sent} are on disk"))
            }
            Message::Status { boot, .. } if boot > disk_boot => {
                Err(format!("start {boot} spoke, and only {disk_boot} are on disk"))
            }
            Message::Status { delivered, .. }
                if !self.applications[node].vector.includes_all(delivered) =>
            {
                Err(format!(
                    "acknowledged {delivered:?}, and the application has {:?}",
                    self.applications[node].vector
                ))
            }
            _ => Ok(()),
        }
    }

    fn rejected(&mut self, node: usize, reason: Rejected, marks: &mut Marks) -> Result<(), String> {
        if reason == Rejected::Full {
            marks.hit("store full");
            return Ok(());
        }
        Err(format!("node {} refuses an honest message: {reason}", node + 1))
    }

    fn check(
        &mut self,
        node: usize,
        machine: &Self::Machine,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        let app = &self.applications[node].vector;
        if machine.delivered().compare(app) != Causality::Equal {
            return Err(format!(
                "the machine delivered {:?}, the application has {app:?}",
                machine.delivered()
            ));
        }
        if machine.stored() > M::LIMIT {
            return Err(format!("{} messages are held", machine.stored()));
        }
        Ok(())
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        for at in 0..self.clients.len() {
            if self.clients_stopped {
                continue;
            }
            self.clients[at].refused += u32::from(self.clients[at].pending.is_some());
            if self.clients[at].refused >= MAX_REFUSALS {
                access.marks.hit("session given up");
                self.clients[at] = Client::new();
            }
            if self.clients[at].pending.is_some() {
                continue; // waits for its write
            }
            let node = self.rng.below(access.nodes() as u64) as usize;
            let (mut marks, read) = (Marks::default(), self.rng.chance(1, 3));
            if let Some(machine) = access.machine(node) {
                if read {
                    self.read(at, node, machine, &mut marks)?;
                } else {
                    self.write(at, node, machine, &mut marks)?;
                }
            }
            access.marks.merge(&marks);
        }
        Ok(self.rng.range(10_000, 150_000))
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        machines.next().is_some()
    }

    fn node_lost(&mut self, node: usize) {
        self.damaged.insert(node);
    }

    fn completed(&self) -> u64 {
        self.written
    }

    fn stop_clients(&mut self) {
        self.clients_stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        let Some(first) = self.undamaged().map(|app| &app.vector).next() else { return true };
        let there = |machine: &&Self::Machine| {
            // what depends on a message that only a damaged disk had is held for ever
            let orphans = !self.damaged.is_empty() || self.was_erased();
            machine.delivered().compare(first) == Causality::Equal
                && (machine.stored() == 0 || orphans)
        };
        machines.filter(there).count() == self.applications.len() - self.damaged.len()
    }

    fn finish(&mut self, _marks: &mut Marks) -> Result<(), String> {
        let first = self.undamaged().next().map(|app| &app.set);
        if self.undamaged().any(|app| Some(&app.set) != first) {
            return Err("the sets differ in the end".into());
        }
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.written
    }
}
