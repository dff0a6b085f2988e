//! The tests of causal groups in the simulator.

mod hostile;
mod seeds;
