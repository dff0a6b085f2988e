//! A counter that every board counts up and down, whether it hears the others or not: a PN-counter.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_firmware::gossip::{self, Tally};
use quorate_firmware::{Setup, Stop, lm3s, semihosting};

#[entry]
fn main() -> ! {
    lm3s::start();
    let mut words = [0; 512];
    let words = semihosting::command_line(&mut words).unwrap_or_default();
    match Setup::parse(words) {
        Ok(setup) => gossip::run::<Tally>(&setup).tell(),
        Err(what) => {
            defmt::error!("{=str}", what);
            Stop::NoFlash.tell()
        }
    }
}
