//! The machine keeps the contract of `Machine`.

use std::marker::PhantomData;

use quorate_core::{Instant, NodeId, Rejected, Rng, Shown, Wire};
use quorate_ring::Heap;
use quorate_ring::migration::{
    Body, Config, Event, Inline, Message, Migration, Progress, Record, Refusal, Storage,
};
use quorate_ring::topology::Version;
use quorate_ring::{Token, TokenRange};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

const HANDOVERS: usize = 4;
const CHUNK: usize = 64;
const CURSOR: usize = 8;

type Node<S> = Migration<TokenRange, S>;
type OnInline = Inline<3, HANDOVERS, CHUNK, CURSOR>;

const CONFIG: Config = Config {
    retry_us: 100_000,
    stall_us: 400_000,
    bytes_per_second: 4_000,
    max_members: 3,
    max_handovers: HANDOVERS,
    max_chunk_bytes: CHUNK,
    max_cursor_bytes: CURSOR,
    ..Config::lan()
};

/// The last number that a message may have.
const LAST: u64 = (1 << 62) - 1;

type Said<'a> = Message<'a, TokenRange>;

/// The application of one node: its ranges have four chunks, which it does not keep.
#[derive(Clone)]
struct Application<S> {
    node: usize,
    todo: Vec<Todo>,
    storage: PhantomData<S>,
}

#[derive(Clone, Copy)]
enum Todo {
    Accept(TokenRange),
    Read(TokenRange, u8),
    Apply(TokenRange),
    Retire(TokenRange),
}

fn ids() -> [NodeId; 3] {
    [1, 2, 3].map(NodeId::new)
}

fn nth_range(n: u64) -> TokenRange {
    TokenRange::new(Token::new(n * 100), Token::new(n * 100 + 99))
}

impl<S: Storage + 'static> Specimen for Application<S> {
    type Machine = Node<S>;

    const NAME: &'static str = "a migration";
    // of each hand-over and direction a message in `retry_us`; and what chunks and their answers make: as many as
    // `bytes_per_second` allows, and writes of clients
    const MESSAGES_PER_SECOND: u64 = 2 * HANDOVERS as u64 * 10 + 2 * 4_000 / 16 + 2 * 20;
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const REJECTED: &'static [Rejected] =
        &[Rejected::UnknownSender, Rejected::Malformed, Rejected::OutOfRange, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self { node, todo: Vec::new(), storage: PhantomData }
    }

    fn boot(&self, _seed: u64) -> Node<S> {
        Node::new(ids()[self.node], &ids(), CONFIG).unwrap()
    }

    fn restored(&mut self, _machine: &mut Node<S>) {
        self.todo.clear();
    }

    fn durable(machine: &Node<S>) -> String {
        format!(
            "{:?} {:?}",
            machine.outgoing().collect::<Vec<_>>(),
            machine.incoming().collect::<Vec<_>>()
        )
    }

    fn event(&mut self, event: Event<'_, TokenRange>) {
        match event {
            Event::Offered { range, .. } => self.todo.push(Todo::Accept(range)),
            Event::Read { range, after, .. } => {
                self.todo.push(Todo::Read(range, after.first().copied().unwrap_or(0)));
            }
            Event::Apply { range, .. } => self.todo.push(Todo::Apply(range)),
            Event::Closed { range, .. } => self.todo.push(Todo::Retire(range)),
            _ => {}
        }
    }

    fn respond(&mut self, machine: &mut Node<S>, _now: Instant) -> bool {
        let todo = core::mem::take(&mut self.todo);
        for todo in &todo {
            // a hand-over that was canceled meanwhile needs no answer
            let _ = match *todo {
                Todo::Accept(range) => machine.accept(range).is_ok(),
                Todo::Read(range, 4) => machine.provide(range, &[0; 16], None).is_ok(),
                Todo::Read(range, n) => machine.provide(range, &[n; 16], Some(&[n + 1])).is_ok(),
                Todo::Apply(range) => machine.applied(range).is_ok(),
                Todo::Retire(range) => machine.retire(range).is_ok(),
            };
        }
        !todo.is_empty()
    }

    fn act(&mut self, machine: &mut Node<S>, _now: Instant, rng: &mut Rng) {
        let range = nth_range(rng.below(6));
        let leaving: Vec<_> = machine.outgoing().collect();
        for one in &leaving {
            if one.progress == Progress::Copied && rng.chance(1, 2) {
                let _ = machine.release(one.range);
            } else {
                let _ = machine.forward(one.range, b"write");
            }
        }
        match rng.below(8) {
            0 => {
                let _ = machine.cancel(range);
            }
            1..5 => {
                let to = ids()[rng.below(3) as usize];
                let _ = machine.begin(range, to, Version { epoch: 1, digest: 2 });
            }
            5 => {
                let _ = machine.reclaim(range);
            }
            _ => {
                let arrived: Vec<_> = machine.incoming().map(|one| one.range).collect();
                for range in arrived {
                    let _ = machine.retire(range);
                }
            }
        }
    }

    fn refusals(message: &Message<'_, TokenRange>) -> Vec<Vec<u8>> {
        match *message {
            Message::Begin { handover, session, .. } => vec![
                Said::Refused { handover, session, reason: Refusal::Full }.to_vec(),
                Said::Lost { handover, session, seen: session }.to_vec(),
            ],
            Message::Item { handover, session, .. }
            | Message::Released { handover, session, .. } => {
                vec![Said::Lost { handover, session, seen: session }.to_vec()]
            }
            Message::Position { handover, .. } => {
                vec![Said::Gone { handover }.to_vec()]
            }
            _ => Vec::new(),
        }
    }

    /// The formula of [`Inline`]'s documentation.
    fn memory(machine: &Node<S>) -> Vec<(&'static str, usize, usize)> {
        let handover = 3 * CHUNK + 4 * CURSOR + 512 + 4 * size_of::<TokenRange>();
        vec![
            ("bytes", size_of::<Node<S>>(), 256 + 3 * 96 + HANDOVERS * handover),
            ("ranges that leave", machine.outgoing().count(), HANDOVERS),
            ("ranges that come", machine.incoming().count(), HANDOVERS),
        ]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        let body = Body::Chunk { bytes: &[0; CHUNK], cursor: &[0; CURSOR], last: true };
        let (handover, session, item) = (LAST, LAST, LAST);
        Some(Said::Item { handover, session, item, body }.to_vec())
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        let record: Record<'_, TokenRange> = Record::Incoming {
            from: NodeId::new(u64::MAX),
            handover: LAST,
            session: LAST,
            range: TokenRange::new(Token::MAX, Token::MAX),
            version: Version { epoch: u64::MAX, digest: u64::MAX },
            item: LAST,
            cursor: &[0; CURSOR],
            complete: true,
            arrived: true,
        };
        Some(record.to_vec())
    }

    fn message_text(message: &Message<'_, TokenRange>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_, TokenRange>) -> String {
        Shown(record).to_string()
    }
}

conformance_tests! {
    inline: Application<OnInline>, seeds 0..8;
    heap: Application<Heap>, seeds 0..8;
}
