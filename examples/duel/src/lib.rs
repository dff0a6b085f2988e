//! Three [`Synod`]s in one program that propose different values at once, over links that lose, delay and reorder, in virtual time; nodes lose
//! power, and go on from their records. Everything follows from a seed, so a board and its host must get the same, byte for byte: [`Outcome`]
//! has a digest of all that was sent and written.
//!
//! ```
//! let outcome = quorate_duel::run(7)?;
//! assert!(outcome.value < 3 && outcome.records > 0);
//! assert_eq!(quorate_duel::run(7), Ok(outcome));
//! # Ok::<(), quorate_duel::Problem>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod world;

use core::fmt;

use quorate_paxos::Inline;
use quorate_paxos::synod::{self, Config, Synod};

/// Where a node keeps its members and values: three, of one byte.
pub(crate) type Memory = Inline<3, 1>;
pub(crate) type Node = Synod<Memory>;

/// Bytes of a message and of a record.
pub(crate) const MESSAGE: usize = synod::max_message_len::<Memory>(&Config::lan());
pub(crate) const RECORD: usize = synod::max_record_len::<Memory>(&Config::lan());

/// What came of a duel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Outcome {
    /// Whose value was chosen: the node's number, from 0.
    pub value: u8,
    /// The last round of any ballot.
    pub round: u64,
    /// Messages that were sent, lost ones included.
    pub messages: u32,
    /// Records that were written.
    pub records: u32,
    /// How often a node lost power.
    pub restarts: u32,
    /// When the last node knew, in µs of virtual time.
    pub time_us: u64,
    /// Of all messages and records, in their order.
    pub digest: u32,
}

/// What must not be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The nodes cannot be made, or do not take what they must take.
    Setup,
    /// A node refuses its own records.
    Records,
    /// A node refuses an honest message, or cannot read it.
    Refused,
    /// Two values were chosen.
    TwoValues,
    /// A node does not know what was chosen after a minute.
    Unfinished,
    /// There is more on its way, or on a disk, than there is room for.
    Room,
}

impl Problem {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Setup => "the nodes cannot be made",
            Self::Records => "a node refuses its own records",
            Self::Refused => "a node refuses an honest message",
            Self::TwoValues => "two values were chosen",
            Self::Unfinished => "a node does not learn what was chosen",
            Self::Room => "there is no room for what is on its way",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl core::error::Error for Problem {}

/// Runs the duel of a seed: three nodes propose, each its own number.
///
/// # Errors
///
/// [`Problem`]: a promise of the algorithm is broken, or something is too small.
///
/// ```
/// let outcomes: Vec<_> = (0..40).flat_map(quorate_duel::run).collect();
/// assert_eq!(outcomes.len(), 40);
/// assert!(outcomes.iter().any(|outcome| outcome.round > 1)); // they preempt each other
/// ```
pub fn run(seed: u64) -> Result<Outcome, Problem> {
    world::World::new(seed)?.run()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OF_SEED_1: Outcome = Outcome {
        value: 2,
        round: 2,
        messages: 23,
        records: 13,
        restarts: 0,
        time_us: 62_079,
        digest: 678_076_881,
    };

    #[test]
    fn every_seed_chooses_one_value() {
        let outcomes: [Outcome; 500] = core::array::from_fn(|seed| run(seed as u64).unwrap());
        let sum = |what: fn(&Outcome) -> u32| outcomes.iter().map(what).sum::<u32>();
        assert!(sum(|outcome| outcome.restarts) > 200);
        // they are in each other's way
        assert!(sum(|outcome| u32::from(outcome.round > 1)) > 150);
        // and the highest does not always win
        assert!([0, 1, 2].iter().all(|&value| outcomes.iter().any(|one| one.value == value)));
    }

    /// All nodes lose power before anybody has voted.
    #[test]
    fn value_is_chosen_though_all_forget_what_they_proposed() {
        assert!(run(13_561_306_008_873).is_ok_and(|outcome| outcome.restarts >= 3));
    }

    #[test]
    fn outcome_of_a_seed_is_the_same_everywhere() {
        let outcome = run(1).unwrap();
        assert_eq!(outcome, OF_SEED_1);
    }
}
