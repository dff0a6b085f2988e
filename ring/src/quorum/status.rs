use quorate_core::NodeId;

use crate::topology::Version;

/// A node as it is seen from outside.
///
/// ```
/// use quorate_ring::quorum::{Config, Inline, Node, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// # node.found();
/// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// assert_eq!((node.status().keys, node.status().requests), (0, 1));
/// while let Some(output) = node.poll() {
///     if let Output::Persist(ticket, _record) = output {
///         node.persisted(ticket);
///     }
/// }
/// assert_eq!((node.status().keys, node.status().requests), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// It has what the members had when it began to go by this topology, and nothing left of what it held before; it keeps nothing for others, and all that is durable. Once this is so of every
    /// node, the replicas may become those that were to follow. Of one that holds no keys, or leaves, only the second half counts.
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
