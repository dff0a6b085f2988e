//! What all types share: each is a thin view on one of the kernels.

/// Making, limits, wire form, order.
macro_rules! impl_grow_map {
    ($name:ident [$($g:ident),*] $example:literal, $what:literal) => {
        impl<$($g: crate::Value,)* S: Storage> $name<$($g,)* S> {
            /// Empty, with the limit of the storage.
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::", stringify!($name), ";")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::", $example, "::new().limit(), 4);")]
            /// ```
            #[must_use]
            pub fn new() -> Self {
                Self::with_limit(S::LIMIT)
            }

            #[doc = concat!("Empty; takes at most so many ", $what, ", or as many as the storage does.")]
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::", stringify!($name), ";")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::", $example, "::with_limit(9).limit(), 4);")]
            /// ```
            #[must_use]
            pub fn with_limit(limit: usize) -> Self {
                Self(crate::grow_map::GrowMap::with_limit(limit))
            }

            #[doc = concat!("How many ", $what, " there may be.")]
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::", stringify!($name), ";")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::", $example, "::new().limit(), 4);")]
            /// ```
            #[must_use]
            pub fn limit(&self) -> usize {
                self.0.limit()
            }
        }

        impl_common!($name [$($g: crate::Value,)* S: Storage] [$($g,)* S]);
    };
}

/// Making, limits, wire form, order of what has entries and a context, and the type as a [`Crdt`](crate::Crdt).
macro_rules! impl_dot_store {
    ($name:ident [$($g:ident: $b:path),*] $payload:ty, $example:literal, $what:literal) => {
        impl<$($g: $b,)* S: Storage, A: Storage> $name<$($g,)* S, A> {
            /// Empty, with the limits of the storages.
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::{", stringify!($name), ", Crdt};")]
            #[doc = concat!("let new = ", stringify!($name), "::", $example, "::new();")]
            /// assert_eq!(new.limits(), (4, 2));
            /// assert_eq!(new, new.empty());
            /// ```
            #[must_use]
            pub fn new() -> Self {
                Self::with_limits(S::LIMIT, A::LIMIT)
            }

            #[doc = concat!("Empty; takes at most so many ", $what, " and so many actors, or as many as the storages do.")]
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::{", stringify!($name), "};")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::", $example, "::with_limits(9, 9).limits(), (4, 2));")]
            /// ```
            #[must_use]
            pub fn with_limits(entries: usize, actors: usize) -> Self {
                Self(crate::dot_store::DotStore::with_limits(entries, actors))
            }

            #[doc = concat!("How many ", $what, " and how many actors there may be.")]
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::{", stringify!($name), "};")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::", $example, "::new().limits(), (4, 2));")]
            /// ```
            #[must_use]
            pub fn limits(&self) -> (usize, usize) {
                self.0.limits()
            }

            /// Every update that is part of this state: the causal context.
            ///
            /// ```
            /// # use quorate_clocks::Inline;
            #[doc = concat!("# use quorate_crdt::{", stringify!($name), "};")]
            #[doc = concat!("assert!(", stringify!($name), "::", $example, "::new().context().is_empty());")]
            /// ```
            #[must_use]
            pub const fn context(&self) -> &quorate_clocks::DotContext<A> {
                self.0.context()
            }
        }

        impl<$($g: $b,)* S: Storage, A: Storage> crate::Crdt for $name<$($g,)* S, A> {
            type Delta = crate::Change<$payload, S>;

            fn merge(&mut self, other: &Self) -> Result<bool, crate::MergeError> {
                self.0.merge(&other.0)
            }

            fn apply(&mut self, delta: &Self::Delta) -> Result<bool, crate::ApplyError> {
                self.0.apply(delta)
            }

            fn compare(&self, other: &Self) -> quorate_clocks::Causality {
                self.0.compare(&other.0)
            }

            fn actor_version(&self, actor: quorate_clocks::Actor) -> u64 {
                self.0.actor_version(actor)
            }

            fn lacks(&self, delta: &Self::Delta, actor: quorate_clocks::Actor) -> bool {
                self.0.lacks(delta, actor)
            }

            impl_dot_store_crdt!();
        }

        impl<$($g: $b,)* S: Storage, A: Storage> crate::DeltaState for $name<$($g,)* S, A> {
            fn delta_state(&self, delta: &Self::Delta) -> Result<Self, crate::MergeError> {
                self.0.change_state(delta).map(Self)
            }
        }

        impl_common!($name [$($g: $b,)* S: Storage, A: Storage] [$($g,)* S, A]);
        impl_serde!($name [$($g: $b,)* S: Storage, A: Storage] [$($g,)* S, A] crate::dot_store::DotStore<$payload, S, A>, |_| true);
    };
}

/// What is the same for all types with entries and a context.
macro_rules! impl_dot_store_crdt {
    () => {
        fn conflicting_actor(&self, delta: &Self::Delta) -> Option<quorate_clocks::Actor> {
            self.0.conflicting_actor(delta)
        }

        fn conflicts_with(&self, other: &Self, actor: quorate_clocks::Actor) -> bool {
            self.0.conflicts_with(&other.0, |dot| dot.actor() == actor)
        }

        fn revision(&self) -> u64 {
            self.0.revision()
        }

        fn actor_limit(&self) -> Option<usize> {
            Some(self.limits().1)
        }

        fn empty(&self) -> Self {
            let (entries, actors) = self.limits();
            Self::with_limits(entries, actors)
        }

        fn read_state(
            &self,
            input: &mut quorate_core::Reader<'_>,
        ) -> Result<Self, quorate_core::DecodeError> {
            crate::dot_store::DotStore::read(self.limits(), input).map(Self)
        }

        fn read_delta(
            &self,
            input: &mut quorate_core::Reader<'_>,
        ) -> Result<Self::Delta, quorate_core::DecodeError> {
            crate::Change::read(self.limits().0, input)
        }

        fn write_delta(delta: &Self::Delta, out: &mut quorate_core::Writer<'_>) {
            delta.write(out);
        }
    };
}

/// What does not depend on the kernel.
macro_rules! impl_common {
    ($name:ident [$($bounds:tt)*] [$($g:ident),*]) => {
        impl<$($bounds)*> Default for $name<$($g),*> {
            fn default() -> Self {
                Self::new()
            }
        }

        /// The order of states: what one has that the other has not.
        impl<$($bounds)*> PartialOrd for $name<$($g),*> {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                crate::Crdt::compare(self, other).ordering()
            }
        }

        impl<$($bounds)*> quorate_core::Wire<'_> for $name<$($g),*> {
            fn encode(&self, out: &mut quorate_core::Writer<'_>) {
                self.0.write(out);
            }

            fn decode(
                input: &mut quorate_core::Reader<'_>,
            ) -> Result<Self, quorate_core::DecodeError> {
                crate::Crdt::read_state(&Self::new(), input)
            }
        }
    };
}

/// A view on the growing map as a [`Crdt`](crate::Crdt) whose updates touch one entry each.
macro_rules! impl_crdt_with_entry_deltas {
    ($name:ident [$($g:ident),*] $key:ty, $value:ty, $actors:expr, $actor_version:expr, $lacks:expr) => {
        impl_serde!($name [$($g: crate::Value,)* S: Storage] [$($g,)* S] crate::grow_map::GrowMap<$key, $value, S>, |value| {
            value.0.entries().iter().all(|entry| Self::is_valid(&entry.0, &entry.1))
        });

        impl<$($g: crate::Value,)* S: Storage> crate::Crdt for $name<$($g,)* S> {
            type Delta = crate::Entry<$key, $value>;

            fn merge(&mut self, other: &Self) -> Result<bool, crate::MergeError> {
                self.0.merge(&other.0)
            }

            fn apply(&mut self, delta: &Self::Delta) -> Result<bool, crate::ApplyError> {
                if !Self::is_valid(&delta.key, &delta.value) {
                    return Ok(false); // adds nothing
                }
                Ok(self.0.join(&delta.key, &delta.value)?)
            }

            fn actor_version(&self, actor: quorate_clocks::Actor) -> u64 {
                let actor_version: fn(&Self, quorate_clocks::Actor) -> u64 = $actor_version;
                actor_version(self, actor)
            }

            fn lacks(&self, delta: &Self::Delta, actor: quorate_clocks::Actor) -> bool {
                let lacks: fn(&Self, &Self::Delta, quorate_clocks::Actor) -> bool = $lacks;
                lacks(self, delta, actor)
            }

            fn actor_limit(&self) -> Option<usize> {
                let actors: fn(&Self) -> Option<usize> = $actors;
                actors(self)
            }

            fn conflicting_actor(&self, _delta: &Self::Delta) -> Option<quorate_clocks::Actor> {
                None
            }

            fn conflicts_with(&self, _other: &Self, _actor: quorate_clocks::Actor) -> bool {
                false
            }

            fn read_delta(
                &self,
                input: &mut quorate_core::Reader<'_>,
            ) -> Result<Self::Delta, quorate_core::DecodeError> {
                crate::Entry::read(input)
            }

            fn write_delta(delta: &Self::Delta, out: &mut quorate_core::Writer<'_>) {
                delta.write(out);
            }

            impl_grow_map_crdt!();
        }

        impl<$($g: crate::Value,)* S: Storage> crate::DeltaState for $name<$($g,)* S> {
            fn delta_state(&self, delta: &Self::Delta) -> Result<Self, crate::MergeError> {
                let mut state = crate::Crdt::empty(self);
                if Self::is_valid(&delta.key, &delta.value) {
                    state.0.join(&delta.key, &delta.value)?;
                }
                Ok(state)
            }
        }
    };
}

/// A view on the growing map as a [`Crdt`](crate::Crdt) whose updates may touch many entries: a delta is a small state.
macro_rules! impl_crdt_with_state_deltas {
    ($name:ident [$($g:ident),*] $actors:expr, $actor_version:expr, $lacks:expr) => {
        impl<$($g: crate::Value,)* S: Storage> crate::Crdt for $name<$($g,)* S> {
            type Delta = Self;

            fn merge(&mut self, other: &Self) -> Result<bool, crate::MergeError> {
                self.0.merge(&other.0)
            }

            fn apply(&mut self, delta: &Self::Delta) -> Result<bool, crate::ApplyError> {
                Ok(self.0.merge(&delta.0)?)
            }

            fn actor_version(&self, actor: quorate_clocks::Actor) -> u64 {
                let actor_version: fn(&Self, quorate_clocks::Actor) -> u64 = $actor_version;
                actor_version(self, actor)
            }

            fn lacks(&self, delta: &Self::Delta, actor: quorate_clocks::Actor) -> bool {
                let lacks: fn(&Self, &Self::Delta, quorate_clocks::Actor) -> bool = $lacks;
                lacks(self, delta, actor)
            }

            fn actor_limit(&self) -> Option<usize> {
                let actors: fn(&Self) -> Option<usize> = $actors;
                actors(self)
            }

            fn conflicting_actor(&self, _delta: &Self::Delta) -> Option<quorate_clocks::Actor> {
                None
            }

            fn conflicts_with(&self, _other: &Self, _actor: quorate_clocks::Actor) -> bool {
                false
            }

            fn read_delta(
                &self,
                input: &mut quorate_core::Reader<'_>,
            ) -> Result<Self::Delta, quorate_core::DecodeError> {
                self.read_state(input)
            }

            fn write_delta(delta: &Self::Delta, out: &mut quorate_core::Writer<'_>) {
                delta.0.write(out);
            }

            impl_grow_map_crdt!();
        }

        impl<$($g: crate::Value,)* S: Storage> crate::DeltaState for $name<$($g,)* S> {
            fn delta_state(&self, delta: &Self::Delta) -> Result<Self, crate::MergeError> {
                let mut state = crate::Crdt::empty(self);
                state.0.merge(&delta.0)?;
                Ok(state)
            }
        }
    };
}

/// What is the same for all views on the growing map.
macro_rules! impl_grow_map_crdt {
    () => {
        fn compare(&self, other: &Self) -> quorate_clocks::Causality {
            self.0.compare(&other.0)
        }

        fn revision(&self) -> u64 {
            self.0.revision()
        }

        fn empty(&self) -> Self {
            Self::with_limit(self.limit())
        }

        fn read_state(
            &self,
            input: &mut quorate_core::Reader<'_>,
        ) -> Result<Self, quorate_core::DecodeError> {
            let state = Self(crate::grow_map::GrowMap::read(self.limit(), input)?);
            let sound = state.0.entries().iter().all(|entry| Self::is_valid(&entry.0, &entry.1));
            if sound { Ok(state) } else { Err(quorate_core::DecodeError::Invalid) }
        }
    };
}

/// [`LwwRegister`](crate::LwwRegister) has no storage of its own to name.
macro_rules! impl_lww_crdt {
    () => {
        impl<V: Value> crate::Crdt for LwwRegister<V> {
            type Delta = Entry<(), Latest<V>>;

            fn merge(&mut self, other: &Self) -> Result<bool, crate::MergeError> {
                self.0.merge(&other.0)
            }

            fn apply(&mut self, delta: &Self::Delta) -> Result<bool, crate::ApplyError> {
                Ok(self.0.join(&delta.key, &delta.value)?)
            }

            fn actor_version(&self, _actor: Actor) -> u64 {
                0
            }

            fn lacks(&self, _delta: &Self::Delta, _actor: Actor) -> bool {
                false
            }

            fn conflicting_actor(&self, _delta: &Self::Delta) -> Option<quorate_clocks::Actor> {
                None
            }

            fn conflicts_with(&self, _other: &Self, _actor: quorate_clocks::Actor) -> bool {
                false
            }

            fn actor_limit(&self) -> Option<usize> {
                None
            }

            fn read_delta(
                &self,
                input: &mut quorate_core::Reader<'_>,
            ) -> Result<Self::Delta, quorate_core::DecodeError> {
                Entry::read(input)
            }

            fn write_delta(delta: &Self::Delta, out: &mut quorate_core::Writer<'_>) {
                delta.write(out);
            }

            impl_grow_map_crdt!();
        }

        impl<V: Value> crate::DeltaState for LwwRegister<V> {
            fn delta_state(&self, delta: &Self::Delta) -> Result<Self, crate::MergeError> {
                let mut state = Self::new();
                state.0.join(&delta.key, &delta.value)?;
                Ok(state)
            }
        }
    };
}

/// The serde form of a view is that of its kernel; `$check` tells what else must hold.
macro_rules! impl_serde {
    ($name:ident [$($bounds:tt)*] [$($g:ident),*] $kernel:ty, $check:expr) => {
        #[cfg(feature = "serde")]
        #[allow(private_bounds)] // it is the elements that must be serializable
        impl<$($bounds)*> serde::Serialize for $name<$($g),*>
        where
            $kernel: serde::Serialize,
        {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.0.serialize(serializer)
            }
        }

        #[cfg(feature = "serde")]
        #[allow(private_bounds)] // it is the elements that must be serializable
        impl<'de, $($bounds)*> serde::Deserialize<'de> for $name<$($g),*>
        where
            $kernel: serde::Deserialize<'de>,
        {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Self(<$kernel>::deserialize(deserializer)?);
                let check: fn(&Self) -> bool = $check;
                if check(&value) {
                    return Ok(value);
                }
                Err(serde::de::Error::custom("an entry that no update makes"))
            }
        }
    };
}
