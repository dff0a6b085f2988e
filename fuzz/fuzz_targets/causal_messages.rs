//! Bytes as messages to a member of a causal group: no panic, nothing before its causes, nothing twice, and no more kept than there is room for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_clocks_sim::hostile;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = hostile::messages(data) {
        panic!("{what}");
    }
});
