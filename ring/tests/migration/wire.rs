//! Messages and records have the bytes that they have.

use proptest::prelude::*;
use quorate_core::{NodeId, Shown, Wire};
use quorate_ring::migration::{Body, Message, Record, Refusal, Stage};
use quorate_ring::topology::Version;
use quorate_ring::{Token, TokenRange};
use quorate_sim::wire::check_codec;

const VERSION: Version = Version { epoch: 3, digest: 200 };

fn hex<'a>(value: &impl Wire<'a>) -> String {
    value.to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn encoding_is_stable() {
    let message = |message: Message<'_, u64>| hex(&message);
    let (handover, session) = (1, 300);
    let range = TokenRange::new(Token::new(5), Token::new(300));
    let begin = Message::Begin { handover, session, range, version: VERSION };
    assert_eq!(hex(&begin), "0001ac0205ac0203c801");
    let body = Body::Chunk { bytes: &[9, 8], cursor: &[7], last: true };
    assert_eq!(
        message(Message::Item { handover, session, item: 4, body }),
        "0101ac020400020908010701"
    );
    let body = Body::Writes { frames: &[1, 9] };
    assert_eq!(message(Message::Item { handover, session, item: 4, body }), "0101ac020401020109");
    assert_eq!(message(Message::Released { handover, session, items: 4 }), "0201ac0204");
    assert_eq!(message(Message::Closed { handover }), "0301");
    assert_eq!(message(Message::Gone { handover }), "0401");
    let (item, cursor, complete) = (4, &[7][..], false);
    let position = Message::Position { handover, session, item, cursor, complete };
    assert_eq!(message(position), "0501ac0204010700");
    let reason = Refusal::Version;
    assert_eq!(message(Message::Refused { handover, session, reason }), "0601ac0202");
    assert_eq!(message(Message::Lost { handover, session, seen: 5 }), "0701ac0205");
    assert_eq!(message(Message::Arrived { handover }), "0801");

    let record = |record: Record<'_, u64>| hex(&record);
    let (range, version, from, to) = (7, VERSION, NodeId::new(2), NodeId::new(3));
    assert_eq!(record(Record::Numbers { last: 300 }), "00ac02");
    assert_eq!(record(Record::Seen { from, session }), "0102ac02");
    let stage = Stage::Released;
    let outgoing = Record::Outgoing { handover, session, range, to, version, items: 4, stage };
    assert_eq!(record(outgoing), "0201ac02070303c8010401");
    assert_eq!(record(Record::Ended { handover }), "0301");
    let arrived = true;
    let incoming = Record::Incoming {
        from,
        handover,
        session,
        range,
        version,
        item,
        cursor,
        complete,
        arrived,
    };
    assert_eq!(record(incoming), "040201ac020703c8010401070001");
    assert_eq!(record(Record::Dropped { from, handover }), "050201");
}

#[test]
fn text_names_the_message_and_its_fields() {
    let lost: Message<'_, u64> = Message::Lost { handover: 1, session: 2, seen: 5 };
    assert_eq!(Shown(&lost).to_string(), "Lost handover 1, session 2, seen 5");
}

proptest! {
    #[test]
    fn codecs_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..40),
    ) {
        check_codec::<Message<'_, TokenRange>>(&bytes, &mut Vec::new())
            .map_err(TestCaseError::fail)?;
        check_codec::<Record<'_, TokenRange>>(&bytes, &mut Vec::new())
            .map_err(TestCaseError::fail)?;
        check_codec::<Message<'_, u64>>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
    }
}
