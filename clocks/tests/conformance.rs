//! A member of a causal group keeps the contract of `Machine`.
#![allow(clippy::unwrap_used)]

use core::marker::PhantomData;

#[cfg(feature = "alloc")]
use quorate_clocks::Heap;
use quorate_clocks::causal::{Config, Event, Message, Record};
use quorate_clocks::{Actor, Causal, Dot, Inline, Storage, VersionVector};
use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Rng, Wire};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

/// The application of one member: what was delivered is durable at once.
#[derive(Clone)]
struct Application<A: Storage, M, P> {
    node: usize,
    delivered: VersionVector<A>,
    storage: PhantomData<(M, P)>,
}

trait Kind: Storage {
    const LONGEST: u64;
}

impl<const N: usize> Kind for Inline<N> {
    const LONGEST: u64 = N as u64;
}

#[cfg(feature = "alloc")]
impl Kind for Heap {
    const LONGEST: u64 = 40;
}

impl<A: Storage, M: Storage, P: Kind> Application<A, M, P> {
    const MOST_STORED: u64 = if M::LIMIT < 45 { M::LIMIT as u64 } else { 45 };

    /// What a member says and writes that has as many actors and bytes as it takes, and the largest numbers.
    fn last_outputs() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        const LAST: u64 = u64::MAX - 1;
        let ids = [0, 1, 2].map(|n| NodeId::new(u64::MAX - n));
        let me = Actor::from(ids[2]);
        let others = |node: NodeId, count: usize| {
            let mut versions = VersionVector::<A>::new();
            for n in 0..count as u32 {
                let actor = Actor::new(node, u32::MAX - n);
                versions.observe(Dot::new(actor, LAST).unwrap()).unwrap();
            }
            versions
        };
        let mut member = Causal::<A, M, P>::new(me, &ids, Config::lan()).unwrap();
        member.restore(Record::Stable { counter: LAST }).unwrap();
        let mut state = others(ids[0], A::LIMIT - 1);
        state.observe(Dot::new(me, LAST).unwrap()).unwrap();
        member.resume(&state).unwrap();
        let (mut messages, mut records) = (Vec::new(), Vec::new());
        let now = Instant::ZERO;
        member.tick(now);
        let payload = vec![7; P::LIMIT];
        member.broadcast(&payload).unwrap();
        // a message of node 1, which node 2 asks for
        let causes = others(ids[1], A::LIMIT);
        let causes = causes.versions();
        let dot = Dot::new(Actor::new(ids[0], u32::MAX), u64::MAX).unwrap();
        let data = Message::Data { dot, causes, payload: &payload };
        let delivered = quorate_clocks::Versions::EMPTY;
        let asks = Message::Status { boot: 1, request: true, relay: true, delivered };
        member.receive(now, ids[0], data).unwrap();
        member.receive(now, ids[1], asks).unwrap();
        loop {
            let mut issued = None;
            while let Some(output) = member.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        issued = Some(ticket);
                        records.push(encode(&record));
                    }
                    Output::Send(_, message) => messages.push(encode(&message)),
                    Output::Event(_) => {}
                }
            }
            match issued {
                Some(ticket) => member.persisted(ticket),
                None => return (messages, records),
            }
        }
    }
}

impl<A: Storage, M: Storage, P: Kind> Specimen for Application<A, M, P> {
    type Machine = Causal<A, M, P>;

    const NAME: &'static str = "a member of a causal group";
    // what `Causal` promises, with 20 intervals a second; a run makes no more than 45 messages
    const MESSAGES_PER_SECOND: u64 = 20 * (1 + 2 * (Self::MOST_STORED + 1));
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const ACT_US: u64 = 200_000;
    const REJECTED: &'static [Rejected] = if M::FIXED {
        &[Rejected::UnknownSender, Rejected::Full]
    } else {
        &[Rejected::UnknownSender] // on the heap there is room in a run
    };

    fn new(node: usize) -> Self {
        Self { node, delivered: VersionVector::new(), storage: PhantomData }
    }

    fn boot(&self, _seed: u64) -> Causal<A, M, P> {
        let ids: Vec<NodeId> = (1..=Self::NODES as u64).map(NodeId::new).collect();
        Causal::new(ids[self.node].into(), &ids, Config::lan()).unwrap()
    }

    fn restored(&mut self, member: &mut Causal<A, M, P>) {
        member.resume(&self.delivered).unwrap();
    }

    fn durable(member: &Causal<A, M, P>) -> String {
        let status = member.status();
        format!("{:?}", (status.actor, status.sent, member.stored()))
    }

    fn event(&mut self, event: Event<'_>) {
        if let Event::Deliver { dot, .. } = event {
            self.delivered.observe(dot).unwrap();
        }
    }

    fn act(&mut self, member: &mut Causal<A, M, P>, _now: Instant, rng: &mut Rng) {
        let payload = vec![7; rng.below(P::LONGEST + 1) as usize];
        let _ = member.broadcast(&payload); // or the store is full
    }

    /// It never has anything, and asks for everything.
    fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
        let status = |request, relay| {
            let delivered = quorate_clocks::Versions::EMPTY;
            encode(&Message::Status { boot: 1, request, relay, delivered })
        };
        match *message {
            Message::Status { request: true, relay, .. } => vec![status(false, relay)],
            Message::Data { .. } => vec![status(false, false)],
            _ => Vec::new(),
        }
    }

    fn memory(member: &Causal<A, M, P>) -> Vec<(&'static str, usize, usize)> {
        // the formula of `Causal`'s documentation, for storage inside the value
        let (a, m, p) = (A::LIMIT, M::LIMIT, P::LIMIT);
        let product = |count: usize, each: usize| count.saturating_mul(each);
        let message = product(24, a).saturating_add(p).saturating_add(72);
        let actor = product(24, a).saturating_add(56 + 80);
        let formula = product(m, message).saturating_add(product(a, actor)).saturating_add(360);
        vec![
            ("messages that are kept", member.stored(), m),
            ("bytes", size_of::<Causal<A, M, P>>(), formula),
        ]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Self::last_outputs().0.into_iter().max_by_key(Vec::len)
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Self::last_outputs().1.into_iter().max_by_key(Vec::len)
    }
}

fn encode<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.to_slice(&mut bytes).unwrap();
    bytes
}

conformance_tests! {
    inline: Application<Inline<3>, Inline<8>, Inline<24>>, seeds 0..8;
}

#[cfg(feature = "alloc")]
conformance_tests! {
    heap: Application<Heap, Heap, Heap>, seeds 0..8;
}
