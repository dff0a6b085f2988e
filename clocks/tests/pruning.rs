//! Retiring actors: no false siblings, nothing passed over.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::{Dot, Inline, Pruned, PrunedError, RetireError};
use quorate_core::{NodeId, Wire};

type Vector = Pruned<Inline<5>>;

fn vector(counts: &[u64]) -> Vector {
    let mut vector = Vector::new();
    for (node, &count) in counts.iter().enumerate() {
        (0..count).for_each(|_| _ = vector.increment(NodeId::new(node as u64).into()).unwrap());
    }
    vector
}

proptest! {
    #[test]
    fn pruning_preserves_comparisons(a in prop::array::uniform5(0u64..4), b in prop::array::uniform5(0u64..4), gone in 0usize..5, last in 1u64..4) {
        let (mut a, mut b) = (vector(&a), vector(&b));
        let before = a.compare(&b).unwrap();
        let dot = Dot::new(NodeId::new(gone as u64).into(), last).unwrap();
        match (a.retire(1, &[dot]), b.retire(1, &[dot])) {
            (Ok(()), Ok(())) => {
                prop_assert_eq!(a.compare(&b), Ok(before));
                let mut both = a.clone();
                both.merge(&b).unwrap();
                prop_assert_eq!(both.vector().get(dot.actor()), 0);
            }
            (Err(_), Err(_)) => prop_assert_eq!(a.compare(&b), Ok(before)),
            (one, _) => {
                let (own, other) = if one.is_ok() { (1, 0) } else { (0, 1) };
                prop_assert_eq!(a.compare(&b), Err(PrunedError::Retirements { own, other }));
                prop_assert_eq!(a.merge(&b), Err(PrunedError::Retirements { own, other }));
            }
        }
        let mut buffer = [0; 128];
        prop_assert_eq!(Vector::from_slice(a.to_slice(&mut buffer).unwrap()), Ok(a));
    }
}

#[test]
fn retirement_of_a_lagging_vector_fails() {
    let [a, b] = [0, 1].map(|n| Dot::new(NodeId::new(n).into(), 2).unwrap());
    let mut clock = vector(&[2, 1]);
    let before = clock.clone();
    assert_eq!(clock.retire(1, &[a, b]), Err(RetireError::Behind(b)));
    assert_eq!(clock.retire(2, &[a]), Err(RetireError::OutOfOrder));
    assert_eq!(clock.retire(0, &[a]), Err(RetireError::OutOfOrder));
    assert_eq!(clock.retire(1, &[Dot::first(a.actor())]), Err(RetireError::Alive(a.actor())));
    assert_eq!(clock, before);
}
