//! Bytes as a list of inputs to a node of Paxos: it does nothing it must not, and learns from honest nodes after.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_paxos_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::inputs(data) {
        panic!("{what}");
    }
});
