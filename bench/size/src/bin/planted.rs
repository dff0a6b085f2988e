//! Panics, on purpose: `cargo xtask size` must find that, or it would find nothing elsewhere.
#![no_std]
#![no_main]

use quorate_bench_size::{Port, program};

program!(run, state = (), content = 0);

/// Indexes where a byte from outside says.
fn run(port: &mut Port) {
    let table = [1, 1, 2, 3, 5, 8, 13];
    let at = usize::from(port.u8());
    port.write(&[table[at]]);
}
