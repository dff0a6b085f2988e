use core::fmt::Debug;

use quorate_core::{Fatal, Instant, Machine, Rejected, Rejections, Ticket, Wire};

use super::emitted::{Emitted, Taking, collect};
use super::host::checkpoint;
use super::net::{Input, Moment};
use super::specimen::Specimen;

/// Everything that can be observed of a machine.
pub(super) struct Observed<S: Specimen> {
    status: <S::Machine as Machine>::Status,
    deadline: Option<Instant>,
    fatal: Option<Fatal>,
    checkpoint: Vec<Vec<u8>>,
    /// What it emits now.
    outputs: Vec<Emitted>,
    /// What it emits when its records are durable and its next deadline has come.
    later: Vec<Emitted>,
    /// What it does with the message that comes next in the run, if one does.
    next: Option<Next<S>>,
    /// What it has counted when it has emitted all of that, but for the message.
    pub(super) rejections: Rejections,
}

/// What a message does.
struct Next<S: Specimen> {
    result: Result<(), Rejected>,
    status: <S::Machine as Machine>::Status,
    deadline: Option<Instant>,
    outputs: Vec<Emitted>,
}

impl<S: Specimen> Observed<S> {
    /// Observes copies of the machine, which is that of this moment, or that after another message.
    pub(super) fn of(machine: &S::Machine, moment: &Moment<'_, S>) -> Result<Self, String> {
        let (status, deadline, fatal) = (machine.status(), machine.deadline(), machine.fatal());
        let checkpoint = checkpoint(machine);
        let mut copy = machine.clone();
        let outputs = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        copy.persisted(last_ticket(&outputs).unwrap_or(moment.host.issued));
        let mut later = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        if let Some(deadline) = copy.deadline() {
            copy.tick(deadline.max(moment.now));
            later.extend(collect::<S>(&mut copy, Taking::default(), |_| ())?);
        }
        let next = Next::of(machine.clone(), moment)?;
        let rejections = copy.rejections();
        Ok(Self { status, deadline, fatal, checkpoint, outputs, later, next, rejections })
    }

    /// What differs, if anything does.
    pub(super) fn difference(&self, after: &Self) -> Option<String> {
        differ("status", &self.status, &after.status)
            .or_else(|| differ("deadline", &self.deadline, &after.deadline))
            .or_else(|| differ("fatal state", &self.fatal, &after.fatal))
            .or_else(|| differ("checkpoint", &self.checkpoint, &after.checkpoint))
            .or_else(|| differ("outputs", &self.outputs, &after.outputs))
            .or_else(|| differ("outputs at the next deadline", &self.later, &after.later))
            .or_else(|| Next::difference(self.next.as_ref()?, after.next.as_ref()?))
    }
}

impl<S: Specimen> Next<S> {
    /// Gives the copy the message of this moment.
    fn of(mut copy: S::Machine, moment: &Moment<'_, S>) -> Result<Option<Self>, String> {
        let Input::Message(from, bytes) = moment.input else { return Ok(None) };
        let Ok(message) = <S::Machine as Machine>::Message::from_slice(bytes) else {
            return Ok(None);
        };
        let result = copy.receive(moment.now, *from, message);
        let (status, deadline) = (copy.status(), copy.deadline());
        let outputs = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        Ok(Some(Self { result, status, deadline, outputs }))
    }

    fn difference(&self, after: &Self) -> Option<String> {
        differ("answer to the next message", &self.result, &after.result)
            .or_else(|| differ("status after the next message", &self.status, &after.status))
            .or_else(|| differ("deadline after the next message", &self.deadline, &after.deadline))
            .or_else(|| differ("outputs after the next message", &self.outputs, &after.outputs))
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
