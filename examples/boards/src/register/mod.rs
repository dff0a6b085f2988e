//! Boards that share registers without a leader (`quorate-ring`'s quorum store): a majority that is in touch reads and writes, and what it reads is linearizable.

mod frames;
mod group;
mod history;
mod scenarios;

pub use frames::foreign_frame;
pub use group::Group;
pub use history::{Found, History};

use crate::Program;

/// The program.
pub const PROGRAM: Program = Program {
    name: "register",
    about: "linearizable registers that three boards share without a leader",
    foreign_frame,
    columns: &[
        "founded",
        "registers",
        "requests",
        "floor",
        "sweeps",
        "badframes",
        "unknown",
        "rejected",
        "wakeups",
    ],
    scenarios: scenarios::ALL,
};
