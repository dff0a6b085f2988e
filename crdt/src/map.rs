use core::cmp::Ordering;

use quorate_clocks::{Actor, Storage};

use crate::dot_store::{Change, DotStore, dedup};
use crate::{
    ApplyError, Crdt, DwFlag, EwFlag, MvRegister, OrCounter, OrSet, RwSet, UpdateError, Value,
};

/// A map from keys to values that are replicated data themselves. To remove a key is to take out everything in its value that is known
/// here (reset-remove): what was put in concurrently stays, and nothing else (Almeida, Shoker, Baquero 2018, section 7.5).
/// A value has no context of its own, which would be lost with its key: the whole map has one.
///
/// The value says what it is: `OrMap<K, OrSet<E, S, A>>`, `OrMap<K, MvRegister<V, S, A>>`, an [`OrCounter`], a flag, or
/// another map; its storage is the map's. A key is in the map as long as there is something in its value.
///
/// RAM: 24 bytes, the key and the element for each entry of all values together, 56 bytes an actor.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::NodeId;
/// use quorate_crdt::{Crdt, OrMap, OrSet};
///
/// let [a, b] = [1, 2].map(|n| Actor::from(NodeId::new(n)));
/// let mut left = OrMap::<u8, OrSet<u16, Inline<8>, Inline<2>>>::new();
/// left.edit(&1, |set| set.add(a, 10))?;
/// let mut right = left.clone();
/// left.remove(&1);
/// right.edit(&1, |set| set.add(b, 20))?;
/// left.merge(&right)?;
/// assert!(left.get(&1).is_some_and(|set| set.iter().eq(&[20])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrMap<K: Value, V: Nested>(DotStore<(K, V::Payload), V::Entries, V::Actors>);

/// What may be the value of an [`OrMap`]: every type of this crate from which things are taken out by what was seen.
pub trait Nested: Crdt<Delta = Change<Self::Payload, Self::Entries>> + sealed::Kernel {}

#[allow(unnameable_types)] // how the map and its values hold together
mod sealed {
    use super::{DotStore, Storage, Value};

    pub trait Kernel {
        type Payload: Value;
        type Entries: Storage;
        type Actors: Storage;
        fn from_store(kernel: DotStore<Self::Payload, Self::Entries, Self::Actors>) -> Self;
    }
}

macro_rules! nested {
    ($name:ident [$($g:ident: $b:path),*] $payload:ty) => {
        impl<$($g: $b,)* S: Storage, A: Storage> sealed::Kernel for $name<$($g,)* S, A> {
            type Payload = $payload;
            type Entries = S;
            type Actors = A;

            fn from_store(kernel: DotStore<$payload, S, A>) -> Self {
                Self(kernel)
            }
        }

        impl<$($g: $b,)* S: Storage, A: Storage> Nested for $name<$($g,)* S, A> {}
    };
}

nested!(OrSet [E: Value] E);
nested!(RwSet [E: Value] (E, bool));
nested!(MvRegister [V: Value] V);
nested!(OrCounter [] i64);
nested!(EwFlag [] ());
nested!(DwFlag [] ());

impl<K: Value, V: Nested> sealed::Kernel for OrMap<K, V> {
    type Payload = (K, V::Payload);
    type Entries = V::Entries;
    type Actors = V::Actors;

    fn from_store(kernel: DotStore<Self::Payload, Self::Entries, Self::Actors>) -> Self {
        Self(kernel)
    }
}

impl<K: Value, V: Nested> Nested for OrMap<K, V> {}

/// What an [`OrMap`] sends.
type Update<K, V> = Change<(K, <V as sealed::Kernel>::Payload), <V as sealed::Kernel>::Entries>;

impl<K: Value, V: Nested> OrMap<K, V> {
    /// Empty, with the limits of the value's storages.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// assert_eq!(OrMap::<u8, EwFlag<Inline<4>, Inline<2>>>::new().limits(), (4, 2));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(V::Entries::LIMIT, V::Actors::LIMIT)
    }

    /// Empty; takes at most so many entries of all values together and so many actors, or as many as the storages do.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// assert_eq!(OrMap::<u8, EwFlag<Inline<4>, Inline<2>>>::with_limits(9, 9).limits(), (4, 2));
    /// ```
    #[must_use]
    pub fn with_limits(entries: usize, actors: usize) -> Self {
        Self(DotStore::with_limits(entries, actors))
    }

    /// How many entries of all values together, and how many actors there may be.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// assert_eq!(OrMap::<u8, EwFlag<Inline<4>>>::new().limits(), (4, 4));
    /// ```
    #[must_use]
    pub fn limits(&self) -> (usize, usize) {
        self.0.limits()
    }

    /// Updates the value of a key, which is created if there is none: `edit` gets a copy, makes one
    /// update to it and returns the delta of that update.
    ///
    /// The map applies the delta; what else `edit` did to the copy would be lost, and is an error.
    /// The closure must not replace the value, merge anything into it, or update a copy of it
    /// instead.
    ///
    /// # Errors
    ///
    /// What `edit` says, [`UpdateError::Full`] if the map has no room, or
    /// [`UpdateError::DeltaMismatch`] if the delta does not make of the value what `edit` made of it,
    /// or removes something from another key; the map is unchanged.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{MvRegister, OrMap};
    /// let mut map = OrMap::<u8, MvRegister<u16, Inline<4>>>::new();
    /// map.edit(&1, |register| register.set(Actor::default(), 7))?;
    /// assert!(map.get(&1).is_some_and(|register| register.values().eq(&[7])));
    /// map.edit(&1, |register| Ok(register.clear()))?;
    /// assert_eq!(map.get(&1), None);
    /// let two = map.edit(&1, |register| {
    ///     register.set(Actor::default(), 8)?;
    ///     register.set(Actor::default(), 9)
    /// });
    /// assert_eq!(two, Err(quorate_crdt::UpdateError::DeltaMismatch));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn edit(
        &mut self,
        key: &K,
        edit: impl FnOnce(&mut V) -> Result<V::Delta, UpdateError>,
    ) -> Result<Update<K, V>, UpdateError> {
        let mut edited = self.value(key);
        let delta = edit(&mut edited)?;
        let mut expected = self.value(key);
        expected.apply(&delta).map_err(update_error)?;
        let elsewhere = |entry: &((K, _), _)| entry.0.0 != *key && delta.removes(entry.1);
        if expected != edited || self.0.entries().iter().any(elsewhere) {
            return Err(UpdateError::DeltaMismatch);
        }
        let Change { added, removed } = delta;
        let added = added.map(|(payload, dot)| ((key.clone(), payload), dot));
        let change = Change { added, removed };
        self.0.apply(&change).map_err(update_error)?;
        Ok(change)
    }

    /// Takes out everything in the key's value that is known here.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// let mut map = OrMap::<u8, EwFlag<Inline<4>>>::new();
    /// map.edit(&1, |flag| flag.enable(Actor::default()))?;
    /// map.remove(&1);
    /// assert!(!map.contains(&1));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn remove(&mut self, key: &K) -> Update<K, V> {
        self.0.remove(|other| other.0.cmp(key))
    }

    /// Takes out everything that is known here.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// let mut map = OrMap::<u8, EwFlag<Inline<4>>>::new();
    /// map.edit(&1, |flag| flag.enable(Actor::default()))?;
    /// map.clear();
    /// assert!(map.is_empty());
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn clear(&mut self) -> Update<K, V> {
        self.0.remove(|_| Ordering::Equal)
    }

    /// The key's value: a copy; `None` if there is nothing in it.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// assert_eq!(OrMap::<u8, EwFlag<Inline<4>>>::new().get(&1), None);
    /// ```
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V> {
        self.contains(key).then(|| self.value(key))
    }

    /// Whether there is something in the key's value.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// assert!(!OrMap::<u8, EwFlag<Inline<4>>>::new().contains(&1));
    /// ```
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains(|other| other.0.cmp(key))
    }

    /// The keys, in order.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// let mut map = OrMap::<u8, EwFlag<Inline<4>>>::new();
    /// map.edit(&1, |flag| flag.enable(Actor::default()))?;
    /// assert!(map.keys().eq(&[1]));
    /// # Ok::<(), quorate_crdt::UpdateError>(())
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = &K> + '_ {
        dedup(self.0.entries(), |a, b| a.0.0 == b.0.0).map(|entry| &entry.0.0)
    }

    /// Whether there are no keys.
    ///
    /// ```
    /// # use quorate_clocks::Inline;
    /// # use quorate_crdt::{EwFlag, OrMap};
    /// assert!(OrMap::<u8, EwFlag<Inline<4>>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries().is_empty()
    }

    /// What is in the key's value, with the context of the map.
    fn value(&self, key: &K) -> V {
        let entries = self.0.range(|other| other.0.cmp(key));
        let inner = entries.iter().map(|((_, payload), dot)| (payload.clone(), *dot));
        V::from_store(self.0.restrict(inner))
    }
}

/// A delta that does not apply to what it was made of is not the delta of that.
const fn update_error(error: ApplyError) -> UpdateError {
    match error {
        ApplyError::Full => UpdateError::Full,
        ApplyError::Missing | ApplyError::Conflict => UpdateError::DeltaMismatch,
    }
}

impl<K: Value, V: Nested> Crdt for OrMap<K, V> {
    type Delta = Update<K, V>;

    fn merge(&mut self, other: &Self) -> Result<bool, crate::MergeError> {
        self.0.merge(&other.0)
    }

    fn apply(&mut self, delta: &Self::Delta) -> Result<bool, crate::ApplyError> {
        self.0.apply(delta)
    }

    fn compare(&self, other: &Self) -> quorate_clocks::Causality {
        self.0.compare(&other.0)
    }

    fn actor_version(&self, actor: Actor) -> u64 {
        self.0.actor_version(actor)
    }

    fn lacks(&self, delta: &Self::Delta, actor: Actor) -> bool {
        self.0.lacks(delta, actor)
    }

    impl_dot_store_crdt!();
}

impl<K: Value, V: Nested> crate::DeltaState for OrMap<K, V> {
    fn delta_state(&self, delta: &Self::Delta) -> Result<Self, crate::MergeError> {
        self.0.change_state(delta).map(Self)
    }
}

impl_common!(OrMap [K: Value, V: Nested] [K, V]);
impl_serde!(OrMap [K: Value, V: Nested] [K, V] DotStore<(K, V::Payload), V::Entries, V::Actors>, |_| true);
