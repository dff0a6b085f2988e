use std::cell::RefCell;
use std::collections::BTreeSet;

use quorate_clocks::{Actor, Storage};
use quorate_core::{Fatal, Instant, Machine, NodeId, Rejected, Rng, Shown};
use quorate_crdt::{Config, Crdt, Event, Message, OrSet, Record, Replica};
use quorate_sim::{Access, Marks, Subject, Swarm};

type Set<S, A> = OrSet<u64, S, A>;

/// Replicas of a set, and clients that add and remove elements.
pub struct ReplicaSubject<S: Storage, A: Storage, L: Storage> {
    members: Vec<NodeId>,
    rng: Rng,
    /// What is durable, rebuilt from records alone.
    shadows: Vec<Replica<Set<S, A>, A, L>>,
    /// How much of each node's work was durable, ever.
    durable: Vec<u64>,
    /// And how much of that its former incarnations did.
    durable_before: Vec<u64>,
    lost: Vec<bool>,
    incarnations: Vec<u32>,
    /// It came back with an empty disk and its old name, and has not noticed. It makes no updates, which others would
    /// take for those that it forgot.
    amnesiac: Vec<bool>,
    /// It noticed, and is to be started under another name.
    stopped: Vec<bool>,
    /// How many elements were added, durably or not: no element is added twice.
    added: u64,
    /// Was on the disk of a node.
    durable_elements: BTreeSet<(u64, usize)>,
    /// Removed by somebody, durably or not.
    removals: BTreeSet<u64>,
    /// Gone from a disk it was on: and the node.
    removed: BTreeSet<(u64, usize)>,
    full: bool,
    clients_stopped: bool,
    end: RefCell<Option<Set<S, A>>>,
}

fn elements<S: Storage, A: Storage>(set: &Set<S, A>) -> BTreeSet<u64> {
    set.iter().copied().collect()
}

impl<S, A, L> ReplicaSubject<S, A, L>
where
    S: Storage + 'static,
    A: Storage + 'static,
    L: Storage + 'static,
{
    fn new_replica(&self, node: usize) -> Replica<Set<S, A>, A, L> {
        let config = Config { gossip_us: 200_000, max_delta_bytes: 300, ..Config::default() };
        Replica::new(self.actor(node), &self.members, Set::new(), config).unwrap()
    }

    fn actor(&self, node: usize) -> Actor {
        Actor::new(self.members[node], self.incarnations[node])
    }

    fn observe_shadow(&mut self, node: usize, before: &BTreeSet<u64>) {
        let state = self.shadows[node].state();
        let now = elements(state);
        self.durable_elements.extend(now.iter().map(|&element| (element, node)));
        self.removed.extend(before.difference(&now).map(|&element| (element, node)));
        let done = self.durable_before[node] + state.actor_version(self.actor(node));
        self.durable[node] = self.durable[node].max(done);
    }

    fn start_next_incarnation(&mut self, node: usize) {
        self.incarnations[node] += 1;
        self.durable_before[node] = self.durable[node];
    }
}

impl<S, A, L> Subject for ReplicaSubject<S, A, L>
where
    S: Storage + 'static,
    A: Storage + 'static,
    L: Storage + 'static,
{
    type Machine = Replica<Set<S, A>, A, L>;

    const ERASES_DISKS: bool = true;

    fn new(swarm: &Swarm, rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let members = (1..=nodes as u64).map(NodeId::new).collect();
        let mut subject = Self {
            members,
            rng,
            shadows: Vec::new(),
            durable: vec![0; nodes],
            durable_before: vec![0; nodes],
            lost: vec![false; nodes],
            incarnations: vec![0; nodes],
            amnesiac: vec![false; nodes],
            stopped: vec![false; nodes],
            added: 0,
            durable_elements: BTreeSet::new(),
            removals: BTreeSet::new(),
            removed: BTreeSet::new(),
            full: false,
            clients_stopped: false,
            end: RefCell::new(None),
        };
        subject.shadows = (0..nodes).map(|node| subject.new_replica(node)).collect();
        subject
    }

    fn timeout_us(&self) -> u64 {
        500_000
    }

    fn max_messages_per_second(&self) -> u64 {
        6_000
    }

    fn boot(&mut self, node: usize) -> Result<Self::Machine, String> {
        Ok(self.new_replica(node))
    }

    fn restored(&mut self, node: usize, machine: &mut Self::Machine) -> Result<(), String> {
        if machine.state() == self.shadows[node].state() {
            return Ok(());
        }
        Err("a replica does not come back as it was written down".into())
    }

    fn crashed(&mut self, _node: usize) {}

    fn event(
        &mut self,
        node: usize,
        _now: Instant,
        event: Event,
        marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        match event {
            Event::Changed => Ok(Some("crash after a change")),
            Event::Full(_) => {
                self.full = true;
                marks.hit("full");
                Ok(Some("crash when full"))
            }
            Event::UnknownUpdates(_) if self.amnesiac[node] => {
                marks.hit("amnesiac: told of unknown updates");
                Ok(Some("crash when told of unknown updates"))
            }
            Event::Fatal(Fatal::LostState) if self.amnesiac[node] => {
                marks.hit("amnesiac: stopped");
                self.amnesiac[node] = false;
                self.stopped[node] = true;
                self.start_next_incarnation(node);
                Ok(None)
            }
            Event::UnknownUpdates(peer) => {
                Err(format!("a replica takes itself for amnesiac because of {peer}"))
            }
            Event::Fatal(fatal) => Err(format!("a replica stopped itself: {fatal}")),
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

    fn format_message(message: &<Self::Machine as Machine>::Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn format_record(record: &<Self::Machine as Machine>::Record<'_>) -> String {
        Shown(record).to_string()
    }

    fn durable(&mut self, node: usize, record: Record<'_, Set<S, A>>) {
        let before = elements(self.shadows[node].state());
        self.shadows[node].restore(record).unwrap();
        self.observe_shadow(node, &before);
    }

    fn records_replaced(&mut self, node: usize) {
        self.shadows[node] = self.new_replica(node);
    }

    fn may_erase_disk(&self, node: usize, _calm: bool) -> bool {
        // every incarnation takes a place of an actor, and an amnesiac one will take another
        let taken: u32 = self.incarnations.iter().map(|incarnation| incarnation + 1).sum();
        let amnesiac = self.amnesiac.iter().any(|amnesiac| *amnesiac);
        !amnesiac && !self.lost[node] && (taken as usize) < A::LIMIT
    }

    fn disk_erased(&mut self, node: usize) {
        self.lost[node] = true;
        // alone, nobody could tell it
        if self.members.len() > 1 && self.rng.chance(1, 2) {
            self.amnesiac[node] = true;
        } else {
            self.start_next_incarnation(node);
        }
        self.shadows[node] = self.new_replica(node);
    }

    fn wants_restart(&mut self, node: usize) -> bool {
        core::mem::take(&mut self.stopped[node])
    }

    fn issued(&mut self, _node: usize, _record: Record<'_, Set<S, A>>) -> Result<(), String> {
        Ok(())
    }

    fn sent(
        &mut self,
        _node: usize,
        _to: NodeId,
        _message: Message<'_, Set<S, A>>,
    ) -> Result<(), String> {
        Ok(())
    }

    fn rejected(&mut self, node: usize, reason: Rejected, marks: &mut Marks) -> Result<(), String> {
        if self.amnesiac[node] && reason == Rejected::Impossible {
            marks.hit("amnesiac: refuses");
            return Ok(());
        }
        Err(format!("an honest message was refused: {reason}"))
    }

    fn check(
        &mut self,
        node: usize,
        machine: &Self::Machine,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        if machine.stable() > machine.last() {
            return Err("more is stable than was done".into());
        }
        if self.amnesiac[node] && machine.state().actor_version(self.actor(node)) > 0 {
            return Err("a replica took what it forgot for its own, and did not notice".into());
        }
        if self.stopped[node] {
            return Ok(());
        }
        machine.fatal().map_or(Ok(()), |fatal| Err(format!("stopped: {fatal}")))
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        let crowded = std::mem::take(&mut self.full);
        for node in 0..access.nodes() {
            // that there is no room is told once: every node makes some
            if !crowded && (self.clients_stopped || self.rng.chance(1, 2)) {
                continue;
            }
            if self.amnesiac[node] {
                continue;
            }
            let Some(machine) = access.machine(node) else { continue };
            let here: Vec<u64> = machine.state().iter().copied().collect();
            if crowded {
                // make room, everywhere at once
                for element in here.iter().skip(1) {
                    self.removals.insert(*element);
                    machine.update(|set, _| Ok::<_, String>(set.remove(element)))?;
                }
            } else if self.rng.chance(1, 2) && !here.is_empty() {
                let element = here[self.rng.below(here.len() as u64) as usize];
                self.removals.insert(element);
                machine.update(|set, _| Ok::<_, String>(set.remove(&element)))?;
            } else {
                self.added += 1;
                let element = self.added;
                if machine.update(|set, me| set.add(me, element)).is_err() {
                    access.marks.hit("no room to add");
                }
            }
        }
        Ok(50_000 + self.rng.below(200_000))
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        machines.next().is_some()
    }

    fn node_lost(&mut self, node: usize) {
        self.lost[node] = true;
    }

    fn completed(&self) -> u64 {
        self.durable.iter().sum()
    }

    fn stop_clients(&mut self) {
        self.clients_stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Self::Machine>) -> bool {
        let Some(first) = machines.next() else { return true };
        let mut equal = true;
        for machine in machines {
            equal &= machine.state() == first.state();
        }
        *self.end.borrow_mut() = equal.then(|| first.state().clone());
        equal
    }

    fn finish(&mut self, marks: &mut Marks) -> Result<(), String> {
        let Some(end) = self.end.take() else { return Err("nothing is left".into()) };
        let end = elements(&end);
        for &(element, node) in &self.durable_elements {
            if !self.lost[node] && !self.removals.contains(&element) && !end.contains(&element) {
                return Err(format!("element {element} was durable, and is lost"));
            }
        }
        marks.add("kept", self.durable_elements.len() as u64);
        for &(element, node) in &self.removed {
            if !self.lost[node] && end.contains(&element) {
                return Err(format!("element {element} was removed, and came back"));
            }
        }
        marks.add("removed for good", self.removed.len() as u64);
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        self.added
    }
}
