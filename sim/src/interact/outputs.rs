use std::collections::{BTreeSet, VecDeque};

use quorate_core::{Machine, NodeId, Sink, Ticket, Wire};

use super::{Error, Protocol};

/// What a node's machine asks for: the sink it is drained into.
pub(super) struct Outputs<'a, P: Protocol> {
    pub(super) node: u64,
    pub(super) show: Show,
    pub(super) protocol: &'a mut P,
    /// Writes that are not done.
    pub(super) waiting: &'a mut Vec<(Ticket, Vec<u8>)>,
    pub(super) blocked: &'a BTreeSet<(u64, u64)>,
    pub(super) in_flight: &'a mut VecDeque<Envelope>,
    /// Messages that all nodes sent.
    pub(super) sent: &'a mut u64,
    /// What is printed.
    pub(super) lines: Vec<String>,
    pub(super) count: usize,
    /// A record was among the outputs.
    pub(super) wrote: bool,
}

/// A message in flight.
#[derive(Clone)]
pub(super) struct Envelope {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: u64,
    /// How many had been sent when it was, itself included.
    pub(super) order: u64,
}

/// How much is printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Show {
    Nothing,
    Events,
    All,
}

/// More messages than this without a pause, or outputs of one node, are a storm.
pub(super) const MAX_STEPS: usize = 10_000;

impl<P: Protocol> Outputs<'_, P> {
    fn count_output(&mut self) -> Result<(), Error> {
        self.count += 1;
        if self.count > MAX_STEPS {
            return Err(Error::Violation(format!("node {} never gets quiet", self.node)));
        }
        Ok(())
    }

    fn print(&mut self, level: Show, line: impl FnOnce() -> String) {
        if level <= self.show {
            self.lines.push(line());
        }
    }
}

impl<P: Protocol> Sink<P::Machine> for Outputs<'_, P> {
    type Error = Error;

    fn persist(
        &mut self,
        ticket: Ticket,
        record: <P::Machine as Machine>::Record<'_>,
    ) -> Result<(), Error> {
        self.count_output()?;
        self.wrote = true;
        let node = self.node;
        self.print(Show::All, || format!("  {node} writes {}", P::format_record(&record)));
        self.protocol.issued(NodeId::new(node), &record);
        self.waiting.push((ticket, encode(&record)?));
        Ok(())
    }

    fn send(
        &mut self,
        to: NodeId,
        message: <P::Machine as Machine>::Message<'_>,
    ) -> Result<(), Error> {
        self.count_output()?;
        let node = self.node;
        self.protocol.sent(NodeId::new(node), to, &message);
        *self.sent += 1;
        let to = to.get();
        let lost = self.blocked.contains(&(node, to));
        let mark = if lost { " (dropped)" } else { "" };
        self.print(Show::All, || format!("  {node}->{to}  {}{mark}", P::format_message(&message)));
        if !lost {
            let (bytes, digest) = (encode(&message)?, P::message_digest(&message));
            let order = *self.sent;
            self.in_flight.push_back(Envelope { from: node, to, bytes, digest, order });
        }
        Ok(())
    }

    fn event(&mut self, event: <P::Machine as Machine>::Event<'_>) -> Result<(), Error> {
        self.count_output()?;
        let node = self.node;
        let event = self.protocol.handle_event(NodeId::new(node), &event);
        self.print(Show::Events, || format!("  {node} event: {event}"));
        Ok(())
    }
}

pub(super) fn encode<'a, T: Wire<'a>>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| format!("does not encode: {e}"))?;
    Ok(bytes)
}
