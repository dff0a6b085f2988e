//! Replicas that lost state, or share an actor, are detected, and not by one message.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use quorate_clocks::{Actor, Inline};
use quorate_core::{Fatal, Instant, Machine, NodeId, Output, Rejected, Wire};
use quorate_crdt::{Config, Crdt, Event, GCounter, LwwRegister, Message, OrSet, Record, Replica};

const DURABLE: Config =
    Config { gossip_us: 1_000_000, max_delta_bytes: 256, durable: true, max_log_bytes: 64 };
const VOLATILE: Config = Config { durable: false, ..DURABLE };

type Node<T> = Replica<T, Inline<3>, Inline<64>>;
type Counter = GCounter<Inline<4>>;
type Set = OrSet<u8, Inline<16>, Inline<4>>;

fn node<T: Crdt + Default>(id: u64, config: Config) -> Node<T> {
    node_as(Actor::from(NodeId::new(id)), config)
}

fn node_as<T: Crdt + Default>(actor: Actor, config: Config) -> Node<T> {
    let ids = [1, 2, 3].map(NodeId::new);
    Node::new(actor, &ids, T::default(), config).unwrap()
}

/// Nodes 1, 2, 3, whose disks work at once.
struct Group<T: Crdt + 'static> {
    nodes: [Node<T>; 3],
    now: u64,
    /// These neither send nor hear.
    isolated: [bool; 3],
    /// So many messages of former generations are lost.
    former_lost: usize,
    events: Vec<(usize, Event)>,
    records: [Vec<Vec<u8>>; 3],
}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap();
    buffer
}

impl<T: Crdt + Default + 'static> Group<T> {
    fn new(config: Config) -> Self {
        let nodes = [1, 2, 3].map(|id| node(id, config));
        Self {
            nodes,
            now: 0,
            isolated: [false; 3],
            former_lost: 0,
            events: Vec::new(),
            records: Default::default(),
        }
    }

    /// So many gossip intervals, in each of which everything said is heard.
    fn rounds(&mut self, count: u64) {
        for _ in 0..count {
            self.now += 1_000;
            (0..3).for_each(|at| self.nodes[at].tick(Instant::from_millis(self.now)));
            while self.exchange() {}
        }
    }

    fn exchange(&mut self) -> bool {
        let mut sent = Vec::new();
        for at in 0..3 {
            loop {
                let mut last = None;
                while let Some(output) = self.nodes[at].poll() {
                    match output {
                        Output::Persist(ticket, record) => {
                            self.records[at].push(encoded(&record));
                            last = Some(ticket);
                        }
                        Output::Send(to, message) => sent.push((at, to, encoded(&message))),
                        Output::Event(event) => self.events.push((at, event)),
                    }
                }
                let Some(ticket) = last else { break };
                self.nodes[at].persisted(ticket);
            }
        }
        let some = !sent.is_empty();
        for (from, to, bytes) in sent {
            let at = to.get() as usize - 1;
            if self.isolated[from] || self.isolated[at] {
                continue;
            }
            if self.former_lost > 0
                && format!("{:?}", Message::<T>::from_slice(&bytes)).contains("Former")
            {
                self.former_lost -= 1;
                continue;
            }
            let now = Instant::from_millis(self.now);
            let message = Message::from_slice(&bytes).unwrap();
            let _ = self.nodes[at].receive(now, NodeId::new(from as u64 + 1), message);
        }
        some
    }

    fn challenges(&self) -> usize {
        let unknown = |event: &&(usize, Event)| matches!(event.1, Event::UnknownUpdates(_));
        self.events.iter().filter(unknown).count()
    }
}

fn add(node: &mut Node<Counter>, amount: u64) {
    node.update(|counter, me| counter.increment(me, amount)).unwrap();
}

fn add_element(node: &mut Node<Set>, element: u8) {
    node.update(|set, me| set.add(me, element)).unwrap();
}

#[test]
fn erased_replica_stops() {
    for before in [1, 5] {
        // under its old name, with generations that did or did not exist before, with fewer and
        // with more updates than it made in its first generation
        for restarts in [0, 3] {
            for after in [0, 1, 9] {
                let mut group = Group::<Set>::new(DURABLE);
                for _ in 0..restarts {
                    group.rounds(2);
                    let mut again = node(1, DURABLE);
                    for bytes in &group.records[0] {
                        again.restore(Record::from_slice(bytes).unwrap()).unwrap();
                    }
                    group.nodes[0] = again;
                }
                (0..before).for_each(|n| add_element(&mut group.nodes[0], n));
                group.rounds(4);
                assert_eq!(group.nodes[1].state().iter().count(), usize::from(before));
                assert_eq!(group.challenges(), 0);
                group.nodes[0] = node(1, DURABLE);
                // other things than before, as a set keeps the first of two with one name
                (0..after).for_each(|n| add_element(&mut group.nodes[0], 100 + n));
                group.rounds(8);
                let case = (before, restarts, after);
                assert_eq!(group.nodes[0].fatal(), Some(Fatal::LostState), "{case:?}");
                assert!(group.challenges() > 0, "{case:?}");
                assert_eq!(group.nodes[0].deadline(), None);
                // the others go on as if nothing had happened
                assert!(group.nodes[1..].iter().all(|node| node.fatal().is_none()));
                add_element(&mut group.nodes[1], 50);
                group.rounds(2);
                assert_eq!(group.nodes[1].state(), group.nodes[2].state());
                // as the next incarnation it is welcome
                group.nodes[0] = node_as(Actor::new(NodeId::new(1), 1), DURABLE);
                add_element(&mut group.nodes[0], 60);
                group.rounds(6);
                assert_eq!(group.nodes[0].fatal(), None);
                assert!(group.nodes.iter().all(|node| node.state().contains(&60)), "{case:?}");
            }
        }
    }
}

#[test]
fn volatile_replica_reusing_its_incarnation_stops() {
    let mut group = Group::<Counter>::new(VOLATILE);
    add(&mut group.nodes[0], 5);
    group.rounds(4);
    group.nodes[0] = node(1, VOLATILE);
    add(&mut group.nodes[0], 1);
    group.rounds(6);
    assert_eq!(group.nodes[0].fatal(), Some(Fatal::LostState));
    assert!(group.nodes[1..].iter().all(|node| node.state().value() == 5));
}

/// A state without versions of actors has nothing to mix up: a register catches up in any
/// generation.
#[test]
fn amnesiac_register_catches_up() {
    use quorate_clocks::{Stamp, Timestamp};
    let mut group = Group::<LwwRegister<u8>>::new(DURABLE);
    let set = |group: &mut Group<_>, at: usize, us, value| {
        let node: &mut Node<LwwRegister<u8>> = &mut group.nodes[at];
        let stamp = |actor| Stamp { time: Timestamp::from_micros(us), actor };
        node.update(|register, me| register.set(stamp(me), value)).unwrap();
    };
    (1..9).for_each(|us| set(&mut group, 0, us, us as u8));
    group.rounds(4);
    group.nodes[0] = node(1, DURABLE);
    set(&mut group, 0, 20, 77);
    group.rounds(8);
    assert_eq!(group.nodes[0].fatal(), None);
    assert!(group.nodes.iter().all(|node| node.state().get() == Some(&77)));
}

#[test]
fn duplicate_actor_is_detected() {
    let mut group = Group::<Set>::new(VOLATILE);
    group.isolated = [false, false, true];
    add_element(&mut group.nodes[0], 1);
    group.rounds(3);
    // node 3 is a copy of node 1 with another id in the network: it works as the same actor
    let ids = [1, 2, 3].map(NodeId::new);
    let actor = Actor::from(ids[0]);
    group.nodes[2] = Node::new(actor, &ids[..2], Set::new(), VOLATILE).unwrap();
    add_element(&mut group.nodes[2], 2);
    group.isolated = [false; 3];
    group.rounds(8);
    assert_eq!(group.nodes[2].fatal(), Some(Fatal::LostState));
}

/// One message, whatever it says: it may be late, damaged or forged.
#[test]
fn single_message_never_stops_a_replica() {
    let mut source = Counter::new();
    source.increment(Actor::from(NodeId::new(1)), 7).unwrap();
    let state = encoded(&source);
    let mut whole = vec![9, 1, 0, 0, 3, 1, state.len() as u8];
    whole.extend(&state);
    let forged: [&[u8]; 4] = [
        // an acknowledgement of what was never done
        &[1, 1, 99, 0, 0],
        // of a generation that never began
        &[1, 0x7f, 99, 0, 0],
        // an update by this very actor, as a delta and in a state
        &[9, 0, 0, 0, 2, 1, 4, 3, 1, 0, 7],
        &whole,
    ];
    for (which, bytes) in forged.into_iter().enumerate() {
        for config in [DURABLE, VOLATILE] {
            let mut group = Group::<Counter>::new(config);
            add(&mut group.nodes[0], 5);
            group.rounds(3);
            let before = group.nodes[0].state().clone();
            // the same one again and again is still one
            for _ in 0..3 {
                let message = Message::from_slice(bytes).unwrap();
                let now = Instant::from_millis(group.now);
                let _ = group.nodes[0].receive(now, NodeId::new(2), message);
                assert_eq!(group.nodes[0].fatal(), None, "{which}");
                assert_eq!(group.nodes[0].state(), &before);
                group.rounds(1);
            }
            assert!(group.events.contains(&(0, Event::UnknownUpdates(NodeId::new(2)))), "{which}");
            add(&mut group.nodes[0], 1);
            group.rounds(4);
            assert_eq!(group.nodes[0].fatal(), None);
            assert!(group.nodes.iter().all(|node| node.state().value() == 6), "{which}");
            let node = &group.nodes[0];
            assert_eq!(node.stable(), node.last(), "{which}");
        }
    }
}

/// Another generation is begun for a claim at most once in a gossip interval, and says nothing
/// before it is durable.
#[test]
fn claims_begin_one_generation_per_gossip() {
    let mut node = node::<Counter>(1, DURABLE);
    add(&mut node, 5);
    node.tick(Instant::ZERO);
    let drain = |node: &mut Node<Counter>| {
        let (mut records, mut messages) = (Vec::new(), Vec::new());
        while let Some(output) = node.poll() {
            match output {
                Output::Persist(ticket, _) => records.push(ticket),
                Output::Send(_, message) => messages.push(generation(&message)),
                Output::Event(_) => {}
            }
        }
        (records, messages)
    };
    let (first, _) = drain(&mut node);
    node.persisted(*first.last().unwrap());
    assert!(!drain(&mut node).1.is_empty());
    let claim = |node: &mut Node<Counter>, from| {
        let message = Message::from_slice(&[1, 1, 99, 0, 0]).unwrap();
        node.receive(Instant::ZERO, NodeId::new(from), message)
    };
    assert_eq!(claim(&mut node, 2), Ok(()));
    let stable = node.stable();
    let (records, messages) = drain(&mut node);
    assert_eq!(
        (records.len(), messages.len()),
        (1, 0),
        "the generation, and nothing before it is durable"
    );
    for _ in 0..100 {
        assert_eq!(claim(&mut node, 2), Ok(()), "of an earlier generation by now: late");
    }
    assert_eq!(drain(&mut node), (Vec::new(), Vec::new()));
    node.persisted(records[0]);
    let (records, messages) = drain(&mut node);
    assert!(records.is_empty() && !messages.is_empty());
    assert!(node.stable() >= stable);
    // a claim that answers the generation which another peer's claim began: it was not asked yet
    let mut repeated = messages.first().unwrap().clone();
    repeated.extend([99, 0, 0]);
    repeated.insert(0, 1);
    let message = Message::from_slice(&repeated).unwrap();
    assert_eq!(
        node.receive(Instant::ZERO, NodeId::new(3), message.clone()),
        Err(Rejected::Impossible)
    );
    assert_eq!(drain(&mut node), (Vec::new(), Vec::new()));
    assert_eq!(node.fatal(), None);
    // the one that was asked insists
    node.receive(Instant::ZERO, NodeId::new(2), message).unwrap();
    assert_eq!(node.fatal(), Some(Fatal::LostState));
}

/// The number of a message's generation, as bytes.
fn generation<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let bytes = encoded(message);
    let len = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    bytes[..len].to_vec()
}

fn receive<T: Crdt + Default + 'static>(group: &mut Group<T>, to: usize, from: u64, bytes: &[u8]) {
    let message = Message::from_slice(bytes).unwrap();
    let now = Instant::from_millis(group.now);
    let _ = group.nodes[to].receive(now, NodeId::new(from), message);
}

/// What was forgotten is hidden by what was made since: a greater total, elements that are gone. The
/// numbers that peers had of the generation before tell it.
#[test]
fn amnesia_hidden_by_new_updates_is_detected() {
    for config in [DURABLE, VOLATILE] {
        for restarts in [0, 2] {
            for (amount, updates) in [(1, 1), (20, 1), (1000, 1), (7, 6), (1, 19)] {
                let mut group = Group::<Counter>::new(config);
                let again = |group: &mut Group<Counter>| {
                    let mut again = node(1, config);
                    for bytes in &group.records[0] {
                        again.restore(Record::from_slice(bytes).unwrap()).unwrap();
                    }
                    group.nodes[0] = again;
                };
                for _ in 0..restarts * usize::from(config.durable) {
                    group.rounds(2);
                    again(&mut group);
                }
                (0..20).for_each(|_| add(&mut group.nodes[0], 1));
                group.rounds(4);
                assert_eq!(group.challenges(), 0);
                group.nodes[0] = node(1, config);
                (0..updates).for_each(|_| add(&mut group.nodes[0], amount));
                group.rounds(20);
                let case = (config.durable, restarts, amount, updates);
                assert!(group.challenges() > 0, "{case:?}");
                assert_eq!(group.nodes[0].fatal(), Some(Fatal::LostState), "{case:?}");
                assert!(group.nodes[1..].iter().all(|node| node.fatal().is_none()));
            }
        }
    }
    let mut group = Group::<Set>::new(DURABLE);
    for n in 0..5 {
        add_element(&mut group.nodes[0], n);
        group.nodes[0].update(|set, _| Ok::<_, ()>(set.remove(&n))).unwrap();
    }
    group.rounds(4);
    group.nodes[0] = node(1, DURABLE);
    (0..5).for_each(|n| add_element(&mut group.nodes[0], 100 + n));
    group.rounds(20);
    assert_eq!(group.nodes[0].fatal(), Some(Fatal::LostState));
}

/// As long as messages are lost: what a peer had is told more than once.
#[test]
fn amnesia_is_detected_despite_lost_answers() {
    for former_lost in 0..3 {
        let mut group = Group::<Counter>::new(DURABLE);
        (0..20).for_each(|_| add(&mut group.nodes[0], 1));
        group.rounds(4);
        group.nodes[0] = node(1, DURABLE);
        add(&mut group.nodes[0], 1000);
        group.former_lost = former_lost;
        group.rounds(20);
        assert_eq!(group.former_lost, 0, "{former_lost}");
        assert_eq!(group.nodes[0].fatal(), Some(Fatal::LostState), "{former_lost}");
    }
}

/// A generation that a peer never began: what it really says is not late for ever.
#[test]
fn forged_generation_does_not_partition() {
    for (exponent, third) in
        [(6, false), (17, false), (17, true), (31, false), (62, false), (62, true)]
    {
        let mut group = Group::<Counter>::new(DURABLE);
        group.isolated[2] = !third;
        add(&mut group.nodes[0], 1);
        add(&mut group.nodes[1], 1);
        group.rounds(4);
        let mut forged = vec![0; 10];
        let len = {
            let mut out = quorate_core::Writer::new(&mut forged);
            out.u64(1 << exponent);
            out.needed()
        };
        forged.truncate(len);
        forged.extend([0, 0, 0, 0]);
        receive(&mut group, 0, 2, &forged);
        add(&mut group.nodes[0], 10);
        add(&mut group.nodes[1], 100);
        group.rounds(30);
        let values = group.nodes.each_ref().map(|node| node.state().value());
        assert_eq!(values[..2], [112, 112], "{exponent} {third}");
        let settled = |node: &Node<Counter>| node.fatal().is_none() && node.stable() == node.last();
        assert!(!third || group.nodes.iter().all(settled), "{exponent}");
    }
}

/// Who does not hear the replica cannot answer for a peer: the generation is not known before it is
/// told.
#[test]
fn off_path_forgeries_stop_nobody() {
    for first in [1, 2, 100] {
        for second in 0..=120 {
            let mut group = Group::<Counter>::new(DURABLE);
            add(&mut group.nodes[0], 5);
            group.rounds(7);
            for acks_generation in [first, second] {
                receive(&mut group, 0, 2, &[1, acks_generation, 99, 0, 0]);
            }
            assert_eq!(group.nodes[0].fatal(), None, "{first} {second}");
            // nor a former generation that nobody asked about
            receive(&mut group, 0, 3, &[1, 1, 0, 0, 4, 9, 9]);
            assert_eq!(group.nodes[0].fatal(), None);
        }
    }
}

/// A question that nobody answers is given up, and asked again when there is reason to.
#[test]
fn unanswered_challenge_expires() {
    let mut group = Group::<Counter>::new(DURABLE);
    add(&mut group.nodes[0], 5);
    group.rounds(4);
    group.isolated = [false, true, true];
    let claim = |group: &mut Group<Counter>| {
        receive(group, 0, 2, &[1, 0x7f, 99, 0, 0]);
        group.rounds(1);
        group.challenges()
    };
    assert_eq!(claim(&mut group), 1);
    assert_eq!(claim(&mut group), 1, "asked already");
    group.rounds(8);
    assert_eq!(claim(&mut group), 1, "of a generation that was skipped by now");
    receive(&mut group, 0, 2, &[1, 0xff, 0xff, 0x7f, 99, 0, 0]);
    group.rounds(1);
    assert_eq!(group.challenges(), 2);
    assert_eq!(group.nodes[0].fatal(), None);
}
