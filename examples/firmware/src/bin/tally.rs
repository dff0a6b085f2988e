//! A counter that every board counts up and down, whether it hears the others or not: a PN-counter.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_firmware::gossip::{self, Tally};
use quorate_firmware::start;

#[entry]
fn main() -> ! {
    start(gossip::run::<Tally>)
}
