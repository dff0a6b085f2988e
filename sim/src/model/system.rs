use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use quorate_core::{Instant, Machine, NodeId, Sink, Ticket, Wire};

use super::Modelled;

/// How much may go wrong, and how far is looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// Deadlines that come, of all nodes together.
    pub timeouts: u8,
    /// Crashes.
    pub crashes: u8,
    /// Crashes of nodes whose disks are empty after that.
    pub erasures: u8,
    /// Messages lost.
    pub losses: u8,
    /// Messages that stay in flight after they arrived.
    pub duplicates: u8,
    /// Commands given.
    pub commands: u8,
    /// Messages in flight: more are lost at once, without counting as losses; 0 for no bound.
    pub in_flight: usize,
    /// Writes become durable some time later, instead of at once.
    pub slow_disks: bool,
}

/// A node: a machine (while it is up), a disk, a clock of its own.
pub struct Node<M: Modelled> {
    /// The machine, while it is up.
    pub machine: Option<M::Machine>,
    /// What its clock shows.
    pub now: Instant,
    /// Durable records, oldest first.
    pub disk: Vec<Vec<u8>>,
    /// Records that are not durable yet.
    pub(crate) pending: Vec<(Ticket, Vec<u8>)>,
}

/// One thing that happens.
#[derive(Clone, PartialEq)]
pub enum Action<C> {
    /// A message arrives, and is in flight no more.
    Deliver(Envelope),
    /// A message arrives, and may arrive again.
    Duplicate(Envelope),
    /// A message is lost.
    Drop(Envelope),
    /// A node's deadline comes.
    Timeout(usize),
    /// A node's writes become durable.
    Sync(usize),
    /// A node crashes; so many of its writes survive.
    Crash(usize, usize),
    /// A node crashes; nothing survives.
    Erase(usize),
    /// A node comes back.
    Restart(usize),
    /// The application of a node gives a command.
    Command(usize, C),
}

/// A message in flight: from, to, and its bytes.
pub type Envelope = (usize, usize, Arc<[u8]>);

/// All nodes, everything in flight, and what may still go wrong.
pub struct System<M: Modelled> {
    /// The nodes.
    pub nodes: Vec<Node<M>>,
    /// What is in flight.
    pub in_flight: BTreeSet<Envelope>,
    /// What is remembered of the past.
    pub memory: M::Memory,
    /// What was violated, if anything was.
    pub violation: Option<String>,
    pub(crate) remaining: Bounds,
}

impl<M: Modelled> System<M> {
    /// All nodes have booted for the first time.
    pub(crate) fn new(model: &M, bounds: Bounds) -> Self {
        let node = |node| Node {
            machine: None,
            now: Instant::ZERO,
            disk: model.initial_disk(node),
            pending: vec![],
        };
        let mut system = Self {
            nodes: (0..model.nodes()).map(node).collect(),
            in_flight: BTreeSet::new(),
            memory: M::Memory::default(),
            violation: None,
            remaining: bounds,
        };
        for node in 0..model.nodes() {
            system.step(|system| system.restart(model, node));
        }
        if model.warm_up_us() > 0 {
            system.remaining.in_flight = 0;
            system.step(|system| system.warm_up(model, model.warm_up_us()));
            system.remaining.in_flight = bounds.in_flight;
        }
        system
    }

    /// What may happen next.
    pub(crate) fn actions(&self, model: &M, actions: &mut Vec<Action<M::Command>>) {
        if self.violation.is_some() {
            return;
        }
        for envelope in &self.in_flight {
            actions.push(Action::Deliver(envelope.clone()));
            if self.remaining.duplicates > 0 {
                actions.push(Action::Duplicate(envelope.clone()));
            }
            if self.remaining.losses > 0 {
                actions.push(Action::Drop(envelope.clone()));
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(machine) = &node.machine else {
                actions.push(Action::Restart(at));
                continue;
            };
            if self.remaining.timeouts > 0 && machine.deadline().is_some() {
                actions.push(Action::Timeout(at));
            }
            if !node.pending.is_empty() {
                actions.push(Action::Sync(at));
            }
            if self.remaining.crashes > 0 && model.may_crash(at) {
                actions.extend((0..=node.pending.len()).map(|kept| Action::Crash(at, kept)));
            }
            if self.remaining.erasures > 0 {
                actions.push(Action::Erase(at));
            }
            if self.remaining.commands > 0 {
                let commands = model.commands(at, machine);
                actions.extend(commands.into_iter().map(|c| Action::Command(at, c)));
            }
        }
    }

    /// What is then.
    pub(crate) fn next(&self, model: &M, action: &Action<M::Command>) -> Self {
        let mut next = self.clone();
        next.step(|system| system.apply(model, action));
        next
    }

    fn apply(&mut self, model: &M, action: &Action<M::Command>) -> Result<(), String> {
        match action {
            Action::Deliver(envelope) => {
                self.in_flight.remove(envelope);
                self.deliver(model, envelope)
            }
            Action::Duplicate(envelope) => {
                self.remaining.duplicates -= 1;
                self.deliver(model, envelope)
            }
            Action::Drop(envelope) => {
                self.remaining.losses -= 1;
                self.in_flight.remove(envelope);
                Ok(())
            }
            Action::Timeout(at) => {
                self.remaining.timeouts -= 1;
                self.timeout(model, *at)
            }
            Action::Sync(at) => self.sync(model, *at),
            Action::Crash(at, kept) => {
                self.remaining.crashes -= 1;
                let node = &mut self.nodes[*at];
                node.machine = None;
                let kept = node.pending.drain(..).take(*kept).map(|(_, record)| record);
                node.disk.extend(kept);
                Ok(())
            }
            Action::Erase(at) => {
                self.remaining.erasures -= 1;
                let node = &mut self.nodes[*at];
                (node.machine, node.pending, node.disk) = (None, Vec::new(), Vec::new());
                // a disk takes longer to be replaced than a message to arrive
                self.in_flight.retain(|(from, to, _)| from != at && to != at);
                Ok(())
            }
            Action::Restart(at) => self.restart(model, *at),
            Action::Command(at, command) => {
                self.remaining.commands -= 1;
                let node = &mut self.nodes[*at];
                if let Some(machine) = &mut node.machine {
                    model.command(machine, node.now, command);
                }
                self.drain(model, *at)
            }
        }
    }

    pub(crate) fn deliver(&mut self, model: &M, envelope: &Envelope) -> Result<(), String> {
        let (from, to, bytes) = envelope;
        let node = &mut self.nodes[*to];
        let Some(machine) = &mut node.machine else { return Ok(()) };
        let message = <M::Machine as Machine>::Message::from_slice(bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        let context = format!("node {} refuses {message:?} of node {}", to + 1, from + 1);
        match machine.receive(node.now, NodeId::new(*from as u64 + 1), message) {
            Err(reason) if !model.may_reject(reason) => return Err(format!("{context}: {reason}")),
            _ => {}
        }
        self.drain(model, *to)
    }

    /// The deadline of a node comes: its clock shows just that.
    pub(crate) fn timeout(&mut self, model: &M, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        if let Some(machine) = &mut node.machine
            && let Some(deadline) = machine.deadline()
        {
            node.now = node.now.max(deadline);
            machine.tick(node.now);
        }
        self.drain(model, at)
    }

    pub(crate) fn sync(&mut self, model: &M, at: usize) -> Result<(), String> {
        self.nodes[at].sync();
        self.drain(model, at)
    }

    pub(crate) fn restart(&mut self, model: &M, at: usize) -> Result<(), String> {
        let mut machine = model.boot(at)?;
        let node = &mut self.nodes[at];
        for record in &node.disk {
            let decoded = <M::Machine as Machine>::Record::from_slice(record)
                .map_err(|e| format!("a record does not decode: {e}"))?;
            machine.restore(decoded).map_err(|e| format!("node {} cannot replay: {e}", at + 1))?;
        }
        machine.tick(node.now);
        node.machine = Some(machine);
        self.drain(model, at)
    }

    /// Drains a node until it is quiet, does what it asks, and checks what must hold.
    fn drain(&mut self, model: &M, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        let Some(machine) = &mut node.machine else { return Ok(()) };
        let mut outputs = Outputs {
            model,
            at,
            steps: 0,
            max_in_flight: self.remaining.in_flight,
            pending: &mut node.pending,
            in_flight: &mut self.in_flight,
            memory: &mut self.memory,
        };
        loop {
            machine.drain(&mut outputs)?;
            if self.remaining.slow_disks || outputs.pending.is_empty() {
                break;
            }
            outputs.count_step()?;
            let written = outputs.pending.drain(..);
            let last = written.fold(Ticket::default(), |_, (ticket, record)| {
                node.disk.push(record);
                ticket
            });
            machine.persisted(last);
        }
        model.check(&mut self.memory, &self.nodes)
    }

    pub(crate) fn step(&mut self, step: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(what) = step(self) {
            self.violation = Some(what);
        }
    }
}

/// What a node's machine asks for: the sink it is drained into.
struct Outputs<'a, M: Modelled> {
    model: &'a M,
    at: usize,
    /// Outputs and syncs so far.
    steps: u32,
    /// Messages in flight at most; 0 for any number.
    max_in_flight: usize,
    pending: &'a mut Vec<(Ticket, Vec<u8>)>,
    in_flight: &'a mut BTreeSet<Envelope>,
    memory: &'a mut M::Memory,
}

impl<M: Modelled> Outputs<'_, M> {
    fn count_step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps < 1_000 {
            return Ok(());
        }
        Err(format!("node {} never gets quiet", self.at + 1))
    }
}

impl<M: Modelled> Sink<M::Machine> for Outputs<'_, M> {
    type Error = String;

    fn persist(
        &mut self,
        ticket: Ticket,
        record: <M::Machine as Machine>::Record<'_>,
    ) -> Result<(), String> {
        self.count_step()?;
        self.pending.push((ticket, encode(&record)?));
        Ok(())
    }

    fn send(
        &mut self,
        to: NodeId,
        message: <M::Machine as Machine>::Message<'_>,
    ) -> Result<(), String> {
        self.count_step()?;
        if self.max_in_flight == 0 || self.in_flight.len() < self.max_in_flight {
            let to = usize::try_from(to.get()).unwrap_or(0).wrapping_sub(1);
            self.in_flight.insert((self.at, to, encode(&message)?.into()));
        }
        Ok(())
    }

    fn event(&mut self, event: <M::Machine as Machine>::Event<'_>) -> Result<(), String> {
        self.count_step()?;
        self.model.handle_event(self.memory, self.at, event)
    }
}

impl<M: Modelled> Node<M> {
    fn sync(&mut self) {
        let mut last = None;
        for (ticket, record) in self.pending.drain(..) {
            self.disk.push(record);
            last = Some(ticket);
        }
        if let (Some(last), Some(machine)) = (last, &mut self.machine) {
            machine.persisted(last);
        }
    }
}

fn encode<'a, T: Wire<'a>>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

impl<M: Modelled> Clone for Node<M> {
    fn clone(&self) -> Self {
        Self {
            machine: self.machine.clone(),
            now: self.now,
            disk: self.disk.clone(),
            pending: self.pending.clone(),
        }
    }
}

impl<M: Modelled> Clone for System<M> {
    fn clone(&self) -> Self {
        Self {
            nodes: self.nodes.clone(),
            in_flight: self.in_flight.clone(),
            memory: self.memory.clone(),
            violation: self.violation.clone(),
            remaining: self.remaining,
        }
    }
}

impl<M: Modelled> PartialEq for Node<M> {
    fn eq(&self, other: &Self) -> bool {
        (&self.machine, self.now) == (&other.machine, other.now)
            && (&self.disk, &self.pending) == (&other.disk, &other.pending)
    }
}

impl<M: Modelled> PartialEq for System<M> {
    fn eq(&self, other: &Self) -> bool {
        (&self.nodes, &self.in_flight, &self.memory)
            == (&other.nodes, &other.in_flight, &other.memory)
            && (&self.violation, self.remaining) == (&other.violation, other.remaining)
    }
}

impl<M: Modelled> System<M> {
    /// Feeds what decides the future to a hasher.
    pub(crate) fn hash_state<H: Hasher>(&self, model: &M, state: &mut H) {
        self.hash_present(model, state);
        (&self.memory, &self.violation).hash(state);
        let Bounds { timeouts, crashes, erasures, losses, duplicates, commands, .. } =
            self.remaining;
        (timeouts, crashes, erasures, losses, duplicates, commands).hash(state);
    }

    /// The same without the past, and without what may still go wrong.
    pub(crate) fn hash_present<H: Hasher>(&self, model: &M, state: &mut H) {
        for node in &self.nodes {
            node.machine.is_some().hash(state);
            if let Some(machine) = &node.machine {
                model.hash_state(machine, node.now, state);
            }
            node.disk.hash(state);
            node.pending.len().hash(state);
            node.pending.iter().for_each(|(_, record)| record.hash(state));
        }
        self.in_flight.hash(state);
    }
}

impl<M: Modelled> fmt::Debug for System<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.nodes.iter().enumerate() {
            writeln!(f, "node {}: {:?}", at + 1, node.machine)?;
        }
        writeln!(f, "{} messages in flight, {:?}", self.in_flight.len(), self.violation)
    }
}

impl<C: fmt::Debug> fmt::Debug for Action<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let envelope = |f: &mut fmt::Formatter<'_>, what, (from, to, bytes): &Envelope| {
            write!(f, "{} -> {}: {bytes:02x?} {what}", from + 1, to + 1)
        };
        match self {
            Self::Deliver(l) => envelope(f, "arrives", l),
            Self::Duplicate(l) => envelope(f, "arrives, and stays in flight", l),
            Self::Drop(l) => envelope(f, "is lost", l),
            Self::Timeout(at) => write!(f, "{} times out", at + 1),
            Self::Sync(at) => write!(f, "{} has written", at + 1),
            Self::Crash(at, kept) => write!(f, "{} crashes, {kept} writes survive", at + 1),
            Self::Erase(at) => write!(f, "{} crashes, its disk is erased", at + 1),
            Self::Restart(at) => write!(f, "{} comes back", at + 1),
            Self::Command(at, command) => write!(f, "{} is told {command:?}", at + 1),
        }
    }
}
