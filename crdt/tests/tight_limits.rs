//! Every type, with room for next to nothing, at every step: what does not fit is refused and changes nothing, what fits is taken,
//! and what was taken is the same as where there is room. Beside each small replica a wide one does what the small one did.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "alloc")]

use crate::common::{Step, actor, bytes, histories};
use proptest::prelude::*;
use quorate_clocks::{Heap, Inline, Stamp, Timestamp};
use quorate_crdt::{
    ApplyError, BoundedCounter, Crdt, DwFlag, EscrowError, EwFlag, GCounter, GSet, List, ListError,
    LwwSet, MergeError, MvRegister, OrCounter, OrMap, OrSet, PnCounter, ResettableCounter, RwSet,
    TwoPhaseSet, UpdateError,
};

/// What an update may say.
#[derive(PartialEq, Eq, Debug)]
enum Refused {
    Full,
    /// Not for lack of room.
    Otherwise,
}

impl From<UpdateError> for Refused {
    fn from(error: UpdateError) -> Self {
        if error == UpdateError::Full { Self::Full } else { Self::Otherwise }
    }
}

impl From<EscrowError> for Refused {
    fn from(error: EscrowError) -> Self {
        match error {
            EscrowError::Update(error) => error.into(),
            _ => Self::Otherwise,
        }
    }
}

impl From<ListError> for Refused {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Update(error) => error.into(),
            _ => Self::Otherwise,
        }
    }
}

type Outcome<T> = Result<<T as Crdt>::Delta, Refused>;

fn check_against_unlimited<S: Crdt, W: Crdt>(
    history: &[Step],
    (small, wide): (S, W),
    update: (impl Fn(&mut S, &Step) -> Outcome<S>, impl Fn(&mut W, &Step) -> Outcome<W>),
) {
    let fits = |state: &W| S::from_slice(&bytes(state)).is_ok();
    let mut smalls = [small.clone(), small.clone(), small.clone()];
    let mut wides = [wide.clone(), wide.clone(), wide];
    let mut follower = small; // gets all deltas as operations, as far as it can take them
    for step in history {
        let at = step.replica;
        let before = smalls[at].clone();
        let mut would = wides[at].clone();
        let refused = if let Some(from) = step.from {
            would.merge(&wides[from].clone()).unwrap();
            let other = smalls[from].clone();
            match smalls[at].merge(&other) {
                Ok(changed) => {
                    assert_eq!(changed, smalls[at] != before);
                    None
                }
                Err(error) => {
                    assert_eq!(error, MergeError::Full);
                    Some(Refused::Full)
                }
            }
        } else {
            let wide = update.1(&mut would, step).err();
            match update.0(&mut smalls[at], step) {
                Ok(delta) => {
                    follow(&mut follower, &delta);
                    None
                }
                Err(error) => {
                    assert!(error == Refused::Full || wide == Some(Refused::Otherwise));
                    Some(error)
                }
            }
        };
        match refused {
            None => wides[at] = would,
            Some(refused) => {
                assert_eq!((&smalls[at], bytes(&smalls[at])), (&before, bytes(&before)));
                assert!(
                    refused == Refused::Otherwise || !fits(&would),
                    "there was room for {would:?}"
                );
            }
        }
        assert_eq!(bytes(&smalls[at]), bytes(&wides[at]));
    }
    // in the end: two that can be one are, and whatever the order
    for [a, b] in [[0, 1], [1, 2], [0, 2]] {
        let (mut ab, mut ba, mut both) = (smalls[a].clone(), smalls[b].clone(), wides[a].clone());
        both.merge(&wides[b]).unwrap();
        let (there, back) = (ab.merge(&smalls[b]), ba.merge(&smalls[a]));
        assert_eq!((there.is_ok(), back.is_ok()), (fits(&both), fits(&both)));
        if fits(&both) {
            assert_eq!((bytes(&ab), bytes(&ba)), (bytes(&both), bytes(&both)));
        }
    }
    for state in &smalls {
        let before = follower.clone();
        if follower.merge(state).is_err() {
            assert_eq!(bytes(&follower), bytes(&before));
        }
    }
}

fn follow<S: Crdt>(follower: &mut S, delta: &S::Delta) {
    let before = follower.clone();
    match follower.apply(delta) {
        Ok(changed) => assert_eq!(changed, *follower != before),
        Err(error) => {
            assert!(matches!(error, ApplyError::Full | ApplyError::Missing));
            assert_eq!((&*follower, bytes(follower)), (&before, bytes(&before)));
        }
    }
}

fn stamp(step: &Step) -> Stamp {
    Stamp { time: Timestamp::from_micros(u64::from(step.value % 4)), actor: actor(step.replica) }
}

macro_rules! tight {
    ($($name:ident: $small:ty, $wide:ty, $step:ident $state:ident => $update:expr;)*) => {
        proptest! {
            $(
            #[test]
            fn $name(history in histories()) {
                check_against_unlimited(
                    &history,
                    (<$small>::new(), <$wide>::new()),
                    (
                        |$state: &mut $small, $step: &Step| Ok($update?),
                        |$state: &mut $wide, $step: &Step| Ok($update?),
                    ),
                );
            }
            )*
        }
    };
}

fn sure<D>(delta: D) -> Result<D, Refused> {
    Ok(delta)
}

tight! {
    gcounter: GCounter<Inline<2>>, GCounter<Heap>, step state =>
        state.increment(actor(step.replica), step.value.into());
    pncounter: PnCounter<Inline<2>>, PnCounter<Heap>, step state => match step.choice % 2 {
        0 => state.increment(actor(step.replica), step.value.into()),
        _ => state.decrement(actor(step.replica), step.value.into()),
    };
    bounded: BoundedCounter<Inline<3>>, BoundedCounter<Heap>, step state => match step.choice % 4 {
        0 | 1 => state.increment(actor(step.replica), step.value.into()),
        2 => state.decrement(actor(step.replica), (step.value / 2).into()),
        _ => state.transfer(actor(step.replica), actor((step.replica + 1) % 3), 2),
    };
    resettable: ResettableCounter<Inline<2>>, ResettableCounter<Heap>, step state => match step.choice % 3 {
        0 => Ok(state.reset()),
        1 => state.decrement(actor(step.replica), step.value.into()),
        _ => state.increment(actor(step.replica), step.value.into()),
    };
    mv_register: MvRegister<u8, Inline<2>, Inline<2>>, MvRegister<u8, Heap>, step state => match step.choice % 5 {
        0 => Ok(state.clear()),
        _ => state.set(actor(step.replica), step.value),
    };
    many_values: MvRegister<u8, Inline<1>, Inline<4>>, MvRegister<u8, Heap>, step state =>
        state.set(actor(step.replica), step.value);
    enable_wins: EwFlag<Inline<1>, Inline<3>>, EwFlag<Heap>, step state => match step.choice % 3 {
        0 => Ok(state.disable()),
        _ => state.enable(actor(step.replica)),
    };
    disable_wins: DwFlag<Inline<2>>, DwFlag<Heap>, step state => match step.choice % 3 {
        0 => Ok(state.enable()),
        _ => state.disable(actor(step.replica)),
    };
    grow_set: GSet<u8, Inline<4>>, GSet<u8, Heap>, step state => state.add(step.value);
    two_phase: TwoPhaseSet<u8, Inline<4>>, TwoPhaseSet<u8, Heap>, step state => match step.choice % 3 {
        0 => state.remove(&step.value).ok_or(Refused::Otherwise),
        _ => state.add(step.value).map_err(Refused::from),
    };
    lww_set: LwwSet<u8, Inline<4>>, LwwSet<u8, Heap>, step state => match step.choice % 3 {
        0 => state.remove(stamp(step), step.value),
        _ => state.add(stamp(step), step.value),
    };
    add_wins: OrSet<u8, Inline<3>, Inline<2>>, OrSet<u8, Heap>, step state => match step.choice % 5 {
        0 => sure(state.clear()),
        1 => sure(state.remove(&step.value)),
        _ => state.add(actor(step.replica), step.value).map_err(Refused::from),
    };
    remove_wins: RwSet<u8, Inline<4>, Inline<3>>, RwSet<u8, Heap>, step state => match step.choice % 4 {
        0 => state.remove(actor(step.replica), step.value),
        1 => Ok(state.purge(&step.value)),
        _ => state.add(actor(step.replica), step.value),
    };
    or_counter: OrCounter<Inline<3>>, OrCounter<Heap>, step state => match step.choice % 5 {
        0 => Ok(state.clear()),
        1 => state.compact(actor(step.replica)),
        _ => state.add(actor(step.replica), step.value.into()),
    };
    map_of_sets: OrMap<u8, OrSet<u8, Inline<3>, Inline<2>>>, OrMap<u8, OrSet<u8, Heap>>, step state => {
        let key = step.value % 3;
        match step.choice % 5 {
            0 => Ok(state.remove(&key)),
            1 => state.edit(&key, |set| Ok(set.remove(&step.value))),
            _ => state.edit(&key, |set| set.add(actor(step.replica), step.value)),
        }
    };
    map_of_counters: OrMap<u8, OrCounter<Inline<4>, Inline<2>>>, OrMap<u8, OrCounter<Heap>>, step state => {
        let key = step.value % 3;
        match step.choice % 5 {
            0 => Ok(state.remove(&key)),
            1 => state.edit(&key, |counter| counter.compact(actor(step.replica))),
            _ => state.edit(&key, |counter| counter.add(actor(step.replica), step.value.into())),
        }
    };
    map_of_maps: OrMap<bool, OrMap<u8, MvRegister<u8, Inline<3>>>>,
        OrMap<bool, OrMap<u8, MvRegister<u8, Heap>>>, step state => {
        let (outer, inner) = (step.value.is_multiple_of(2), step.value % 3);
        match step.choice % 5 {
            0 => Ok(state.remove(&outer)),
            _ => state.edit(&outer, |map| {
                map.edit(&inner, |register| register.set(actor(step.replica), step.value))
            }),
        }
    };
    list: List<u8, Inline<6>>, List<u8, Heap>, step state => match step.choice % 4 {
        0 => state.remove(step.value as usize % state.len().max(1)),
        _ => state.insert(actor(step.replica), step.value as usize % (state.len() + 1), step.value),
    };
}
