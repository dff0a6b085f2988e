//! An acceptor of one decision by itself, among five nodes, with values of 32 bytes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, machine, program};
use quorate_core::{Machine as _, NodeId, Quorums};
use quorate_paxos::synod::{Acceptor, Config, max_message_len};
use quorate_paxos::{Inline, Member, Roles};

const VALUE_BYTES: usize = 32;
const CONFIG: Config = Config::radio();
const FRAME_BYTES: usize = 96;

type Memory = Inline<5, VALUE_BYTES>;
type Node = Acceptor<Memory>;

const _: () = assert!(max_message_len::<Memory>(&CONFIG) <= FRAME_BYTES);

// what it voted for
program!(run, state = Node, content = VALUE_BYTES);

/// Boots from the records on the port, then does what the port says.
fn run(port: &mut Port) {
    let mut frame = [0; FRAME_BYTES];
    let member = |roles| move |id| Member::new(NodeId::new(id)).with_roles(roles);
    let [a, b, c] = [(); 3].map(|()| port.u64()).map(member(Roles::ACCEPTOR));
    let [d, e] = [(); 2].map(|()| port.u64()).map(member(Roles::PROPOSER));
    let (id, quorums) = (NodeId::new(port.u64()), Quorums::majority(3));
    let Ok(mut node) = Node::new(id, &[a, b, c, d, e], quorums, CONFIG) else { return };
    if !machine::boot(&mut node, port, &mut frame) {
        return;
    }
    loop {
        let done = match port.u8() {
            0 => machine::receive(&mut node, port, &mut frame),
            1 => {
                node.found();
                true
            }
            _ => node.rejections().total() == 0,
        };
        port.write(&[u8::from(done)]);
        machine::drain(&mut node, port, &mut frame, |_, _| {});
    }
}
