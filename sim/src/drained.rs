use core::fmt;

use quorate_core::{Machine, NodeId, Output, Sink, Ticket, Wire};

/// An output as bytes: equal if a driver could not tell one from the other.
#[derive(PartialEq, Eq)]
enum Seen {
    Persist(Ticket, Vec<u8>),
    Send(NodeId, Vec<u8>),
    Event(String),
}

/// More outputs than this without an input mean that a machine never gets quiet.
const MAX_OUTPUTS: usize = 100_000;

/// Checks that [`Machine::drain`] makes what repeated [`Machine::poll`] makes, in the same order, and leaves the machine
/// in the same state: on copies, at whatever point of its life the machine is. Also of a sink that returns an error after each output,
/// and takes the rest in later calls.
///
/// A machine that does not override `drain` passes; one that does must.
///
/// # Errors
///
/// How they differ.
///
/// ```
/// use quorate_core::Machine;
///
/// /// For a test of a machine, after each input.
/// fn check(machine: &(impl Machine + Clone)) {
///     assert_eq!(quorate_sim::compare_drain(machine), Ok(()));
/// }
/// ```
pub fn compare_drain<M: Machine + Clone>(machine: &M) -> Result<(), String> {
    let mut polled = machine.clone();
    let expected = Outputs::poll(&mut polled)?;
    for one_by_one in [false, true] {
        let mut drained = machine.clone();
        let found = Outputs::drain(&mut drained, one_by_one)?;
        let how = if one_by_one { "drain, an output a call," } else { "drain" };
        if let Some(at) =
            (0..expected.len().max(found.len())).find(|&at| expected.get(at) != found.get(at))
        {
            let (polled, drained) = (expected.get(at), found.get(at));
            return Err(format!("output {at}: poll makes {polled:?}, {how} makes {drained:?}"));
        }
        let states = [state(&polled)?, state(&drained)?];
        if states[0] != states[1] {
            return Err(format!("poll leaves {}, {how} leaves {}", states[0], states[1]));
        }
    }
    Ok(())
}

/// What can be seen of a machine's state.
fn state<M: Machine>(machine: &M) -> Result<String, String> {
    let records: Result<Vec<_>, _> = machine.checkpoint().map(|record| encode(&record)).collect();
    let (status, deadline) = (machine.status(), machine.deadline());
    let (rejections, fatal) = (machine.rejections(), machine.fatal());
    Ok(format!("{status:?} {deadline:?} {rejections:?} {fatal:?} {:?}", records?))
}

/// The outputs so far.
#[derive(Default)]
struct Outputs {
    seen: Vec<Seen>,
    /// Return an error after each output.
    one_by_one: bool,
}

/// The sink wants no more for now, or never.
enum Stop {
    Later,
    Violation(String),
}

impl Outputs {
    fn poll<M: Machine>(machine: &mut M) -> Result<Vec<Seen>, String> {
        let mut outputs = Self::default();
        while let Some(output) = machine.poll() {
            let taken = match output {
                Output::Persist(ticket, record) => Sink::<M>::persist(&mut outputs, ticket, record),
                Output::Send(to, message) => Sink::<M>::send(&mut outputs, to, message),
                Output::Event(event) => Sink::<M>::event(&mut outputs, event),
            };
            if let Err(Stop::Violation(what)) = taken {
                return Err(what);
            }
        }
        Ok(outputs.seen)
    }

    fn drain<M: Machine>(machine: &mut M, one_by_one: bool) -> Result<Vec<Seen>, String> {
        let mut outputs = Self { seen: Vec::new(), one_by_one };
        loop {
            let before = outputs.seen.len();
            match machine.drain(&mut outputs) {
                Ok(()) => return Ok(outputs.seen),
                Err(Stop::Later) if outputs.seen.len() == before + 1 => {}
                Err(Stop::Later) => return Err("drain goes on after an error of its sink".into()),
                Err(Stop::Violation(what)) => return Err(what),
            }
        }
    }

    fn take(&mut self, seen: Seen) -> Result<(), Stop> {
        self.seen.push(seen);
        if self.seen.len() > MAX_OUTPUTS {
            return Err(Stop::Violation(format!("never gets quiet: {MAX_OUTPUTS} outputs")));
        }
        if self.one_by_one { Err(Stop::Later) } else { Ok(()) }
    }
}

impl<M: Machine> Sink<M> for Outputs {
    type Error = Stop;

    fn persist(&mut self, ticket: Ticket, record: M::Record<'_>) -> Result<(), Stop> {
        let bytes = encode(&record).map_err(Stop::Violation)?;
        self.take(Seen::Persist(ticket, bytes))
    }

    fn send(&mut self, to: NodeId, message: M::Message<'_>) -> Result<(), Stop> {
        let bytes = encode(&message).map_err(Stop::Violation)?;
        self.take(Seen::Send(to, bytes))
    }

    fn event(&mut self, event: M::Event<'_>) -> Result<(), Stop> {
        self.take(Seen::Event(format!("{event:?}")))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Persist(ticket, bytes) => write!(f, "record {} {bytes:02x?}", ticket.get()),
            Self::Send(to, bytes) => write!(f, "message to {to} {bytes:02x?}"),
            Self::Event(event) => write!(f, "event {event}"),
        }
    }
}

fn encode<'a, T: Wire<'a>>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| format!("does not encode: {e}"))?;
    Ok(bytes)
}
