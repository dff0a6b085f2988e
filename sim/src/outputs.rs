use quorate_core::{Instant, Machine, NodeId, Rng, Sink, Ticket, Wire};

use crate::host::CrashPoint;
use crate::load::Load;
use crate::network::Envelope;
use crate::trace::Trace;
use crate::{Disk, Marks, Subject};

/// What a node's machine asks for in one turn: the sink it is drained into. Every message and record goes through its encoded form.
pub(crate) struct Outputs<'a, S: Subject> {
    pub(crate) node: usize,
    /// Virtual time, and what the node's clock shows.
    pub(crate) now: (u64, Instant),
    pub(crate) crash_point: Option<CrashPoint>,
    /// What the transport drops is longer than this, if it drops anything for that.
    pub(crate) frame_bytes: Option<usize>,
    /// Outputs of this step of the node, turns before this one included.
    pub(crate) count: &'a mut u64,
    /// Messages that are handed to the network when the turn ends.
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) disk: &'a mut Disk,
    pub(crate) subject: &'a mut S,
    pub(crate) marks: &'a mut Marks,
    pub(crate) trace: &'a mut Trace,
    pub(crate) load: &'a mut Load,
    pub(crate) rng: &'a mut Rng,
    pub(crate) buffer: &'a mut [u8],
    /// A node, and the messages it sent and was sent.
    pub(crate) watched: &'a mut (usize, u64),
}

/// Why a turn ends before the machine has nothing left to do.
pub(crate) enum Stop {
    /// An aimed crash struck: what is left is never seen.
    Crash,
    /// Something was violated.
    Violation(String),
}

impl From<String> for Stop {
    fn from(what: String) -> Self {
        Self::Violation(what)
    }
}

impl<S: Subject> Outputs<'_, S> {
    fn count_output(&mut self) -> Result<(), String> {
        *self.count += 1;
        if *self.count > self.subject.max_outputs_per_step() {
            return Err(format!("node {} never gets quiet: {} outputs", self.node + 1, self.count));
        }
        Ok(())
    }
}

impl<S: Subject> Sink<S::Machine> for Outputs<'_, S> {
    type Error = Stop;

    fn persist(
        &mut self,
        ticket: Ticket,
        record: <S::Machine as Machine>::Record<'_>,
    ) -> Result<(), Stop> {
        self.count_output()?;
        let (node, now) = (self.node, self.now.0);
        let bytes = encode(&record, self.buffer)?;
        self.trace.line(now, || format!("{} writes {}", node + 1, S::format_record(&record)));
        self.trace.mix(&[now, node as u64, ticket.get()], &bytes);
        let decoded = <S::Machine as Machine>::Record::from_slice(&bytes)
            .map_err(|e| format!("a record does not decode: {e}"))?;
        self.subject.issued(node, decoded)?;
        self.disk.write(ticket, bytes);
        Ok(())
    }

    fn send(
        &mut self,
        to: NodeId,
        message: <S::Machine as Machine>::Message<'_>,
    ) -> Result<(), Stop> {
        self.count_output()?;
        let node = self.node;
        let bytes = encode(&message, self.buffer)?;
        let decoded = <S::Machine as Machine>::Message::from_slice(&bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        self.subject.sent(node, to, decoded)?;
        let count = self.load.send(self.now.0);
        if count > self.subject.max_messages_per_second() {
            return Err(Stop::Violation(format!("a storm: {count} messages in a second")));
        }
        let to = to.get() as usize - 1;
        if [node, to].contains(&self.watched.0) {
            self.watched.1 += 1;
        }
        if self.frame_bytes.is_some_and(|most| bytes.len() > most) {
            self.marks.hit("message longer than a frame");
            return Ok(());
        }
        self.envelopes.push(Envelope { from: node, to, bytes, order: self.load.sent });
        if self.crash_point == Some(CrashPoint::AfterSend) && self.rng.chance(1, 3) {
            self.marks.hit("crash after a send");
            return Err(Stop::Crash);
        }
        Ok(())
    }

    fn event(&mut self, event: <S::Machine as Machine>::Event<'_>) -> Result<(), Stop> {
        self.count_output()?;
        let (node, (now, local)) = (self.node, self.now);
        self.trace.line(now, || format!("{} event: {}", node + 1, S::format_event(&event)));
        let point = self.subject.event(node, local, event, self.marks)?;
        if let Some(point) = point
            && self.crash_point == Some(CrashPoint::AtEvent)
            && self.rng.chance(1, 4)
        {
            self.marks.hit(point);
            return Err(Stop::Crash);
        }
        Ok(())
    }
}

pub(crate) fn encode<'a, T: Wire<'a>>(value: &T, buffer: &mut [u8]) -> Result<Vec<u8>, String> {
    value.to_slice(buffer).map(<[u8]>::to_vec).map_err(|e| format!("larger than any frame: {e}"))
}
