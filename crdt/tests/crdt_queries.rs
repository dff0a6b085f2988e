//! What replicas query of a type: versions of actors, missing updates, and conflicts.
#![allow(clippy::unwrap_used)]

use std::hash::{DefaultHasher, Hash, Hasher};

use quorate_clocks::{Actor, Inline, Stamp};
use quorate_core::{DecodeError, NodeId, Wire};
use quorate_crdt::{Crdt, GCounter, List, LwwSet, MvRegister, OrMap, OrSet, TwoPhaseSet};

type Text = List<u8, Inline<8>>;
type Set = OrSet<u8, Inline<4>>;
type Map = OrMap<u8, MvRegister<u8, Inline<4>>>;

fn actor(node: u64) -> Actor {
    NodeId::new(node).into()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}

/// A state in which 1 made two updates and 2 one, and deltas of the next that each makes.
fn check<T: Crdt>(mut state: T, update: impl Fn(&mut T, Actor, u8) -> T::Delta) {
    let empty = state.clone();
    let first = update(&mut state, actor(1), 1);
    assert_eq!(state.revision(), empty.revision() + 1);
    let other = update(&mut state, actor(2), 2);
    update(&mut state, actor(1), 3);
    assert_eq!(state.revision(), empty.revision() + 3);
    for (node, actor_version) in [(1, 2), (2, 1), (3, 0)] {
        assert_eq!(state.actor_version(actor(node)) > 0, actor_version > 0, "{node}");
    }
    assert!(state.actor_version(actor(1)) > empty.actor_version(actor(1)));
    for delta in [&first, &other] {
        assert!(!state.lacks(delta, actor(1)) && !state.lacks(delta, actor(2)));
        assert_eq!(state.conflicting_actor(delta), None);
    }
    assert!(empty.lacks(&first, actor(1)) && !empty.lacks(&first, actor(2)));
    assert!(empty.lacks(&other, actor(2)) && !empty.lacks(&other, actor(1)));
    // another replica works as actor 1
    let mut impostor = empty.clone();
    let forged = update(&mut impostor, actor(1), 9);
    update(&mut impostor, actor(2), 2);
    assert_eq!(state.conflicting_actor(&forged), Some(actor(1)));
    assert!(
        state.conflicts_with(&impostor, actor(1)) && !state.conflicts_with(&impostor, actor(3))
    );
    assert!(!state.conflicts_with(&state.clone(), actor(1)));
    // decoded, it is not taken for another with one update more
    let decoded = state.read_state(&mut quorate_core::Reader::new(&encoded(&state))).unwrap();
    assert_eq!((&decoded, hash(&decoded)), (&state, hash(&state)));
    assert_eq!(decoded.revision(), 1 << 63);
    assert_ne!(hash(&state), hash(&empty));
}

#[test]
fn types_implement_replica_queries() {
    check(Text::new(), |list, me, value| list.insert(me, 0, value).unwrap());
    check(Set::new(), |set, me, value| set.add(me, value).unwrap());
    check(Map::new(), |map, me, value| map.edit(&value, |r| r.set(me, value)).unwrap());
}

#[test]
fn counter_revision_counts_updates() {
    let mut counter = GCounter::<Inline<3>>::new();
    let delta = counter.increment(actor(1), 5).unwrap();
    counter.increment(actor(2), 5).unwrap();
    assert_eq!((counter.revision(), counter.actor_version(actor(1))), (2, 5));
    assert!(GCounter::<Inline<3>>::new().lacks(&delta, actor(1)));
    assert!(!counter.lacks(&delta, actor(1)) && !counter.lacks(&delta, actor(2)));
    assert_eq!(GCounter::<Inline<3>>::from_slice(&encoded(&counter)).unwrap().revision(), 1 << 63);
}

#[test]
fn is_empty_reflects_contents() {
    let (mut list, mut set, mut map) = (Text::new(), Set::new(), Map::new());
    assert!(list.is_empty() && set.is_empty() && map.is_empty());
    assert_eq!(list.len(), 0);
    list.insert(actor(1), 0, 1).unwrap();
    list.insert(actor(1), 1, 2).unwrap();
    set.add(actor(1), 1).unwrap();
    map.edit(&1, |r| r.set(actor(1), 1)).unwrap();
    assert!(!list.is_empty() && !set.is_empty() && !map.is_empty());
    assert_eq!((list.len(), list.slots_used()), (2, 2));
    list.remove(0).unwrap();
    assert_eq!((list.len(), list.slots_used()), (1, 2));
}

#[test]
fn equal_stamps_resolve_like_merge() {
    let mut set = LwwSet::<u8, Inline<2>>::new();
    let (mut left, mut right) = (set.clone(), set.clone());
    left.add(Stamp::default(), 7).unwrap();
    right.remove(Stamp::default(), 7).unwrap();
    set.merge(&right).unwrap();
    set.merge(&left).unwrap();
    assert!(set.contains(&7));
    right.merge(&left).unwrap();
    assert!(right.contains(&7));
    let mut phases = TwoPhaseSet::<u8, Inline<2>>::new();
    phases.add(1).unwrap();
    phases.remove(&1);
    assert!(!phases.contains(&1));
}

#[test]
fn duplicate_element_is_not_canonical() {
    let mut set = Set::new();
    set.add(actor(1), 7).unwrap();
    let bytes = encoded(&set);
    // the number of elements, the element and its dot, the context
    assert_eq!(bytes[..5], [1, 7, 1, 0, 1]);
    let twice = [&[2], &bytes[1..5], &bytes[1..]].concat();
    assert_eq!(Set::from_slice(&twice).err(), Some(DecodeError::Invalid));
}

#[cfg(feature = "serde")]
#[test]
fn duplicate_key_is_rejected_by_serde() {
    use quorate_crdt::GSet;
    let mut set = GSet::<u8, Inline<4>>::new();
    set.add(5).unwrap();
    let bytes = postcard::to_allocvec(&set).unwrap();
    let read = |bytes: &[u8]| postcard::from_bytes::<GSet<u8, Inline<4>>>(bytes);
    assert_eq!(read(&bytes).unwrap(), set);
    assert_eq!(bytes, [1, 5]);
    assert!(read(&[2, 5, 6]).is_ok());
    assert!(read(&[2, 5, 5]).is_err());
}

/// A counter that nobody counted with is not listed, or the same state would have two forms.
#[test]
fn zero_totals_are_not_canonical() {
    let mut counter = quorate_crdt::ResettableCounter::<Inline<4>>::new();
    counter.increment(actor(1), 1).unwrap();
    let bytes = encoded(&counter);
    let read = |bytes: &[u8]| counter.read_state(&mut quorate_core::Reader::new(bytes));
    assert_eq!(read(&bytes), Ok(counter.clone()));
    let counted = bytes.iter().rposition(|&byte| byte == 1).unwrap();
    let mut nothing = bytes;
    *nothing.get_mut(counted).unwrap() = 0;
    assert_eq!(read(&nothing), Err(DecodeError::Invalid));
}
