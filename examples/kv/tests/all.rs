//! All integration tests in one program: each program is linked with all that it uses.

mod addresses;
mod all_killed;
mod any_node_serves;
mod bad_input;
mod common;
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
mod refused_commands;
mod removed_while_away;
mod resp_conformance;
