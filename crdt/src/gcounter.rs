use quorate_clocks::{Actor, Storage};

use crate::grow_map::GrowMap;
use crate::{Entry, UpdateError};

/// A counter that only grows: each actor's total, and the sum is the value (Shapiro, Preguiça, Baquero, Zawirski, "A
/// comprehensive study of Convergent and Commutative Replicated Data Types", 2011, specification 6).
///
/// Totals are checked and do not wrap; the value is exact. RAM: 24 bytes an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, GCounter};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let (mut left, mut right) = (GCounter::<Inline<2>>::new(), GCounter::new());
/// left.increment(a, 3)?;
/// right.increment(b, 4)?;
/// left.merge(&right)?;
/// assert_eq!(left.value(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GCounter<S: Storage>(GrowMap<Actor, u64, S>);

impl_grow_map!(GCounter [] "<Inline<4>>", "actors");
impl_crdt_with_entry_deltas!(
    GCounter [] Actor, u64,
    |state| Some(state.limit()),
    |state, actor| state.get(actor),
    |state, delta, actor| delta.key == actor && delta.value > state.get(actor)
);

impl<S: Storage> GCounter<S> {
    /// Adds to the actor's total. An amount of 0 changes nothing, and takes no room.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if its total would be beyond 2^64 − 1;
    /// the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{GCounter, UpdateError};
    /// let mut counter = GCounter::<Inline<2>>::new();
    /// counter.increment(Actor::default(), u64::MAX)?;
    /// assert_eq!(counter.increment(Actor::default(), 1), Err(UpdateError::Exhausted));
    /// assert_eq!(counter.value(), u128::from(u64::MAX));
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn increment(
        &mut self,
        actor: Actor,
        amount: u64,
    ) -> Result<Entry<Actor, u64>, UpdateError> {
        let value = self.get(actor).checked_add(amount).ok_or(UpdateError::Exhausted)?;
        if value > 0 {
            self.0.join(&actor, &value).map_err(|_| UpdateError::Full)?;
        }
        Ok(Entry { key: actor, value })
    }

    /// The actor's total.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::GCounter;
    /// assert_eq!(GCounter::<Inline<2>>::new().get(Actor::default()), 0);
    /// ```
    #[must_use]
    pub fn get(&self, actor: Actor) -> u64 {
        self.0.get(&actor).copied().unwrap_or(0)
    }

    /// The sum of all totals.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::GCounter;
    /// let mut counter = GCounter::<Inline<2>>::new();
    /// counter.increment(Actor::default(), 2)?;
    /// assert_eq!(counter.value(), 2);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> u128 {
        let sum = |sum: u128, entry: &(Actor, u64)| sum.saturating_add(u128::from(entry.1));
        self.0.entries().iter().fold(0, sum) // a list is far too short to saturate
    }

    /// An entry without events would be a second form of the same state.
    fn is_valid(_actor: &Actor, total: &u64) -> bool {
        *total > 0
    }
}
