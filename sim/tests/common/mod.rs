//! A small protocol to test the simulator with: it must find the planted bugs, and nothing without
//! one.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod max_register;
pub mod pinger;
mod subject;

pub use max_register::{MaxRegister, bug};
pub use subject::MaxRegisterSubject;
