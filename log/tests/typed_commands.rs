//! Typed commands: their bytes, and the iterator over committed ones.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::DecodeError;
use quorate_log::typed::{self, EncodeError, Undecodable};
use quorate_log::{Entries, Header};
use serde::{Deserialize, Serialize, Serializer};

use crate::headers::{TestEntry, TestHeader, Untagged};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
enum Command<'a> {
    Set { name: &'a str, value: i64 },
    Swap(u32, #[serde(borrow)] Option<&'a [u8]>),
    Clear,
}

const COMMANDS: [(Command<'_>, &[u8]); 3] = [
    (Command::Set { name: "a", value: -7 }, &[0, 1, b'a', 13]),
    (Command::Swap(300, Some(b"xy")), &[1, 0xac, 2, 1, 2, b'x', b'y']),
    (Command::Clear, &[2]),
];

/// A type that only formats that describe themselves can encode.
struct OfUnknownLength;

impl Serialize for OfUnknownLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([1_u8].iter().filter(|_| true))
    }
}

/// A run of entries with these data; a tag of a multiple of three is the protocol's own.
fn run(entries: &[(u64, &[u8])]) -> Vec<u8> {
    let entry = |&(tag, data): &(u64, &[u8])| {
        let (head, len) = Untagged::new(tag, data.len()).encode();
        [&head[..len], data].concat()
    };
    entries.iter().flat_map(entry).collect()
}

#[test]
fn bytes_are_those_of_postcard_and_stable() {
    for (command, golden) in &COMMANDS {
        let mut buffer = [0; 7];
        assert_eq!(typed::encode(command, &mut buffer), Ok(*golden));
        assert_eq!(typed::decode(golden), Ok(command.clone()));
    }
}

#[test]
fn encoding_fails_if_the_buffer_is_too_small_or_the_type_unsupported() {
    let (command, golden) = &COMMANDS[1];
    let mut buffer = vec![0; golden.len() - 1];
    assert_eq!(typed::encode(command, &mut buffer), Err(EncodeError::BufferFull));
    assert_eq!(typed::encode(&OfUnknownLength, &mut [0; 99]), Err(EncodeError::Unsupported));
}

#[test]
fn decoding_takes_all_bytes() {
    let decode = |bytes: &'static [u8]| typed::decode::<Command<'_>>(bytes);
    assert_eq!(decode(&[2, 0]), Err(DecodeError::Trailing));
    assert_eq!(decode(&[0, 5]), Err(DecodeError::Truncated));
    assert_eq!(decode(&[3]), Err(DecodeError::Invalid));
}

#[test]
fn committed_commands_are_decoded_and_unknown_ones_are_reported() {
    let [(set, first), (_, second), _] = &COMMANDS;
    let bytes = run(&[(1, first), (3, b"own"), (2, &[9]), (4, second)]);
    let entries = Entries::<Untagged>::new(7, 4, &bytes);
    let mut commands = entries.typed::<Command<'_>>();

    let committed = commands.next().unwrap().unwrap();
    assert_eq!(committed.command, *set);
    assert_eq!(committed.entry, TestEntry { index: 7, tag: 0, data: first });

    let Undecodable { index, entry, reason, .. } = commands.next().unwrap().unwrap_err();
    assert_eq!((index, entry.data, reason), (9, &[9][..], DecodeError::Invalid));

    assert_eq!(commands.next().unwrap().unwrap().entry.index, 10);
    assert!(commands.next().is_none());
}

#[test]
fn undecodable_entry_is_named_in_the_message() {
    let bytes = run(&[(1, &[9])]);
    let entries = Entries::<Untagged>::new(7, 1, &bytes);
    let unknown = entries.typed::<Command<'_>>().next().unwrap().unwrap_err();
    let (text, reason) = (unknown.to_string(), DecodeError::Invalid.to_string());
    assert!(text.contains("entry at 7") && text.contains(&reason), "{text}");
}
