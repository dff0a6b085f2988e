//! The bytes of messages and records: golden vectors, round trips, and tables of the documentation.

use proptest::prelude::*;
use quorate_core::{Declared, DecodeError, Shown, Wire};
use quorate_paxos::Ballot;
use quorate_paxos::synod::{Message, Record, Vote};
use quorate_sim::wire::{check_codec, check_tables};

use crate::common::ballot;

fn hex<'a>(value: &impl Wire<'a>) -> String {
    value.to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn encoding_is_stable() {
    let vote = Vote { ballot: ballot(3, 300), value: b"hi" };
    let messages = [
        (Message::Prepare { ballot: ballot(1, 2) }, "000102"),
        (Message::Promise { ballot: ballot(1, 2), vote: None }, "01010200"),
        (Message::Promise { ballot: ballot(4, 2), vote: Some(vote) }, "0104020103ac02026869"),
        (Message::Accept { vote }, "0203ac02026869"),
        (Message::Accepted { vote }, "0303ac02026869"),
        (Message::Preempted { ballot: ballot(1, 2), promised: ballot(3, 300) }, "04010203ac02"),
        (Message::Decided { value: b"hi" }, "05026869"),
        (Message::Learn, "06"),
        (Message::Propose { value: b"" }, "0700"),
    ];
    for (message, bytes) in messages {
        assert_eq!(hex(&message), bytes, "{message:?}");
    }
    let records = [
        (Record::Founded, "00"),
        (Record::Rounds { through: 16 }, "0110"),
        (Record::Promised { ballot: ballot(1, 2) }, "020102"),
        (Record::Accepted { vote }, "0303ac02026869"),
    ];
    for (record, bytes) in records {
        assert_eq!(hex(&record), bytes, "{record:?}");
    }
    assert_eq!(hex(&ballot(Ballot::MAX_ROUND, 0)), "ffffffffffffffff3f00");
    assert_eq!(Message::from_slice(&[8]), Err(DecodeError::Invalid));
    assert_eq!(Record::from_slice(&[4]), Err(DecodeError::Invalid));
}

#[test]
fn text_names_what_is_in_it() {
    let vote = Vote { ballot: ballot(3, 1), value: b"hi" };
    let promise = Message::Promise { ballot: ballot(4, 2), vote: Some(vote) };
    assert_eq!(
        Shown(&promise).to_string(),
        "Promise ballot round 4, node 2, vote ballot round 3, node 1, value \"hi\""
    );
}

#[test]
fn tables_match_declarations() {
    let declared = [
        ("Ballot", Ballot::SHAPE),
        ("synod::Message", Message::SHAPE),
        ("synod::Vote", Vote::SHAPE),
        ("synod::Record", Record::SHAPE),
    ];
    assert_eq!(check_tables("docs/wire/paxos.md", &declared), Ok(()));
}

proptest! {
    #[test]
    fn codecs_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..60),
    ) {
        check_codec::<Message<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<Record<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
    }
}
