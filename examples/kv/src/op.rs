use quorate_core::{DecodeError, Reader};

use crate::{limits, work};

/// One operation on the store, as it stands in the log and in frames between nodes: borrowed from those bytes.
///
/// Encoded it is a byte for the kind and its fields: numbers as varints, signed ones zigzag, bytes with their length before
/// them, lists with their count before them, as postcard has it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op<'a> {
    Set {
        key: &'a [u8],
        value: &'a [u8],
        condition: SetCondition,
        get: bool,
    },
    MSet(List<'a>),
    Del(List<'a>),
    Add {
        key: &'a [u8],
        by: i64,
    },
    Append {
        key: &'a [u8],
        value: &'a [u8],
    },
    FlushAll,
    /// Where a node is reached, by the other nodes and by clients.
    SetAddress {
        node: u64,
        peer: &'a [u8],
        client: &'a [u8],
    },
    Get(&'a [u8]),
    MGet(List<'a>),
    Exists(List<'a>),
    StrLen(&'a [u8]),
    Type(&'a [u8]),
    Scan {
        cursor: u64,
        count: u64,
        pattern: Option<&'a [u8]>,
        strings: bool,
    },
    DbSize,
    /// How many followers have the log up to this index on their disks.
    Replicas(u64),
}

/// On what condition `SET` sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SetCondition {
    Always,
    IfMissing,
    IfPresent,
}

/// A list of keys, or of keys and values in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a> {
    count: u64,
    bytes: &'a [u8],
}

const FIRST_READ: u8 = 16;

impl<'a> Op<'a> {
    /// Reads the operation at the front of the input.
    pub(crate) fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::Set {
                key: input.bytes()?,
                value: input.bytes()?,
                condition: match input.u8()? {
                    0 => SetCondition::Always,
                    1 => SetCondition::IfMissing,
                    2 => SetCondition::IfPresent,
                    _ => return Err(DecodeError::Invalid),
                },
                get: input.bool()?,
            },
            1 => Self::MSet(List::decode(input)?.in_pairs()?),
            2 => Self::Del(List::decode(input)?),
            3 => Self::Add { key: input.bytes()?, by: unzigzag(input.u64()?) },
            4 => Self::Append { key: input.bytes()?, value: input.bytes()? },
            5 => Self::FlushAll,
            6 => Self::SetAddress {
                node: input.u64()?,
                peer: input.bytes()?,
                client: input.bytes()?,
            },
            FIRST_READ => Self::Get(input.bytes()?),
            17 => Self::MGet(List::decode(input)?),
            18 => Self::Exists(List::decode(input)?),
            19 => Self::StrLen(input.bytes()?),
            20 => Self::Type(input.bytes()?),
            21 => Self::Scan {
                cursor: input.u64()?,
                count: input.u64()?,
                pattern: if input.bool()? { Some(input.bytes()?) } else { None },
                strings: input.bool()?,
            },
            22 => Self::DbSize,
            23 => Self::Replicas(input.u64()?),
            _ => return Err(DecodeError::Invalid),
        })
    }

    pub(crate) fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Set { .. }
                | Self::MSet(_)
                | Self::Del(_)
                | Self::Add { .. }
                | Self::Append { .. }
                | Self::FlushAll
                | Self::SetAddress { .. }
        )
    }
}

impl Op<'_> {
    /// Steps that it takes at most; of a `GET` or an `MGET` without the values, which only the store knows.
    pub(crate) fn work(&self) -> u64 {
        match *self {
            Self::Set { key, value, .. } | Self::Append { key, value } => {
                work::key(key.len()).saturating_add(work::copy(value.len()))
            }
            Self::MSet(list) | Self::Del(list) | Self::MGet(list) | Self::Exists(list) => {
                work::keys(list.count, list.bytes.len())
            }
            Self::Add { key, .. } | Self::Get(key) | Self::StrLen(key) | Self::Type(key) => {
                work::key(key.len())
            }
            Self::FlushAll => work::FLUSH,
            Self::Scan { pattern: Some(_), .. } => work::SCAN,
            Self::Scan { count, .. } => {
                let visits = count.min(limits::SCAN_COUNT as u64).saturating_mul(work::SMALL);
                visits.saturating_add(work::SHARDS).min(work::SCAN)
            }
            Self::SetAddress { .. } | Self::DbSize | Self::Replicas(_) => work::SMALL,
        }
    }
}

impl<'a> List<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = Reader::new(self.bytes);
        (0..self.count).map_while(move |_| rest.bytes().ok())
    }

    /// The list taken two by two.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.iter();
        core::iter::from_fn(move || Some((rest.next()?, rest.next()?)))
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = input.u64()?;
        let start = input.rest();
        for _ in 0..count {
            input.bytes()?;
        }
        Ok(Self { count, bytes: &start[..start.len() - input.rest().len()] })
    }

    fn in_pairs(self) -> Result<Self, DecodeError> {
        if self.count.is_multiple_of(2) { Ok(self) } else { Err(DecodeError::Invalid) }
    }
}

/// Writes operations one after the other.
pub(crate) mod put {
    use super::{FIRST_READ, SetCondition};

    pub(crate) fn set(
        out: &mut Vec<u8>,
        key: &[u8],
        value: &[u8],
        condition: SetCondition,
        get: bool,
    ) {
        out.reserve(key.len() + value.len() + 16);
        out.push(0);
        bytes(out, key);
        bytes(out, value);
        out.push(match condition {
            SetCondition::Always => 0,
            SetCondition::IfMissing => 1,
            SetCondition::IfPresent => 2,
        });
        out.push(u8::from(get));
    }

    pub(crate) fn mset<'a>(out: &mut Vec<u8>, pairs: impl ExactSizeIterator<Item = &'a [u8]>) {
        out.push(1);
        list(out, pairs);
    }

    pub(crate) fn del<'a>(out: &mut Vec<u8>, keys: impl ExactSizeIterator<Item = &'a [u8]>) {
        out.push(2);
        list(out, keys);
    }

    pub(crate) fn add(out: &mut Vec<u8>, key: &[u8], by: i64) {
        out.push(3);
        bytes(out, key);
        number(out, zigzag(by));
    }

    pub(crate) fn append(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
        out.push(4);
        bytes(out, key);
        bytes(out, value);
    }

    pub(crate) fn flush_all(out: &mut Vec<u8>) {
        out.push(5);
    }

    pub(crate) fn set_address(out: &mut Vec<u8>, node: u64, peer: &str, client: &str) {
        out.push(6);
        number(out, node);
        bytes(out, peer.as_bytes());
        bytes(out, client.as_bytes());
    }

    pub(crate) fn get(out: &mut Vec<u8>, key: &[u8]) {
        out.push(FIRST_READ);
        bytes(out, key);
    }

    pub(crate) fn mget<'a>(out: &mut Vec<u8>, keys: impl ExactSizeIterator<Item = &'a [u8]>) {
        out.push(17);
        list(out, keys);
    }

    pub(crate) fn exists<'a>(out: &mut Vec<u8>, keys: impl ExactSizeIterator<Item = &'a [u8]>) {
        out.push(18);
        list(out, keys);
    }

    pub(crate) fn strlen(out: &mut Vec<u8>, key: &[u8]) {
        out.push(19);
        bytes(out, key);
    }

    pub(crate) fn kind(out: &mut Vec<u8>, key: &[u8]) {
        out.push(20);
        bytes(out, key);
    }

    pub(crate) fn scan(
        out: &mut Vec<u8>,
        cursor: u64,
        count: u64,
        pattern: Option<&[u8]>,
        strings: bool,
    ) {
        out.push(21);
        number(out, cursor);
        number(out, count);
        out.push(u8::from(pattern.is_some()));
        if let Some(pattern) = pattern {
            bytes(out, pattern);
        }
        out.push(u8::from(strings));
    }

    pub(crate) fn dbsize(out: &mut Vec<u8>) {
        out.push(22);
    }

    pub(crate) fn replicas(out: &mut Vec<u8>, index: u64) {
        out.push(23);
        number(out, index);
    }

    pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
        number(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }

    fn list<'a>(out: &mut Vec<u8>, items: impl ExactSizeIterator<Item = &'a [u8]>) {
        number(out, items.len() as u64);
        for item in items {
            bytes(out, item);
        }
    }

    fn zigzag(value: i64) -> u64 {
        ((value << 1) ^ (value >> 63)).cast_unsigned()
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_round_trip(value in prop_oneof![any::<i64>(), -300i64..300]) {
            let mut out = Vec::new();
            put::add(&mut out, b"k", value);
            let mut input = Reader::new(&out);
            let op = Op::decode(&mut input).unwrap();
            let same = matches!(op, Op::Add { key: b"k", by } if by == value);
            prop_assert!(same);
            prop_assert!(input.finish().is_ok());
        }

        #[test]
        fn lists_round_trip(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..20)) {
            let mut out = Vec::new();
            put::del(&mut out, items.iter().map(|item| &item[..]));
            let Op::Del(list) = Op::decode(&mut Reader::new(&out)).unwrap() else { panic!("another kind") };
            prop_assert_eq!(list.count, items.len() as u64);
            prop_assert!(list.iter().eq(items.iter().map(|item| &item[..])));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut input = Reader::new(&bytes);
            while Op::decode(&mut input).is_ok() {}
        }
    }
}
