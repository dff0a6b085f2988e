use quorate_clocks::Actor;
use quorate_core::{Fatal, NodeId};

/// A view of a replica, for people and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// The actor of its updates.
    pub actor: Actor,
    /// The number of the last change of the state.
    pub last: u64,
    /// The last change that is durable here.
    pub durable: u64,
    /// The last change that every member acknowledged.
    pub stable: u64,
    /// Why the replica stopped itself, if it did.
    pub fatal: Option<Fatal>,
}
