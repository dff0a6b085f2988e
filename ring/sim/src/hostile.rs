//! A node of the store and a migration against anything that a peer may send: what the fuzz targets run, and the tests replay.
//!
//! No input, however hostile, may panic a machine, make it say more than it may, change anything when it is refused, leave records from
//! which it does not come back, or keep it from being idle. Bytes are read as a list of inputs, so that a fuzzer can cut and splice them.

use core::fmt::Debug;

use quorate_clocks::{Actor, Siblings, Stamp, Timestamp};
use quorate_core::{
    Declared, FieldValue, Hint, Instant, Machine, NodeId, Output, Rejected, Shown, Ticket, Wire,
};
use quorate_ring::migration::{self, Migration};
use quorate_ring::quorum::{
    self, Inline, Level, Lww, Node, Order, ReadOptions, ReadRepair, Replicated, Tagged, Value,
    WriteOptions,
};
use quorate_ring::topology::{Entry, Topology, Version};
use quorate_ring::{HashRing, KeyHash, Member, TokenRange};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

type Verdict = Result<(), String>;
type List = Topology<quorate_ring::Inline<4>>;
type Values = Siblings<u8, quorate_clocks::Inline<3>>;

/// Decodes bytes as what the first byte names. What decodes encodes to the same bytes; topologies keep the laws of merging, or err and
/// change nothing; and so do values.
///
/// # Errors
///
/// What was violated.
pub fn decode(data: &[u8]) -> Verdict {
    let Some((&kind, data)) = data.split_first() else { return Ok(()) };
    match kind {
        0 => topologies(data),
        1 => check_round_trip::<Version>(data),
        2 => check_round_trip::<Entry>(data),
        3 => check_round_trip::<quorum::Message<'_, Tagged<u8>>>(data),
        4 => check_round_trip::<quorum::Record<'_, Tagged<u8>>>(data),
        5 => check_round_trip::<migration::Message<'_, TokenRange>>(data),
        6 => check_round_trip::<migration::Record<'_, TokenRange>>(data),
        7 => check_round_trip::<migration::Message<'_, u64>>(data),
        8 => values::<Tagged<u8>>(data),
        9 => values::<Lww<u8>>(data),
        10 => values::<Values>(data),
        _ => Ok(()),
    }
}

/// Two topologies, the second after the length of the first.
fn topologies(data: &[u8]) -> Verdict {
    let (first, second) = pieces(data);
    check_round_trip::<List>(first)?;
    check_round_trip::<List>(second)?;
    let (Ok(a), Ok(b)) = (List::from_slice(first), List::from_slice(second)) else { return Ok(()) };
    let (mut ab, mut ba) = (a.clone(), b.clone());
    let say = |what: &str| Err(format!("{what}: {a:?} and {b:?}"));
    match (ab.merge(&b), ba.merge(&a)) {
        (Ok(_), Ok(_)) => {
            if ab != ba || ab.version() != ba.version() {
                return say("merged otherwise the other way round");
            }
            if ab.merge(&a).is_err() || ab.merge(&b).is_err() || ab != ba {
                return say("twice is not once");
            }
            if List::from_slice(&bytes(&ab)).as_ref() != Ok(&ab) {
                return say("what comes of merging cannot be read");
            }
        }
        (Err(_), Err(_)) if ab == a && ba == b => {}
        (Err(_), _) if ab != a => return say("an error changed something"),
        (_, Err(_)) if ba != b => return say("an error changed something"),
        _ => {}
    }
    Ok(())
}

/// Two values, the second after the length of the first.
fn values<V: Value>(data: &[u8]) -> Verdict {
    let (first, second) = pieces(data);
    check_round_trip::<V>(first)?;
    check_round_trip::<V>(second)?;
    let (Ok(a), Ok(b)) = (V::from_slice(first), V::from_slice(second)) else { return Ok(()) };
    let (mut ab, mut ba) = (a.clone(), b.clone());
    let say = |what: &str| Err(format!("{what}: {a:?} and {b:?}"));
    match (ab.merge(&b), ba.merge(&a)) {
        (Ok(news), Ok(back)) => {
            if ab != ba {
                return say("merged otherwise the other way round");
            }
            if news != (ab != a) || back != (ba != b) {
                return say("whether it changed is wrong");
            }
            if ab.merge(&a) != Ok(false) || ab.merge(&b) != Ok(false) || ab != ba {
                return say("twice is not once");
            }
            if ab.clock() < a.clock().max(b.clock()) {
                return say("the clock goes back");
            }
            if !ab.includes(&a.context()) || !ab.includes(&b.context()) {
                return say("the merged value includes less");
            }
        }
        (Err(_), Err(_)) if ab == a && ba == b => {}
        (Err(_), Err(_)) => return say("an error changed something"),
        _ => return say("merged one way only"),
    }
    Ok(())
}

fn pieces(data: &[u8]) -> (&[u8], &[u8]) {
    let mut input = Input::new(data);
    let len = input.byte().unwrap_or(0);
    (input.take(usize::from(len)), input.rest())
}

fn bytes<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}

/// Gives a machine a list of inputs. The first byte chooses it.
///
/// # Errors
///
/// What was violated.
pub fn messages(data: &[u8]) -> Verdict {
    outcomes(data).map(drop)
}

/// The same; what became of the messages.
///
/// # Errors
///
/// What was violated.
pub fn outcomes(data: &[u8]) -> Result<Outcomes, String> {
    let Some((&which, rest)) = data.split_first() else { return Ok(Outcomes::default()) };
    match which % 4 {
        0 => UnderTest::<Store<Tagged<u8>>>::new().run(rest),
        1 => UnderTest::<Store<Lww<u8>>>::new().run(rest),
        2 => UnderTest::<Store<Values>>::new().run(rest),
        _ => UnderTest::<Mover>::new().run(rest),
    }
}

/// A machine, and what its application does.
trait Victim: Machine + Clone + Debug {
    /// What the application has to do because of an event.
    type Todo;

    const MAX_MESSAGE_LEN: usize;
    const MAX_RECORD_LEN: usize;

    fn boot(incarnation: u64) -> Self;

    /// The application does something.
    fn act(&mut self, now: Instant, argument: u8);

    fn note(event: Self::Event<'_>) -> Option<Self::Todo>;

    fn respond(&mut self, todo: Self::Todo);

    fn sent(message: &Self::Message<'_>, echo: &mut Echo);

    /// A message near what the machine has said and holds; `None` where the bytes are none.
    fn receive_near(
        &mut self,
        now: Instant,
        from: NodeId,
        echo: &Echo,
        input: &mut Input<'_>,
    ) -> Option<Received>;
}

/// What a machine did with a message: its name, its text, and the result.
type Received = (&'static str, String, Result<(), Rejected>);

const NODE: NodeId = NodeId::new(2);
const NODES: [NodeId; 3] = [NodeId::new(1), NODE, NodeId::new(3)];

/// Peers mostly; the machine itself, and strangers.
const SENDERS: [u64; 8] = [1, 3, 1, 3, 1, 3, 2, 9];

/// More outputs than this at once are a storm.
const MAX_OUTPUTS: usize = 200;

/// The machine, and its disk.
struct UnderTest<M> {
    machine: M,
    now: Instant,
    incarnation: u64,
    disk: Vec<Vec<u8>>,
    waiting: Vec<(Ticket, Vec<u8>)>,
    echo: Echo,
    outcomes: Outcomes,
}

impl<M: Victim> UnderTest<M> {
    fn new() -> Self {
        Self {
            machine: M::boot(1),
            now: Instant::ZERO,
            incarnation: 1,
            disk: Vec::new(),
            waiting: Vec::new(),
            echo: Echo::default(),
            outcomes: Outcomes::default(),
        }
    }

    fn run(mut self, data: &[u8]) -> Result<Outcomes, String> {
        let mut input = Input::new(data);
        self.machine.tick(self.now);
        self.drain()?;
        while let Some(what) = input.byte() {
            self.step(what, &mut input)?;
            self.drain()?;
        }
        self.sync();
        self.drain()?;
        self.restart(true)?;
        self.drain()?;
        Ok(self.outcomes)
    }

    fn step(&mut self, what: u8, input: &mut Input<'_>) -> Verdict {
        if what % 16 < 10 {
            let from = SENDERS[usize::from(what / 16 % 8)];
            return self.receive(NodeId::new(from), input);
        }
        let argument = input.byte().unwrap_or(0);
        match what % 16 {
            10 => {
                self.now = self.now.after(u64::from(argument) * 4_000);
                self.machine.tick(self.now);
            }
            11 | 12 => self.machine.act(self.now, argument),
            13 => self.sync(),
            14 => return self.restart(argument.is_multiple_of(2)),
            _ => {
                // clocks that go back, or far on
                let odd = if argument < 128 { Instant::ZERO } else { self.now.after(1 << 36) };
                self.now = self.now.max(odd);
                self.machine.tick(odd);
            }
        }
        Ok(())
    }

    fn receive(&mut self, from: NodeId, input: &mut Input<'_>) -> Verdict {
        self.machine.tick(self.now);
        self.drain()?;
        let before = self.machine.clone();
        let received = self.machine.receive_near(self.now, from, &self.echo, input);
        let Some((name, text, result)) = received else { return Ok(()) };
        self.outcomes.record(name, result);
        let Err(reason) = result else { return Ok(()) };
        if self.machine.rejections() == before.rejections() {
            return Err(format!("{text} of {from} was refused as {reason:?}, and not counted"));
        }
        if without_counters(&self.machine) != without_counters(&before) {
            return Err(format!("{text} of {from} was refused as {reason:?}, and changed it"));
        }
        Ok(())
    }

    fn sync(&mut self) {
        if let Some((ticket, _)) = self.waiting.last() {
            let ticket = *ticket;
            self.disk.extend(self.waiting.drain(..).map(|(_, record)| record));
            self.machine.persisted(ticket);
        }
    }

    fn restart(&mut self, written: bool) -> Verdict {
        let waiting = std::mem::take(&mut self.waiting);
        self.disk.extend(waiting.into_iter().filter(|_| written).map(|(_, record)| record));
        self.incarnation += 1;
        self.machine = M::boot(self.incarnation);
        for record in &self.disk {
            let record = M::Record::from_slice(record).map_err(|error| error.to_string())?;
            let restored = self.machine.restore(record);
            restored.map_err(|error| format!("its own record: {error}"))?;
        }
        self.machine.tick(self.now);
        Ok(())
    }

    fn drain(&mut self) -> Verdict {
        let mut said = 0;
        loop {
            let mut todo = Vec::new();
            let before = said;
            while let Some(output) = self.machine.poll() {
                said += 1;
                if said > MAX_OUTPUTS {
                    return Err("it does not stop talking".into());
                }
                match output {
                    Output::Persist(ticket, record) => {
                        let record = bytes(&record);
                        if record.len() > M::MAX_RECORD_LEN {
                            return Err(format!("a record of {} bytes", record.len()));
                        }
                        self.waiting.push((ticket, record));
                    }
                    Output::Send(_, message) => {
                        let len = bytes(&message).len();
                        if len > M::MAX_MESSAGE_LEN {
                            return Err(format!("a message of {len} bytes"));
                        }
                        M::sent(&message, &mut self.echo);
                    }
                    Output::Event(event) => todo.extend(M::note(event)),
                }
            }
            if said == before {
                return Ok(());
            }
            todo.into_iter().for_each(|todo| self.machine.respond(todo));
        }
    }
}

/// All of a machine, but for the count of what it refused.
fn without_counters<M: Victim>(machine: &M) -> String {
    let text = format!("{machine:?}");
    let counters = format!("{:?}", machine.rejections());
    text.replace(&counters, "")
}

// The quorum store

type Ring = Replicated<HashRing<quorate_ring::Inline<3, 12>>>;
type Store<V> = Node<V, Ring, Inline<6, 8, 3, 6, 3>>;

const CONFIG: quorum::Config = quorum::Config {
    retry_us: 100_000,
    attempts: 3,
    handoff_us: 200_000,
    hint_life_us: 2_000_000,
    sweep_us: 50_000,
    sweep_pause_us: 200_000,
    purge_us: 500_000,
    max_key_len: 8,
    ..quorum::Config::lan()
};

/// A value that a test forms.
trait Data: Value + 'static {
    /// The longest encoding.
    const MAX_LEN: usize;

    /// A value of a write after this one, or a tombstone.
    fn after(stored: Option<&Self>, node: NodeId, data: Option<u8>) -> Self;
}

impl Data for Tagged<u8> {
    const MAX_LEN: usize = 4 * 10 + 1 + 2;

    fn after(stored: Option<&Self>, _node: NodeId, data: Option<u8>) -> Self {
        let number = stored.map_or(0, |stored| stored.tag().number()).saturating_add(1);
        data.map_or_else(Self::tombstone, |data| Self::nth(number, data))
    }
}

impl Data for Lww<u8> {
    const MAX_LEN: usize = 10 + 10 + 5 + 1 + 2;

    fn after(stored: Option<&Self>, node: NodeId, data: Option<u8>) -> Self {
        let bits = stored.map_or(0, |stored| stored.stamp().time.to_bits()).saturating_add(1);
        let stamp = Stamp { time: Timestamp::from_bits(bits), actor: Actor::from(node) };
        data.map_or_else(|| Self::tombstone(stamp), |data| Self::new(stamp, data))
    }
}

impl Data for Values {
    const MAX_LEN: usize = 1 + 3 * 25 + 1 + 3 * (25 + 2);

    fn after(stored: Option<&Self>, node: NodeId, data: Option<u8>) -> Self {
        let mut value = stored.cloned().unwrap_or_default();
        let context = value.context().clone();
        let actor = Actor::from(node);
        _ = match data {
            Some(data) => value.write_above(actor, &context, data, 0).is_ok(),
            None => value.delete_above(actor, &context, 0).is_ok(),
        };
        value
    }
}

impl<V: Data> Victim for Store<V> {
    type Todo = ();

    const MAX_MESSAGE_LEN: usize = Self::max_message_len(&CONFIG, V::MAX_LEN, 0);
    const MAX_RECORD_LEN: usize = Self::max_record_len(&CONFIG, V::MAX_LEN);

    fn boot(incarnation: u64) -> Self {
        let mut ring = HashRing::new(KeyHash::default(), 4);
        ring.add_all(&NODES.map(Member::new)).unwrap();
        let layout = Replicated::new(Version { epoch: 1, digest: 1 }, ring, 2).with_fallbacks(1);
        Self::new(NODE, incarnation, layout, CONFIG).unwrap()
    }

    fn act(&mut self, now: Instant, argument: u8) {
        let key = [argument % 4];
        let level = [Level::One, Level::Quorum, Level::All][usize::from(argument / 4 % 3)];
        let sloppy = argument & 0x10 != 0;
        match argument >> 5 {
            0 => self.found(),
            1 => self.set_down(NODES[usize::from(argument % 3)], argument & 0x10 != 0),
            2..5 => {
                let order = if argument & 4 == 0 { Order::Formed } else { Order::AfterRead };
                let data = (argument & 0x0c != 0).then_some(argument);
                let value = V::after(self.local(&key), NODE, data);
                let options = WriteOptions { level, sloppy, order, primaries: 0 };
                _ = self.write(now, &key, value, options);
            }
            which => {
                let repair = [ReadRepair::Off, ReadRepair::Background, ReadRepair::Always];
                let repair = repair[usize::from(argument / 4 % 3)];
                let options = ReadOptions { level, sloppy, repair, primaries: 0 };
                let seen = self.local(&key).map(Value::context);
                _ = match seen.filter(|_| which == 7) {
                    Some(seen) => self.read_at_least(now, &key, options, seen),
                    None => self.read(now, &key, options),
                };
            }
        }
    }

    fn note(_event: quorum::Event<'_, V>) -> Option<()> {
        None
    }

    fn respond(&mut self, _todo: ()) {}

    fn sent(message: &quorum::Message<'_, V>, echo: &mut Echo) {
        echo.sent(message);
    }

    fn receive_near(
        &mut self,
        now: Instant,
        from: NodeId,
        echo: &Echo,
        input: &mut Input<'_>,
    ) -> Option<Received> {
        let keys: [&[u8]; 6] = [&[0], &[1], &[2], &[3], &[], &[9; 9]];
        let stored = self.local(&[0]).cloned();
        let later = V::after(stored.as_ref(), from, Some(7));
        let tombstone = V::after(Some(&later), from, None);
        let other = V::after(stored.as_ref(), from, Some(8));
        let mut values: Vec<Vec<u8>> = [&later, &tombstone, &other].map(bytes).into();
        values.extend(stored.iter().map(bytes));
        values.push(vec![0xff; 3]);
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let last = |field: &str| [echo.last(field)];
        let (numbers, incarnations) = (last("number"), last("incarnation"));
        let (salts, prints, keys_held) = (last("salt"), last("fingerprint"), last("keys"));
        let ends = [0, u64::MAX, echo.last("first"), echo.last("last")];
        let clocks = [self.status().floor, later.clock(), echo.last("sealed")];
        let digests: [&[u8]; 4] = [&[], &[0; 8], &[1; 24], &[2; 7]];
        let hints = [
            Hint::near("incarnation", &incarnations),
            Hint::near("number", &numbers),
            Hint::near("epoch", &[1]),
            Hint::near("digest", &[1]),
            Hint::bytes("key", &keys),
            Hint::bytes("value", &values),
            Hint::near("owner", &[2]),
            Hint::near("salt", &salts),
            Hint::near("first", &ends),
            Hint::near("last", &ends),
            Hint::near("keys", &keys_held),
            Hint::near("fingerprint", &prints),
            Hint::bytes("digests", &digests),
            Hint::near("floor", &clocks),
            Hint::near("sealed", &clocks),
            Hint::near("wanted", &clocks),
        ];
        let message = input.message::<quorum::Message<'_, V>>(&hints)?;
        let (name, text) = (body(&message), Shown(&message).to_string());
        Some((name, text, self.receive(now, from, message)))
    }
}

// Migration

type Mover = Migration<u64, migration::Inline<3, 2, 32, 4>>;

const MOVER: migration::Config = migration::Config {
    retry_us: 100_000,
    stall_us: 400_000,
    bytes_per_second: 100_000,
    ..migration::Config::lan()
};

/// What the application of a migration has to do.
enum Todo {
    Accept(u64),
    Read(u64, u8),
    Apply(u64),
    Release(u64),
}

impl Victim for Mover {
    type Todo = Todo;

    const MAX_MESSAGE_LEN: usize = Self::max_message_len(&MOVER);
    const MAX_RECORD_LEN: usize = Self::max_record_len(&MOVER);

    fn boot(_incarnation: u64) -> Self {
        Self::new(NODE, &NODES, MOVER).unwrap()
    }

    fn act(&mut self, _now: Instant, argument: u8) {
        let range = u64::from(argument % 4);
        let to = NODES[usize::from(argument / 4 % 3)];
        // what does not fit the state of the hand-over is refused
        _ = match argument >> 5 {
            0..3 => self.begin(range, to, Version { epoch: 1, digest: 1 }).is_ok(),
            3 => self.forward(range, &[argument; 5]).is_ok(),
            4 => self.cancel(range).is_ok(),
            5 => self.release(range).is_ok(),
            6 => self.retire(range).is_ok(),
            _ => self.reclaim(range).is_ok(),
        };
    }

    fn note(event: migration::Event<'_, u64>) -> Option<Todo> {
        match event {
            migration::Event::Offered { range, .. } => Some(Todo::Accept(range)),
            migration::Event::Read { range, after, .. } => {
                Some(Todo::Read(range, after.first().copied().unwrap_or(0)))
            }
            migration::Event::Apply { range, .. } => Some(Todo::Apply(range)),
            migration::Event::Copied { range, .. } => Some(Todo::Release(range)),
            _ => None,
        }
    }

    fn respond(&mut self, todo: Todo) {
        // a hand-over that was canceled meanwhile needs no answer
        _ = match todo {
            Todo::Accept(range) => self.accept(range).is_ok(),
            Todo::Read(range, 2..) => self.provide(range, &[0; 9], None).is_ok(),
            Todo::Read(range, n) => self.provide(range, &[n; 9], Some(&[n + 1])).is_ok(),
            Todo::Apply(range) => self.applied(range).is_ok(),
            Todo::Release(range) => self.release(range).is_ok(),
        };
    }

    fn sent(message: &migration::Message<'_, u64>, echo: &mut Echo) {
        echo.sent(message);
    }

    fn receive_near(
        &mut self,
        now: Instant,
        from: NodeId,
        echo: &Echo,
        input: &mut Input<'_>,
    ) -> Option<Received> {
        let last = |field: &str| [echo.last(field), 1];
        let (handovers, sessions) = (last("handover"), last("session"));
        let (items, seen) = (last("item"), last("session"));
        let cursors: [&[u8]; 4] = [&[], &[1], &[2], &[0; 5]];
        let runs: [&[u8]; 5] = [&[], &[7; 9], &[7; 33], &[2, 8, 8, 1, 9], &[9, 9]];
        let hints = [
            Hint::near("handover", &handovers),
            Hint::near("session", &sessions),
            Hint::near("range", &[0, 1, 2, 3]),
            Hint::near("epoch", &[1]),
            Hint::near("digest", &[1]),
            Hint::near("item", &items),
            Hint::near("items", &items),
            Hint::near("seen", &seen),
            Hint::bytes("cursor", &cursors),
            Hint::bytes("bytes", &runs),
            Hint::bytes("frames", &runs),
        ];
        let message = input.message::<migration::Message<'_, u64>>(&hints)?;
        let (name, text) = (message.name(), Shown(&message).to_string());
        Some((name, text, self.receive(now, from, message)))
    }
}

/// The name of what the message carries.
fn body<V: Value>(message: &quorum::Message<'_, V>) -> &'static str {
    let mut body = "";
    message.visit(&mut |field| {
        if let FieldValue::Variant(name) = field.value {
            body = name;
        }
    });
    body
}
