//! The tests that take no time, in one program, which `cargo xtask mutants` runs with each of some thousand mutants. `cargo test`
//! leaves it out, as it runs them one by one.

#[path = "append_rules.rs"]
mod append_rules;
#[path = "configs.rs"]
mod configs;
#[path = "edges.rs"]
mod edges;
#[path = "elections.rs"]
mod elections;
#[path = "entries.rs"]
mod entries;
#[path = "errors.rs"]
mod errors;
#[path = "fates.rs"]
mod fates;
#[path = "flow.rs"]
mod flow;
#[path = "flow_rules.rs"]
mod flow_rules;
#[path = "forward.rs"]
mod forward;
#[path = "forward_edges.rs"]
mod forward_edges;
#[path = "founders.rs"]
mod founders;
#[path = "gap_rules.rs"]
mod gap_rules;
#[path = "leases.rs"]
mod leases;
#[path = "leavers.rs"]
mod leavers;
#[path = "lengths.rs"]
mod lengths;
#[path = "limits.rs"]
mod limits;
#[path = "lost_entries.rs"]
mod lost_entries;
#[path = "machine.rs"]
mod machine;
#[path = "members.rs"]
mod members;
#[path = "memberships.rs"]
mod memberships;
#[path = "older_versions.rs"]
mod older_versions;
#[path = "one_poll.rs"]
mod one_poll;
#[path = "one_seed.rs"]
mod one_seed;
#[path = "pitfalls.rs"]
mod pitfalls;
#[path = "reads.rs"]
mod reads;
#[path = "records.rs"]
mod records;
#[path = "refusals.rs"]
mod refusals;
#[path = "removal_rules.rs"]
mod removal_rules;
#[path = "removed.rs"]
mod removed;
#[path = "renew.rs"]
mod renew;
#[path = "replication.rs"]
mod replication;
#[path = "request_rules.rs"]
mod request_rules;
#[path = "rest.rs"]
mod rest;
#[path = "sessions.rs"]
mod sessions;
#[path = "snapshot_parts.rs"]
mod snapshot_parts;
#[path = "snapshots.rs"]
mod snapshots;
#[path = "standings.rs"]
mod standings;
#[path = "stopped.rs"]
mod stopped;
#[path = "storms.rs"]
mod storms;
#[path = "term_gaps.rs"]
mod term_gaps;
#[path = "transfer.rs"]
mod transfer;
#[path = "typed.rs"]
mod typed;
#[path = "windows.rs"]
mod windows;
#[path = "wire.rs"]
mod wire;
#[path = "witnesses.rs"]
mod witnesses;
