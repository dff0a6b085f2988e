//! A member of a ring of five that elects as Hirschberg and Sinclair do, the largest of the three ways.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Instant, Machine as _, NodeId};
use quorate_election::ring::{HirschbergSinclair, Ring};
use quorate_election::{Config, Event, Inline, Mode};

const FRAME_BYTES: usize = 128;

type Node = Ring<HirschbergSinclair, Inline<5>>;

program!(run, state = Node, content = 0);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let ring = [(); 5].map(|()| NodeId::new(port.u64()));
    let config = Config { mode: Mode::Classic, ..Config::radio() };
    let Ok(mut node) = Node::new(NodeId::new(port.u64()), &ring, config) else {
        return;
    };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        input(&mut node, port, &mut frame);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

#[inline(never)]
fn input(node: &mut Node, port: &mut Port, frame: &mut [u8]) {
    let done = match port.u8() {
        0 => machine::receive(node, port, frame),
        1 => machine::tick(node, port),
        2 => machine::checkpoint(node, port, frame),
        3 => {
            node.suspect(Instant::from_micros(port.u64()), NodeId::new(port.u64()));
            true
        }
        _ => {
            node.campaign(Instant::from_micros(port.u64()));
            true
        }
    };
    port.write(&[u8::from(done)]);
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
