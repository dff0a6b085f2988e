//! Elections as a subject.
//!
//! What must hold, after every step: an epoch has one leader, on every node and for ever; epochs do not go back; in quorum mode a
//! minority has no new leader; in lease mode no two nodes hold the lease. Once faults stop: one node leads (the highest that
//! lives, unless leaders are kept), and all that live know it, within the time the crate states.

mod detectors;
pub mod hostile;
mod machine;
#[cfg(feature = "model")]
mod modelled;
mod subject;

pub use detectors::detectors;
pub use machine::{ElectionMachine, Leaders};
#[cfg(feature = "model")]
pub use modelled::ModelledElection;
pub use subject::ElectionSubject;
