//! A refused message changes nothing but its counter, and no single message stops a replica.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use quorate_clocks::{Actor, Inline};
use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Wire, Writer};
use quorate_crdt::{Config, Crdt, Message, OrSet, Record, Replica};

/// Room for three elements, so that much does not fit.
type Set = OrSet<u8, Inline<3>, Inline<3>>;
type Node = Replica<Set, Inline<2>, Inline<96>>;

const IDS: [NodeId; 3] = [NodeId::new(1), NodeId::new(2), NodeId::new(3)];

/// A step of a history, or a message that nobody sent.
#[derive(Clone, Debug)]
enum Step {
    Update { node: usize, choice: u8, value: u8 },
    Exchange { from: usize, lost: bool },
    Time { ms: u64 },
    Forged { from: u64, message: Forged },
}

#[derive(Clone, Debug)]
struct Forged {
    generation: u64,
    acks_generation: u64,
    acks: u64,
    requests_state: bool,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Ack,
    Digest(u64, u64, u64),
    /// Deltas of actors, some of them cut short.
    Deltas {
        first: u64,
        deltas: Vec<Delta>,
        cut: usize,
    },
    State {
        last: u64,
        deltas: Vec<Delta>,
        cut: usize,
    },
    FormerGeneration(u64, u64),
}

/// The `counter`-th update of an actor adds an element, in the place of the update before it or not.
#[derive(Clone, Debug)]
struct Delta {
    actor: u64,
    counter: u64,
    element: u8,
    replaces: bool,
}

fn forged() -> impl Strategy<Value = Forged> {
    let small = || prop_oneof![8 => 0u64..6, 1 => Just(1 << 40), 1 => Just(u64::MAX)];
    let delta = (1u64..4, 1u64..4, 0u8..4, any::<bool>()).prop_map(
        |(actor, counter, element, replaces)| Delta { actor, counter, element, replaces },
    );
    let deltas = move || prop::collection::vec(delta.clone(), 0..4);
    let cut = || prop_oneof![4 => Just(0usize), 1 => 1usize..4];
    let body = prop_oneof![
        1 => Just(Body::Ack),
        1 => (small(), small(), any::<u64>()).prop_map(|(a, b, c)| Body::Digest(a, b, c)),
        3 => (small(), deltas(), cut())
            .prop_map(|(first, deltas, cut)| Body::Deltas { first, deltas, cut }),
        2 => (small(), deltas(), cut())
            .prop_map(|(last, deltas, cut)| Body::State { last, deltas, cut }),
        1 => (small(), small()).prop_map(|(generation, last)| Body::FormerGeneration(generation, last)),
    ];
    (small(), small(), small(), any::<bool>(), body).prop_map(
        |(generation, acks_generation, acks, requests_state, body)| Forged {
            generation,
            acks_generation,
            acks,
            requests_state,
            body,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0usize..3, any::<u8>(), 0u8..4)
            .prop_map(|(node, choice, value)| Step::Update { node, choice, value }),
        3 => (0usize..3, prop::bool::weighted(0.2))
            .prop_map(|(from, lost)| Step::Exchange { from, lost }),
        1 => (1u64..2_000).prop_map(|ms| Step::Time { ms }),
        4 => (1u64..5, forged()).prop_map(|(from, message)| Step::Forged { from, message }),
    ];
    prop::collection::vec(step, 0..40)
}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap();
    buffer
}

fn write_bytes(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut count = Writer::new(&mut []);
    write(&mut count);
    let mut buffer = vec![0; count.needed()];
    let mut out = Writer::new(&mut buffer);
    write(&mut out);
    out.finish().unwrap();
    buffer
}

impl Delta {
    fn bytes(&self) -> Vec<u8> {
        let dot = |counter, out: &mut Writer<'_>| {
            let actor = Actor::from(NodeId::new(self.actor));
            quorate_clocks::Dot::new(actor, counter).unwrap().encode(out);
        };
        write_bytes(|out| {
            out.bool(true);
            out.u8(self.element);
            dot(self.counter, out);
            let replaces = self.replaces && self.counter > 1;
            out.u64(u64::from(replaces));
            if replaces {
                dot(self.counter - 1, out);
            }
        })
    }
}

impl Forged {
    fn bytes(&self) -> Vec<u8> {
        let cut = |mut bytes: Vec<u8>, cut: usize| {
            bytes.truncate(bytes.len().saturating_sub(cut));
            bytes
        };
        write_bytes(|out| {
            [self.generation, self.acks_generation, self.acks]
                .into_iter()
                .for_each(|number| out.u64(number));
            out.bool(self.requests_state);
            match &self.body {
                Body::Ack => out.u8(0),
                Body::Digest(first, last, digest) => {
                    out.u8(1);
                    [*first, *last, *digest].into_iter().for_each(|number| out.u64(number));
                }
                Body::Deltas { first, deltas, cut: short } => {
                    out.u8(2);
                    out.u64(*first);
                    let batch =
                        write_bytes(|batch| deltas.iter().for_each(|d| batch.bytes(&d.bytes())));
                    out.bytes(&cut(batch, *short));
                }
                Body::State { last, deltas, cut: short } => {
                    out.u8(3);
                    out.u64(*last);
                    let mut set = Set::new();
                    for delta in deltas {
                        let bytes = delta.bytes();
                        let mut input = quorate_core::Reader::new(&bytes);
                        let delta = set.read_delta(&mut input).unwrap();
                        let _ = set.apply(&delta);
                    }
                    out.bytes(&cut(encoded(&set), *short));
                }
                Body::FormerGeneration(generation, last) => {
                    out.u8(4);
                    [*generation, *last].into_iter().for_each(|number| out.u64(number));
                }
            }
        })
    }
}

/// Everything that can be seen of a machine but its counters: what it would put out, when it wants to
/// be called, what it would write out, what it tells.
fn observable_state(node: &Node) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut copy = node.clone();
    let mut outputs = Vec::new();
    loop {
        let mut last = None;
        while let Some(output) = copy.poll() {
            outputs.push(match output {
                Output::Persist(ticket, record) => {
                    last = Some(ticket);
                    format!("write {:?}", encoded(&record))
                }
                Output::Send(to, message) => format!("send {to} {:?}", encoded(&message)),
                Output::Event(event) => format!("{event:?}"),
            });
        }
        let Some(ticket) = last else { break };
        copy.persisted(ticket);
    }
    let checkpoint: Vec<Vec<u8>> =
        node.checkpoint().map(|record: Record<'_, Set>| encoded(&record)).collect();
    (
        (outputs, node.deadline(), checkpoint, node.state().clone()),
        (node.stable(), node.last(), node.fatal(), node.peers().collect::<Vec<_>>()),
    )
}

fn check(steps: &[Step], durable: bool) {
    let config = Config { gossip_us: 500_000, max_delta_bytes: 64, durable, max_log_bytes: 96 };
    let mut nodes = IDS.map(|id| Node::new(id.into(), &IDS, Set::new(), config).unwrap());
    let mut now = Instant::ZERO;
    for step in steps {
        match step {
            Step::Update { node, choice, value } => {
                let node = &mut nodes[*node];
                let _ = match choice % 3 {
                    0 => node.update(|set, _| Ok(set.remove(value))),
                    _ => node.update(|set, me| set.add(me, *value)),
                };
            }
            Step::Time { ms } => {
                now = now.after(ms * 1_000);
                nodes.iter_mut().for_each(|node| node.tick(now));
            }
            Step::Exchange { from, lost } => {
                let mut sent = Vec::new();
                loop {
                    let mut last = None;
                    while let Some(output) = nodes[*from].poll() {
                        match output {
                            Output::Persist(ticket, _) => last = Some(ticket),
                            Output::Send(to, message) => sent.push((to, encoded(&message))),
                            Output::Event(_) => {}
                        }
                    }
                    let Some(ticket) = last else { break };
                    nodes[*from].persisted(ticket);
                }
                for (to, bytes) in sent.into_iter().filter(|_| !lost) {
                    let at = to.get() as usize - 1;
                    deliver(&mut nodes[at], now, IDS[*from], &bytes);
                }
            }
            Step::Forged { from, message } => {
                // to a node that was told the truth only, beside the others
                for node in &nodes {
                    let mut node = node.clone();
                    deliver(&mut node, now, NodeId::new(*from), &message.bytes());
                    assert_eq!(node.fatal(), None, "one message stops it: {message:?}");
                }
            }
        }
    }
}

fn deliver(node: &mut Node, now: Instant, from: NodeId, bytes: &[u8]) {
    node.tick(now);
    let before = (observable_state(node), node.rejections().total());
    let message = Message::from_slice(bytes).unwrap();
    if let Err(reason) = node.receive(now, from, message) {
        assert_ne!(reason, Rejected::Stopped);
        assert_eq!(observable_state(node), before.0, "{reason} and {bytes:?}");
        assert_eq!(node.rejections().total(), before.1 + 1);
    }
}

proptest! {
    #[test]
    fn rejected_input_changes_nothing(steps in steps(), durable: bool) {
        check(&steps, durable);
    }
}

/// The two cases that were found: acknowledgements before a run that does not parse; and a run of
/// which only the beginning fits.
#[test]
fn malformed_message_acknowledges_nothing() {
    let config = Config { durable: false, ..Config::default() };
    let mut node = Node::new(IDS[0].into(), &IDS[..2], Set::new(), config).unwrap();
    node.tick(Instant::ZERO);
    node.update(|set, me| set.add(me, 1)).unwrap();
    assert_eq!((node.stable(), node.last()), (0, 2));
    let message = Message::from_slice(&[1, 1, 2, 0, 2, 1, 2, 9, 9]).unwrap();
    assert_eq!(node.receive(Instant::ZERO, IDS[1], message), Err(Rejected::Malformed));
    assert_eq!(node.stable(), 0);

    // three places: of a run of four elements three fit, and the message is not refused
    let mut source = Set::new();
    let delta = |n| Delta { actor: 2, counter: n, element: n as u8, replaces: false };
    let deltas: Vec<Delta> = (1..=4).map(delta).collect();
    for delta in &deltas[..3] {
        let bytes = delta.bytes();
        let delta = source.read_delta(&mut quorate_core::Reader::new(&bytes)).unwrap();
        source.apply(&delta).unwrap();
    }
    let mut node = Node::new(IDS[0].into(), &IDS[..2], Set::new(), config).unwrap();
    let body = Body::Deltas { first: 1, deltas, cut: 0 };
    let bytes =
        Forged { generation: 1, acks_generation: 0, acks: 0, requests_state: false, body }.bytes();
    assert_eq!(node.receive(Instant::ZERO, IDS[1], Message::from_slice(&bytes).unwrap()), Ok(()));
    assert_eq!(node.state(), &source);
    let mut events = Vec::new();
    while let Some(output) = node.poll() {
        if let Output::Event(event) = output {
            events.push(event);
        }
    }
    assert!(events.contains(&quorate_crdt::Event::Full(IDS[1])));
}
