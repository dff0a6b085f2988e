//! A key-value store without a leader, small enough to read: the nodes of `quorate_ring::quorum` over TCP on the loopback, each with a
//! write-ahead log, on threads of one process.
//!
//! | type | what it is |
//! |---|---|
//! | [`Cluster`] | the nodes, and what their operator does: kill, start, erase, join, leave |
//! | [`Command`] | a line that a person types, or a script has |
//! | [`Shell`] | carries commands out and says what came of them |

mod app;
mod cluster;
mod command;
mod members;
mod node;
mod options;
mod screen;
mod shell;
mod value;

pub use app::View;
pub use cluster::{Answer, Cluster, Places, Problem};
pub use command::{Command, Condition, Get, Put};
pub use members::MAX_NODES;
pub use options::{HELP, Options};
pub use screen::screen;
pub use shell::Shell;
pub use value::Stored;
