use core::marker::PhantomData;

use quorate_core::{DecodeError, Machine, NodeId, Output, Sink, Ticket, Wire};

use super::specimen::Specimen;

/// A machine that emits more without an input between does not come to rest.
const MAX_OUTPUTS: usize = 20_000;

/// An output in its encoded form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Emitted {
    Persist(Ticket, Vec<u8>),
    Send(NodeId, Vec<u8>),
    Event(String),
}

/// How outputs are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Taking {
    /// By [`Machine::drain`], not by [`Machine::poll`].
    pub(super) drain: bool,
    /// Each message and record is read again, and must be the same value.
    pub(super) read_back: bool,
}

/// Everything that a machine emits before the next input; the application is given the events.
pub(super) fn collect<S: Specimen>(
    machine: &mut S::Machine,
    taking: Taking,
    event: impl FnMut(<S::Machine as Machine>::Event<'_>),
) -> Result<Vec<Emitted>, String> {
    let mut sink = Collector::<S, _> {
        emitted: Vec::new(),
        read_back: taking.read_back,
        event,
        specimen: PhantomData,
    };
    if taking.drain {
        machine.drain(&mut sink)?;
    } else {
        while let Some(output) = machine.poll() {
            match output {
                Output::Persist(ticket, record) => sink.persist(ticket, record),
                Output::Send(to, message) => sink.send(to, message),
                Output::Event(event) => sink.event(event),
            }?;
        }
    }
    Ok(sink.emitted)
}

struct Collector<S, F> {
    emitted: Vec<Emitted>,
    read_back: bool,
    event: F,
    specimen: PhantomData<S>,
}

impl<S: Specimen, F: FnMut(<S::Machine as Machine>::Event<'_>)> Sink<S::Machine>
    for Collector<S, F>
{
    type Error = String;

    fn persist(
        &mut self,
        ticket: Ticket,
        record: <S::Machine as Machine>::Record<'_>,
    ) -> Result<(), String> {
        let bytes = record.to_vec();
        if self.read_back {
            let read = <S::Machine as Machine>::Record::from_slice(&bytes);
            compare(&S::record_text(&record), read.map(|read| S::record_text(&read)))?;
        }
        self.push(Emitted::Persist(ticket, bytes))
    }

    fn send(
        &mut self,
        to: NodeId,
        message: <S::Machine as Machine>::Message<'_>,
    ) -> Result<(), String> {
        let bytes = message.to_vec();
        if self.read_back {
            let read = <S::Machine as Machine>::Message::from_slice(&bytes);
            compare(&S::message_text(&message), read.map(|read| S::message_text(&read)))?;
        }
        self.push(Emitted::Send(to, bytes))
    }

    fn event(&mut self, event: <S::Machine as Machine>::Event<'_>) -> Result<(), String> {
        let text = format!("{event:?}");
        (self.event)(event);
        self.push(Emitted::Event(text))
    }
}

impl<S, F> Collector<S, F> {
    fn push(&mut self, emitted: Emitted) -> Result<(), String> {
        self.emitted.push(emitted);
        if self.emitted.len() > MAX_OUTPUTS {
            return Err(format!("more than {MAX_OUTPUTS} outputs follow one input"));
        }
        Ok(())
    }
}

fn compare(written: &str, read: Result<String, DecodeError>) -> Result<(), String> {
    match read {
        Ok(read) if read == written => Ok(()),
        Ok(read) => Err(format!("{written} reads back as {read}")),
        Err(error) => Err(format!("{written} does not read back: {error}")),
    }
}
