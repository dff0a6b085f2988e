use core::fmt;

use quorate_core::{DecodeError, Full, Reader, Wire, Writer};

use crate::{Actor, Causality, Dot, IncrementError, Storage, VersionVector};

/// A version vector from which retired actors were dropped, and the number of its retirements.
///
/// Dropping entries by age or size, as stores do, makes clocks disagree: one replica has dropped what the other still has, and
/// equal histories look concurrent for ever. Here an actor is retired by one decision, the same for all replicas and in the
/// same order everywhere (from a replicated log, or an administrator): the number of the retirement, and the last event of
/// each actor it retires. A vector takes part only when it has exactly those events, so nothing unseen is passed over; and
/// vectors with different numbers of retirements are never compared: the older one must take the
/// missing retirements first.
///
/// ```
/// use quorate_clocks::{Causality, Dot, Inline, Pruned, VersionVector};
/// use quorate_core::NodeId;
///
/// let (gone, here) = (NodeId::new(1).into(), NodeId::new(2).into());
/// let mut a = Pruned::<Inline<2>>::new();
/// let last = a.increment(gone)?;
/// a.increment(here)?;
/// let mut b = a.clone();
/// a.retire(1, &[last])?;
/// assert!(a.compare(&b).is_err()); // not "concurrent": b is not there yet
/// b.retire(1, &[last])?;
/// assert_eq!(a.compare(&b), Ok(Causality::Equal));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An actor that was retired must not make events again: it comes back as its next
/// [incarnation](Actor::next_incarnation). A replica that forgot retirements has a lower number and
/// takes them again; until then it is refused everywhere.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = ""))]
pub struct Pruned<S: Storage> {
    retirements: u64,
    vector: VersionVector<S>,
}

impl<S: Storage> Pruned<S> {
    /// No events, nothing retired.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Pruned};
    /// assert_eq!(Pruned::<Inline<2>>::new().retirements(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::from(VersionVector::new())
    }

    /// Drops actors that are gone: `last` has the last event of each, and `number` is the number of
    /// the retirement, from 1.
    ///
    /// # Errors
    ///
    /// [`RetireError::OutOfOrder`] if an earlier retirement is missing, or this one was taken;
    /// [`RetireError::Behind`] if the vector lacks events of such an actor; [`RetireError::Alive`]
    /// if it has later ones. Nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Inline, Pruned, RetireError};
    /// let mut vector = Pruned::<Inline<2>>::new();
    /// let last = vector.increment(Actor::default())?.next()?;
    /// assert_eq!(vector.retire(1, &[last]), Err(RetireError::Behind(last)));
    /// assert_eq!(vector.retire(2, &[last]), Err(RetireError::OutOfOrder));
    /// vector.increment(Actor::default())?;
    /// assert!(vector.retire(1, &[last]).is_ok());
    /// assert!(vector.vector().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retire(&mut self, number: u64, last: &[Dot]) -> Result<(), RetireError> {
        if self.retirements.checked_add(1) != Some(number) {
            return Err(RetireError::OutOfOrder);
        }
        for dot in last {
            let seen = self.vector.get(dot.actor());
            if seen < dot.counter() {
                return Err(RetireError::Behind(*dot));
            }
            if seen > dot.counter() {
                return Err(RetireError::Alive(dot.actor()));
            }
        }
        last.iter().for_each(|dot| self.vector.remove(dot.actor()));
        self.retirements = number;
        Ok(())
    }

    /// Counts an event of the actor, and returns it.
    ///
    /// # Errors
    ///
    /// As [`VersionVector::increment`].
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Pruned};
    /// assert_eq!(Pruned::<Inline<2>>::new().increment(Actor::default())?.counter(), 1);
    /// # Ok::<(), quorate_clocks::IncrementError>(())
    /// ```
    pub fn increment(&mut self, actor: Actor) -> Result<Dot, IncrementError> {
        self.vector.increment(actor)
    }

    /// Adds all events of the other.
    ///
    /// # Errors
    ///
    /// [`PrunedError::Retirements`] if one of them has been through more retirements;
    /// [`PrunedError::Full`] if not all actors fit. Nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, Pruned, PrunedError};
    /// let mut a = Pruned::<Inline<2>>::new();
    /// let mut b = a.clone();
    /// a.increment(Actor::default())?;
    /// b.merge(&a)?;
    /// assert_eq!(a, b);
    /// b.retire(1, &[])?;
    /// assert_eq!(a.merge(&b), Err(PrunedError::Retirements { own: 0, other: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<T: Storage>(&mut self, other: &Pruned<T>) -> Result<(), PrunedError> {
        self.check_retirements(other)?;
        Ok(self.vector.merge(&other.vector)?)
    }

    /// How the two relate.
    ///
    /// # Errors
    ///
    /// [`PrunedError::Retirements`] if one of them has been through more retirements: that cannot
    /// be told.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Causality, Inline, Pruned};
    /// let a = Pruned::<Inline<2>>::new();
    /// let mut b = a.clone();
    /// b.increment(Actor::default())?;
    /// assert_eq!(a.compare(&b), Ok(Causality::Before));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compare<T: Storage>(&self, other: &Pruned<T>) -> Result<Causality, PrunedError> {
        self.check_retirements(other)?;
        Ok(self.vector.compare(&other.vector))
    }

    /// How many retirements it has been through.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Pruned};
    /// let mut vector = Pruned::<Inline<2>>::new();
    /// vector.retire(1, &[])?;
    /// assert_eq!(vector.retirements(), 1);
    /// # Ok::<(), quorate_clocks::RetireError>(())
    /// ```
    #[must_use]
    pub const fn retirements(&self) -> u64 {
        self.retirements
    }

    /// The events of the actors that are left.
    ///
    /// ```
    /// # use quorate_clocks::{Inline, Pruned};
    /// assert!(Pruned::<Inline<2>>::new().vector().is_empty());
    /// ```
    #[must_use]
    pub const fn vector(&self) -> &VersionVector<S> {
        &self.vector
    }

    fn check_retirements<T: Storage>(&self, other: &Pruned<T>) -> Result<(), PrunedError> {
        if self.retirements == other.retirements {
            return Ok(());
        }
        Err(PrunedError::Retirements { own: self.retirements, other: other.retirements })
    }
}

impl<S: Storage> Default for Pruned<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Nothing retired yet.
impl<S: Storage> From<VersionVector<S>> for Pruned<S> {
    fn from(vector: VersionVector<S>) -> Self {
        Self { retirements: 0, vector }
    }
}

/// Why actors were not dropped. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RetireError {
    /// It is not the next retirement: take the earlier ones first.
    OutOfOrder,
    /// Events up to this one are missing: get them first.
    Behind(Dot),
    /// The actor made events after what was said to be its last: it must not be retired.
    Alive(Actor),
}

/// Why two vectors were not merged or compared. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PrunedError {
    /// There is no room for another actor.
    Full,
    /// They have been through different retirements: bring the one with fewer up first.
    Retirements {
        /// Retirements of the first one.
        own: u64,
        /// Retirements of the other one.
        other: u64,
    },
}

impl From<Full> for PrunedError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for RetireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder => f.write_str("not the next retirement: take the earlier ones first"),
            Self::Behind(dot) => write!(f, "events up to {dot} are missing: get them first"),
            Self::Alive(actor) => {
                write!(f, "{actor} made events after what was said to be its last")
            }
        }
    }
}

impl fmt::Display for PrunedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room for another actor"),
            Self::Retirements { own, other } => {
                write!(f, "{own} retirements against {other}: bring the lower one up first")
            }
        }
    }
}

impl core::error::Error for RetireError {}
impl core::error::Error for PrunedError {}

impl<S: Storage> Wire<'_> for Pruned<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.retirements);
        self.vector.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { retirements: input.u64()?, vector: VersionVector::decode(input)? })
    }
}
