use quorate_core::{DecodeError, Reader, Writer};

use crate::Value;

/// What one update of a type without removal did: an entry that is new, or grew. May be applied in any order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

impl<K: Value, V: Value> Entry<K, V> {
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        self.key.write(out);
        self.value.write(out);
    }

    pub(crate) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { key: K::read(input)?, value: V::read(input)? })
    }
}
