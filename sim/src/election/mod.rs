//! Elections as a subject.
//!
//! What must hold, after every step: an epoch has one leader, on every node and for ever; epochs do not go back; in lease mode
//! no two nodes hold the lease. Once faults stop: one node leads (the highest that lives, unless leaders are kept), and all that
//! live know it.

#[cfg(feature = "model")]
mod modelled;

#[cfg(feature = "model")]
pub use modelled::{Leaders, ModelledBully};
