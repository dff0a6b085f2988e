//! How long messages and records can be, as formulas that a program can compute at compile time.

use quorate_core::{bytes_len, varint_len};

use super::Causal;
use crate::Storage;

/// The longest varint of a number of 64 bits, and of 32 bits.
const U64: usize = 10;
const U32: usize = 5;

/// The longest dot: a node, its incarnation, and a number.
const DOT: usize = U64 + U32 + U64;

impl<A: Storage, M: Storage, B: Storage> Causal<A, M, B> {
    /// The longest message that a member makes, in bytes as [`Wire`](quorate_core::Wire) encodes
    /// it: what a transport's frames must hold.
    ///
    /// A message reaches it that has as many causes as there is room for actors, and ids and numbers
    /// near 2^64. Where both are below 128, each actor takes 3 bytes in place of 25.
    ///
    /// ```
    /// use quorate_clocks::{Causal, Inline};
    /// const FRAME: usize = Causal::<Inline<3>, Inline<8>, Inline<32>>::max_message_len();
    /// assert_eq!(FRAME, 26 + (1 + 3 * 25) + (1 + 32));
    /// ```
    #[must_use]
    pub const fn max_message_len() -> usize {
        // `Data`: a member relays others' messages as it got them, with all the causes that fit
        add(1 + DOT, add(versions_len(A::LIMIT), bytes_len(B::LIMIT)))
    }

    /// The longest record that a member makes, in bytes as [`Wire`](quorate_core::Wire) encodes it:
    /// what a log of records must take.
    ///
    /// ```
    /// use quorate_clocks::{Causal, Inline};
    /// const RECORD: usize = Causal::<Inline<3>, Inline<8>, Inline<32>>::max_record_len();
    /// assert_eq!(RECORD, 11 + (1 + 2 * 25) + (1 + 32));
    /// ```
    #[must_use]
    pub const fn max_record_len() -> usize {
        // `Sent`: what an own broadcast depends on are other actors
        let causes = versions_len(A::LIMIT.saturating_sub(1));
        add(1 + U64, add(causes, bytes_len(B::LIMIT)))
    }
}

const fn versions_len(actors: usize) -> usize {
    add(varint_len(actors as u64), actors.saturating_mul(DOT))
}

const fn add(a: usize, b: usize) -> usize {
    a.saturating_add(b)
}
