//! A node of one decision among five, with all roles, and values of 32 bytes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Instant, Machine as _, NodeId, Quorums};
use quorate_paxos::synod::{Config, Event, Synod, max_message_len, max_record_len};
use quorate_paxos::{Inline, Member};

const VALUE_BYTES: usize = 32;
const CONFIG: Config = Config::radio();
const FRAME_BYTES: usize = 96;

type Memory = Inline<5, VALUE_BYTES>;
type Node = Synod<Memory>;

const _: () = assert!(max_message_len::<Memory>(&CONFIG) <= FRAME_BYTES);
const _: () = assert!(max_record_len::<Memory>(&CONFIG) <= FRAME_BYTES);

// what it proposes, what it found, what it voted for, what was chosen
program!(run, state = Node, content = 4 * VALUE_BYTES);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let members = [(); 5].map(|()| Member::new(NodeId::new(port.u64())));
    let (id, seed) = (NodeId::new(port.u64()), port.u64());
    let Ok(mut node) = Node::new(id, &members, Quorums::majority(5), CONFIG, seed) else { return };
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
