//! The serde form: that of the wire, field by field, and checked as that is.

use core::fmt;
use core::marker::PhantomData;

use quorate_clocks::{Dot, DotContext, Element, Storage};
use quorate_core::List;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::Value;
use crate::dotted::Dotted;
use crate::grow::{Grow, Join};

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

impl<K: Value + Serialize, V: Join + Serialize, S: Storage> Serialize for Grow<K, V, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.entries())
    }
}

impl<'de, K, V, S> Deserialize<'de> for Grow<K, V, S>
where
    K: Value + Deserialize<'de>,
    V: Join + Deserialize<'de>,
    S: Storage,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = deserialize::<S, (K, V), D>(deserializer)?;
        Self::from_entries(entries)
            .ok_or_else(|| D::Error::custom("keys are not sorted, each once"))
    }
}

impl<P: Value + Serialize, S: Storage, A: Storage> Serialize for Dotted<P, S, A> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = serializer.serialize_struct("Dotted", 2)?;
        fields.serialize_field("entries", self.entries())?;
        fields.serialize_field("context", self.context())?;
        fields.end()
    }
}

impl<'de, P, S, A> Deserialize<'de> for Dotted<P, S, A>
where
    P: Value + Deserialize<'de>,
    S: Storage,
    A: Storage,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "Dotted", bound = "P: Value + Deserialize<'de>")]
        struct Fields<P: Value, S: Storage, A: Storage> {
            #[serde(deserialize_with = "deserialize::<S, (P, Dot), _>")]
            entries: S::List<(P, Dot)>,
            context: DotContext<A>,
        }
        let Fields { entries, context } = Fields::<P, S, A>::deserialize(deserializer)?;
        Self::from_parts(entries, context)
            .ok_or_else(|| D::Error::custom("entries are not sorted, or were never seen"))
    }
}
