//! A bench for boards that exist only in an emulator: it starts them, wires their serial lines to each other and to server processes, cuts
//! and disturbs the wires, takes the power away, and types on their consoles.
//!
//! ```text
//!             console 1        console 2        console 3           the bench: a socket for every UART
//!                 │                │                │
//!             ┌───┴───┐  wire  ┌───┴───┐  wire  ┌───┴───┐
//!             │   1   ├───╳────┤   2   ├────────┤   3   │           boards (QEMU), servers (processes)
//!             └───┬───┘  cut   └───────┘  noise └───┬───┘
//!                 └─────────────────────────────────┘
//! ```
//!
//! [`TestBench`] is the bench. A [`Program`] is what runs on the boards, with its [`Scenario`]s:
//! [`setpoint`], [`bully`], [`gossip`], [`register`] and [`synod`]. [`runner`](mod@runner) runs scenarios one after another and prints
//! what came out, [`live`] is for a person to play with. The program `boards` is both:
//!
//! ```text
//! boards run  --image IMAGE --server PROGRAM [--scenario NAME] [--seed N] [--keep]
//! boards live --image IMAGE --server PROGRAM [--with-server]
//! ```
//!
//! `cargo xtask firmware` and `cargo xtask boards` build the images and call it.
//!
//! # Another program
//!
//! A program needs an image that reads its setup from semihosting's command line ([`board::Board`]
//! says how), a console of lines ([`Console`] says which), and a `const` [`Program`]: how its
//! status is read, frames that a board must refuse, and scenarios. A scenario is a function that
//! gets a [`TestBench`] with everything wired and nothing started, and says what it measured or
//! what is wrong. Then it joins [`PROGRAMS`].
#![forbid(unsafe_code)]

pub mod board;
pub mod bully;
mod console;
mod failure;
pub mod gossip;
mod journal;
pub mod launch;
pub mod live;
mod logs;
pub mod noise;
mod process;
mod program;
pub mod register;
pub mod runner;
pub mod setpoint;
mod stall;
mod status;
pub mod synod;
mod table;
mod test_bench;
mod uart_socket;
mod wait;
pub mod wire;

pub use console::{Console, NoReply, Reply};
pub use failure::Failure;
pub use journal::{Journal, Line};
pub use process::Server;
pub use program::{PROGRAMS, Program, Scenario};
pub use status::Status;
pub use test_bench::TestBench;
