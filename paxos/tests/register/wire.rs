//! The bytes of messages and records: golden vectors and round trips.

use proptest::prelude::*;
use quorate_core::{Declared, DecodeError, NodeId, Shown, Wire};
use quorate_paxos::register::{Message, Record, Sizes, State};
use quorate_sim::wire::check_codec;

use crate::common::ballot;

/// The tables of `docs/wire/paxos.md`.
pub(crate) const TABLES: [(&str, quorate_core::Shape); 4] = [
    ("register::Message", Message::SHAPE),
    ("register::State", State::SHAPE),
    ("register::Record", Record::SHAPE),
    ("register::Sizes", Sizes::SHAPE),
];

fn hex<'a>(value: &impl Wire<'a>) -> String {
    value.to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn encoding_is_stable() {
    let key = &b"k"[..];
    let state = State { ballot: ballot(3, 300), origin: ballot(2, 1), value: Some(b"hi") };
    let tombstone = State { value: None, ..state };
    let messages = [
        (Message::Prepare { key, ballot: ballot(1, 2), age: 0 }, "00016b010200"),
        (Message::Promise { key, ballot: ballot(1, 2), state: None }, "01016b010200"),
        (
            Message::Promise { key, ballot: ballot(4, 2), state: Some(state) },
            "01016b04020103ac02020101026869",
        ),
        (
            Message::Accept { key, state, next: ballot(4, 300), age: 7 },
            "02016b03ac0202010102686904ac0207",
        ),
        (
            Message::Accept { key, state: tombstone, next: ballot(3, 300), age: 7 },
            "02016b03ac0202010003ac0207",
        ),
        (Message::Accepted { key, ballot: ballot(1, 2), promised: ballot(2, 2) }, "03016b01020202"),
        (Message::Conflict { key, promised: ballot(3, 300) }, "04016b03ac02"),
        (Message::Collect { key, tombstone: ballot(1, 2), version: 300 }, "05016b0102ac02"),
        (Message::Collected { tombstone: ballot(1, 2) }, "060102"),
        (Message::Fence { age: 300 }, "07ac02"),
        (Message::Fenced { age: 1 }, "0801"),
        (Message::Erase { key, tombstone: ballot(1, 2) }, "09016b0102"),
        (Message::Erased { tombstone: ballot(1, 2), erased: true }, "0a010201"),
    ];
    for (message, bytes) in messages {
        assert_eq!(hex(&message), bytes, "{message:?}");
    }
    let sizes = Some(Sizes { one: 3, two: 2 });
    let records = [
        (Record::Founded { version: 3 }, "0003"),
        (Record::Rounds { through: 16 }, "0110"),
        (Record::Promised { key, ballot: ballot(1, 2) }, "02016b0102"),
        (
            Record::Accepted { key, state, promised: ballot(4, 300) },
            "03016b03ac0202010102686904ac02",
        ),
        (Record::Erased { key }, "04016b"),
        (Record::Aged { age: 1, floor: ballot(1, 2) }, "05010102"),
        (Record::Fenced { node: NodeId::new(300), age: 1 }, "06ac0201"),
        (Record::Seat { node: NodeId::new(2), present: 1, next: 0 }, "07020100"),
        (
            Record::Configured { version: 1, stage: 2, present: None, next: sizes, floor: 9 },
            "0801020001030209",
        ),
    ];
    for (record, bytes) in records {
        assert_eq!(hex(&record), bytes, "{record:?}");
    }
    assert_eq!(Message::from_slice(&[11]), Err(DecodeError::Invalid));
    assert_eq!(Record::from_slice(&[9]), Err(DecodeError::Invalid));
    assert_eq!(Shown(&Message::Fence { age: 3 }).to_string(), "Fence age 3");
}

proptest! {
    #[test]
    fn codecs_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..12, any::<u8>()], 0..60),
    ) {
        check_codec::<Message<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<Record<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
    }
}
