use quorate_core::NodeId;

use crate::topology::Version;

/// A node as it is seen from outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// The topology that it goes by.
    pub version: Version,
    /// It is a member that knows what it holds: one that does not answers no reads and takes no new values.
    pub founded: bool,
    /// It takes part, if it is a member; what this node had when it began to go by this topology, all replicas have, and it keeps nothing for others: once this is so of every node, the replicas
    /// may become those that were to follow.
    pub synchronized: bool,
    /// No change up to this clock is taken any more: tombstones up to it are gone, or go.
    pub floor: u64,
    /// No new value up to this clock is taken any more: the floor is to rise to it.
    pub sealed: u64,
    /// Keys that it holds, tombstones among them.
    pub keys: usize,
    /// Writes that it keeps for others.
    pub hints: usize,
    /// Requests of its own in flight.
    pub requests: usize,
}
