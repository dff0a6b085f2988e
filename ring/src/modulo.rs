use quorate_core::{List, NodeId};

use crate::fingerprint::Fingerprint;
use crate::members::{count_zones, insert, place_of};
use crate::storage::Kinds;
use crate::{KeyHash, Member, MemberError, Placement, Storage, Token, Zone};

/// The hash modulo the number of members: a baseline for comparison.
///
/// No placement is simpler or quicker, and none moves more: from n to n + 1 members, n of n + 1 keys move, nearly all of them
/// between members that were there before. Use it only for members that never change. Weights are ignored.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Inline, KeyHash, Member, Modulo, Placement, Token};
/// let mut nodes = Modulo::<Inline<5>>::new(KeyHash::default());
/// for id in [1, 2, 3, 4].map(NodeId::new) {
///     nodes.add(Member::new(id))?;
/// }
/// let before: Vec<_> = (0..20).map(|token| nodes.owner(Token::new(token))).collect();
/// nodes.add(Member::new(NodeId::new(5)))?;
/// let moved = (0..20).filter(|token| nodes.owner(Token::new(*token)) != before[*token as usize]);
/// assert_eq!(moved.count(), 16);
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Modulo<S: Storage> {
    hash: KeyHash,
    /// In the order of their ids.
    members: S::Members,
    zones: usize,
}

impl<S: Storage> Modulo<S> {
    /// No members. With `Heap` storage there is room for 65,535.
    #[must_use]
    pub fn new(hash: KeyHash) -> Self {
        let members = <S as Kinds>::Members::with_limit(usize::from(u16::MAX));
        Self { hash, members, zones: 0 }
    }

    /// Adds a member. Nearly all keys move.
    ///
    /// # Errors
    ///
    /// [`MemberError::ZeroWeight`], [`Duplicate`](MemberError::Duplicate) or [`Full`](MemberError::Full); nothing was changed.
    pub fn add(&mut self, member: Member) -> Result<(), MemberError> {
        insert(&mut self.members, member)?;
        self.zones = count_zones(&self.members);
        Ok(())
    }

    /// Removes a member. Nearly all keys move.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, KeyHash, Member, MemberError, Modulo};
    /// let mut nodes = Modulo::<Inline<2>>::new(KeyHash::default());
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
        self.zones = count_zones(&self.members);
        Ok(())
    }

    /// The members, in the order of their ids.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Inline, KeyHash, Member, Modulo};
    /// let mut nodes = Modulo::<Inline<2>>::new(KeyHash::default());
    /// let [a, b] = [1, 2].map(|id| Member::new(NodeId::new(id)));
    /// nodes.add(b)?;
    /// nodes.add(a)?;
    /// assert_eq!(nodes.members(), [a, b]);
    /// # Ok::<(), quorate_ring::MemberError>(())
    /// ```
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

impl<S: Storage> Placement for Modulo<S> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.hash.token(key)
    }

    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        let place = at.get().checked_rem(self.members.len() as u64).unwrap_or(0);
        let place = usize::try_from(place).unwrap_or(0); // below `len`
        let (before, from) = self.members.split_at_checked(place).unwrap_or_default();
        from.iter().chain(before).map(|member| (member.id, member.zone))
    }

    fn zones(&self) -> usize {
        self.zones
    }

    fn nodes(&self) -> usize {
        self.members.len()
    }

    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("modulo");
        fingerprint.hash(self.hash);
        fingerprint.members(&self.members);
        fingerprint.finish()
    }
}
