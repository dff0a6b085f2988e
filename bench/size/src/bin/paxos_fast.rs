//! A node of Fast Paxos among five, with values of 32 bytes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Instant, Machine as _, NodeId};
use quorate_paxos::Inline;
use quorate_paxos::fast::{Config, FastPaxos, FastQuorums};
use quorate_paxos::synod::{Event, max_message_len};

const VALUE_BYTES: usize = 32;
const CONFIG: Config = Config::radio();
const FRAME_BYTES: usize = 96;

type Memory = Inline<5, VALUE_BYTES>;
type Node = FastPaxos<Memory>;

const _: () = assert!(max_message_len::<Memory>(&CONFIG) <= FRAME_BYTES);

// what it proposes, what it found, what it voted for, what was chosen, and the votes of all
program!(run, state = Node, content = 9 * VALUE_BYTES);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| NodeId::new(port.u64()));
    let (id, seed) = (NodeId::new(port.u64()), port.u64());
    let quorums = FastQuorums::minimal(5);
    let Ok(mut node) = Node::new(id, &members, quorums, CONFIG, seed) else { return };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = match port.u8() {
            0 => machine::receive(&mut node, port, &mut frame),
            1 => machine::tick(&mut node, port),
            2 => machine::checkpoint(&node, port, &mut frame),
            3 => propose(&mut node, port, &mut frame),
            4 => {
                node.found();
                true
            }
            5 => {
                node.learn(Instant::from_micros(port.u64()));
                true
            }
            _ => node.rejections().total() == 0,
        };
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, tell);
    }
}

#[inline(never)]
fn propose(node: &mut Node, port: &mut Port, frame: &mut [u8]) -> bool {
    let now = Instant::from_micros(port.u64());
    node.propose(now, port.read(frame)).is_ok()
}

#[inline(never)]
fn tell(event: Event<'_>, port: &mut Port) {
    match event {
        Event::Decided { value } => port.write(value),
        _ => port.write(b"?"),
    }
}
