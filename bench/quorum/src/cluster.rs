use core::hint::black_box;
use core::mem;

use quorate_clocks::{Actor, Stamp, Timestamp};
use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_ring::quorum::{
    Config, Event, Inline, Lww, Message, Node, Order, ReadOptions, ReadRepair, Record, Replicated,
    Tagged, Value, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};

use crate::{Case, Count, Failure, Payload};

/// Keys that requests go round.
const KEYS: u64 = 64;
/// Bytes for all messages on their way at once, and for one record.
const BUFFER: usize = 4 << 10;
/// Most messages on their way at once.
const FRAMES: usize = 16;
/// Requests before anything is counted: every key is there.
const WARM_UP: usize = 4 * KEYS as usize;

/// The time of day when it begins, as timestamps and incarnations have it: numbers as long as they are in practice.
const FIRST_US: u64 = 1_800_000_000_000_000;

/// Sixteen virtual nodes of each of three members.
type Ring = HashRing<quorate_ring::Inline<3, 48>>;
type Store<V> = Node<V, Replicated<Ring>, Inline<{ KEYS as usize }, 16>>;

/// Three nodes, the wire between them and their disks, moved by hand. The first one is asked.
///
/// The clock stands still during rounds, so that no sweep, which costs the same however many requests there are, is counted.
#[derive(Debug)]
pub struct Cluster<V: Kind> {
    nodes: [Store<V>; 3],
    /// Messages being delivered.
    arriving: Frames,
    /// Messages made meanwhile.
    leaving: Frames,
    disk: Vec<u8>,
    now: Instant,
    /// What was written last of each key.
    written: Vec<Payload>,
    number: u64,
    count: Count,
}

/// A value of sixteen bytes, and how it is written and read.
pub trait Kind: Value + 'static {
    /// Whether a write asks the replicas first.
    const ORDER: Order;
    /// What a read does for replicas that are behind.
    const REPAIR: ReadRepair;

    /// The value of the write of this number.
    #[must_use]
    fn form(number: u64, payload: Payload) -> Self;

    /// What was written.
    #[must_use]
    fn payload(&self) -> Option<Payload>;
}

/// The writer has a clock.
impl Kind for Lww<Payload> {
    const ORDER: Order = Order::Formed;
    const REPAIR: ReadRepair = ReadRepair::Background;

    fn form(number: u64, payload: Payload) -> Self {
        let (time, actor) = (Timestamp::from_micros(FIRST_US + number), Actor::from(id(0)));
        Self::new(Stamp { time, actor }, payload)
    }

    fn payload(&self) -> Option<Payload> {
        self.get().copied()
    }
}

/// The writer has none.
impl Kind for Tagged<Payload> {
    const ORDER: Order = Order::AfterRead;
    const REPAIR: ReadRepair = ReadRepair::Blocking;

    fn form(_number: u64, payload: Payload) -> Self {
        Self::new(payload)
    }

    fn payload(&self) -> Option<Payload> {
        self.get().copied()
    }
}

/// Runs so many requests of a row, and counts what they take.
///
/// # Errors
///
/// [`Failure`] if anything goes wrong.
pub fn measure(case: Case, requests: usize) -> Result<Count, Failure> {
    match case {
        Case::Write | Case::Read => Cluster::<Lww<Payload>>::new()?.measure(case, requests),
        Case::RegisterWrite | Case::RegisterRead => {
            Cluster::<Tagged<Payload>>::new()?.measure(case, requests)
        }
    }
}

impl<V: Kind> Cluster<V> {
    /// A cluster that holds all keys.
    ///
    /// # Errors
    ///
    /// [`Failure`] if that cannot be had.
    pub fn new() -> Result<Self, Failure> {
        let mut cluster = Self {
            nodes: [store(0)?, store(1)?, store(2)?],
            arriving: Frames::new(),
            leaving: Frames::new(),
            disk: vec![0; BUFFER],
            now: Instant::from_millis(1),
            written: vec![Payload::default(); KEYS as usize],
            number: 0,
            count: Count::default(),
        };
        cluster.settle()?;
        cluster.rounds(true, WARM_UP)?;
        cluster.rounds(false, WARM_UP)?;
        Ok(cluster)
    }

    /// Runs rounds and counts what they take.
    ///
    /// # Errors
    ///
    /// [`Failure`] if anything goes wrong.
    pub fn measure(&mut self, case: Case, requests: usize) -> Result<Count, Failure> {
        let before = self.count.with_allocator_calls();
        self.measured_rounds(case.writes(), requests)?;
        Ok(self.count.with_allocator_calls().since(before))
    }

    /// The measured part: callgrind, which is told this name, collects within it.
    #[inline(never)]
    fn measured_rounds(&mut self, write: bool, rounds: usize) -> Result<(), Failure> {
        self.rounds(write, rounds)
    }

    fn rounds(&mut self, write: bool, rounds: usize) -> Result<(), Failure> {
        for _ in 0..rounds {
            self.round(write)?;
        }
        Ok(())
    }

    fn round(&mut self, write: bool) -> Result<(), Failure> {
        self.number += 1;
        let place = usize::try_from(self.number % KEYS).unwrap_or_default();
        let key = key(self.number % KEYS);
        let [first, ..] = &mut self.nodes;
        if write {
            let payload = Payload(u128::from(self.number).to_le_bytes());
            let options = WriteOptions { order: V::ORDER, ..WriteOptions::default() };
            first.write(self.now, &key, V::form(self.number, payload), options)?;
            self.written[place] = payload;
        } else {
            let options = ReadOptions { repair: V::REPAIR, ..ReadOptions::default() };
            first.read(self.now, &key, options)?;
        }
        let done = self.count.requests;
        self.turn(0)?;
        self.deliver()?;
        if self.count.requests == done + 1 { Ok(()) } else { Err(Failure::NotDone) }
    }

    /// Delivers messages until there are none.
    fn deliver(&mut self) -> Result<(), Failure> {
        while !self.leaving.list.is_empty() {
            mem::swap(&mut self.arriving, &mut self.leaving);
            let mut stirred = [false; 3];
            for frame in &self.arriving.list {
                let bytes = self.arriving.bytes.get(frame.start..frame.end).unwrap_or_default();
                let message = Message::from_slice(bytes)?;
                self.nodes[frame.to].receive(self.now, id(frame.from), message)?;
                stirred[frame.to] = true;
            }
            self.count.messages += self.arriving.list.len();
            self.count.message_bytes += self.arriving.used;
            self.arriving.clear();
            for at in (0..self.nodes.len()).filter(|at| stirred[*at]) {
                self.turn(at)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Failure> {
        for at in 0..self.nodes.len() {
            self.nodes[at].found();
            self.turn(at)?;
        }
        self.deliver()
    }

    /// Polls until quiet, doing what is asked.
    fn turn(&mut self, at: usize) -> Result<(), Failure> {
        let Self { nodes, leaving, disk, written, number, count, .. } = self;
        let node = &mut nodes[at];
        loop {
            let mut last = None;
            while let Some(output) = node.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        let bytes = record.to_slice(disk)?;
                        (count.records, count.record_bytes) =
                            (count.records + 1, count.record_bytes + bytes.len());
                        black_box(Record::<V>::from_slice(black_box(bytes))?);
                        last = Some(ticket);
                    }
                    Output::Send(to, message) => leaving.put(at, to, &message)?,
                    Output::Event(Event::Written { .. }) => count.requests += 1,
                    Output::Event(Event::Found { value, .. }) => {
                        let expected = written[usize::try_from(*number % KEYS).unwrap_or_default()];
                        if value.and_then(V::payload) != Some(expected) {
                            return Err(Failure::WrongValue);
                        }
                        count.requests += 1;
                    }
                    Output::Event(Event::Failed { failure, .. }) => return Err(failure.into()),
                    Output::Event(_) => {}
                }
            }
            match last {
                Some(ticket) => node.persisted(ticket),
                None => return Ok(()),
            }
        }
    }
}

fn store<V: Kind>(at: usize) -> Result<Store<V>, Failure> {
    let mut ring = Ring::new(KeyHash::default(), 16);
    ring.add_all(&[0, 1, 2].map(|at| Member::new(id(at))))?;
    let layout = Replicated::new(Version::default(), ring, 3);
    Ok(Store::new(id(at), FIRST_US, layout, Config::lan())?)
}

/// Encoded messages, one after the other.
#[derive(Debug)]
struct Frames {
    list: Vec<Frame>,
    bytes: Vec<u8>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    from: usize,
    to: usize,
    start: usize,
    end: usize,
}

impl Frames {
    fn new() -> Self {
        Self { list: Vec::with_capacity(FRAMES), bytes: vec![0; BUFFER], used: 0 }
    }

    fn put<V: Kind>(
        &mut self,
        from: usize,
        to: NodeId,
        message: &Message<'_, V>,
    ) -> Result<(), Failure> {
        let room = self.bytes.get_mut(self.used..).unwrap_or_default();
        let end = self.used + message.to_slice(room)?.len();
        let to = usize::try_from(to.get()).unwrap_or_default().saturating_sub(1);
        self.list.push(Frame { from, to, start: self.used, end });
        self.used = end;
        Ok(())
    }

    fn clear(&mut self) {
        self.list.clear();
        self.used = 0;
    }
}

const fn id(at: usize) -> NodeId {
    NodeId::new(at as u64 + 1)
}

/// Eight bytes.
fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}
