//! A board that runs a [`Machine`](quorate_core::Machine): its serial lines, its flash, its clock and its sleep.
//!
//! There is no heap, no executor and no panic in it. [`Node`] is the whole loop: bytes from the lines become messages, records go to
//! flash before anything that depends on them leaves, and between two deadlines of the machine the core sleeps (`wfi`). It is generic over
//! the machine; what the board is for is a [`Program`] beside it, one of `src/bin`.
//!
//! | module | what it is | what another board needs there |
//! |---|---|---|
//! | [`Node`], [`Program`] | the loop | nothing |
//! | [`lm3s::Uart`] | a PL011 with an interrupt, rings both ways | its UART |
//! | [`lm3s::Clock`] | microseconds and wake-ups from SysTick | nothing, but for the core's frequency |
//! | [`lm3s::FileFlash`] | flash in a file of the host, by semihosting | its crate's `NorFlash` |
//! | [`semihosting`] | calls to the host, the log's way out | `defmt-rtt` instead |
//!
//! The board is TI's LM3S6965 (Cortex-M3, 64 KiB of RAM, three UARTs), which QEMU emulates as `lm3s6965evb`. UART0 is the command line,
//! UART1 and UART2 are lines to other nodes.
#![no_std]

pub mod gossip;
pub mod lm3s;
mod logger;
mod node;
mod ring;
pub mod semihosting;
mod setup;
mod start;

pub use node::{Desk, MAX_MESSAGE, MAX_RECORD, Node, Program, Stop};
pub use ring::Ring;
pub use setup::{MAX_PEERS, Setup};
pub use start::start;

/// Never linked: an image with a panic in it is refused by `cargo xtask firmware`.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::asm::udf()
}
