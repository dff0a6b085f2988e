//! Bytes as a list of inputs to an election node: it does nothing it must not, and settles with honest nodes after.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_election_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::inputs(data) {
        panic!("{what}");
    }
});
