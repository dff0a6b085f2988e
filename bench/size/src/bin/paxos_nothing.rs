//! The program of a decision around a machine that does nothing: what it takes is not that of Paxos, but theirs to be compared with.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};
use quorate_paxos::Ballot;

const FRAME_BYTES: usize = 96;

program!(run, state = Nothing, content = 0);

/// Says what it heard last, and keeps it.
struct Nothing {
    members: [NodeId; 5],
    now: Instant,
    last: Option<Ballot>,
    ticket: Ticket,
}

impl Machine for Nothing {
    type Message<'a> = Ballot;
    type Record<'a> = Ballot;
    type Event<'a> = Ballot;
    type Status = ();

    fn restore(&mut self, record: Ballot) -> Result<(), Corrupt> {
        self.last = Some(record);
        Ok(())
    }

    fn receive(&mut self, now: Instant, _from: NodeId, message: Ballot) -> Result<(), Rejected> {
        self.now = now;
        self.last = Some(message);
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        self.now = now;
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.ticket = ticket;
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let ballot = self.last.take()?;
        Some(match ballot.round {
            0 => Output::Persist(self.ticket, ballot),
            1 => Output::Event(ballot),
            _ => Output::Send(self.members[0], ballot),
        })
    }

    fn status(&self) {}

    fn rejections(&self) -> Rejections {
        Rejections::default()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.now)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Ballot> {
        self.last.into_iter()
    }
}

fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| NodeId::new(port.u64()));
    let mut node = Nothing { members, now: Instant::ZERO, last: None, ticket: Ticket::default() };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = match port.u8() {
            0 => machine::receive(&mut node, port, &mut frame),
            1 => machine::tick(&mut node, port),
            2 => machine::checkpoint(&node, port, &mut frame),
            _ => false,
        };
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

#[inline(never)]
fn tell(event: Ballot, port: &mut Port) {
    port.write(&event.round.to_le_bytes());
}
