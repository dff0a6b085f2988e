//! The anti-entropy machine, step by step.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use quorate_clocks::{Actor, Inline};
use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Ticket, Wire};
use quorate_crdt::{
    Config, ConfigError, Event, GCounter, LwwRegister, MembersError, Message, OrSet, Record,
    Replica,
};

type Counter = GCounter<Inline<4>>;
type Node = Replica<Counter, Inline<3>, Inline<64>>;

const VOLATILE: Config =
    Config { gossip_us: 1_000_000, max_delta_bytes: 256, durable: false, max_log_bytes: 64 };

fn ids(count: u64) -> Vec<NodeId> {
    (1..=count).map(NodeId::new).collect()
}

fn node(id: u64, config: Config) -> Node {
    Node::new(Actor::from(NodeId::new(id)), &ids(2), Counter::new(), config).unwrap()
}

/// Everything a machine puts out: messages, records, events.
#[derive(Default)]
struct Outputs {
    messages: Vec<(NodeId, Vec<u8>)>,
    records: Vec<(Ticket, Vec<u8>)>,
    events: Vec<Event>,
}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap();
    buffer
}

fn drain(node: &mut Node) -> Outputs {
    let mut out = Outputs::default();
    while let Some(output) = node.poll() {
        match output {
            Output::Send(to, message) => out.messages.push((to, encoded(&message))),
            Output::Persist(ticket, record) => out.records.push((ticket, encoded(&record))),
            Output::Event(event) => out.events.push(event),
        }
    }
    out
}

fn receive(to: &mut Node, from: u64, bytes: &[u8]) -> Result<(), Rejected> {
    to.receive(Instant::ZERO, NodeId::new(from), Message::from_slice(bytes).unwrap())
}

/// Exchanges until both are quiet; messages that `drop` names are lost.
fn exchange(nodes: &mut [Node; 2], mut drop: impl FnMut(usize, usize) -> bool) -> usize {
    let mut count = 0;
    loop {
        let mut quiet = true;
        for from in 0..2 {
            for (_, bytes) in drain(&mut nodes[from]).messages {
                quiet = false;
                count += 1;
                if !drop(from, count) {
                    receive(&mut nodes[1 - from], from as u64 + 1, &bytes).unwrap();
                }
            }
        }
        if quiet {
            return count;
        }
    }
}

fn add(node: &mut Node, amount: u64) {
    node.update(|counter, me| counter.increment(me, amount)).unwrap();
}

#[test]
fn lost_delta_is_resent_with_the_next_gossip() {
    let mut nodes = [node(1, VOLATILE), node(2, VOLATILE)];
    nodes.iter_mut().for_each(|node| node.tick(Instant::ZERO));
    exchange(&mut nodes, |_, _| false);
    add(&mut nodes[0], 5);
    exchange(&mut nodes, |_, _| true);
    add(&mut nodes[0], 2);
    exchange(&mut nodes, |_, _| false); // a gap: waits for what was lost
    assert_eq!(nodes[1].state().value(), 0);
    nodes[0].tick(Instant::from_millis(1_000));
    exchange(&mut nodes, |_, _| false);
    assert_eq!(nodes[1].state().value(), 7);
    assert_eq!(nodes[0].stable(), nodes[0].last());
}

#[test]
fn equal_replicas_send_digests_only() {
    let mut nodes = [node(1, VOLATILE), node(2, VOLATILE)];
    add(&mut nodes[0], 5);
    for round in 0..3 {
        nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(round * 1_000)));
        exchange(&mut nodes, |_, _| false);
    }
    nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(9_000)));
    let count = exchange(&mut nodes, |_, _| false);
    assert!(count <= 4, "{count} messages, and nothing to say");
}

#[test]
fn lagging_replica_gets_the_whole_state() {
    let mut nodes = [node(1, VOLATILE), node(2, VOLATILE)];
    (0..50).for_each(|_| add(&mut nodes[0], 1)); // far more than the log keeps
    for round in 0..4 {
        nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(round * 1_000)));
        exchange(&mut nodes, |_, _| false);
    }
    assert_eq!(nodes[1].state().value(), 50);
}

#[test]
fn nothing_is_sent_before_it_is_durable() {
    let mut node = node(1, Config { durable: true, ..VOLATILE });
    node.tick(Instant::ZERO);
    add(&mut node, 5);
    receive(&mut node, 2, &[1, 0, 0, 0, 1, 1, 1, 0]).unwrap(); // a digest, to be answered
    let first = drain(&mut node);
    assert_eq!(first.records.len(), 2); // the generation, and the update
    assert!(first.messages.is_empty());
    node.persisted(first.records[0].0);
    // the answer may leave, the update must not: it is not durable yet
    let answers = drain(&mut node).messages;
    assert!(answers.iter().all(|(_, bytes)| bytes[4] == 0) && answers.len() == 1);
    node.persisted(first.records[1].0);
    assert!(drain(&mut node).messages.iter().any(|(_, bytes)| bytes[4] > 0));
}

#[test]
fn received_updates_are_acknowledged_once_durable() {
    let mut nodes = [node(1, VOLATILE), node(2, Config { durable: true, ..VOLATILE })];
    add(&mut nodes[0], 5);
    let mut last = Ticket::default();
    for round in 0..4 {
        nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(round * 1_000)));
        for (_, bytes) in drain(&mut nodes[0]).messages {
            receive(&mut nodes[1], 1, &bytes).unwrap();
        }
        let out = drain(&mut nodes[1]);
        // the generation becomes durable at once, nothing else does
        if round == 0 {
            nodes[1].persisted(out.records[0].0);
        }
        last = out.records.last().map_or(last, |record| record.0);
        let late = drain(&mut nodes[1]).messages;
        for (_, bytes) in out.messages.iter().chain(&late) {
            receive(&mut nodes[0], 2, bytes).unwrap();
        }
    }
    assert_eq!(nodes[1].state().value(), 5);
    assert!(nodes[0].stable() < nodes[0].last(), "acknowledged, and not durable");
    nodes[1].persisted(last);
    nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(9_000)));
    exchange(&mut nodes, |_, _| false);
    assert_eq!(nodes[0].stable(), nodes[0].last());
}

#[test]
fn replica_restores_from_records() {
    let config = Config { durable: true, ..VOLATILE };
    let mut node = self::node(1, config);
    add(&mut node, 5);
    add(&mut node, 6);
    let records = drain(&mut node).records;
    let mut back = self::node(1, config);
    for (_, bytes) in &records {
        back.restore(Record::from_slice(bytes).unwrap()).unwrap();
    }
    assert_eq!(back.state(), node.state());
    let mut again = self::node(1, config);
    for record in node.checkpoint() {
        again.restore(Record::from_slice(&encoded(&record)).unwrap()).unwrap();
    }
    assert_eq!(again.state(), node.state());
    // its generations differ, so that nobody takes numbers of one for those of another
    let generation = |node: &mut Node| {
        node.tick(Instant::ZERO);
        drain(node).records[0].1.clone()
    };
    assert_ne!(generation(&mut back), records[0].1);
}

#[test]
fn malformed_messages_are_rejected_and_counted() {
    let mut node = node(1, VOLATILE);
    node.tick(Instant::ZERO);
    drain(&mut node);
    let before = node.state().clone();
    // strangers
    assert_eq!(receive(&mut node, 9, &[1, 0, 0, 0, 0]), Err(Rejected::UnknownSender));
    // deltas that are none, and one before the first
    assert_eq!(receive(&mut node, 2, &[1, 1, 0, 0, 2, 1, 2, 1, 0]), Err(Rejected::Malformed));
    assert_eq!(receive(&mut node, 2, &[1, 1, 0, 0, 2, 0, 0]), Err(Rejected::Malformed));
    // a state that is none
    assert_eq!(receive(&mut node, 2, &[1, 1, 0, 0, 3, 1, 1, 7]), Err(Rejected::Malformed));
    assert_eq!(node.state(), &before);
    assert_eq!(node.rejections().total(), 4);
    assert_eq!(node.fatal(), None);
}

#[test]
fn duplicate_member_counts_once() {
    let twice = [1, 2, 2, 1].map(NodeId::new);
    let mut node =
        Node::new(Actor::from(NodeId::new(1)), &twice, Counter::new(), VOLATILE).unwrap();
    assert!(node.peers().eq([NodeId::new(2)]));
    node.set_members(1, &twice).unwrap();
    assert!(node.peers().eq([NodeId::new(2)]));
}

#[test]
fn membership_changes_with_epochs() {
    let mut node = node(1, VOLATILE);
    add(&mut node, 1);
    assert!(node.stable() < node.last());
    assert_eq!(node.set_members(0, &ids(1)), Err(MembersError::Stale));
    assert_eq!(node.set_members(1, &ids(5)), Err(MembersError::Full));
    node.set_members(1, &ids(1)).unwrap();
    assert_eq!(node.stable(), node.last(), "one that never comes back holds nothing up");
    assert_eq!(receive(&mut node, 2, &[1, 0, 0, 0, 0]), Err(Rejected::UnknownSender));
}

#[test]
fn full_state_is_reported_and_recovers() {
    type Small = Replica<OrSet<u8, Inline<2>>, Inline<2>, Inline<128>>;
    let new = |id| Small::new(Actor::from(NodeId::new(id)), &ids(2), OrSet::new(), VOLATILE);
    let mut nodes = [1, 2].map(|id| new(id).unwrap());
    for (at, node) in nodes.iter_mut().enumerate() {
        for n in 0..2 {
            node.update(|set, me| set.add(me, n + 10 * at as u8)).unwrap();
        }
    }
    let mut told = [0, 0];
    for round in 0..20 {
        match round {
            // it is as full as before
            5 => {
                nodes[0].update(|set, _| Ok::<_, ()>(set.remove(&0))).unwrap();
                nodes[0].update(|set, me| set.add(me, 0)).unwrap();
            }
            10 => {
                nodes[0].update(|set, _| Ok::<_, ()>(set.clear())).unwrap();
                assert_eq!(told, [2, 1], "each once, and again after an update");
            }
            _ => {}
        }
        nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(round * 1_000)));
        let mut sent = 0;
        for from in [0, 1].into_iter().cycle() {
            let mut letters = Vec::new();
            while let Some(output) = nodes[from].poll() {
                match output {
                    Output::Send(_, message) => letters.push(encoded(&message)),
                    Output::Event(Event::Full(_)) => told[from] += 1,
                    _ => {}
                }
            }
            if letters.is_empty() && from == 1 {
                break;
            }
            sent += letters.len();
            assert!(sent <= 10, "no end: what does not fit is asked for with the next gossip");
            for bytes in letters {
                let message = Message::from_slice(&bytes).unwrap();
                let from_id = NodeId::new(from as u64 + 1);
                let _ = nodes[1 - from].receive(Instant::ZERO, from_id, message);
            }
        }
    }
    assert_eq!(told, [2, 1]);
    assert_eq!(nodes[0].state(), nodes[1].state());
    assert!(nodes[0].state().iter().eq(&[10, 11]));
}

#[test]
fn config_without_room_is_rejected() {
    let new = |actor, members, config| Node::new(actor, &ids(members), Counter::new(), config);
    let me = NodeId::new(1);
    let durable = Config { durable: true, ..VOLATILE };
    assert!(new(me.into(), 4, durable).is_ok());
    assert_eq!(new(me.into(), 9, durable), Err(ConfigError::TooManyMembers));
    // four places: two members, of which this one may start three times without records
    assert!(new(Actor::new(me, 2), 2, VOLATILE).is_ok());
    let few = ConfigError::TooFewActors { needed: 5, limit: 4 };
    assert_eq!(new(Actor::new(me, 3), 2, VOLATILE), Err(few));
    assert!(few.to_string().contains("keep records"));
    assert!(new(Actor::new(me, 3), 2, durable).is_ok());
    // a register has no places for actors
    type Register = Replica<LwwRegister<u8>, Inline<3>, Inline<64>>;
    assert!(Register::new(Actor::new(me, 99), &ids(2), LwwRegister::new(), VOLATILE).is_ok());
}

/// A closure that makes two updates can return one delta only.
#[test]
fn updates_without_delta_are_replicated() {
    type Sets = Replica<OrSet<u8, Inline<8>>, Inline<2>, Inline<128>>;
    let new = |id, config| {
        Sets::new(Actor::from(NodeId::new(id)), &ids(2), OrSet::new(), config).unwrap()
    };
    let durable = Config { durable: true, ..VOLATILE };
    let two = |set: &mut OrSet<u8, Inline<8>>, me| {
        set.add(me, 1)?;
        Ok::<_, quorate_crdt::UpdateError>(set.remove(&9))
    };
    let failed = |set: &mut OrSet<u8, Inline<8>>, me| {
        set.add(me, 2).map_err(|_| "full")?;
        Err("changed its mind")
    };
    let mut node = new(1, durable);
    node.update(two).unwrap();
    assert_eq!(node.update(failed), Err("changed its mind"));
    let mut back = new(1, durable);
    while let Some(output) = node.poll() {
        if let Output::Persist(_, record) = output {
            back.restore(Record::from_slice(&encoded(&record)).unwrap()).unwrap();
        }
    }
    assert!(back.state().iter().eq(&[1, 2]));

    let mut nodes = [new(1, VOLATILE), new(2, VOLATILE)];
    nodes[0].update(two).unwrap();
    for round in 0..6 {
        for from in 0..2 {
            nodes[from].tick(Instant::from_millis(round * 1_000));
            let mut frames = Vec::new();
            while let Some(output) = nodes[from].poll() {
                if let Output::Send(_, message) = output {
                    frames.push(encoded(&message));
                }
            }
            for bytes in frames {
                let message = Message::from_slice(&bytes).unwrap();
                let from_id = NodeId::new(from as u64 + 1);
                nodes[1 - from].receive(Instant::ZERO, from_id, message).unwrap();
            }
        }
    }
    assert!(nodes[1].state().iter().eq(&[1]));
}

#[test]
fn size_fits_a_board() {
    // a counter of four boards, room for three peers and 256 bytes of deltas
    type Board = Replica<GCounter<Inline<4>>, Inline<3>, Inline<256>>;
    assert!(size_of::<Board>() <= 800, "{}", size_of::<Board>());
}

/// A backup that was put in the place of the state is written down whole, not as the one update after it.
#[test]
fn replaced_state_is_replicated() {
    type Small = Replica<OrSet<u8, Inline<4>>, Inline<2>, Inline<64>>;
    let ids = [1, 2].map(NodeId::new);
    let mut backup = OrSet::<u8, Inline<4>>::new();
    backup.add(ids[1].into(), 1).unwrap();
    let bytes = encoded(&backup);
    let new = || Small::new(ids[0].into(), &ids, OrSet::new(), Config::default()).unwrap();
    let (mut replica, mut again) = (new(), new());
    replica
        .update(|set, me| {
            *set = OrSet::from_slice(&bytes).unwrap();
            set.add(me, 2)
        })
        .unwrap();
    replica.tick(Instant::ZERO);
    while let Some(output) = replica.poll() {
        if let Output::Persist(_, record) = output {
            again.restore(Record::from_slice(&encoded(&record)).unwrap()).unwrap();
        }
    }
    assert_eq!(again.state(), replica.state());
    assert_eq!(again.state().iter().count(), 2);
}
