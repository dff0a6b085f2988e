//! The wire format: golden vectors, and equality with the encoding by postcard.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use quorate_core::{Declared, NodeId, Shown, Wire};
#[cfg(feature = "serde")]
use quorate_core::{Field, Source};
use quorate_raft::{Members, Message, Record};
use quorate_sim::wire::{check_codec, check_tables};

/// Voter 1 and learner 300.
const LIST: [u8; 18] = [3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 44, 1, 0, 0, 0, 0, 0, 0];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn encode<'a, T: Wire<'a>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}

#[test]
fn message_encoding_is_stable() {
    let cases: &[(Message<'_>, &str)] = &[
        (
            Message::RequestVote { pre: true, term: 300, last_index: 5, last_term: 4 },
            "0001ac020504",
        ),
        (Message::Vote { pre: false, term: 1, granted: true }, "01000101"),
        (
            Message::Append {
                term: 2,
                prev_index: 7,
                prev_term: 1,
                commit: 6,
                round: 9,
                entries: b"ab",
            },
            "0202070106090261 62",
        ),
        (Message::AppendAccepted { term: 2, round: 9, match_index: 128 }, "0302098001"),
        (
            Message::AppendRejected {
                term: 2,
                round: 9,
                prev_index: 7,
                hint_index: 3,
                hint_term: 1,
            },
            "040209070301",
        ),
        (
            Message::Snapshot {
                term: 2,
                round: 9,
                index: 7,
                index_term: 1,
                offset: 64,
                done: true,
                data: &[0xff],
            },
            "05020907014001 01ff",
        ),
        (Message::SnapshotAck { term: 2, round: 9, index: 7, offset: 65 }, "0602090741"),
        (Message::TimeoutNow { term: 300 }, "07ac02"),
        (Message::RequestVoteForTransfer { term: 300, last_index: 5, last_term: 4 }, "08ac020504"),
        (
            Message::SnapshotEnd {
                term: 2,
                round: 9,
                index: 7,
                index_term: 1,
                offset: 64,
                members: Members::decode(&LIST).unwrap(),
                data: &[0xff],
            },
            "0902090701401203010000000000000001 2c0100000000000001ff",
        ),
        (Message::ReadIndex { term: 300, id: 5 }, "0aac0205"),
        (Message::ReadIndexConfirmed { term: 300, id: 5, index: 128 }, "0bac02058001"),
        (Message::Quiesce { term: 300, round: 5, index: 128 }, "0cac02058001"),
        (Message::RequestSnapshot { term: 300, index: 128 }, "0dac028001"),
        (
            Message::Propose { term: 2, id: 300, round: 5, commands: &[2, 4, 0xff] },
            "0e02ac0205 030204ff",
        ),
        (Message::Proposed { term: 2, id: 300, index: 128, count: 3 }, "0f02ac02800103"),
        (Message::Removed { term: 2, index: 300, index_term: 1 }, "1002ac0201"),
        (Message::LeasePromise { term: 2, round: 9, promise_us: 300 }, "110209ac02"),
    ];
    for (message, golden) in cases {
        let golden = golden.replace(' ', "");
        assert_eq!(hex(&encode(message)), golden, "{message:?}");
        assert_eq!(Message::from_slice(&encode(message)), Ok(*message));
    }
}

#[test]
fn record_encoding_is_stable() {
    let cases: &[(Record<'_>, &str)] = &[
        (Record::Vote { term: 3, vote: None }, "000300"),
        (Record::Vote { term: 3, vote: Some(NodeId::new(2)) }, "00030102"),
        (Record::Append { first: 4, commit: 2, entries: b"xyz" }, "0104020378797a"),
        (
            Record::Snapshot { index: 9, index_term: 3, compacted: 8, compacted_term: 2 },
            "0209030802",
        ),
        (
            Record::Members { index: 9, index_term: 3, members: Members::decode(&LIST).unwrap() },
            "03090312030100000000000000012c01000000000000",
        ),
    ];
    for (record, golden) in cases {
        assert_eq!(hex(&encode(record)), *golden, "{record:?}");
        assert_eq!(Record::from_slice(&encode(record)), Ok(*record));
    }
}

#[test]
fn tables_match_declarations() {
    let declared = [("Message", Message::SHAPE), ("Record", Record::SHAPE)];
    assert_eq!(check_tables("docs/wire/raft.md", &declared), Ok(()));
}

#[test]
fn text_names_the_message_and_its_fields() {
    let members = Members::decode(&LIST).unwrap();
    let record = Record::Members { index: 9, index_term: 3, members };
    let text = "Members index 9, index_term 3, members 1, 300 (learner)";
    assert_eq!(Shown(&record).to_string(), text);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(message) = Message::from_slice(&bytes) {
            prop_assert_eq!(encode(&message), &bytes[..]);
        }
        if let Ok(record) = Record::from_slice(&bytes) {
            prop_assert_eq!(encode(&record), &bytes[..]);
        }
    }

    #[test]
    fn codecs_match_declarations(
        kind in 0u8..18,
        near in prop::collection::vec(0u8..3, 0..8),
        rest in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let bytes = [&[kind], &near[..], &rest].concat();
        check_codec::<Message<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<Record<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        #[cfg(feature = "serde")]
        {
            let message = Message::generate(&mut Source::new(&bytes, &[7, 300]));
            prop_assert_eq!(::postcard::to_allocvec(&message).unwrap(), encode(&message));
            let record = Record::generate(&mut Source::new(&bytes, &[7, 300]));
            prop_assert_eq!(::postcard::to_allocvec(&record).unwrap(), encode(&record));
        }
    }
}

#[cfg(feature = "serde")]
mod postcard {
    use super::*;

    fn message(numbers: [u64; 6], flag: bool, kind: u8, data: &[u8]) -> Message<'_> {
        let [a, b, c, d, e, _] = numbers;
        match kind % 16 {
            0 => Message::RequestVote { pre: flag, term: a, last_index: b, last_term: c },
            1 => Message::Vote { pre: flag, term: a, granted: !flag },
            2 => Message::Append {
                term: a,
                prev_index: b,
                prev_term: c,
                commit: d,
                round: e,
                entries: data,
            },
            3 => Message::AppendAccepted { term: a, round: b, match_index: c },
            4 => Message::AppendRejected {
                term: a,
                round: b,
                prev_index: c,
                hint_index: d,
                hint_term: e,
            },
            5 => Message::Snapshot {
                term: a,
                round: b,
                index: c,
                index_term: d,
                offset: e,
                done: flag,
                data,
            },
            6 => Message::SnapshotAck { term: a, round: b, index: c, offset: d },
            7 => Message::TimeoutNow { term: a },
            8 => Message::SnapshotEnd {
                term: a,
                round: b,
                index: c,
                index_term: d,
                offset: e,
                members: Members::decode(&LIST).unwrap(),
                data,
            },
            9 => Message::ReadIndex { term: a, id: b },
            10 => Message::ReadIndexConfirmed { term: a, id: b, index: c },
            11 => Message::Quiesce { term: a, round: b, index: c },
            12 => Message::RequestSnapshot { term: a, index: b },
            13 => Message::Propose { term: a, id: b, round: c, commands: data },
            14 => Message::Proposed { term: a, id: b, index: c, count: d },
            _ => Message::RequestVoteForTransfer { term: a, last_index: b, last_term: c },
        }
    }

    proptest! {
        #[test]
        fn wire_format_equals_postcard(
            numbers in prop::array::uniform6(prop_oneof![any::<u64>(), 0u64..200]),
            flag: bool,
            kind: u8,
            data in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let message = message(numbers, flag, kind, &data);
            let bytes = encode(&message);
            prop_assert_eq!(&::postcard::to_allocvec(&message).unwrap(), &bytes);
            prop_assert_eq!(::postcard::from_bytes::<Message<'_>>(&bytes).unwrap(), message);
            let [term, node, first, index, compacted, compacted_term] = numbers;
            for record in [
                Record::Vote { term, vote: flag.then_some(NodeId::new(node)) },
                Record::Append { first, commit: index, entries: &data },
                Record::Snapshot { index, index_term: term, compacted, compacted_term },
            ] {
                let bytes = encode(&record);
                prop_assert_eq!(&::postcard::to_allocvec(&record).unwrap(), &bytes);
                prop_assert_eq!(::postcard::from_bytes::<Record<'_>>(&bytes).unwrap(), record);
            }
        }
    }
}
