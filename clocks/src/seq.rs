//! Reading bounded lists through serde.

use core::fmt;
use core::marker::PhantomData;

use quorate_core::List;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::{Element, Storage};

/// A list of at most the storage's limit; more is an error.
pub(crate) fn deserialize<'de, S, T, D>(deserializer: D) -> Result<S::List<T>, D::Error>
where
    S: Storage,
    T: Element + Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Sequence<S, T>(PhantomData<(S, T)>);

    impl<'de, S: Storage, T: Element + Deserialize<'de>> Visitor<'de> for Sequence<S, T> {
        type Value = S::List<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a sequence of at most {}", S::LIMIT)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<S::List<T>, A::Error> {
            let mut list = S::List::with_limit(S::LIMIT);
            while let Some(element) = input.next_element()? {
                list.push(element)
                    .map_err(|_| A::Error::custom("more elements than there is room for"))?;
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(Sequence::<S, T>(PhantomData))
}
