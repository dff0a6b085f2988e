//! How far lists go along a walk.
#![allow(clippy::unwrap_used)]

use core::cell::Cell;
use std::collections::BTreeSet;

use quorate_core::{NodeId, Rng};
use quorate_ring::{
    Bounded, HashRing, Heap, Jump, KeyHash, LoadFactor, Member, Modulo, Partitions, Placement,
    PreferenceList, Rendezvous, Token, Zone,
};

/// A placement that counts the steps of its walks.
struct Counted<P>(P, Cell<usize>);

impl<P: for<'k> Placement<Position<'k> = Token>> Placement for Counted<P> {
    type Position<'k> = Token;

    fn position(&self, key: &[u8]) -> Token {
        self.0.position(key)
    }

    fn walk(&self, at: Self::Position<'_>) -> impl Iterator<Item = (NodeId, Zone)> {
        self.0.walk(at).inspect(|_| self.1.set(self.1.get() + 1))
    }

    fn zones(&self) -> usize {
        self.0.zones()
    }

    fn nodes(&self) -> usize {
        self.0.nodes()
    }

    fn fingerprint(&self) -> u64 {
        self.0.fingerprint()
    }
}

fn member(id: u64) -> Member {
    Member::new(NodeId::new(id)).in_zone(Zone::new((id % 4 / 3) as u16))
}

#[test]
fn list_of_all_nodes_stops_at_the_last_one() {
    fn check<P: for<'k> Placement<Position<'k> = Token>>(placement: P, longest: usize) {
        let counted = Counted(placement, Cell::new(0));
        let mut rng = Rng::new(21);
        for _ in 0..200 {
            let at = Token::new(rng.next_u64());
            for (replicas, fallbacks) in [(3, 0), (3, 1), (4, 0), (1, 9), (32, 0), (usize::MAX, 5)]
            {
                counted.1.set(0);
                let list = counted.preference_list(at, replicas, fallbacks);
                assert!(counted.1.get() <= longest, "{} for {replicas}", counted.1.get());
                // it is that of the whole walk
                let walk = || counted.0.walk(at);
                let whole = PreferenceList::select(walk, counted.zones(), replicas, fallbacks);
                assert_eq!(list, whole, "{replicas} and {fallbacks}");
            }
            let all: BTreeSet<_> = counted.walk(at).map(|(node, _)| node).collect();
            assert!(all.len() <= counted.nodes());
        }
    }
    macro_rules! with {
        ($placement:expr) => {{
            let mut placement = $placement;
            (1..=3).for_each(|id| placement.add(member(id)).unwrap());
            placement
        }};
    }
    let hash = KeyHash::default();
    check(with!(HashRing::<Heap>::new(hash, 1_000)), 200);
    check(with!(Rendezvous::<Heap>::new(hash)), 6);
    check(with!(Modulo::<Heap>::new(hash)), 6);
    check(with!(Jump::<Heap>::new(hash)), 100);
}

#[test]
fn placement_over_another_has_its_nodes() {
    let mut ring = HashRing::<Heap>::new(KeyHash::default(), 4);
    ring.add_all(&[1, 2, 3].map(member)).unwrap();
    assert_eq!(Partitions::new(ring.clone(), 4).unwrap().nodes(), 3);
    assert_eq!(Bounded::new(ring, LoadFactor::default(), 9).nodes(), 3);
}
