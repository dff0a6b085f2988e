//! Bytes as signs of life and questions at absurd times: detectors keep what they foretell.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_election_sim::detectors;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = detectors(data) {
        panic!("{what}");
    }
});
