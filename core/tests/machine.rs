//! What a machine has without saying so.
#![allow(clippy::unwrap_used)]

use quorate_core::{
    Corrupt, DecodeError, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections, Ticket,
    Wire, Writer,
};

#[derive(Debug, PartialEq)]
struct Nothing;

impl Wire<'_> for Nothing {
    fn encode(&self, _out: &mut Writer<'_>) {}
    fn decode(_input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

struct Idle;

impl Machine for Idle {
    type Message<'a> = Nothing;
    type Record<'a> = Nothing;
    type Event<'a> = u8;
    type Status = ();

    fn restore(&mut self, _record: Nothing) -> Result<(), Corrupt> {
        Ok(())
    }
    fn receive(&mut self, _now: Instant, _from: NodeId, _message: Nothing) -> Result<(), Rejected> {
        Ok(())
    }
    fn tick(&mut self, _now: Instant) {}
    fn persisted(&mut self, _ticket: Ticket) {}
    fn poll(&mut self) -> Option<Output<'_, Self>> {
        None
    }
    fn status(&self) {}
    fn rejections(&self) -> Rejections {
        Rejections::default()
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn checkpoint(&self) -> impl Iterator<Item = Nothing> {
        core::iter::empty()
    }
}

#[test]
fn lengths_are_unknown_and_nothing_is_wrong_unless_told() {
    assert_eq!((Idle.max_message_len(), Idle.max_record_len()), (None, None));
    assert_eq!(Idle.fatal(), None);
}

#[test]
fn outputs_are_shown_with_what_is_in_them() {
    let shown = |output: Output<'_, Idle>| format!("{output:?}");
    assert_eq!(shown(Output::Persist(Ticket::default(), Nothing)), "Persist(Ticket(0), Nothing)");
    assert_eq!(shown(Output::Send(NodeId::new(2), Nothing)), "Send(NodeId(2), Nothing)");
    assert_eq!(shown(Output::Event(7)), "Event(7)");
}
