use quorate_core::{Instant, NodeId, Rejected, Rng, majority};
use quorate_sim::{Access, Marks, Subject, Swarm};

use super::max_register::{Chosen, MaxRegister, Message, Value};

/// Registers, and clients that put ever larger numbers.
///
/// It looks at the disks only after a crash and at the end: it is the faults that have to bring a bug to light.
pub struct MaxRegisterSubject<const BUG: u8> {
    rng: Rng,
    /// What is durable on each node.
    disks: Vec<u64>,
    /// The largest value that was chosen.
    chosen: u64,
    last_put: u64,
    clients_stopped: bool,
}

impl<const BUG: u8> MaxRegisterSubject<BUG> {
    /// Whatever was chosen is on a majority of disks.
    fn safe(&self) -> Result<(), String> {
        let have = self.disks.iter().filter(|&&value| value >= self.chosen).count();
        if have < majority(self.disks.len()) {
            return Err(format!("{} was chosen, and the disks hold {:?}", self.chosen, self.disks));
        }
        Ok(())
    }
}

impl<const BUG: u8> Subject for MaxRegisterSubject<BUG> {
    type Machine = MaxRegister<BUG>;

    fn new(swarm: &Swarm, rng: Rng) -> Self {
        Self { rng, disks: vec![0; swarm.nodes], chosen: 0, last_put: 0, clients_stopped: false }
    }

    fn timeout_us(&self) -> u64 {
        300_000
    }

    fn boot(&mut self, node: usize) -> Result<MaxRegister<BUG>, String> {
        Ok(MaxRegister::new(NodeId::new(node as u64 + 1), self.disks.len() as u64))
    }

    fn restored(&mut self, node: usize, machine: &mut MaxRegister<BUG>) -> Result<(), String> {
        if machine.value() != self.disks[node] {
            let disk = self.disks[node];
            return Err(format!("a disk holds {disk}, and its node {}", machine.value()));
        }
        self.safe()
    }

    fn crashed(&mut self, _node: usize) {}

    fn event(
        &mut self,
        _node: usize,
        _now: Instant,
        event: Chosen,
        _marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        self.chosen = self.chosen.max(event.0);
        Ok(Some("crash when a value is chosen"))
    }

    fn run_application(
        &mut self,
        _node: usize,
        _now: Instant,
        _machine: &mut MaxRegister<BUG>,
        _marks: &mut Marks,
    ) -> Result<bool, String> {
        Ok(false)
    }

    fn durable(&mut self, node: usize, record: Value) {
        self.disks[node] = record.0;
    }

    fn records_replaced(&mut self, node: usize) {
        self.disks[node] = 0;
    }

    fn issued(&mut self, _node: usize, _record: Value) -> Result<(), String> {
        Ok(())
    }

    fn sent(&mut self, _node: usize, _to: NodeId, _message: Message<BUG>) -> Result<(), String> {
        Ok(())
    }

    fn rejected(&mut self, node: usize, why: Rejected, _marks: &mut Marks) -> Result<(), String> {
        Err(format!("node {} refuses an honest message: {why}", node + 1))
    }

    fn check(
        &mut self,
        _node: usize,
        _machine: &MaxRegister<BUG>,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        Ok(())
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        let node = self.rng.below(access.nodes() as u64) as usize;
        if !self.clients_stopped
            && let Some(machine) = access.machine(node)
        {
            self.last_put += 1;
            machine.put(self.last_put);
        }
        Ok(self.rng.range(10_000, 60_000))
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &MaxRegister<BUG>>) -> bool {
        machines.next().is_some()
    }

    fn completed(&self) -> u64 {
        self.chosen
    }

    fn stop_clients(&mut self) {
        self.clients_stopped = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &MaxRegister<BUG>>) -> bool {
        let chosen = self.chosen;
        machines.filter(|machine| machine.value() != chosen).count() == 0
    }

    fn finish(&mut self, _marks: &mut Marks) -> Result<(), String> {
        self.safe()
    }

    fn fingerprint(&self) -> u64 {
        self.chosen
    }
}
