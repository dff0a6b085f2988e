use core::fmt::Debug;

use quorate_core::{Fatal, Instant, Machine, Ticket};

use super::emitted::{Emitted, Taking, collect};
use super::host::checkpoint;
use super::specimen::Specimen;

/// Everything that can be observed of a machine but the number of rejections.
pub(super) struct Observed<S: Specimen> {
    status: <S::Machine as Machine>::Status,
    deadline: Option<Instant>,
    fatal: Option<Fatal>,
    checkpoint: Vec<Vec<u8>>,
    /// What it emits now.
    outputs: Vec<Emitted>,
    /// What it emits when its records are durable and its next deadline has come.
    later: Vec<Emitted>,
}

impl<S: Specimen> Observed<S> {
    /// Observes a copy. `issued` is the ticket of its last record.
    pub(super) fn of(machine: &S::Machine, now: Instant, issued: Ticket) -> Result<Self, String> {
        let (status, deadline, fatal) = (machine.status(), machine.deadline(), machine.fatal());
        let checkpoint = checkpoint(machine);
        let mut copy = machine.clone();
        let outputs = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        copy.persisted(last_ticket(&outputs).unwrap_or(issued));
        let mut later = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        if let Some(deadline) = copy.deadline() {
            copy.tick(deadline.max(now));
            later.extend(collect::<S>(&mut copy, Taking::default(), |_| ())?);
        }
        Ok(Self { status, deadline, fatal, checkpoint, outputs, later })
    }

    /// What differs, if anything does.
    pub(super) fn difference(&self, after: &Self) -> Option<String> {
        differ("status", &self.status, &after.status)
            .or_else(|| differ("deadline", &self.deadline, &after.deadline))
            .or_else(|| differ("fatal state", &self.fatal, &after.fatal))
            .or_else(|| differ("checkpoint", &self.checkpoint, &after.checkpoint))
            .or_else(|| differ("outputs", &self.outputs, &after.outputs))
            .or_else(|| differ("outputs at the next deadline", &self.later, &after.later))
    }
}

fn differ<T: PartialEq + Debug>(what: &str, before: &T, after: &T) -> Option<String> {
    (before != after).then(|| format!("its {what} changed from {before:?} to {after:?}"))
}

fn last_ticket(outputs: &[Emitted]) -> Option<Ticket> {
    outputs.iter().rev().find_map(|output| match output {
        Emitted::Persist(ticket, _) => Some(*ticket),
        _ => None,
    })
}
