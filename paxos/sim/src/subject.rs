use core::marker::PhantomData;

use quorate_core::{Instant, Machine, NodeId, Rejected, Rng, Shown, Wire};
use quorate_paxos::synod::{Event, Learning, Message, Phase, Record};
use quorate_paxos::{Ballot, ProposeError, Roles, Storage};
use quorate_sim::{Access, LEADER_TIMEOUTS, Marks, Subject, Swarm};

use crate::attempts::{Attempts, BackOffs};
use crate::parse::{self, Said};
use crate::setup::{For, MAX_VALUE, settle_us};
use crate::{Node, Oracle, Role, Setup};

/// Clients that propose different values at different nodes, and ask, and an operator who restarts nodes in the middle of something.
pub struct PaxosSubject<S: Storage> {
    rng: Rng,
    setup: Setup,
    oracle: Oracle,
    clients: Vec<Client>,
    back_offs: BackOffs,
    /// What was violated where nothing can be told of it.
    violation: Option<String>,
    /// How many values were made up.
    values: u64,
    /// When clients begin, in µs.
    begin_us: u64,
    /// How many of 1,000 steps of the clients propose.
    propose: u64,
    /// How many of 1,000 messages end with a restart, and events.
    restart: u64,
    /// How many nodes may lose their disks.
    erasures: usize,
    /// When faults end, in µs.
    chaos_us: u64,
    now_us: u64,
    /// Faults have ended, and these nodes are away until the others have chosen a value.
    is_healed: bool,
    away: Vec<usize>,
    /// One of the others was asked to propose since.
    is_proposed: bool,
    /// Nobody proposes or asks then, if a node is there that has voted: it finishes what others have begun.
    is_quiet: bool,
    /// Nobody does anything then, neither before one of them knows nor after, if what they hold is enough to go on by themselves.
    is_silent: bool,
    lost: Vec<usize>,
    /// How often somebody has learned, or knew once faults had ended.
    completed: u64,
    storage: PhantomData<S>,
}

/// What the application of a node knows.
#[derive(Clone, Default, Debug)]
struct Client {
    /// What it proposed in this life of the node.
    wants: Option<Vec<u8>>,
    attempts: Attempts,
    is_told: bool,
    wants_restart: bool,
    /// It was founded, and its record of that was durable.
    is_set_up: bool,
}

/// A node asks five times before it finishes what others have begun; the first time one interval after it has voted.
const ASKS: u64 = 6;

/// No restarts are asked for in the last so many µs of faults.
const RESTART_MARGIN_US: u64 = 500_000;

/// The longest that clients wait between steps, in µs.
const CLIENT_STEP_US: u64 = 60_000;

impl<S: Storage> PaxosSubject<S> {
    /// A value that nobody has proposed; seldom one that somebody has, or an empty one.
    fn draw_value(&mut self) -> Vec<u8> {
        self.values += 1;
        match self.rng.below(40) {
            0 => Vec::new(),
            1 => b"v1".to_vec(),
            2 => format!("{:0>12}", self.values).into_bytes(),
            _ => format!("v{}", self.values).into_bytes(),
        }
    }

    /// A client proposes something at a node.
    fn propose(&mut self, node: usize, now: Instant, machine: &mut Node<S>) -> Result<(), String> {
        let mut value = self.draw_value();
        let is_long = self.rng.chance(1, 50);
        value.resize(if is_long { MAX_VALUE + 1 } else { value.len() }, 0);
        let before = machine.status();
        // what it says may go out at once
        let Some(result) = machine.propose(now, &value) else { return Ok(()) };
        let client = &mut self.clients[node];
        let expected = match (before.founded, before.decided, client.wants.is_some()) {
            (false, ..) => Err(ProposeError::NotFounded),
            (_, true, _) => Err(ProposeError::Decided),
            (_, _, true) => Err(ProposeError::Busy),
            _ if is_long => Err(ProposeError::TooLong),
            _ => Ok(()),
        };
        if result != expected {
            return Err(format!("node {} answers {result:?}, not {expected:?}", node + 1));
        }
        if result.is_ok() {
            self.oracle.proposed(node, &value);
            client.wants = Some(value);
        }
        Ok(())
    }

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

    /// Whether nodes that are there and remember could choose a value without this one.
    fn suffices_without(&self, node: usize) -> bool {
        let has =
            |one: usize| one != node && !self.lost.contains(&one) && !self.oracle.is_erased(one);
        self.setup.suffices(has)
    }

    /// All nodes but a random smallest set that can choose a value.
    fn draw_away(&mut self) -> Vec<usize> {
        let mut keep: Vec<usize> =
            self.oracle.remember().filter(|node| !self.lost.contains(node)).collect();
        let mut order = keep.clone();
        for at in (1..order.len()).rev() {
            order.swap(at, self.rng.below(at as u64 + 1) as usize);
        }
        for node in order {
            if self.setup.suffices(|one| one != node && keep.contains(&one)) {
                keep.retain(|&one| one != node);
            }
        }
        (0..self.clients.len()).filter(|node| !keep.contains(node)).collect()
    }

    /// Whether the nodes that are there must come to know what is chosen though nobody proposes or asks: one of them knows, or has voted and
    /// finishes what was begun, or something was chosen and one of them has taken part that can find it out.
    fn go_on_by_themselves(&self, access: &mut Access<'_, Self>) -> bool {
        let is_chosen = self.oracle.chosen().is_some();
        let goes_on = |node: &Node<S>| {
            knows(node) || node.may_finish() && (is_chosen || !node.status().accepted.is_zero())
        };
        let mut up = (0..access.nodes()).filter_map(|node| access.peek(node));
        up.any(|node| !node.is_muted && goes_on(node))
    }

    fn mark_prepare(&mut self, node: usize) {
        if self.clients[node].wants.is_none() {
            self.oracle.marks.hit("finished for others");
        }
    }
}

impl<S: Storage> Subject for PaxosSubject<S> {
    type Machine = Node<S>;

    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let setup = Setup::draw(&mut rng, swarm.nodes);
        let is_quiet = setup.config.learning != Learning::Proposer && rng.chance(1, 4);
        let is_silent = is_quiet && rng.chance(1, 2);
        let begin_us = match rng.below(8) {
            0..=3 => rng.below(200_000),
            4..=6 => rng.below(swarm.chaos_us),
            _ => swarm.chaos_us,
        };
        Self {
            oracle: Oracle::new(setup.clone()),
            setup,
            clients: vec![Client::default(); swarm.nodes],
            back_offs: BackOffs::default(),
            violation: None,
            values: 0,
            begin_us,
            propose: [2, 10, 50, 200, 500][rng.below(5) as usize],
            restart: [0, 0, 5, 20, 60][rng.below(5) as usize],
            erasures: [0, 0, 1, 7][rng.below(4) as usize],
            chaos_us: swarm.chaos_us,
            now_us: 0,
            is_healed: false,
            away: Vec::new(),
            is_proposed: false,
            is_quiet,
            is_silent,
            lost: Vec::new(),
            completed: 0,
            storage: PhantomData,
            rng,
        }
    }

    /// An eighth of the time in which a value is chosen, as a run waits for eight.
    fn timeout_us(&self) -> u64 {
        let config = &self.setup.config;
        // a node that finishes what others have begun has asked in vain before
        let asks_us = match (self.is_silent, self.is_quiet) {
            // it asks the less the longer it has asked, and four times more
            (true, _) => 2 * self.chaos_us + 8 * config.learn_us,
            (_, true) => ASKS * config.learn_us,
            _ => 0,
        };
        (settle_us(config) + asks_us).div_ceil(LEADER_TIMEOUTS)
    }

    fn boot(&mut self, node: usize) -> Result<Node<S>, String> {
        let seed = self.rng.next_u64();
        let mut node = Node::new(&self.setup, node, seed).map_err(|e| e.to_string())?;
        node.is_lazy = self.rng.chance(1, 2);
        Ok(node)
    }

    /// A node is founded until that is on its disk, which it was set up with; and never again.
    fn restored(&mut self, node: usize, machine: &mut Node<S>) -> Result<(), String> {
        self.oracle.check_checkpoint(node)?;
        let status = machine.status();
        let (promised, accepted) = self.oracle.on_disk(node);
        let is_acceptor = self.oracle.is_acceptor(node);
        let has = (pair(status.promised), pair(status.accepted));
        if is_acceptor && has != (promised, accepted) {
            return Err(format!(
                "node {} restores {has:?}, its disk holds {promised:?} and {accepted:?}",
                node + 1
            ));
        }
        if accepted > (0, 0) {
            self.oracle.marks.hit("restored with a vote");
        }
        let founded = matches!(machine.role, Role::Learner(_)) || self.oracle.is_founded(node);
        if status.founded != founded {
            return Err(format!("node {} restores that it is founded: {founded}", node + 1));
        }
        if !self.clients[node].is_set_up && !self.oracle.is_erased(node) {
            machine.found();
        }
        Ok(())
    }

    fn crashed(&mut self, node: usize) {
        self.oracle.crashed(node);
        let is_set_up = self.clients[node].is_set_up;
        self.clients[node] = Client { is_set_up, ..Client::default() };
    }

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event<'_>,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        let Event::Decided { value } = event else { return Ok(None) };
        self.oracle.decided(node, value)?;
        if core::mem::replace(&mut self.clients[node].is_told, true) {
            return Err(format!("node {} tells twice what was chosen", node + 1));
        }
        marks.hit("decided");
        self.completed += 1;
        if self.may_restart() && self.rng.chance(self.restart, 200) {
            marks.hit("restarted when decided");
            self.clients[node].wants_restart = true;
        }
        Ok(Some("crash when decided"))
    }

    fn run_application(
        &mut self,
        node: usize,
        now: Instant,
        machine: &mut Node<S>,
        marks: &mut Marks,
    ) -> Result<bool, String> {
        self.take_violation()?;
        let seen = (machine.status(), machine.deadline());
        let Self { clients, setup, back_offs, .. } = self;
        clients[node].attempts.observe(
            (now, machine.told_at),
            seen,
            (&setup.config, back_offs),
            marks,
        )?;
        Ok(false)
    }

    fn durable(&mut self, node: usize, record: Record<'_>) {
        let mut bytes = vec![0; record.encoded_len()];
        let result = record.to_slice(&mut bytes).map_err(|e| e.to_string());
        let result = result.map(<[u8]>::to_vec).and_then(|bytes| parse::record(&bytes));
        let result = result.and_then(|record| self.oracle.durable(node, record));
        self.note(result);
        self.clients[node].is_set_up |= self.oracle.is_founded(node);
    }

    fn records_replaced(&mut self, node: usize) {
        self.oracle.replaced(node);
    }

    fn issued(&mut self, _node: usize, _record: Record<'_>) -> Result<(), String> {
        Ok(())
    }

    fn max_outputs_per_step(&self) -> u64 {
        100
    }

    fn max_messages_per_second(&self) -> u64 {
        5_000
    }

    fn sent(&mut self, node: usize, to: NodeId, message: Message<'_>) -> Result<(), String> {
        self.take_violation()?;
        let mut bytes = vec![0; message.encoded_len()];
        message.to_slice(&mut bytes).map_err(|e| e.to_string())?;
        let said = parse::message(&bytes)?;
        match said {
            Said::Prepare(_) => self.mark_prepare(node),
            Said::Preempted(..) => self.oracle.marks.hit("preempted"),
            Said::Decided(_) => self.oracle.marks.hit("decided told"),
            _ => {}
        }
        let matters = !matches!(said, Said::Learn | Said::Decided(_));
        self.oracle.sent(node, to.get() as usize - 1, said)?;
        if matters && self.may_restart() && self.rng.chance(self.restart, 1_000) {
            self.oracle.marks.hit("restarted after a message");
            self.clients[node].wants_restart = true;
        }
        Ok(())
    }

    fn rejected(&mut self, node: usize, why: Rejected, _marks: &mut Marks) -> Result<(), String> {
        Err(format!("node {} refuses an honest message: {why}", node + 1))
    }

    fn check(&mut self, node: usize, machine: &Node<S>, _marks: &mut Marks) -> Result<(), String> {
        self.oracle.check_checkpoint(node)?;
        self.take_violation()?;
        if machine.decided().is_some_and(|value| self.oracle.chosen() != Some(value)) {
            return Err(format!("node {} knows something else than what was chosen", node + 1));
        }
        let status = machine.status();
        // it hears its own acceptor when all that this has promised is on disk
        let is_durable =
            self.oracle.on_disk(node) == (pair(status.promised), pair(status.accepted));
        let own = is_durable && status.accepted == status.ballot;
        let has_answered = |one: usize| {
            let id = NodeId::new(one as u64 + 1);
            (one == node && own) || machine.voters.contains(&(status.ballot, id))
        };
        let is_asking = status.phase == Phase::Accepting && !machine.is_muted;
        if is_asking && self.setup.is_quorum(For::Votes, has_answered) {
            return Err(format!("node {} does not know what its ballot has chosen", node + 1));
        }
        Ok(())
    }

    fn wants_restart(&mut self, node: usize) -> bool {
        core::mem::take(&mut self.clients[node].wants_restart) && self.may_restart()
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        self.now_us = access.now_us();
        if self.is_healed && (0..access.nodes()).any(|node| access.peek(node).is_some_and(knows)) {
            self.completed += 1;
            for node in 0..access.nodes() {
                if let Some(machine) = access.machine(node) {
                    machine.is_muted = false;
                }
            }
        }
        let node = self.rng.below(access.nodes() as u64) as usize;
        let now = access.clock(node);
        let wait = self.rng.range(1_000, CLIENT_STEP_US);
        if self.now_us < self.begin_us && !self.is_healed {
            return Ok(wait);
        }
        if self.is_silent && self.is_healed && self.go_on_by_themselves(access) {
            access.marks.hit("nobody is told to do anything");
            return Ok(wait);
        }
        let nodes = 0..access.nodes();
        let mut up = nodes.filter_map(|node| access.peek(node)).filter(|node| !node.is_muted);
        if self.is_quiet && self.is_healed && up.clone().all(|node| node.decided().is_none()) {
            let finishes = |node: &Node<S>| {
                let has_learner = matches!(node.role, Role::Synod(_) | Role::Fast(_));
                has_learner && !node.status().accepted.is_zero()
            };
            if up.any(finishes) {
                access.marks.hit("nobody proposes after a vote");
                return Ok(wait);
            }
        }
        let choice = self.rng.below(1_000);
        if let Some(machine) = access.machine(node).filter(|machine| !machine.is_muted) {
            if self.is_healed || choice < self.propose {
                self.propose(node, now, machine)?;
            }
            if self.is_healed || choice > 1_000 - self.propose / 2 {
                machine.learn(now);
            }
        }
        // several at once, so that they are in each other's way
        let is_burst = choice < self.propose / 4;
        for other in (0..access.nodes()).filter(|_| is_burst) {
            let now = access.clock(other);
            if let Some(machine) = access.machine(other).filter(|machine| !machine.is_muted) {
                self.propose(other, now, machine)?;
            }
        }
        Ok(wait)
    }

    /// Faults have ended, of which the drivers are told: a quorum alone is there, and some proposer of it proposes.
    fn links_changed(&mut self, node: usize, now: Instant, machine: &mut Node<S>) {
        if !self.is_healed {
            self.is_healed = true;
            self.away = if self.needs_all_nodes() { self.draw_away() } else { Vec::new() };
            // the proposer of the quorum that comes first is asked for a value
            self.is_proposed = false;
        }
        machine.is_muted = self.away.contains(&node);
        let may_propose = !machine.is_muted && self.setup.has_roles(node, Roles::PROPOSER);
        if may_propose && !self.is_proposed && !self.is_quiet {
            self.is_proposed = true;
            let result = self.propose(node, now, machine);
            self.note(result);
        }
    }

    fn node_lost(&mut self, node: usize) {
        self.lost.push(node);
    }

    fn may_erase_disk(&self, node: usize, calm: bool) -> bool {
        let erased = self.clients.len() - self.oracle.remember().count();
        (calm || erased < self.erasures)
            && !self.oracle.is_erased(node)
            && self.suffices_without(node)
    }

    fn disk_erased(&mut self, node: usize) {
        self.oracle.erased(node);
    }

    fn needs_all_nodes(&self) -> bool {
        let all = self.oracle.remember().count() == self.clients.len();
        !all || !self.setup.is_plain()
    }

    fn format_message(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Node<S>>) -> bool {
        machines.filter(|machine| knows(machine)).count() > 0
    }

    fn completed(&self) -> u64 {
        self.completed
    }

    fn stop_clients(&mut self) {}

    fn converged(&self, machines: &mut dyn Iterator<Item = &Node<S>>) -> bool {
        let is_done = |machine: &&Node<S>| {
            let node = machine.status().id.get() as usize - 1;
            // it cannot ask, and may not propose
            let is_mute = matches!(machine.role, Role::Proposer(_)) && self.oracle.is_erased(node);
            let is_exempt = is_mute || self.is_silent && !machine.took_part();
            is_exempt || matches!(machine.role, Role::Acceptor(_)) || machine.decided().is_some()
        };
        machines.filter(|machine| !is_done(machine)).count() == 0
    }

    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        self.take_violation()?;
        self.oracle.finish()?;
        self.back_offs.finish()?;
        marks.merge(&self.oracle.marks);
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        let value = self.oracle.chosen().unwrap_or_default();
        value.iter().fold(self.completed, |sum, &byte| sum.wrapping_mul(31) ^ u64::from(byte))
    }
}

/// A ballot as the oracle has it.
fn pair(ballot: Ballot) -> parse::Ballot {
    (ballot.round, ballot.node.get())
}

/// Whether a node is there and knows what was chosen.
fn knows<S: Storage>(machine: &Node<S>) -> bool {
    !machine.is_muted && machine.decided().is_some()
}
