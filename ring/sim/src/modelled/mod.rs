//! What the model checker explores: registers of the quorum store, and hand-overs of a range.

mod migration;
mod register;

pub use migration::ModelledMigration;
pub use register::{ModelledRegister, Operation};
