//! Coffees that are paid once.
//!
//! Three nodes agree on a till. Customers pay for coffees over a network that loses one message in
//! ten, and the leader is isolated from the others every two seconds. A customer without a reply must
//! pay again: it cannot know whether the request or the reply was lost. So the log holds many payments
//! twice. Each node keeps two tills of the same log: one counts every payment, the other applies them
//! through [sessions](quorate_log::session).
//!
//! Everything happens in one thread and in virtual time: the same seed gives the same run.

mod customer;
mod network;
mod node;
mod simulation;

pub use simulation::{Report, Simulation};

/// A customer's command, as it is in the log: a type, encoded by `quorate_log::typed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Payment {
    /// For so many coffees.
    Coffees(u32),
}
