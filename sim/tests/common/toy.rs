use quorate_core::{Instant, NodeId, Rejected, Rng, majority};
use quorate_sim::{Access, Marks, Subject, Swarm};

use super::keeper::{Keeper, Kept, Say, Value};

/// Keepers, and clients that give them ever larger numbers.
///
/// It looks at the disks only after a crash and at the end: it is the faults that have to bring a bug to light.
pub struct Toy<const BUG: u8> {
    rng: Rng,
    /// What is durable on each node.
    disks: Vec<u64>,
    /// The largest value that was kept.
    kept: u64,
    given: u64,
    quiet: bool,
}

impl<const BUG: u8> Toy<BUG> {
    /// Whatever was kept is on a majority of disks.
    fn safe(&self) -> Result<(), String> {
        let have = self.disks.iter().filter(|&&value| value >= self.kept).count();
        if have < majority(self.disks.len()) {
            return Err(format!("{} was kept, and the disks hold {:?}", self.kept, self.disks));
        }
        Ok(())
    }
}

impl<const BUG: u8> Subject for Toy<BUG> {
    type Machine = Keeper<BUG>;

    fn new(swarm: &Swarm, rng: Rng) -> Self {
        Self { rng, disks: vec![0; swarm.nodes], kept: 0, given: 0, quiet: false }
    }

    fn timeout_us(&self) -> u64 {
        300_000
    }

    fn boot(&mut self, node: usize) -> Result<Keeper<BUG>, String> {
        Ok(Keeper::new(NodeId::new(node as u64 + 1), self.disks.len() as u64))
    }

    fn restored(&mut self, node: usize, machine: &mut Keeper<BUG>) -> Result<(), String> {
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
        event: Kept,
        _marks: &mut Marks,
    ) -> Result<Option<&'static str>, String> {
        self.kept = self.kept.max(event.0);
        Ok(Some("crash when a value is kept"))
    }

    fn run_application(
        &mut self,
        _node: usize,
        _now: Instant,
        _machine: &mut Keeper<BUG>,
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

    fn sent(&mut self, _node: usize, _to: NodeId, _message: Say<BUG>) -> Result<(), String> {
        Ok(())
    }

    fn rejected(&mut self, node: usize, why: Rejected, _marks: &mut Marks) -> Result<(), String> {
        Err(format!("node {} refuses an honest message: {why}", node + 1))
    }

    fn check(
        &mut self,
        _node: usize,
        _machine: &Keeper<BUG>,
        _marks: &mut Marks,
    ) -> Result<(), String> {
        Ok(())
    }

    fn step_clients(&mut self, access: &mut Access<'_, Self>) -> Result<u64, String> {
        let node = self.rng.below(access.nodes() as u64) as usize;
        if !self.quiet
            && let Some(machine) = access.machine(node)
        {
            self.given += 1;
            machine.put(self.given);
        }
        Ok(self.rng.range(10_000, 60_000))
    }

    fn has_leader(&self, machines: &mut dyn Iterator<Item = &Keeper<BUG>>) -> bool {
        machines.next().is_some()
    }

    fn completed(&self) -> u64 {
        self.kept
    }

    fn stop_clients(&mut self) {
        self.quiet = true;
    }

    fn converged(&self, machines: &mut dyn Iterator<Item = &Keeper<BUG>>) -> bool {
        let kept = self.kept;
        machines.filter(|machine| machine.value() != kept).count() == 0
    }

    fn finish(&mut self, _marks: &mut Marks) -> Result<(), String> {
        self.safe()
    }

    fn fingerprint(&self) -> u64 {
        self.kept
    }
}
