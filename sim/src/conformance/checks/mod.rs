//! The rules, each in a function that runs one seed.

mod encoding;
mod limits;
mod rate;
mod refusals;
mod restarts;
mod runs;

pub(super) use encoding::encoding;
pub(super) use limits::{memory, sizes};
pub(super) use rate::message_rate;
pub(super) use refusals::refusals;
pub(super) use restarts::{checkpoints, replay};
pub(super) use runs::{deadlines, determinism, spurious_inputs};
