use std::sync::atomic::{AtomicU64, Ordering};

use quorate_core::{
    Corrupt, DecodeError, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections, Sink,
    Ticket, Tickets, Wire, Writer, majority,
};

/// The bugs that can be planted in a [`MaxRegister`].
pub mod bug {
    pub const NONE: u8 = 0;
    /// Acknowledges what it has not written yet.
    pub const ACKNOWLEDGES_EARLY: u8 = 1;
    /// Counts its own disk before the ticket came back.
    pub const COUNTS_UNSYNCED: u8 = 2;
    /// One acknowledgement is its quorum.
    pub const SMALL_QUORUM: u8 = 3;
    /// Ignores its records at boot.
    pub const IGNORES_RECORDS: u8 = 4;
    /// Its checkpoint leaves out the value.
    pub const EMPTY_CHECKPOINT: u8 = 5;
    /// Its messages lose the high bits.
    pub const TRUNCATES_MESSAGES: u8 = 6;
    /// Its timeouts depend on state outside of it.
    pub const NONDETERMINISTIC: u8 = 7;
    /// Panics when it sees 40.
    pub const PANICS: u8 = 8;
    /// Sends nothing any more from 40 on.
    pub const STOPS_SENDING: u8 = 9;
    /// Sends some numbers, and not others.
    pub const OMITS_SOME: u8 = 10;
    /// Rejects messages of honest nodes.
    pub const REJECTS_HONEST_MESSAGES: u8 = 11;
    /// Its `drain` leaves out messages that its `poll` sends.
    pub const DRAIN_OMITS_MESSAGES: u8 = 12;
    /// Its `drain` loses what is left when the sink returns an error.
    pub const DRAIN_LOSES_THE_REST: u8 = 13;
    /// Its `drain` forgets the deadline.
    pub const DRAIN_FORGETS_THE_TIME: u8 = 14;
}

/// A replicated register of the largest number that was put: each node writes it and acknowledges
/// it; a number that a majority has written is chosen, and its node emits that.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MaxRegister<const BUG: u8> {
    me: NodeId,
    peers: Vec<Peer>,
    value: u64,
    issued: u64,
    durable: u64,
    /// Tickets that are out, with the value of each.
    writes: Vec<(Ticket, u64)>,
    tickets: Tickets,
    announced: u64,
    now: Instant,
    repeat_at: Instant,
    started: bool,
    rejections: Rejections,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Peer {
    id: NodeId,
    has: u64,
    offer_due: bool,
    /// It waits for the acknowledgement of this value.
    ack_pending: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<const BUG: u8> {
    Offer(u64),
    Have(u64),
}

/// The value of the register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(pub u64);

/// A majority has written this, or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chosen(pub u64);

const REPEAT_US: u64 = 50_000;

/// State outside of the machine, which it should not read.
static GLOBAL_STATE: AtomicU64 = AtomicU64::new(0);

impl<const BUG: u8> MaxRegister<BUG> {
    pub fn new(me: NodeId, nodes: u64) -> Self {
        let peer = |id| Peer { id, has: 0, offer_due: false, ack_pending: None };
        Self {
            me,
            peers: (1..=nodes).map(NodeId::new).filter(|&id| id != me).map(peer).collect(),
            value: 0,
            issued: 0,
            durable: 0,
            writes: Vec::new(),
            tickets: Tickets::default(),
            announced: 0,
            now: Instant::ZERO,
            repeat_at: Instant::ZERO,
            started: false,
            rejections: Rejections::default(),
        }
    }

    pub fn put(&mut self, value: u64) {
        assert!(BUG != bug::PANICS || value != 40, "forty!");
        if value > self.value {
            self.value = value;
            self.send_offers();
        }
    }

    pub fn value(&self) -> u64 {
        self.value
    }

    /// Tickets that are out.
    pub fn writes(&self) -> usize {
        self.writes.len()
    }

    fn send_offers(&mut self) {
        let mut wait = REPEAT_US;
        if BUG == bug::NONDETERMINISTIC {
            wait += GLOBAL_STATE.fetch_add(1, Ordering::Relaxed) % 1_000;
        }
        self.repeat_at = self.now.after(wait);
        // every third number is not sent
        let silent = BUG == bug::OMITS_SOME && self.value.is_multiple_of(3);
        for peer in &mut self.peers {
            peer.offer_due = peer.has < self.value && !silent;
        }
    }

    fn chosen(&self) -> u64 {
        let own = if BUG == bug::COUNTS_UNSYNCED { self.value } else { self.durable };
        let mut have: Vec<u64> = self.peers.iter().map(|p| p.has).chain([own]).collect();
        have.sort_unstable_by(|a, b| b.cmp(a));
        let quorum = majority(have.len());
        have[if BUG == bug::SMALL_QUORUM { 0 } else { quorum - 1 }]
    }
}

impl<const BUG: u8> Machine for MaxRegister<BUG> {
    type Message<'a> = Message<BUG>;
    type Record<'a> = Value;
    type Event<'a> = Chosen;
    type Status = u64;

    fn restore(&mut self, record: Value) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        if BUG != bug::IGNORES_RECORDS {
            (self.value, self.issued, self.durable) = (record.0, record.0, record.0);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<BUG>,
    ) -> Result<(), Rejected> {
        if !self.peers.iter().any(|peer| peer.id == from) {
            return Err(self.rejections.count(Rejected::UnknownSender));
        }
        self.now = self.now.max(now);
        self.started = true;
        if let Message::Offer(value) = message {
            if BUG == bug::REJECTS_HONEST_MESSAGES && value < self.value {
                return Err(Rejected::Impossible);
            }
            self.put(value);
        }
        let peer = self.peers.iter_mut().find(|p| p.id == from).ok_or(Rejected::UnknownSender)?;
        match message {
            Message::Offer(value) => peer.ack_pending = peer.ack_pending.max(Some(value)),
            Message::Have(value) => peer.has = peer.has.max(value),
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.started = true;
        if self.now >= self.repeat_at {
            self.send_offers();
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        if ticket > self.tickets.last() {
            return;
        }
        for (_, value) in self.writes.iter().filter(|w| w.0 <= ticket) {
            self.durable = self.durable.max(*value);
        }
        self.writes.retain(|w| w.0 > ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        if self.issued < self.value {
            self.issued = self.value;
            let ticket = self.tickets.issue();
            self.writes.push((ticket, self.value));
            return Some(Output::Persist(ticket, Value(self.value)));
        }
        if BUG == bug::STOPS_SENDING && self.value >= 40 {
            return None;
        }
        let durable = if BUG == bug::ACKNOWLEDGES_EARLY { self.value } else { self.durable };
        for peer in &mut self.peers {
            if core::mem::take(&mut peer.offer_due) {
                return Some(Output::Send(peer.id, Message::Offer(self.value)));
            }
            if peer.ack_pending.is_some_and(|ack_pending| ack_pending <= durable) {
                peer.ack_pending = None;
                return Some(Output::Send(peer.id, Message::Have(durable)));
            }
        }
        let chosen = self.chosen();
        (chosen > self.announced).then(|| {
            self.announced = chosen;
            Output::Event(Chosen(chosen))
        })
    }

    fn drain<K: Sink<Self>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        if BUG == bug::DRAIN_FORGETS_THE_TIME {
            self.repeat_at = Instant::ZERO;
        }
        while let Some(output) = self.poll() {
            let taken = match output {
                Output::Persist(ticket, record) => sink.persist(ticket, record),
                Output::Send(_, Message::Have(_)) if BUG == bug::DRAIN_OMITS_MESSAGES => Ok(()),
                Output::Send(to, message) => sink.send(to, message),
                Output::Event(event) => sink.event(event),
            };
            if taken.is_err() && BUG == bug::DRAIN_LOSES_THE_REST {
                while self.poll().is_some() {}
            }
            taken?;
        }
        Ok(())
    }

    fn status(&self) -> u64 {
        self.value
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn deadline(&self) -> Option<Instant> {
        let waits = self.peers.iter().any(|p| p.has < self.value);
        waits.then_some(self.repeat_at)
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(11)
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(10)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Value> {
        (self.value > 0 && BUG != bug::EMPTY_CHECKPOINT).then_some(Value(self.value)).into_iter()
    }
}

impl<'a, const BUG: u8> Wire<'a> for Message<BUG> {
    fn encode(&self, out: &mut Writer<'_>) {
        let (kind, value) = match *self {
            Self::Offer(value) => (0, value),
            Self::Have(value) => (1, value),
        };
        out.u8(kind);
        out.u64(if BUG == bug::TRUNCATES_MESSAGES && kind == 0 { value & 0xff } else { value });
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match input.u8()? {
            0 => Ok(Self::Offer(input.u64()?)),
            1 => Ok(Self::Have(input.u64()?)),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl<'a> Wire<'a> for Value {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(input.u64()?))
    }
}
