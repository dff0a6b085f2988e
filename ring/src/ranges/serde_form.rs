//! The serde form of ranges: their boundaries and nodes, checked as assignments are.

use core::fmt;
use core::marker::PhantomData;

use quorate_core::{List, NodeId};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::storage::Kinds;
use super::table::{Entry, KEY_BYTES, list_of};
use super::{RangeError, Ranges, Storage};
use crate::MAX_PREFERENCE;
use crate::serde_list::deserialize;

impl<K: List<u8>, N: List<NodeId>> Serialize for Entry<K, N> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = serializer.serialize_struct("Range", 2)?;
        fields.serialize_field("start", &Bytes(&self.start))?;
        fields.serialize_field("nodes", &*self.nodes)?;
        fields.end()
    }
}

impl<'de, K: List<u8>, N: List<NodeId>> Deserialize<'de> for Entry<K, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename = "Range", bound = "K: List<u8>, N: List<NodeId>")]
        struct Fields<K: List<u8>, N: List<NodeId>> {
            #[serde(deserialize_with = "key")]
            start: K,
            #[serde(deserialize_with = "deserialize::<MAX_PREFERENCE, NodeId, _, _>")]
            nodes: N,
        }
        let Fields { start, nodes } = Fields::deserialize(deserializer)?;
        Ok(Self { start, nodes })
    }
}

impl<S: Storage> Serialize for Ranges<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.entries.iter())
    }
}

/// What is read has the limits of [`Ranges::new`].
impl<'de, S: Storage> Deserialize<'de> for Ranges<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Element<S> = Entry<<S as Kinds>::Key, <S as Kinds>::Nodes>;
        let entries: S::Entries = deserialize::<{ usize::MAX }, Element<S>, _, _>(deserializer)?;
        let ranges = Self { entries, key_bytes: KEY_BYTES };
        match ranges.check() {
            Ok(()) => Ok(ranges),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

impl<S: Storage> Ranges<S> {
    /// Whether the ranges cover all keys, none twice, and each has nodes.
    fn check(&self) -> Result<(), RangeError> {
        let next = self.entries.iter().skip(1);
        if self.entries.first().is_none_or(|first| !first.start.is_empty()) {
            return Err(RangeError::NotABoundary);
        }
        if self.entries.iter().zip(next).any(|(one, next)| *one.start >= *next.start) {
            return Err(RangeError::Empty);
        }
        self.entries.iter().try_for_each(|entry| list_of::<S>(&entry.nodes).map(|_| ()))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_bytes(self.0)
    }
}

fn key<'de, K: List<u8>, D: Deserializer<'de>>(deserializer: D) -> Result<K, D::Error> {
    deserializer.deserialize_bytes(Key(PhantomData))
}

struct Key<K>(PhantomData<K>);

impl<'de, K: List<u8>> Visitor<'de> for Key<K> {
    type Value = K;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<K, E> {
        let mut key = K::with_limit(KEY_BYTES);
        key.extend_from_slice(bytes).map_err(|_| E::custom(RangeError::KeyTooLong))?;
        Ok(key)
    }

    /// As formats have it that know no bytes.
    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<K, A::Error> {
        let mut key = K::with_limit(KEY_BYTES);
        while let Some(byte) = input.next_element()? {
            key.push(byte).map_err(|_| A::Error::custom(RangeError::KeyTooLong))?;
        }
        Ok(key)
    }
}
