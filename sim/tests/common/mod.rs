//! A toy protocol to try the simulator on: it must find what is wrong with it, and nothing in what is right.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

mod keeper;
mod toy;

pub use keeper::bug;
pub use toy::Toy;
