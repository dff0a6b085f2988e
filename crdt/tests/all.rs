//! All integration tests in one program: each program is linked with all that it uses.

mod amnesia;
mod capacity;
#[cfg(feature = "alloc")]
mod common;
mod conformance;
mod crdt_queries;
mod display;
mod lattice_laws;
mod max_lengths;
mod mixed_deltas;
mod models;
mod records;
mod rejected_input;
mod replica;
mod tight_limits;
