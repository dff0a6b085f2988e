//! The tests of Paxos in the simulator: `cargo xtask mutants` runs them with each mutant that the tests beside the machines let
//! pass.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/replay.rs"]
mod corpus;
mod hostile;
mod multi;
mod register;
mod seeds;
