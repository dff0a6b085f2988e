//! Bytes as states and deltas of every data type: no panic, what decodes encodes to the same bytes, and the laws hold for whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_crdt_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::decode(data) {
        panic!("{what}");
    }
});
