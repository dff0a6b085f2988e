//! The tests of elections in the simulator, except those of the model checker: `cargo xtask mutants` runs them with each mutant
//! that the tests beside the machines let pass.

mod hostile;
mod seeds;
