//! The machines of the quorum store keep the contract of `Machine`: a node, and replicas with clients apart from them.

use core::marker::PhantomData;

use quorate_clocks::{Actor, Stamp, Timestamp};
use quorate_core::{
    Corrupt, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections, Rng, Shown, Ticket,
    Wire as _, Writer,
};
use quorate_ring::quorum::{
    self, Config, Coordinator, CoordinatorStatus, Event, Inline, Level, Lww, Message, Node, Order,
    ReadOptions, ReadRepair, Record, Replica, Replicated, Tagged, Value, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

const KEYS: usize = 8;
const REQUESTS: usize = 4;

type Ring = Replicated<HashRing<quorate_ring::Inline<3, 12>>>;
type Memory = Inline<KEYS, 8, REQUESTS, 16, 4>;
type Store<V> = Node<V, Ring, Memory>;

/// The application of one node: it writes and reads.
#[derive(Clone)]
struct Application<V> {
    node: u64,
    values: PhantomData<V>,
}

trait Data: Value + 'static {
    const NAME: &'static str;
    const APART: &'static str;
    const LEN: usize;
    fn make(node: u64, now: Instant, number: u32) -> (Self, Order);
    fn deleted(node: u64, now: Instant) -> (Self, Order);
}

impl Data for Lww<u32> {
    const NAME: &'static str = "a node with values of which the last stays";
    const APART: &'static str = "replicas and clients with values of which the last stays";
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
    const APART: &'static str = "replicas and clients with registers";
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

/// Two replicas of each key, and one node that stands in.
fn layout(replicas: [u64; 3]) -> Ring {
    let mut ring = HashRing::new(KeyHash::default(), 4);
    ring.add_all(&replicas.map(|id| Member::new(NodeId::new(id)))).unwrap();
    Replicated::new(Version { epoch: 1, digest: 1 }, ring, 2).with_fallbacks(1)
}

/// How often something is due within a second.
const fn times(every_us: u64) -> u64 {
    1_000_000 / every_us + 1
}

/// The most messages for requests from one node to another in a second: of each request one in each of three phases, and one for each time after which it is
/// tried again.
const fn of_requests(act_us: u64) -> u64 {
    let begun = 2 * times(act_us);
    3 * begun + REQUESTS as u64 * times(CONFIG.retry_us)
}

/// And those of the replicas among themselves: in each step of a sweep what is compared, what is offered, and each of the keys; hints, of which each request makes one;
/// a question about the floor, one about a disk that is lost, and all that again where no answer came.
const fn of_replicas(act_us: u64) -> u64 {
    let sweeps = (2 + KEYS as u64) * times(CONFIG.sweep_us);
    let hints = 2 * 2 * times(act_us) + times(CONFIG.handoff_us);
    sweeps + hints + 2 * times(CONFIG.retry_us) + REQUESTS as u64 * times(CONFIG.retry_us)
}

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
    // each node asks, and answers, as much as the others
    const MESSAGES_PER_SECOND: u64 = 2 * (of_requests(Self::ACT_US) + of_replicas(Self::ACT_US));
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const REJECTED: &'static [Rejected] = &[Rejected::Malformed];

    fn new(node: usize) -> Self {
        Self { node: node as u64 + 1, values: PhantomData }
    }

    fn boot(&self, seed: u64) -> Self::Machine {
        Store::new(NodeId::new(self.node), seed, layout([1, 2, 3]), CONFIG).unwrap()
    }

    fn durable(machine: &Self::Machine) -> String {
        durable(&machine.status(), |key| machine.local(key))
    }

    fn act(&mut self, machine: &mut Self::Machine, now: Instant, rng: &mut Rng) {
        if !machine.status().founded {
            machine.found();
        }
        machine.set_down(NodeId::new(1 + rng.below(3)), rng.chance(1, 6));
        let _ = match request(self.node, now, rng) {
            (key, Asked::Write(value, options)) => machine.write(now, &key, value, options),
            (key, Asked::Read(options)) => machine.read(now, &key, options),
        };
    }

    fn refusals(message: &Message<'_, V>) -> Vec<Vec<u8>> {
        refusals(message)
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
        Some(longest_offer())
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

/// What a replica holds durably.
fn durable<'a, V: Data>(status: &quorum::Status, local: impl Fn(&[u8]) -> Option<&'a V>) -> String {
    let values = (0..KEYS as u8).map(|key| format!("{:?}", local(&[key])));
    format!("{} {} {} {}", status.founded, status.floor, status.hints, values.collect::<String>())
}

/// What a client asks for.
enum Asked<V> {
    Write(V, WriteOptions),
    Read(ReadOptions),
}

fn request<V: Data>(node: u64, now: Instant, rng: &mut Rng) -> ([u8; 1], Asked<V>) {
    let key = [rng.below(KEYS as u64) as u8];
    let (level, sloppy) = (Level::Count(1 + rng.below(2) as u8), rng.chance(1, 3));
    if rng.chance(1, 2) {
        let (value, order) = if rng.chance(1, 4) {
            V::deleted(node, now)
        } else {
            V::make(node, now, rng.below(100) as u32)
        };
        (key, Asked::Write(value, WriteOptions { level, sloppy, order, primaries: 0 }))
    } else {
        let repair =
            [ReadRepair::Off, ReadRepair::Background, ReadRepair::Blocking, ReadRepair::Always];
        let repair = repair[rng.below(4) as usize];
        (key, Asked::Read(ReadOptions { level, sloppy, repair, primaries: 0 }))
    }
}

/// The answers of a node that is full of everything.
fn refusals<V: Data>(message: &Message<'_, V>) -> Vec<Vec<u8>> {
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

/// A client, or one of the replicas that it asks: the nodes of a run are of one type.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // there are four of them
enum Apart<V: Data> {
    Client(Coordinator<V, Ring, Memory>),
    Replica(Replica<V, Ring, Memory>),
}

#[derive(Clone, PartialEq, Debug)]
#[allow(dead_code)] // it is compared and shown
enum ApartStatus {
    Client(CoordinatorStatus),
    Replica(quorum::Status),
}

impl<V: Data> Machine for Apart<V> {
    type Message<'a> = Message<'a, V>;
    type Record<'a> = Record<'a, V>;
    type Event<'a> = Event<'a, V>;
    type Status = ApartStatus;

    fn restore(&mut self, record: Record<'_, V>) -> Result<(), Corrupt> {
        match self {
            Self::Client(client) => client.restore(record),
            Self::Replica(replica) => replica.restore(record),
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, V>,
    ) -> Result<(), Rejected> {
        match self {
            Self::Client(client) => client.receive(now, from, message),
            Self::Replica(replica) => replica.receive(now, from, message),
        }
    }

    fn tick(&mut self, now: Instant) {
        match self {
            Self::Client(client) => client.tick(now),
            Self::Replica(replica) => replica.tick(now),
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        match self {
            Self::Client(client) => client.persisted(ticket),
            Self::Replica(replica) => replica.persisted(ticket),
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        match self {
            Self::Client(client) => client.poll().map(of),
            Self::Replica(replica) => replica.poll().map(of),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.deadline(),
            Self::Replica(replica) => replica.deadline(),
        }
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, V>> {
        let (client, replica) = match self {
            Self::Client(client) => (Some(client.checkpoint()), None),
            Self::Replica(replica) => (None, Some(replica.checkpoint())),
        };
        client.into_iter().flatten().chain(replica.into_iter().flatten())
    }

    fn status(&self) -> ApartStatus {
        match self {
            Self::Client(client) => ApartStatus::Client(client.status()),
            Self::Replica(replica) => ApartStatus::Replica(replica.status()),
        }
    }

    fn rejections(&self) -> Rejections {
        match self {
            Self::Client(client) => client.rejections(),
            Self::Replica(replica) => replica.rejections(),
        }
    }
}

/// The same output, of the machine that is one of two.
fn of<'a, V: Data, M>(output: Output<'a, M>) -> Output<'a, Apart<V>>
where
    M: Machine<Message<'a> = Message<'a, V>, Record<'a> = Record<'a, V>, Event<'a> = Event<'a, V>>,
{
    match output {
        Output::Persist(ticket, record) => Output::Persist(ticket, record),
        Output::Send(to, message) => Output::Send(to, message),
        Output::Event(event) => Output::Event(event),
    }
}

/// The application of a client, or of a replica, which has nothing to do.
#[derive(Clone)]
struct ApartApplication<V> {
    node: u64,
    values: PhantomData<V>,
}

/// The first node is the client; the last one, which misbehaves, is a replica.
const CLIENT: u64 = 1;
const REPLICAS: [u64; 3] = [2, 3, 4];

impl<V: Data> Specimen for ApartApplication<V> {
    type Machine = Apart<V>;

    const NAME: &'static str = V::APART;
    const NODES: usize = 1 + REPLICAS.len();
    // what the client asks is answered, and of replicas each asks as much as it answers
    const MESSAGES_PER_SECOND: u64 = {
        let (requests, replicas) = (of_requests(Self::ACT_US), 2 * of_replicas(Self::ACT_US));
        if requests > replicas { requests } else { replicas }
    };
    const ANSWERS_PER_MESSAGE: u64 = 1;
    // a client that is asked, and a node that gets its own message
    const REJECTED: &'static [Rejected] = &[Rejected::Malformed, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self { node: node as u64 + 1, values: PhantomData }
    }

    fn boot(&self, seed: u64) -> Apart<V> {
        let (id, layout) = (NodeId::new(self.node), layout(REPLICAS));
        if self.node == CLIENT {
            Apart::Client(Coordinator::new(id, seed, layout, CONFIG).unwrap())
        } else {
            Apart::Replica(Replica::new(id, seed, layout, CONFIG).unwrap())
        }
    }

    fn durable(machine: &Apart<V>) -> String {
        match machine {
            Apart::Client(_) => String::new(),
            Apart::Replica(replica) => durable(&replica.status(), |key| replica.local(key)),
        }
    }

    fn act(&mut self, machine: &mut Apart<V>, now: Instant, rng: &mut Rng) {
        let (node, down) = (NodeId::new(REPLICAS[rng.below(3) as usize]), rng.chance(1, 6));
        match machine {
            Apart::Replica(replica) => {
                if !replica.status().founded {
                    replica.found();
                }
                replica.set_down(node, down);
            }
            Apart::Client(client) => {
                client.set_down(node, down);
                let _ = match request(self.node, now, rng) {
                    (key, Asked::Write(value, options)) => client.write(now, &key, value, options),
                    (key, Asked::Read(options)) => client.read(now, &key, options),
                };
            }
        }
    }

    fn refusals(message: &Message<'_, V>) -> Vec<Vec<u8>> {
        refusals(message)
    }

    fn memory(_machine: &Apart<V>) -> Vec<(&'static str, usize, usize)> {
        vec![
            ("bytes of a replica", size_of::<Replica<V, Ring, Memory>>(), 16_384),
            ("bytes of a client", size_of::<Coordinator<V, Ring, Memory>>(), 4_096),
        ]
    }

    fn max_message_len(_machine: &Apart<V>) -> Option<usize> {
        Some(Replica::<V, Ring, Memory>::max_message_len(&CONFIG, V::LEN, 0))
    }

    fn max_record_len(_machine: &Apart<V>) -> Option<usize> {
        Some(Replica::<V, Ring, Memory>::max_record_len(&CONFIG, V::LEN))
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some(longest_offer())
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

fn longest_offer() -> Vec<u8> {
    let parts = [[u64::MAX; 4].as_slice(), &[10, u64::MAX, u64::MAX, u64::MAX]].concat();
    encoded(&parts, &[256])
}

#[test]
fn longest_message_of_a_client_is_a_hint_or_its_topology() {
    type Client = Coordinator<Tagged<u32>, Ring, Memory>;
    const LEN: usize = <Tagged<u32> as Data>::LEN;
    let header = [u64::MAX; 4];
    let hint = encoded(&[&header[..], &[1, u64::MAX]].concat(), &[8, LEN]);
    assert_eq!(Client::max_message_len(&CONFIG, LEN, 0), hint.len());
    let topology = encoded(&[&header[..], &[6]].concat(), &[200]);
    assert_eq!(Client::max_message_len(&CONFIG, LEN, 200), topology.len());
    for bytes in [hint, topology] {
        assert!(Message::<Tagged<u32>>::from_slice(&bytes).is_ok());
    }
}

conformance_tests! {
    last_write_wins: Application<Lww<u32>>, seeds 0..8;
    registers: Application<Tagged<u32>>, seeds 0..8;
    last_write_wins_apart: ApartApplication<Lww<u32>>, seeds 0..8;
    registers_apart: ApartApplication<Tagged<u32>>, seeds 0..8;
}
