//! The log in the simulator, and against hostile inputs.

mod hostile;
mod seeds;
