use core::fmt;
use core::hash::Hasher as _;

use quorate_core::NodeId;
use siphasher::sip::SipHasher13;

use crate::Token;

/// How keys become tokens: SipHash-1-3 with a key of 128 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
///
/// It reads bytes and nothing else, so a key has the same token on machines of 32 and 64 bits and of either byte order, which
/// `core::hash::Hash` does not promise of a `usize` or a `str`. All nodes of a cluster need the same key, which is part of a
/// placement's identity: with another one, nearly all keys live elsewhere. A client that knows the hash key can choose keys that all
/// go to one node; keep it secret where clients are not trusted. `Debug` and `defmt::Format` do not show it.
///
/// ```
/// use quorate_ring::{KeyHash, Token};
/// let hash = KeyHash::default();
/// assert_eq!(hash.token(b"key"), KeyHash::new([0, 0]).token(b"key"));
/// assert_ne!(hash.token(b"key"), KeyHash::new([0, 1]).token(b"key"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyHash {
    key: [u64; 2],
}

impl KeyHash {
    /// The hash with this key.
    #[must_use]
    pub const fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    /// Its key.
    ///
    /// ```
    /// # use quorate_ring::KeyHash;
    /// assert_eq!(KeyHash::default().key(), [0, 0]);
    /// ```
    #[must_use]
    pub const fn key(&self) -> [u64; 2] {
        self.key
    }

    /// The token of a key of any length.
    ///
    /// ```
    /// # use quorate_ring::{KeyHash, Token};
    /// assert_eq!(KeyHash::default().token(b""), Token::new(0xd1fb_a762_150c_532c));
    /// ```
    #[must_use]
    pub fn token(&self, key: &[u8]) -> Token {
        let [first, second] = self.key;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(key);
        Token::new(hasher.finish())
    }

    /// The token of a member's point. Node and point have a fixed width, so that no two points have one name: "node 1" with point
    /// 11 and "node 11" with point 1 did in other libraries.
    pub(crate) fn point(&self, node: NodeId, point: u16) -> u64 {
        let mut name = [0; 10];
        let (id, number) = name.split_at_mut(8);
        id.copy_from_slice(&node.get().to_le_bytes());
        number.copy_from_slice(&point.to_le_bytes());
        self.token(&name).get()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for KeyHash {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "KeyHash(..)");
    }
}
