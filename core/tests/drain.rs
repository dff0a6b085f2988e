//! Outputs that a sink takes, and refuses.
#![allow(clippy::unwrap_used)]

use quorate_core::{
    Corrupt, DecodeError, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections, Sink,
    Ticket, Wire, Writer,
};

#[derive(Debug, PartialEq)]
struct Number(u64);

impl Wire<'_> for Number {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u64().map(Self)
    }
}

/// Gives a record, a message and an event, in turns, as many as it has left.
struct Turns {
    left: u64,
}

impl Machine for Turns {
    type Message<'a> = Number;
    type Record<'a> = Number;
    type Event<'a> = u64;
    type Status = ();

    fn restore(&mut self, _record: Number) -> Result<(), Corrupt> {
        Ok(())
    }
    fn receive(&mut self, _now: Instant, _from: NodeId, _message: Number) -> Result<(), Rejected> {
        Ok(())
    }
    fn tick(&mut self, _now: Instant) {}
    fn persisted(&mut self, _ticket: Ticket) {}
    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.left = self.left.checked_sub(1)?;
        Some(match self.left % 3 {
            2 => Output::Persist(Ticket::default(), Number(self.left)),
            1 => Output::Send(NodeId::new(1), Number(self.left)),
            _ => Output::Event(self.left),
        })
    }
    fn status(&self) {}
    fn rejections(&self) -> Rejections {
        Rejections::default()
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn checkpoint(&self) -> impl Iterator<Item = Number> {
        core::iter::empty()
    }
}

/// Takes outputs until one has this number.
struct Until {
    last: u64,
    taken: Vec<(&'static str, u64)>,
}

impl Until {
    fn take(&mut self, what: &'static str, number: u64) -> Result<(), u64> {
        if number == self.last {
            return Err(number);
        }
        self.taken.push((what, number));
        Ok(())
    }
}

impl Sink<Turns> for Until {
    type Error = u64;

    fn persist(&mut self, _ticket: Ticket, record: Number) -> Result<(), u64> {
        self.take("persist", record.0)
    }
    fn send(&mut self, _to: NodeId, message: Number) -> Result<(), u64> {
        self.take("send", message.0)
    }
    fn event(&mut self, event: u64) -> Result<(), u64> {
        self.take("event", event)
    }
}

#[test]
fn all_outputs_go_to_the_sink_in_the_order_of_poll() {
    let (mut machine, mut sink) = (Turns { left: 4 }, Until { last: u64::MAX, taken: vec![] });
    assert_eq!(machine.drain(&mut sink), Ok(()));
    assert_eq!(sink.taken, [("event", 3), ("persist", 2), ("send", 1), ("event", 0)]);
    assert!(machine.poll().is_none());
}

#[test]
fn an_error_of_the_sink_leaves_the_rest_for_the_next_call() {
    for last in [2, 1, 0] {
        let (mut machine, mut sink) = (Turns { left: 4 }, Until { last, taken: vec![] });
        assert_eq!(machine.drain(&mut sink), Err(last));
        assert_eq!((sink.taken.len() as u64, machine.left), (3 - last, last));
        sink.last = u64::MAX;
        assert_eq!(machine.drain(&mut sink), Ok(()));
        assert_eq!(sink.taken.len(), 3, "all but the one that was refused");
    }
}

#[cfg(feature = "alloc")]
#[test]
fn bytes_in_a_vector_are_those_in_a_slice() {
    for number in [0, 127, 128, 1 << 14, u64::MAX] {
        let (value, mut buffer) = (Number(number), [0; 10]);
        assert_eq!(value.to_vec(), value.to_slice(&mut buffer).unwrap());
        assert_eq!(value.to_vec().capacity(), value.encoded_len());
    }
}
