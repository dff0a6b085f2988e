//! What goes wrong, and how it ends.

use quorate_core::{Machine, Wire};

use crate::Subject;
use crate::host::Aim;
use crate::subject::Standing;
use crate::swarm::{Fault, around};
use crate::world::{What, World, encode, tell_durable};

impl<S: Subject> World<S> {
    pub(crate) fn plan_fault(&mut self) {
        if self.swarm.fault_every_us > 0 && !self.swarm.faults.is_empty() {
            let wait = around(&mut self.rng, self.swarm.fault_every_us);
            self.plan(wait, What::Fault);
        }
    }

    pub(crate) fn fault(&mut self) -> Result<(), String> {
        if !self.chaos {
            return Ok(());
        }
        self.plan_fault();
        let Some(fault) = self.swarm.fault(&mut self.rng) else { return Ok(()) };
        let node = self.rng.below(self.swarm.nodes as u64) as usize;
        match fault {
            Fault::Crash => {
                self.marks.hit("crash at random");
                self.crash(node)
            }
            Fault::AimedCrash => {
                let aims = [Aim::AfterSend, Aim::BeforeSync, Aim::BeforeTicket, Aim::AtEvent];
                let aim = aims[self.rng.below(4) as usize];
                if let Some(host) = self.hosts.get_mut(node) {
                    host.aim = Some(aim);
                }
                Ok(())
            }
            Fault::PowerLoss => {
                self.marks.hit("power loss");
                (0..self.swarm.nodes).try_for_each(|node| self.crash(node))
            }
            Fault::Rolling => {
                self.marks.hit("rolling restart");
                let majority = self.swarm.nodes / 2 + 1;
                (0..majority).try_for_each(|step| self.crash((node + step) % self.swarm.nodes))
            }
            Fault::Pause => {
                self.marks.hit("pause");
                let until = self.now + self.rng.below(1_000_000);
                let drift = self.swarm.drift_ppm;
                let rate = 1_000_000 - drift + self.rng.below(2 * drift + 1);
                let now = self.now;
                if let Some(host) = self.hosts.get_mut(node) {
                    host.paused_until = until;
                    host.clock.set_rate(now, rate);
                }
                Ok(())
            }
            Fault::Partition => {
                let (cut, name) = crate::cut::Cut::draw(&mut self.rng, self.swarm.nodes);
                self.marks.hit(name);
                self.trace.line(self.now, || name.into());
                self.network.cut = cut;
                let heals = self.rng.below(4_000_000);
                self.plan(heals, What::Mend);
                Ok(())
            }
            Fault::DiskFull => {
                let until = self.now + self.rng.below(3_000_000);
                if let Some(host) = self.hosts.get_mut(node) {
                    host.disk.full_until = until;
                }
                Ok(())
            }
            Fault::Coup => {
                self.estrange();
                Ok(())
            }
            Fault::Checkpoint => self.checkpoint(node),
            // who is a majority is for the subject to know
            Fault::Rot if self.subject.needs_everybody() => Ok(()),
            Fault::Rot => self.rot(node),
        }
    }

    pub(crate) fn plan_erasure(&mut self) {
        let wait = self.aside.range(500_000, 6_000_000);
        self.plan(wait, What::Erase);
    }

    pub(crate) fn erase_some(&mut self) -> Result<(), String> {
        if !self.chaos {
            return Ok(());
        }
        self.plan_erasure();
        let node = self.aside.below(self.swarm.nodes as u64) as usize;
        let sound = self.hosts.get(node).is_some_and(|host| !host.rotten);
        if sound && self.subject.may_erase(node, false) {
            self.marks.hit("disk erased in the middle");
            return self.erase(node);
        }
        Ok(())
    }

    /// Starts a node again with an empty disk. That takes longer than any message lives.
    pub(crate) fn erase(&mut self, node: usize) -> Result<(), String> {
        let down = self.aside.range(1_000, 500_000);
        self.crash_for(node, down)?;
        self.lose_letters(node);
        if let Some(host) = self.hosts.get_mut(node) {
            host.disk.records.clear();
        }
        self.trace.line(self.now, || format!("{}: disk erased", node + 1));
        self.subject.records_replaced(node);
        self.subject.erased(node);
        Ok(())
    }

    /// The newest leader loses as many of the others as it can without losing a majority: they would stand, if the rest let them.
    fn estrange(&mut self) {
        let Some(leader) = self.leader() else { return };
        let nodes = self.swarm.nodes;
        self.network.cut = crate::cut::Cut::none(nodes);
        let lost = (1..=nodes.saturating_sub(1) / 2).map(|step| (leader + step) % nodes);
        lost.for_each(|other| self.network.cut.sever_both(leader, other));
        let wait = self.rng.range(100_000, 600_000);
        self.plan(wait, What::Coup);
    }

    /// And now it loses the rest, who are started again in that moment, or whose clocks run fast: what they promised it holds still (Raft
    /// thesis, 6.4.1).
    pub(crate) fn coup(&mut self) -> Result<(), String> {
        let Some(leader) = self.leader().filter(|_| self.chaos) else { return Ok(()) };
        self.marks.hit("leader lost by everybody");
        let again = self.rng.chance(1, 2);
        if !again {
            // or their clocks are as far apart as they may be
            let (now, drift) = (self.now, self.swarm.drift_ppm);
            for (node, host) in self.hosts.iter_mut().enumerate() {
                let rate = if node == leader { 1_000_000 - drift } else { 1_000_000 + drift };
                host.clock.set_rate(now, rate);
            }
        }
        for other in (0..self.swarm.nodes).filter(|other| *other != leader) {
            let heard = !self.network.cut.is_cut(leader, other);
            self.network.cut.sever_both(leader, other);
            if heard && again {
                let down = self.rng.range(100, 20_000);
                self.crash_for(other, down)?;
            }
        }
        let heals = self.rng.below(1_000_000);
        self.plan(heals, What::Mend);
        Ok(())
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        Some(self.led()?.0)
    }

    /// Who leads, and in which term.
    pub(crate) fn led(&self) -> Option<(usize, u64)> {
        let leaders = self.standings().filter(|(_, standing)| standing.leads);
        leaders
            .max_by_key(|(_, standing)| standing.term)
            .map(|(node, standing)| (node, standing.term))
    }

    /// Starts a node again that forgot what it had acknowledged to the leader. Tells how, if it did.
    pub(crate) fn forget(
        &mut self,
        leader: usize,
        node: usize,
    ) -> Result<Option<&'static str>, String> {
        let down = self.rng.range(1_000, 20_000);
        self.crash_for(node, down)?;
        let Some(host) = self.hosts.get_mut(node) else { return Ok(None) };
        let mut records = core::mem::take(&mut host.disk.records);
        let forgot = match self.hosts.get(leader).and_then(|host| host.machine.as_ref()) {
            Some(machine) => self.subject.forget(node, machine, &mut records, &mut self.rng),
            None => None,
        };
        if let Some(host) = self.hosts.get_mut(node) {
            host.disk.records = records;
        }
        if let Some(mark) = forgot {
            self.marks.hit(mark);
            self.trace.line(self.now, || format!("{}: {mark}", node + 1));
            self.watched = (node, 0);
        }
        Ok(forgot)
    }

    /// A node is taken away for good.
    pub(crate) fn retire(&mut self, node: usize) -> Result<(), String> {
        if let Some(host) = self.hosts.get_mut(node) {
            (host.rotten, host.dead) = (true, true);
        }
        self.subject.lost(node);
        self.crash(node)
    }

    /// Damages a disk, if fewer than half of the nodes have such a disk then: what was acknowledged is on another.
    fn rot(&mut self, node: usize) -> Result<(), String> {
        let rotten = self.hosts.iter().filter(|host| host.rotten).count();
        if 2 * (rotten + 1) >= self.swarm.nodes {
            return Ok(());
        }
        let Some(host) = self.hosts.get_mut(node).filter(|host| !host.rotten) else {
            return Ok(());
        };
        host.rotten = true;
        self.marks.hit("disk damaged");
        self.crash(node)?;
        self.subject.lost(node);
        Ok(())
    }

    /// Writes the fewest records to a fresh file and swaps; a crash in the middle leaves the old file or the new one, whole.
    fn checkpoint(&mut self, node: usize) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        let Some(machine) = host.machine.as_ref() else { return Ok(()) };
        let fate = self.rng.below(10);
        if fate == 0 {
            self.marks.hit("crash before a swap");
            return self.crash(node);
        }
        let mut records = Vec::new();
        for record in machine.checkpoint() {
            records.push(encode(&record, &mut self.buffer)?);
        }
        let last = host.disk.replace(records);
        self.subject.records_replaced(node);
        tell_durable(&mut self.subject, node, &host.disk.records)?;
        self.trace.line(self.now, || format!("{} checkpoints", node + 1));
        self.record.note(|| format!("checkpoint {}", node + 1));
        if fate == 1 {
            self.marks.hit("crash after a swap");
            return self.crash(node);
        }
        self.marks.hit("checkpoint");
        if let (Some(ticket), Some(machine)) = (last, host.machine.as_mut()) {
            machine.persisted(ticket);
        }
        self.drain(node)
    }

    /// Cuts links so that only some pairs of nodes hear each other, in a shape from which the nodes can recover. False where the
    /// protocol, or so few nodes, cannot.
    pub(crate) fn cut_partially(&mut self) -> bool {
        let standings: Vec<_> = self.standings().collect();
        if self.swarm.nodes < 3 || standings.len() < self.swarm.nodes {
            return false;
        }
        let leader = standings.iter().filter(|(_, s)| s.leads).max_by_key(|(_, s)| s.term);
        let Some(&(leader, _)) = leader else { return false };
        // one whose log is behind could not be elected, by Raft's rule
        let others = standings.iter().filter(|(node, _)| *node != leader);
        let Some(&(pivot, _)) = others.max_by_key(|(_, s)| s.log) else { return false };
        let (cut, name) = crate::cut::Cut::partial(&mut self.rng, self.swarm.nodes, leader, pivot);
        self.network.cut = cut;
        self.marks.hit(name);
        self.trace.line(self.now, || name.into());
        true
    }

    /// All drivers see that links changed.
    pub(crate) fn notice(&mut self) -> Result<(), String> {
        for node in 0..self.swarm.nodes {
            self.note_clock(node);
            let Some(host) = self.hosts.get_mut(node) else { continue };
            let local = host.clock.local(self.now);
            let Some(machine) = host.machine.as_mut() else { continue };
            self.subject.links_changed(node, local, machine);
            self.record.note_all(self.subject.commands());
            self.drain(node)?;
        }
        Ok(())
    }

    /// Whether the newest leader hears a majority.
    pub(crate) fn led_by_majority(&self) -> bool {
        self.leader().is_some_and(|node| self.network.cut.reaches_majority(node))
    }

    fn standings(&self) -> impl Iterator<Item = (usize, Standing)> {
        let up = self.hosts.iter().enumerate();
        let up = up.filter_map(|(node, host)| Some((node, host.machine.as_ref()?)));
        up.filter_map(|(node, machine)| Some((node, self.subject.standing(machine)?)))
    }

    pub(crate) fn crash(&mut self, node: usize) -> Result<(), String> {
        let down = around(&mut self.rng, self.swarm.down_us) + 1_000;
        self.crash_for(node, down)
    }

    fn crash_for(&mut self, node: usize, down_us: u64) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        if host.machine.take().is_none() {
            return Ok(());
        }
        host.aim = None;
        host.wake_at = u64::MAX;
        self.crashes += 1;
        let (from, torn) = host.disk.crash(&mut self.rng);
        let survived = host.disk.records.get(from..).unwrap_or_default();
        let kept = survived.len() + core::mem::take(&mut host.untold);
        if torn {
            self.marks.hit("torn tail");
        }
        if !survived.is_empty() {
            self.marks.hit("unsynced write survived");
        }
        tell_durable(&mut self.subject, node, survived)?;
        self.trace.line(self.now, || format!("{} crashes", node + 1));
        self.record.note(|| format!("crash {} keeping {kept}", node + 1));
        self.subject.crashed(node);
        if !host.dead {
            self.plan(down_us, What::Boot { node });
        }
        Ok(())
    }

    pub(crate) fn boot(&mut self, node: usize) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        if host.machine.is_some() || host.dead {
            return Ok(());
        }
        if host.rotten {
            // the checksum of some record is wrong, and the driver does not start on such a disk
            host.dead = true;
            self.trace.line(self.now, || format!("{} refuses its damaged disk", node + 1));
            return Ok(());
        }
        host.life += 1;
        let again = host.life > 1;
        let mut machine = self.subject.boot(node)?;
        for record in &host.disk.records {
            let decoded = <S::Machine as Machine>::Record::from_slice(record)
                .map_err(|e| format!("a record does not decode: {e}"))?;
            let words = || format!("node {} cannot replay {record:?}", node + 1);
            machine.restore(decoded).map_err(|e| format!("{}: {e}", words()))?;
        }
        self.trace.line(self.now, || format!("{} starts", node + 1));
        self.subject.restored(node, &mut machine)?;
        machine.tick(host.clock.local(self.now));
        host.machine = Some(machine);
        self.note_clock(node);
        if again {
            self.record.note(|| format!("restart {}", node + 1));
        }
        self.drain(node)
    }

    /// Ends all faults. Nodes outside `keep` are down for good.
    pub(crate) fn heal(&mut self, keep: &[usize]) -> Result<(), String> {
        self.chaos = false;
        self.network.calm = true;
        self.network.cut = crate::cut::Cut::none(self.swarm.nodes);
        self.swarm.sync_error = 0;
        self.swarm.sync_min_us = self.swarm.sync_min_us.min(1_000);
        self.swarm.sync_mean_us = self.swarm.sync_mean_us.min(1_000);
        for node in 0..self.swarm.nodes {
            let dead = !keep.contains(&node);
            let Some(host) = self.hosts.get_mut(node) else { continue };
            let dead = dead || host.rotten;
            host.dead = dead;
            host.aim = None;
            host.paused_until = self.now;
            host.disk.full_until = 0;
            let waiting = host.disk.syncing > 0;
            if dead {
                self.crash(node)?;
                continue;
            }
            if waiting && host.machine.is_some() {
                self.synced_now(node)?;
            }
            if self.hosts.get(node).is_some_and(|h| h.machine.is_none()) {
                self.boot(node)?;
            } else {
                self.drain(node)?;
            }
        }
        Ok(())
    }
}
