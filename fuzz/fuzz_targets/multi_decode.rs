//! Bytes as messages and records of Multi-Paxos: no panic, and what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_paxos_sim::multi::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::decode(data) {
        panic!("{what}");
    }
});
