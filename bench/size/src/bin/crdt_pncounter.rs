//! A counter of four boards, up and down, without the machine: merged from bytes, sent as bytes.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program, state};
use quorate_clocks::{Actor, Inline};
use quorate_core::NodeId;
use quorate_crdt::{Crdt, PnCounter};

type Counter = PnCounter<Inline<4>>;

program!(run, state = Counter, content = 0);

fn run(port: &mut Port) {
    let me = Actor::from(NodeId::new(port.u64()));
    let mut counter = Counter::new();
    let merge = |counter: &mut _, other: &_| Crdt::merge(counter, other).is_ok();
    state::keep(&mut counter, port, merge, |counter, what, port| match what {
        2 => counter.increment(me, port.u64()).is_ok(),
        3 => counter.decrement(me, port.u64()).is_ok(),
        _ => {
            port.write(&counter.value().to_le_bytes());
            true
        }
    });
}
