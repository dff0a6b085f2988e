use core::cmp::Ordering;

use quorate_clocks::{Actor, Storage};

use crate::UpdateError;
use crate::dot_store::{Change, DotStore};

/// A counter for an [`OrMap`](crate::OrMap): removing it takes back exactly what the removal has seen, and what was added
/// concurrently counts (Almeida, Shoker, Baquero 2018, section 7: a causal counter, here with a dot for each addition instead of one
/// for each actor's total, of which a removal would take back nothing while the actor goes on counting).
///
/// So each addition takes a place of its own until its actor brings its additions into one with [`compact`](Self::compact), or a
/// removal takes them out. A counter on its own does with less: [`ResettableCounter`](crate::ResettableCounter). RAM: 32 bytes an
/// addition, 56 an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, OrCounter, OrMap};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = OrMap::<u8, OrCounter<Inline<8>, Inline<2>>>::new();
/// left.edit(&7, |count| count.add(a, 5))?;
/// let mut right = left.clone();
/// right.remove(&7);
/// left.edit(&7, |count| count.add(a, 1))?;
/// left.merge(&right)?;
/// assert_eq!(left.get(&7).map(|count| count.value()), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrCounter<S: Storage, A: Storage = S>(pub(crate) DotStore<i64, S, A>);

impl_dot_store!(OrCounter [] i64, "<Inline<4>, Inline<2>>", "additions");

impl<S: Storage, A: Storage> OrCounter<S, A> {
    /// Adds an amount, or takes it off if it is negative. An amount of 0 changes nothing, and takes no room.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for another addition, which [`compact`](Self::compact) may make, or the actor;
    /// [`UpdateError::Exhausted`] if the actor made 2^64 − 1 updates. The counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{OrCounter, UpdateError};
    /// let mut counter = OrCounter::<Inline<2>>::new();
    /// counter.add(Actor::default(), 5)?;
    /// counter.add(Actor::default(), -2)?;
    /// assert_eq!(counter.value(), 3);
    /// assert_eq!(counter.add(Actor::default(), 1), Err(UpdateError::Full));
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn add(&mut self, actor: Actor, amount: i64) -> Result<Change<i64, S>, UpdateError> {
        if amount == 0 {
            return Ok(self.0.remove(|_| Ordering::Less));
        }
        self.0.update(actor, Some(amount), |_| Ordering::Less) // in the place of nothing
    }

    /// Brings the actor's additions into one. A removal made concurrently with this takes none of them back: best done when
    /// nobody removes, or everybody has seen the additions.
    ///
    /// Only the actor itself may do this: two that did it at once would count everything twice.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Exhausted`] if the sum is beyond an `i64`, or the actor made 2^64 − 1 updates; the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{OrCounter, UpdateError};
    /// let mut counter = OrCounter::<Inline<2>>::new();
    /// for _ in 0..100 {
    ///     if counter.add(Actor::default(), 1) == Err(UpdateError::Full) {
    ///         counter.compact(Actor::default())?;
    ///         counter.add(Actor::default(), 1)?;
    ///     }
    /// }
    /// assert_eq!(counter.value(), 100);
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn compact(&mut self, actor: Actor) -> Result<Change<i64, S>, UpdateError> {
        let own = || self.0.entries().iter().filter(|entry| entry.1.actor() == actor);
        if own().count() < 2 {
            return Ok(self.0.remove(|_| Ordering::Less));
        }
        let sum = own().fold(0i128, |sum, entry| sum.saturating_add(entry.0.into()));
        let sum = i64::try_from(sum).map_err(|_| UpdateError::Exhausted)?;
        self.0.replace_actor_entries(actor, (sum != 0).then_some(sum))
    }

    /// Takes back everything that is known here to have been added.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::OrCounter;
    /// let mut counter = OrCounter::<Inline<2>>::new();
    /// counter.add(Actor::default(), 5)?;
    /// counter.clear();
    /// assert_eq!(counter.value(), 0);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn clear(&mut self) -> Change<i64, S> {
        self.0.remove(|_| Ordering::Equal)
    }

    /// The sum of what was added and not taken back.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::OrCounter;
    /// assert_eq!(OrCounter::<Inline<2>>::new().value(), 0);
    /// ```
    #[must_use]
    pub fn value(&self) -> i128 {
        let sum = |sum: i128, entry: &(i64, _)| sum.saturating_add(entry.0.into());
        self.0.entries().iter().fold(0, sum) // a list is far too short to saturate
    }
}
