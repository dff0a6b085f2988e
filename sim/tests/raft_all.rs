//! The tests of Raft that notice most, in one program, which `cargo xtask mutants` runs with each mutant that Raft's own tests let
//! pass. `cargo test` leaves it out, as it runs them one by one.

#[path = "raft_hostile.rs"]
mod hostile;
#[path = "raft_scenarios.rs"]
mod scenarios;
#[path = "raft_seeds.rs"]
mod seeds;
