//! A set of numbers to which every board adds and from which every board removes, whether it hears the others or not: an OR-set.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_firmware::gossip::{self, Roster};
use quorate_firmware::start;

#[entry]
fn main() -> ! {
    start(gossip::run::<Roster>)
}
