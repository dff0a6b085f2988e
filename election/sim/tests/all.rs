//! The tests of elections in the simulator, but for the model checker's: `cargo xtask mutants` runs them with each mutant
//! that the tests beside the machines let pass.

mod hostile;
mod seeds;
