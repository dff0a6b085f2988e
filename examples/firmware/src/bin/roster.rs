//! A set of numbers to which every board adds and from which every board removes, whether it hears the others or not: an OR-set.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_firmware::gossip::{self, Roster};
use quorate_firmware::{Setup, Stop, lm3s, semihosting};

#[entry]
fn main() -> ! {
    lm3s::start();
    let mut words = [0; 512];
    let words = semihosting::command_line(&mut words).unwrap_or_default();
    match Setup::parse(words) {
        Ok(setup) => gossip::run::<Roster>(&setup).tell(),
        Err(what) => {
            defmt::error!("{=str}", what);
            Stop::NoFlash.tell()
        }
    }
}
