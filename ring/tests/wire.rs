//! The bytes of topologies and versions: golden vectors, round trips, and hostile bytes.
#![allow(clippy::unwrap_used)]

use crate::common::{List, histories};
use proptest::prelude::*;
use quorate_core::{Declared, DecodeError, NodeId, Rng, Shown, Wire};
use quorate_ring::quorum::{Message, Record, Tagged};
use quorate_ring::topology::{Entry, MemberState, Topology, TopologyError, Version};
use quorate_ring::{Inline, Member, TokenRange, Zone, migration};
use quorate_sim::wire::{check_codec, check_tables};

fn hex<'a>(value: &impl Wire<'a>) -> String {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list() -> List {
    let [a, b, c] = [1, 300, 4].map(NodeId::new);
    let mut list = List::new();
    list.join(Member::new(a)).unwrap(); // 1
    list.join(Member::new(b).with_weight(200).in_zone(Zone::new(7))).unwrap(); // 2
    list.join(Member::new(c)).unwrap(); // 3
    list.set_state(b, MemberState::Up).unwrap(); // 4
    list.set_state(c, MemberState::Removed).unwrap(); // 5
    list
}

#[test]
fn encoding_is_stable() {
    assert_eq!(hex(&List::new()), "000000");
    let mut list = list();
    assert_eq!(
        hex(&list),
        "050003 01010001010001 05050404010001 010401ac02c80107c801".replace(' ', "")
    );
    let delta = list.set_state(NodeId::new(1), MemberState::Up).unwrap();
    assert_eq!(hex(&delta), "06000101060101010001");
    let delta = list.forget(NodeId::new(4)).unwrap();
    assert_eq!(hex(&delta), "07050201060101010001010401ac02c80107c801");
    assert_eq!(hex(&list), "070502 01060101010001 010401ac02c80107c801".replace(' ', ""));
    assert_eq!(hex(&Version { epoch: 300, digest: 5 }), "ac0205");
}

/// Also in every later version: nodes of different versions compare them.
#[test]
fn digest_is_stable() {
    let version = list().version();
    assert_eq!((version.epoch, version.digest), (5, 0x9bbc_d25e_c870_0229), "{version}");
    assert_eq!(List::new().version().digest, 0xd1fb_a762_150c_532c);
}

#[test]
fn text_names_what_is_in_it() {
    let text = "epoch 5, forgotten 0, entries [1 joining, 4 removed, 300 up]";
    assert_eq!(Shown(&list()).to_string(), text);
    assert_eq!(Shown(&List::new()).to_string(), "epoch 0, forgotten 0, entries []");
}

#[test]
fn lists_that_no_change_leads_to_are_refused() {
    // epoch, forgotten, entries: incarnation, changed, state, node, weight, zone, next weight
    let sound = [9, 3, 3, 2, 4, 1, 1, 1, 0, 6, 8, 8, 4, 2, 1, 0, 1, 5, 5, 0, 3, 1, 0, 1];
    let list = List::from_slice(&sound).unwrap();
    assert_eq!(list.entries().len(), 3);
    let with = |at: usize, byte: u8| {
        let mut bytes = sound;
        bytes[at] = byte;
        List::from_slice(&bytes)
    };
    let wrong = [
        (0, 7),  // the removal is later than all
        (1, 9),  // to forget is a change
        (3, 0),  // never joined
        (3, 4),  // joined when it came up
        (4, 10), // changed later than all
        (4, 1),  // changed before it joined
        (5, 5),  // a state that is none
        (6, 2),  // twice
        (6, 3),  // not sorted
        (7, 0),  // without a weight
        (9, 0),  // is to be without one
        (10, 7), // removed, and changed afterwards
        (11, 9), // the same
        (16, 2), // removed, and is to have another weight
        (17, 6), // changed before it joined
        (23, 2), // joins, and is to have another weight
    ];
    for (at, byte) in wrong {
        assert_eq!(with(at, byte), Err(DecodeError::Invalid), "{byte} at {at}");
    }
    // to forget is a change
    assert_eq!(List::from_slice(&[3, 3, 0]), Err(DecodeError::Invalid));
    assert!(List::from_slice(&[3, 2, 0]).is_ok());
    // beyond the last epoch, and one that has no room for another change
    let epoch = |epoch: u64| {
        let mut bytes = [0; 12];
        let version = Version { epoch, digest: 0 }; // two numbers, as epoch and forgotten are
        let len = version.to_slice(&mut bytes).unwrap().len();
        List::from_slice(&bytes[..=len])
    };
    assert_eq!(epoch((1 << 62) + 1), Err(DecodeError::Invalid));
    assert!(epoch(1 << 62).is_ok());
    let mut last = epoch((1 << 62) - 1).unwrap();
    last.join(Member::new(NodeId::new(1))).unwrap();
    let removed = last.set_state(NodeId::new(1), MemberState::Removed);
    assert_eq!(removed, Err(TopologyError::Exhausted));
    assert_eq!(List::from_slice(&last.to_vec()), Ok(last));
    // more than there is room for
    assert_eq!(Topology::<Inline<1>>::from_slice(&sound), Err(DecodeError::Invalid));
    assert_eq!(List::from_slice(&[9, 0, 255, 255, 3]), Err(DecodeError::Truncated));
}

#[test]
fn random_lists_and_deltas_are_read_back() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let steps = rng.below(40);
        let (lists, deltas) = histories::<3>(&mut rng, steps);
        for list in lists.iter().chain(&deltas) {
            let mut bytes = list.to_vec();
            assert_eq!(List::from_slice(&bytes).as_ref(), Ok(list));
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << rng.below(8);
            if let Ok(read) = List::from_slice(&bytes) {
                assert_eq!(read.to_vec(), bytes, "two encodings");
            }
        }
    }
}

/// The formula of docs/wire/ring.md, reached.
#[test]
fn longest_list_is_as_long_as_documented() {
    let epoch = 1 << 62;
    let mut bytes = [0; 700];
    let mut out = quorate_core::Writer::new(&mut bytes);
    out.u64(epoch);
    out.u64(1 << 61); // no shorter
    out.u64(16);
    for id in 0..16 {
        out.u64(epoch - 1);
        out.u64(epoch);
        MemberState::Up.encode(&mut out);
        let member = Member::new(NodeId::new(u64::MAX - 16 + id)).with_weight(u16::MAX);
        member.in_zone(Zone::new(u16::MAX)).encode(&mut out);
        out.u64(u64::from(u16::MAX));
    }
    let bytes = out.finish().unwrap();
    assert!(List::from_slice(bytes).is_ok());
    assert_eq!(bytes.len(), 18 + 1 + 38 * 16);
}

#[test]
fn tables_match_declarations() {
    let declared = [
        ("Topology", List::SHAPE),
        ("Entry", Entry::SHAPE),
        ("MemberState", MemberState::SHAPE),
        ("Member", Member::SHAPE),
        ("Version", Version::SHAPE),
        ("migration::Message", migration::Message::<'_, TokenRange>::SHAPE),
        ("migration::Body", migration::Body::SHAPE),
        ("migration::Refusal", migration::Refusal::SHAPE),
        ("migration::Record", migration::Record::<'_, TokenRange>::SHAPE),
        ("migration::Stage", migration::Stage::SHAPE),
        ("quorum::Message", Message::<'_, Tagged<u32>>::SHAPE),
        ("quorum::Body", Message::<'_, Tagged<u32>>::BODY),
        ("quorum::Reason", Message::<'_, Tagged<u32>>::REASON),
        ("quorum::Cause", Message::<'_, Tagged<u32>>::CAUSE),
        ("quorum::Record", Record::<'_, Tagged<u32>>::SHAPE),
    ];
    assert_eq!(check_tables("docs/wire/ring.md", &declared), Ok(()));
}

proptest! {
    #[test]
    fn codecs_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..60),
    ) {
        check_codec::<List>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
        check_codec::<Version>(&bytes, &mut Vec::new()).map_err(TestCaseError::fail)?;
    }
}
