//! The set-point and the counter of `quorate-setpoint`, on boards and a server: how to use such a cluster, what must hold of it, and what
//! is tried with it.

mod cluster;
mod frames;
mod ledger;
mod scenarios;

pub use cluster::Cluster;
pub use frames::{decode, foreign_frame};
pub use ledger::{Change, Ledger};

use crate::Program;

/// The program.
pub const PROGRAM: Program = Program {
    name: "setpoint",
    about: "a set-point and a counter that three nodes agree on by Raft",
    foreign_frame,
    columns: &[
        "role",
        "term",
        "setpoint",
        "counter",
        "commit",
        "last",
        "snapshot",
        "badframes",
        "rejected",
        "wakeups",
    ],
    scenarios: scenarios::ALL,
};
