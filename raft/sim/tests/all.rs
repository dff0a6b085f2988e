//! The tests of Raft in the simulator, except those of the model checker: `cargo xtask mutants` runs them with each mutant
//! that the tests beside the machines let pass.

mod hostile;
mod interact;
mod seeds;
mod shrink;
