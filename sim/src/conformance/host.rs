use quorate_core::{Corrupt, Instant, Machine, Rng, Ticket, Wire};

use super::emitted::{Emitted, Taking, collect};
use super::specimen::Specimen;

/// One node: the machine, the application beside it, and its records.
pub(super) struct Host<S: Specimen> {
    pub(super) app: S,
    pub(super) machine: S::Machine,
    /// All records in their order, acknowledged or not.
    pub(super) records: Vec<Vec<u8>>,
    /// So many of them were acknowledged.
    pub(super) durable: usize,
    /// The ticket that the machine issued last, and the one that was returned last.
    pub(super) issued: Ticket,
    pub(super) returned: Ticket,
    /// Writes that began before a restart or a swap of the log no longer count.
    pub(super) life: u64,
    /// When the disk has written everything.
    pub(super) disk_busy: u64,
    /// When the node was last woken at its deadline.
    pub(super) woken: Option<u64>,
    /// The node is not up before.
    pub(super) starts_until: u64,
    pub(super) rng: Rng,
}

impl<S: Specimen> Host<S> {
    pub(super) fn new(node: usize, mut rng: Rng) -> Self {
        let app = S::new(node);
        Self {
            machine: app.boot(rng.next_u64()),
            app,
            records: Vec::new(),
            durable: 0,
            issued: Ticket::default(),
            returned: Ticket::default(),
            life: 0,
            disk_busy: 0,
            woken: None,
            starts_until: 0,
            rng,
        }
    }

    /// Starts again with the first so many records.
    pub(super) fn restart(&mut self, records: usize) -> Result<(), String> {
        self.records.truncate(records);
        let seed = self.rng.next_u64();
        self.machine = restored(&mut self.app, &self.records, seed)?;
        self.durable = self.records.len();
        self.forget_writes();
        (self.issued, self.returned) = (Ticket::default(), Ticket::default());
        Ok(())
    }

    /// Starts again without anything that it had.
    pub(super) fn erase(&mut self, node: usize) {
        let rng = self.rng.fork();
        *self = Self { life: self.life.wrapping_add(1), ..Self::new(node, rng) };
    }

    /// Writes the records of a checkpoint in place of the log.
    pub(super) fn swap_log(&mut self) {
        self.records = checkpoint(&self.machine);
        self.durable = self.records.len();
        self.forget_writes();
        self.returned = self.issued;
        self.machine.persisted(self.issued);
    }

    fn forget_writes(&mut self) {
        self.life = self.life.wrapping_add(1);
        self.disk_busy = 0;
        self.woken = None;
    }

    /// Takes the outputs, and keeps the records.
    pub(super) fn take(&mut self, taking: Taking) -> Result<Vec<Emitted>, String> {
        let app = &mut self.app;
        let emitted = collect::<S>(&mut self.machine, taking, |event| app.event(event))?;
        for output in &emitted {
            if let Emitted::Persist(ticket, record) = output {
                self.issued = *ticket;
                self.records.push(record.clone());
            }
        }
        Ok(emitted)
    }

    /// A disk has written the first so many records, up to this ticket.
    pub(super) fn written(&mut self, ticket: Ticket, records: usize) {
        self.durable = records;
        self.returned = ticket;
        self.machine.persisted(ticket);
    }

    /// When the machine is to be ticked next; a deadline that has passed is not waited for again at once.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let deadline = self.machine.deadline()?.as_micros();
        Some(self.woken.map_or(deadline, |woken| deadline.max(woken.saturating_add(1_000))))
    }

    pub(super) fn wake(&mut self, now: Instant) {
        self.machine.tick(now);
        let passed = self.machine.deadline().is_some_and(|deadline| deadline <= now);
        self.woken = passed.then_some(now.as_micros());
    }
}

/// A machine that was restored from these records; its application was told.
pub(super) fn restored<S: Specimen>(
    app: &mut S,
    records: &[Vec<u8>],
    seed: u64,
) -> Result<S::Machine, String> {
    let mut machine = app.boot(seed);
    for (at, bytes) in records.iter().enumerate() {
        restore::<S>(&mut machine, bytes)
            .map_err(|error| format!("record {at} of {}, {bytes:02x?}: {error}", records.len()))?;
    }
    app.restored(&mut machine);
    Ok(machine)
}

/// Replays one record; the text of the error.
fn restore<S: Specimen>(machine: &mut S::Machine, bytes: &[u8]) -> Result<(), String> {
    let record =
        <S::Machine as Machine>::Record::from_slice(bytes).map_err(|error| error.to_string())?;
    machine.restore(record).map_err(|error: Corrupt| error.to_string())
}

/// The encoded records of a checkpoint.
pub(super) fn checkpoint<M: Machine>(machine: &M) -> Vec<Vec<u8>> {
    machine.checkpoint().map(|record| record.to_vec()).collect()
}
