//! The tests of Raft in the simulator, but for the model checker's: `cargo xtask mutants` runs them with each mutant
//! that the tests beside the machines let pass.

mod hostile;
mod interact;
mod seeds;
mod shrink;
