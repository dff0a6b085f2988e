//! All integration tests in one program: each program is linked with all that it uses.

mod bully_message_counts;
mod bully_rules;
mod common;
mod conformance;
mod detector_comparison;
mod detector_rules;
mod epoch_exhaustion;
mod erased_nodes;
mod fault_tolerance;
mod leader_stickiness;
mod lease_takeover;
mod message_bursts;
mod rejected_messages;
mod ring_message_counts;
mod ring_rules;
mod ring_settling;
mod state_hash;
mod wire;
