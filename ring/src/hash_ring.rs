use quorate_core::{List, NodeId};

use crate::fingerprint::Fingerprint;
use crate::members::{count_zones, insert, place_of};
use crate::points::Points;
use crate::storage::Kinds;
use crate::{
    Divided, KeyHash, Member, MemberError, Placement, PreferenceList, Storage, Token, Zone,
};

/// The most points of one member.
pub const MAX_POINTS: usize = u16::MAX as usize;

/// Consistent hashing (Karger et al., "Consistent Hashing and Random Trees", STOC 1997): members have points on a circle, and a key
/// belongs to the member of the first point at or after its token.
///
/// A member that comes takes over what lies right before its points, and one that goes leaves it to the points after its own:
/// nothing else moves. Each member has many points, so that the shares are even (virtual nodes: DeCandia et al., "Dynamo", SOSP
/// 2007, section 4.2), and as many times more as its weight says. The share of a member with v
/// points varies by 1/√v of the mean: of 100 members with 100 points each, the largest has about 1.25 times the mean.
///
/// The ring depends on its members alone, not on the order in which they were added: points with equal tokens are in the order of their
/// nodes' ids. A lookup is a search among the points; adding a member is one pass over them for each 64 points of the member.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{HashRing, Inline, KeyHash, Member, Placement};
/// let mut ring = HashRing::<Inline<4, 256>>::new(KeyHash::default(), 64);
/// for id in [1, 2, 3].map(NodeId::new) {
///     ring.add(Member::new(id))?;
/// }
/// let keys = [&b"one"[..], b"two", b"three", b"four"];
/// let before = keys.map(|key| ring.owner(ring.position(key)));
/// ring.add(Member::new(NodeId::new(4)))?;
/// ring.remove(NodeId::new(4))?;
/// assert_eq!(keys.map(|key| ring.owner(ring.position(key))), before);
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HashRing<S: Storage> {
    hash: KeyHash,
    points_per_weight: u16,
    /// In the order of their ids.
    members: S::Members,
    points: Points<S>,
    zones: usize,
}

impl<S: Storage> HashRing<S> {
    /// A ring without members. Each member will have `points_per_weight` points for each unit of its weight. With `Heap` storage it has
    /// room for 65,535 members and any number of points.
    #[must_use]
    pub fn new(hash: KeyHash, points_per_weight: u16) -> Self {
        Self::with_limits(hash, points_per_weight, usize::from(u16::MAX), usize::MAX)
    }

    /// The same for at most so many members and points, where the storage has no limits of its own.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, MemberError};
    /// let mut ring = HashRing::<Inline<2, 8>>::with_limits(KeyHash::default(), 8, 2, 8);
    /// ring.add(Member::new(NodeId::new(1)))?;
    /// assert_eq!(ring.add(Member::new(NodeId::new(2))), Err(MemberError::Full));
    /// # Ok::<(), MemberError>(())
    /// ```
    #[must_use]
    pub fn with_limits(
        hash: KeyHash,
        points_per_weight: u16,
        members: usize,
        points: usize,
    ) -> Self {
        Self {
            hash,
            points_per_weight,
            members: <S as Kinds>::Members::with_limit(members.min(usize::from(u16::MAX))),
            points: Points::with_limit(points),
            zones: 0,
        }
    }

    /// Adds a member, with as many points as its weight says. Keys move to it and between no others.
    ///
    /// # Errors
    ///
    /// [`MemberError::ZeroWeight`], [`Points`](MemberError::Points), [`Duplicate`](MemberError::Duplicate) or
    /// [`Full`](MemberError::Full); nothing was changed.
    pub fn add(&mut self, member: Member) -> Result<(), MemberError> {
        let points = self.points_of(member)?;
        let hash = self.hash;
        let tokens = (0..points).map(|point| hash.point(member.id, point));
        self.insert(member, usize::from(points), tokens)
    }

    /// Adds a member with points at these tokens, whatever its weight: for tests, and for tokens that were computed to even out the shares.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, Placement, Token};
    /// let mut ring = HashRing::<Inline<2, 2>>::new(KeyHash::default(), 1);
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// ring.add_at(Member::new(a), &[Token::new(90)])?;
    /// ring.add_at(Member::new(b), &[Token::new(180)])?;
    /// let owners = [90, 91, 181].map(|token| ring.owner(Token::new(token)));
    /// assert_eq!(owners, [Some(a), Some(b), Some(a)]);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::Points`] without tokens or with more than [`MAX_POINTS`], [`ZeroWeight`](MemberError::ZeroWeight),
    /// [`Duplicate`](MemberError::Duplicate) or [`Full`](MemberError::Full); nothing was changed.
    pub fn add_at(&mut self, member: Member, tokens: &[Token]) -> Result<(), MemberError> {
        if tokens.is_empty() || tokens.len() > MAX_POINTS {
            return Err(MemberError::Points);
        }
        self.insert(member, tokens.len(), tokens.iter().map(|token| token.get()))
    }

    /// Adds several members, or none of them. Filling an empty ring in this way takes less time than adding its members one by one.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member};
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let mut ring = HashRing::<Inline<3, 48>>::new(KeyHash::default(), 16);
    /// ring.add_all(&members)?;
    /// assert_eq!(ring.members(), members);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError`] of the first member that cannot be added; nothing was changed.
    pub fn add_all(&mut self, members: &[Member]) -> Result<(), MemberError> {
        if self.members.is_empty() {
            return self.fill(members).inspect_err(|_| {
                self.members.clear();
                self.points.truncate(0);
            });
        }
        for (done, member) in members.iter().enumerate() {
            self.add(*member).inspect_err(|_| {
                for member in members.get(..done).unwrap_or_default() {
                    let _ = self.remove(member.id); // it came a moment ago
                }
            })?;
        }
        Ok(())
    }

    /// Removes a member with its points. Its keys go to the members of the points behind them, and no other key moves.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member, MemberError};
    /// let mut nodes = HashRing::<Inline<2, 8>>::new(KeyHash::default(), 4);
    /// let node = NodeId::new(1);
    /// nodes.add(Member::new(node))?;
    /// nodes.remove(node)?;
    /// assert_eq!(nodes.remove(node), Err(MemberError::Unknown(node)));
    /// # Ok::<(), MemberError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemberError::Unknown`]; nothing was changed.
    pub fn remove(&mut self, node: NodeId) -> Result<(), MemberError> {
        let place = place_of(&self.members, node).map_err(|_| MemberError::Unknown(node))?;
        self.members.remove(place);
        self.points.remove_owner(index(place));
        self.points.close_gap_of_owner(index(place));
        self.zones = count_zones(&self.members);
        Ok(())
    }

    /// The members, in the order of their ids.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The hash that makes tokens of keys, and points of members.
    ///
    /// ```
    /// # use quorate_ring::{HashRing, Inline, KeyHash};
    /// let ring = HashRing::<Inline<2, 8>>::new(KeyHash::default(), 4);
    /// assert_eq!(ring.hash(), KeyHash::default());
    /// ```
    #[must_use]
    pub const fn hash(&self) -> KeyHash {
        self.hash
    }

    /// The number of points of all members.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{HashRing, Inline, KeyHash, Member};
    /// let mut ring = HashRing::<Inline<2, 8>>::new(KeyHash::default(), 4);
    /// ring.add(Member::new(NodeId::new(1)).with_weight(2))?;
    /// assert_eq!(ring.points(), 8);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn points(&self) -> usize {
        self.points.len()
    }

    fn insert(
        &mut self,
        member: Member,
        points: usize,
        tokens: impl Iterator<Item = u64>,
    ) -> Result<(), MemberError> {
        if place_of(&self.members, member.id).is_ok() {
            return Err(MemberError::Duplicate(member.id));
        }
        self.check_room(points)?;
        let place = insert(&mut self.members, member)?;
        self.points.make_room_for_owner(index(place));
        let first = self.points.len();
        for token in tokens {
            self.points.push(token, index(place))?; // there is room
        }
        self.points.sort(first);
        self.points.merge(first);
        self.zones = count_zones(&self.members);
        Ok(())
    }

    /// Takes the first members.
    fn fill(&mut self, members: &[Member]) -> Result<(), MemberError> {
        let mut points = 0_usize;
        for member in members {
            points = points.saturating_add(self.points_of(*member)?.into());
            insert(&mut self.members, *member)?;
            self.check_room(points)?; // none is taken yet
        }
        for (place, member) in self.members.iter().enumerate() {
            for point in 0..self.points_of(*member)? {
                self.points.push(self.hash.point(member.id, point), index(place))?;
            }
        }
        self.points.sort(0);
        self.zones = count_zones(&self.members);
        Ok(())
    }

    fn points_of(&self, member: Member) -> Result<u16, MemberError> {
        if member.weight == 0 {
            return Err(MemberError::ZeroWeight);
        }
        let points = self.points_per_weight.checked_mul(member.weight);
        points.filter(|points| *points > 0).ok_or(MemberError::Points)
    }

    fn check_room(&self, points: usize) -> Result<(), MemberError> {
        let room = self.points.limit().saturating_sub(self.points.len());
        if points > room { Err(MemberError::Full) } else { Ok(()) }
    }
}

impl<S: Storage> Placement for HashRing<S> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.hash.token(key)
    }

    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        self.points.owners_from(self.points.successor(at.get())).filter_map(|owner| {
            let member = self.members.get(usize::from(owner))?;
            Some((member.id, member.zone))
        })
    }

    fn zones(&self) -> usize {
        self.zones
    }

    fn nodes(&self) -> usize {
        self.members.len()
    }

    /// Points are part of it, as they may have been [chosen](HashRing::add_at).
    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("hash ring");
        fingerprint.hash(self.hash);
        fingerprint.number(self.points_per_weight);
        fingerprint.members(&self.members);
        fingerprint.length(self.points.len());
        for (token, owner) in self.points.tokens().iter().zip(self.points.owners_from(0)) {
            fingerprint.number(*token);
            fingerprint.number(owner);
        }
        fingerprint.finish()
    }
}

impl<S: Storage> Divided for HashRing<S> {
    /// The one after the first point.
    fn first_token(&self) -> Token {
        self.points.tokens().first().map_or(Token::MIN, |token| Token::new(*token).next())
    }

    fn last_token(&self) -> Token {
        self.first_token().previous()
    }

    /// The next point.
    fn end_of_range(&self, at: Token) -> Token {
        let next = self.points.tokens().get(self.points.successor(at.get()));
        next.map_or(at.previous(), |token| Token::new(*token))
    }

    fn replicas_at(&self, at: Token, replicas: usize) -> PreferenceList {
        self.replicas(at, replicas)
    }
}

/// A member's place, as points keep it: a ring has at most 65,535 members.
fn index(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}
