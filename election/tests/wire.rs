//! The wire form: golden vectors, canonical both ways, and with feature `serde` equal to what postcard makes of the same types.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use quorate_core::{Declared, DecodeError, Instant, Machine, NodeId, Shown, Wire};
use quorate_election::bully::Message as Bully;
use quorate_election::ring::{ChangRoberts, Direction, HirschbergSinclair, Message as Ring};
use quorate_election::{Config, Epoch, Inline, Mode, Record};
use quorate_sim::wire::{check_codec, check_tables};

fn encode<'a, T: Wire<'a>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}

fn hex<'a, T: Wire<'a>>(value: &T) -> String {
    encode(value).iter().map(|b| format!("{b:02x}")).collect()
}

const E: Epoch = Epoch::from_token(300);
const F: Epoch = Epoch::from_token(5);

#[test]
fn golden_bytes() {
    assert_eq!(hex(&Bully::Election { epoch: E }), "00ac02");
    assert_eq!(hex(&Bully::Answer { epoch: F }), "0105");
    assert_eq!(hex(&Bully::Coordinator { epoch: F }), "0205");
    assert_eq!(hex(&Bully::Alive { epoch: F, round: 128 }), "03058001");
    assert_eq!(hex(&Bully::Accept { epoch: F, round: 0 }), "040500");
    assert_eq!(hex(&Bully::Stale { epoch: E }), "05ac02");
    assert_eq!(hex(&Ring::Elect { token: F, highest: E, passed: 200 }), "0005ac02c801");
    let probe =
        Ring::Probe { token: F, highest: F, phase: 2, hops: 4, direction: Direction::Backward };
    assert_eq!(hex(&probe), "010505020401");
    let reply = Ring::Reply { token: F, highest: F, phase: 2, direction: Direction::Forward };
    assert_eq!(hex(&reply), "0205050200");
    assert_eq!(hex(&Ring::Coordinator { token: F, epoch: E }), "0305ac02");
    assert_eq!(hex(&Ring::Ack { token: F, slot: 2, phase: 7 }), "04050207");
    assert_eq!(hex(&Ring::Alive { epoch: E }), "05ac02");
    assert_eq!(hex(&Ring::ConfirmLeadership { epoch: F }), "0605");
    assert_eq!(hex(&Record { epoch: E }), "ac02");
}

#[test]
fn malformed_messages_do_not_decode() {
    assert_eq!(Bully::from_slice(&[6, 0]), Err(DecodeError::Invalid));
    assert_eq!(Bully::from_slice(&[3, 0]), Err(DecodeError::Truncated));
    assert_eq!(Bully::from_slice(&[0, 0, 0]), Err(DecodeError::Trailing));
    assert_eq!(Ring::from_slice(&[7, 0]), Err(DecodeError::Invalid));
    assert_eq!(Ring::from_slice(&[2, 0, 0, 0, 2]), Err(DecodeError::Invalid));
}

#[test]
fn tables_match_declarations() {
    let declared = [
        ("bully::Message", Bully::SHAPE),
        ("ring::Message", Ring::SHAPE),
        ("ring::Direction", Direction::SHAPE),
        ("Record", Record::SHAPE),
    ];
    assert_eq!(check_tables("docs/wire/election.md", &declared), Ok(()));
}

#[test]
fn text_names_the_message_and_its_fields() {
    let alive = Bully::Alive { epoch: E, round: 7 };
    assert_eq!(Shown(&alive).to_string(), "Alive epoch 300, round 7");
    let reply = Ring::Reply { token: F, highest: E, phase: 2, direction: Direction::Backward };
    let text = "Reply token 5, highest 300, phase 2, direction Backward";
    assert_eq!(Shown(&reply).to_string(), text);
}

/// Polls until it is quiet, which must come soon.
macro_rules! drain {
    ($machine:ident) => {
        let mut outputs = 0;
        while let Some(output) = $machine.poll() {
            if let quorate_core::Output::Persist(ticket, _) = output {
                $machine.persisted(ticket);
            }
            outputs += 1;
            assert!(outputs < 200);
        }
    };
}

proptest! {
    #[test]
    fn decoding_and_encoding_round_trips(
        kind in 0u8..7,
        rest in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = vec![kind];
        bytes.extend(rest);
        if let Ok(message) = Bully::from_slice(&bytes) {
            prop_assert_eq!(encode(&message), bytes.clone());
            #[cfg(feature = "serde")]
            prop_assert_eq!(postcard::to_allocvec(&message).unwrap(), bytes.clone());
        }
        if let Ok(message) = Ring::from_slice(&bytes) {
            prop_assert_eq!(encode(&message), bytes.clone());
            #[cfg(feature = "serde")]
            prop_assert_eq!(postcard::to_allocvec(&message).unwrap(), bytes.clone());
        }
        if let Ok(record) = Record::from_slice(&bytes) {
            prop_assert_eq!(encode(&record), bytes.clone());
        }
    }

    #[test]
    fn codecs_match_declarations(bytes in prop::collection::vec(any::<u8>(), 0..40), kind in 0u8..7) {
        let mut bytes = bytes;
        for first in [None, Some(kind)] {
            bytes.splice(0..0, first);
            check_codec::<Bully>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
            check_codec::<Ring>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
            check_codec::<Record>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        }
    }

    /// Whatever a peer sends, a machine neither panics nor says more than it may, and what it refuses changes nothing.
    #[test]
    fn random_bytes_never_panic(
        steps in prop::collection::vec(
            (0u64..7, prop::collection::vec(any::<u8>(), 1..16), any::<u32>()), 1..60),
        mode in 0..2,
    ) {
        let ids = [1, 2, 3, 4, 5].map(NodeId::new);
        let mode = if mode == 0 { Mode::Classic } else { Mode::Quorum };
        let config = Config { mode, ..Config::lan() };
        let mut bully =
            quorate_election::Bully::<Inline<5>>::new(ids[2], &ids, config).unwrap();
        let classic = Config { mode: Mode::Classic, ..config };
        let mut ring =
            quorate_election::Ring::<ChangRoberts, Inline<5>>::new(ids[2], &ids, classic).unwrap();
        let mut both =
            quorate_election::Ring::<HirschbergSinclair, Inline<5>>::new(ids[2], &ids, classic)
                .unwrap();
        let mut now = Instant::ZERO;
        for (from, mut bytes, us) in steps {
            now = now.after(us.into());
            let from = NodeId::new(from);
            bytes[0] %= 7;
            if let Ok(message) = Bully::from_slice(&bytes) {
                bully.tick(now);
                let before = bully.clone();
                if bully.receive(now, from, message).is_err() {
                    prop_assert!(bully.rejections() != before.rejections());
                    prop_assert_eq!(bully.status(), before.status());
                }
                drain!(bully);
            }
            if let Ok(message) = Ring::from_slice(&bytes) {
                ring.tick(now);
                both.tick(now);
                let _ = ring.receive(now, from, message);
                let _ = both.receive(now, from, message);
                drain!(ring);
                drain!(both);
            }
        }
    }
}
