//! What the programs of all machines have in common.

use quorate_core::{Instant, Machine, NodeId, Output, Wire};

use crate::Port;

/// Replays records until the port says that there are no more. False for one that the machine refuses.
#[inline(never)]
pub fn boot<M: Machine>(machine: &mut M, port: &mut Port, frame: &mut [u8]) -> bool {
    while port.u8() != 0 {
        let Ok(record) = M::Record::from_slice(port.read(frame)) else { return false };
        if machine.restore(record).is_err() {
            return false;
        }
    }
    true
}

/// Decodes a message and hands it in.
#[inline(never)]
pub fn receive<M: Machine>(machine: &mut M, port: &mut Port, frame: &mut [u8]) -> bool {
    let (now, from) = (Instant::from_micros(port.u64()), NodeId::new(port.u64()));
    M::Message::from_slice(port.read(frame)).is_ok_and(|m| machine.receive(now, from, m).is_ok())
}

/// Lets time pass.
#[inline(never)]
pub fn tick(machine: &mut impl Machine, port: &mut Port) -> bool {
    machine.tick(Instant::from_micros(port.u64()));
    true
}

/// Polls until there is nothing more, returning the ticket of what was written, and tells the deadline.
#[inline(never)]
pub fn drain<M: Machine>(
    machine: &mut M,
    port: &mut Port,
    frame: &mut [u8],
    tell: impl Fn(M::Event<'_>, &mut Port),
) {
    loop {
        let mut last = None;
        while let Some(output) = machine.poll() {
            match output {
                Output::Persist(ticket, record) => {
                    send(port, frame, &record);
                    last = Some(ticket);
                }
                Output::Send(to, message) => {
                    port.write(&to.get().to_le_bytes());
                    send(port, frame, &message);
                }
                Output::Event(event) => tell(event, port),
            }
        }
        let Some(ticket) = last else { break };
        machine.persisted(ticket);
    }
    let deadline = machine.deadline().unwrap_or(Instant::MAX);
    port.write(&deadline.as_micros().to_le_bytes());
}

/// Writes out the fewest records that restore the machine.
#[inline(never)]
pub fn checkpoint<M: Machine>(machine: &M, port: &mut Port, frame: &mut [u8]) -> bool {
    machine.checkpoint().for_each(|record| send(port, frame, &record));
    true
}

fn send<'a>(port: &mut Port, frame: &mut [u8], value: &impl Wire<'a>) {
    if let Ok(bytes) = value.to_slice(frame) {
        port.write(bytes);
    }
}
