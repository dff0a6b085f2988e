//! The bytes of the causal broadcast: golden vectors, and equality with the declarations.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::causal::{Message, Record};
use quorate_clocks::{Actor, Dot, Inline, VersionVector, Versions};
use quorate_core::{Declared, DecodeError, NodeId, Shown, Wire};
use quorate_sim::wire::{check_codec, check_tables};

fn dot(node: u64, incarnation: u32, counter: u64) -> Dot {
    Dot::new(Actor::new(NodeId::new(node), incarnation), counter).unwrap()
}

fn vector() -> VersionVector<Inline<4>> {
    let mut vector = VersionVector::new();
    vector.observe(dot(1, 0, 300)).unwrap();
    vector.observe(dot(2, 1, 5)).unwrap();
    vector
}

fn hex<'a>(value: &impl Wire<'a>) -> String {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn message_and_record_encoding_is_stable() {
    let (vector, payload) = (vector(), b"hi".as_slice());
    let data = Message::Data { dot: dot(7, 0, 3), causes: vector.versions(), payload };
    assert_eq!(hex(&data), "00070003020100ac02020105026869");
    let delivered = vector.versions();
    let status = Message::Status { boot: 300, request: true, relay: false, delivered };
    assert_eq!(hex(&status), "01ac020100020100ac02020105");
    assert_eq!(hex(&Message::Behind { floor: Versions::EMPTY }), "0200");
    assert_eq!(hex(&Record::Boot { boot: 2 }), "0002");
    let sent = Record::Sent { counter: 128, causes: Versions::EMPTY, payload };
    assert_eq!(hex(&sent), "01800100026869");
    assert_eq!(hex(&Record::Stable { counter: 5 }), "0205");
}

#[test]
fn malformed_messages_do_not_decode() {
    let unsorted = [2, 2, 2, 0, 1, 1, 0, 1];
    assert_eq!(Message::from_slice(&unsorted), Err(DecodeError::Invalid));
    let zero = [2, 1, 2, 0, 0];
    assert_eq!(Message::from_slice(&zero), Err(DecodeError::Invalid));
    assert_eq!(Message::from_slice(&[3, 0]), Err(DecodeError::Invalid));
    assert_eq!(Record::from_slice(&[3, 0]), Err(DecodeError::Invalid));
    assert_eq!(Record::from_slice(&[0]), Err(DecodeError::Truncated));
}

#[test]
fn text_names_the_message_and_its_fields() {
    let vector = vector();
    let data = Message::Data { dot: dot(7, 0, 3), causes: vector.versions(), payload: b"hi" };
    let text = "Data dot 7:3, causes {1:300, 2+1:5}, payload \"hi\"";
    assert_eq!(Shown(&data).to_string(), text);
}

#[test]
fn tables_match_declarations() {
    let declared = [("Message", Message::SHAPE), ("Record", Record::SHAPE)];
    assert_eq!(check_tables("docs/wire/clocks.md", &declared), Ok(()));
}

proptest! {
    #[test]
    fn codecs_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..40),
    ) {
        check_codec::<Message<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<Record<'_>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
    }
}
