//! Each type against the plainest model there is, which keeps the whole history; and the set against another library's.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "alloc")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{Step, actor, histories};
use proptest::prelude::*;
use quorate_clocks::Heap;
use quorate_clocks::{Stamp, Timestamp};
use quorate_crdt::{
    BoundedCounter, Crdt, DwFlag, EscrowError, EwFlag, GCounter, GSet, List, LwwRegister, LwwSet,
    MvRegister, OrCounter, OrMap, OrSet, PnCounter, ResettableCounter, RwSet, TwoPhaseSet,
};

/// What a replica has seen: numbers of updates.
type Seen = BTreeSet<usize>;

/// All updates ever, and what each replica has seen of them.
struct HistoryModel<U> {
    updates: Vec<(U, Seen)>,
    seen: [Seen; 3],
}

impl<U> HistoryModel<U> {
    fn new() -> Self {
        Self { updates: Vec::new(), seen: [Seen::new(), Seen::new(), Seen::new()] }
    }

    fn update(&mut self, replica: usize, update: U) {
        let before = self.seen[replica].clone();
        self.seen[replica].insert(self.updates.len());
        self.updates.push((update, before));
    }

    fn merge(&mut self, replica: usize, from: usize) {
        let theirs = self.seen[from].clone();
        self.seen[replica].extend(theirs);
    }

    /// The updates a replica has seen.
    fn seen_by(&self, replica: usize) -> impl Iterator<Item = (usize, &U)> {
        self.seen[replica].iter().map(|&at| (at, &self.updates[at].0))
    }

    /// Whether an update was made in sight of another.
    fn saw(&self, later: usize, earlier: usize) -> bool {
        self.updates[later].1.contains(&earlier)
    }
}

/// Runs a history on states and on the model, and compares after each step.
fn compare<T: Crdt, U>(
    history: &[Step],
    new: impl Fn() -> T,
    act: impl Fn(&mut T, &Step) -> Option<U>,
    same: impl Fn(&T, &HistoryModel<U>, usize),
) {
    let mut states = [new(), new(), new()];
    let mut model = HistoryModel::new();
    for step in history {
        if let Some(from) = step.from {
            let other = states[from].clone();
            states[step.replica].merge(&other).unwrap();
            model.merge(step.replica, from);
        } else if let Some(update) = act(&mut states[step.replica], step) {
            model.update(step.replica, update);
        }
        same(&states[step.replica], &model, step.replica);
    }
}

fn stamp(step: &Step) -> Stamp {
    // few times, so that many stamps are equal but for the actor, and some with that
    Stamp { time: Timestamp::from_micros(u64::from(step.value % 4)), actor: actor(step.replica) }
}

/// An update of a counter in a map.
#[derive(Clone, Copy)]
enum Tally {
    Add(usize, i64),
    /// What the actor sees of its own becomes one.
    Compact(usize),
    Remove,
}

/// The additions of a key that are left to one who has seen so much, by the number of the update: whose, and how much.
fn tally(model: &HistoryModel<(u8, Tally)>, seen: &Seen, key: u8) -> BTreeMap<usize, (usize, i64)> {
    let mut left = BTreeMap::new();
    for &at in seen {
        let ((of, what), before) = &model.updates[at];
        if *of != key {
            continue;
        }
        match *what {
            Tally::Add(_, 0) => {}
            Tally::Add(who, amount) => _ = left.insert(at, (who, amount)),
            Tally::Remove => left.retain(|n, _| !before.contains(n)),
            Tally::Compact(who) => {
                let own = tally(model, before, key).into_iter().filter(|(_, entry)| entry.0 == who);
                let own: Vec<_> = own.collect();
                if own.len() < 2 {
                    continue; // nothing to bring together
                }
                own.iter().for_each(|(n, _)| _ = left.remove(n));
                let sum: i64 = own.iter().map(|(_, entry)| entry.1).sum();
                if sum != 0 {
                    left.insert(at, (who, sum));
                }
            }
        }
    }
    left
}

proptest! {
    #[test]
    fn or_counters_match_model(history in histories()) {
        compare(
            &history,
            PnCounter::<Heap>::new,
            |state, step| {
                let amount = i128::from(step.value);
                if step.choice % 2 == 0 {
                    state.increment(actor(step.replica), step.value.into()).unwrap();
                    return Some(amount);
                }
                state.decrement(actor(step.replica), step.value.into()).unwrap();
                Some(-amount)
            },
            |state, model, at| assert_eq!(state.value(), model.seen_by(at).map(|(_, n)| n).sum::<i128>()),
        );
    }

    #[test]
    fn grow_counters_match_model(history in histories()) {
        compare(
            &history,
            GCounter::<Heap>::new,
            |state, step| {
                state.increment(actor(step.replica), step.value.into()).unwrap();
                Some((step.replica, u128::from(step.value)))
            },
            |state, model, at| {
                assert_eq!(state.value(), model.seen_by(at).map(|(_, &(_, n))| n).sum::<u128>());
                for who in 0..3 {
                    let own = model.seen_by(at).filter(|&(_, &(by, _))| by == who).map(|(_, &(_, n))| n);
                    assert_eq!(u128::from(state.get(actor(who))), own.sum::<u128>());
                }
            },
        );
    }

    #[test]
    fn last_write_wins(history in histories()) {
        compare(
            &history,
            LwwRegister::<u8>::new,
            |state, step| {
                // a write that would be lost is refused, and no update
                state.set(stamp(step), step.value).ok()?;
                Some((stamp(step), step.value))
            },
            |state, model, at| {
                let last = model.seen_by(at).map(|(_, write)| *write).max();
                assert_eq!(state.get().copied(), last.map(|(_, value)| value));
                assert_eq!(state.latest().map(|latest| latest.stamp), last.map(|(stamp, _)| stamp));
            },
        );
    }

    #[test]
    fn last_update_of_an_element_wins(history in histories()) {
        compare(
            &history,
            LwwSet::<u8, Heap>::new,
            |state, step| {
                let (add, element) = (step.choice % 2 == 0, step.value % 5);
                let stamp = stamp(step);
                let delta =
                    if add { state.add(stamp, element) } else { state.remove(stamp, element) };
                delta.ok()?;
                Some((element, stamp, add))
            },
            |state, model, at| {
                // of one stamp, an addition comes after a removal
                let last = |e| model.seen_by(at).filter(|(_, u)| u.0 == e).map(|(_, u)| (u.1, u.2)).max();
                let left: Vec<u8> = (0..5).filter(|&e| last(e).is_some_and(|(_, add)| add)).collect();
                assert!(state.iter().eq(&left), "{state:?} and {left:?}");
                assert!((0..5).all(|e| state.contains(&e) == left.contains(&e)));
            },
        );
    }

    #[test]
    fn grow_only_and_two_phase_sets_match_model(history in histories()) {
        compare(
            &history,
            GSet::<u8, Heap>::new,
            |state, step| {
                state.add(step.value).unwrap();
                Some(step.value)
            },
            |state, model, at| {
                let all: BTreeSet<u8> = model.seen_by(at).map(|(_, element)| *element).collect();
                assert!(state.iter().eq(&all));
                assert!((0..12).all(|e| state.contains(&e) == all.contains(&e)));
            },
        );
        compare(
            &history,
            TwoPhaseSet::<u8, Heap>::new,
            |state, step| {
                if step.choice % 3 > 0 {
                    state.add(step.value).unwrap();
                    return Some((step.value, true));
                }
                // what never was in cannot come out
                state.remove(&step.value).map(|_| (step.value, false))
            },
            |state, model, at| {
                let ever = |what| model.seen_by(at).filter(move |&(_, u)| u.1 == what).map(|(_, u)| u.0);
                let out: BTreeSet<u8> = ever(false).collect();
                let left: BTreeSet<u8> = ever(true).filter(|e| !out.contains(e)).collect();
                assert!(state.iter().eq(&left), "{state:?} and {left:?}");
                assert!((0..12).all(|e| state.contains(&e) == left.contains(&e)));
            },
        );
    }

    /// Removing the key of a counter takes back what was seen, to the unit; bringing additions into one changes nothing else.
    #[test]
    fn map_removal_resets_counters_exactly(history in histories()) {
        compare(
            &history,
            OrMap::<u8, OrCounter<Heap>>::new,
            |state, step| {
                let (key, who) = (step.value % 2, actor(step.replica));
                let what = match step.choice % 6 {
                    0 => Tally::Remove,
                    1 => Tally::Compact(step.replica),
                    _ => Tally::Add(step.replica, i64::from(step.value) - 5),
                };
                match what {
                    Tally::Remove => _ = state.remove(&key),
                    Tally::Compact(_) => _ = state.edit(&key, |c| c.compact(who)).unwrap(),
                    Tally::Add(_, amount) => _ = state.edit(&key, |c| c.add(who, amount)).unwrap(),
                }
                Some((key, what))
            },
            |state, model, at| {
                for key in 0..2 {
                    let left = tally(model, &model.seen[at], key);
                    let value = state.get(&key).map_or(0, |counter| counter.value());
                    assert_eq!(value, left.values().map(|left| i128::from(left.1)).sum::<i128>());
                }
            },
        );
    }

    #[test]
    fn reset_removes_observed_updates(history in histories()) {
        compare(
            &history,
            ResettableCounter::<Heap>::new,
            |state, step| {
                if step.choice % 3 == 0 {
                    state.reset();
                    return Some(None);
                }
                state.increment(actor(step.replica), step.value.into()).unwrap();
                Some(Some(i128::from(step.value)))
            },
            |state, model, at| {
                let reset = |n| model.seen_by(at).any(|(r, what)| what.is_none() && model.saw(r, n));
                let left = model.seen_by(at).filter(|&(n, _)| !reset(n)).filter_map(|(_, what)| *what);
                assert_eq!(state.value(), left.sum::<i128>());
            },
        );
    }

    #[test]
    fn bounded_counter_stays_non_negative(history in histories()) {
        // the sum of everything ever done, seen or not
        let mut states = [(); 3].map(|()| BoundedCounter::<Heap>::new());
        let mut sum = 0i128;
        for step in &history {
            let (me, amount) = (actor(step.replica), u64::from(step.value));
            if let Some(from) = step.from {
                let other = states[from].clone();
                states[step.replica].merge(&other).unwrap();
                continue;
            }
            let state = &mut states[step.replica];
            let rights = state.rights(me);
            match step.choice % 4 {
                0 => { state.increment(me, amount).unwrap(); sum += i128::from(amount); }
                1 => _ = state.transfer(me, actor((step.replica + 1) % 3), amount / 2).ok(),
                _ => match state.decrement(me, amount) {
                    Ok(_) => sum -= i128::from(amount),
                    Err(error) => prop_assert_eq!(error, EscrowError::Insufficient { rights }),
                },
            }
            prop_assert!(sum >= 0);
        }
        let [mut all, b, c] = states;
        all.merge(&b).unwrap();
        all.merge(&c).unwrap();
        prop_assert_eq!(i128::try_from(all.value()).unwrap(), sum);
        let rights: u64 = (0..3).map(|n| all.rights(actor(n))).sum();
        prop_assert_eq!(i128::from(rights), sum);
    }

    #[test]
    fn mv_register_keeps_concurrent_values(history in histories()) {
        compare(
            &history,
            MvRegister::<u8, Heap>::new,
            |state, step| {
                if step.choice % 5 == 0 {
                    state.clear();
                    return Some(None);
                }
                state.set(actor(step.replica), step.value).unwrap();
                Some(Some(step.value))
            },
            |state, model, at| {
                let followed = |n| model.seen_by(at).any(|(later, _)| model.saw(later, n));
                let mut left: Vec<u8> =
                    model.seen_by(at).filter(|&(n, _)| !followed(n)).filter_map(|(_, v)| *v).collect();
                left.sort_unstable();
                assert_eq!(state.values().copied().collect::<Vec<_>>(), left);
            },
        );
    }

    #[test]
    fn flags_match_their_bias(history in histories()) {
        // on and off are updates; what counts are those that nothing of the other kind followed
        let on = |model: &HistoryModel<bool>, at: usize, wins: bool| {
            let beaten = |n| model.seen_by(at).any(|(m, &w)| w != wins && model.saw(m, n));
            model.seen_by(at).any(|(n, &w)| w == wins && !beaten(n))
        };
        compare(
            &history,
            EwFlag::<Heap>::new,
            |state, step| {
                let enable = step.choice % 2 == 0;
                if enable { state.enable(actor(step.replica)).unwrap() } else { state.disable() };
                Some(enable)
            },
            |state, model, at| assert_eq!(state.is_on(), on(model, at, true)),
        );
        compare(
            &history,
            DwFlag::<Heap>::new,
            |state, step| {
                let enable = step.choice % 2 == 0;
                if enable { state.enable() } else { state.disable(actor(step.replica)).unwrap() };
                Some(enable)
            },
            |state, model, at| assert_eq!(state.is_on(), !on(model, at, false)),
        );
    }

    #[test]
    fn add_wins_and_remove_wins_sets_match_model(history in histories()) {
        compare(
            &history,
            OrSet::<u8, Heap>::new,
            |state, step| {
                let add = step.choice % 2 == 0;
                if add { state.add(actor(step.replica), step.value).unwrap() } else { state.remove(&step.value) };
                Some((step.value, add))
            },
            |state, model, at| {
                let removed = |n, e| model.seen_by(at).any(|(m, &(f, add))| f == e && !add && model.saw(m, n));
                let left = model.seen_by(at).filter(|&(n, &(e, add))| add && !removed(n, e));
                let left: BTreeSet<u8> = left.map(|(_, &(e, _))| e).collect();
                assert!(state.iter().eq(&left), "{state:?} and {left:?}");
                assert!((0..12).all(|e| state.contains(&e) == left.contains(&e)));
            },
        );
        compare(
            &history,
            RwSet::<u8, Heap>::new,
            |state, step| {
                let add = step.choice % 2 == 0;
                if add {
                    state.add(actor(step.replica), step.value).unwrap();
                } else {
                    state.remove(actor(step.replica), step.value).unwrap();
                }
                Some((step.value, add))
            },
            |state, model, at| {
                let followed = |n, e| model.seen_by(at).any(|(m, &(f, _))| f == e && model.saw(m, n));
                let last = |e| model.seen_by(at).filter(move |&(n, &(f, _))| f == e && !followed(n, e));
                let inside = |e| last(e).count() > 0 && last(e).all(|(_, &(_, add))| add);
                let left: Vec<u8> = (0..12).filter(|&e| inside(e)).collect();
                assert!(state.iter().eq(&left), "{state:?} and {left:?}");
                assert!((0..12).all(|e| state.contains(&e) == left.contains(&e)));
            },
        );
    }

    #[test]
    fn map_removal_resets_observed_values(history in histories()) {
        /// Key and element added, or a key removed.
        type Update = (u8, Option<u8>);
        compare(
            &history,
            OrMap::<u8, OrSet<u8, Heap>>::new,
            |state, step| {
                let key = step.value % 3;
                if step.choice % 3 == 0 {
                    state.remove(&key);
                    return Some((key, None));
                }
                state.edit(&key, |set| set.add(actor(step.replica), step.value)).unwrap();
                Some((key, Some(step.value)))
            },
            |state, model: &HistoryModel<Update>, at| {
                let removed = |n, k| model.seen_by(at).any(|(m, &(l, e))| l == k && e.is_none() && model.saw(m, n));
                let mut left = BTreeMap::<u8, BTreeSet<u8>>::new();
                for (n, &(key, element)) in model.seen_by(at) {
                    if let Some(element) = element.filter(|_| !removed(n, key)) {
                        left.entry(key).or_default().insert(element);
                    }
                }
                assert!(state.keys().eq(left.keys()));
                assert!(left.iter().all(|(key, set)| state.get(key).unwrap().iter().eq(set)));
            },
        );
    }

    /// A list against a vector, on one replica; and against itself, merged in every order.
    #[test]
    fn lists_match_vectors(history in histories()) {
        let mut model = Vec::new();
        let mut list = List::<u8, Heap>::new();
        for step in &history {
            if step.choice % 3 == 0 && !model.is_empty() {
                let at = step.value as usize % model.len();
                model.remove(at);
                list.remove(at).unwrap();
            } else {
                let at = step.value as usize % (model.len() + 1);
                model.insert(at, step.choice);
                list.insert(actor(step.replica), at, step.choice).unwrap();
            }
            prop_assert!(list.iter().eq(&model));
        }
    }

    /// Whatever the order of merging, the elements come in one order; and an order once seen stays.
    #[test]
    fn lists_converge_to_one_order(history in histories()) {
        let mut lists = [(); 3].map(|()| List::<u16, Heap>::new());
        let mut next = 0;
        for step in &history {
            let before = lists[step.replica].clone();
            if let Some(from) = step.from {
                let other = lists[from].clone();
                lists[step.replica].merge(&other).unwrap();
            } else {
                next += 1;
                let list = &mut lists[step.replica];
                let at = step.value as usize % (list.len() + 1);
                list.insert(actor(step.replica), at, next).unwrap();
                prop_assert_eq!(list.get(at), Some(&next));
            }
            let kept: BTreeSet<u16> = before.iter().copied().collect();
            let after: Vec<&u16> = lists[step.replica].iter().filter(|n| kept.contains(n)).collect();
            prop_assert!(before.iter().eq(after));
        }
        let [a, b, c] = &lists;
        let all = |order: [&List<u16, Heap>; 3]| {
            let mut list = List::<u16, Heap>::new();
            order.iter().for_each(|other| _ = list.merge(other).unwrap());
            list.iter().copied().collect::<Vec<_>>()
        };
        let orders = [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]];
        for order in orders {
            prop_assert_eq!(all(order), all([a, b, c]));
        }
    }

    /// Runs that two make at one place at once, forwards or backwards, do not interleave.
    #[test]
    fn concurrent_runs_do_not_interleave(base in 0usize..5, at in 0usize..5, a in 1usize..6, b in 1usize..6, forth: [bool; 2]) {
        let at = at.min(base);
        let mut left = List::<u8, Heap>::new();
        (0..base).for_each(|n| _ = left.insert(actor(2), n, 0).unwrap());
        let mut right = left.clone();
        for (list, who, len, forth) in [(&mut left, 0, a, forth[0]), (&mut right, 1, b, forth[1])] {
            (0..len).for_each(|n| _ = list.insert(actor(who), if forth { at + n } else { at }, who as u8 + 1).unwrap());
        }
        let mut both = left.clone();
        both.merge(&right).unwrap();
        right.merge(&left).unwrap();
        prop_assert!(both.iter().eq(right.iter()));
        let letters: Vec<u8> = both.iter().copied().filter(|&n| n > 0).collect();
        let changes = letters.windows(2).filter(|pair| pair[0] != pair[1]).count();
        prop_assert_eq!((letters.len(), changes), (a + b, 1));
    }

    /// The same history on the add-wins set of the `crdts` crate.
    #[test]
    fn or_sets_agree_with_orswot(history in histories()) {
        use crdts::{CmRDT, CvRDT, Orswot};
        let mut ours = [(); 3].map(|()| OrSet::<u8, Heap>::new());
        let mut theirs = [(); 3].map(|()| Orswot::<u8, u8>::new());
        for step in &history {
            let at = step.replica;
            if let Some(from) = step.from {
                let (our, their) = (ours[from].clone(), theirs[from].clone());
                ours[at].merge(&our).unwrap();
                theirs[at].merge(their);
            } else if step.choice % 2 == 0 {
                ours[at].add(actor(at), step.value).unwrap();
                let context = theirs[at].read_ctx().derive_add_ctx(at as u8);
                let add = theirs[at].add(step.value, context);
                theirs[at].apply(add);
            } else {
                ours[at].remove(&step.value);
                let context = theirs[at].contains(&step.value).derive_rm_ctx();
                let remove = theirs[at].rm(step.value, context);
                theirs[at].apply(remove);
            }
            let set: BTreeSet<u8> = theirs[at].read().val.into_iter().collect();
            prop_assert!(ours[at].iter().eq(&set));
        }
    }
}
