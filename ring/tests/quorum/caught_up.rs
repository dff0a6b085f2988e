//! Nodes that ask the others for what they lack, while others have lost what they knew.

use quorate_core::{Instant, Machine as _, NodeId, Output, Wire};
use quorate_ring::quorum::{
    Heap, Level, Message, Node, Order, ReadOptions, ReadRepair, Record, Tagged, WriteOptions,
};

use super::attack::{SEAL, erase, forged, text};
use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

const ALL: WriteOptions =
    WriteOptions { level: Level::All, primaries: 0, sloppy: false, order: Order::Formed };
const DELETE: WriteOptions = WriteOptions { order: Order::AfterRead, ..ALL };
const QUORUM: ReadOptions =
    ReadOptions { level: Level::Quorum, primaries: 0, sloppy: false, repair: ReadRepair::Off };

fn found(value: u32) -> Told<Register> {
    Told::Found(Some(Tagged::nth(1, value)))
}

/// Time for sweeps, floors and purges among these nodes.
fn pass_time(net: &mut Net<Register>, nodes: &[u64]) {
    pass(net, nodes, config().sweep_pause_us, 400);
}

/// So many retries among these nodes: less than the pause between two sweeps.
fn retry(net: &mut Net<Register>, nodes: &[u64], times: u32) {
    pass(net, nodes, config().retry_us, times);
}

fn pass(net: &mut Net<Register>, nodes: &[u64], us: u64, times: u32) {
    for _ in 0..times {
        net.now = net.now.after(us);
        let now = net.now;
        for node in nodes {
            net.node(*node).tick(now);
            net.run_among(nodes);
        }
    }
}

fn set_layout(net: &mut Net<Register>, nodes: &[u64], layout: &Same) {
    for node in nodes {
        net.node(*node).force_layout(layout.clone());
    }
}

fn disk(net: &Net<Register>, node: u64) -> Vec<Vec<u8>> {
    net.disks.iter().find(|(at, ..)| *at == node).unwrap().1.clone()
}

/// The node starts with what was on its disk then.
fn start_with(net: &mut Net<Register>, node: u64, disk: &[Vec<u8>], layout: &Same) {
    net.disks.iter_mut().find(|(at, ..)| *at == node).unwrap().1 = disk.to_vec();
    net.restart(node, layout);
}

fn holders(net: &mut Net<Register>, nodes: &[u64], key: &[u8]) -> Vec<u64> {
    nodes.iter().copied().filter(|node| net.node(*node).local(key).is_some()).collect()
}

/// These nodes have deleted and purged a key, and hold another. Returns the disk of one from before the delete.
fn with_a_purged_key(layout: &Same, nodes: &[u64], old: u64) -> (Net<Register>, Vec<Vec<u8>>) {
    let mut net = Net::<Register>::new(nodes, layout);
    let now = net.now;
    for key in [b"alive", b"purge"] {
        net.node(1).write(now, key, Tagged::nth(1, 5), ALL).unwrap();
    }
    net.run();
    let before = disk(&net, old);
    net.node(1).write(now, b"purge", Tagged::tombstone(), DELETE).unwrap();
    net.run();
    pass_time(&mut net, nodes);
    for node in nodes {
        assert_eq!((net.node(*node).status().floor, net.node(*node).local(b"purge")), (2, None));
    }
    (net, before)
}

/// It is told that it was taken out, and crashes before what it held has gone; it hears of no layout in which it joins.
#[test]
fn node_that_was_none_keeps_nothing_that_was_purged() {
    let old = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &old);
    let now = net.now;
    for key in [b"alive", b"purge"] {
        net.node(1).write(now, key, Tagged::nth(1, 5), ALL).unwrap();
    }
    net.run();
    let without = Same { epoch: 3, ..Same::new(&[1, 2]) };
    set_layout(&mut net, &[1, 2, 3], &without);
    net.settle_disks();
    let before = disk(&net, 3);
    pass_time(&mut net, &[1, 2]);
    let now = net.now;
    net.node(1).write(now, b"purge", Tagged::tombstone(), DELETE).unwrap();
    net.run_among(&[1, 2]);
    pass_time(&mut net, &[1, 2]);
    assert_eq!(net.node(1).status().floor, 2);
    let new = Same { epoch: 5, ..Same::new(&[1, 2, 3]) };
    set_layout(&mut net, &[1, 2], &new);
    start_with(&mut net, 3, &before, &new);
    pass_time(&mut net, &[1, 2, 3]);
    assert!(net.node(3).status().founded);
    assert_eq!(holders(&mut net, &[1, 2, 3], b"purge"), [0_u64; 0]);
    assert_eq!(holders(&mut net, &[1, 2, 3], b"alive"), [1, 2, 3]);
}

/// It has dropped what it held, as that may be purged, and its floor is that of its disk: what is up to there and not with it may be alive.
#[test]
fn node_that_has_dropped_what_it_held_hides_nothing() {
    let (layout, all) = (Same::new(&[1, 2, 3]), [1, 2, 3]);
    let (mut net, _) = with_a_purged_key(&layout, &all, 3);
    let before = disk(&net, 3);
    let now = net.now;
    net.node(1).write(now, b"other", Tagged::nth(3, 5), ALL).unwrap();
    net.run();
    net.node(1).write(now, b"other", Tagged::tombstone(), DELETE).unwrap();
    net.run();
    pass_time(&mut net, &all);
    assert_eq!(net.node(3).status().floor, 4);
    start_with(&mut net, 3, &before, &layout);
    // it is told the floor, and no more than that for now
    while net.node(3).status().sealed < 4 {
        net.tick(config().sweep_pause_us);
        while let Some(envelope) = net.wire.pop_front() {
            let with_3 = envelope.from == 3 || envelope.to == 3;
            if !with_3 || text(&envelope.bytes).contains("Seal") {
                net.give(&envelope).unwrap();
            }
        }
    }
    net.tick(0);
    assert_eq!(net.node(3).local(b"alive"), None);
    net.told.clear();
    let now = net.now;
    net.node(3).read(now, b"alive", QUORUM).unwrap();
    net.run_among(&[1, 3]);
    assert_eq!(net.told(3), [found(5)]);
    pass_time(&mut net, &all);
    assert_eq!(holders(&mut net, &all, b"alive"), all);
}

/// Of a node that is blank, and one that is lost on one of the others only, each waits: they ask, and do not storm.
#[test]
fn nodes_that_wait_for_each_other_ask_once_in_a_retry() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    for node in [2, 3] {
        erase(&mut net, node, &layout);
    }
    net.node(2).set_lost(NodeId::new(1), true);
    retry(&mut net, &[1, 2, 3], 10);
    net.sent = 0;
    retry(&mut net, &[1, 2, 3], 1_000);
    assert!(!net.node(2).status().founded && !net.node(3).status().founded);
    // two questions and their answers; node 1 asks for the floor and sweeps besides
    assert!((1_000..6_000).contains(&net.sent), "{}", net.sent);
    // the operator decides
    net.node(2).found();
    retry(&mut net, &[1, 2, 3], 10);
    assert!(net.node(3).status().founded);
}

/// What goes is not merged with what comes: together they would be above the floor.
#[test]
fn node_takes_and_gives_nothing_while_it_drops_what_it_held() {
    let layout = Same::new(&[1, 3]);
    let mut node = Node::<Register, _, Heap>::new(NodeId::new(3), 9, layout, config()).unwrap();
    let value = encoded(&Tagged::nth(1, 5_u32));
    for key in 0..600_u16 {
        let record = [&[0, 2][..], &key.to_be_bytes(), &[value.len() as u8], &value].concat();
        node.restore(Record::from_slice(&record).unwrap()).unwrap();
    }
    node.restore(Record::from_slice(&[3, 1]).unwrap()).unwrap();
    let mut answers = |message: &[u8]| {
        let message = Message::from_slice(message).unwrap();
        node.receive(Instant::ZERO, NodeId::new(1), message).unwrap();
        let mut sent = Vec::new();
        while let Some(output) = node.poll() {
            if let Output::Send(_, message) = output {
                sent.push(text(&encoded(&message)));
            }
        }
        (sent, node.status().keys)
    };
    let key = 599_u16.to_be_bytes();
    let read = forged(7, 1, 3, &[0, 2, u64::from(key[0]), u64::from(key[1])]);
    let (sent, _) = answers(&read);
    assert!(sent.iter().any(|answer| answer.contains("Found value 6 bytes")), "{sent:?}");
    answers(&forged(7, SEAL | 9, 14, &[1, 5, 5]));
    let (sent, left) = answers(&read);
    assert!(sent.iter().any(|answer| answer.contains("Blank")), "{sent:?}");
    assert!((1..600).contains(&left), "{left}"); // it goes in steps
}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).unwrap();
    bytes
}
