use core::fmt;

use quorate_clocks::{Actor, Storage};

use crate::grow_map::GrowMap;
use crate::{Entry, UpdateError};

/// A counter that never falls below zero, without asking anybody: a decrement spends rights that the actor holds. An actor
/// gets rights by incrementing, or from another that hands over some of its own (Balegas et al., "Extending Eventually
/// Consistent Cloud Databases for Enforcing Numeric Invariants", SRDS 2015, section IV: the bounded counter; O'Neil, "The
/// Escrow Transactional Method", 1986).
///
/// For another bound count from there: stock above 5 is a counter that starts at what there is beyond 5. For an upper bound
/// count the room that is left. RAM: 48 bytes for each actor, and for each pair of actors of which one gave to the other.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{BoundedCounter, Crdt, EscrowError};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = BoundedCounter::<Inline<4>>::new();
/// left.increment(a, 10)?;
/// left.transfer(a, b, 4)?;
/// let mut right = left.clone();
/// left.decrement(a, 6)?; // both at once, and still not below zero
/// right.decrement(b, 4)?;
/// assert_eq!(right.decrement(b, 1), Err(EscrowError::Insufficient { rights: 0 }));
/// left.merge(&right)?;
/// assert_eq!(left.value(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BoundedCounter<S: Storage>(GrowMap<Pair, (u64, u64), S>);

/// Who gave, and who got. An actor's increments are what it gave itself, and its decrements are kept beside them.
type Pair = (Actor, Actor);

/// What a [`BoundedCounter`] sends: an actor's increments and decrements, or what it gave another.
type Rights = Entry<Pair, (u64, u64)>;

impl_grow_map!(BoundedCounter [] "<Inline<4>>", "actors and pairs of actors");
impl_crdt_with_entry_deltas!(
    BoundedCounter [] Pair, (u64, u64),
    |state| Some(state.limit()),
    |state, actor| {
        let own = state.0.entries().iter().filter(|entry| entry.0.0 == actor);
        own.fold(0, |sum: u64, entry| sum.saturating_add(entry.1.0).saturating_add(entry.1.1))
    },
    |state, delta, actor| {
        let (given, spent) = state.0.get(&delta.key).copied().unwrap_or_default();
        delta.key.0 == actor && (delta.value.0 > given || delta.value.1 > spent)
    }
);

/// Why rights were not spent, given or made. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EscrowError {
    /// The actor holds fewer rights: ask another to [`transfer`](BoundedCounter::transfer) some.
    Insufficient {
        /// How many it holds.
        rights: u64,
    },
    /// It could not be noted.
    Update(UpdateError),
}

impl<S: Storage> BoundedCounter<S> {
    /// Adds to the counter, and as many rights to the actor's.
    ///
    /// # Errors
    ///
    /// [`EscrowError::Update`] if there is no room, or a total would be beyond 2^64 − 1; the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::BoundedCounter;
    /// let mut counter = BoundedCounter::<Inline<4>>::new();
    /// counter.increment(Actor::default(), 2)?;
    /// assert_eq!((counter.value(), counter.rights(Actor::default())), (2, 2));
    /// # Ok::<(), quorate_crdt::EscrowError>(())
    /// ```
    pub fn increment(&mut self, actor: Actor, amount: u64) -> Result<Rights, EscrowError> {
        self.add((actor, actor), amount, 0)
    }

    /// Takes from the counter, and as many rights from the actor's.
    ///
    /// # Errors
    ///
    /// [`EscrowError::Insufficient`] if the actor holds fewer rights, [`EscrowError::Update`] as for
    /// [`increment`](Self::increment); the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{BoundedCounter, EscrowError};
    /// let mut counter = BoundedCounter::<Inline<4>>::new();
    /// let none = counter.decrement(Actor::default(), 1);
    /// assert_eq!(none, Err(EscrowError::Insufficient { rights: 0 }));
    /// ```
    pub fn decrement(&mut self, actor: Actor, amount: u64) -> Result<Rights, EscrowError> {
        self.check_rights(actor, amount)?;
        self.add((actor, actor), 0, amount)
    }

    /// Hands rights of one actor to another. Only `from` itself may do this.
    ///
    /// # Errors
    ///
    /// [`EscrowError::Insufficient`] if `from` holds fewer rights, [`EscrowError::Update`] as for
    /// [`increment`](Self::increment); the counter is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::BoundedCounter;
    /// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
    /// let mut counter = BoundedCounter::<Inline<4>>::new();
    /// counter.increment(a, 5)?;
    /// counter.transfer(a, b, 2)?;
    /// assert_eq!((counter.rights(a), counter.rights(b), counter.value()), (3, 2, 5));
    /// # Ok::<(), quorate_crdt::EscrowError>(())
    /// ```
    pub fn transfer(&mut self, from: Actor, to: Actor, amount: u64) -> Result<Rights, EscrowError> {
        self.check_rights(from, amount)?;
        if from == to {
            return self.add((from, from), 0, 0);
        }
        self.add((from, to), amount, 0)
    }

    /// How many rights the actor holds, as far as is known here. The actor itself knows at most what it holds.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::BoundedCounter;
    /// assert_eq!(BoundedCounter::<Inline<4>>::new().rights(Actor::default()), 0);
    /// ```
    #[must_use]
    pub fn rights(&self, actor: Actor) -> u64 {
        let (mut got, mut gone) = (0u128, 0u128);
        for &((from, to), (given, spent)) in self.0.entries() {
            if to == actor {
                got = got.saturating_add(u128::from(given));
            }
            if from == actor {
                gone = gone.saturating_add(u128::from(if to == from { spent } else { given }));
            }
        }
        u64::try_from(got.saturating_sub(gone)).unwrap_or(u64::MAX)
    }

    /// All increments less all decrements. Never below zero once everything the decrements depend on is here; until then, a
    /// replica that learnt of a decrement first shows zero.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::BoundedCounter;
    /// assert_eq!(BoundedCounter::<Inline<4>>::new().value(), 0);
    /// ```
    #[must_use]
    pub fn value(&self) -> u128 {
        let own = || self.0.entries().iter().filter(|entry| entry.0.0 == entry.0.1);
        let up = own().fold(0u128, |sum, entry| sum.saturating_add(u128::from(entry.1.0)));
        let down = own().fold(0u128, |sum, entry| sum.saturating_add(u128::from(entry.1.1)));
        up.saturating_sub(down)
    }

    fn check_rights(&self, actor: Actor, amount: u64) -> Result<(), EscrowError> {
        let rights = self.rights(actor);
        if rights < amount { Err(EscrowError::Insufficient { rights }) } else { Ok(()) }
    }

    fn add(&mut self, key: Pair, given: u64, spent: u64) -> Result<Rights, EscrowError> {
        let exhausted = EscrowError::Update(UpdateError::Exhausted);
        let before = self.0.get(&key).copied().unwrap_or_default();
        let given = before.0.checked_add(given).ok_or(exhausted)?;
        let spent = before.1.checked_add(spent).ok_or(exhausted)?;
        if (given, spent) != (0, 0) {
            let joined = self.0.join(&key, &(given, spent));
            joined.map_err(|_| EscrowError::Update(UpdateError::Full))?;
        }
        Ok(Entry { key, value: (given, spent) })
    }

    /// Nothing is spent between two actors.
    fn is_valid((from, to): &Pair, (given, spent): &(u64, u64)) -> bool {
        (*given > 0 || *spent > 0) && (from == to || *spent == 0)
    }
}

impl fmt::Display for EscrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insufficient { rights } => {
                write!(f, "the actor holds {rights} rights only: ask another to transfer some")
            }
            Self::Update(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EscrowError {}
