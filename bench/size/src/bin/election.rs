//! A member of a group of five that elects by bullying, in whatever mode.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Machine as _, NodeId};
use quorate_election::{Bully, Config, Event, Inline};

const FRAME_BYTES: usize = 64;

type Node = Bully<Inline<5>>;

program!(run, state = Node, content = 0);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| NodeId::new(port.u64()));
    let Ok(mut node) = Node::new(NodeId::new(port.u64()), &members, Config::radio()) else {
        return;
    };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = match port.u8() {
            0 => machine::receive(&mut node, port, &mut frame),
            1 => machine::tick(&mut node, port),
            2 => machine::checkpoint(&node, port, &mut frame),
            _ => node.rejections().total() == 0,
        };
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

#[inline(never)]
fn tell(event: Event, port: &mut Port) {
    match event {
        Event::Leading { epoch } => port.write(&epoch.token().to_le_bytes()),
        Event::Following { leader, epoch } => {
            port.write(&leader.get().to_le_bytes());
            port.write(&epoch.token().to_le_bytes());
        }
        _ => port.write(b"?"),
    }
}
