//! All tests of the crate, in one program.

mod chunks;
mod entries;
mod error_messages;
mod headers;
mod older_versions;
mod sessions;
mod stores;
mod submissions;
mod typed_commands;
mod wire;
