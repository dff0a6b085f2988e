//! The LM3S6965: its clock, its UARTs, and a flash.

mod clock;
mod flash;
mod register;
mod uart;

pub use clock::Clock;
pub use flash::FileFlash;
pub use uart::{CONSOLE, LINES, Uart};

use register::Register;

/// Cycles of the core in a microsecond, times two: 12.5 MHz.
const HALF_CYCLES_PER_US: u64 = 25;
const HZ: u32 = 12_500_000;

/// Starts the clock and the UARTs.
pub fn start() {
    // the PLL from an 8 MHz crystal, divided by 16 (datasheet 6.3: bypass, set up, wait for the lock, use)
    const RCC: Register = Register(0x400f_e060);
    const RIS: Register = Register(0x400f_e050);
    const BYPASS: u32 = 1 << 11;
    let setup = (0xf << 23) | (1 << 22) | (0xe << 6);
    RCC.write(RCC.read() | BYPASS);
    RCC.write(setup | BYPASS);
    for _ in 0..100_000 {
        if RIS.read() & (1 << 6) != 0 {
            break;
        }
    }
    RCC.write(setup);
    uart::start();
    Clock::start();
}
