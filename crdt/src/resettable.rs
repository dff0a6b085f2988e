use quorate_clocks::{Actor, Storage};

use crate::UpdateError;
use crate::grow_map::GrowMap;

/// An actor's totals: increments and how much of them is reset, decrements and how much of them is reset.
type Totals = ((u64, u64), (u64, u64));

/// A counter that grows, shrinks and can be set back to zero: a reset takes back what it has seen, exactly, and nothing else.
///
/// Subtracting the value instead would take an increment back twice if two actors reset at once, and a counter that keeps one
/// dot for each actor's total loses that total to no reset while the actor increments (Almeida, Shoker, Baquero 2018, section
/// 7: the causal counter). Here a reset raises a mark beside each actor's totals; marks and totals only grow, so a concurrent
/// increment stays whole and concurrent resets are one. RAM: 48 bytes an actor. A delta is a small state of this type.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, ResettableCounter};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = ResettableCounter::<Inline<2>>::new();
/// left.increment(a, 10)?;
/// let mut right = left.clone();
/// left.reset();
/// right.reset();
/// right.increment(b, 3)?;
/// left.increment(a, 1)?;
/// left.merge(&right)?;
/// assert_eq!(left.value(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ResettableCounter<S: Storage>(GrowMap<Actor, Totals, S>);

impl_grow_map!(ResettableCounter [] "<Inline<4>>", "actors");
impl_crdt_with_state_deltas!(
    ResettableCounter []
    |state| Some(state.limit()),
    |state, actor| {
        let ((up, _), (down, _)) = state.totals(actor);
        up.saturating_add(down)
    },
    |state, delta, actor| {
        // resets are anybody's, totals are the actor's
        let (own, told) = (state.totals(actor), delta.totals(actor));
        told.0.0 > own.0.0 || told.1.0 > own.1.0
    }
);

impl_serde!(ResettableCounter [S: Storage] [S] GrowMap<Actor, Totals, S>, |macros| {
    macros.0.entries().iter().all(|entry| Self::is_valid(&entry.0, &entry.1))
});

impl<S: Storage> ResettableCounter<S> {
    /// Adds to the actor's increments.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if its increments since the beginning
    /// would be beyond 2^64 − 1; the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::ResettableCounter;
    /// let mut counter = ResettableCounter::<Inline<2>>::new();
    /// counter.increment(Actor::default(), 2)?;
    /// assert_eq!(counter.value(), 2);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn increment(&mut self, actor: Actor, amount: u64) -> Result<Self, UpdateError> {
        let ((up, reset), down) = self.totals(actor);
        let up = up.checked_add(amount).ok_or(UpdateError::Exhausted)?;
        self.set(actor, ((up, reset), down))
    }

    /// Adds to the actor's decrements.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if its decrements since the beginning
    /// would be beyond 2^64 − 1; the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::ResettableCounter;
    /// let mut counter = ResettableCounter::<Inline<2>>::new();
    /// counter.decrement(Actor::default(), 2)?;
    /// assert_eq!(counter.value(), -2);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn decrement(&mut self, actor: Actor, amount: u64) -> Result<Self, UpdateError> {
        let (up, (down, reset)) = self.totals(actor);
        let down = down.checked_add(amount).ok_or(UpdateError::Exhausted)?;
        self.set(actor, (up, (down, reset)))
    }

    /// Takes back every increment and decrement seen so far.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{Crdt, ResettableCounter};
    /// let mut counter = ResettableCounter::<Inline<2>>::new();
    /// let update = counter.increment(Actor::default(), 2)?;
    /// counter.reset();
    /// assert_eq!(counter.value(), 0);
    /// counter.apply(&update)?; // arrives once more
    /// assert_eq!(counter.value(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(&mut self) -> Self {
        let mut delta = Self::with_limit(self.0.limit());
        for &(actor, ((up, _), (down, _))) in self.0.entries() {
            // it has the limit of this one, so it fits
            let _ = delta.0.join(&actor, &((up, up), (down, down)));
        }
        let _ = self.0.merge(&delta.0); // no new key
        delta
    }

    /// All increments less all decrements that no reset took back.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::ResettableCounter;
    /// assert_eq!(ResettableCounter::<Inline<2>>::new().value(), 0);
    /// ```
    #[must_use]
    pub fn value(&self) -> i128 {
        let left = |(total, reset): (u64, u64)| i128::from(total.saturating_sub(reset));
        let one = |&(_, (up, down)): &(Actor, Totals)| left(up).saturating_sub(left(down));
        // a list is far too short to saturate
        self.0.entries().iter().fold(0, |sum: i128, entry| sum.saturating_add(one(entry)))
    }

    fn totals(&self, actor: Actor) -> Totals {
        self.0.get(&actor).copied().unwrap_or_default()
    }

    fn set(&mut self, actor: Actor, totals: Totals) -> Result<Self, UpdateError> {
        let mut delta = Self::with_limit(self.0.limit());
        if totals != Totals::default() {
            self.0.join(&actor, &totals).map_err(|_| UpdateError::Full)?;
            delta.0.join(&actor, &totals).map_err(|_| UpdateError::Full)?;
        }
        Ok(delta)
    }

    /// Nothing is reset that was not counted.
    fn is_valid(_actor: &Actor, (up, down): &Totals) -> bool {
        up.1 <= up.0 && down.1 <= down.0 && (up.0 > 0 || down.0 > 0)
    }
}
