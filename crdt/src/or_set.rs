use core::cmp::Ordering;

use quorate_clocks::{Actor, Storage};

use crate::dot_store::{Change, DotStore, dedup};
use crate::{UpdateError, Value};

/// A set in which an element stays if it was added and removed concurrently: a removal takes out the additions it has seen
/// (Shapiro et al. 2011, specification 15; without tombstones: Bieniusa et al. 2012).
///
/// Elements go in and out as often as they like: memory is that of the elements that are in, 24 bytes besides each (32
/// for an element of 8), once more for each concurrent addition, and 56 bytes an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, OrSet};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = OrSet::<u8, Inline<8>, Inline<2>>::new();
/// left.add(a, 7)?;
/// let mut right = left.clone();
/// left.remove(&7);
/// right.add(b, 7)?;
/// left.merge(&right)?;
/// assert!(left.contains(&7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrSet<E: Value, S: Storage, A: Storage = S>(pub(crate) DotStore<E, S, A>);

impl_dot_store!(OrSet [E: Value] E, "<u8, Inline<4>, Inline<2>>", "additions");

impl<E: Value, S: Storage, A: Storage> OrSet<E, S, A> {
    /// Adds an element. If it is in already, this addition takes the place of those that are known.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the element or the actor, [`UpdateError::Exhausted`] if the actor made
    /// 2^64 − 1 updates; the set is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{OrSet, UpdateError};
    /// let mut set = OrSet::<u8, Inline<1>>::new();
    /// set.add(Actor::default(), 1)?;
    /// set.add(Actor::default(), 1)?;
    /// assert_eq!(set.add(Actor::default(), 2), Err(UpdateError::Full));
    /// # Ok::<(), UpdateError>(())
    /// ```
    pub fn add(&mut self, actor: Actor, element: E) -> Result<Change<E, S>, UpdateError> {
        self.0.update(actor, Some(element.clone()), |other| other.cmp(&element))
    }

    /// Takes an element out, as far as it is known here to be in.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::OrSet;
    /// let mut set = OrSet::<u8, Inline<4>>::new();
    /// set.add(Actor::default(), 1)?;
    /// set.remove(&1);
    /// assert!(!set.contains(&1));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn remove(&mut self, element: &E) -> Change<E, S> {
        self.0.remove(|other| other.cmp(element))
    }

    /// Takes everything out that is known here to be in.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::OrSet;
    /// let mut set = OrSet::<u8, Inline<4>>::new();
    /// set.add(Actor::default(), 1)?;
    /// set.clear();
    /// assert!(set.is_empty());
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn clear(&mut self) -> Change<E, S> {
        self.0.remove(|_| Ordering::Equal)
    }

    /// Whether the element is in the set.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::OrSet;
    /// assert!(!OrSet::<u8, Inline<4>>::new().contains(&1));
    /// ```
    #[inline]
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        self.0.contains(|other| other.cmp(element))
    }

    /// The elements, in order, each once.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::OrSet;
    /// let mut set = OrSet::<u8, Inline<4>>::new();
    /// for n in [3, 1, 3] {
    ///     set.add(Actor::default(), n)?;
    /// }
    /// assert!(set.iter().eq(&[1, 3]));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> + '_ {
        // an element may be there by several dots, side by side
        dedup(self.0.entries(), |a, b| a.0 == b.0).map(|entry| &entry.0)
    }

    /// Whether nothing is in the set.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::OrSet;
    /// assert!(OrSet::<u8, Inline<4>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries().is_empty()
    }
}
