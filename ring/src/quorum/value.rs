use core::fmt::Debug;
use core::hash::Hash;

use quorate_clocks::Causality;
use quorate_core::{DecodeError, Reader, Wire};

/// What replicas keep for a key: a state that knows how to be merged with another of the same key, so that replicas that have the
/// same writes end up with the same state, in whatever order the writes arrived.
///
/// | value | concurrent writes | made by |
/// |---|---|---|
/// | [`Lww`](super::Lww) | the later timestamp wins | any node with a hybrid clock |
/// | [`Siblings`](quorate_clocks::Siblings) | all are kept, for the reader to settle | a replica of the key |
/// | [`Tagged`](super::Tagged) | one wins; linearizable with [two phases](super::Coordinator) | any node |
/// | `Merged` (feature `crdt`) | as the data type says | a replica of the key |
pub trait Value: Clone + PartialEq + Eq + Hash + Debug + for<'a> Wire<'a> {
    /// What a client has seen of a value: it travels with a read, and comes back with the next write.
    type Context: Clone + PartialEq + Eq + Hash + Debug + for<'a> Wire<'a>;

    /// Takes over what the other has. True if that changed this one.
    ///
    /// # Errors
    ///
    /// [`MergeRefused`] if the result does not fit, or the two contradict each other; nothing was changed.
    fn merge(&mut self, other: &Self) -> Result<bool, MergeRefused>;

    /// How the two relate.
    fn compare(&self, other: &Self) -> Causality;

    /// What a reader of this value has seen.
    fn context(&self) -> Self::Context;

    /// Whether a reader of this value has seen all of that.
    fn includes(&self, context: &Self::Context) -> bool;

    /// Whether it says that the key was deleted, and nothing else.
    fn is_tombstone(&self) -> bool;

    /// Reads a value with the limits of this one.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a value, or it does not fit.
    fn read(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode(input)
    }
}

/// Why two values cannot be merged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MergeRefused {
    /// There is no room.
    Full,
    /// The two say different things of one write: a node writes in two places under one name, or lost its memory.
    Conflict,
}
