//! How long messages and records can be, as formulas that a program can compute at compile time.

use crate::Bully;
use crate::ring::{Algorithm, Kind, Ring};
use crate::storage::Storage;

/// The longest varint of an epoch: all are below 2^62.
const EPOCH: usize = 9;

/// The longest varint of a round, which has 64 bits.
const ROUND: usize = 10;

impl<S: Storage> Bully<S> {
    /// The longest message that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it:
    /// what a transport's frames must hold.
    ///
    /// A message reaches it whose epoch and round are near their limits. Messages take 2 or 3 bytes
    /// while both are below 128, and up to 5 while both are below 2^14.
    ///
    /// ```
    /// use quorate_election::{Bully, Inline};
    /// const FRAME: usize = Bully::<Inline<3>>::max_message_len();
    /// assert_eq!(FRAME, 20);
    /// ```
    #[must_use]
    pub const fn max_message_len() -> usize {
        1 + EPOCH + ROUND // `Accept`, which repeats the leader's round
    }

    /// The longest record that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it:
    /// what a log of records must take.
    ///
    /// ```
    /// use quorate_election::{Bully, Inline};
    /// const RECORD: usize = Bully::<Inline<3>>::max_record_len();
    /// assert_eq!(RECORD, 9);
    /// ```
    #[must_use]
    pub const fn max_record_len() -> usize {
        EPOCH
    }
}

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// The longest message that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it:
    /// what a transport's frames must hold.
    ///
    /// A message reaches it whose epochs are near their limit. Messages take 2 to 8 bytes while
    /// epochs are below 2^14 and there are at most 21 members. A token of
    /// [`Collecting`](crate::ring::Collecting) and [`ChangRoberts`](crate::ring::ChangRoberts) has a
    /// bit for each member of the storage, so that more members take more: 20 bytes at most for up
    /// to 7, and 24 for 29 to 32.
    ///
    /// ```
    /// use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair, Ring};
    /// use quorate_election::Inline;
    /// const FRAME: usize = Ring::<Collecting, Inline<3>>::max_message_len();
    /// assert_eq!(FRAME, 20);
    /// assert_eq!(Ring::<ChangRoberts, Inline<32>>::max_message_len(), 24);
    /// assert_eq!(Ring::<HirschbergSinclair, Inline<32>>::max_message_len(), 22);
    /// ```
    #[must_use]
    pub const fn max_message_len() -> usize {
        match A::KIND {
            // `Probe`: its phase, hops and direction
            Kind::HirschbergSinclair => 1 + 2 * EPOCH + 3,
            // `Elect`, with a bit for each member: a node sends others' on as it got them
            Kind::Collecting | Kind::ChangRoberts => {
                (1 + 2 * EPOCH).saturating_add(bits_len(S::MEMBERS))
            }
        }
    }

    /// The longest record that a node makes, in bytes as [`Wire`](quorate_core::Wire) encodes it:
    /// what a log of records must take.
    ///
    /// ```
    /// use quorate_election::{Inline, Ring, ring::Collecting};
    /// const RECORD: usize = Ring::<Collecting, Inline<3>>::max_record_len();
    /// assert_eq!(RECORD, 9);
    /// ```
    #[must_use]
    pub const fn max_record_len() -> usize {
        EPOCH
    }
}

/// The longest varint of so many bits.
const fn bits_len(bits: usize) -> usize {
    match bits {
        0..=7 => 1,
        8..=14 => 2,
        15..=21 => 3,
        22..=28 => 4,
        _ => 5, // 32 at most
    }
}
