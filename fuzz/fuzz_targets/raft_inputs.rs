//! Bytes as a list of inputs to a node: it neither panics nor stops, keeps what it promised, and follows an honest leader after.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_raft_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::inputs(data) {
        panic!("{what}");
    }
});
