//! The serde forms: what is written is read back, and what nobody can make is refused.
#![allow(clippy::unwrap_used)]

use core::fmt::Debug;

use crate::common::{List, histories};
use proptest::prelude::*;
use quorate_core::{Instant, Machine, NodeId, Rng, Wire};
use quorate_ring::migration::{self, Inline as Buffers, Migration, Ownership, Progress, Refusal};
use quorate_ring::pbs::Fraction;
use quorate_ring::ranges::{self, Ranges};
use quorate_ring::topology::{Freshness, Version};
use quorate_ring::{
    Inline, KeyHash, LoadFactor, Member, Move, PreferenceList, Slot, Slots, Token, TokenRange, Zone,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

type Assigned = Slots<Inline<4, 8>>;
type Table = Ranges<ranges::Inline<4, 4, 3>>;

fn bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    assert_eq!(read::<T>(&bytes(value)).as_ref(), Some(value));
}

fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

#[test]
fn topology_is_written_as_on_the_wire() {
    for seed in 0..200 {
        let (lists, deltas) = histories::<3>(&mut Rng::new(seed), 30);
        for list in lists.iter().chain(&deltas) {
            assert_eq!(bytes(list), list.to_vec());
            same(list);
        }
    }
}

proptest! {
    #[test]
    fn topology_is_refused_where_the_wire_form_is(
        input in prop::collection::vec(prop_oneof![4 => 0u8..5, 1 => any::<u8>()], 0..24),
    ) {
        // postcard takes some varints that are over-long
        if let Some(list) = read::<List>(&input) {
            prop_assert_eq!(List::from_slice(&bytes(&list)), Ok(list));
        } else {
            prop_assert!(List::from_slice(&input).is_err());
        }
    }
}

#[test]
fn plain_data_is_read_back() {
    let range = TokenRange::new(Token::new(3), Token::new(2));
    same(&range);
    same(&KeyHash::new([1, 2]));
    same(&Member::new(node(7)).with_weight(300).in_zone(Zone::new(2)));
    same(&Version { epoch: 300, digest: u64::MAX });
    same(&Freshness::Conflict);
    same(&Move::Copy { range, from: None, to: node(1) });
    same(&Move::Drop { range, from: node(1) });
    same(&Slot::MAX);
    same(&LoadFactor::default());
    same(&Fraction::new(2, 3).unwrap());
    let walk = || (1..6).map(|id| (node(id), Zone::default()));
    same(&PreferenceList::select(walk, 1, 3, 2));
}

#[test]
fn what_a_migration_tells_is_read_back() {
    let ids = [node(1), node(2)];
    let config = migration::Config::radio();
    same(&config);
    same(&Refusal::Unwanted);
    same(&Progress::Arrived);
    let mut machine = Migration::<u64, Buffers<2, 1, 8, 8>>::new(ids[0], &ids, config).unwrap();
    machine.tick(Instant::ZERO);
    machine.begin(7, ids[1], Version { epoch: 300, digest: 5 }).unwrap();
    assert_eq!(machine.ownership(7), Ownership::HandingOver(ids[1]));
    same(&machine.ownership(7));
    same(&machine.outgoing().next().unwrap());
}

#[test]
fn plain_data_that_nobody_can_make_is_refused() {
    assert_eq!(read::<Slot>(&bytes(&16_384_u16)), None);
    assert_eq!(read::<LoadFactor>(&bytes(&(3_u32, 4_u32))), None);
    assert_eq!(read::<LoadFactor>(&bytes(&(0_u32, 0_u32))), None);
    assert_eq!(read::<Fraction>(&bytes(&(2_u128, 4_u128))), None);
    assert_eq!(read::<Fraction>(&bytes(&(0_u128, 0_u128))), None);
    assert_eq!(read::<PreferenceList>(&[2, 1, 2, 1, 1]), None);
    assert!(read::<PreferenceList>(&[2, 1, 2, 1, 3]).is_some());
    let many: Vec<u64> = (0..20).collect();
    assert_eq!(read::<PreferenceList>(&bytes(&(many, (30..50).collect::<Vec<u64>>()))), None);
}

#[test]
fn slots_are_read_back_or_refused() {
    let members = [1, 2, 3].map(|id| Member::new(node(id)));
    let mut slots = Assigned::even(&members).unwrap();
    same(&slots);
    slots.remove(node(2)).unwrap();
    same(&slots);
    slots.add(Member::new(node(4)).in_zone(Zone::new(1))).unwrap(); // a zone without slots
    same(&slots);
    same(&Assigned::new());
    // members with weight and zone, and runs: the first slot, whether it is somebody's, and whose
    let sound = [2, 1, 1, 0, 2, 1, 0, 3, 0, 1, 1, 9, 0, 20, 1, 2];
    assert!(read::<Assigned>(&sound).is_some());
    let with = |at: usize, byte: u8| {
        let mut bytes = sound;
        bytes[at] = byte;
        read::<Assigned>(&bytes)
    };
    let wrong = [
        (1, 2),   // a member twice
        (1, 3),   // not sorted
        (2, 0),   // without a weight
        (8, 1),   // a beginning that belongs to no run
        (11, 0),  // an empty run
        (11, 21), // not sorted
        (10, 3),  // no member
    ];
    for (at, byte) in wrong {
        assert_eq!(with(at, byte), None, "{byte} at {at}");
    }
    // a run of all slots without an owner
    assert_eq!(read::<Assigned>(&[0, 1, 0, 0]), None);
    // two runs of one owner that touch
    assert_eq!(read::<Assigned>(&[1, 1, 1, 0, 2, 0, 1, 1, 9, 1, 1]), None);
    // beyond the last slot
    assert_eq!(read::<Assigned>(&[1, 1, 1, 0, 2, 0, 1, 1, 0x80, 0x80, 1, 0]), None);
    // more members than there is room for
    assert_eq!(read::<Slots<Inline<1, 8>>>(&sound), None);
}

#[test]
fn ranges_are_read_back_or_refused() {
    let mut table = Table::new(&[node(1), node(2)]).unwrap();
    table.split(b"m").unwrap();
    table.assign(b"m", &[node(3)]).unwrap();
    same(&table);
    let sound = bytes(&table);
    assert_eq!(sound, [2, 0, 2, 1, 2, 1, b'm', 1, 3]);
    let wrong: [&[u8]; 7] = [
        &[0],                                  // nobody has any key
        &[1, 1, b'a', 1, 1],                   // nor those before `a`
        &[2, 0, 1, 1, 0, 1, 2],                // an empty range
        &[3, 0, 1, 1, 1, 9, 1, 1, 1, 8, 1, 1], // not sorted
        &[1, 0, 0],                            // without a node
        &[1, 0, 2, 1, 1],                      // a node twice
        &[2, 0, 1, 1, 5, 1, 1, 1, 1, 1, 1, 1], // a boundary that is too long
    ];
    for bytes in wrong {
        assert_eq!(read::<Table>(bytes), None, "{bytes:?}");
    }
}

proptest! {
    /// Whatever is read answers: no key has no range, and no slot two.
    #[test]
    fn hostile_bytes_are_refused_or_sound(
        input in prop::collection::vec(prop_oneof![8 => 0u8..6, 1 => any::<u8>()], 0..40),
    ) {
        if let Ok((slots, _)) = postcard::take_from_bytes::<Assigned>(&input) {
            prop_assert_eq!(read::<Assigned>(&bytes(&slots)), Some(slots.clone()));
            let owned: usize = slots.members().iter().map(|member| slots.count(member.id)).sum();
            prop_assert!(owned <= 16_384);
        }
        if let Ok((table, _)) = postcard::take_from_bytes::<Table>(&input) {
            prop_assert!(table.iter().all(|range| table.range_of(range.start) == range));
            prop_assert!(table.range_of(b"").start.is_empty());
        }
    }
}
