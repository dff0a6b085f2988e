//! Rings send exactly as many messages as theory says, in every arrangement of small rings.
#![allow(clippy::unwrap_used)]

use crate::common::{Cluster, ids, orders};
use quorate_core::Machine;
use quorate_election::ring::{Algorithm, ChangRoberts, Collecting, HirschbergSinclair, Ring};
use quorate_election::{Config, Counts, Inline, Takeover};

type Node<A> = Ring<A, Inline<32>>;

/// Ring nodes that wait to be asked.
fn quiet<A: Algorithm>(order: &[u64]) -> Cluster<Node<A>> {
    let ids = ids(order);
    let config = Config { takeover: Takeover::Keep, attempts: 1, ..Config::lan() };
    let mut cluster = Cluster::new(&ids, |id| Ring::new(id, &ids, config).unwrap());
    cluster.tick();
    cluster
}

/// Lets these nodes start an election at the same time; checks who won, and gives what was sent.
fn elect<A: Algorithm>(order: &[u64], initiators: impl Iterator<Item = usize>) -> Counts {
    let mut cluster = quiet::<A>(order);
    let now = cluster.now;
    initiators.for_each(|at| cluster.node(at).campaign(now));
    cluster.deliver_all();
    let mut counts = Counts::default();
    for node in cluster.nodes.iter().flatten() {
        let highest = order.iter().max().copied();
        assert_eq!(node.status().leader.map(|id| id.get()), highest, "{order:?}");
        counts.election += node.counts().election;
        counts.answer += node.counts().answer;
        counts.coordinator += node.counts().coordinator;
    }
    counts
}

/// How many hops it is to the first node that is higher, one way; `None` for the highest.
fn to_higher(order: &[u64], at: usize, forth: bool) -> Option<usize> {
    let n = order.len();
    let place = |hops| if forth { (at + hops) % n } else { (at + n - hops) % n };
    (1..n).find(|&hops| order[place(hops)] > order[at])
}

#[test]
fn collecting_takes_two_rounds_per_initiator() {
    for n in 2..=6 {
        for order in orders(n as u64) {
            for initiators in [1, 2, n] {
                let counts = elect::<Collecting>(&order, 0..initiators);
                let each = (n * initiators) as u32;
                assert_eq!((counts.election, counts.coordinator), (each, each), "{order:?}");
            }
        }
    }
}

#[test]
fn chang_roberts_tokens_stop_at_the_next_higher() {
    for n in 2..=7 {
        let (mut total, mut least, mut most) = (0, u32::MAX, 0);
        let all = orders(n as u64);
        for order in &all {
            let counts = elect::<ChangRoberts>(order, 0..n);
            let theory: usize = (0..n).map(|at| to_higher(order, at, true).unwrap_or(n)).sum();
            assert_eq!(counts.election as usize, theory, "{order:?}");
            assert_eq!(counts.coordinator as usize, n, "{order:?}");
            total += theory as u64;
            (least, most) = (least.min(counts.election), most.max(counts.election));
        }
        assert_eq!((least as usize, most as usize), (2 * n - 1, n * (n + 1) / 2));
        // n H(n) on average: n!/1 + n!/2 + ... for each of the n nodes
        let factorial = all.len() as u64;
        assert_eq!(total, (1..=n as u64).map(|k| n as u64 * factorial / k).sum::<u64>());
    }
}

#[test]
fn chang_roberts_with_one_initiator() {
    for n in 2..=6 {
        for order in orders(n as u64) {
            // its id goes to the next higher node, whose id goes on from there, until the highest goes round
            let counts = elect::<ChangRoberts>(&order, 0..1);
            let mut theory = 0;
            let mut at = 0;
            while let Some(hops) = to_higher(&order, at, true) {
                theory += hops;
                at = (at + hops) % n;
            }
            assert_eq!(counts.election as usize, theory + n, "{order:?}");
        }
    }
}

#[test]
fn hirschberg_sinclair_doubles() {
    for n in 2..=6 {
        for order in orders(n as u64) {
            let counts = elect::<HirschbergSinclair>(&order, 0..n);
            let (mut probes, mut replies) = (0, 0);
            for at in 0..n {
                let higher = [true, false].map(|forth| to_higher(&order, at, forth));
                for phase in 0.. {
                    let far: usize = 1 << phase;
                    for hops in higher {
                        match hops {
                            Some(hops) if hops <= far => probes += hops,
                            _ if far >= n => probes += n,
                            _ => {
                                probes += far;
                                replies += far;
                            }
                        }
                    }
                    if far >= n || higher.iter().flatten().any(|&hops| hops <= far) {
                        break;
                    }
                }
            }
            let found = (counts.election as usize, counts.answer as usize);
            assert_eq!(found, (probes, replies), "{order:?}");
            assert_eq!(counts.coordinator as usize, n, "{order:?}");
            let log = usize::BITS as usize - (n - 1).leading_zeros() as usize;
            assert!(probes + replies <= 8 * n * (1 + log), "{order:?}");
        }
    }
}

#[test]
fn single_node_ring_sends_nothing() {
    assert_eq!(elect::<Collecting>(&[4], 0..1), Counts::default());
    assert_eq!(elect::<ChangRoberts>(&[4], 0..1), Counts::default());
    assert_eq!(elect::<HirschbergSinclair>(&[4], 0..1), Counts::default());
}
