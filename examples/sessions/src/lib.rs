//! Coffees that are paid once.
//!
//! Three nodes agree on a till. Customers pay for coffees over a network that loses one message in
//! ten, and the leader is isolated from the others every second. A customer who hears nothing pays
//! again, as it has to: nobody can know whether it was the request or the answer that was lost. So
//! the log holds many payments twice. Each node keeps two tills of the same log: one takes every
//! payment as it comes, the other asks the [sessions](quorate_raft::session).
//!
//! Everything happens in one thread and in virtual time: the same seed gives the same run.

mod customer;
mod network;
mod node;
mod simulation;

pub use simulation::{Report, Simulation};

/// What a customer asks, as it is in the log: a type, by way of `quorate_raft::typed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Payment {
    /// For so many coffees.
    Coffees(u32),
}
