//! Deltas in every way there is, mixed: by `apply`, by `merge` of their state, by `merge` of whole
//! states, in any order and any number of times, on every type, beside a model that keeps all
//! updates it ever received in plain sets.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "alloc")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{actor, bytes};
use proptest::prelude::*;
use quorate_clocks::{Heap, Stamp, Timestamp};
use quorate_crdt::{
    ApplyError, BoundedCounter, Crdt, DeltaState, DwFlag, EwFlag, GCounter, GSet, List,
    LwwRegister, LwwSet, MvRegister, OrCounter, OrMap, OrSet, PnCounter, ResettableCounter, RwSet,
    TwoPhaseSet,
};

/// What one replica does next.
#[derive(Clone, Debug)]
struct Step {
    replica: usize,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Update {
        choice: u8,
        value: u8,
    },
    MergeReplica(usize),
    Apply(prop::sample::Index),
    MergeDelta(prop::sample::Index),
    /// Two deltas become one state first.
    MergeTwo(prop::sample::Index, prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let action = prop_oneof![
        4 => (any::<u8>(), 0u8..6).prop_map(|(choice, value)| Action::Update { choice, value }),
        1 => (0usize..3).prop_map(Action::MergeReplica),
        4 => index().prop_map(Action::Apply),
        2 => index().prop_map(Action::MergeDelta),
        1 => (index(), index()).prop_map(|(a, b)| Action::MergeTwo(a, b)),
    ];
    let step = (0usize..3, action).prop_map(|(replica, action)| Step { replica, action });
    prop::collection::vec(step, 0..60)
}

/// All that a replica received, as sets that only grow: nothing is ever thrown away or worked out.
trait Model: Clone + Default + PartialEq {
    fn join(&mut self, other: &Self);

    /// Whether an operation can be applied by a replica that received this.
    fn can_apply(&self, delta: &Self) -> bool;
}

/// Additions by name, and the names of those that were removed: the set with tombstones.
#[derive(Clone, PartialEq, Debug)]
struct TombstoneModel<P> {
    added: BTreeMap<AddId, P>,
    removed: BTreeSet<AddId>,
}

/// The `n`-th addition of a replica.
type AddId = (usize, u64);

impl<P> Default for TombstoneModel<P> {
    fn default() -> Self {
        Self { added: BTreeMap::new(), removed: BTreeSet::new() }
    }
}

impl<P: Clone + PartialEq> TombstoneModel<P> {
    fn contains(&self, name: AddId) -> bool {
        self.added.contains_key(&name) || self.removed.contains(&name)
    }

    fn present(&self) -> impl Iterator<Item = (AddId, &P)> {
        let left = self.added.iter().filter(|(name, _)| !self.removed.contains(name));
        left.map(|(name, payload)| (*name, payload))
    }

    /// An update of a replica: something new, in the place of what `replaced` names.
    fn change(&self, replica: usize, new: Option<P>, replaced: impl Fn(AddId, &P) -> bool) -> Self {
        let last = self.added.keys().chain(&self.removed).filter(|name| name.0 == replica);
        let next = last.map(|name| name.1).max().unwrap_or(0) + 1;
        let removed = self.present().filter(|(name, payload)| replaced(*name, payload));
        Self {
            removed: removed.map(|(name, _)| name).collect(),
            added: new.map(|payload| ((replica, next), payload)).into_iter().collect(),
        }
    }
}

impl<P: Clone + PartialEq> Model for TombstoneModel<P> {
    fn join(&mut self, other: &Self) {
        self.added.extend(other.added.iter().map(|(name, payload)| (*name, payload.clone())));
        self.removed.extend(&other.removed);
    }

    fn can_apply(&self, delta: &Self) -> bool {
        let follows =
            |&(who, n): &AddId| self.contains((who, n)) || n == 1 || self.contains((who, n - 1));
        delta.removed.iter().all(|name| self.contains(*name)) && delta.added.keys().all(follows)
    }
}

/// Everything that was ever said of a key.
#[derive(Clone, PartialEq, Debug)]
struct GrowModel<K, V>(BTreeMap<K, BTreeSet<V>>);

impl<K, V> Default for GrowModel<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> GrowModel<K, V> {
    fn entry(key: K, value: V) -> Self {
        Self([(key, [value].into())].into())
    }

    /// The greatest part of what was said of a key.
    fn max_of<N: Ord + Default>(&self, key: &K, part: impl Fn(&V) -> N) -> N {
        self.0.get(key).into_iter().flatten().map(part).max().unwrap_or_default()
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Model for GrowModel<K, V> {
    fn join(&mut self, other: &Self) {
        for (key, values) in &other.0 {
            self.0.entry(key.clone()).or_default().extend(values.iter().cloned());
        }
    }

    fn can_apply(&self, _delta: &Self) -> bool {
        true
    }
}

/// A type, what its users do, and what the model says of it.
trait Kind {
    type State: DeltaState;
    type Model: Model;

    fn new() -> Self::State;

    /// Updates the state; and what the model makes of that update.
    fn update(
        state: &mut Self::State,
        model: &Self::Model,
        replica: usize,
        choice: u8,
        value: u8,
    ) -> Option<(<Self::State as Crdt>::Delta, Self::Model)>;

    fn check(state: &Self::State, model: &Self::Model);
}

struct Replicas<K: Kind> {
    replicas: [(K::State, K::Model); 3],
    deltas: Vec<(<K::State as Crdt>::Delta, K::Model)>,
}

impl<K: Kind> Replicas<K> {
    fn step(&mut self, step: &Step) {
        let some = |index: &prop::sample::Index| match self.deltas.len() {
            0 => None,
            len => Some(self.deltas[index.index(len)].clone()),
        };
        match &step.action {
            Action::Update { choice, value } => {
                let (state, model) = &mut self.replicas[step.replica];
                let update = K::update(state, model, step.replica, *choice, *value);
                if let Some((delta, change)) = update {
                    model.join(&change);
                    self.deltas.push((delta, change));
                }
            }
            Action::MergeReplica(from) => {
                let (other, known) = self.replicas[*from].clone();
                self.merge(step.replica, &other, &known);
            }
            Action::Apply(index) => {
                let Some((delta, change)) = some(index) else { return };
                self.apply(step.replica, &delta, &change);
            }
            Action::MergeDelta(index) => {
                let Some((delta, change)) = some(index) else { return };
                let other = K::new().delta_state(&delta).unwrap();
                self.merge(step.replica, &other, &change);
            }
            Action::MergeTwo(one, two) => {
                let (Some((a, known)), Some((b, besides))) = (some(one), some(two)) else { return };
                let mut other = K::new().delta_state(&a).unwrap();
                other.merge(&K::new().delta_state(&b).unwrap()).unwrap();
                let mut both = known;
                both.join(&besides);
                self.merge(step.replica, &other, &both);
            }
        }
        let (state, model) = &self.replicas[step.replica];
        K::check(state, model);
    }

    fn merge(&mut self, replica: usize, other: &K::State, known: &K::Model) {
        let (state, model) = &mut self.replicas[replica];
        let before = state.clone();
        let changed = state.merge(other).unwrap();
        assert_eq!(changed, *state != before);
        model.join(known);
    }

    fn apply(&mut self, replica: usize, delta: &<K::State as Crdt>::Delta, change: &K::Model) {
        let (state, model) = &mut self.replicas[replica];
        let before = state.clone();
        let result = state.apply(delta);
        if !model.can_apply(change) {
            assert_eq!(result, Err(ApplyError::Missing));
            assert_eq!(*state, before);
            return;
        }
        assert_eq!(result, Ok(*state != before), "{delta:?} to {before:?}");
        model.join(change);
        assert_eq!(state.apply(delta), Ok(false), "twice is once");
    }

    /// Everything to everybody, by `apply` where that is possible: all end up equal.
    fn finish(mut self) {
        for replica in 0..3 {
            for (delta, change) in self.deltas.clone() {
                if self.replicas[replica].1.can_apply(&change) {
                    self.apply(replica, &delta, &change);
                } else {
                    let other = K::new().delta_state(&delta).unwrap();
                    self.merge(replica, &other, &change);
                }
            }
            K::check(&self.replicas[replica].0, &self.replicas[replica].1);
        }
        let [(a, _), (b, _), (c, _)] = &self.replicas;
        assert!(a == b && b == c, "{a:?}, {b:?}, {c:?}");
        assert_eq!(bytes(a), bytes(b));
    }
}

fn run<K: Kind>(steps: &[Step]) {
    let new = || (K::new(), K::Model::default());
    let mut world = Replicas::<K> { replicas: [new(), new(), new()], deltas: Vec::new() };
    for step in steps {
        world.step(step);
    }
    world.finish();
}

fn stamp(replica: usize, value: u8) -> Stamp {
    Stamp { time: Timestamp::from_micros(u64::from(value)), actor: actor(replica) }
}

macro_rules! kinds {
    ($($name:ident: $type:ty, $model:ty,
        |$state:ident, $known:ident, $who:ident, $choice:ident, $value:ident| $update:expr,
        |$seen:ident, $of:ident| $check:expr;)*) => {$(
        mod $name {
            use super::*;

            struct This;

            impl Kind for This {
                type State = $type;
                type Model = $model;

                fn new() -> $type {
                    <$type>::new()
                }

                #[allow(unused_variables)]
                fn update(
                    $state: &mut $type,
                    $known: &$model,
                    $who: usize,
                    $choice: u8,
                    $value: u8,
                ) -> Option<(<$type as Crdt>::Delta, $model)> {
                    $update
                }

                fn check($seen: &$type, $of: &$model) {
                    $check
                }
            }

            proptest! {
                #[test]
                fn mixed_deltas_match_model(steps in steps()) {
                    run::<This>(&steps);
                }
            }
        }
    )*};
}

/// Totals of an actor's increments and decrements.
type Totals = (u64, u64);

kinds! {
    gcounter: GCounter<Heap>, GrowModel<usize, u64>,
    |state, known, who, choice, value| {
        let delta = state.increment(actor(who), value.into()).ok()?;
        let total = known.max_of(&who, |n| *n) + u64::from(value);
        Some((delta, if total > 0 { GrowModel::entry(who, total) } else { GrowModel::default() }))
    },
    |state, known| {
        let sum: u64 = (0..3).map(|who| known.max_of(&who, |n| *n)).sum();
        assert_eq!(state.value(), u128::from(sum));
    };

    pncounter: PnCounter<Heap>, GrowModel<usize, Totals>,
    |state, known, who, choice, value| {
        let (up, down) = (known.max_of(&who, |n| n.0), known.max_of(&who, |n| n.1));
        let amount = u64::from(value);
        if choice.is_multiple_of(2) {
            return Some((state.increment(actor(who), amount).ok()?, GrowModel::entry(who, (up + amount, down))));
        }
        Some((state.decrement(actor(who), amount).ok()?, GrowModel::entry(who, (up, down + amount))))
    },
    |state, known| {
        let one = |who| known.max_of(&who, |n| n.0) as i128 - known.max_of(&who, |n| n.1) as i128;
        assert_eq!(state.value(), (0..3).map(one).sum::<i128>());
    };

    bounded: BoundedCounter<Heap>, GrowModel<(usize, usize), Totals>,
    |state, known, who, choice, value| {
        let (amount, to) = (u64::from(value), (who + 1) % 3);
        let values = |key| (known.max_of(&key, |n: &Totals| n.0), known.max_of(&key, |n| n.1));
        let (up, down) = values((who, who));
        match choice % 4 {
            0 | 1 => Some((
                state.increment(actor(who), amount).ok()?,
                GrowModel::entry((who, who), (up + amount, down)),
            )),
            2 => Some((
                state.decrement(actor(who), amount).ok()?,
                GrowModel::entry((who, who), (up, down + amount)),
            )),
            _ => Some((
                state.transfer(actor(who), actor(to), amount).ok()?,
                GrowModel::entry((who, to), (values((who, to)).0 + amount, 0)),
            )),
        }
    },
    |state, known| {
        let own = |who| (known.max_of(&(who, who), |n| n.0), known.max_of(&(who, who), |n| n.1));
        let (up, down) = (0..3).map(own).fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        assert_eq!(state.value(), u128::from(up.saturating_sub(down)));
        for who in 0..3 {
            let got: u64 = (0..3).map(|from| known.max_of(&(from, who), |n| n.0)).sum();
            let gave = (0..3).filter(|to| *to != who).map(|to| known.max_of(&(who, to), |n| n.0));
            let replaced = gave.sum::<u64>() + own(who).1;
            assert_eq!(state.rights(actor(who)), got.saturating_sub(replaced));
        }
    };

    resettable: ResettableCounter<Heap>, GrowModel<usize, (Totals, Totals)>,
    |state, known, who, choice, value| {
        let total = |who| (
            (known.max_of(&who, |n: &(Totals, Totals)| n.0.0), known.max_of(&who, |n| n.0.1)),
            (known.max_of(&who, |n| n.1.0), known.max_of(&who, |n| n.1.1)),
        );
        let (up, down) = total(who);
        let amount = u64::from(value);
        match choice % 4 {
            0 | 1 => Some((
                state.increment(actor(who), amount).ok()?,
                GrowModel::entry(who, ((up.0 + amount, up.1), down)),
            )),
            2 => Some((
                state.decrement(actor(who), amount).ok()?,
                GrowModel::entry(who, (up, (down.0 + amount, down.1))),
            )),
            _ => {
                let reset = |who| (who, [((total(who).0.0, total(who).0.0), (total(who).1.0, total(who).1.0))].into());
                Some((state.reset(), GrowModel((0..3).map(reset).collect())))
            }
        }
    },
    |state, known| {
        let left = |who| {
            let up = known.max_of(&who, |n: &(Totals, Totals)| n.0.0) - known.max_of(&who, |n| n.0.1);
            let down = known.max_of(&who, |n| n.1.0) - known.max_of(&who, |n| n.1.1);
            i128::from(up) - i128::from(down)
        };
        assert_eq!(state.value(), (0..3).map(left).sum::<i128>());
    };

    lww_register: LwwRegister<u8>, GrowModel<(), (Stamp, u8)>,
    |state, known, who, choice, value| {
        let delta = state.set(stamp(who, choice % 16), value).ok()?;
        Some((delta, GrowModel::entry((), (stamp(who, choice % 16), value))))
    },
    |state, known| {
        let last = known.0.get(&()).and_then(|values| values.last());
        assert_eq!(state.get(), last.map(|(_, value)| value));
    };

    grow_set: GSet<u8, Heap>, GrowModel<u8, ()>,
    |state, known, who, choice, value| Some((state.add(value).ok()?, GrowModel::entry(value, ()))),
    |state, known| assert!(state.iter().eq(known.0.keys()));

    two_phase: TwoPhaseSet<u8, Heap>, GrowModel<u8, bool>,
    |state, known, who, choice, value| {
        if choice.is_multiple_of(3) {
            return Some((state.remove(&value)?, GrowModel::entry(value, true)));
        }
        Some((state.add(value).ok()?, GrowModel::entry(value, known.max_of(&value, |out| *out))))
    },
    |state, known| {
        let left = known.0.iter().filter(|(_, values)| !values.contains(&true)).map(|(e, _)| e);
        assert!(state.iter().eq(left));
    };

    lww_set: LwwSet<u8, Heap>, GrowModel<u8, (Stamp, bool)>,
    |state, known, who, choice, value| {
        let (stamp, add) = (stamp(who, choice % 16), !choice.is_multiple_of(3));
        let delta = if add { state.add(stamp, value) } else { state.remove(stamp, value) };
        Some((delta.ok()?, GrowModel::entry(value, (stamp, add))))
    },
    |state, known| {
        let inside = |values: &BTreeSet<(Stamp, bool)>| values.last().is_some_and(|last| last.1);
        let left = known.0.iter().filter(|(_, values)| inside(values)).map(|(e, _)| e);
        assert!(state.iter().eq(left));
    };

    mv_register: MvRegister<u8, Heap>, TombstoneModel<u8>,
    |state, known, who, choice, value| {
        if choice.is_multiple_of(5) {
            return Some((state.clear(), known.change(who, None, |_, _| true)));
        }
        Some((state.set(actor(who), value).ok()?, known.change(who, Some(value), |_, _| true)))
    },
    |state, known| {
        let mut left: Vec<u8> = known.present().map(|(_, value)| *value).collect();
        left.sort_unstable();
        assert!(state.values().eq(&left), "{state:?} and {left:?}");
    };

    enable_wins: EwFlag<Heap>, TombstoneModel<()>,
    |state, known, who, choice, value| {
        if choice.is_multiple_of(3) {
            return Some((state.disable(), known.change(who, None, |_, ()| true)));
        }
        Some((state.enable(actor(who)).ok()?, known.change(who, Some(()), |_, ()| true)))
    },
    |state, known| assert_eq!(state.is_on(), known.present().next().is_some());

    disable_wins: DwFlag<Heap>, TombstoneModel<()>,
    |state, known, who, choice, value| {
        if choice.is_multiple_of(3) {
            return Some((state.enable(), known.change(who, None, |_, ()| true)));
        }
        Some((state.disable(actor(who)).ok()?, known.change(who, Some(()), |_, ()| true)))
    },
    |state, known| assert_eq!(state.is_on(), known.present().next().is_none());

    add_wins: OrSet<u8, Heap>, TombstoneModel<u8>,
    |state, known, who, choice, value| Some(match choice % 8 {
        0 => (state.clear(), known.change(who, None, |_, _| true)),
        1..=3 => (state.remove(&value), known.change(who, None, |_, e| *e == value)),
        _ => (
            state.add(actor(who), value).ok()?,
            known.change(who, Some(value), |_, e| *e == value),
        ),
    }),
    |state, known| {
        let left: BTreeSet<u8> = known.present().map(|(_, e)| *e).collect();
        assert!(state.iter().eq(&left), "{state:?} and {left:?}");
    };

    remove_wins: RwSet<u8, Heap>, TombstoneModel<(u8, bool)>,
    |state, known, who, choice, value| {
        let add = !choice.is_multiple_of(3);
        let delta =
            if add { state.add(actor(who), value) } else { state.remove(actor(who), value) };
        Some((delta.ok()?, known.change(who, Some((value, add)), |_, e| e.0 == value)))
    },
    |state, known| {
        let of = |e: u8| known.present().filter(move |(_, p)| p.0 == e).map(|(_, p)| p.1);
        let left: Vec<u8> = (0..6).filter(|e| of(*e).next().is_some() && of(*e).all(|add| add)).collect();
        assert!(state.iter().eq(&left), "{state:?} and {left:?}");
    };

    or_counter: OrCounter<Heap>, TombstoneModel<i64>,
    |state, known, who, choice, value| {
        let amount = i64::from(value) - 2;
        Some(match choice % 6 {
            0 => (state.clear(), known.change(who, None, |_, _| true)),
            1 => {
                let own = || known.present().filter(|(name, _)| name.0 == who);
                let sum: i64 = own().map(|(_, n)| *n).sum();
                let many = own().count() > 1;
                let new = (many && sum != 0).then_some(sum);
                (state.compact(actor(who)).ok()?, known.change(who, new, |n, _| many && n.0 == who))
            }
            _ => (
                state.add(actor(who), amount).ok()?,
                known.change(who, Some(amount).filter(|n| *n != 0), |_, _| false),
            ),
        })
    },
    |state, known| {
        let sum = known.present().map(|(_, n)| i128::from(*n)).sum::<i128>();
        assert_eq!(state.value(), sum);
    };

    map_of_sets: OrMap<u8, OrSet<u8, Heap>>, TombstoneModel<(u8, u8)>,
    |state, known, who, choice, value| {
        let key = choice % 2;
        Some(match choice / 2 % 6 {
            0 => (state.remove(&key), known.change(who, None, |_, e| e.0 == key)),
            1 | 2 => (
                state.edit(&key, |set| Ok(set.remove(&value))).ok()?,
                known.change(who, None, |_, e| *e == (key, value)),
            ),
            _ => (
                state.edit(&key, |set| set.add(actor(who), value)).ok()?,
                known.change(who, Some((key, value)), |_, e| *e == (key, value)),
            ),
        })
    },
    |state, known| {
        let keys: BTreeSet<u8> = known.present().map(|(_, e)| e.0).collect();
        assert!(state.keys().eq(&keys));
        for key in keys {
            let left = known.present().filter(|(_, e)| e.0 == key).map(|(_, e)| e.1);
            let left: BTreeSet<u8> = left.collect();
            assert!(state.get(&key).unwrap().iter().eq(&left));
        }
    };

    map_of_maps: OrMap<bool, OrMap<u8, MvRegister<u8, Heap>>>, TombstoneModel<(bool, u8, u8)>,
    |state, known, who, choice, value| {
        let (outer, inner) = (choice.is_multiple_of(2), choice / 2 % 2);
        Some(match choice / 4 % 5 {
            0 => (state.remove(&outer), known.change(who, None, |_, e| e.0 == outer)),
            1 => (
                state.edit(&outer, |map| Ok(map.remove(&inner))).ok()?,
                known.change(who, None, |_, e| (e.0, e.1) == (outer, inner)),
            ),
            _ => (
                state.edit(&outer, |map| map.edit(&inner, |r| r.set(actor(who), value))).ok()?,
                known.change(who, Some((outer, inner, value)), |_, e| (e.0, e.1) == (outer, inner)),
            ),
        })
    },
    |state, known| {
        for (outer, inner) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
            let mut left: Vec<u8> =
                known.present().filter(|(_, e)| (e.0, e.1) == (outer, inner)).map(|(_, e)| e.2).collect();
            left.sort_unstable();
            let map = state.get(&outer);
            let register = map.and_then(|map| map.get(&inner));
            let values: Vec<u8> = register.iter().flat_map(|r| r.values().copied()).collect();
            assert_eq!(values, left);
        }
    };
}

proptest! {
    /// A list has no states of single deltas. What was received in any order, applied in the order
    /// of its making, gives the same list.
    #[test]
    fn mixed_list_deltas_match_model(steps in steps()) {
        type Text = List<u8, Heap>;
        let mut replicas = [(); 3].map(|()| (Text::new(), BTreeSet::<usize>::new()));
        let mut deltas = Vec::new();
        for step in &steps {
            let (mut list, mut known) = replicas[step.replica].clone();
            match &step.action {
                Action::Update { choice, value } => {
                    let at = usize::from(*value);
                    let delta = match choice % 3 {
                        0 => list.remove(at % list.len().max(1)),
                        _ => list.insert(actor(step.replica), at % (list.len() + 1), *choice),
                    };
                    let Ok(delta) = delta else { continue };
                    known.insert(deltas.len());
                    deltas.push(delta);
                }
                Action::MergeReplica(from) => {
                    let (other, also) = &replicas[*from];
                    list.merge(other).unwrap();
                    known.extend(also);
                }
                Action::Apply(index) | Action::MergeDelta(index) | Action::MergeTwo(index, _) => {
                    if deltas.is_empty() {
                        continue;
                    }
                    let at = index.index(deltas.len());
                    let before = list.clone();
                    match list.apply(&deltas[at]) {
                        Ok(new) => {
                            prop_assert_eq!(new, list != before);
                            known.insert(at);
                            prop_assert_eq!(list.apply(&deltas[at]), Ok(false));
                        }
                        Err(error) => {
                            prop_assert_eq!(error, ApplyError::Missing);
                            prop_assert_eq!(&list, &before);
                        }
                    }
                }
            }
            let mut plain = Text::new();
            // a removal brings the place it removes from, so an order of making need not do
            let mut left: Vec<usize> = known.iter().copied().collect();
            while !left.is_empty() {
                let before = left.len();
                left.retain(|at| plain.apply(&deltas[*at]).is_err());
                prop_assert!(left.len() < before);
            }
            prop_assert!(list.iter().eq(plain.iter()), "{:?} and {:?}", list, plain);
            prop_assert_eq!(bytes(&list), bytes(&plain));
            replicas[step.replica] = (list, known);
        }
    }
}

/// The case that was found: a removal and the addition before it arrive as states, then the addition
/// between them as an operation, which takes the first addition's place.
#[test]
fn known_operation_still_removes() {
    let mut source = OrSet::<u8, Heap>::new();
    let first = source.add(actor(0), 7).unwrap();
    let second = source.add(actor(0), 7).unwrap();
    let removal = source.remove(&7);
    let mut set = source.empty();
    set.merge(&set.delta_state(&removal).unwrap()).unwrap();
    set.merge(&set.delta_state(&first).unwrap()).unwrap();
    assert!(set.contains(&7));
    assert_eq!(set.apply(&second), Ok(true));
    assert!(!set.contains(&7));
    assert_eq!(set, source);

    let mut source = MvRegister::<u8, Heap>::new();
    let deltas = [1, 2, 3].map(|value| source.set(actor(0), value).unwrap());
    let mut register = source.empty();
    for at in [2, 0] {
        register.merge(&register.delta_state(&deltas[at]).unwrap()).unwrap();
    }
    register.apply(&deltas[1]).unwrap();
    assert!(register.values().eq(&[3]));
}
