use core::fmt::Debug;
use core::hash::Hash;

use quorate_clocks::{Actor, Causality};
use quorate_core::{DecodeError, Reader, Wire};

use crate::{ApplyError, MergeError};

/// The first [revision](Crdt::revision) of a decoded value.
pub(crate) const DECODED_REVISION: u64 = 1 << 63;

/// A conflict-free replicated data type: a state that only grows in a partial order, and any two of which have a least state
/// above both (Shapiro, Preguiça, Baquero, Zawirski, "Conflict-free Replicated Data Types", SSS 2011, section 3).
///
/// [`merge`](Self::merge) is commutative, associative, idempotent and never goes back. Every update of every type returns its
/// [`Delta`](Self::Delta), what it changed and nothing else (Almeida, Shoker, Baquero, "Delta State Replicated Data Types",
/// 2018, section 4). Applied elsewhere after the deltas before it, a delta is what others call an operation. Deltas,
/// operations and states may be mixed: all ways lead to the same state, and equal states have equal bytes.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, GCounter};
///
/// let mut here = GCounter::<Inline<4>>::new();
/// let mut there = here.clone();
/// let delta = here.increment(Actor::from(NodeId::new(1)), 5)?;
/// assert_eq!(there.apply(&delta), Ok(true));
/// assert_eq!(there.apply(&delta), Ok(false)); // known
/// assert_eq!(there.merge(&here), Ok(false));
/// assert_eq!(here, there);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Crdt: Clone + Eq + PartialOrd + Hash + Debug + for<'a> Wire<'a> {
    /// What one update changed: small, and all that others need.
    type Delta: Clone + Eq + Debug;

    /// Takes over everything the other has. True if anything changed.
    ///
    /// # Errors
    ///
    /// [`MergeError`] if the result does not fit or the other contradicts this one; nothing was changed.
    fn merge(&mut self, other: &Self) -> Result<bool, MergeError>;

    /// Takes over one update. True if it was new.
    ///
    /// # Errors
    ///
    /// [`ApplyError`] if the result does not fit, or an earlier update is missing, or it contradicts this state; nothing was
    /// changed.
    fn apply(&mut self, delta: &Self::Delta) -> Result<bool, ApplyError>;

    /// How the two relate: what one has that the other has not. [`Causality::Equal`] if and only if the two are equal.
    #[must_use]
    fn compare(&self, other: &Self) -> Causality;

    /// The version of the actor's updates in this state; it only grows. Only the actor itself can
    /// raise it, which is how an actor that works in two places is detected. Always 0 for types
    /// without actors in their state.
    #[must_use]
    fn actor_version(&self, actor: Actor) -> u64;

    /// Whether a delta contains an update of the actor that is not part of this state:
    /// applying it would raise the actor's [`actor_version`](Self::actor_version). Never for types
    /// without actors in their state.
    #[must_use]
    fn lacks(&self, delta: &Self::Delta, actor: Actor) -> bool;

    /// The actor whose update in a delta differs from the one known here under the same identity,
    /// so that [`apply`](Self::apply) would return [`ApplyError::Conflict`]; `None` if it would
    /// not.
    #[must_use]
    fn conflicting_actor(&self, delta: &Self::Delta) -> Option<Actor>;

    /// Whether an update of the actor differs in another state, so that [`merge`](Self::merge)
    /// would return [`MergeError::Conflict`]. Never for types without actors in their state.
    #[must_use]
    fn conflicts_with(&self, other: &Self, actor: Actor) -> bool;

    /// How many updates, deltas and merges this value has taken since it was made. It is not part of the
    /// state: equal values may differ in it. A decoded value begins at 2^63, so that one that was put in
    /// the place of another is not taken for the other with one update more.
    #[must_use]
    fn revision(&self) -> u64;

    /// How many actors the state has room for; `None` if an actor takes no place in it.
    #[must_use]
    fn actor_limit(&self) -> Option<usize>;

    /// An empty state with the limits of this one.
    #[must_use]
    fn empty(&self) -> Self;

    /// Reads a state that takes as much as this one does.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a state in canonical form, or it does not fit.
    fn read_state(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads a delta that takes as much as this state does.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a delta, or it does not fit.
    fn read_delta(&self, input: &mut Reader<'_>) -> Result<Self::Delta, DecodeError>;

    /// Writes a delta.
    fn write_delta(delta: &Self::Delta, out: &mut quorate_core::Writer<'_>);
}

/// A type whose deltas are states as well, to be merged in any order and any number: all but the list, whose elements hang on each
/// other.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_crdt::{Crdt, DeltaState, OrSet};
///
/// let mut here = OrSet::<u8, Inline<4>>::new();
/// let first = here.add(Actor::default(), 1)?;
/// let second = here.remove(&1);
/// let mut there = here.empty();
/// there.merge(&there.delta_state(&second)?)?; // the second comes first
/// there.merge(&there.delta_state(&first)?)?;
/// assert_eq!(there, here);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait DeltaState: Crdt {
    /// The state that consists of this delta alone.
    ///
    /// # Errors
    ///
    /// [`MergeError`] if it does not fit. Of the types with removal, a delta that removes several entries at once may not: each run
    /// of dots that are not next to each other takes a place beside the actors. [`apply`](Crdt::apply) takes every delta made here.
    fn delta_state(&self, delta: &Self::Delta) -> Result<Self, MergeError>;
}
