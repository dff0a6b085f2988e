use quorate_core::NodeId;

use crate::fingerprint::Fingerprint;
use crate::topology::Version;
use crate::{Divided, Placement, Plan, PlanError, PreferenceList, Token};

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
    /// The version of the topology. It only grows, and another one is needed for all that changes an answer of this layout, also for
    /// another number of replicas: what [`Replicated::of`] does.
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
/// # use quorate_ring::{HashRing, Inline, KeyHash, Member};
/// let mut ring = HashRing::<Inline<2, 32>>::new(KeyHash::default(), 16);
/// ring.add(Member::new(NodeId::new(1)))?;
/// let old = ring.clone();
/// ring.add(Member::new(NodeId::new(2)))?;
/// let layout = Replicated::of(1, old, 1).moving_to(ring)?;
/// let of = |id| layout.membership(NodeId::new(id));
/// assert_eq!([of(1), of(2), of(3)], [Membership::Member, Membership::Joining, Membership::None]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
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
/// [`of`](Self::of) makes the version of an epoch and of everything that nodes must agree on: the placement, the number of replicas and
/// of fallbacks, and the placement that keys move to. Two nodes that differ in one of these have different versions, so they refuse each
/// other's requests. With [`new`](Self::new) the version is what the program says, and nobody finds out if it is the same for two layouts.
///
/// Where there are fewer nodes than replicas, all of them hold each key, and levels count those that there are: of three replicas on two
/// nodes [`Level::Quorum`](super::Level::Quorum) and [`Level::All`](super::Level::All) are both of them. The third node that joins is a change of
/// the replicas of every key.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::quorum::{Layout, Replicated};
/// use quorate_ring::{HashRing, Inline, KeyHash, Member};
/// let mut ring = HashRing::<Inline<3, 48>>::new(KeyHash::default(), 16);
/// ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// let layout = Replicated::of(1, ring.clone(), 2).with_fallbacks(1);
/// let list = layout.replicas(layout.token(b"key"));
/// assert_eq!((list.replicas().len(), list.fallbacks().len()), (2, 1));
/// let other = Replicated::of(1, ring, 3); // another operator has three replicas
/// assert_ne!(layout.version(), other.version());
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replicated<P> {
    version: Version,
    /// The digest of the version follows from the rest.
    derived: bool,
    placement: P,
    next: Option<P>,
    replicas: usize,
    fallbacks: usize,
}

impl<P: for<'k> Placement<Position<'k> = Token>> Replicated<P> {
    /// The placement with `replicas` replicas of each key, in a version of the program's own: it must be another one for every other
    /// placement, and for other numbers of replicas and fallbacks. [`of`](Self::of) sees to that.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let layout = Replicated::new(Version { epoch: 1, digest: 0 }, ring.clone(), 2);
    /// assert_eq!(layout.replicas(layout.token(b"key")).nodes().len(), 2);
    /// let layout = Replicated::new(Version { epoch: 1, digest: 1 }, ring, 5);
    /// assert_eq!(layout.replicas(layout.token(b"key")).nodes().len(), 3); // all that there are
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn new(version: Version, placement: P, replicas: usize) -> Self {
        Self { version, derived: false, placement, next: None, replicas, fallbacks: 0 }
    }

    /// The placement with `replicas` replicas of each key, in a version that follows from all that nodes must agree on, and from an epoch:
    /// a number that grows with each change, such as that of a [`Topology`](crate::topology::Topology::version).
    ///
    /// The version follows again when [fallbacks](Self::with_fallbacks) or the [next placement](Self::moving_to) are set; each time takes as
    /// long as [`Placement::fingerprint`] does.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member};
    /// let ring = |hash, members: &[u64]| {
    ///     let mut ring = HashRing::<Inline<4, 64>>::new(hash, 16);
    ///     members.iter().try_for_each(|id| ring.add(Member::new(NodeId::new(*id))))?;
    ///     Ok::<_, quorate_ring::MemberError>(ring)
    /// };
    /// let here = Replicated::of(7, ring(KeyHash::default(), &[1, 2, 3])?, 2);
    /// let there = Replicated::of(7, ring(KeyHash::default(), &[3, 2, 1])?, 2);
    /// assert_eq!(here.version(), there.version());
    /// for other in [
    ///     Replicated::of(8, ring(KeyHash::default(), &[1, 2, 3])?, 2),
    ///     Replicated::of(7, ring(KeyHash::default(), &[1, 2, 4])?, 2),
    ///     Replicated::of(7, ring(KeyHash::new([1, 0]), &[1, 2, 3])?, 2),
    ///     Replicated::of(7, ring(KeyHash::default(), &[1, 2, 3])?, 3),
    ///     here.clone().with_fallbacks(1),
    /// ] {
    ///     assert_ne!(here.version(), other.version()); // nodes of one refuse requests of the other
    /// }
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn of(epoch: u64, placement: P, replicas: usize) -> Self {
        Self::new(Version::default(), placement, replicas).in_epoch(epoch)
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
    pub fn with_fallbacks(mut self, fallbacks: usize) -> Self {
        self.fallbacks = fallbacks;
        self.settle();
        self
    }

    /// The same in another version, of the program's own.
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
        Self { version, derived: false, ..self }
    }

    /// The same in another epoch, in the version that [follows](Self::of) from it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let layout = Replicated::of(1, ring.clone(), 2);
    /// assert_eq!(layout.in_epoch(2), Replicated::of(2, ring, 2));
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn in_epoch(mut self, epoch: u64) -> Self {
        (self.version.epoch, self.derived) = (epoch, true);
        self.settle();
        self
    }

    /// Makes a version that follows from the rest anew.
    fn settle(&mut self) {
        if self.derived {
            self.version.digest = self.fingerprint();
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("replicated");
        fingerprint.number(self.placement.fingerprint());
        fingerprint.length(self.replicas);
        fingerprint.length(self.fallbacks);
        fingerprint.number(self.next.is_some());
        fingerprint.number(self.next.as_ref().map_or(0, P::fingerprint));
        fingerprint.finish()
    }
}

impl<P: Divided + for<'k> Placement<Position<'k> = Token>> Replicated<P> {
    /// The same, while keys move to another placement. Both have as many replicas of a key.
    ///
    /// # Errors
    ///
    /// [`PlanError`] where no plan leads from one to the other: their hash keys differ, so that each key has another token in the
    /// other, or there are no replicas.
    ///
    /// ```
    /// use quorate_ring::quorum::{Layout, Replicated};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, PlanError};
    /// # let mut ring = HashRing::<Inline<4, 64>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// let mut next = ring.clone();
    /// next.add(Member::new(NodeId::new(4)))?;
    /// let before = Replicated::of(1, ring, 3);
    /// let layout = before.clone().moving_to(next)?.in_epoch(2);
    /// let at = layout.token(b"key");
    /// assert_eq!(layout.replicas(at), before.replicas(at));
    /// assert_eq!(layout.next_replicas(at).map(|list| list.replicas().len()), Some(3)); // asked as well
    /// let other = HashRing::new(KeyHash::new([1, 2]), 16);
    /// assert_eq!(before.moving_to(other).err(), Some(PlanError::DifferentPositions));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn moving_to(mut self, next: P) -> Result<Self, PlanError> {
        Plan::new(&self.placement, &next, self.replicas)?;
        self.next = Some(next);
        self.settle();
        Ok(self)
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
