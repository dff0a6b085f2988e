//! A set of sixteen numbers that four boards add to and remove from, without the machine: merged from bytes, sent as bytes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program, state};
use quorate_clocks::{Actor, Inline};
use quorate_core::NodeId;
use quorate_crdt::{Crdt, OrSet};

type Set = OrSet<u16, Inline<16>, Inline<4>>;

program!(run, state = Set, content = 0);

fn run(port: &mut Port) {
    let me = Actor::from(NodeId::new(port.u64()));
    let mut set = Set::new();
    let merge = |set: &mut _, other: &_| Crdt::merge(set, other).is_ok();
    state::keep(&mut set, port, merge, |set, what, port| match what {
        2 => set.add(me, port.u64() as u16).is_ok(),
        3 => {
            set.remove(&(port.u64() as u16));
            true
        }
        4 => set.contains(&(port.u64() as u16)),
        _ => {
            set.iter().for_each(|element| port.write(&element.to_le_bytes()));
            true
        }
    });
}
