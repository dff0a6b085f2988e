//! The bytes of messages and records: golden vectors, round trips, and tables of the documentation.

use proptest::prelude::*;
use quorate_core::{Declared, DecodeError, Quorums, Shown, Wire};
use quorate_paxos::Ballot;
use quorate_paxos::multi;
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
fn encoding_of_logs_is_stable() {
    use multi::{Message, Record};
    let (low, high) = (ballot(1, 2), ballot(3, 300));
    let entries = b"\x42\x08hi";
    // the second of three, and a learner
    let listed = b"\x16\x07\x01\x00\x02\0\0\0\0\0\0\0\x04\x01\x00\x03\0\0\0\0\0\0\0";
    let (members, quorums) = (multi::Members::from_slice(listed).unwrap(), Quorums::majority(3));
    assert_eq!(members.iter().map(|member| member.id.get()).collect::<Vec<_>>(), [2, 3]);
    let messages = [
        (
            Message::Heartbeat {
                configuration: 0,
                promised: low,
                leads: true,
                has_leader: true,
                hears_you: false,
                commit: 3,
                through: 4,
                last: 300,
            },
            "0000010201010003 04ac02",
        ),
        (Message::Prepare { configuration: 0, ballot: low, from: 5 }, "0100010205"),
        (
            Message::Promise {
                ballot: high,
                from: 5,
                first: 6,
                accepted: low,
                entries,
                commit: 4,
                last: 6,
            },
            "02 03ac02 05 06 0102 04 42086869 04 06",
        ),
        (
            Message::Accept { configuration: 0, ballot: low, first: 6, commit: 4, entries },
            "03 00 0102 06 04 04 42086869",
        ),
        (Message::Accepted { ballot: low, through: 6 }, "04 0102 06"),
        (Message::Preempted { ballot: low, promised: high }, "05 0102 03ac02"),
        (Message::Fetch { from: 7, snapshot: 9, offset: 128 }, "06 07 09 8001"),
        (Message::Chosen { first: 6, commit: 7, entries }, "07 06 07 04 42086869"),
        (
            Message::Chunk { snapshot: 9, offset: 128, done: true, data: b"hi" },
            "08 09 8001 01 02 6869",
        ),
        (Message::Query { configuration: 0, number: 7 }, "09 00 07"),
        (Message::Answer { number: 7, promised: low, last: 6 }, "0a 07 0102 06"),
        (
            Message::LastChunk {
                snapshot: 9,
                offset: 128,
                configuration: 1,
                quorums,
                members,
                data: b"hi",
            },
            "0b 09 8001 01 00020203 16 0701000200000000000000 0401000300000000000000 02 6869",
        ),
        (Message::Stand { configuration: 1, ballot: low }, "0c 01 0102"),
    ];
    for (message, bytes) in messages {
        assert_eq!(hex(&message), bytes.replace(' ', ""), "{message:?}");
    }
    let records = [
        (Record::Founded { members: 7 }, "00 07"),
        (Record::Promised { ballot: low }, "01 0102"),
        (
            Record::Accepted {
                first: 6,
                ballot: low,
                then: multi::Ballots::default(),
                commit: 5,
                entries,
            },
            "02 06 0102 00 05 04 42086869",
        ),
        (Record::Snapshot { slot: 9, compacted: 8 }, "03 09 08"),
        (
            Record::Configuration { slot: 9, number: 1, quorums, members },
            "04 09 01 00020203 16 0701000200000000000000 0401000300000000000000",
        ),
    ];
    for (record, bytes) in records {
        assert_eq!(hex(&record), bytes.replace(' ', ""), "{record:?}");
    }
    assert_eq!(Message::from_slice(&[13]), Err(DecodeError::Invalid));
    assert_eq!(Record::from_slice(&[5]), Err(DecodeError::Invalid));
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
        ("multi::Message", multi::Message::SHAPE),
        ("multi::Record", multi::Record::SHAPE),
        ("multi::Configuration", multi::Configuration::SHAPE),
    ];
    let declared = [&declared[..], &crate::register::wire::TABLES].concat();
    assert_eq!(check_tables("docs/wire/paxos.md", &declared), Ok(()));
}

proptest! {
    #[test]
    fn codecs_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..60),
    ) {
        check_codec::<Message<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<Record<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<multi::Message<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<multi::Record<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
    }
}
