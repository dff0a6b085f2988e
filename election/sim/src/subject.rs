use std::collections::BTreeMap;

use quorate_core::{Drift, Instant, Machine, NodeId, Rejected, Rng, Shown};
use quorate_election::detector::{Monitor, NormalPhi, PhiConfig};
use quorate_election::{Config, Epoch, Event, Mode, Record, Role, Takeover};
use quorate_sim::LEADER_TIMEOUTS;
use quorate_sim::{Access, Marks, Subject, Swarm};

use super::machine::{check_converged, index_of, recovery_quorum};
use super::{ElectionMachine, Leaders};

/// An election, a failure detector on top of it, and a resource that leaders write to with their token.
pub struct ElectionSubject<M> {
    rng: Rng,
    config: Config,
    order: Vec<NodeId>,
    settle_us: u64,
    leaders: Leaders,
    /// The highest epoch each node's machine had.
    epochs: Vec<Epoch>,
    /// What each node has on disk.
    disks: Vec<Epoch>,
    /// Nodes that have no record: new ones, and those whose disk was erased.
    without_record: Vec<bool>,
    /// Nodes whose disk was erased at some time.
    erased: Vec<bool>,
    /// Nodes that are down for good.
    lost: usize,
    /// A leader that nobody may replace, and the nodes that are away.
    stable_leader: Option<(usize, Vec<usize>)>,
    /// A detector for each pair, if this run has them.
    monitors: Vec<Option<Monitor<NormalPhi<16>, 7>>>,
    /// Who was heard since the last step of a node.
    heard: Vec<Vec<usize>>,
    resource: Resource,
    machine: core::marker::PhantomData<M>,
}

/// Takes writes with a token, and refuses a lower one than it has seen.
#[derive(Default)]
struct Resource {
    highest: u64,
    writes: u64,
    /// Who wrote with which token.
    writers: BTreeMap<u64, usize>,
}

impl<M: ElectionMachine> ElectionSubject<M> {
    fn node(&self, node: usize) -> NodeId {
        NodeId::new(node as u64 + 1)
    }

    /// A third of the runs have the preset's times, the others any that are valid.
    fn draw(rng: &mut Rng, swarm: &Swarm, quorum: bool) -> Config {
        let takeover = if rng.chance(1, 2) { Takeover::Highest } else { Takeover::Keep };
        let preset = Config { attempts: 1 + rng.below(3) as u8, takeover, ..Config::lan() };
        let times = if rng.chance(1, 3) { preset } else { Self::draw_times(rng, preset) };
        let mode = match rng.below(4) {
            1 if quorum => Mode::Quorum,
            2 | 3 if quorum => Mode::Lease {
                lease_us: rng.range(2 * times.heartbeat_us, times.leader_timeout_us),
                drift: Drift::from_ppm(swarm.drift_ppm as u32).unwrap_or(Drift::NONE),
            },
            _ => Mode::Classic,
        };
        Config { mode, ..times }
    }

    fn draw_times(rng: &mut Rng, preset: Config) -> Config {
        let answer_timeout_us = [20_000, 50_000, 50_000, 100_000][rng.below(4) as usize];
        let heartbeat_us = answer_timeout_us * rng.range(1, 4);
        Config {
            answer_timeout_us,
            outcome_timeout_us: answer_timeout_us * rng.range(4, 20),
            heartbeat_us,
            leader_timeout_us: heartbeat_us * rng.range(2, 6),
            attempts: rng.range(1, 5) as u8,
            ..preset
        }
    }

    fn new_monitor(&self, node: usize) -> Option<Monitor<NormalPhi<16>, 7>> {
        let mut monitor = Monitor::new(50_000);
        for other in (0..self.order.len()).filter(|&other| other != node) {
            let detector = NormalPhi::new(PhiConfig::for_interval(100_000)).ok()?;
            monitor.add(self.node(other), detector).ok()?;
        }
        Some(monitor)
    }

    fn needs_quorum(&self) -> bool {
        self.config.mode != Mode::Classic
    }

    /// A leader that a majority hears stays, whatever the others did.
    fn check_stable_leader(&self, node: usize, event: Event) -> Result<(), String> {
        let Some((leader, away)) = &self.stable_leader else { return Ok(()) };
        let leader = *leader;
        let kept = match event {
            Event::Leading { .. } => node == leader,
            Event::Following { leader: other, .. } => index_of(other) == leader,
            _ => node != leader,
        };
        if kept || away.contains(&node) {
            return Ok(());
        }
        Err(format!(
            "node {} led; {away:?} (from 0) were away, and node {} is told {event:?}",
            leader + 1,
            node + 1
        ))
    }

    /// Feeds heartbeats and the time to a node's detectors, and their suspicions to its machine.
    fn run_detectors(
        &mut self,
        node: usize,
        now: Instant,
        machine: &mut M,
        marks: &mut Marks,
    ) -> bool {
        let heard = core::mem::take(&mut self.heard[node]);
        let Some(monitor) = &mut self.monitors[node] else { return false };
        for from in heard {
            monitor.heartbeat(now, NodeId::new(from as u64 + 1));
        }
        monitor.tick(now);
        let mut called = false;
        while let Some(change) = monitor.poll() {
            if change.suspected {
                marks.hit("suspected by phi");
                machine.suspect(now, change.node);
                called = true;
            }
        }
        called
    }
}

impl<M: ElectionMachine> Subject for ElectionSubject<M> {
    type Machine = M;

    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let mut order: Vec<NodeId> = (1..=nodes as u64).map(NodeId::new).collect();
        for at in (1..nodes).rev() {
            order.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let me = NodeId::new(1);
        // an algorithm that knows no quorum says so
        let lease = Mode::Quorum;
        let quorum = M::create(me, &order, Config { mode: lease, ..Config::lan() }).is_ok();
        let config = Self::draw(&mut rng, swarm, quorum);
        let settle_us = M::create(me, &order, config).map_or(0, |m| m.settle_us(&config));
        let mut subject = Self {
            config,
            order,
            settle_us,
            leaders: Leaders::default(),
            epochs: vec![Epoch::ZERO; nodes],
            disks: vec![Epoch::ZERO; nodes],
            without_record: vec![false; nodes],
            erased: vec![false; nodes],
            lost: 0,
            stable_leader: None,
            monitors: Vec::new(),
            heard: vec![Vec::new(); nodes],
            resource: Resource::default(),
            machine: core::marker::PhantomData,
            rng,
        };
        // or else they took part before
        if subject.rng.chance(1, 3) {
            subject.without_record.fill(true);
        }
        let detectors = subject.rng.chance(1, 2);
        subject.monitors =
            (0..nodes).map(|node| detectors.then(|| subject.new_monitor(node)).flatten()).collect();
        subject
    }

    /// An eighth of the time in which the crate says that an election settles, as a run waits for eight.
    fn timeout_us(&self) -> u64 {
        self.settle_us.div_ceil(LEADER_TIMEOUTS)
    }

    fn boot(&mut self, node: usize) -> Result<M, String> {
        let mut machine = M::create(self.node(node), &self.order, self.config)?;
        if !self.without_record[node] {
            machine.restore(Record { epoch: Epoch::ZERO }).map_err(|e| e.to_string())?;
        }
        Ok(machine)
    }

    fn restored(&mut self, node: usize, machine: &mut M) -> Result<(), String> {
        let (has, disk) = (machine.status().epoch, self.disks[node]);
        if has != disk {
            return Err(format!("node {} restores {has:?}, its disk holds {disk:?}", node + 1));
        }
        self.epochs[node] = has;
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        self.heard[node].clear();
        if self.monitors[node].is_some() {
            self.monitors[node] = self.new_monitor(node);
        }
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        self.leaders.record_event(node, event)?;
        self.check_stable_leader(node, event)?;
        match event {
            Event::Leading { epoch } => {
                marks.hit("elected");
                if self.disks[node] < epoch {
                    return Err(format!("node {} leads in {epoch:?} before its disk", node + 1));
                }
                Ok(Some("crash when elected"))
            }
            Event::Following { .. } => Ok(Some("crash when following")),
            _ => Ok(Some("crash when leaderless")),
        }
    }

    fn run_application(
        &mut self,
        node: usize,
        now: Instant,
        machine: &mut M,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        Ok(self.run_detectors(node, now, machine, marks))
    }

    fn format_message(message: &<Self::Machine as Machine>::Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &<Self::Machine as Machine>::Record<'_>) -> String {
        Shown(record).to_string()
    }

    fn durable(&mut self, node: usize, record: Record) {
        self.disks[node] = record.epoch;
        self.without_record[node] = false;
    }

    fn node_lost(&mut self, _node: usize) {
        self.lost += 1;
    }

    /// Only nodes that are there can remember; where a quorum is needed, as many as it takes must be there some time.
    fn may_erase_disk(&self, _node: usize, calm: bool) -> bool {
        let others = self.order.len() - 1;
        let rest = others.saturating_sub(self.lost);
        let known =
            rest >= recovery_quorum(self.order.len()) && !self.without_record.contains(&true);
        others > 0 && if self.needs_quorum() { known } else { calm }
    }

    fn disk_erased(&mut self, node: usize) {
        (self.without_record[node], self.erased[node]) = (true, true);
    }

    /// A node without a record needs more of the others than a majority.
    fn needs_all_nodes(&self) -> bool {
        self.needs_quorum() && self.without_record.contains(&true)
    }

    fn stable_leader(&self, machines: &mut dyn Iterator<Item = &M>) -> Option<usize> {
        let statuses = machines.map(|machine| machine.status());
        let leader = statuses.filter(|status| status.role == Role::Leader).last();
        leader.map(|s| index_of(s.id)).filter(|_| self.config.takeover == Takeover::Keep)
    }

    fn expect_stable_leader(&mut self, kept: Option<(usize, &[usize])>) {
        self.stable_leader = kept.map(|(leader, away)| (leader, away.to_vec()));
    }

    fn records_replaced(&mut self, node: usize) {
        self.disks[node] = Epoch::ZERO;
    }

    fn issued(&mut self, _node: usize, _record: Record) -> Result<(), String> {
        Ok(())
    }

    fn max_outputs_per_step(&self) -> u64 {
        200
    }

    fn sent(&mut self, node: usize, _to: NodeId, _message: M::Message<'_>) -> Result<(), String> {
        if self.disks[node] < self.epochs[node] {
            return Err(format!("node {} speaks before its epoch is durable", node + 1));
        }
        Ok(())
    }

    fn received(&mut self, node: usize, from: usize, _order: u64, _machine: &M) {
        self.heard[node].push(from);
    }

    fn rejected(&mut self, node: usize, why: Rejected, marks: &mut Marks) -> Result<(), String> {
        if why == Rejected::Full {
            marks.hit("no room");
            return Ok(());
        }
        if why == Rejected::Impossible && self.erased[node] {
            marks.hit("an answer to what was forgotten");
            return Ok(());
        }
        Err(format!("node {} refuses an honest message: {why}", node + 1))
    }

    fn check(&mut self, node: usize, machine: &M, _marks: &mut Marks) -> Result<(), String> {
        let status = machine.status();
        if status.role == Role::Leader {
            self.leaders.record_leader(node, status.epoch)?;
        }
        if status.role == Role::Recovering {
            return Ok(()); // it promises nothing
        }
        if status.epoch < self.epochs[node] {
            return Err(format!("the epoch of node {} went back", node + 1));
        }
        self.epochs[node] = status.epoch;
        Ok(())
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        let mut holders = Vec::new();
        for node in 0..access.nodes() {
            let now = access.clock(node);
            // a paused node still believes what it believed
            if access.peek(node).is_some_and(|machine| machine.holds_lease(now)) {
                holders.push(node + 1);
            }
            let marks = &mut Marks::default();
            let Some(machine) = access.machine(node) else { continue };
            self.run_detectors(node, now, machine, marks);
            let status = machine.status();
            if status.role == Role::Leader {
                let written = self.resource.write(node, status.epoch.token(), marks)?;
                if !written && let Some(machine) = access.machine(node) {
                    machine.fenced(now, Epoch::from_token(self.resource.highest));
                }
            }
            access.marks.merge(marks);
        }
        if holders.len() > 1 {
            return Err(format!("nodes {holders:?} hold the lease at once"));
        }
        if !holders.is_empty() {
            access.marks.hit("lease held");
        }
        Ok(self.rng.range(5_000, 30_000))
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &M>) -> bool {
        let live = machines.map(|machine| (index_of(machine.status().id), machine));
        check_converged(&self.config, self.order.len(), live).is_ok()
    }

    fn completed(&self) -> u64 {
        self.resource.writes
    }

    fn stop_clients(&mut self) {}

    fn converged(&self, machines: &mut dyn Iterator<Item = &M>) -> bool {
        self.has_leader(machines)
    }

    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        marks.add("epochs led", self.leaders.count() as u64);
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.resource.highest ^ self.resource.writes
    }
}

impl Resource {
    fn write(&mut self, node: usize, token: u64, marks: &mut Marks) -> Result<bool, String> {
        if token < self.highest {
            marks.hit("write of an old leader refused");
            return Ok(false);
        }
        let writer = *self.writers.entry(token).or_insert(node);
        if writer != node {
            return Err(format!("nodes {} and {} write with token {token}", writer + 1, node + 1));
        }
        self.highest = token;
        self.writes += 1;
        Ok(true)
    }
}
