//! Full at every step: a small type refuses and stays as it is, and converges with the others once there is room.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "alloc")]

use crate::common::{self, actor, bytes, histories};
use proptest::prelude::*;
use quorate_clocks::{Heap, Inline};
use quorate_core::{NodeId, Reader, Wire, Writer};
use quorate_crdt::{
    ApplyError, Crdt, DeltaState, GCounter, GSet, List, ListError, MergeError, MvRegister,
    OrCounter, OrMap, OrSet, PnCounter, ResettableCounter, UpdateError, Value,
};

type Tight = OrSet<u8, Inline<3>, Inline<2>>;
type Wide = OrSet<u8, Heap>;

proptest! {
    /// Three replicas with room for two actors and three elements, beside wide ones that do what the small ones did.
    #[test]
    fn full_sets_reject_and_converge(history in histories()) {
        let mut small = [(); 3].map(|()| Tight::new());
        let mut wide = [(); 3].map(|()| Wide::new());
        for step in &history {
            let (at, who) = (step.replica, actor(step.replica));
            let before = small[at].clone();
            if let Some(from) = step.from {
                let (other, wider) = (small[from].clone(), wide[from].clone());
                match small[at].merge(&other) {
                    Ok(_) => _ = wide[at].merge(&wider).unwrap(),
                    Err(error) => {
                        prop_assert_eq!(error, MergeError::Full);
                        prop_assert_eq!(bytes(&small[at]), bytes(&before));
                        let mut would = wide[at].clone();
                        would.merge(&wider).unwrap();
                        let full = bytes(&would) != bytes(&before) && Tight::from_slice(&bytes(&would)).is_err();
                        prop_assert!(full, "there was room");
                    }
                }
            } else if step.choice % 3 == 0 {
                small[at].remove(&step.value);
                wide[at].remove(&step.value);
            } else {
                match small[at].add(who, step.value) {
                    Ok(_) => _ = wide[at].add(who, step.value).unwrap(),
                    Err(error) => {
                        prop_assert_eq!(error, UpdateError::Full);
                        prop_assert_eq!(bytes(&small[at]), bytes(&before));
                    }
                }
            }
            prop_assert_eq!(bytes(&small[at]), bytes(&wide[at]));
        }
        // two actors are all there is room for: once both make room, both agree
        let [mut a, mut b, _] = small;
        if a.context().vector().get(actor(2)) + b.context().vector().get(actor(2)) == 0
            && a.context().cloud().is_empty() && b.context().cloud().is_empty()
        {
            a.clear();
            b.clear();
            a.merge(&b).unwrap();
            b.merge(&a).unwrap();
            prop_assert_eq!(a, b);
        }
    }
}

#[test]
fn counters_reject_actors_beyond_limit() {
    let mut counter = GCounter::<Inline<1>>::new();
    counter.increment(actor(0), 1).unwrap();
    let before = counter.clone();
    assert_eq!(counter.increment(actor(1), 1), Err(UpdateError::Full));
    let mut other = GCounter::<Inline<1>>::new();
    let delta = other.increment(actor(1), 1).unwrap();
    assert_eq!(counter.merge(&other), Err(MergeError::Full));
    assert_eq!(counter.apply(&delta), Err(ApplyError::Full));
    assert_eq!(counter, before);
    counter.increment(actor(0), 1).unwrap();
    assert_eq!(counter.value(), 2);
}

#[test]
fn partially_fitting_merge_changes_nothing() {
    let (mut here, mut there) = (GCounter::<Inline<3>>::new(), GCounter::new());
    for n in 0..2 {
        here.increment(actor(n), 1).unwrap();
        there.increment(actor(n + 2), 1).unwrap();
    }
    let before = here.clone();
    assert_eq!(here.merge(&there), Err(MergeError::Full));
    assert_eq!((&here, bytes(&here)), (&before, bytes(&before)));
}

#[test]
fn non_canonical_forms_are_rejected() {
    let sets: [&[u8]; 6] = [
        &[1, 7, 1, 0, 1, 0, 0], // an entry whose dot was never seen
        &[2, 8, 1, 0, 1, 7, 1, 0, 2, 1, 1, 0, 2, 0], // not sorted
        &[2, 7, 1, 0, 1, 7, 1, 0, 1, 1, 1, 0, 1, 0], // the same entry twice
        &[1, 7, 1, 0, 0, 1, 1, 0, 1, 0], // a dot without a number
        &[2, 7, 1, 0, 1, 8, 1, 0, 1, 1, 1, 0, 2, 0], // two elements of one dot
        &[4, 1, 1, 0, 1, 2, 1, 0, 2, 3, 1, 0, 3, 4, 1, 0, 4, 1, 1, 0, 4, 0], // too many
    ];
    for bytes in sets {
        assert!(Tight::from_slice(bytes).is_err(), "{bytes:?}");
    }
    let counters: [&[u8]; 3] = [
        &[2, 2, 0, 1, 1, 0, 1], // not sorted
        &[2, 1, 0, 1, 1, 0, 1], // an actor twice
        &[1, 1, 0, 0],          // a total of nothing
    ];
    for bytes in counters {
        assert!(GCounter::<Inline<2>>::from_slice(bytes).is_err(), "{bytes:?}");
    }
    let resettable: [&[u8]; 2] = [
        &[1, 1, 0, 5, 6, 0, 0], // more was reset than was counted
        &[1, 1, 0, 5, 0, 3, 4],
    ];
    for bytes in resettable {
        assert!(ResettableCounter::<Inline<2>>::from_slice(bytes).is_err(), "{bytes:?}");
    }
    assert!(ResettableCounter::<Inline<2>>::from_slice(&[1, 1, 0, 5, 5, 3, 3]).is_ok());
    let lists: [&[u8]; 3] = [
        &[1, 1, 1, 0, 0, 0, 1, 9],          // to the left of the root
        &[1, 2, 1, 0, 1, 1, 1, 0, 1, 1, 9], // hangs on what is not there
        &[2, 1, 1, 0, 0, 1, 1, 9, 1, 2, 0, 1, 1, 1, 0, 1, 1, 9], // no later than its parent
    ];
    for bytes in lists {
        assert!(List::<u8, Inline<4>>::from_slice(bytes).is_err(), "{bytes:?}");
    }
}

/// Every kind of element comes back as it was, in the order of its values.
#[test]
fn element_types_round_trip() {
    fn check<E: Value>(elements: [E; 3]) {
        let mut set = GSet::<E, Inline<4>>::new();
        for element in elements.iter().rev() {
            set.add(element.clone()).unwrap();
        }
        assert!(set.iter().eq(&elements));
        let read = GSet::<E, Inline<4>>::from_slice(&bytes(&set)).unwrap();
        assert!(read.iter().eq(&elements), "{read:?}");
    }
    check([NodeId::new(0), NodeId::new(7), NodeId::new(u64::MAX)]);
    check([0u8, 7, u8::MAX]);
    check([0u16, 7, u16::MAX]);
    check([0u32, 7, u32::MAX]);
    check([0u64, 7, u64::MAX]);
    check([i16::MIN, -1, i16::MAX]);
    check([i32::MIN, -1, i32::MAX]);
    check([i64::MIN, -1, i64::MAX]);
    check([[0u8, 1], [1, 0], [255, 255]]);
    check([(0u8, true), (1, false), (1, true)]);
    check([None, Some(0u8), Some(7)]);
    check([0, 1, 2].map(actor));
    check([String::new(), "a".into(), "ä".into()]);
    // one beyond the least of the narrow ones
    assert!(GSet::<u16, Inline<4>>::from_slice(&[1, 0x80, 0x80, 4]).is_err());
    assert!(GSet::<i16, Inline<4>>::from_slice(&[1, 0x80, 0x80, 4]).is_err());
    assert!(GSet::<String, Heap>::from_slice(&[1, 1, 0xff]).is_err());
    assert_eq!(bytes(&GSet::<(), Inline<4>>::new()), [0]);
}

#[test]
fn non_canonical_deltas_are_rejected() {
    let read = |bytes: &[u8]| Tight::new().read_delta(&mut Reader::new(bytes)).is_ok();
    assert!(read(&[0, 2, 1, 0, 1, 1, 0, 2]));
    let deltas: [&[u8]; 3] = [
        &[0, 2, 1, 0, 2, 1, 0, 1],    // not sorted
        &[0, 2, 1, 0, 1, 1, 0, 1],    // the same twice
        &[1, 7, 1, 0, 1, 1, 1, 0, 1], // takes out what it puts in
    ];
    for bytes in deltas {
        assert!(!read(bytes), "{bytes:?}");
    }
    // elements in another order than their dots
    let mut set = Wide::new();
    for element in [5, 3, 9, 1] {
        set.add(actor(0), element).unwrap();
    }
    let delta = set.clear();
    assert!(delta.removed().is_sorted());
    assert_eq!(common::through_bytes(&set, &delta), delta);
}

#[test]
fn duplicate_dot_is_rejected_by_serde() {
    let bytes = [2, 7, 1, 0, 1, 8, 1, 0, 1, 1, 1, 0, 2, 0];
    #[cfg(feature = "serde")]
    assert!(postcard::from_bytes::<Tight>(&bytes).is_err());
    // it is the shared dot: with the second one its own, the same bytes are a set
    let mut apart = bytes;
    apart[8] = 2;
    assert!(Tight::from_slice(&apart).is_ok());
}

#[test]
fn larger_actor_limit_is_respected_when_decoding() {
    let mut set = OrSet::<u16, Heap>::with_limits(3_000, 3_000);
    let mut counter = GCounter::<Heap>::with_limit(3_000);
    for n in 0..2_000 {
        set.add(actor(n), n as u16).unwrap();
        counter.increment(actor(n), 1).unwrap();
    }
    assert_eq!(set.empty().read_state(&mut Reader::new(&bytes(&set))), Ok(set));
    assert_eq!(counter.empty().read_state(&mut Reader::new(&bytes(&counter))), Ok(counter));
}

#[test]
fn scattered_removal_may_not_fit_as_state() {
    let mut here = OrSet::<u8, Inline<8>, Inline<2>>::new();
    let mut there = here.empty();
    for n in 0..8 {
        there.apply(&here.add(actor(0), n).unwrap()).unwrap();
    }
    for n in [1, 3, 5, 7] {
        there.apply(&here.remove(&n)).unwrap();
    }
    let clear = here.clear();
    assert_eq!(here.delta_state(&clear), Err(MergeError::Full)); // four runs of one dot each
    assert_eq!(there.apply(&clear), Ok(true));
    assert_eq!(there, here);
}

/// Long runs, and many siblings beside them: what took the cube of the length would not come to an end here.
#[test]
fn large_list_of_siblings_decodes_and_merges() {
    const RUN: usize = 3_000;
    let mut long = List::<u8, Heap>::with_limit(3 * RUN);
    for n in 0..RUN {
        long.insert(actor(0), n, 1).unwrap();
    }
    // as many that hang on the root, each made by one who saw nothing
    let mut bytes = bytes(&long);
    assert_eq!(bytes[..2], [0xb8, 0x17]); // 3000 elements
    bytes[..2].copy_from_slice(&[0xf0, 0x2e]); // 6000
    for n in 0..RUN as u64 {
        let mut node = [0; 16];
        let mut out = Writer::new(&mut node);
        out.u64(RUN as u64 + 1);
        out.u64(n + 1_000);
        out.raw(&[0, 0, 1, 1, 2]); // first incarnation; the root's right; a 2
        bytes.extend_from_slice(out.finish().unwrap());
    }
    let wide = long.empty().read_state(&mut Reader::new(&bytes)).unwrap();
    assert!(wide.iter().take(RUN).all(|&n| n == 1) && wide.iter().skip(RUN).all(|&n| n == 2));
    let mut merged = long.empty();
    merged.merge(&wide).unwrap();
    assert!(merged.iter().eq(wide.iter()));
    long.merge(&wide).unwrap();
    assert!(long.iter().eq(wide.iter()));
}

#[test]
fn list_element_needs_its_parent() {
    let mut here = List::<u8, Inline<4>>::new();
    let first = here.insert(actor(0), 0, 1).unwrap();
    let second = here.insert(actor(0), 1, 2).unwrap();
    let mut there = here.empty();
    assert_eq!(there.apply(&second), Err(ApplyError::Missing));
    assert_eq!(there, here.empty());
    there.apply(&first).unwrap();
    there.apply(&second).unwrap();
    assert!(there.iter().eq(&[1, 2]));
}

#[test]
fn list_siblings_are_ordered_by_id() {
    let mut left = List::<u8, Inline<8>>::new();
    left.insert(actor(2), 0, 0).unwrap();
    let mut right = left.clone();
    for (list, who) in [(&mut left, 0), (&mut right, 1)] {
        list.insert(actor(who), 0, 10 + who as u8).unwrap();
        list.insert(actor(who), 2, 20 + who as u8).unwrap();
    }
    left.merge(&right).unwrap();
    right.merge(&left).unwrap();
    assert!(left.iter().eq(&[10, 11, 0, 20, 21]));
    assert!(right.iter().eq(left.iter()));
}

#[test]
fn size_matches_documentation() {
    let per_entry = size_of::<OrSet<u64, Inline<20>, Inline<2>>>()
        - size_of::<OrSet<u64, Inline<10>, Inline<2>>>();
    assert_eq!(per_entry, 10 * 32);
    let per_actor = size_of::<OrSet<u64, Inline<2>, Inline<20>>>()
        - size_of::<OrSet<u64, Inline<2>, Inline<10>>>();
    assert_eq!(per_actor, 10 * 56);
    let counter = size_of::<GCounter<Inline<20>>>() - size_of::<GCounter<Inline<10>>>();
    assert_eq!(counter, 10 * 24);
}

#[test]
fn exhausted_totals_do_not_wrap() {
    let mut counter = PnCounter::<Inline<2>>::new();
    counter.increment(actor(0), u64::MAX).unwrap();
    counter.increment(actor(1), u64::MAX).unwrap();
    counter.decrement(actor(1), u64::MAX).unwrap();
    assert_eq!(counter.value(), i128::from(u64::MAX));
    assert_eq!(counter.increment(actor(0), 1), Err(UpdateError::Exhausted));
    assert_eq!(counter.decrement(actor(1), 1), Err(UpdateError::Exhausted));
}

#[test]
fn list_tombstones_use_capacity() {
    let mut list = List::<u8, Inline<2>>::new();
    list.insert(actor(0), 0, 1).unwrap();
    list.insert(actor(0), 1, 2).unwrap();
    list.remove(0).unwrap();
    let full = ListError::Update(UpdateError::Full);
    assert_eq!(list.insert(actor(0), 0, 3), Err(full));
    assert!(list.iter().eq(&[2]));
}

#[test]
fn map_edit_makes_one_update() {
    type Map = OrMap<u8, OrSet<u8, Inline<4>>>;
    let mut map = Map::new();
    let before = map.clone();
    // what was lost: the addition, as the delta is that of the removal
    let two = map.edit(&1, |set| {
        set.add(actor(0), 7)?;
        Ok(set.remove(&9))
    });
    assert_eq!(two, Err(UpdateError::DeltaMismatch));
    // what was said to be full
    let two = map.edit(&1, |set| {
        set.add(actor(0), 7)?;
        set.add(actor(0), 8)
    });
    assert_eq!(two, Err(UpdateError::DeltaMismatch));
    let mut other = OrSet::<u8, Inline<4>>::new();
    let elsewhere = other.add(actor(0), 7).unwrap();
    let none = map.edit(&1, |_| Ok(elsewhere.clone()));
    assert_eq!(none, Err(UpdateError::DeltaMismatch));
    let another = map.edit(&1, |set| {
        set.add(actor(0), 7)?;
        other.add(actor(0), 8)
    });
    assert_eq!(another, Err(UpdateError::DeltaMismatch));
    assert_eq!(map, before);
    // the delta of another whose dot is known here, a value put in its place, a copy, a merge
    type Inner = OrSet<u8, Inline<4>>;
    let mut known = map.clone();
    known.edit(&1, |set| set.add(actor(0), 1)).unwrap();
    known.remove(&1);
    let before_all = known.clone();
    let mismatch = [
        known.edit(&1, |set| {
            let delta = Inner::new().add(actor(0), 9)?;
            set.add(actor(0), 8)?;
            Ok(delta)
        }),
        known.edit(&1, |set| {
            *set = Inner::new();
            set.add(actor(0), 8)
        }),
        known.edit(&1, |set| {
            let mut copy = set.clone();
            set.add(actor(0), 9)?;
            copy.add(actor(0), 8)
        }),
        known.edit(&1, |set| {
            let mut other = Inner::new();
            other.add(actor(1), 5)?;
            set.merge(&other).map_err(|_| UpdateError::Full)?;
            set.add(actor(0), 8)
        }),
    ];
    assert!(mismatch.iter().all(|edit| *edit == Err(UpdateError::DeltaMismatch)), "{mismatch:?}");
    assert_eq!(known, before_all);
    map.edit(&1, |set| set.add(actor(0), 7)).unwrap();
    map.edit(&1, |set| Ok(set.remove(&9))).unwrap();
    assert!(map.get(&1).unwrap().contains(&7));
    // an update that failed does not count
    type Counters = OrMap<u8, OrCounter<Inline<2>>>;
    let mut map = Counters::new();
    for _ in 0..2 {
        map.edit(&1, |counter| counter.add(actor(0), 1)).unwrap();
    }
    map.edit(&1, |counter| {
        assert_eq!(counter.add(actor(0), 1), Err(UpdateError::Full));
        counter.compact(actor(0))
    })
    .unwrap();
    assert_eq!(map.get(&1).unwrap().value(), 2);
    // and within a map in a map
    let mut map = OrMap::<u8, OrMap<u8, MvRegister<u8, Inline<4>>>>::new();
    let two = map.edit(&1, |inner| {
        inner.edit(&1, |register| register.set(actor(0), 1))?;
        inner.edit(&2, |register| register.set(actor(0), 2))
    });
    assert_eq!(two, Err(UpdateError::DeltaMismatch));
    assert!(map.is_empty());
}

#[test]
fn operations_need_their_predecessors() {
    let mut here = OrSet::<u8, Inline<4>>::new();
    let (first, second) = (here.add(actor(0), 1).unwrap(), here.add(actor(0), 2).unwrap());
    let removal = here.remove(&1);
    let mut there = here.empty();
    assert_eq!(there.apply(&second), Err(ApplyError::Missing));
    assert_eq!(there.apply(&removal), Err(ApplyError::Missing));
    assert_eq!(there, here.empty());
    for delta in [&first, &second, &removal] {
        there.apply(delta).unwrap();
    }
    assert_eq!(there, here);
}

#[test]
fn duplicate_actor_is_detected() {
    let (mut here, mut there) = (List::<u8, Inline<4>>::new(), List::new());
    here.insert(actor(0), 0, 1).unwrap();
    let delta = there.insert(actor(0), 0, 2).unwrap();
    let before = here.clone();
    assert_eq!(here.merge(&there), Err(MergeError::Conflict));
    assert_eq!(here.apply(&delta), Err(ApplyError::Conflict));
    assert_eq!(here, before);
}

#[test]
fn duplicate_actor_is_detected_in_a_set() {
    let (mut here, mut there) = (Tight::new(), Tight::new());
    here.add(actor(0), 1).unwrap();
    let delta = there.add(actor(0), 2).unwrap();
    let before = (here.clone(), there.clone());
    assert_eq!(here.merge(&there), Err(MergeError::Conflict));
    assert_eq!(there.merge(&here), Err(MergeError::Conflict));
    assert_eq!(here.apply(&delta), Err(ApplyError::Conflict));
    assert_eq!((&here, &there), (&before.0, &before.1));
    // the same thing under the same dot is no contradiction, nor is one that is gone
    assert_eq!(there.apply(&delta), Ok(false));
    there.remove(&2);
    assert_eq!(there.apply(&delta), Ok(false));
    assert_eq!(there.merge(&before.1), Ok(false));
}

proptest! {
    #[test]
    fn decoding_and_encoding_round_trips(input in prop::collection::vec(0u8..4, 0..40)) {
        if let Ok(set) = Tight::from_slice(&input) {
            prop_assert_eq!(bytes(&set), &input[..]);
        }
        if let Ok(list) = List::<u8, Inline<4>>::from_slice(&input) {
            prop_assert_eq!(bytes(&list), &input[..]);
            prop_assert!(list.len() <= 4);
        }
        if let Ok(counter) = PnCounter::<Inline<3>>::from_slice(&input) {
            prop_assert_eq!(bytes(&counter), &input[..]);
        }
    }
}
