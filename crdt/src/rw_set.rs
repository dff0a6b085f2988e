use quorate_clocks::{Actor, Storage};

use crate::dot_store::{Change, DotStore, dedup};
use crate::{UpdateError, Value};

/// A set in which an element is out if it was added and removed concurrently: an element is in if every addition and removal
/// that nothing later took the place of is an addition (Almeida, Shoker, Baquero 2018, section 7.4, with the bias turned).
///
/// An element that came out keeps its place, so that a concurrent addition finds the removal;
/// [`purge`](Self::purge) frees it once every replica has seen the removal. RAM: 24 bytes, the
/// element and one byte (padded) for each element that is in or out, once more for each concurrent
/// addition or removal, and 56 bytes an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, RwSet};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = RwSet::<u8, Inline<8>, Inline<2>>::new();
/// left.add(a, 7)?;
/// let mut right = left.clone();
/// left.remove(a, 7)?;
/// right.add(b, 7)?;
/// left.merge(&right)?;
/// assert!(!left.contains(&7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RwSet<E: Value, S: Storage, A: Storage = S>(pub(crate) DotStore<(E, bool), S, A>);

impl_dot_store!(RwSet [E: Value] (E, bool), "<u8, Inline<4>, Inline<2>>", "additions and removals");

/// What an [`RwSet`] sends.
type Update<E, S> = Change<(E, bool), S>;

impl<E: Value, S: Storage, A: Storage> RwSet<E, S, A> {
    /// Adds an element, in place of all additions and removals that are known.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the element or the actor, [`UpdateError::Exhausted`] if the actor made
    /// 2^64 − 1 updates; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::RwSet;
    /// let mut set = RwSet::<u8, Inline<4>>::new();
    /// set.remove(Actor::default(), 1)?;
    /// set.add(Actor::default(), 1)?;
    /// assert!(set.contains(&1));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn add(&mut self, actor: Actor, element: E) -> Result<Update<E, S>, UpdateError> {
        self.0.update(actor, Some((element.clone(), true)), |other| other.0.cmp(&element))
    }

    /// Takes an element out, in place of all additions and removals that are known.
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add).
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::RwSet;
    /// let mut set = RwSet::<u8, Inline<4>>::new();
    /// set.add(Actor::default(), 1)?;
    /// set.remove(Actor::default(), 1)?;
    /// assert!(!set.contains(&1));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn remove(&mut self, actor: Actor, element: E) -> Result<Update<E, S>, UpdateError> {
        self.0.update(actor, Some((element.clone(), false)), |other| other.0.cmp(&element))
    }

    /// Frees the place of an element that is out. Additions that are concurrent to the purged
    /// removals, and not yet here, will win over them: purge when every replica is known to have
    /// seen the removal. An element that is in stays.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::RwSet;
    /// let mut set = RwSet::<u8, Inline<1>>::new();
    /// set.remove(Actor::default(), 1)?;
    /// set.purge(&1);
    /// set.add(Actor::default(), 2)?;
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn purge(&mut self, element: &E) -> Update<E, S> {
        let out = !self.contains(element);
        self.0.remove(|other| if out { other.0.cmp(element) } else { core::cmp::Ordering::Less })
    }

    /// Whether the element is in the set.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::RwSet;
    /// assert!(!RwSet::<u8, Inline<4>>::new().contains(&1));
    /// ```
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        // removals come first among the updates of an element
        self.0.range(|other| other.0.cmp(element)).first().is_some_and(|entry| entry.0.1)
    }

    /// The elements, in order, each once.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::RwSet;
    /// let mut set = RwSet::<u8, Inline<4>>::new();
    /// set.add(Actor::default(), 1)?;
    /// set.remove(Actor::default(), 2)?;
    /// assert!(set.iter().eq(&[1]));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> + '_ {
        let entries = dedup(self.0.entries(), |a, b| a.0.0 == b.0.0);
        entries.filter(|entry| entry.0.1).map(|entry| &entry.0.0)
    }
}
