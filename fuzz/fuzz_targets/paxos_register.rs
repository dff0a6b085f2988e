//! Bytes as a list of inputs to a node of registers: it does nothing it must not, and answers a request with honest nodes after.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_paxos_sim::register_hostile as hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::decode(data).and_then(|()| hostile::inputs(data)) {
        panic!("{what}");
    }
});
