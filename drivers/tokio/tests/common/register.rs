use std::collections::BTreeMap;

use quorate_core::{
    Corrupt, DecodeError, Fatal, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections,
    Ticket, Tickets, Wire, Writer, majority,
};
use quorate_tokio::{App, Outbox, Priority, StorageHealth};
use tokio::sync::oneshot;

/// A replicated max-register: everybody tells everybody the largest value it knows, and acknowledges what it has on disk.
#[derive(Clone, Debug)]
pub struct Register {
    value: u64,
    durable: u64,
    peers: Vec<NodeId>,
    /// What each peer has on disk.
    acknowledged: BTreeMap<NodeId, u64>,
    /// Outputs owed: a record, a state message to each of these, the majority's value.
    dirty: bool,
    owed: Vec<NodeId>,
    agreed: u64,
    told: u64,
    tickets: Vec<(Ticket, u64)>,
    issuer: Tickets,
    next_gossip: Instant,
    pub fatal: Option<Fatal>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Value(pub u64);

/// The largest value the sender knows, and has on disk.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct State {
    pub value: u64,
    pub durable: u64,
}

const GOSSIP_US: u64 = 20_000;
/// No honest node gets there.
pub const ABSURD: u64 = u64::MAX;
/// A value at which the machine finds itself broken.
pub const FATAL: u64 = 666;

impl Register {
    pub fn new(peers: Vec<NodeId>) -> Self {
        Self {
            value: 0,
            durable: 0,
            peers,
            acknowledged: BTreeMap::new(),
            dirty: false,
            owed: Vec::new(),
            agreed: 0,
            told: 0,
            tickets: Vec::new(),
            issuer: Tickets::default(),
            next_gossip: Instant::ZERO,
            fatal: None,
        }
    }

    pub fn raise(&mut self, value: u64) {
        if value > self.value {
            self.value = value;
            self.dirty = true;
            self.owed.clone_from(&self.peers);
        }
        if value == FATAL {
            self.fatal = Some(Fatal::Invariant);
        }
        self.count();
    }

    pub fn value(&self) -> u64 {
        self.value
    }

    fn count(&mut self) {
        let nodes = self.peers.len() + 1;
        let mut values: Vec<u64> = self.acknowledged.values().copied().collect();
        values.push(self.durable);
        values.resize(nodes, 0);
        values.sort_unstable_by(|a, b| b.cmp(a));
        self.agreed = self.agreed.max(values[majority(nodes) - 1]);
    }
}

impl Machine for Register {
    type Message<'a> = State;
    type Record<'a> = Value;
    type Event<'a> = Value;
    type Status = u64;

    fn max_message_len(&self) -> Option<usize> {
        // what tests change the limit of frames to is longer, but for the one of that
        Some(600)
    }

    fn restore(&mut self, record: Value) -> Result<(), Corrupt> {
        if record.0 < self.value {
            return Err(Corrupt::Regression);
        }
        (self.value, self.durable) = (record.0, record.0);
        Ok(())
    }

    fn receive(&mut self, _: Instant, from: NodeId, message: State) -> Result<(), Rejected> {
        if message.value == ABSURD {
            return Err(Rejected::OutOfRange);
        }
        let known = self.acknowledged.entry(from).or_default();
        *known = message.durable.max(*known);
        let behind = message.value < self.value || message.durable < message.value;
        self.raise(message.value);
        if behind && !self.owed.contains(&from) {
            self.owed.push(from);
        }
        self.count();
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        if now >= self.next_gossip {
            self.next_gossip = now.after(GOSSIP_US);
            self.owed.clone_from(&self.peers);
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        while let Some(&(first, value)) = self.tickets.first() {
            if first > ticket {
                break;
            }
            self.tickets.remove(0);
            self.durable = self.durable.max(value);
            self.owed.clone_from(&self.peers);
        }
        self.count();
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        if core::mem::take(&mut self.dirty) {
            let ticket = self.issuer.issue();
            self.tickets.push((ticket, self.value));
            return Some(Output::Persist(ticket, Value(self.value)));
        }
        if let Some(peer) = self.owed.pop() {
            return Some(Output::Send(peer, State { value: self.value, durable: self.durable }));
        }
        if self.agreed > self.told {
            self.told = self.agreed;
            return Some(Output::Event(Value(self.agreed)));
        }
        None
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next_gossip)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Value> {
        (self.value > 0).then_some(Value(self.value)).into_iter()
    }

    fn status(&self) -> Self::Status {
        self.value
    }

    fn rejections(&self) -> Rejections {
        Rejections::default()
    }

    fn fatal(&self) -> Option<Fatal> {
        self.fatal
    }
}

impl<'a> Wire<'a> for Value {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
        // so that logs grow at a pace
        out.bytes(&[0x5a; 80]);
    }
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let value = Self(input.u64()?);
        input.bytes()?;
        Ok(value)
    }
}

impl<'a> Wire<'a> for State {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.value);
        out.u64(self.durable);
    }
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { value: input.u64()?, durable: input.u64()? })
    }
}

/// Answers when a majority has a value, and says hello to peers' applications.
pub struct RegisterApp {
    pub restored: u64,
    agreed: u64,
    waiting: Vec<(u64, oneshot::Sender<()>)>,
    to_send: Vec<(NodeId, Vec<u8>, Option<oneshot::Sender<bool>>)>,
    received: Vec<(NodeId, Vec<u8>)>,
    health: Vec<StorageHealth>,
    moves: Vec<(NodeId, Option<String>)>,
    /// It has more to do than it can until the machine has this value.
    behind: Option<u64>,
    /// What was taken in meanwhile.
    taken_while_backlogged: u32,
}

pub enum Request {
    Raise(u64, oneshot::Sender<()>),
    Value(oneshot::Sender<u64>),
    Restored(oneshot::Sender<u64>),
    Send(NodeId, Vec<u8>, oneshot::Sender<bool>),
    Received(oneshot::Sender<Vec<(NodeId, Vec<u8>)>>),
    Health(oneshot::Sender<Vec<StorageHealth>>),
    Connect(NodeId, String),
    Disconnect(NodeId),
    BacklogUntil(u64),
    TakenWhileBacklogged(oneshot::Sender<u32>),
}

impl RegisterApp {
    pub fn new(machine: &Register) -> Self {
        Self {
            restored: machine.value(),
            agreed: 0,
            waiting: Vec::new(),
            to_send: Vec::new(),
            received: Vec::new(),
            health: Vec::new(),
            moves: Vec::new(),
            behind: None,
            taken_while_backlogged: 0,
        }
    }
}

impl App for RegisterApp {
    type Machine = Register;
    type Command = Request;

    /// All messages are short, and tell that the node is there.
    fn priority(_: &State) -> Priority {
        Priority::Urgent
    }

    fn command(&mut self, machine: &mut Register, _: Instant, command: Request) {
        self.taken_while_backlogged += u32::from(self.is_backlogged());
        // who asked may have stopped waiting
        match command {
            Request::BacklogUntil(value) => self.behind = Some(value),
            Request::TakenWhileBacklogged(answer) => drop(answer.send(self.taken_while_backlogged)),
            Request::Raise(value, answer) => {
                machine.raise(value);
                self.waiting.push((value, answer));
            }
            Request::Value(answer) => drop(answer.send(machine.value())),
            Request::Restored(answer) => drop(answer.send(self.restored)),
            Request::Send(to, bytes, answer) => self.to_send.push((to, bytes, Some(answer))),
            Request::Received(answer) => drop(answer.send(self.received.clone())),
            Request::Health(answer) => drop(answer.send(self.health.clone())),
            Request::Connect(id, address) => self.moves.push((id, Some(address))),
            Request::Disconnect(id) => self.moves.push((id, None)),
        }
    }

    fn event(&mut self, event: Value) {
        self.agreed = event.0;
    }

    fn frame(&mut self, _: &mut Register, _: Instant, from: NodeId, bytes: &[u8]) {
        self.taken_while_backlogged += u32::from(self.is_backlogged());
        self.received.push((from, bytes.to_vec()));
    }

    fn is_backlogged(&self) -> bool {
        self.behind.is_some()
    }

    fn has_more(&self) -> bool {
        self.is_backlogged()
    }

    fn settle(&mut self, machine: &mut Register, _: Instant, outbox: &mut Outbox) {
        self.behind = self.behind.filter(|value| machine.value() < *value);
        for (id, address) in self.moves.drain(..) {
            match address {
                Some(address) => outbox.connect(id, &address),
                None => outbox.disconnect(id),
            }
        }
        for (to, bytes, answer) in self.to_send.drain(..) {
            let queued = outbox.send(to, &bytes);
            answer.map(|answer| answer.send(queued));
        }
        let agreed = self.agreed;
        for (_, answer) in self.waiting.extract_if(.., |(value, _)| *value <= agreed) {
            let _ = answer.send(());
        }
    }

    fn storage(&mut self, health: StorageHealth) {
        self.health.push(health);
    }
}
