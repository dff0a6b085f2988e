use quorate_clocks::{Actor, Storage};

use crate::grow_map::GrowMap;
use crate::{Entry, UpdateError};

/// A counter that grows and shrinks: for each actor the total of its increments and that of its decrements, and the difference
/// of the sums is the value (Shapiro et al. 2011, specification 7).
///
/// A replica may see a decrement before the increment it was meant for: the value may be negative for a while. For one that
/// never is, see [`BoundedCounter`](crate::BoundedCounter). RAM: 32 bytes an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, PnCounter};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let (mut left, mut right) = (PnCounter::<Inline<2>>::new(), PnCounter::new());
/// left.increment(a, 3)?;
/// right.decrement(b, 4)?;
/// left.merge(&right)?;
/// assert_eq!(left.value(), -1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PnCounter<S: Storage>(GrowMap<Actor, (u64, u64), S>);

impl_grow_map!(PnCounter [] "<Inline<4>>", "actors");
impl_crdt_with_entry_deltas!(
    PnCounter [] Actor, (u64, u64),
    |state| Some(state.limit()),
    |state, actor| {
        let (up, down) = state.get(actor);
        up.saturating_add(down)
    },
    |state, delta, actor| {
        let (up, down) = state.get(actor);
        delta.key == actor && (delta.value.0 > up || delta.value.1 > down)
    }
);

impl<S: Storage> PnCounter<S> {
    /// Adds to the actor's increments.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if its increments would be beyond
    /// 2^64 − 1; the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::PnCounter;
    /// let mut counter = PnCounter::<Inline<2>>::new();
    /// counter.increment(Actor::default(), 2)?;
    /// assert_eq!(counter.value(), 2);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn increment(
        &mut self,
        actor: Actor,
        amount: u64,
    ) -> Result<Entry<Actor, (u64, u64)>, UpdateError> {
        let (up, down) = self.get(actor);
        let up = up.checked_add(amount).ok_or(UpdateError::Exhausted)?;
        self.set(actor, (up, down))
    }

    /// Adds to the actor's decrements.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if its decrements would be beyond
    /// 2^64 − 1; the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::PnCounter;
    /// let mut counter = PnCounter::<Inline<2>>::new();
    /// counter.decrement(Actor::default(), 2)?;
    /// assert_eq!(counter.value(), -2);
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn decrement(
        &mut self,
        actor: Actor,
        amount: u64,
    ) -> Result<Entry<Actor, (u64, u64)>, UpdateError> {
        let (up, down) = self.get(actor);
        let down = down.checked_add(amount).ok_or(UpdateError::Exhausted)?;
        self.set(actor, (up, down))
    }

    /// The totals of the actor's increments and of its decrements.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::PnCounter;
    /// let mut counter = PnCounter::<Inline<2>>::new();
    /// counter.increment(Actor::default(), 5)?;
    /// counter.decrement(Actor::default(), 2)?;
    /// assert_eq!(counter.get(Actor::default()), (5, 2));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    #[must_use]
    pub fn get(&self, actor: Actor) -> (u64, u64) {
        self.0.get(&actor).copied().unwrap_or_default()
    }

    /// All increments less all decrements.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::PnCounter;
    /// assert_eq!(PnCounter::<Inline<2>>::new().value(), 0);
    /// ```
    #[must_use]
    pub fn value(&self) -> i128 {
        let one = |entry: &(Actor, (u64, u64))| {
            i128::from(entry.1.0).saturating_sub(i128::from(entry.1.1))
        };
        // a list is far too short to saturate
        self.0.entries().iter().fold(0, |sum: i128, entry| sum.saturating_add(one(entry)))
    }

    fn set(
        &mut self,
        key: Actor,
        value: (u64, u64),
    ) -> Result<Entry<Actor, (u64, u64)>, UpdateError> {
        if value != (0, 0) {
            self.0.join(&key, &value).map_err(|_| UpdateError::Full)?;
        }
        Ok(Entry { key, value })
    }

    fn is_valid(_actor: &Actor, totals: &(u64, u64)) -> bool {
        *totals != (0, 0)
    }
}
