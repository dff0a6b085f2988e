//! Bytes as clocks, and as messages and records of causal delivery: no panic, and what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../clocks/tests/hostile/attack.rs"]
mod attack;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = attack::decode(data) {
        panic!("{what}");
    }
});
