//! Bytes as topologies, values, messages and records of the quorum store and of migrations: no panic, what decodes encodes to the same bytes, and merging keeps its laws.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_ring_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::decode(data) {
        panic!("{what}");
    }
});
