use quorate_core::NodeId;

use crate::{Divided, Placement, PreferenceList, Token, Zone};

/// Any placement of tokens, over 2^n equal parts of the space in place of single keys (strategy 3 of "Dynamo", SOSP 2007, section 6.2).
///
/// A part goes to a node as a whole, so a placement that has no ranges, such as rendezvous or jump hashing, can be moved range by
/// range ([`Plan`](crate::Plan)). Take some hundred parts for each node: with fewer the shares are less even.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Inline, KeyHash, Member, Partitions, Placement, Plan, Rendezvous};
/// let mut nodes = Rendezvous::<Inline<4>>::new(KeyHash::default());
/// for id in [1, 2, 3].map(NodeId::new) {
///     nodes.add(Member::new(id))?;
/// }
/// let old = Partitions::new(nodes.clone(), 8);
/// nodes.add(Member::new(NodeId::new(4)))?;
/// let new = Partitions::new(nodes, 8);
/// let moves = Plan::new(&old, &new, 1).moves().count();
/// assert!(moves < 2 * 100, "{moves}");
/// # Ok::<(), quorate_ring::MemberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Partitions<P> {
    placement: P,
    bits: u32,
}

impl<P: for<'k> Placement<Position<'k> = Token>> Partitions<P> {
    /// The placement over 2^`bits` parts; at most 2^32.
    #[must_use]
    pub fn new(placement: P, bits: u32) -> Self {
        Self { placement, bits: bits.min(32) }
    }

    /// The placement of the parts.
    ///
    /// ```
    /// # use quorate_ring::{Inline, KeyHash, Modulo, Partitions};
    /// let parts = Partitions::new(Modulo::<Inline<2>>::new(KeyHash::default()), 4);
    /// assert!(parts.placement().members().is_empty());
    /// ```
    #[must_use]
    pub const fn placement(&self) -> &P {
        &self.placement
    }

    /// The number of the part that a token is in.
    ///
    /// ```
    /// # use quorate_ring::{Inline, KeyHash, Modulo, Partitions, Token};
    /// let parts = Partitions::new(Modulo::<Inline<2>>::new(KeyHash::default()), 4);
    /// assert_eq!(parts.part(Token::MAX), 15);
    /// ```
    #[must_use]
    pub const fn part(&self, token: Token) -> u64 {
        match token.get().checked_shr(64_u32.saturating_sub(self.bits)) {
            Some(part) => part,
            None => 0, // one part
        }
    }

    /// What stands for a part: a token of its own, as neighbouring numbers would go to neighbouring nodes of some placements.
    const fn token_of(&self, part: u64) -> Token {
        Token::new(crate::rendezvous::mix(part.wrapping_add(1)))
    }
}

impl<P: for<'k> Placement<Position<'k> = Token>> Placement for Partitions<P> {
    type Position<'k> = Token;

    fn position<'k>(&self, key: &'k [u8]) -> Token {
        self.placement.position(key)
    }

    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        self.placement.walk(self.token_of(self.part(at)))
    }

    fn zones(&self) -> usize {
        self.placement.zones()
    }
}

impl<P: for<'k> Placement<Position<'k> = Token>> Divided for Partitions<P> {
    fn first_token(&self) -> Token {
        Token::MIN
    }

    fn last_token(&self) -> Token {
        Token::MAX
    }

    fn end_of_range(&self, at: Token) -> Token {
        let within = u64::MAX.checked_shr(self.bits).unwrap_or(0);
        Token::new(at.get() | within)
    }

    fn replicas_at(&self, at: Token, replicas: usize) -> PreferenceList {
        self.replicas(at, replicas)
    }
}
