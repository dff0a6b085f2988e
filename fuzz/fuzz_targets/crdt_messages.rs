//! Bytes as messages to a replica: no panic, no end of talk, and a state that others can read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_crdt_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::messages(data) {
        panic!("{what}");
    }
});
