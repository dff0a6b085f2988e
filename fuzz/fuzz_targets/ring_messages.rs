//! Bytes as messages to a node of the quorum store, or to a migration: no panic, no end of talk, nothing changed by what is refused, and records from which it comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_ring_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::messages(data) {
        panic!("{what}");
    }
});
