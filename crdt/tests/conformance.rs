//! Replicas keep the contract of `Machine`.
#![allow(clippy::unwrap_used)]

use core::marker::PhantomData;

use quorate_clocks::{Actor, Inline, Storage};
use quorate_core::{Instant, NodeId, Reader, Rejected, Rng, Shown, Wire, Writer};
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

/// The bytes of deltas in a message.
const MAX_DELTA: u64 = 200;

/// An actor, a dot and a number at their longest.
const ACTOR: usize = 10 + 5;
const DOT: usize = ACTOR + 10;
const NUMBER: usize = 10;

/// What clients do, and how long the data gets.
trait Data: Crdt + Default + 'static {
    const NAME: &'static str;
    const STATE_LEN: usize;
    const DELTA_LEN: usize;
    fn text(&self) -> String;
    fn update<L: Storage>(replica: &mut Replica<Self, Inline<3>, L>, rng: &mut Rng);
}

impl Data for Counter {
    const NAME: &'static str = "a replica of a counter";
    const STATE_LEN: usize = 1 + 4 * (ACTOR + 2 * NUMBER);
    const DELTA_LEN: usize = ACTOR + 2 * NUMBER;

    fn text(&self) -> String {
        self.value().to_string()
    }

    fn update<L: Storage>(replica: &mut Replica<Self, Inline<3>, L>, rng: &mut Rng) {
        replica.update(|counter, me| counter.increment(me, rng.below(9))).unwrap();
    }
}

impl Data for Set {
    const NAME: &'static str = "a replica of a set";
    const STATE_LEN: usize = 1 + 64 * (NUMBER + DOT) + (1 + 4 * DOT) + (1 + 4 * (DOT + NUMBER)); // with runs beyond gaps
    const DELTA_LEN: usize = 1 + (NUMBER + DOT) + 1 + 64 * DOT;

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

const fn config(durable: bool) -> Config {
    Config { durable, max_delta_bytes: MAX_DELTA as usize, ..Config::lan() }
}

/// The encoding of numbers, one byte each if they are small, and of a run of so many bytes at the end.
fn encoded(parts: &[u64], run: Option<usize>) -> Vec<u8> {
    let run = run.map(|len| vec![0; len]);
    let mut bytes = vec![0; 4096];
    let mut out = Writer::new(&mut bytes);
    parts.iter().for_each(|&number| out.u64(number));
    run.iter().for_each(|run| out.bytes(run));
    let len = out.needed();
    bytes.truncate(len);
    bytes
}

impl<T: Data, L: Storage, const DURABLE: bool> Specimen for Application<T, L, DURABLE> {
    type Machine = Replica<T, Inline<3>, L>;

    const NAME: &'static str = T::NAME;
    // what `Replica` promises, with two gossips a second: of each a digest, two states at most and all
    // that is kept; three clients make up to 30 updates each; and as many acknowledgements
    const MESSAGES_PER_SECOND: u64 =
        2 * (2 * (1 + 2 + (L::LIMIT as u64).div_ceil(MAX_DELTA)) + 3 * 30);
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const RECORDS: bool = DURABLE;
    const REJECTED: &'static [Rejected] = &[Rejected::UnknownSender, Rejected::Malformed];

    fn new(node: usize) -> Self {
        Self { actor: NodeId::new(node as u64 + 1).into(), data: PhantomData }
    }

    fn boot(&self, _seed: u64) -> Self::Machine {
        let ids: Vec<NodeId> = (1..=Self::NODES as u64).map(NodeId::new).collect();
        Replica::new(self.actor, &ids, T::default(), config(DURABLE)).unwrap()
    }

    fn durable(replica: &Self::Machine) -> String {
        // without records there is nothing that a restart does not lose
        if DURABLE { replica.state().text() } else { String::new() }
    }

    fn act(&mut self, replica: &mut Self::Machine, _now: Instant, rng: &mut Rng) {
        T::update(replica, rng);
    }

    /// A replica that never has anything, and requests the whole state each time.
    fn refusals(message: &Message<'_, T>) -> Vec<Vec<u8>> {
        let bytes = message.to_vec();
        let acks_generation = Reader::new(&bytes).u64().unwrap(); // which is the sender's
        let refusal = |body: &[u64]| encoded(&[&[1, acks_generation, 0, 1], body].concat(), None);
        match Shown(message).to_string() {
            // nothing follows from an acknowledgement
            text if text.ends_with("body Ack") => Vec::new(),
            text if text.contains("body Digest") => vec![refusal(&[1, 1, 0, 7])],
            _ => vec![refusal(&[0])],
        }
    }

    /// The formula of [`Replica`]'s documentation.
    fn memory(_replica: &Self::Machine) -> Vec<(&'static str, usize, usize)> {
        let formula = size_of::<T>() + 3 * 64 + L::LIMIT + 240;
        vec![("bytes", size_of::<Self::Machine>(), formula)]
    }

    fn max_message_len(_replica: &Self::Machine) -> Option<usize> {
        let config = config(DURABLE);
        Some(Self::Machine::max_message_len(&config, T::STATE_LEN, T::DELTA_LEN))
    }

    fn max_record_len(_replica: &Self::Machine) -> Option<usize> {
        Some(Self::Machine::max_record_len(&config(DURABLE), T::STATE_LEN))
    }

    /// Deltas or a state, whichever is longer.
    fn longest_message(&self) -> Option<Vec<u8>> {
        let header = [u64::MAX, u64::MAX, u64::MAX, 1];
        let deltas = (MAX_DELTA as usize).max(2 + T::DELTA_LEN).min(L::LIMIT);
        let (kind, len) = if T::STATE_LEN > deltas { (3, T::STATE_LEN) } else { (2, deltas) };
        Some(encoded(&[&header[..], &[kind, u64::MAX]].concat(), Some(len)))
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        let (kind, len) = if T::STATE_LEN > L::LIMIT { (2, T::STATE_LEN) } else { (1, L::LIMIT) };
        DURABLE.then(|| encoded(&[kind], Some(len)))
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
