//! Version vectors and dot contexts against the plainest model there is: a set of dots.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "alloc")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_clocks::{
    Actor, Causality, Dot, DotContext, Heap, Inline, Run, VersionVector, Versions,
};
use quorate_core::{DecodeError, Full, NodeId, Wire};

type Model = BTreeSet<Dot>;
type Context = DotContext<Heap>;
type Tight = DotContext<Inline<2>, Inline<2>>;

fn actor(n: u64) -> Actor {
    Actor::new(NodeId::new(n / 2), (n % 2) as u32)
}

fn dot(of: u64, counter: u64) -> Dot {
    Dot::new(actor(of), counter).unwrap()
}

fn dots() -> impl Strategy<Value = Vec<Dot>> {
    prop::collection::vec((0u64..4, 1u64..9).prop_map(|(of, counter)| dot(of, counter)), 0..24)
}

fn vectors() -> impl Strategy<Value = VersionVector<Heap>> {
    prop::collection::vec((0u64..6, 1u64..9), 0..6).prop_map(|dots| {
        let mut vector = VersionVector::new();
        dots.into_iter().for_each(|(of, counter)| _ = vector.observe(dot(of, counter)).unwrap());
        vector
    })
}

fn context(dots: &[Dot]) -> Context {
    let mut context = Context::new();
    dots.iter().for_each(|&dot| _ = context.insert(dot).unwrap());
    context
}

/// All dots that a vector stands for.
fn below(vector: &VersionVector<Heap>) -> Model {
    let all = |entry: &Dot| {
        (1..=entry.counter()).map({
            let a = entry.actor();
            move |n| Dot::new(a, n).unwrap()
        })
    };
    vector.entries().iter().flat_map(all).collect()
}

fn members(context: &Context) -> Model {
    let all = |run: Run| (run.first()..=run.last()).map(move |n| Dot::new(run.actor(), n).unwrap());
    context.runs().flat_map(all).collect()
}

fn relation(a: &Model, b: &Model) -> Causality {
    match (a.is_subset(b), b.is_subset(a)) {
        (true, true) => Causality::Equal,
        (true, false) => Causality::Before,
        (false, true) => Causality::After,
        (false, false) => Causality::Concurrent,
    }
}

fn bytes<T: for<'a> Wire<'a>>(value: &T) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap();
    buffer
}

proptest! {
    #[test]
    fn vectors_match_model(a in vectors(), b in vectors()) {
        let (set_a, set_b) = (below(&a), below(&b));
        prop_assert_eq!(a.compare(&b), relation(&set_a, &set_b));
        prop_assert_eq!(a.includes(&b), set_a.is_superset(&set_b));
        prop_assert_eq!(a.partial_cmp(&b), relation(&set_a, &set_b).ordering());
        let mut union = a.clone();
        union.merge(&b).unwrap();
        prop_assert_eq!(below(&union), &set_a | &set_b);
        let mut meet = a.clone();
        meet.meet(&b);
        prop_assert_eq!(below(&meet), &set_a & &set_b);
        for of in 0..6 {
            prop_assert_eq!(union.next(actor(of)).unwrap().counter(), union.get(actor(of)) + 1);
        }
    }

    #[test]
    fn observe_is_monotonic(dots in dots()) {
        let mut vector = VersionVector::<Inline<4>>::new();
        let mut counts = std::collections::BTreeMap::new();
        for dot in dots {
            let count = counts.entry(dot.actor()).or_insert(0);
            prop_assert_eq!(vector.observe(dot), Ok(dot.counter() > *count));
            *count = dot.counter().max(*count);
            prop_assert_eq!(vector.get(dot.actor()), *count);
        }
    }

    #[test]
    fn contexts_match_model(a in dots(), b in dots(), probe in dots()) {
        let (set_a, set_b): (Model, Model) = (a.iter().copied().collect(), b.iter().copied().collect());
        let (a, b) = (context(&a), context(&b));
        prop_assert_eq!(members(&a), set_a.clone());
        prop_assert_eq!(a.compare(&b), relation(&set_a, &set_b));
        prop_assert_eq!(a.includes(&b), set_a.is_superset(&set_b));
        for dot in probe {
            prop_assert_eq!(a.contains(dot), set_a.contains(&dot));
        }
        for of in 0..4 {
            let last = set_a.iter().filter(|d| d.actor() == actor(of)).map(|d| d.counter()).max();
            prop_assert_eq!(a.next(actor(of)).unwrap().counter(), last.unwrap_or(0) + 1);
        }
        let mut union = a;
        union.merge(&b).unwrap();
        prop_assert_eq!(members(&union), &set_a | &set_b);
    }

    #[test]
    fn runs_match_their_dots(a in dots(), of in 0u64..4, first in 1u64..12, len in 0u64..5) {
        let run = Run::new(actor(of), first, first + len).unwrap();
        let (mut whole, mut single) = (context(&a), context(&a));
        let new = whole.insert_run(run).unwrap();
        let mut any = false;
        for n in first..=first + len {
            any |= single.insert(dot(of, n)).unwrap();
        }
        prop_assert_eq!(new, any);
        prop_assert!(whole.contains_run(run));
        prop_assert_eq!(whole, single);
    }

    #[test]
    fn merging_is_a_join(a in dots(), b in dots(), c in dots()) {
        let (a, b, c) = (context(&a), context(&b), context(&c));
        let join = |x: &Context, y: &Context| { let mut z = x.clone(); z.merge(y).unwrap(); z };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert!(join(&a, &b) >= a);
        prop_assert_eq!(bytes(&join(&a, &b)), bytes(&join(&b, &a)));
    }

    #[test]
    fn merging_vectors_is_a_join(a in vectors(), b in vectors(), c in vectors()) {
        type V = VersionVector<Heap>;
        let join = |x: &V, y: &V| { let mut z = x.clone(); z.merge(y).unwrap(); z };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert!(join(&a, &b) >= b);
    }

    #[test]
    fn full_context_is_unchanged(a in dots(), b in dots()) {
        let mut tight = Tight::new();
        let mut kept = Vec::new();
        for dot in a {
            let before = tight.clone();
            match tight.insert(dot) {
                Ok(_) => kept.push(dot),
                Err(Full) => prop_assert_eq!(&tight, &before),
            }
        }
        prop_assert_eq!(bytes(&tight), bytes(&context(&kept)));
        let (mut merged, other) = (tight.clone(), context(&b));
        let mut wide = context(&kept);
        wide.merge(&other).unwrap();
        let actors = wide.vector().len();
        match merged.merge(&other) {
            Ok(()) => prop_assert_eq!(bytes(&merged), bytes(&wide)),
            Err(Full) => {
                prop_assert!(actors > 2 || wide.cloud().len() > 2);
                prop_assert_eq!(merged, tight);
            }
        }
    }

    #[test]
    fn full_vectors_are_unchanged(a in vectors(), b in vectors()) {
        let mut tight = VersionVector::<Inline<3>>::new();
        a.entries().iter().take(3).for_each(|&entry| _ = tight.observe(entry).unwrap());
        let before = tight.clone();
        let actors: BTreeSet<_> = tight.entries().iter().chain(b.entries()).map(|e| e.actor()).collect();
        match tight.merge(&b) {
            Ok(()) => prop_assert!(actors.len() <= 3),
            Err(Full) => {
                prop_assert!(actors.len() > 3);
                prop_assert_eq!(tight, before);
            }
        }
    }

    #[test]
    fn wire_form_round_trips(a in dots()) {
        let context = context(&a);
        prop_assert_eq!(Context::from_slice(&bytes(&context)), Ok(context.clone()));
        prop_assert_eq!(VersionVector::from_slice(&bytes(context.vector())), Ok(context.vector().clone()));
    }

    #[test]
    fn decoding_and_encoding_round_trips(input in prop::collection::vec(0u8..6, 0..24)) {
        if let Ok(context) = Context::from_slice(&input) {
            prop_assert_eq!(bytes(&context), &input[..]);
            let rebuilt = self::context(&members(&context).into_iter().collect::<Vec<_>>());
            prop_assert_eq!(rebuilt, context); // canonical, or it would not have been taken
        }
    }
}

#[test]
fn non_canonical_forms_are_rejected() {
    let refused: [&[u8]; 7] = [
        &[1, 1, 0, 0, 0],                // a counter of 0
        &[2, 1, 0, 3, 1, 0, 4, 0],       // an actor twice
        &[2, 2, 0, 3, 1, 0, 4, 0],       // not sorted
        &[1, 1, 0, 3, 1, 1, 0, 4, 5],    // a run that touches the vector
        &[0, 1, 1, 0, 1, 5],             // a run from 1
        &[0, 2, 1, 0, 2, 5, 1, 0, 6, 7], // two runs that touch
        &[0, 1, 1, 0, 5, 4],             // a run that ends before it begins
    ];
    for bytes in refused {
        assert_eq!(Context::from_slice(bytes), Err(DecodeError::Invalid), "{bytes:?}");
    }
    let vectors: [&[u8]; 3] = [&[1, 1, 0, 0], &[2, 1, 0, 3, 1, 0, 4], &[2, 2, 0, 3, 1, 0, 4]];
    for bytes in vectors {
        assert_eq!(
            VersionVector::<Heap>::from_slice(bytes),
            Err(DecodeError::Invalid),
            "{bytes:?}"
        );
        assert_eq!(Versions::from_slice(bytes), Err(DecodeError::Invalid), "{bytes:?}");
    }
    // more than there is room for, however long it says it is
    assert_eq!(Tight::from_slice(&[3, 1, 0, 1, 2, 0, 1, 3, 0, 1, 0]), Err(DecodeError::Invalid));
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(Context::from_slice(&huge), Err(DecodeError::Truncated));
}

#[test]
fn exhausted_counters_do_not_wrap() {
    let last = dot(1, u64::MAX);
    let mut vector = VersionVector::<Inline<2>>::new();
    vector.observe(last).unwrap();
    assert!(vector.increment(actor(1)).is_err() && vector.next(actor(1)).is_err());
    assert_eq!(vector.get(actor(1)), u64::MAX);
    let mut context = Tight::new();
    context.insert(last).unwrap();
    assert!(context.increment(actor(1)).is_err());
    context.insert_run(Run::new(actor(1), 1, u64::MAX - 1).unwrap()).unwrap();
    assert_eq!((context.vector().get(actor(1)), context.cloud().len()), (u64::MAX, 0));
}

#[cfg(feature = "serde")]
mod serde_form {
    use super::*;

    proptest! {
        #[test]
        fn serde_writes_the_wire_bytes(a in dots()) {
            let context = context(&a);
            let written = postcard::to_allocvec(&context).unwrap();
            prop_assert_eq!(&written, &bytes(&context));
            prop_assert_eq!(postcard::from_bytes::<Context>(&written).unwrap(), context);
        }

        #[test]
        fn serde_accepts_what_wire_accepts(input in prop::collection::vec(0u8..6, 0..24)) {
            let wire = Context::from_slice(&input);
            if let Ok((read, [])) = postcard::take_from_bytes::<Context>(&input) {
                prop_assert_eq!(wire, Ok(read));
            } else {
                prop_assert!(wire.is_err());
            }
        }
    }
}
