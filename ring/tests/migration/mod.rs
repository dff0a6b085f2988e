//! `Migration`: its rules message by message, simulated with faults, and explored by the model checker.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance;
mod model;
mod random;
mod rules;
mod storages;
mod wire;
mod world;
