//! All integration tests in one program: each program is linked with all that it uses.

#[macro_use]
mod common;

mod addresses;
mod all_killed;
mod any_node_serves;
mod bad_input;
mod foreign_replies;
mod founding;
mod full_disk;
mod heavy_batches;
mod large_values;
mod leader_killed;
mod leadership_transfer;
mod local_cluster;
mod members_change;
mod older_disk;
mod output_budget;
mod protocols;
mod refused_commands;
mod removed_while_away;
mod resp_conformance;
