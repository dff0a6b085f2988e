//! The tests of Raft in the simulator that notice most, in one program, which `cargo xtask mutants` runs with each mutant that
//! Raft's own tests let pass. `cargo test` leaves it out, as it runs them one by one.

#[path = "hostile.rs"]
mod hostile;
#[path = "seeds.rs"]
mod seeds;
