use core::fmt::Debug;

use quorate_core::{Fatal, Instant, Machine, Rejected, Rejections, Ticket, Wire};

use super::emitted::{Emitted, Taking, collect};
use super::host::checkpoint;
use super::net::{Input, Moment};
use super::panics::caught;
use super::specimen::Specimen;

/// Everything that can be observed of a machine: as it is, and after the message that comes next in the run, if one does.
pub(super) struct Observed<S: Specimen> {
    behavior: Behavior<S>,
    next: Option<(Result<(), Rejected>, Behavior<S>)>,
}

/// What a machine shows and does if it is given nothing but what it waits for.
struct Behavior<S: Specimen> {
    status: <S::Machine as Machine>::Status,
    deadline: Option<Instant>,
    fatal: Option<Fatal>,
    checkpoint: Vec<Vec<u8>>,
    /// What it emits now.
    outputs: Vec<Emitted>,
    /// What it emits when its records are durable and its next deadline has come.
    later: Vec<Emitted>,
    /// What it has counted by then.
    rejections: Rejections,
}

impl<S: Specimen> Observed<S> {
    /// Observes copies of `machine`: that of the moment, or the same after it refused something.
    pub(super) fn of(machine: &S::Machine, moment: &Moment<'_, S>) -> Result<Self, String> {
        let behavior = Behavior::of(machine.clone(), moment)?;
        let Input::Message(from, bytes) = moment.input else {
            return Ok(Self { behavior, next: None });
        };
        let Ok(message) = <S::Machine as Machine>::Message::from_slice(bytes) else {
            return Ok(Self { behavior, next: None });
        };
        let mut after = machine.clone();
        let result = caught(|| after.receive(moment.now, *from, message))
            .map_err(|panic| format!("{panic}; then came {}", moment.input))?;
        Ok(Self { behavior, next: Some((result, Behavior::of(after, moment)?)) })
    }

    /// What differs, if anything does, but for one refusal for this reason.
    pub(super) fn difference(&self, after: &Self, refusal: Option<Rejected>) -> Option<String> {
        let next = || {
            let ((result, behavior), (result_after, behavior_after)) =
                (self.next.as_ref()?, after.next.as_ref()?);
            differ("answer to the next message", "", result, result_after)
                .or_else(|| behavior.difference(behavior_after, " after the next message", refusal))
        };
        self.behavior.difference(&after.behavior, "", refusal).or_else(next)
    }
}

impl<S: Specimen> Behavior<S> {
    fn of(mut copy: S::Machine, moment: &Moment<'_, S>) -> Result<Self, String> {
        let (status, deadline, fatal) = (copy.status(), copy.deadline(), copy.fatal());
        let checkpoint = checkpoint(&copy);
        let outputs = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        copy.persisted(last_ticket(&outputs).unwrap_or(moment.host.issued));
        let mut later = collect::<S>(&mut copy, Taking::default(), |_| ())?;
        if let Some(deadline) = copy.deadline() {
            copy.tick(deadline.max(moment.now));
            later.extend(collect::<S>(&mut copy, Taking::default(), |_| ())?);
        }
        let rejections = copy.rejections();
        Ok(Self { status, deadline, fatal, checkpoint, outputs, later, rejections })
    }

    fn difference(&self, after: &Self, when: &str, refusal: Option<Rejected>) -> Option<String> {
        let mut rejections = self.rejections;
        if let Some(reason) = refusal {
            rejections.count(reason);
        }
        differ("status", when, &self.status, &after.status)
            .or_else(|| differ("deadline", when, &self.deadline, &after.deadline))
            .or_else(|| differ("fatal state", when, &self.fatal, &after.fatal))
            .or_else(|| differ("checkpoint", when, &self.checkpoint, &after.checkpoint))
            .or_else(|| differ("outputs", when, &self.outputs, &after.outputs))
            .or_else(|| differ("outputs at the next deadline", when, &self.later, &after.later))
            .or_else(|| differ("later rejections", when, &rejections, &after.rejections))
    }
}

fn differ<T: PartialEq + Debug>(what: &str, when: &str, before: &T, after: &T) -> Option<String> {
    (before != after).then(|| format!("its {what}{when} changed from {before:?} to {after:?}"))
}

fn last_ticket(outputs: &[Emitted]) -> Option<Ticket> {
    outputs.iter().rev().find_map(|output| match output {
        Emitted::Persist(ticket, _) => Some(*ticket),
        _ => None,
    })
}
