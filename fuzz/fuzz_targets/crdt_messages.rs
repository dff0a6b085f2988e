//! Bytes as messages to a replica: no panic, no end of talk, and a state that others can read.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../crdt/tests/hostile/attack.rs"]
mod attack;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = attack::messages(data) {
        panic!("{what}");
    }
});
