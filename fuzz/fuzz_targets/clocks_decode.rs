//! Bytes as clocks, and as messages and records of causal delivery: no panic, and what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_clocks_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::decode(data) {
        panic!("{what}");
    }
});
