use std::collections::BTreeSet;

use quorate_clocks::{
    Actor, BroadcastError, Causal, CausalConfig, Causality, Event, Message, Record, ResumeError,
    Storage,
};
use quorate_core::{Instant, NodeId, Rejected, Rng};
use quorate_sim::{Access, Fault, Marks, Subject, Swarm};

use crate::app::{App, Client, Sent, Truth};
use crate::member::{Kept, Member};

const TIMEOUT_US: u64 = 2_000_000;
/// After so many refusals in a row, or rounds of waiting, a client begins a new session: what it saw may be on nodes that are
/// down.
const PATIENCE: u32 = 30;

/// A group of members, the sets they keep, and clients with session tokens.
pub(crate) struct Group<A, M, P> {
    rng: Rng,
    config: CausalConfig,
    apps: Vec<App>,
    /// What is durable: the number of starts, and own broadcasts.
    disks: Vec<(u32, u64)>,
    /// Whose state is to be merged.
    behind: Vec<Option<NodeId>>,
    /// A node that lost its application's state, and what it had.
    lost: Option<(usize, App)>,
    /// Nodes whose disk is damaged: they stay down.
    gone: BTreeSet<usize>,
    /// Which incarnation each node is: the next one after its disk was erased.
    incarnations: Vec<u32>,
    /// Nodes may lose their applications' state; not in runs that damage disks, as both together may lose every copy.
    loses: bool,
    truth: Truth,
    clients: Vec<Client>,
    written: u64,
    quiet: bool,
    storage: core::marker::PhantomData<(A, M, P)>,
}

fn id(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

impl<A: Storage, M: Storage, P: Storage> Group<A, M, P> {
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
        let app = &mut self.apps[node];
        let sent =
            self.truth.get(dot).ok_or(format!("{dot} was delivered, and never broadcast"))?;
        if sent.payload != payload {
            return Err(format!("{dot} was delivered with another payload"));
        }
        if app.vector.next(dot.actor()) != Ok(dot) {
            return Err(format!("{dot} was delivered out of turn, after {:?}", app.vector));
        }
        if !app.vector.includes(&sent.past) {
            return Err(format!(
                "{dot} was delivered before its causes {:?}: {:?}",
                sent.past, app.vector
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
                client.token.wrote(dot).unwrap();
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
        let (client, app) = (&mut self.clients[at], &self.apps[node]);
        match client.token.may_read(machine.delivered()) {
            Ok(()) if !client.seen.is_subset(&app.set) => {
                Err("a read was allowed that does not see what the session saw or wrote".into())
            }
            Ok(()) => {
                client.refused = 0;
                client.token.read(machine.delivered()).unwrap();
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
                if self.apps.iter().any(|app| app.set.contains(&dot)) {
                    return Err(format!("{dot} was made twice"));
                }
                let (past, needs) = (self.apps[node].vector.clone(), client.seen.clone());
                self.truth.add(dot, Sent { payload: payload.clone(), past, needs });
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

    /// The applications whose nodes are not gone.
    fn sound(&self) -> impl Iterator<Item = &App> + '_ {
        self.apps
            .iter()
            .enumerate()
            .filter(|(node, _)| !self.gone.contains(node))
            .map(|(_, app)| app)
    }

    /// Sometimes a node loses its application's state, when no other has lost its own.
    fn maybe_lose(&mut self, node: usize) {
        self.check_lost();
        if self.loses && self.lost.is_none() && !self.quiet && self.rng.chance(1, 6) {
            self.lost = Some((node, core::mem::take(&mut self.apps[node])));
        }
    }

    /// And sometimes all of its disk, once in a run: it comes back as its next incarnation. What no
    /// other had delivered is lost.
    fn maybe_erase(&mut self, node: usize) {
        self.check_lost();
        let started = self.disks[node].0 > 0;
        let room = self.apps.len() < A::LIMIT;
        if !self.loses
            || !started
            || self.was_erased()
            || !room
            || self.lost.is_some()
            || self.quiet
        {
            return;
        }
        if self.rng.chance(1, 6) {
            let mut had = core::mem::take(&mut self.apps[node]);
            let mut others = crate::app::Vector::new();
            self.apps.iter().for_each(|app| others.merge(&app.vector).unwrap());
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
            && self.apps[*who].vector.includes(&had.vector)
        {
            self.lost = None;
        }
    }
}

impl<A: Storage, M: Storage, P: Storage> Subject for Group<A, M, P> {
    type Machine = Member<A, M, P>;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let config =
            CausalConfig { patience_us: rng.range(1_500_000, 8_000_000), ..CausalConfig::LAN };
        let nodes = swarm.nodes;
        Self {
            rng,
            config,
            apps: vec![App::default(); nodes],
            disks: vec![(0, 0); nodes],
            behind: vec![None; nodes],
            lost: None,
            gone: BTreeSet::new(),
            incarnations: vec![0; nodes],
            loses: nodes >= 3 && !swarm.faults.iter().any(|(fault, _)| *fault == Fault::DiskDamage),
            truth: Truth::default(),
            clients: (0..3).map(|_| Client::new()).collect(),
            written: 0,
            quiet: false,
            storage: core::marker::PhantomData,
        }
    }

    fn timeout_us(&self) -> u64 {
        TIMEOUT_US
    }

    fn boot(&mut self, node: usize) -> Result<Self::Machine, String> {
        self.maybe_erase(node);
        let members: Vec<NodeId> = (0..self.apps.len()).map(id).collect();
        let causal = Causal::new(self.actor(node), &members, self.config);
        Ok(Member::new(causal.map_err(|e| e.to_string())?, self.incarnations[node]))
    }

    fn restored(&mut self, node: usize, machine: &mut Self::Machine) -> Result<(), String> {
        self.maybe_lose(node);
        let lost = self.lost.as_ref().is_some_and(|(who, _)| *who == node);
        match machine.resume(&self.apps[node].vector) {
            Err(ResumeError::Older(_)) if lost => {
                // nothing of what it has counts until it merged what another has
                self.apps[node] = App::default();
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
            Event::Stopped(fatal) => return Err(format!("a member stopped itself: {fatal}")),
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
        let mut merged = self.apps[node].clone();
        merged.merge(&self.apps[peer.get() as usize - 1]);
        match machine.resume(&merged.vector) {
            Ok(()) => {
                marks.hit(match (lost, self.incarnations[node]) {
                    (true, 0) => "state found again",
                    (true, _) => "state found after the disk was erased",
                    (false, _) => "state merged",
                });
                self.apps[node] = merged;
            }
            Err(ResumeError::Older(_))
                if self.lost.as_ref().is_some_and(|(who, _)| *who == node) => {}
            Err(why) => return Err(format!("node {} cannot resume: {why}", node + 1)),
        }
        Ok(true)
    }

    fn durable(&mut self, node: usize, kept: Kept<'_>) {
        if kept.incarnation != self.incarnations[node] {
            return;
        }
        let (boot, sent) = &mut self.disks[node];
        match kept.record {
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

    fn issued(&mut self, _node: usize, _kept: Kept<'_>) -> Result<(), String> {
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
                if !self.apps[node].vector.includes_all(delivered) =>
            {
                Err(format!(
                    "acknowledged {delivered:?}, and the application has {:?}",
                    self.apps[node].vector
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
        let app = &self.apps[node].vector;
        if machine.delivered().compare(app) != Causality::Equal {
            return Err(format!(
                "the machine delivered {:?}, the application has {app:?}",
                machine.delivered()
            ));
        }
        if machine.held() > M::LIMIT {
            return Err(format!("{} messages are held", machine.held()));
        }
        Ok(())
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        for at in 0..self.clients.len() {
            if self.quiet {
                continue;
            }
            self.clients[at].refused += u32::from(self.clients[at].pending.is_some());
            if self.clients[at].refused >= PATIENCE {
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
        self.gone.insert(node);
    }

    fn completed(&self) -> u64 {
        self.written
    }

    fn stop_clients(&mut self) {
        self.quiet = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        let Some(first) = self.sound().map(|app| &app.vector).next() else { return true };
        let there = |machine: &&Self::Machine| {
            // what depends on a message that only a disk had that is gone is held for ever
            let orphans = !self.gone.is_empty() || self.was_erased();
            machine.delivered().compare(first) == Causality::Equal
                && (machine.held() == 0 || orphans)
        };
        machines.filter(there).count() == self.apps.len() - self.gone.len()
    }

    fn finish(&mut self, _marks: &mut Marks) -> Result<(), String> {
        let first = self.sound().next().map(|app| &app.set);
        if self.sound().any(|app| Some(&app.set) != first) {
            return Err("the sets differ in the end".into());
        }
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.written
    }
}
