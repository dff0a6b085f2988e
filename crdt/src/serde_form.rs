//! The serde form: that of the wire, field by field, and checked as that is.

use quorate_clocks::seq::deserialize;
use quorate_clocks::{Dot, DotContext, Storage};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::Value;
use crate::dot_store::DotStore;
use crate::grow_map::{GrowMap, Join};

impl<K: Value + Serialize, V: Join + Serialize, S: Storage> Serialize for GrowMap<K, V, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.entries())
    }
}

impl<'de, K, V, S> Deserialize<'de> for GrowMap<K, V, S>
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

impl<P: Value + Serialize, S: Storage, A: Storage> Serialize for DotStore<P, S, A> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = serializer.serialize_struct("Dotted", 2)?;
        fields.serialize_field("entries", self.entries())?;
        fields.serialize_field("context", self.context())?;
        fields.end()
    }
}

impl<'de, P, S, A> Deserialize<'de> for DotStore<P, S, A>
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
        Self::from_parts(entries, context).ok_or_else(|| {
            D::Error::custom("entries are not sorted, share a dot, or were never seen")
        })
    }
}
