use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::NodeId;

use crate::{PreferenceList, Zone};

/// Where keys live: plain data that any node can compute from the same members, and that gives the same answer on every machine.
///
/// A key has a position, and a position has an owner: the first node of a walk that names all nodes. How positions are made of keys
/// and how the walk goes is what the placements differ in.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{HashRing, Inline, KeyHash, Member, Placement};
/// let mut ring = HashRing::<Inline<3, 48>>::new(KeyHash::default(), 16);
/// assert_eq!(ring.owner(ring.position(b"key")), None);
/// for id in [1, 2, 3].map(NodeId::new) {
///     ring.add(Member::new(id))?;
/// }
/// let at = ring.position(b"key");
/// let list = ring.preference_list(at, 2, 1);
/// assert_eq!(list.replicas().len(), 2);
/// assert_eq!(list.fallbacks().len(), 1);
/// assert_eq!(list.owner(), ring.owner(at));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
pub trait Placement {
    /// Where a key is: a token, a slot, or the key itself.
    type Position<'k>: Copy + Ord + Hash + Debug;

    /// The position of a key.
    fn position<'k>(&self, key: &'k [u8]) -> Self::Position<'k>;

    /// All nodes, in the order in which a key at that position goes to them, with their zones. A node may come more than once;
    /// the walk ends.
    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)>;

    /// How many zones have nodes.
    fn zones(&self) -> usize;

    /// The node that a key belongs to; `None` where there are no nodes.
    fn owner(&self, at: Self::Position<'_>) -> Option<NodeId> {
        self.walk(at).next().map(|(node, _)| node)
    }

    /// The nodes that hold a key, spread over the zones: fewer than asked for if there are fewer, or more than
    /// [`MAX_PREFERENCE`](crate::MAX_PREFERENCE) were asked for.
    fn replicas(&self, at: Self::Position<'_>, replicas: usize) -> PreferenceList {
        self.preference_list(at, replicas, 0)
    }

    /// The same, and then so many nodes that stand in for them.
    fn preference_list(
        &self,
        at: Self::Position<'_>,
        replicas: usize,
        fallbacks: usize,
    ) -> PreferenceList {
        PreferenceList::select(|| self.walk(at), self.zones(), replicas, fallbacks)
    }
}
