//! What a replica writes down, what it takes back, and what it refuses to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use quorate_clocks::{Actor, Inline};
use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Wire};
use quorate_crdt::{Config, Crdt, GCounter, List, Message, OrSet, Record, Replica};

type Set = OrSet<u8, Inline<3>, Inline<2>>;
type Node<T> = Replica<T, Inline<3>, Inline<32>>;

const CONFIG: Config =
    Config { gossip_us: 1_000_000, max_delta_bytes: 256, durable: true, max_log_bytes: 32 };

fn node<T: Crdt + Default>() -> Node<T> {
    let ids = [1, 2].map(NodeId::new);
    Node::new(Actor::from(ids[0]), &ids, T::default(), CONFIG).unwrap()
}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap();
    buffer
}

/// The records that a machine puts out; they are durable then.
fn records<T: Crdt + 'static>(node: &mut Node<T>) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    loop {
        let mut last = None;
        while let Some(output) = node.poll() {
            if let Output::Persist(ticket, record) = output {
                records.push(encoded(&record));
                last = Some(ticket);
            }
        }
        let Some(ticket) = last else { return records };
        node.persisted(ticket);
    }
}

fn restore<T: Crdt + 'static>(node: &mut Node<T>, bytes: &[u8]) -> Result<(), Corrupt> {
    node.restore(Record::from_slice(bytes).unwrap())
}

#[test]
fn out_of_order_records_are_rejected() {
    let mut source = node::<Set>();
    source.update(|set, me| set.add(me, 1)).unwrap();
    let mut written = records(&mut source);
    assert_eq!(written.len(), 2, "a generation, and an update");
    for element in [2, 3] {
        source.update(|set, me| set.add(me, element)).unwrap();
        written.extend(records(&mut source));
    }

    let mut back = node::<Set>();
    restore(&mut back, &written[0]).unwrap();
    let refused = |back: &mut Node<Set>, bytes: &[u8], reason| {
        let before = back.clone();
        assert_eq!(restore(back, bytes), Err(reason));
        assert_eq!(*back, before);
    };
    // the update after the next
    refused(&mut back, &written[2], Corrupt::Gap);
    restore(&mut back, &written[1]).unwrap();
    // frames that are no updates, and a run of which only the beginning is sound
    refused(&mut back, &[1, 2, 1, 9], Corrupt::Malformed);
    let mut run = written[2].clone();
    run[1] += 2;
    run.extend([1, 9]);
    refused(&mut back, &run, Corrupt::Malformed);
    // a state with something behind it, and one that ends early
    let state = encoded(source.state());
    for broken in [[state.as_slice(), &[0]].concat(), state[..state.len() - 1].to_vec()] {
        let mut record = vec![2, broken.len() as u8];
        record.extend(&broken);
        refused(&mut back, &record, Corrupt::Malformed);
    }
    restore(&mut back, &written[2]).unwrap();
    restore(&mut back, &written[3]).unwrap();
    assert_eq!(back.state(), source.state());
    // a fourth element, of a machine with more room
    let mut wide = Replica::<OrSet<u8, Inline<9>, Inline<2>>, Inline<3>, Inline<32>>::new(
        source.actor(),
        &[source.actor().node()],
        OrSet::new(),
        CONFIG,
    )
    .unwrap();
    for record in &written {
        wide.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    wide.update(|set, me| set.add(me, 4)).unwrap();
    let mut fourth = Vec::new();
    while let Some(output) = wide.poll() {
        if let Output::Persist(ticket, record) = output {
            fourth.push(encoded(&record));
            let _ = ticket;
        }
    }
    refused(&mut back, fourth.last().unwrap(), Corrupt::Full);
    let whole: Vec<Vec<u8>> = wide.checkpoint().map(|record| encoded(&record)).collect();
    refused(&mut back, &whole[1], Corrupt::Malformed); // it does not even decode here
    back.tick(Instant::ZERO);
    refused(&mut back, &written[0], Corrupt::Started);
}

#[test]
fn conflicting_records_are_rejected() {
    let other = |value| {
        let mut source = node::<List<u8, Inline<4>>>();
        source.update(|list, me| list.insert(me, 0, value)).unwrap();
        let mut written = records(&mut source);
        written.extend(source.checkpoint().skip(1).map(|record| encoded(&record)));
        written
    };
    let (one, two) = (other(1), other(2));
    let mut back = node::<List<u8, Inline<4>>>();
    restore(&mut back, &one[1]).unwrap();
    for record in [&two[1], &two[2]] {
        assert_eq!(restore(&mut back, record), Err(Corrupt::Malformed));
    }
    assert!(back.state().iter().eq(&[1]));
    // of a set, in a state
    let state = |element| {
        let mut set = Set::new();
        set.add(Actor::from(NodeId::new(1)), element).unwrap();
        let bytes = encoded(&set);
        [&[2, bytes.len() as u8], bytes.as_slice()].concat()
    };
    let mut back = node::<Set>();
    restore(&mut back, &state(1)).unwrap();
    assert_eq!(restore(&mut back, &state(2)), Err(Corrupt::Malformed));
}

/// A delta that is longer than all that is kept of them: the state is written, and sent, instead.
#[test]
fn update_too_large_for_the_log_is_recorded_as_state() {
    type Wide = OrSet<[u8; 20], Inline<4>, Inline<2>>;
    let mut source = node::<Wide>();
    for n in 0..3 {
        source.update(|set, me| set.add(me, [n; 20])).unwrap();
        // one alone is kept; with a second one there is no room
        source.update(|set, me| set.add(me, [n + 100; 20])).unwrap();
        source.update(|set, _| Ok::<_, ()>(set.clear())).unwrap();
    }
    source.update(|set, me| set.add(me, [7; 20])).unwrap();
    let written = records(&mut source);
    assert!(written.iter().any(|record| record[0] == 2), "a state");
    let mut back = node::<Wide>();
    for record in &written {
        restore(&mut back, record).unwrap();
    }
    assert_eq!(back.state(), source.state());
    // what follows is a delta again
    source.update(|set, _| Ok::<_, ()>(set.clear())).unwrap();
    let written = records(&mut source);
    assert_eq!((written.len(), written[0][0]), (1, 1));
    restore(&mut back, &written[0]).unwrap();
    assert_eq!(back.state(), source.state());
}

/// Members that stay are known as before; those that come are not.
#[test]
fn remaining_members_keep_acknowledgements() {
    type Counter = GCounter<Inline<4>>;
    let ids = [1, 2, 3].map(NodeId::new);
    let config = Config { durable: false, ..CONFIG };
    let new = |at: usize| Node::<Counter>::new(ids[at].into(), &ids[..2], Counter::new(), config);
    let mut nodes = [new(0).unwrap(), new(1).unwrap()];
    nodes[0].update(|counter, me| counter.increment(me, 1)).unwrap();
    for round in 0..4 {
        for from in 0..2 {
            nodes[from].tick(Instant::from_millis(1_000 * round));
            let mut sent = Vec::new();
            while let Some(output) = nodes[from].poll() {
                if let Output::Send(_, message) = output {
                    sent.push(encoded(&message));
                }
            }
            for bytes in sent {
                let message = Message::from_slice(&bytes).unwrap();
                nodes[1 - from].receive(Instant::ZERO, ids[from], message).unwrap();
            }
        }
    }
    let [node, _] = &mut nodes;
    assert_eq!((node.stable(), node.last()), (2, 2));
    node.set_members(1, &ids).unwrap();
    assert!(node.peers().eq([ids[1], ids[2]]));
    assert_eq!(node.stable(), 0, "the one that came acknowledged nothing");
    node.set_members(2, &ids[..2]).unwrap();
    assert_eq!(node.stable(), 2, "the one that stayed is known");
    node.set_members(3, &[ids[0], ids[2]]).unwrap();
    assert_eq!(node.stable(), 0);
}
