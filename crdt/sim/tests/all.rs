//! The tests of replicas in the simulator.

mod hostile;
mod seeds;
