//! The tests of the quorum store in the simulator.

mod seeds;
