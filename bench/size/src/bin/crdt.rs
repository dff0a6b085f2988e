//! A replica of a group of five with a set to which all add and from which all remove: anti-entropy over lossy links, deltas kept in 512
//! bytes, everything durable.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_clocks::{Actor, Inline};
use quorate_core::{Machine as _, NodeId};
use quorate_crdt::{Config, Event, OrSet, Replica};

const FRAME_BYTES: usize = 1024;

/// Sixteen elements, of two bytes each.
type Set = OrSet<u16, Inline<16>>;
type Node = Replica<Set, Inline<4>, Inline<512>>;

program!(run, state = Node, content = 512 + size_of::<Set>());

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| NodeId::new(port.u64()));
    let me = Actor::from(NodeId::new(port.u64()));
    let Ok(mut node) = Node::new(me, &members, Set::new(), Config::default()) else { return };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = match port.u8() {
            0 => machine::receive(&mut node, port, &mut frame),
            1 => machine::tick(&mut node, port),
            2 => machine::checkpoint(&node, port, &mut frame),
            3 => add(&mut node, port),
            4 => remove(&mut node, port),
            _ => list(&node, port),
        };
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

#[inline(never)]
fn add(node: &mut Node, port: &mut Port) -> bool {
    let element = u16::from(port.u8());
    node.update(|set, me| set.add(me, element)).is_ok()
}

#[inline(never)]
fn remove(node: &mut Node, port: &mut Port) -> bool {
    let element = u16::from(port.u8());
    node.update(|set, _| Ok::<_, core::convert::Infallible>(set.remove(&element))).is_ok()
}

#[inline(never)]
fn list(node: &Node, port: &mut Port) -> bool {
    node.state().iter().for_each(|element| port.write(&element.to_le_bytes()));
    true
}

#[inline(never)]
fn tell(event: Event, port: &mut Port) {
    match event {
        Event::Changed => port.write(b"!"),
        Event::Full(peer) => port.write(&peer.get().to_le_bytes()),
        _ => port.write(b"?"),
    }
}
