//! Bytes as a list of inputs to a node of a log: it does nothing it must not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_paxos_sim::multi::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::inputs(data) {
        panic!("{what}");
    }
});
