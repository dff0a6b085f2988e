//! The tests of the quorum store and of migrations in the simulator.

mod hostile;
mod migrations;
mod seeds;
