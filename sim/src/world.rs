use std::cmp::Ordering;
use std::collections::BinaryHeap;

use quorate_core::{Machine, NodeId, Rng, Wire};

use crate::host::{Clock, CrashPoint, Host};
use crate::load::Load;
use crate::network::{Envelope, Network};
use crate::outputs::{Outputs, Stop, encode};
use crate::record::Recorder;
use crate::swarm::random_around;
use crate::trace::Trace;
use crate::{Access, Marks, Subject, Swarm};

/// One run: nodes on virtual time, and everything that happens to them.
pub struct World<S: Subject> {
    pub(crate) subject: S,
    pub(crate) swarm: Swarm,
    pub(crate) hosts: Vec<Host<S::Machine>>,
    pub(crate) network: Network,
    pub(crate) marks: Marks,
    pub(crate) trace: Trace,
    pub(crate) now: u64,
    pub(crate) delivered: u64,
    pub(crate) crashes: u64,
    pub(crate) load: Load,
    pub(crate) recorder: Recorder,
    pub(crate) rng: Rng,
    /// For draws that only some subjects make, so that the runs of the others do not change.
    pub(crate) side_rng: Rng,
    queue: BinaryHeap<Scheduled>,
    sequence: u64,
    touched: Vec<usize>,
    pub(crate) buffer: Vec<u8>,
    /// Faults go on.
    pub(crate) chaos: bool,
    /// What the transport drops is longer than this, if it drops anything for that.
    frame_bytes: Option<usize>,
    /// A node, and the messages it sent and was sent.
    pub(crate) watched: (usize, u64),
    /// Looks at each machine before its outputs are taken.
    pub(crate) check_outputs: Option<CheckOutputs<S::Machine>>,
}

/// Checks the outputs that a machine is about to make; how they are wrong.
pub(crate) type CheckOutputs<M> = fn(&M) -> Result<(), String>;

/// An event and when it is due; ties are broken by the order in which they were scheduled.
struct Scheduled {
    at: u64,
    sequence: u64,
    event: ScheduledEvent,
}

pub(crate) enum ScheduledEvent {
    Deliver { envelope: Envelope },
    Wake { node: usize, planned: u64 },
    Synced { node: usize, epoch: u64 },
    Boot { node: usize },
    Fault,
    Heal,
    DeposeLeader,
    Erase,
    Clients,
}

impl<S: Subject> World<S> {
    /// A cluster whose nodes are about to boot.
    pub(crate) fn new(seed: u64, nodes: Option<usize>, trace: Trace) -> Self {
        let mut rng = Rng::new(seed);
        let mut swarm = Swarm::draw(&mut rng, nodes);
        if !S::SLOW_LINKS {
            swarm.bandwidth = 0;
        }
        let network = Network::new(&swarm, rng.fork());
        let subject = S::new(&swarm, rng.fork());
        // drawn apart, so that other draws are the same with and without it
        let mut frames = Rng::new(seed ^ 0x6672_616d_6573);
        let least = subject.min_frame_bytes().filter(|_| frames.chance(1, 3));
        let frame_bytes = least.map(|least| least + frames.below(300) as usize);
        let hosts = (0..swarm.nodes).map(|_| new_host(&mut rng, &swarm)).collect();
        let mut world = Self {
            subject,
            hosts,
            network,
            marks: Marks::default(),
            trace,
            now: 0,
            delivered: 0,
            crashes: 0,
            load: Load::default(),
            recorder: Recorder::default(),
            rng,
            side_rng: Rng::new(seed ^ 0x6572_6173_6564),
            queue: BinaryHeap::new(),
            sequence: 0,
            touched: Vec::new(),
            buffer: vec![0; 1 << 17],
            chaos: true,
            frame_bytes,
            watched: (usize::MAX, 0),
            check_outputs: None,
            swarm,
        };
        for node in 0..world.swarm.nodes {
            let at = world.rng.below(50_000);
            world.schedule(at, ScheduledEvent::Boot { node });
        }
        world.schedule(100_000, ScheduledEvent::Clients);
        world.schedule_fault();
        if S::ERASES_DISKS {
            world.schedule_erasure();
        }
        world
    }

    /// Lets everything happen that is due up to `until`, or until `stop` says so after a step.
    ///
    /// # Errors
    ///
    /// What was violated.
    pub(crate) fn run_until(
        &mut self,
        until: u64,
        mut stop: impl FnMut(&Self) -> bool,
    ) -> Result<(), String> {
        while self.queue.peek().is_some_and(|due| due.at <= until) {
            let Some(due) = self.queue.pop() else { break };
            self.now = self.now.max(due.at);
            self.step(due.event)?;
            if stop(self) {
                return Ok(());
            }
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn step(&mut self, event: ScheduledEvent) -> Result<(), String> {
        match event {
            ScheduledEvent::Deliver { envelope } => self.deliver(envelope),
            ScheduledEvent::Wake { node, planned } => self.wake(node, planned),
            ScheduledEvent::Synced { node, epoch } => self.sync_ended(node, epoch),
            ScheduledEvent::Boot { node } => self.boot(node),
            ScheduledEvent::Fault => self.inject_fault(),
            ScheduledEvent::Heal => {
                if self.network.partition.heal_one_link(&mut self.rng) {
                    let wait = self.rng.below(400_000);
                    self.schedule(wait, ScheduledEvent::Heal);
                }
                Ok(())
            }
            ScheduledEvent::DeposeLeader => self.depose_leader(),
            ScheduledEvent::Erase => self.erase_random_disk(),
            ScheduledEvent::Clients => self.step_clients(),
        }
    }

    fn deliver(&mut self, envelope: Envelope) -> Result<(), String> {
        let (from, to) = (envelope.from, envelope.to);
        if self.network.partition.is_blocked(from, to) {
            self.marks.hit("message cut off");
            return Ok(());
        }
        let Some(host) = self.hosts.get_mut(to) else { return Ok(()) };
        if host.paused_until > self.now {
            let wait = host.paused_until - self.now;
            self.schedule(wait, ScheduledEvent::Deliver { envelope });
            return Ok(());
        }
        let local = host.clock.local(self.now);
        if host.machine.is_none() {
            return Ok(());
        }
        self.record_clock(to);
        self.record_delivery(&envelope)?;
        let Some(machine) = self.hosts.get_mut(to).and_then(|host| host.machine.as_mut()) else {
            return Ok(());
        };
        self.delivered += 1;
        self.trace.mix(&[self.now, from as u64, to as u64], &envelope.bytes);
        let message = <S::Machine as Machine>::Message::from_slice(&envelope.bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        self.trace.line(self.now, || {
            format!("{} <- {}  {}", to + 1, from + 1, S::format_message(&message))
        });
        if let Err(reason) = machine.receive(local, NodeId::new(from as u64 + 1), message) {
            self.trace.line(self.now, || format!("{} rejects: {reason}", to + 1));
            self.subject.rejected(to, reason, &mut self.marks)?;
        } else {
            self.subject.received(to, from, envelope.order, machine);
        }
        self.drain(to)
    }

    fn wake(&mut self, node: usize, planned: u64) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        if host.wake_at != planned || host.machine.is_none() {
            return Ok(());
        }
        if host.paused_until > self.now {
            let at = host.paused_until;
            host.wake_at = at;
            self.schedule(at - self.now, ScheduledEvent::Wake { node, planned: at });
            return Ok(());
        }
        host.wake_at = u64::MAX;
        let local = host.clock.local(self.now);
        if let Some(machine) = host.machine.as_mut() {
            machine.tick(local);
        }
        self.record_clock(node);
        self.recorder.record(|| format!("tick {} 0us", node + 1));
        self.drain(node)
    }

    fn step_clients(&mut self) -> Result<(), String> {
        let mut touched = core::mem::take(&mut self.touched);
        let mut access = Access {
            hosts: &mut self.hosts,
            now: self.now,
            sent: self.load.sent,
            touched: &mut touched,
            marks: &mut self.marks,
        };
        let wait = self.subject.step_clients(&mut access)?;
        self.recorder.record_all(self.subject.take_commands());
        for node in touched.drain(..) {
            self.drain(node)?;
        }
        self.touched = touched;
        self.schedule(wait.max(1), ScheduledEvent::Clients);
        Ok(())
    }

    /// Drains a node until it is quiet, does what it asks, and checks what must hold.
    pub(crate) fn drain(&mut self, node: usize) -> Result<(), String> {
        let mut outputs = 0;
        loop {
            let crash = self.take_outputs(node, &mut outputs)?;
            if crash {
                return self.crash(node);
            }
            if self.start_sync(node)? {
                continue;
            }
            let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
            let local = host.clock.local(self.now);
            let Some(machine) = host.machine.as_mut() else { return Ok(()) };
            let acted = self.subject.run_application(node, local, machine, &mut self.marks)?;
            self.recorder.record_all(self.subject.take_commands());
            if acted {
                outputs += 1; // an application that never rests is no better
                continue;
            }
            self.subject.check(node, machine, &mut self.marks)?;
            if self.subject.wants_restart(node) {
                return self.crash(node);
            }
            self.load.step(outputs);
            self.schedule_wake(node);
            return Ok(());
        }
    }

    /// Takes all outputs. True if an aimed crash struck: what is left is never seen.
    fn take_outputs(&mut self, node: usize, count: &mut u64) -> Result<bool, String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(false) };
        let local = host.clock.local(self.now);
        let Host { machine, disk, crash_point, .. } = host;
        let Some(machine) = machine.as_mut() else { return Ok(false) };
        if let Some(check) = self.check_outputs {
            check(machine).map_err(|what| format!("node {}: {what}", node + 1))?;
        }
        let mut outputs = Outputs {
            node,
            now: (self.now, local),
            crash_point: *crash_point,
            frame_bytes: self.frame_bytes,
            count,
            envelopes: Vec::new(),
            disk,
            subject: &mut self.subject,
            marks: &mut self.marks,
            trace: &mut self.trace,
            load: &mut self.load,
            rng: &mut self.rng,
            buffer: &mut self.buffer,
            watched: &mut self.watched,
        };
        let crash = match machine.drain(&mut outputs) {
            Ok(()) => false,
            Err(Stop::Crash) => true,
            Err(Stop::Violation(what)) => return Err(what),
        };
        for envelope in outputs.envelopes {
            for (delay, envelope) in
                self.network.send(self.now, envelope, &self.swarm, &mut self.marks)
            {
                self.schedule(delay, ScheduledEvent::Deliver { envelope });
            }
        }
        Ok(crash)
    }

    /// Starts a sync if the disk is idle and something was written. True if it ended at once.
    fn start_sync(&mut self, node: usize) -> Result<bool, String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(false) };
        if host.disk.pending.is_empty() || host.disk.syncing > 0 {
            return Ok(false);
        }
        host.disk.syncing = host.disk.pending.len();
        let (epoch, full_until) = (host.disk.epoch, host.disk.full_until);
        if host.crash_point == Some(CrashPoint::BeforeSync) && self.rng.chance(1, 3) {
            self.marks.hit("crash before a sync");
            self.crash(node)?;
            return Ok(false);
        }
        let mut wait = 0;
        if self.swarm.sync_min_us + self.swarm.sync_mean_us > 0 {
            wait = self.swarm.sync_min_us + random_around(&mut self.rng, self.swarm.sync_mean_us);
        }
        if full_until > self.now {
            self.marks.hit("write on a full disk");
            wait += full_until - self.now;
        }
        if wait == 0 {
            self.complete_sync(node)?;
            return Ok(true);
        }
        self.schedule(wait, ScheduledEvent::Synced { node, epoch });
        Ok(false)
    }

    fn sync_ended(&mut self, node: usize, epoch: u64) -> Result<(), String> {
        let Some(host) = self.hosts.get(node) else { return Ok(()) };
        if host.disk.epoch != epoch || host.machine.is_none() {
            return Ok(());
        }
        if self.rng.chance(self.swarm.sync_error, 10_000) {
            // what was to be synced is in an unknown state: only a restart can tell
            self.marks.hit("sync failed");
            return self.crash(node);
        }
        self.complete_sync(node)?;
        self.drain(node)
    }

    pub(crate) fn complete_sync(&mut self, node: usize) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        let Some((ticket, from)) = host.disk.complete_sync() else { return Ok(()) };
        let count = host.disk.records.len() - from;
        host.unreported = count;
        report_durable(&mut self.subject, node, host.disk.records.get(from..).unwrap_or_default())?;
        if host.crash_point == Some(CrashPoint::BeforeTicket) && self.rng.chance(1, 3) {
            self.marks.hit("crash between a sync and its ticket");
            return self.crash(node);
        }
        let Some(host) = self.hosts.get_mut(node) else { return Ok(()) };
        host.unreported = 0;
        if let Some(machine) = host.machine.as_mut() {
            machine.persisted(ticket);
        }
        self.recorder.record(|| format!("sync {} {count}", node + 1));
        Ok(())
    }

    /// Schedules the next wake-up by the machine's deadline and the node's clock.
    fn schedule_wake(&mut self, node: usize) {
        let Some(host) = self.hosts.get_mut(node) else { return };
        let Some(machine) = host.machine.as_ref() else { return };
        let at = match machine.deadline() {
            Some(deadline) => host.clock.global(deadline).max(self.now + 1),
            None => u64::MAX,
        };
        if host.wake_at != at {
            host.wake_at = at;
            if at != u64::MAX {
                self.schedule(at - self.now, ScheduledEvent::Wake { node, planned: at });
            }
        }
    }

    /// Drops the messages in flight from and to a node.
    pub(crate) fn drop_messages_of(&mut self, node: usize) {
        self.network.drop_old_messages(node);
        self.queue.retain(|due| match &due.event {
            ScheduledEvent::Deliver { envelope } => envelope.from != node && envelope.to != node,
            _ => true,
        });
    }

    /// The machines that are up.
    pub(crate) fn machines(&self) -> impl Iterator<Item = &S::Machine> {
        self.hosts.iter().filter_map(|host| host.machine.as_ref())
    }

    /// The trace's hash, with the state at the end of the run mixed in.
    pub(crate) fn final_fingerprint(&mut self) -> Result<u64, String> {
        for host in &self.hosts {
            let Some(machine) = host.machine.as_ref() else { continue };
            for record in machine.checkpoint() {
                let bytes = encode(&record, &mut self.buffer)?;
                self.trace.mix(&[], &bytes);
            }
        }
        self.trace.mix(&[self.now, self.delivered, self.subject.fingerprint()], &[]);
        Ok(self.trace.hash())
    }

    /// Records the time of a node's clock: in a scenario all clocks start together.
    pub(crate) fn record_clock(&mut self, node: usize) {
        let Some(host) = self.hosts.get(node) else { return };
        let time = host.clock.local(self.now).as_micros() - host.clock_start + 1_000;
        self.recorder.record(|| format!("set-clock {} {time}us", node + 1));
    }

    fn record_delivery(&mut self, envelope: &Envelope) -> Result<(), String> {
        if self.recorder.0.is_none() {
            return Ok(());
        }
        let message = <S::Machine as Machine>::Message::from_slice(&envelope.bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        let digest = S::message_digest(&message);
        self.recorder
            .record(|| format!("duplicate {}->{} #{digest:x}", envelope.from + 1, envelope.to + 1));
        Ok(())
    }

    pub(crate) fn schedule(&mut self, wait: u64, event: ScheduledEvent) {
        self.sequence += 1;
        self.queue.push(Scheduled {
            at: self.now.saturating_add(wait),
            sequence: self.sequence,
            event,
        });
    }
}

fn new_host<M>(rng: &mut Rng, swarm: &Swarm) -> Host<M> {
    let rate = 1_000_000 - swarm.drift_ppm + rng.below(2 * swarm.drift_ppm + 1);
    // some clocks start near a place where 32 bits of micro- or milliseconds run out
    let base = match rng.below(4) {
        0 => 0,
        1 => u64::from(u32::MAX) - 10_000_000,
        2 => u64::from(u32::MAX) * 1_000 - 10_000_000,
        _ => rng.below(1 << 50),
    };
    Host {
        machine: None,
        disk: crate::Disk::default(),
        clock: Clock { base, global: 0, rate },
        paused_until: 0,
        wake_at: u64::MAX,
        crash_point: None,
        incarnation: 0,
        down_for_good: false,
        damaged: false,
        clock_start: base,
        unreported: 0,
    }
}

pub(crate) fn report_durable<S: Subject>(
    subject: &mut S,
    node: usize,
    records: &[Vec<u8>],
) -> Result<(), String> {
    for record in records {
        let decoded = <S::Machine as Machine>::Record::from_slice(record)
            .map_err(|e| format!("a record does not decode: {e}"))?;
        subject.durable(node, decoded);
    }
    Ok(())
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest first, as the heap gives the greatest.
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}
