use core::fmt;

use quorate_core::NodeId;

use crate::fingerprint::Fingerprint;
use crate::{Divided, Placement, PreferenceList, Token, Zone};

/// Any placement of tokens, applied to 2^n equal partitions of the circle instead of single keys (strategy 3 of DeCandia et al.,
/// "Dynamo", SOSP 2007, section 6.2).
///
/// All keys of a partition have the same nodes, so placements without ranges, such as rendezvous and jump hashing, can be moved
/// range by range ([`Plan`](crate::Plan)). Take some hundred partitions for each node: with fewer, the shares are less even. Choose their
/// number once, for the largest cluster that there will be: with another number of bits nearly every key moves.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{Inline, KeyHash, Member, Partitions, Placement, Plan, Rendezvous};
/// let mut nodes = Rendezvous::<Inline<4>>::new(KeyHash::default());
/// for id in [1, 2, 3].map(NodeId::new) {
///     nodes.add(Member::new(id))?;
/// }
/// let old = Partitions::new(nodes.clone(), 8)?;
/// nodes.add(Member::new(NodeId::new(4)))?;
/// let new = Partitions::new(nodes, 8)?;
/// let moves = Plan::new(&old, &new, 1)?.moves().count();
/// assert!(moves < 2 * 100, "{moves}");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Partitions<P> {
    placement: P,
    bits: u32,
}

/// Why there are no such [`Partitions`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PartitionsError {
    /// More than 2^32.
    TooMany,
}

impl fmt::Display for PartitionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("there may be 2^32 partitions at most"),
        }
    }
}

impl core::error::Error for PartitionsError {}

impl<P: for<'k> Placement<Position<'k> = Token>> Partitions<P> {
    /// Applies a placement to 2^`bits` partitions.
    ///
    /// ```
    /// # use quorate_ring::{Inline, KeyHash, Modulo, Partitions, PartitionsError};
    /// let parts = Partitions::new(Modulo::<Inline<2>>::new(KeyHash::default()), 33);
    /// assert_eq!(parts, Err(PartitionsError::TooMany));
    /// ```
    ///
    /// # Errors
    ///
    /// [`PartitionsError::TooMany`] for more than 32 bits.
    pub fn new(placement: P, bits: u32) -> Result<Self, PartitionsError> {
        if bits > 32 {
            return Err(PartitionsError::TooMany);
        }
        Ok(Self { placement, bits })
    }

    /// The placement that is applied.
    ///
    /// ```
    /// # use quorate_ring::{Inline, KeyHash, Modulo, Partitions};
    /// let parts = Partitions::new(Modulo::<Inline<2>>::new(KeyHash::default()), 4)?;
    /// assert!(parts.placement().members().is_empty());
    /// # Ok::<(), quorate_ring::PartitionsError>(())
    /// ```
    #[must_use]
    pub const fn placement(&self) -> &P {
        &self.placement
    }

    /// The number of the partition that a token is in, from 0 on.
    ///
    /// ```
    /// # use quorate_ring::{Inline, KeyHash, Modulo, Partitions, Token};
    /// let parts = Partitions::new(Modulo::<Inline<2>>::new(KeyHash::default()), 4)?;
    /// assert_eq!(parts.partition_of(Token::MAX), 15);
    /// # Ok::<(), quorate_ring::PartitionsError>(())
    /// ```
    #[must_use]
    pub const fn partition_of(&self, token: Token) -> u64 {
        match token.get().checked_shr(64_u32.saturating_sub(self.bits)) {
            Some(part) => part,
            None => 0, // one part
        }
    }

    /// The token that stands for a partition. It is a hash of the partition's number: the numbers themselves would all lie in one
    /// place of the circle.
    const fn token_of(&self, part: u64) -> Token {
        Token::new(quorate_core::Rng::mix(part.wrapping_add(1)))
    }
}

impl<P: for<'k> Placement<Position<'k> = Token>> Placement for Partitions<P> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.placement.position(key)
    }

    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        self.placement.walk(self.token_of(self.partition_of(at)))
    }

    fn zones(&self) -> usize {
        self.placement.zones()
    }

    fn nodes(&self) -> usize {
        self.placement.nodes()
    }

    fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::of("partitions");
        fingerprint.number(self.bits);
        fingerprint.number(self.placement.fingerprint());
        fingerprint.finish()
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
