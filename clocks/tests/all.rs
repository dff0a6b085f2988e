//! All integration tests in one program: each program is linked with all that it uses.

mod amnesia;
mod causal;
mod causal_boots;
mod causal_lost_state;
mod causal_records;
mod causal_rejected_input;
mod causal_timers;
mod clock_sync;
mod common;
mod conformance;
mod differential;
mod display_and_wire;
mod dot_set_model;
mod hlc;
mod hlc_nodes;
mod interval;
mod lamport;
mod limits;
mod pruning;
mod sessions;
mod siblings_model;
mod wire;
