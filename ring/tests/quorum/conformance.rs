//! A node of the quorum store keeps the contract of `Machine`.

use quorate_clocks::{Actor, Stamp, Timestamp};
use quorate_core::{
    Instant, Machine as _, NodeId, Reader, Rejected, Rng, Shown, Wire as _, Writer,
};
use quorate_ring::quorum::{
    Config, Inline, Level, Lww, Message, Node, Order, ReadOptions, ReadRepair, Record, Replicated,
    Tagged, Value, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

type Ring = Replicated<HashRing<quorate_ring::Inline<3, 12>>>;
type Store<V> = Node<V, Ring, Inline<8, 8, 4, 16, 4>>;

/// The application of one node: it writes and reads.
#[derive(Clone)]
struct Application<V> {
    node: u64,
    values: core::marker::PhantomData<V>,
}

trait Data: Value + 'static {
    const NAME: &'static str;
    const LEN: usize;
    fn make(node: u64, now: Instant, number: u32) -> (Self, Order);
    fn deleted(node: u64, now: Instant) -> (Self, Order);
}

impl Data for Lww<u32> {
    const NAME: &'static str = "a node with values of which the last stays";
    const LEN: usize = 10 + 15 + 1 + 5;

    fn make(node: u64, now: Instant, number: u32) -> (Self, Order) {
        (Self::new(stamp(node, now), number), Order::Formed)
    }

    fn deleted(node: u64, now: Instant) -> (Self, Order) {
        (Self::tombstone(stamp(node, now)), Order::Formed)
    }
}

impl Data for Tagged<u32> {
    const NAME: &'static str = "a node with registers";
    const LEN: usize = 4 * 10 + 1 + 5;

    fn make(_node: u64, _now: Instant, number: u32) -> (Self, Order) {
        (Self::new(number), Order::AfterRead)
    }

    fn deleted(_node: u64, _now: Instant) -> (Self, Order) {
        (Self::tombstone(), Order::AfterRead)
    }
}

fn stamp(node: u64, now: Instant) -> Stamp {
    let time = Timestamp::from_micros(now.as_micros() + 1);
    Stamp { time, actor: Actor::from(NodeId::new(node)) }
}

const CONFIG: Config = Config {
    retry_us: 100_000,
    attempts: 4,
    handoff_us: 200_000,
    hint_life_us: 2_000_000,
    sweep_us: 50_000,
    sweep_pause_us: 200_000,
    purge_us: 500_000,
    max_key_len: 8,
    ..Config::lan()
};

fn encoded(parts: &[u64], runs: &[usize]) -> Vec<u8> {
    let runs: Vec<Vec<u8>> = runs.iter().map(|len| vec![0; *len]).collect();
    let mut bytes = vec![0; 4096];
    let mut out = Writer::new(&mut bytes);
    parts.iter().for_each(|number| out.u64(*number));
    runs.iter().for_each(|run| out.bytes(run));
    let len = out.needed();
    bytes.truncate(len);
    bytes
}

impl<V: Data> Specimen for Application<V> {
    type Machine = Store<V>;

    const NAME: &'static str = V::NAME;
    const MESSAGES_PER_SECOND: u64 = 1_000;
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const REJECTED: &'static [Rejected] = &[Rejected::Malformed];

    fn new(node: usize) -> Self {
        Self { node: node as u64 + 1, values: core::marker::PhantomData }
    }

    fn boot(&self, seed: u64) -> Self::Machine {
        let mut ring = HashRing::new(KeyHash::default(), 4);
        ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id)))).unwrap();
        let layout = Replicated::new(Version { epoch: 1, digest: 1 }, ring, 2).with_fallbacks(1);
        Store::new(NodeId::new(self.node), seed, layout, CONFIG).unwrap()
    }

    fn durable(machine: &Self::Machine) -> String {
        let values = (0..8).map(|key| format!("{:?}", machine.local(&[key])));
        let status = machine.status();
        format!(
            "{} {} {} {}",
            status.founded,
            status.floor,
            status.hints,
            values.collect::<String>()
        )
    }

    fn act(&mut self, machine: &mut Self::Machine, now: Instant, rng: &mut Rng) {
        if !machine.status().founded {
            machine.found();
        }
        let key = [rng.below(8) as u8];
        let (level, sloppy) = (Level::Count(1 + rng.below(2) as u8), rng.chance(1, 3));
        machine.set_down(NodeId::new(1 + rng.below(3)), rng.chance(1, 6));
        let _ = if rng.chance(1, 2) {
            let (value, order) = if rng.chance(1, 4) {
                V::deleted(self.node, now)
            } else {
                V::make(self.node, now, rng.below(100) as u32)
            };
            let options = WriteOptions { level, sloppy, order, primaries: 0 };
            machine.write(now, &key, value, options)
        } else {
            let repair =
                [ReadRepair::Off, ReadRepair::Background, ReadRepair::Blocking, ReadRepair::Always];
            let repair = repair[rng.below(4) as usize];
            let options = ReadOptions { level, sloppy, repair, primaries: 0 };
            machine.read(now, &key, options)
        };
    }

    /// A node that is full of everything.
    fn refusals(message: &Message<'_, V>) -> Vec<Vec<u8>> {
        let bytes = message.to_vec();
        let mut input = Reader::new(&bytes);
        let header: Vec<u64> = (0..4).map(|_| input.u64().unwrap()).collect();
        let refused = |reason: &[u64]| encoded(&[&header[..], &[5], reason].concat(), &[]);
        match input.u8().unwrap() {
            0 | 1 | 3 | 7 | 10 | 12 | 14 | 16 => {
                vec![refused(&[0]), refused(&[1]), refused(&[2, 9]), refused(&[4])]
            }
            _ => Vec::new(), // an answer
        }
    }

    fn memory(_machine: &Self::Machine) -> Vec<(&'static str, usize, usize)> {
        vec![("bytes", size_of::<Self::Machine>(), 16_384)]
    }

    fn max_message_len(_machine: &Self::Machine) -> Option<usize> {
        Some(Self::Machine::max_message_len(&CONFIG, V::LEN, 0))
    }

    fn max_record_len(_machine: &Self::Machine) -> Option<usize> {
        Some(Self::Machine::max_record_len(&CONFIG, V::LEN))
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        let parts = [[u64::MAX; 4].as_slice(), &[10, u64::MAX, u64::MAX, u64::MAX]].concat();
        Some(encoded(&parts, &[256]))
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Some(encoded(&[1, u64::MAX], &[8, V::LEN]))
    }

    fn message_text(message: &Message<'_, V>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_, V>) -> String {
        Shown(record).to_string()
    }
}

conformance_tests! {
    last_write_wins: Application<Lww<u32>>, seeds 0..8;
    registers: Application<Tagged<u32>>, seeds 0..8;
}
