//! All tests of the crate, in one program.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod conformance;
mod fast;
mod multi;
mod register;
mod scenarios;
mod synod;
mod wire;
