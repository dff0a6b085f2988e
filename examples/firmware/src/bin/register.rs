//! Linearizable registers that boards share without a leader: `quorate-ring`'s quorum store, on boards that all hold all registers.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_core::{InlineList, Instant, List as _, Machine as _, NodeId};
use quorate_firmware::{
    Desk, MAX_MESSAGE, MAX_PEERS, MAX_RECORD, Node, Program, Setup, Stop, start,
};
use quorate_flash::Error;
use quorate_ring::quorum::{
    Config, Event, Failure, Inline, Level, Order, ReadOptions, ReadRepair, Replicated, Request,
    RequestError, Tagged, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};
use quorate_serial::Text;

const CLUSTER: u64 = 0xc0a1;
const USAGE: &str = "set KEY N [W] | get KEY [R] | delete KEY [W] | held KEY | found | down N | \
                     up N | status | flash fail | help";

/// Registers, and bytes of a name.
const KEYS: usize = 16;
const KEY_BYTES: usize = 8;
/// The longest encoding of a value: the four numbers of its tag, and the value as an option.
const VALUE_BYTES: usize = 4 * 10 + 1 + 5;

type Value = Tagged<u32>;
/// A point for each board: all of them hold all registers.
type Boards = HashRing<quorate_ring::Inline<{ MAX_PEERS + 1 }, { MAX_PEERS + 1 }>>;
type Machine = quorate_ring::quorum::Node<Value, Replicated<Boards>, Inline<KEYS, KEY_BYTES>>;
type Answer = Text<320>;

const CONFIG: Config = Config {
    // a line carries a message and its answer in some milliseconds
    retry_us: 200_000,
    attempts: 10,
    sweep_us: 50_000,
    sweep_pause_us: 1_000_000,
    // there is room for few registers, and a deleted one takes its place until then
    purge_us: 2_000_000,
    max_key_len: KEY_BYTES,
    ..Config::radio()
};

// what it says fits into frames, and what it keeps into the log's buffer
const _: () = assert!(Machine::max_message_len(&CONFIG, VALUE_BYTES, 0) <= MAX_MESSAGE);
const _: () = assert!(Machine::max_record_len(&CONFIG, VALUE_BYTES) <= MAX_RECORD);

/// The request of the console, and its answer.
#[derive(Default)]
struct Registers {
    pending: Option<Pending>,
    /// Said when the machine was polled: what it speaks of is in flash.
    answer: Option<Answer>,
    /// Sweeps of this board that are over.
    sweeps: u32,
}

struct Pending {
    request: Request,
    key: InlineList<u8, KEY_BYTES>,
}

impl Registers {
    /// Begins the request of a line.
    fn request(&mut self, machine: &mut Machine, now: Instant, line: &[u8]) -> Result<(), Wrong> {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let verb = words.next().unwrap_or_default();
        let key = words.next().filter(|key| key.is_ascii()).ok_or(Wrong::Usage)?;
        let value = match verb {
            b"set" => Some(words.next().and_then(number).ok_or(Wrong::Usage)?),
            b"get" | b"delete" => None,
            _ => return Err(Wrong::Usage),
        };
        let level = match words.next() {
            Some(word) => {
                let count = number(word).and_then(|count| u8::try_from(count).ok());
                Level::Count(count.ok_or(Wrong::Usage)?)
            }
            None => Level::Quorum,
        };
        let mut name = InlineList::default();
        name.extend_from_slice(key).map_err(|_| RequestError::KeyTooLong)?;
        let request = if verb == b"get" {
            // the value is written back where it is missing, so that no later read returns an older one
            let repair = ReadRepair::Blocking;
            machine.read(now, key, ReadOptions { level, repair, ..ReadOptions::default() })?
        } else {
            // the boards have no clock in common: a write first asks for what is there
            let order = Order::AfterRead;
            let options = WriteOptions { level, order, ..WriteOptions::default() };
            machine.write(now, key, value.map_or(Value::tombstone(), Value::new), options)?
        };
        self.pending = Some(Pending { request, key: name });
        Ok(())
    }

    /// The pending request, if this is the one that is done.
    fn take(&mut self, done: Request) -> Option<Pending> {
        self.pending.take_if(|pending| pending.request == done)
    }

    fn done(&mut self, done: Request, value: Option<&Value>) {
        if let Some(pending) = self.take(done) {
            self.answer = Some(describe(&pending.key, value));
        }
    }

    fn failed(&mut self, request: Request, failure: Failure) {
        if self.take(request).is_none() {
            return;
        }
        defmt::warn!("the request failed: {}", failure);
        let mut text = Answer::new();
        match failure {
            Failure::Timeout { acked, required } => {
                text.str("error timeout").count("acked", acked).count("required", required)
            }
            Failure::Full => text.str("error full: the boards have no room for another register"),
            Failure::Blank => text.str("error blank: boards do not know yet what they held"),
            Failure::Purged { .. } => text.str("error too old: ask again"),
            _ => text.str("error refused"),
        };
        self.answer = Some(text);
    }

    fn status(&self, machine: &Machine) -> Answer {
        let status = machine.status();
        let mut text = Answer::new();
        text.str("ok id=").number(status.id.get());
        text.pair("founded", u64::from(status.founded))
            .count("registers", status.keys)
            .count("requests", status.requests)
            .pair("floor", status.floor)
            .pair("sweeps", u64::from(self.sweeps))
            .pair("rejected", u64::from(machine.rejections().total()));
        text
    }
}

/// A register and what it holds, with the number of its last write.
fn describe(key: &[u8], value: Option<&Value>) -> Answer {
    let mut text = Answer::new();
    text.str("ok ").str(core::str::from_utf8(key).unwrap_or_default()).str("=");
    match value.and_then(Value::get) {
        Some(value) => text.number(u64::from(*value)),
        None => text.str("none"),
    };
    text.pair("write", value.map_or(0, |value| value.tag().number()));
    text
}

/// What is wrong with a line.
enum Wrong {
    Usage,
    Request(RequestError),
}

impl From<RequestError> for Wrong {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl Wrong {
    fn words(&self) -> Answer {
        let mut text = Answer::new();
        match self {
            Self::Request(RequestError::Unavailable { required, alive }) => {
                text.str("error unavailable").count("required", *required).count("alive", *alive)
            }
            Self::Request(RequestError::Level(_)) => text.str("error there are not so many boards"),
            Self::Request(RequestError::Busy) => text.str("error busy"),
            Self::Request(RequestError::KeyTooLong) => text.str("error the name is too long"),
            Self::Request(_) => text.str("error refused"),
            Self::Usage => text.str("error no such command: try help"),
        };
        text
    }
}

/// Counts in texts.
trait Count {
    fn count(&mut self, key: &str, count: usize) -> &mut Self;
}

impl Count for Answer {
    fn count(&mut self, key: &str, count: usize) -> &mut Self {
        self.pair(key, u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl Program for Registers {
    type Machine = Machine;

    // a client is no member, and is served all the same
    const KNOWS_SENDERS: bool = false;

    fn event(&mut self, event: Event<'_, Value>) {
        match event {
            Event::Written { request, value, .. } => self.done(request, Some(value)),
            Event::Found { request, value } => self.done(request, value),
            Event::Failed { request, failure, .. } => self.failed(request, failure),
            Event::Swept { with } => {
                defmt::debug!("swept with {}", with);
                self.sweeps = self.sweeps.saturating_add(1);
            }
            _ => {}
        }
    }

    fn line(&mut self, desk: &mut Desk<'_>, machine: &mut Machine, line: &[u8]) {
        let mut text = Answer::new();
        if line == b"status" {
            text = self.status(machine);
            desk.count(&mut text);
            return desk.say(&text);
        }
        if let Some(answer) = self.answer.take() {
            desk.say(&answer);
        }
        if self.pending.take().is_some() {
            // answers come in the order of the commands
            desk.say(text.str("error the outcome is not known: another command came"));
            text.clear();
        }
        let node = |word: &[u8]| line.strip_prefix(word).and_then(number);
        match line {
            b"help" => {
                text.str("ok ").str(USAGE);
            }
            b"found" => {
                // boards that are founded already rebuild a blank one
                if !machine.status().founded {
                    machine.found();
                }
                text.str("ok this board takes part");
            }
            b"flash fail" => {
                desk.break_flash();
                text.str("ok the flash fails from now on");
            }
            _ => match (node(b"down "), node(b"up ")) {
                (None, None) => match line.strip_prefix(b"held ") {
                    Some(key) if key.is_ascii() => text = describe(key, machine.local(key)),
                    _ => match self.request(machine, desk.now, line) {
                        Ok(()) => return,
                        Err(wrong) => text = wrong.words(),
                    },
                },
                (down, up) => {
                    let node = NodeId::new(down.or(up).map_or(0, u64::from));
                    machine.set_down(node, down.is_some());
                    text.str("ok");
                }
            },
        }
        self.answer = Some(text);
    }

    fn settle(&mut self, desk: &mut Desk<'_>, _: &mut Machine) -> Result<(), Error> {
        if let Some(answer) = self.answer.take() {
            desk.say(&answer);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

#[entry]
fn main() -> ! {
    start(run)
}

fn run(setup: &Setup<'_>) -> Stop {
    let mut boards = Boards::new(KeyHash::default(), 1);
    let nodes = setup.nodes();
    if nodes.iter().any(|node| boards.add(Member::new(*node)).is_err()) {
        return Stop::Config;
    }
    let layout = Replicated::new(Version::default(), boards, nodes.len());
    // the seed is random, and another one after each start
    let Ok(machine) = Machine::new(setup.id, setup.seed, layout, CONFIG) else {
        return Stop::Config;
    };
    match Node::restore(setup, CLUSTER, machine, Registers::default()) {
        Ok(mut node) => node.run(),
        Err(stop) => stop,
    }
}
