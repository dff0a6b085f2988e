//! The tests of Raft that notice most, in one program: `cargo xtask mutants` builds and runs it for each mutant that Raft's own tests
//! let pass. `cargo test` leaves it out, as it runs them one by one.

#[path = "raft_hostile.rs"]
mod hostile;
#[path = "raft_scenarios.rs"]
mod scenarios;
#[path = "raft_seeds.rs"]
mod seeds;
