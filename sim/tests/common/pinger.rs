use std::sync::atomic::{AtomicU64, Ordering};

use quorate_core::{
    Corrupt, DecodeError, Fatal, Instant, Machine, NodeId, Output, Reader, Rejected, Rejections,
    Sink, Ticket, Tickets, Wire, Writer,
};

/// The rules that a [`Pinger`] can break.
pub mod bug {
    pub const NONE: u8 = 0;
    pub const REFUSAL_MOVES_DEADLINE: u8 = 1;
    pub const REFUSAL_ANSWERED: u8 = 2;
    pub const REFUSAL_TAKEN: u8 = 3;
    pub const REFUSAL_NOT_COUNTED: u8 = 4;
    pub const ACCEPTED_COUNTED: u8 = 5;
    pub const CHECKPOINT_LOSES_FIELD: u8 = 6;
    pub const CHECKPOINT_REFUSED: u8 = 7;
    pub const CHECKPOINT_GROWS: u8 = 8;
    pub const REPLAY_REFUSED: u8 = 9;
    pub const LATE_RECORD_TAKEN: u8 = 10;
    pub const STOPS_AFTER_REPLAY: u8 = 11;
    pub const NONDETERMINISTIC: u8 = 12;
    pub const DRAIN_DIFFERS: u8 = 13;
    pub const OLD_TICKET_COUNTS: u8 = 14;
    pub const TICKS_POSTPONE: u8 = 15;
    pub const ACTS_EARLY: u8 = 16;
    pub const DEADLINE_STAYS: u8 = 17;
    pub const TWO_ENCODINGS: u8 = 18;
    pub const LOSSY_ENCODING: u8 = 19;
    pub const GROWS: u8 = 20;
    pub const LONG_MESSAGE: u8 = 21;
    pub const LOOSE_SIZE: u8 = 22;
    pub const STORM: u8 = 23;
    pub const REFUSES_NOTHING: u8 = 24;
    pub const REFUSES_EVERYTHING: u8 = 25;
    pub const TICKS_SEND: u8 = 26;
    pub const PANICS: u8 = 27;
    pub const LARGE_REFUSAL_TAKEN: u8 = 28;
    pub const REFUSAL_COUNTED_AGAIN: u8 = 29;
    pub const REFUSAL_SWALLOWS_NEXT: u8 = 30;
    pub const REFUSAL_COUNTED_WITH_NEXT: u8 = 31;
    pub const UNISSUED_TICKET_COUNTS: u8 = 32;
    pub const UNISSUED_TICKET_COUNTS_AS_LAST: u8 = 33;
}

const PING_US: u64 = 50_000;

/// No sum gets so large.
const SUM_LIMIT: u64 = 1 << 62;

/// State outside of the machine, which it should not read.
static GLOBAL_STATE: AtomicU64 = AtomicU64::new(0);

/// Adds numbers, keeps how many there were and their sum, and tells both to the other nodes now and
/// then: the smallest machine that has everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pinger<const BUG: u8> {
    me: NodeId,
    others: Vec<NodeId>,
    totals: Totals,
    /// The totals are not written yet.
    dirty: bool,
    tickets: Tickets,
    durable: Ticket,
    /// The number of the others' sums that were heard, and how many nodes were pinged.
    heard: u64,
    pings_due: Vec<NodeId>,
    answers_due: Vec<NodeId>,
    ping_at: Instant,
    /// Ticks in a row without anything to do; tickets that were returned.
    idle_ticks: u64,
    returned: u64,
    garbage: Vec<u8>,
    started: bool,
    /// How many records were replayed.
    replayed: u64,
    rejections: Rejections,
    /// The last message was refused: the next is ignored, or the refusal is counted twice.
    refused: bool,
}

/// A record, and what a restart must not lose: how many numbers there were, and their sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    count: u64,
    sum: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<const BUG: u8> {
    /// The sender's sum.
    Ping(u64),
    /// Heard.
    Pong(bool),
}

impl<const BUG: u8> Pinger<BUG> {
    pub fn new(node: usize, nodes: usize) -> Self {
        let me = NodeId::new(node as u64 + 1);
        Self {
            me,
            others: (1..=nodes as u64).map(NodeId::new).filter(|id| *id != me).collect(),
            totals: Totals::default(),
            dirty: false,
            tickets: Tickets::default(),
            durable: Ticket::default(),
            heard: 0,
            pings_due: Vec::new(),
            answers_due: Vec::new(),
            ping_at: Instant::ZERO,
            idle_ticks: 0,
            returned: 0,
            garbage: Vec::new(),
            started: false,
            replayed: 0,
            rejections: Rejections::default(),
            refused: false,
        }
    }

    pub fn add(&mut self, number: u64) {
        self.totals.count += 1;
        self.totals.sum += number;
        self.dirty = true;
        if BUG == bug::GROWS {
            self.garbage.push(1);
        }
    }

    pub const fn count(&self) -> u64 {
        self.totals.count
    }

    pub const fn sum(&self) -> u64 {
        self.totals.sum
    }

    pub const fn bytes(&self) -> usize {
        100 + self.garbage.len()
    }

    /// One that does nothing by itself, and has no deadline.
    pub fn without_deadline(mut self) -> Self {
        self.ping_at = Instant::from_micros(u64::MAX);
        self
    }

    /// Why a message is refused, if it is.
    fn check(&self, from: NodeId, message: Message<BUG>) -> Result<(), Rejected> {
        match message {
            _ if BUG == bug::REFUSES_NOTHING => Ok(()),
            _ if BUG == bug::REFUSES_EVERYTHING => Err(Rejected::UnknownSender),
            _ if !self.others.contains(&from) => Err(Rejected::UnknownSender),
            Message::Ping(sum) if sum >= SUM_LIMIT => Err(Rejected::OutOfRange),
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, from: NodeId, reason: Rejected) -> Rejected {
        match BUG {
            bug::REFUSAL_MOVES_DEADLINE => self.ping_at = self.ping_at.after(1),
            bug::REFUSAL_ANSWERED => self.answers_due.push(from),
            bug::REFUSAL_TAKEN => self.heard += 1,
            bug::REFUSAL_NOT_COUNTED => return reason,
            bug::REFUSAL_COUNTED_AGAIN
            | bug::REFUSAL_SWALLOWS_NEXT
            | bug::REFUSAL_COUNTED_WITH_NEXT => self.refused = true,
            bug::LARGE_REFUSAL_TAKEN if reason == Rejected::OutOfRange => self.heard += 1,
            _ => {}
        }
        self.rejections.count(reason)
    }
}

impl<const BUG: u8> Machine for Pinger<BUG> {
    type Message<'a> = Message<BUG>;
    type Record<'a> = Totals;
    type Event<'a> = u64;
    type Status = (Totals, u64);

    fn restore(&mut self, record: Totals) -> Result<(), Corrupt> {
        if self.started && BUG != bug::LATE_RECORD_TAKEN {
            return Err(Corrupt::Started);
        }
        // this one refuses its second record, this one a repeated one: that of its checkpoint
        let second = BUG == bug::REPLAY_REFUSED && self.replayed == 1;
        let repeated = BUG == bug::CHECKPOINT_REFUSED && record == self.totals && self.replayed > 0;
        if second || repeated {
            return Err(Corrupt::Gap);
        }
        self.totals = record;
        self.replayed += 1;
        Ok(())
    }

    fn receive(
        &mut self,
        _now: Instant,
        from: NodeId,
        message: Message<BUG>,
    ) -> Result<(), Rejected> {
        if let Err(reason) = self.check(from, message) {
            return Err(self.refuse(from, reason));
        }
        if BUG == bug::REFUSAL_SWALLOWS_NEXT && core::mem::take(&mut self.refused) {
            return Ok(());
        }
        let counts_again =
            BUG == bug::REFUSAL_COUNTED_WITH_NEXT && core::mem::take(&mut self.refused);
        if BUG == bug::ACCEPTED_COUNTED || counts_again {
            self.rejections.count(Rejected::Malformed);
        }
        self.heard += 1;
        match message {
            Message::Ping(_) => self.answers_due.push(from),
            // asked again at once, in place of at the next deadline
            Message::Pong(false) if BUG == bug::STORM => self.pings_due.push(from),
            Message::Pong(heard) => assert!(BUG != bug::PANICS || heard, "nobody heard this"),
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        self.started = true;
        if BUG == bug::TICKS_SEND {
            self.pings_due.clone_from(&self.others);
        }
        let early = if BUG == bug::ACTS_EARLY { 10_000 } else { 0 };
        if now.after(early) < self.ping_at {
            self.idle_ticks += 1;
            return;
        }
        self.ping_at = now.after(PING_US);
        if BUG == bug::TICKS_POSTPONE && self.idle_ticks > 3 {
            self.ping_at = now.after(2 * PING_US);
        }
        self.idle_ticks = 0;
        self.pings_due.clone_from(&self.others);
        if BUG == bug::NONDETERMINISTIC {
            self.ping_at = self.ping_at.after(GLOBAL_STATE.fetch_add(1, Ordering::Relaxed) % 97);
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        let ticket = match BUG {
            bug::UNISSUED_TICKET_COUNTS => ticket,
            bug::UNISSUED_TICKET_COUNTS_AS_LAST => ticket.min(self.tickets.last()),
            _ if ticket > self.tickets.last() => return,
            _ => ticket,
        };
        if ticket > self.durable {
            self.durable = ticket;
        } else if BUG == bug::OLD_TICKET_COUNTS {
            self.returned += 1;
            self.pings_due.clone_from(&self.others);
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        if BUG == bug::REFUSAL_COUNTED_AGAIN && core::mem::take(&mut self.refused) {
            self.rejections.count(Rejected::UnknownSender);
        }
        if core::mem::take(&mut self.dirty) {
            return Some(Output::Persist(self.tickets.issue(), self.totals));
        }
        if self.durable < self.tickets.last() {
            return None;
        }
        if let Some(to) = self.pings_due.pop() {
            return Some(Output::Send(to, Message::Ping(self.totals.sum)));
        }
        self.answers_due.pop().map(|to| Output::Send(to, Message::Pong(true)))
    }

    fn drain<K: Sink<Self>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        if BUG == bug::DRAIN_DIFFERS {
            sink.event(self.heard)?;
        }
        while let Some(output) = self.poll() {
            match output {
                Output::Persist(ticket, record) => sink.persist(ticket, record)?,
                Output::Send(to, message) => sink.send(to, message)?,
                Output::Event(event) => sink.event(event)?,
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        if BUG == bug::DEADLINE_STAYS {
            return Some(Instant::ZERO);
        }
        (self.ping_at.as_micros() < u64::MAX).then_some(self.ping_at)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Totals> {
        let mut totals = self.totals;
        if BUG == bug::CHECKPOINT_LOSES_FIELD {
            totals.sum = 0;
        }
        let grows = BUG == bug::CHECKPOINT_GROWS && self.replayed > 0;
        let times = 1 + usize::from(grows || BUG == bug::CHECKPOINT_REFUSED);
        std::iter::repeat_n(totals, times)
    }

    fn status(&self) -> (Totals, u64) {
        (self.totals, self.heard)
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(if BUG == bug::LONG_MESSAGE { 2 } else { 10 })
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(if BUG == bug::LOOSE_SIZE { 21 } else { 20 })
    }

    fn fatal(&self) -> Option<Fatal> {
        (BUG == bug::STOPS_AFTER_REPLAY && self.replayed > 3).then_some(Fatal::LostState)
    }
}

impl<'a, const BUG: u8> Wire<'a> for Message<BUG> {
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::Ping(sum) => {
                out.u8(0);
                out.u64(if BUG == bug::LOSSY_ENCODING { sum & 0x7f } else { sum });
            }
            Self::Pong(heard) => {
                out.u8(1);
                out.bool(heard);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match input.u8()? {
            0 => Ok(Self::Ping(input.u64()?)),
            1 if BUG == bug::TWO_ENCODINGS => Ok(Self::Pong(input.u8()? > 0)),
            1 => Ok(Self::Pong(input.bool()?)),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl<'a> Wire<'a> for Totals {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.count);
        out.u64(self.sum);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { count: input.u64()?, sum: input.u64()? })
    }
}
