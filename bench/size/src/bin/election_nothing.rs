//! The program of the elections around a machine that does nothing: what it takes is no election's, but theirs to be compared
//! with.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};
use quorate_election::{Epoch, Record};

const FRAME_BYTES: usize = 64;

program!(run, state = Nothing, content = 0);

/// Says what it heard last, and keeps it.
struct Nothing {
    members: [NodeId; 5],
    now: Instant,
    last: Option<Epoch>,
    ticket: Ticket,
}

impl Machine for Nothing {
    type Message<'a> = Epoch;
    type Record<'a> = Record;
    type Event<'a> = Epoch;
    type Status = ();

    fn restore(&mut self, record: Record) -> Result<(), Corrupt> {
        self.last = Some(record.epoch);
        Ok(())
    }

    fn receive(&mut self, now: Instant, _from: NodeId, message: Epoch) -> Result<(), Rejected> {
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
        let epoch = self.last.take()?;
        Some(match epoch.owner() {
            0 => Output::Persist(self.ticket, Record { epoch }),
            1 => Output::Event(epoch),
            _ => Output::Send(self.members[0], epoch),
        })
    }

    fn status(&self) {}

    fn rejections(&self) -> Rejections {
        Rejections::default()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.now)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record> {
        self.last.map(|epoch| Record { epoch }).into_iter()
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
fn tell(event: Epoch, port: &mut Port) {
    port.write(&event.token().to_le_bytes());
}
