//! The fast tests in one program, which `cargo xtask mutants` runs with each of some thousand mutants. `cargo test`
//! leaves it out because it runs the tests file by file.

#[path = "append_responses.rs"]
mod append_responses;
#[path = "boundary_conditions.rs"]
mod boundary_conditions;
#[path = "config_validation.rs"]
mod config_validation;
#[path = "dropped_proposals.rs"]
mod dropped_proposals;
#[path = "edge_cases.rs"]
mod edge_cases;
#[path = "elections.rs"]
mod elections;
#[path = "entries.rs"]
mod entries;
#[path = "equal_seeds.rs"]
mod equal_seeds;
#[path = "error_messages.rs"]
mod error_messages;
#[path = "flow_control.rs"]
mod flow_control;
#[path = "founders.rs"]
mod founders;
#[path = "inflight_windows.rs"]
mod inflight_windows;
#[path = "invalid_messages.rs"]
mod invalid_messages;
#[path = "leadership_transfer.rs"]
mod leadership_transfer;
#[path = "leases.rs"]
mod leases;
#[path = "lost_entries.rs"]
mod lost_entries;
#[path = "lost_messages.rs"]
mod lost_messages;
#[path = "machine_trait.rs"]
mod machine_trait;
#[path = "max_lengths.rs"]
mod max_lengths;
#[path = "membership_change_effects.rs"]
mod membership_change_effects;
#[path = "membership_changes.rs"]
mod membership_changes;
#[path = "membership_states.rs"]
mod membership_states;
#[path = "message_storms.rs"]
mod message_storms;
#[path = "non_member_vote_requests.rs"]
mod non_member_vote_requests;
#[path = "older_versions.rs"]
mod older_versions;
#[path = "pitfalls.rs"]
mod pitfalls;
#[path = "poll_completeness.rs"]
mod poll_completeness;
#[path = "proposal_forwarding.rs"]
mod proposal_forwarding;
#[path = "proposal_forwarding_edge_cases.rs"]
mod proposal_forwarding_edge_cases;
#[path = "quiesce.rs"]
mod quiesce;
#[path = "read_index.rs"]
mod read_index;
#[path = "removal_notice_validation.rs"]
mod removal_notice_validation;
#[path = "removal_notices.rs"]
mod removal_notices;
#[path = "removed_members.rs"]
mod removed_members;
#[path = "replication.rs"]
mod replication;
#[path = "restore.rs"]
mod restore;
#[path = "scenarios.rs"]
mod scenarios;
#[path = "sessions.rs"]
mod sessions;
#[path = "snapshot_chunks.rs"]
mod snapshot_chunks;
#[path = "snapshot_requests.rs"]
mod snapshot_requests;
#[path = "snapshots.rs"]
mod snapshots;
#[path = "stopped_node.rs"]
mod stopped_node;
#[path = "term_gap_limits.rs"]
mod term_gap_limits;
#[path = "term_gaps.rs"]
mod term_gaps;
#[path = "typed_commands.rs"]
mod typed_commands;
#[path = "wire.rs"]
mod wire;
#[path = "witnesses.rs"]
mod witnesses;
