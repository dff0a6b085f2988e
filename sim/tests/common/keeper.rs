use std::sync::atomic::{AtomicU64, Ordering};

use quorate_core::{
    Corrupt, DecodeError, Instant, Machine, NodeId, Output, Reader, Rejected, Ticket, Wire, Writer,
    majority,
};

/// What a keeper can have wrong with it.
pub mod bug {
    pub const NONE: u8 = 0;
    /// Acknowledges what it has not written yet.
    pub const ACKNOWLEDGES_EARLY: u8 = 1;
    /// Counts its own disk before the ticket came back.
    pub const COUNTS_UNSYNCED: u8 = 2;
    /// One acknowledgement is enough for it.
    pub const SMALL_QUORUM: u8 = 3;
    /// Does not take the records back at boot.
    pub const FORGETS: u8 = 4;
    /// Its checkpoint leaves out the value.
    pub const FORGETFUL_CHECKPOINT: u8 = 5;
    /// Its messages lose the high bits.
    pub const LOSSY_WIRE: u8 = 6;
    /// Waits a little longer or shorter, as something outside it says.
    pub const NOT_DETERMINISTIC: u8 = 7;
    /// Panics when it sees 40.
    pub const PANICS: u8 = 8;
    /// Says nothing any more from 40 on.
    pub const GETS_STUCK: u8 = 9;
    /// Tells some numbers, and not others.
    pub const TELLS_SOME: u8 = 10;
    /// Refuses what honest nodes say.
    pub const REFUSES: u8 = 11;
}

/// Keeps the largest number that anybody was given: each node writes it down and acknowledges it; what a majority has written
/// is kept, and its node says so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Keeper<const BUG: u8> {
    me: NodeId,
    peers: Vec<Peer>,
    value: u64,
    issued: u64,
    durable: u64,
    /// Tickets that are out, with the value of each.
    writes: Vec<(Ticket, u64)>,
    last: Ticket,
    announced: u64,
    now: Instant,
    repeat_at: Instant,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Peer {
    id: NodeId,
    has: u64,
    offer_due: bool,
    /// It wants to know when this is durable here.
    owed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Say<const BUG: u8> {
    Offer(u64),
    Have(u64),
}

/// The value to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(pub u64);

/// A majority has written this, or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept(pub u64);

const REPEAT_US: u64 = 50_000;

/// What no machine should look at.
static OUTSIDE: AtomicU64 = AtomicU64::new(0);

impl<const BUG: u8> Keeper<BUG> {
    pub fn new(me: NodeId, nodes: u64) -> Self {
        let peer = |id| Peer { id, has: 0, offer_due: false, owed: None };
        Self {
            me,
            peers: (1..=nodes).map(NodeId::new).filter(|&id| id != me).map(peer).collect(),
            value: 0,
            issued: 0,
            durable: 0,
            writes: Vec::new(),
            last: Ticket::default(),
            announced: 0,
            now: Instant::ZERO,
            repeat_at: Instant::ZERO,
        }
    }

    pub fn put(&mut self, value: u64) {
        assert!(BUG != bug::PANICS || value != 40, "forty!");
        if value > self.value {
            self.value = value;
            self.offer();
        }
    }

    pub fn value(&self) -> u64 {
        self.value
    }

    fn offer(&mut self) {
        let mut wait = REPEAT_US;
        if BUG == bug::NOT_DETERMINISTIC {
            wait += OUTSIDE.fetch_add(1, Ordering::Relaxed) % 1_000;
        }
        self.repeat_at = self.now.after(wait);
        // every third number is kept from the others
        let silent = BUG == bug::TELLS_SOME && self.value.is_multiple_of(3);
        for peer in &mut self.peers {
            peer.offer_due = peer.has < self.value && !silent;
        }
    }

    fn kept(&self) -> u64 {
        let own = if BUG == bug::COUNTS_UNSYNCED { self.value } else { self.durable };
        let mut have: Vec<u64> = self.peers.iter().map(|p| p.has).chain([own]).collect();
        have.sort_unstable_by(|a, b| b.cmp(a));
        let quorum = majority(have.len());
        have[if BUG == bug::SMALL_QUORUM { 0 } else { quorum - 1 }]
    }
}

impl<const BUG: u8> Machine for Keeper<BUG> {
    type Message<'a> = Say<BUG>;
    type Record<'a> = Value;
    type Event<'a> = Kept;

    fn restore(&mut self, record: Value) -> Result<(), Corrupt> {
        if BUG != bug::FORGETS {
            (self.value, self.issued, self.durable) = (record.0, record.0, record.0);
        }
        Ok(())
    }

    fn receive(&mut self, now: Instant, from: NodeId, message: Say<BUG>) -> Result<(), Rejected> {
        self.now = self.now.max(now);
        if let Say::Offer(value) = message {
            if BUG == bug::REFUSES && value < self.value {
                return Err(Rejected::Impossible);
            }
            self.put(value);
        }
        let peer = self.peers.iter_mut().find(|p| p.id == from).ok_or(Rejected::UnknownSender)?;
        match message {
            Say::Offer(value) => peer.owed = peer.owed.max(Some(value)),
            Say::Have(value) => peer.has = peer.has.max(value),
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.now >= self.repeat_at {
            self.offer();
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        for (_, value) in self.writes.iter().filter(|w| w.0 <= ticket) {
            self.durable = self.durable.max(*value);
        }
        self.writes.retain(|w| w.0 > ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        if self.issued < self.value {
            self.issued = self.value;
            self.last = self.last.next();
            self.writes.push((self.last, self.value));
            return Some(Output::Persist(self.last, Value(self.value)));
        }
        if BUG == bug::GETS_STUCK && self.value >= 40 {
            return None;
        }
        let durable = if BUG == bug::ACKNOWLEDGES_EARLY { self.value } else { self.durable };
        for peer in &mut self.peers {
            if core::mem::take(&mut peer.offer_due) {
                return Some(Output::Send(peer.id, Say::Offer(self.value)));
            }
            if peer.owed.is_some_and(|owed| owed <= durable) {
                peer.owed = None;
                return Some(Output::Send(peer.id, Say::Have(durable)));
            }
        }
        let kept = self.kept();
        (kept > self.announced).then(|| {
            self.announced = kept;
            Output::Event(Kept(kept))
        })
    }

    fn deadline(&self) -> Option<Instant> {
        let waits = self.peers.iter().any(|p| p.has < self.value);
        waits.then_some(self.repeat_at)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Value> {
        (self.value > 0 && BUG != bug::FORGETFUL_CHECKPOINT)
            .then_some(Value(self.value))
            .into_iter()
    }
}

impl<'a, const BUG: u8> Wire<'a> for Say<BUG> {
    fn encode(&self, out: &mut Writer<'_>) {
        let (kind, value) = match *self {
            Self::Offer(value) => (0, value),
            Self::Have(value) => (1, value),
        };
        out.u8(kind);
        out.u64(if BUG == bug::LOSSY_WIRE && kind == 0 { value & 0xff } else { value });
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
