//! Replicas keep the contract of `Machine`.
#![allow(clippy::unwrap_used)]

use core::marker::PhantomData;

use quorate_clocks::{Actor, Inline, Storage};
use quorate_core::{Instant, NodeId, Rng, Shown};
use quorate_crdt::{Config, Crdt, Message, OrSet, PnCounter, Record, Replica};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

/// The application of one replica: it keeps nothing but the replica.
#[derive(Clone)]
struct Application<T, L, const DURABLE: bool> {
    actor: Actor,
    data: PhantomData<(T, L)>,
}

type Counter = PnCounter<Inline<4>>;
type Set = OrSet<u64, Inline<64>, Inline<4>>;

/// What clients do.
trait Data: Crdt + Default + 'static {
    const NAME: &'static str;
    fn text(&self) -> String;
    fn update<L: Storage>(replica: &mut Replica<Self, Inline<3>, L>, rng: &mut Rng);
}

impl Data for Counter {
    const NAME: &'static str = "a replica of a counter";

    fn text(&self) -> String {
        self.value().to_string()
    }

    fn update<L: Storage>(replica: &mut Replica<Self, Inline<3>, L>, rng: &mut Rng) {
        replica.update(|counter, me| counter.increment(me, rng.below(9))).unwrap();
    }
}

impl Data for Set {
    const NAME: &'static str = "a replica of a set";

    fn text(&self) -> String {
        format!("{:?}", self.iter().collect::<Vec<_>>())
    }

    fn update<L: Storage>(replica: &mut Replica<Self, Inline<3>, L>, rng: &mut Rng) {
        let element = rng.below(30);
        if rng.chance(1, 3) {
            let _ =
                replica.update(|set, _| Ok::<_, core::convert::Infallible>(set.remove(&element)));
        } else {
            let _ = replica.update(|set, me| set.add(me, element));
        }
    }
}

impl<T: Data, L: Storage, const DURABLE: bool> Specimen for Application<T, L, DURABLE> {
    type Machine = Replica<T, Inline<3>, L>;

    const NAME: &'static str = T::NAME;
    const MESSAGES_PER_SECOND: u64 = 1_000;

    fn new(node: usize) -> Self {
        Self { actor: NodeId::new(node as u64 + 1).into(), data: PhantomData }
    }

    fn boot(&self, _seed: u64) -> Self::Machine {
        let ids: Vec<NodeId> = (1..=Self::NODES as u64).map(NodeId::new).collect();
        let config = Config { durable: DURABLE, max_delta_bytes: 200, ..Config::lan() };
        Replica::new(self.actor, &ids, T::default(), config).unwrap()
    }

    fn durable(replica: &Self::Machine) -> String {
        // without records there is nothing that a restart does not lose
        if DURABLE { replica.state().text() } else { String::new() }
    }

    fn act(&mut self, replica: &mut Self::Machine, _now: Instant, rng: &mut Rng) {
        T::update(replica, rng);
    }

    /// The formula of [`Replica`]'s documentation.
    fn memory(_replica: &Self::Machine) -> Vec<(&'static str, usize, usize)> {
        let formula = size_of::<T>() + 3 * 64 + L::LIMIT + 240;
        vec![("bytes", size_of::<Self::Machine>(), formula)]
    }

    fn message_text(message: &Message<'_, T>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_, T>) -> String {
        Shown(record).to_string()
    }
}

conformance_tests! {
    without_records: Application<Counter, Inline<512>, false>, seeds 0..8;
    counter: Application<Counter, Inline<512>, true>, seeds 0..8;
    set: Application<Set, Inline<512>, true>, seeds 0..8;
}
