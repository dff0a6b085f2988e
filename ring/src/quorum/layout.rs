use quorate_core::NodeId;

use crate::topology::Version;
use crate::{Divided, Placement, PreferenceList, Token};

/// What a node of the quorum store goes by: which nodes hold a key, in which version of the topology.
///
/// Nodes with the same [`version`](Self::version) must give the same answers: requests of one version are refused by nodes of
/// another, and that is what makes quorums meet while members come and go.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::quorum::{Layout, Membership};
/// use quorate_ring::topology::Version;
/// use quorate_ring::{KeyHash, PreferenceList, Token, Zone};
///
/// /// Every node holds every key.
/// struct Everywhere(Vec<NodeId>);
///
/// impl Layout for Everywhere {
///     fn version(&self) -> Version {
///         Version { epoch: 1, digest: 0 }
///     }
///
///     fn token(&self, key: &[u8]) -> Token {
///         KeyHash::default().token(key)
///     }
///
///     fn replicas(&self, _at: Token) -> PreferenceList {
///         let nodes = || self.0.iter().map(|node| (*node, Zone::default()));
///         PreferenceList::select(nodes, 1, self.0.len(), 0)
///     }
///
///     fn end_of_range(&self, _at: Token) -> Token {
///         Token::MAX
///     }
///
///     fn node_after(&self, after: Option<NodeId>) -> Option<NodeId> {
///         self.0.iter().copied().filter(|node| after.is_none_or(|after| *node > after)).min()
///     }
///
///     fn membership(&self, node: NodeId) -> Membership {
///         if self.0.contains(&node) { Membership::Member } else { Membership::None }
///     }
/// }
///
/// let layout = Everywhere([3, 1, 2].map(NodeId::new).to_vec());
/// assert_eq!(layout.replicas(layout.token(b"key")).replicas().len(), 3);
/// assert_eq!(layout.node_after(None), Some(NodeId::new(1)));
/// assert_eq!(layout.node_after(Some(NodeId::new(3))), None);
/// ```
pub trait Layout {
    /// The version of the topology. It only grows.
    fn version(&self) -> Version;

    /// The token of a key.
    fn token(&self, key: &[u8]) -> Token;

    /// The nodes that hold the keys at a token, and those that stand in for them.
    fn replicas(&self, at: Token) -> PreferenceList;

    /// The last token that has the same nodes as this one for certain, now and while replicas change; it may be after the end of the circle.
    fn end_of_range(&self, at: Token) -> Token;

    /// The node with the lowest id above this one, of all that hold keys now or will; of all if it is `None`.
    fn node_after(&self, after: Option<NodeId>) -> Option<NodeId>;

    /// Whether a node holds keys, or will.
    fn membership(&self, node: NodeId) -> Membership;

    /// While replicas change: those that will hold the keys at a token. Requests need as many answers of these as of the present ones.
    fn next_replicas(&self, at: Token) -> Option<PreferenceList> {
        let _ = at;
        None
    }

    /// Whether replicas change.
    fn is_moving(&self) -> bool {
        false
    }

    /// What [`learn`](Self::learn) of a node with another version takes; empty where nodes learn of
    /// changes by other means.
    fn topology(&self) -> &[u8] {
        &[]
    }

    /// Takes over the topology of another node. True if this layout changed.
    fn learn(&mut self, topology: &[u8]) -> bool {
        let _ = topology;
        false
    }
}

/// Whether a node is one of those that hold keys.
///
/// ```
/// use quorate_ring::quorum::{Layout, Membership, Replicated};
/// # use quorate_core::NodeId;
/// # use quorate_ring::{HashRing, Inline, KeyHash, Member, topology::Version};
/// let mut ring = HashRing::<Inline<2, 32>>::new(KeyHash::default(), 16);
/// ring.add(Member::new(NodeId::new(1)))?;
/// let old = ring.clone();
/// ring.add(Member::new(NodeId::new(2)))?;
/// let layout = Replicated::new(Version::default(), old, 1).moving_to(ring);
/// let of = |id| layout.membership(NodeId::new(id));
/// assert_eq!([of(1), of(2), of(3)], [Membership::Member, Membership::Joining, Membership::None]);
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Membership {
    /// It holds none, and will not.
    None,
    /// It is to hold keys, and holds none yet.
    Joining,
    /// It holds keys, and is to hold them on.
    Member,
    /// It holds keys, and will not: it keeps nothing more for others.
    Leaving,
}

impl Membership {
    /// Whether it holds keys.
    #[must_use]
    pub const fn is_member(self) -> bool {
        matches!(self, Self::Member | Self::Leaving)
    }
}

/// A [`Placement`] with so many replicas, in a version: a layout that an application changes by giving its node
/// [another one](super::Node::set_layout).
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::quorum::{Layout, Replicated};
/// use quorate_ring::topology::Version;
/// use quorate_ring::{HashRing, Inline, KeyHash, Member};
/// let mut ring = HashRing::<Inline<3, 48>>::new(KeyHash::default(), 16);
/// ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// let layout = Replicated::new(Version { epoch: 1, digest: 0 }, ring, 2).with_fallbacks(1);
/// let list = layout.replicas(layout.token(b"key"));
/// assert_eq!((list.replicas().len(), list.fallbacks().len()), (2, 1));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replicated<P> {
    version: Version,
    placement: P,
    next: Option<P>,
    replicas: usize,
    fallbacks: usize,
}

impl<P: for<'k> Placement<Position<'k> = Token>> Replicated<P> {
    /// The placement with `replicas` replicas of each key.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let layout = Replicated::new(Version { epoch: 1, digest: 0 }, ring, 2);
    /// assert_eq!(layout.replicas(layout.token(b"key")).nodes().len(), 2);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn new(version: Version, placement: P, replicas: usize) -> Self {
        Self { version, placement, next: None, replicas, fallbacks: 0 }
    }

    /// The same with so many nodes that stand in for replicas.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let layout = Replicated::new(Version { epoch: 1, digest: 0 }, ring, 2).with_fallbacks(5);
    /// assert_eq!(layout.replicas(layout.token(b"key")).fallbacks().len(), 1); // the third of three nodes
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn with_fallbacks(self, fallbacks: usize) -> Self {
        Self { fallbacks, ..self }
    }

    /// The same in another version.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let layout = Replicated::new(Version { epoch: 1, digest: 0 }, ring, 2);
    /// let next = layout.clone().in_version(Version { epoch: 2, digest: 0 });
    /// assert_ne!(layout.version(), next.version()); // nodes of one refuse requests of the other
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn in_version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// The same, while keys move to another placement.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let mut next = ring.clone();
    /// next.add(Member::new(NodeId::new(4)))?;
    /// let layout = Replicated::new(Version { epoch: 2, digest: 0 }, ring.clone(), 3).moving_to(next);
    /// let at = layout.token(b"key");
    /// assert_eq!(layout.replicas(at).replicas(), Replicated::new(Version::default(), ring, 3).replicas(at).replicas());
    /// assert_eq!(layout.next_replicas(at).map(|list| list.replicas().len()), Some(3)); // asked as well
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn moving_to(self, next: P) -> Self {
        Self { next: Some(next), ..self }
    }
}

impl<P: Divided + for<'k> Placement<Position<'k> = Token>> Layout for Replicated<P> {
    fn version(&self) -> Version {
        self.version
    }

    fn token(&self, key: &[u8]) -> Token {
        self.placement.position(key)
    }

    fn replicas(&self, at: Token) -> PreferenceList {
        self.placement.preference_list(at, self.replicas, self.fallbacks)
    }

    fn end_of_range(&self, at: Token) -> Token {
        let distance = |end: Token| end.get().wrapping_sub(at.get());
        let own = self.placement.end_of_range(at);
        let next = self.next.as_ref().map(|next| next.end_of_range(at));
        next.filter(|next| distance(*next) < distance(own)).unwrap_or(own)
    }

    fn node_after(&self, after: Option<NodeId>) -> Option<NodeId> {
        let nodes = |placement: &P| {
            let walk = placement.walk(Token::MIN).map(|(node, _)| node);
            walk.filter(|node| after.is_none_or(|after| *node > after)).min()
        };
        let next = self.next.as_ref().and_then(nodes);
        nodes(&self.placement).into_iter().chain(next).min()
    }

    fn is_moving(&self) -> bool {
        self.next.is_some()
    }

    fn membership(&self, node: NodeId) -> Membership {
        let names = |placement: &P| placement.walk(Token::MIN).any(|(other, _)| other == node);
        let follows = self.next.as_ref().map(names);
        match (names(&self.placement), follows) {
            (true, None | Some(true)) => Membership::Member,
            (true, Some(false)) => Membership::Leaving,
            (false, Some(true)) => Membership::Joining,
            (false, None | Some(false)) => Membership::None,
        }
    }

    fn next_replicas(&self, at: Token) -> Option<PreferenceList> {
        Some(self.next.as_ref()?.replicas(at, self.replicas))
    }
}
