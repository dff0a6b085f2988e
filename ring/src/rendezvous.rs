use quorate_core::{List, NodeId, Rng};

use crate::fingerprint::Fingerprint;
use crate::log2::neg_log2;
use crate::members::{count_zones, insert, insert_at, place_of};
use crate::storage::Kinds;
use crate::{KeyHash, Member, MemberError, Placement, Storage, Token, Zone};

/// Rendezvous hashing, or highest random weight (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM
/// Transactions on Networking 6(1), 1998): each member and key together have a hash, and the key belongs to the member with the highest.
///
/// It needs no points, spreads keys more evenly than a ring, and the keys of a member that is removed go to all others alike. The
/// price is a look at every member for each node of a list, so use it for up to some hundred members, or to place
/// [`Partitions`](crate::Partitions) once. Where a zone has few of n members, finding one of them is up to n of these looks at all n.
///
/// Weights are kept by the logarithm method (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", SPAA 2005): a hash h
/// of 0 to 1 counts as -log2(h)/weight, and the lowest wins. The logarithm is an integer, and too large by at most 0.2 % and 3/2^32, so the
/// shares of weights 1, 2 and 3 are right to 1 in 1,000.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Inline, KeyHash, Member, Placement, Rendezvous};
/// let mut nodes = Rendezvous::<Inline<3>>::new(KeyHash::default());
/// for id in [1, 2, 3].map(NodeId::new) {
///     nodes.add(Member::new(id))?;
/// }
/// let at = nodes.position(b"key");
/// let list = nodes.replicas(at, 3);
/// // the next is the owner when the first has gone
/// nodes.remove(list.replicas()[0])?;
/// assert_eq!(nodes.owner(at), Some(list.replicas()[1]));
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rendezvous<S: Storage> {
    hash: KeyHash,
    /// In the order of their ids, and the hash of each id.
    members: S::Members,
    seeds: S::Seeds,
    /// All weights are equal.
    uniform: bool,
    zones: usize,
}

impl<S: Storage> Rendezvous<S> {
    /// No members. With `Heap` storage there is room for 65,535.
    #[must_use]
    pub fn new(hash: KeyHash) -> Self {
        Self::with_limit(hash, usize::from(u16::MAX))
    }

    /// The same for at most so many members, where the storage has no limit of its own.
    ///
    /// ```
    /// # use quorate_ring::{Inline, KeyHash, Rendezvous};
    /// let nodes = Rendezvous::<Inline<3>>::with_limit(KeyHash::default(), 3);
    /// assert!(nodes.members().is_empty());
    /// ```
    #[must_use]
    pub fn with_limit(hash: KeyHash, members: usize) -> Self {
        Self {
            hash,
            members: <S as Kinds>::Members::with_limit(members),
            seeds: <S as Kinds>::Seeds::with_limit(members),
            uniform: true,
            zones: 0,
        }
    }

    /// Adds a member. Keys move to it and between no others.
    ///
    /// # Errors
    ///
    /// [`MemberError::ZeroWeight`], [`Duplicate`](MemberError::Duplicate) or [`Full`](MemberError::Full); nothing was changed.
    pub fn add(&mut self, member: Member) -> Result<(), MemberError> {
        let place = insert(&mut self.members, member)?;
        let seed = self.hash.point(member.id, 0);
        if insert_at(&mut self.seeds, place, seed).is_err() {
            self.members.remove(place);
            return Err(MemberError::Full);
        }
        self.update_summary();
        Ok(())
    }

    /// Removes a member. Its keys go to all others alike, and no other key moves.
    ///
    /// # Errors
    ///
    /// [`MemberError::Unknown`]; nothing was changed.
    pub fn remove(&mut self, node: NodeId) -> Result<(), MemberError> {
        let place = place_of(&self.members, node).map_err(|_| MemberError::Unknown(node))?;
        self.members.remove(place);
        self.seeds.remove(place);
        self.update_summary();
        Ok(())
    }

    /// Changes a member's weight. With a lower weight keys move away from this member, with a higher one to it; no other key moves.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, KeyHash, Member, Rendezvous};
    /// let mut nodes = Rendezvous::<Inline<3>>::new(KeyHash::default());
    /// nodes.add(Member::new(NodeId::new(1)))?;
    /// nodes.set_weight(NodeId::new(1), 5)?;
    /// assert_eq!(nodes.members()[0].weight, 5);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::ZeroWeight`] or [`Unknown`](MemberError::Unknown); nothing was changed.
    pub fn set_weight(&mut self, node: NodeId, weight: u16) -> Result<(), MemberError> {
        if weight == 0 {
            return Err(MemberError::ZeroWeight);
        }
        let place = place_of(&self.members, node).map_err(|_| MemberError::Unknown(node))?;
        if let Some(member) = self.members.get_mut(place) {
            member.weight = weight;
        }
        self.update_summary();
        Ok(())
    }

    /// The members, in the order of their ids.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    fn update_summary(&mut self) {
        let first = self.members.first().map(|member| member.weight);
        self.uniform = self.members.iter().all(|member| Some(member.weight) == first);
        self.zones = count_zones(&self.members);
    }

    /// The member of the lowest cost above `floor`, and its cost. Of equal costs the lower id is first.
    fn next_after(&self, token: Token, floor: Option<Rank>) -> Option<(Rank, Member)> {
        let mut best: Option<(Rank, Member)> = None;
        for (member, seed) in self.members.iter().zip(self.seeds.iter()) {
            let hash = Rng::mix(token.get() ^ *seed);
            let cost = match self.uniform {
                true => 0,
                false => (neg_log2(hash) << 16).checked_div(member.weight.into()).unwrap_or(0),
            };
            let rank = (cost, !hash, member.id);
            if Some(rank) > floor && best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, *member));
            }
        }
        best
    }
}

/// Cost, then the complement of the hash, then the id: the lowest rank is first.
type Rank = (u64, u64, NodeId);

impl<S: Storage> Placement for Rendezvous<S> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.hash.token(key)
    }

    /// Each step looks at every member.
    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        let mut floor = None;
        core::iter::from_fn(move || {
            let (rank, member) = self.next_after(at, floor)?;
            floor = Some(rank);
            Some((member.id, member.zone))
        })
    }

    fn zones(&self) -> usize {
        self.zones
    }

    fn nodes(&self) -> usize {
        self.members.len()
    }

    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("rendezvous");
        fingerprint.hash(self.hash);
        fingerprint.members(&self.members);
        fingerprint.finish()
    }
}
