//! Keys, and how peers hash them.

use std::hash::{BuildHasher, Hash, Hasher};

use quorate_core::Rng;
use siphasher::sip::SipHasher13;

/// A key of 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 16]);

impl Key {
    /// The key of this number.
    #[inline]
    pub(crate) fn new(number: u64) -> Self {
        Self((u128::from(token(number)) * 0x1_0000_0001).to_le_bytes())
    }
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0); // without the length, which is the same in all
    }
}

/// The hash of the key of this number, where it was hashed before.
#[inline]
pub(crate) fn token(number: u64) -> u64 {
    mix(number)
}

/// Spreads the bits of a number.
#[inline]
pub(crate) fn mix(number: u64) -> u64 {
    Rng::new(number).next_u64()
}

/// SipHash-1-3 with the key 0, 0: the hash of our crate, and what peers are given who ship a seed drawn at random.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sip;

impl BuildHasher for Sip {
    type Hasher = SipHasher13;

    #[inline]
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(0, 0)
    }
}

/// So that numbers next to each other are not, when others are mixed with them.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// For keys that are hashed: passes a single number through, and mixes it with those that follow.
#[derive(Clone, Copy, Default)]
pub(crate) struct Passed {
    hash: u64,
    follows: bool,
}

impl Hasher for Passed {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.hash = if self.follows { mix(self.hash.wrapping_mul(ODD) ^ number) } else { number };
        self.follows = true;
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.hash
    }
}

/// Makes [`Passed`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Pass;

impl BuildHasher for Pass {
    type Hasher = Passed;

    #[inline]
    fn build_hasher(&self) -> Passed {
        Passed::default()
    }
}
