//! A member of a group of five that is given broadcasts in causal order: six messages of 32 bytes held, everything durable.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_clocks::causal::{Config, Event};
use quorate_clocks::{Causal, Inline};
use quorate_core::{Machine as _, NodeId};

const FRAME_BYTES: usize = 256;

type Node = Causal<Inline<5>, Inline<6>, Inline<32>>;

program!(run, state = Node, content = 6 * 32);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| NodeId::new(port.u64()));
    let me = NodeId::new(port.u64()).into();
    let Ok(mut node) = Node::new(me, &members, Config::radio()) else { return };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = match port.u8() {
            0 => machine::receive(&mut node, port, &mut frame),
            1 => machine::tick(&mut node, port),
            2 => machine::checkpoint(&node, port, &mut frame),
            3 => broadcast(&mut node, port),
            4 => resume(&mut node),
            _ => node.gap().is_none() && node.stored() == 0,
        };
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

#[inline(never)]
fn broadcast(node: &mut Node, port: &mut Port) -> bool {
    let mut payload = [0; 32];
    let payload = port.read(&mut payload);
    node.broadcast(payload).is_ok()
}

/// As if the application had taken in a state that has all that is stable.
#[inline(never)]
fn resume(node: &mut Node) -> bool {
    let stable = node.stable();
    node.resume(&stable).is_ok()
}

#[inline(never)]
fn tell(event: Event<'_>, port: &mut Port) {
    match event {
        Event::Deliver { payload, .. } => port.write(payload),
        Event::Behind { peer } => port.write(&peer.get().to_le_bytes()),
        _ => port.write(b"?"),
    }
}
