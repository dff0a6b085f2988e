//! Bytes as states and deltas of every data type: no panic, what decodes encodes to the same bytes, and the laws hold for whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../crdt/tests/hostile/attack.rs"]
mod attack;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = attack::decode(data) {
        panic!("{what}");
    }
});
