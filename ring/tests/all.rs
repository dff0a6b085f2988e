//! All tests of the crate, in one program.

mod add_all;
mod bad_input;
mod balance;
mod common;
mod display;
mod fingerprint;
#[cfg(feature = "crdt")]
mod gossip;
mod joining;
mod jump;
mod member_limit;
mod migration;
mod models;
mod pitfalls;
mod placement_models;
mod plan;
mod plan_model;
mod quorum;
mod ranges;
mod readme_figures;
#[cfg(feature = "serde")]
mod serde_form;
mod stale_reads;
mod topology;
mod topology_laws;
mod walk_length;
mod wire;
mod worked_examples;
