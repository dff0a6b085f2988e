use std::ops::{Deref, DerefMut};

use quorate_clocks::causal::{Event, Message, Record, Status};
use quorate_clocks::{Causal, Storage};
use quorate_core::{
    Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Sink, Ticket, wire,
};

/// A member whose disk may have been erased: it does not see the records of former incarnations.
#[derive(Clone, PartialEq, Debug)]
pub struct Member<A: Storage, M: Storage, B: Storage> {
    causal: Causal<A, M, B>,
    incarnation: u32,
}

impl<A: Storage, M: Storage, B: Storage> Member<A, M, B> {
    pub(crate) fn new(causal: Causal<A, M, B>, incarnation: u32) -> Self {
        Self { causal, incarnation }
    }
}

impl<A: Storage, M: Storage, B: Storage> Deref for Member<A, M, B> {
    type Target = Causal<A, M, B>;
    fn deref(&self) -> &Self::Target {
        &self.causal
    }
}

impl<A: Storage, M: Storage, B: Storage> DerefMut for Member<A, M, B> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.causal
    }
}

wire! {
    /// A record, and whose it is.
    #[derive(Clone, Copy, PartialEq, Debug)]
    pub struct TaggedRecord<'a> {
        pub(crate) incarnation: u32,
        pub(crate) record: Record<'a>,
    }
}

impl<A: Storage, M: Storage, B: Storage> Machine for Member<A, M, B> {
    type Message<'a> = Message<'a>;
    type Record<'a> = TaggedRecord<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, tagged: TaggedRecord<'_>) -> Result<(), Corrupt> {
        if tagged.incarnation == self.incarnation {
            self.causal.restore(tagged.record)
        } else {
            Ok(())
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.causal.receive(now, from, message)
    }

    fn tick(&mut self, now: Instant) {
        self.causal.tick(now);
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.causal.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let incarnation = self.incarnation;
        Some(match self.causal.poll()? {
            Output::Persist(ticket, record) => {
                Output::Persist(ticket, TaggedRecord { incarnation, record })
            }
            Output::Send(to, message) => Output::Send(to, message),
            Output::Event(event) => Output::Event(event),
        })
    }

    fn drain<K: Sink<Self>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        self.causal.drain(&mut Tagging { incarnation: self.incarnation, sink })
    }

    fn status(&self) -> Status {
        self.causal.status()
    }

    fn rejections(&self) -> Rejections {
        self.causal.rejections()
    }

    fn deadline(&self) -> Option<Instant> {
        self.causal.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = TaggedRecord<'_>> {
        let incarnation = self.incarnation;
        self.causal.checkpoint().map(move |record| TaggedRecord { incarnation, record })
    }
}

/// Tags the records on their way to a sink.
struct Tagging<'a, K> {
    incarnation: u32,
    sink: &'a mut K,
}

impl<A, M, B, K> Sink<Causal<A, M, B>> for Tagging<'_, K>
where
    A: Storage,
    M: Storage,
    B: Storage,
    K: Sink<Member<A, M, B>>,
{
    type Error = K::Error;

    fn persist(&mut self, ticket: Ticket, record: Record<'_>) -> Result<(), K::Error> {
        self.sink.persist(ticket, TaggedRecord { incarnation: self.incarnation, record })
    }

    fn send(&mut self, to: NodeId, message: Message<'_>) -> Result<(), K::Error> {
        self.sink.send(to, message)
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), K::Error> {
        self.sink.event(event)
    }
}
