use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::NodeId;

use crate::{PreferenceList, Zone};

/// The nodes of each key: plain data that any node can compute from the same members, and that gives the same answer on every machine.
///
/// A key has a position, and from each position a walk leads over all nodes. The first node of the walk is the owner; the
/// replicas and fallbacks are chosen from the walk by [`PreferenceList::select`]. A placement of your own implements
/// [`position`](Self::position), [`walk`](Self::walk), [`zones`](Self::zones) and [`fingerprint`](Self::fingerprint).
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

    /// The position of a key, of any length. Compute it once for several questions.
    fn position<'k>(&self, key: &'k [u8]) -> Self::Position<'k>;

    /// All nodes with their zones, in the order in which a key at that position is offered to them. A node may come more than once, and
    /// the walk ends. It is empty where there are no nodes.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, Placement, Token};
    /// let mut ring = HashRing::<Inline<2, 3>>::new(KeyHash::default(), 1);
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// ring.add_at(Member::new(a), &[Token::new(10), Token::new(20)])?;
    /// ring.add_at(Member::new(b), &[Token::new(30)])?;
    /// assert!(ring.walk(Token::new(15)).map(|(node, _)| node).eq([a, b, a]));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)>;

    /// The number of zones that have nodes. What is above [`MAX_PREFERENCE`](crate::MAX_PREFERENCE) need not be counted.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, KeyHash, Member, Placement, Rendezvous, Zone};
    /// let mut nodes = Rendezvous::<Inline<3>>::new(KeyHash::default());
    /// for (id, zone) in [(1, 1), (2, 1), (3, 2)] {
    ///     nodes.add(Member::new(NodeId::new(id)).in_zone(Zone::new(zone)))?;
    /// }
    /// assert_eq!(nodes.zones(), 2);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    fn zones(&self) -> usize;

    /// The number of nodes, or more: a list that asks for more is complete with so many, and the walk stops there. Without this method
    /// such a list goes through the walk to its end.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, Placement};
    /// let mut ring = HashRing::<Inline<2, 40>>::new(KeyHash::default(), 20);
    /// ring.add(Member::new(NodeId::new(1)))?;
    /// assert_eq!(ring.nodes(), 1);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    fn nodes(&self) -> usize {
        usize::MAX
    }

    /// What tells this placement from others: a hash of the scheme, of the hash function's key, of all other parameters and of the members
    /// with their weights and zones. Two placements with one fingerprint answer the same, on every machine. It is no
    /// protection against those who look for two placements with the same one.
    ///
    /// [`Version::of`](crate::topology::Version::of) hashes it into the version that requests carry. It takes a look at everything the placement consists of:
    /// about a millisecond for 100,000 points.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_ring::{Inline, KeyHash, Member, Modulo, Placement, Rendezvous};
    /// let mut nodes = [1, 1, 2].map(|seed| Rendezvous::<Inline<2>>::new(KeyHash::new([seed, 0])));
    /// for nodes in &mut nodes {
    ///     nodes.add(Member::new(NodeId::new(1)))?;
    /// }
    /// assert_eq!(nodes[0].fingerprint(), nodes[1].fingerprint());
    /// assert_ne!(nodes[0].fingerprint(), nodes[2].fingerprint()); // another seed
    /// nodes[1].add(Member::new(NodeId::new(2)))?;
    /// assert_ne!(nodes[0].fingerprint(), nodes[1].fingerprint()); // other members
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// A placement of your own hashes a name that no other has, and all that its answers depend on.
    fn fingerprint(&self) -> u64;

    /// The node that a key belongs to: the first of the walk. `None` where there are no nodes.
    fn owner(&self, at: Self::Position<'_>) -> Option<NodeId> {
        self.walk(at).next().map(|(node, _)| node)
    }

    /// The nodes that hold a key, spread over the zones, the owner first. The list is shorter than asked for where there are fewer nodes,
    /// and never longer than [`MAX_PREFERENCE`](crate::MAX_PREFERENCE).
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, KeyHash, Member, Placement, Rendezvous};
    /// let mut nodes = Rendezvous::<Inline<2>>::new(KeyHash::default());
    /// nodes.add(Member::new(NodeId::new(1)))?;
    /// nodes.add(Member::new(NodeId::new(2)))?;
    /// assert_eq!(nodes.replicas(nodes.position(b"key"), 3).replicas().len(), 2);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    fn replicas(&self, at: Self::Position<'_>, replicas: usize) -> PreferenceList {
        self.preference_list(at, replicas, 0)
    }

    /// The replicas, and then up to `fallbacks` nodes that take writes for replicas that are down: in the order of the walk, whatever their
    /// zones (DeCandia et al., "Dynamo", SOSP 2007, sections 4.3 and 4.6).
    fn preference_list(
        &self,
        at: Self::Position<'_>,
        replicas: usize,
        fallbacks: usize,
    ) -> PreferenceList {
        let nodes = self.nodes();
        let replicas = replicas.min(nodes);
        let fallbacks = fallbacks.min(nodes.saturating_sub(replicas));
        PreferenceList::select(|| self.walk(at), self.zones(), replicas, fallbacks)
    }
}
