use core::cmp::Ordering;

use quorate_clocks::{Actor, Storage};

use crate::UpdateError;
use crate::dot_store::{Change, DotStore};

/// A flag that is on if it was switched on and off concurrently (Almeida, Shoker, Baquero 2018, section 7.3).
///
/// RAM: 24 bytes for each of the actors that switched it on concurrently, 56 an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, EwFlag};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = EwFlag::<Inline<2>>::new();
/// left.enable(a)?;
/// let mut right = left.clone();
/// left.disable();
/// right.enable(b)?;
/// left.merge(&right)?;
/// assert!(left.is_on());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EwFlag<S: Storage, A: Storage = S>(pub(crate) DotStore<(), S, A>);

impl_dot_store!(EwFlag [] (), "<Inline<4>, Inline<2>>", "concurrent switches");

impl<S: Storage, A: Storage> EwFlag<S, A> {
    /// Switches on.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if it made 2^64 − 1 updates; the
    /// flag is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::EwFlag;
    /// let mut flag = EwFlag::<Inline<2>>::new();
    /// flag.enable(Actor::default())?;
    /// assert!(flag.is_on());
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn enable(&mut self, actor: Actor) -> Result<Change<(), S>, UpdateError> {
        self.0.update(actor, Some(()), |()| Ordering::Equal)
    }

    /// Switches off, as far as it is known here to be on.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::EwFlag;
    /// let mut flag = EwFlag::<Inline<2>>::new();
    /// flag.enable(Actor::default())?;
    /// flag.disable();
    /// assert!(!flag.is_on());
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn disable(&mut self) -> Change<(), S> {
        self.0.remove(|()| Ordering::Equal)
    }

    /// Whether it is on; at first it is off.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::EwFlag;
    /// assert!(!EwFlag::<Inline<2>>::new().is_on());
    /// ```
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.0.entries().is_empty()
    }
}

/// A flag that is off if it was switched on and off concurrently: its off is what [`EwFlag`]'s on is.
///
/// RAM: 24 bytes for each of the actors that switched it off concurrently, 56 an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, DwFlag};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = DwFlag::<Inline<2>>::new();
/// left.disable(a)?;
/// let mut right = left.clone();
/// left.enable();
/// right.disable(b)?;
/// left.merge(&right)?;
/// assert!(!left.is_on());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DwFlag<S: Storage, A: Storage = S>(pub(crate) DotStore<(), S, A>);

impl_dot_store!(DwFlag [] (), "<Inline<4>, Inline<2>>", "concurrent switches");

impl<S: Storage, A: Storage> DwFlag<S, A> {
    /// Switches on, as far as it is known here to be off.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::DwFlag;
    /// let mut flag = DwFlag::<Inline<2>>::new();
    /// flag.disable(Actor::default())?;
    /// flag.enable();
    /// assert!(flag.is_on());
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn enable(&mut self) -> Change<(), S> {
        self.0.remove(|()| Ordering::Equal)
    }

    /// Switches off.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Full`] if there is no room for the actor, [`UpdateError::Exhausted`] if it made 2^64 − 1 updates; the
    /// flag is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::DwFlag;
    /// let mut flag = DwFlag::<Inline<2>>::new();
    /// flag.disable(Actor::default())?;
    /// assert!(!flag.is_on());
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn disable(&mut self, actor: Actor) -> Result<Change<(), S>, UpdateError> {
        self.0.update(actor, Some(()), |()| Ordering::Equal)
    }

    /// Whether it is on; at first it is.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::DwFlag;
    /// assert!(DwFlag::<Inline<2>>::new().is_on());
    /// ```
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.entries().is_empty()
    }
}
