//! The serde form of a list: that of the wire, field by field, and checked as that is.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::revision::Revision;
use super::{Entry, Topology};
use crate::Storage;
use crate::members::MAX_MEMBERS;
use crate::serde_list::deserialize;
use crate::storage::Kinds;

impl<S: Storage> Serialize for Topology<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = serializer.serialize_struct("Topology", 3)?;
        fields.serialize_field("epoch", &self.epoch)?;
        fields.serialize_field("forgotten", &self.forgotten)?;
        fields.serialize_field("entries", self.entries())?;
        fields.end()
    }
}

impl<'de, S: Storage> Deserialize<'de> for Topology<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "Topology", bound = "S: Storage")]
        struct Fields<S: Storage> {
            epoch: u64,
            forgotten: u64,
            #[serde(deserialize_with = "deserialize::<MAX_MEMBERS, Entry, _, _>")]
            entries: <S as Kinds>::Entries,
        }
        let Fields { epoch, forgotten, entries } = Fields::<S>::deserialize(deserializer)?;
        let list = Self { epoch, forgotten, entries, revision: Revision::of_decoded() };
        if list.is_sound() {
            return Ok(list);
        }
        Err(D::Error::custom("entries are not sorted, or no change leads to one of them"))
    }
}
