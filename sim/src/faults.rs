//! What goes wrong, and how it ends.

use quorate_core::{Machine, Wire};

use crate::Subject;
use crate::host::CrashPoint;
use crate::outputs::encode;
use crate::subject::LeaderStatus;
use crate::swarm::{Fault, random_around};
use crate::world::{ScheduledEvent, World, report_durable};

impl<S: Subject> World<S> {
    pub(crate) fn schedule_fault(&mut self) {
        if self.swarm.fault_every_us > 0 && !self.swarm.faults.is_empty() {
            let wait = random_around(&mut self.rng, self.swarm.fault_every_us);
            self.schedule(wait, ScheduledEvent::Fault);
        }
    }

    pub(crate) fn inject_fault(&mut self) -> Result<(), String> {
        if !self.chaos {
            return Ok(());
        }
        self.schedule_fault();
        let Some(fault) = self.swarm.draw_fault(&mut self.rng) else { return Ok(()) };
        let node = self.rng.below(self.swarm.nodes as u64) as usize;
        match fault {
            Fault::Crash => {
                self.marks.hit("crash at random");
                self.crash(node)
            }
            Fault::TargetedCrash => {
                let points = [
                    CrashPoint::AfterSend,
                    CrashPoint::BeforeSync,
                    CrashPoint::BeforeTicket,
                    CrashPoint::AtEvent,
                ];
                let aim = points[self.rng.below(4) as usize];
                if let Some(host) = self.hosts.get_mut(node) {
                    host.crash_point = Some(aim);
                }
                Ok(())
            }
            Fault::PowerLoss => {
                self.marks.hit("power loss");
                (0..self.swarm.nodes).try_for_each(|node| self.crash(node))
            }
            Fault::RollingRestart => {
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
                let (partition, name) =
                    crate::partition::Partition::draw(&mut self.rng, self.swarm.nodes);
                self.marks.hit(name);
                self.trace.line(self.now, || name.into());
                self.network.partition = partition;
                let heals_in = self.rng.below(4_000_000);
                self.schedule(heals_in, ScheduledEvent::Heal);
                Ok(())
            }
            Fault::DiskFull => {
                let until = self.now + self.rng.below(3_000_000);
                if let Some(host) = self.hosts.get_mut(node) {
                    host.disk.full_until = until;
                }
                Ok(())
            }
            Fault::DeposeLeader => {
                self.isolate_leader_from_minority();
                Ok(())
            }
            Fault::Checkpoint => self.checkpoint(node),
            // who is a majority is for the subject to know
            Fault::DiskDamage if self.subject.needs_all_nodes() => Ok(()),
            Fault::DiskDamage => self.damage_disk(node),
        }
    }

    pub(crate) fn schedule_erasure(&mut self) {
        let wait = self.side_rng.range(500_000, 6_000_000);
        self.schedule(wait, ScheduledEvent::Erase);
    }

    pub(crate) fn erase_random_disk(&mut self) -> Result<(), String> {
        if !self.chaos {
            return Ok(());
        }
        self.schedule_erasure();
        let node = self.side_rng.below(self.swarm.nodes as u64) as usize;
        let sound = self.hosts.get(node).is_some_and(|host| !host.damaged);
        if sound && self.subject.may_erase_disk(node, false) {
            self.marks.hit("disk erased in the middle");
            return self.erase_disk(node);
        }
        Ok(())
    }

    /// Starts a node again with an empty disk. That takes longer than any message lives.
    pub(crate) fn erase_disk(&mut self, node: usize) -> Result<(), String> {
        let down = self.side_rng.range(1_000, 500_000);
        self.crash_for(node, down)?;
        self.drop_messages_of(node);
        if let Some(host) = self.hosts.get_mut(node) {
            host.disk.records.clear();
        }
        self.trace.line(self.now, || format!("{}: disk erased", node + 1));
        self.subject.records_replaced(node);
        self.subject.disk_erased(node);
        Ok(())
    }

    /// Cuts the newest leader off from as many nodes as it can lose without losing its majority:
    /// these nodes would campaign if the rest let them.
    fn isolate_leader_from_minority(&mut self) {
        let Some(leader) = self.leader() else { return };
        let nodes = self.swarm.nodes;
        self.network.partition = crate::partition::Partition::none(nodes);
        let lost = (1..=nodes.saturating_sub(1) / 2).map(|step| (leader + step) % nodes);
        lost.for_each(|other| self.network.partition.block_both(leader, other));
        let wait = self.rng.range(100_000, 600_000);
        self.schedule(wait, ScheduledEvent::DeposeLeader);
    }

    /// Cuts the leader off from the other nodes too, which restart at that moment, or whose clocks
    /// run fast: what they promised it still holds (Raft thesis, 6.4.1).
    pub(crate) fn depose_leader(&mut self) -> Result<(), String> {
        let Some(leader) = self.leader().filter(|_| self.chaos) else { return Ok(()) };
        self.marks.hit("leader deposed");
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
            let heard = !self.network.partition.is_blocked(leader, other);
            self.network.partition.block_both(leader, other);
            if heard && again {
                let down = self.rng.range(100, 20_000);
                self.crash_for(other, down)?;
            }
        }
        let heals_in = self.rng.below(1_000_000);
        self.schedule(heals_in, ScheduledEvent::Heal);
        Ok(())
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        Some(self.leader_and_term()?.0)
    }

    /// The newest leader and its term.
    pub(crate) fn leader_and_term(&self) -> Option<(usize, u64)> {
        let leaders = self.leader_statuses().filter(|(_, status)| status.is_leader);
        leaders.max_by_key(|(_, status)| status.term).map(|(node, status)| (node, status.term))
    }

    /// Starts a node again that forgot what it had acknowledged to the leader. Tells how, if it did.
    pub(crate) fn inject_amnesia(
        &mut self,
        leader: usize,
        node: usize,
    ) -> Result<Option<&'static str>, String> {
        let down = self.rng.range(1_000, 20_000);
        self.crash_for(node, down)?;
        let Some(host) = self.hosts.get_mut(node) else { return Ok(None) };
        let mut records = core::mem::take(&mut host.disk.records);
        let forgot = match self.hosts.get(leader).and_then(|host| host.machine.as_ref()) {
            Some(machine) => {
                self.subject.inject_amnesia(node, machine, &mut records, &mut self.rng)
            }
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

    /// Takes a node down for good.
    pub(crate) fn remove_node(&mut self, node: usize) -> Result<(), String> {
        if let Some(host) = self.hosts.get_mut(node) {
            (host.damaged, host.down_for_good) = (true, true);
        }
        self.subject.node_lost(node);
        self.crash(node)
    }

    /// Damages a disk, if fewer than half of the nodes have such a disk then: what was acknowledged is on another.
    fn damage_disk(&mut self, node: usize) -> Result<(), String> {
        let damaged = self.hosts.iter().filter(|host| host.damaged).count();
        if 2 * (damaged + 1) >= self.swarm.nodes {
            return Ok(());
        }
        let Some(host) = self.hosts.get_mut(node).filter(|host| !host.damaged) else {
            return Ok(());
        };
        host.damaged = true;
        self.marks.hit("disk damaged");
        self.crash(node)?;
        self.subject.node_lost(node);
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
        report_durable(&mut self.subject, node, &host.disk.records)?;
        self.trace.line(self.now, || format!("{} checkpoints", node + 1));
        self.recorder.record(|| format!("checkpoint {}", node + 1));
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
    pub(crate) fn block_partially(&mut self) -> bool {
        let leader_statuses: Vec<_> = self.leader_statuses().collect();
        if self.swarm.nodes < 3 || leader_statuses.len() < self.swarm.nodes {
            return false;
        }
        let leader =
            leader_statuses.iter().filter(|(_, s)| s.is_leader).max_by_key(|(_, s)| s.term);
        let Some(&(leader, _)) = leader else { return false };
        // one whose log is behind could not be elected, by Raft's rule
        let others = leader_statuses.iter().filter(|(node, _)| *node != leader);
        let Some(&(pivot, _)) = others.max_by_key(|(_, s)| s.log) else { return false };
        let (partition, name) =
            crate::partition::Partition::partial(&mut self.rng, self.swarm.nodes, leader, pivot);
        self.network.partition = partition;
        self.marks.hit(name);
        self.trace.line(self.now, || name.into());
        true
    }

    /// Tells all drivers that links changed.
    pub(crate) fn report_link_changes(&mut self) -> Result<(), String> {
        for node in 0..self.swarm.nodes {
            self.record_clock(node);
            let Some(host) = self.hosts.get_mut(node) else { continue };
            let local = host.clock.local(self.now);
            let Some(machine) = host.machine.as_mut() else { continue };
            self.subject.links_changed(node, local, machine);
            self.recorder.record_all(self.subject.take_commands());
            self.drain(node)?;
        }
        Ok(())
    }

    /// Whether the newest leader hears a majority.
    pub(crate) fn leader_reaches_majority(&self) -> bool {
        self.leader().is_some_and(|node| self.network.partition.reaches_majority(node))
    }

    fn leader_statuses(&self) -> impl Iterator<Item = (usize, LeaderStatus)> {
        let up = self.hosts.iter().enumerate();
        let up = up.filter_map(|(node, host)| Some((node, host.machine.as_ref()?)));
        up.filter_map(|(node, machine)| Some((node, self.subject.leader_status(machine)?)))
    }

    pub(crate) fn crash(&mut self, node: usize) -> Result<(), String> {
        let down = random_around(&mut self.rng, self.swarm.down_us) + 1_000;
        self.crash_for(node, down)
    }

    fn crash_for(&mut self, node: usize, down_us: u64) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        if host.machine.take().is_none() {
            return Ok(());
        }
        host.crash_point = None;
        host.wake_at = u64::MAX;
        self.crashes += 1;
        let (from, torn) = host.disk.crash(&mut self.rng);
        let survived = host.disk.records.get(from..).unwrap_or_default();
        let kept = survived.len() + core::mem::take(&mut host.unreported);
        if torn {
            self.marks.hit("torn tail");
        }
        if !survived.is_empty() {
            self.marks.hit("unsynced write survived");
        }
        report_durable(&mut self.subject, node, survived)?;
        self.trace.line(self.now, || format!("{} crashes", node + 1));
        self.recorder.record(|| format!("crash {} keeping {kept}", node + 1));
        self.subject.crashed(node);
        if !host.down_for_good {
            self.schedule(down_us, ScheduledEvent::Boot { node });
        }
        Ok(())
    }

    pub(crate) fn boot(&mut self, node: usize) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        if host.machine.is_some() || host.down_for_good {
            return Ok(());
        }
        if host.damaged {
            // the checksum of some record is wrong, and the driver does not start on such a disk
            host.down_for_good = true;
            self.trace.line(self.now, || format!("{} refuses its damaged disk", node + 1));
            return Ok(());
        }
        host.incarnation += 1;
        let again = host.incarnation > 1;
        let mut machine = self.subject.boot(node)?;
        for record in &host.disk.records {
            let decoded = <S::Machine as Machine>::Record::from_slice(record)
                .map_err(|e| format!("a record does not decode: {e}"))?;
            let context = || format!("node {} cannot replay {record:?}", node + 1);
            machine.restore(decoded).map_err(|e| format!("{}: {e}", context()))?;
        }
        self.trace.line(self.now, || format!("{} starts", node + 1));
        self.subject.restored(node, &mut machine)?;
        machine.tick(host.clock.local(self.now));
        host.machine = Some(machine);
        self.record_clock(node);
        if again {
            self.recorder.record(|| format!("restart {}", node + 1));
        }
        self.drain(node)
    }

    /// Ends all faults. Nodes outside `keep` are down for good.
    pub(crate) fn heal(&mut self, keep: &[usize]) -> Result<(), String> {
        self.chaos = false;
        self.network.calm = true;
        self.network.partition = crate::partition::Partition::none(self.swarm.nodes);
        self.swarm.sync_error = 0;
        self.swarm.sync_min_us = self.swarm.sync_min_us.min(1_000);
        self.swarm.sync_mean_us = self.swarm.sync_mean_us.min(1_000);
        for node in 0..self.swarm.nodes {
            let dead = !keep.contains(&node);
            let Some(host) = self.hosts.get_mut(node) else { continue };
            let dead = dead || host.damaged;
            host.down_for_good = dead;
            host.crash_point = None;
            host.paused_until = self.now;
            host.disk.full_until = 0;
            let waiting = host.disk.syncing > 0;
            if dead {
                self.crash(node)?;
                continue;
            }
            if waiting && host.machine.is_some() {
                self.complete_sync(node)?;
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
