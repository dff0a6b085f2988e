//! `Migration`: its rules message by message, and simulated with faults.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance;
mod random;
mod rules;
mod storages;
mod wire;
mod world;
