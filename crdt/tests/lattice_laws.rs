//! The laws, for every type, on random histories of three replicas: merging is a join; operations, deltas and states lead to
//! the same state; equal states have equal bytes.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "alloc")]

use crate::common::{self, Kind, actor, bytes, histories, run};
use proptest::prelude::*;
use quorate_clocks::{Causality, Heap, Stamp, Timestamp};
use quorate_core::Wire;
use quorate_crdt::{
    BoundedCounter, Crdt, DeltaState, DwFlag, EwFlag, GCounter, GSet, List, LwwRegister, LwwSet,
    MvRegister, OrCounter, OrMap, OrSet, PnCounter, ResettableCounter, RwSet, TwoPhaseSet,
};

fn joined<T: Crdt>(a: &T, b: &T) -> T {
    let mut both = a.clone();
    let changed = both.merge(b).unwrap();
    assert_eq!(changed, both != *a);
    both
}

fn laws<K: Kind>(history: &[common::Step]) {
    let [a, b, c] = run::<K>(history).states;
    // a join
    let all = joined(&joined(&a, &b), &c);
    assert_eq!(joined(&a, &b), joined(&b, &a));
    assert_eq!(all, joined(&a, &joined(&b, &c)));
    assert_eq!(joined(&a, &a), a);
    assert_eq!(joined(&all, &b), all);
    // an order: to be below is to change nothing
    for (x, y) in [(&a, &b), (&b, &c), (&a, &all), (&all, &c), (&a, &a)] {
        let (below, above) = (joined(x, y) == *y, joined(x, y) == *x);
        let relation = match (below, above) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Concurrent,
        };
        assert_eq!(x.compare(y), relation, "{x:?} and {y:?}");
        assert_eq!(relation == Causality::Equal, x == y);
        assert_eq!(x.partial_cmp(y), relation.ordering());
    }
    #[cfg(feature = "serde")]
    for state in [&a, &b, &c, &all] {
        assert_eq!(
            K::serde(state),
            (bytes(state), state.clone()),
            "the serde form is the wire form"
        );
    }
    // bytes
    assert_eq!(bytes(&joined(&a, &b)), bytes(&joined(&b, &a)));
    for state in [&a, &b, &c, &all] {
        let encoded = bytes(state);
        assert_eq!(K::State::from_slice(&encoded).unwrap(), *state);
        assert_eq!(state.compare(&state.empty()) == Causality::Equal, *state == state.empty());
    }
}

/// Every delta everywhere, as an operation, in some order that keeps what comes before: the states merged.
fn operations<K: Kind>(history: &[common::Step]) {
    let run = run::<K>(history);
    let [a, b, c] = &run.states;
    let all = joined(&joined(a, b), c);
    let mut replayed = K::new();
    for delta in &run.deltas {
        let decoded = common::through_bytes(&replayed, delta);
        assert_eq!(&decoded, delta);
        let before = replayed.clone();
        let new = replayed.apply(&decoded).unwrap();
        assert_eq!(new, replayed != before);
        assert_eq!(replayed.apply(&decoded), Ok(false), "twice is once");
    }
    assert_eq!(replayed, all);
}

fn deltas<K: Kind>(history: &[common::Step], seed: u64)
where
    K::State: DeltaState,
{
    let run = run::<K>(history);
    let [a, b, c] = &run.states;
    let all = joined(&joined(a, b), c);
    let mut order: Vec<_> = run.deltas.iter().chain(run.deltas.iter().take(5)).collect();
    let mut rng = quorate_core::Rng::new(seed);
    for at in (1..order.len()).rev() {
        order.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let mut any = K::new();
    for delta in order {
        let delta = any.delta_state(delta).unwrap();
        any.merge(&delta).unwrap();
    }
    assert_eq!(any, all);
    assert_eq!(bytes(&any), bytes(&all));
}

fn stamp(step: &common::Step) -> Stamp {
    // few times, so that many stamps are equal but for the actor
    Stamp { time: Timestamp::from_micros(u64::from(step.value % 4)), actor: actor(step.replica) }
}

macro_rules! kinds {
    ($($name:ident: $type:ty, $step:ident $state:ident => $update:expr, [$($law:ident),*];)*) => {$(
        mod $name {
            use super::*;

            struct This;

            impl Kind for This {
                type State = $type;

                fn new() -> $type {
                    <$type>::new()
                }

                #[cfg(feature = "serde")]
                fn serde(state: &$type) -> (Vec<u8>, $type) {
                    let written = postcard::to_allocvec(state).unwrap();
                    let read = postcard::from_bytes(&written).unwrap();
                    (written, read)
                }

                fn update(
                    $state: &mut $type,
                    $step: &common::Step,
                ) -> Option<<$type as Crdt>::Delta> {
                    $update
                }
            }

            proptest! {
                #[test]
                fn satisfies_lattice_laws(history in histories()) {
                    laws::<This>(&history);
                }

                #[test]
                fn operations_equal_states(history in histories()) {
                    operations::<This>(&history);
                }

                $(
                #[test]
                fn $law(history in histories(), seed: u64) {
                    super::deltas::<This>(&history, seed);
                }
                )*
            }
        }
    )*};
}

kinds! {
    gcounter: GCounter<Heap>, step state => state.increment(actor(step.replica), step.value.into()).ok(), [deltas_are_states];
    pncounter: PnCounter<Heap>, step state => match step.choice % 2 {
        0 => state.increment(actor(step.replica), step.value.into()).ok(),
        _ => state.decrement(actor(step.replica), step.value.into()).ok(),
    }, [deltas_are_states];
    bounded: BoundedCounter<Heap>, step state => match step.choice % 4 {
        0 | 1 => state.increment(actor(step.replica), step.value.into()).ok(),
        2 => state.decrement(actor(step.replica), (step.value / 2).into()).ok(),
        _ => state.transfer(actor(step.replica), actor((step.replica + 1) % 3), 2).ok(),
    }, [deltas_are_states];
    resettable: ResettableCounter<Heap>, step state => match step.choice % 4 {
        0 | 1 => state.increment(actor(step.replica), step.value.into()).ok(),
        2 => state.decrement(actor(step.replica), step.value.into()).ok(),
        _ => Some(state.reset()),
    }, [deltas_are_states];
    lww_register: LwwRegister<u8>, step state => state.set(stamp(step), step.value).ok(), [deltas_are_states];
    mv_register: MvRegister<u8, Heap>, step state => match step.choice % 5 {
        0 => Some(state.clear()),
        _ => state.set(actor(step.replica), step.value).ok(),
    }, [deltas_are_states];
    enable_wins: EwFlag<Heap>, step state => match step.choice % 2 {
        0 => Some(state.disable()),
        _ => state.enable(actor(step.replica)).ok(),
    }, [deltas_are_states];
    disable_wins: DwFlag<Heap>, step state => match step.choice % 2 {
        0 => Some(state.enable()),
        _ => state.disable(actor(step.replica)).ok(),
    }, [deltas_are_states];
    grow_set: GSet<u8, Heap>, step state => state.add(step.value).ok(), [deltas_are_states];
    two_phase: TwoPhaseSet<u8, Heap>, step state => match step.choice % 3 {
        0 => state.remove(&step.value),
        _ => state.add(step.value).ok(),
    }, [deltas_are_states];
    lww_set: LwwSet<u8, Heap>, step state => match step.choice % 3 {
        0 => state.remove(stamp(step), step.value).ok(),
        _ => state.add(stamp(step), step.value).ok(),
    }, [deltas_are_states];
    add_wins: OrSet<u8, Heap>, step state => match step.choice % 8 {
        0 => Some(state.clear()),
        1..=3 => Some(state.remove(&step.value)),
        _ => state.add(actor(step.replica), step.value).ok(),
    }, [deltas_are_states];
    remove_wins: RwSet<u8, Heap>, step state => match step.choice % 3 {
        0 => state.remove(actor(step.replica), step.value).ok(),
        _ => state.add(actor(step.replica), step.value).ok(),
    }, [deltas_are_states];
    or_counter: OrCounter<Heap>, step state => match step.choice % 6 {
        0 => Some(state.clear()),
        1 => state.compact(actor(step.replica)).ok(),
        n => state.add(actor(step.replica), i64::from(step.value) - i64::from(n)).ok(),
    }, [deltas_are_states];
    map_of_counters: OrMap<u8, OrCounter<Heap>>, step state => {
        let key = step.value % 3;
        match step.choice % 6 {
            0 => Some(state.remove(&key)),
            1 => state.edit(&key, |counter| counter.compact(actor(step.replica))).ok(),
            _ => state.edit(&key, |counter| counter.add(actor(step.replica), step.value.into())).ok(),
        }
    }, [deltas_are_states];
    map_of_sets: OrMap<u8, OrSet<u8, Heap>>, step state => {
        let key = step.value % 3;
        match step.choice % 6 {
            0 => Some(state.remove(&key)),
            1 | 2 => state.edit(&key, |set| Ok(set.remove(&step.value))).ok(),
            _ => state.edit(&key, |set| set.add(actor(step.replica), step.value)).ok(),
        }
    }, [deltas_are_states];
    map_of_maps: OrMap<bool, OrMap<u8, MvRegister<u8, Heap>>>, step state => {
        let (outer, inner) = (step.value.is_multiple_of(2), step.value % 3);
        match step.choice % 6 {
            0 => Some(state.remove(&outer)),
            1 => state.edit(&outer, |map| Ok(map.remove(&inner))).ok(),
            _ => state.edit(&outer, |map| {
                map.edit(&inner, |register| register.set(actor(step.replica), step.value))
            }).ok(),
        }
    }, [deltas_are_states];
    list: List<u8, Heap>, step state => match step.choice % 4 {
        0 => state.remove(step.value as usize % state.len().max(1)).ok(),
        _ => state.insert(actor(step.replica), step.value as usize % (state.len() + 1), step.value).ok(),
    }, [];
}
