//! Bounded lists through serde: what comes from elsewhere takes no more room than there is.

use core::fmt;
use core::marker::PhantomData;

use quorate_core::List;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a sequence of at most `LIMIT` elements, for `#[serde(deserialize_with)]`.
pub(crate) fn deserialize<'de, const LIMIT: usize, T, L, D>(deserializer: D) -> Result<L, D::Error>
where
    T: Deserialize<'de>,
    L: List<T>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(Sequence::<T, L> { limit: LIMIT, kind: PhantomData })
}

struct Sequence<T, L> {
    limit: usize,
    kind: PhantomData<(T, L)>,
}

impl<'de, T: Deserialize<'de>, L: List<T>> Visitor<'de> for Sequence<T, L> {
    type Value = L;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a sequence of at most {}", self.limit)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<L, A::Error> {
        let mut list = L::with_limit(self.limit);
        while let Some(element) = input.next_element()? {
            if list.len() >= self.limit || list.push(element).is_err() {
                return Err(A::Error::custom("more elements than there is room for"));
            }
        }
        Ok(list)
    }
}
