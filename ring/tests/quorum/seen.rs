//! Reads of what a client has seen before, while the floor rises.

use quorate_core::{Machine as _, NodeId};
use quorate_ring::quorum::{
    Level, Order, ReadOptions, ReadRepair, Tag, Tagged, Value as _, WriteOptions,
};

use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

const ALL: WriteOptions =
    WriteOptions { level: Level::All, primaries: 0, sloppy: false, order: Order::Formed };
const ONE: ReadOptions =
    ReadOptions { level: Level::One, primaries: 0, sloppy: false, repair: ReadRepair::Off };

/// A key is deleted and its tombstone purged: the floor rises to this clock, while only these nodes are up.
fn raise_floor(net: &mut Net<Register>, to: u64, nodes: &[u64]) {
    let now = net.now;
    net.node(1).write(now, b"deleted", Tagged::nth(to - 1, 1), ALL).unwrap();
    net.run_among(nodes);
    let after_read = WriteOptions { order: Order::AfterRead, ..ALL };
    net.node(1).write(now, b"deleted", Tagged::tombstone(), after_read).unwrap();
    net.run_among(nodes);
    for _ in 0..600 {
        net.now = net.now.after(config().sweep_pause_us);
        let now = net.now;
        for node in nodes {
            net.node(*node).tick(now);
            net.run_among(nodes);
        }
    }
    assert_eq!(net.node(1).status().floor, to);
    net.told.clear();
}

/// What the client has seen: a value that stays.
fn seen() -> (Register, Tag) {
    let value = Register::nth(1, 5);
    let tag = value.context();
    (value, tag)
}

#[test]
fn fallback_that_does_not_have_what_was_seen_does_not_tell_that_it_was_deleted() {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 4, 9], &layout);
    let (value, tag) = seen();
    let now = net.now;
    net.node(1).write(now, b"k", value.clone(), ALL).unwrap();
    net.run();
    raise_floor(&mut net, 3, &[1, 2, 3, 4]);
    // the client's node knows the floor from an answer about another key
    let now = net.now;
    net.node(9).tick(now);
    net.wire.clear();
    net.node(9).read(now, b"other", ONE).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::Found(None)]);
    for owner in [1, 2, 3] {
        net.node(9).set_down(NodeId::new(owner), true);
    }
    let sloppy = ReadOptions { sloppy: true, ..ONE };
    net.node(9).read_at_least(now, b"k", sloppy, tag).unwrap();
    net.run_among(&[4, 9]);
    assert_eq!(net.told(9), []);
    // with the next attempt the owners are asked as well
    net.tick(config().retry_us);
    net.run();
    assert_eq!(net.told(9), [Told::Found(Some(value))]);
}

#[test]
fn answer_from_before_the_replica_had_what_was_seen_does_not_tell_that_it_was_deleted() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let (value, tag) = seen();
    let now = net.now;
    net.node(1).write(now, b"k", value.clone(), WriteOptions::default()).unwrap();
    net.run_among(&[1, 2]);
    net.told.clear();
    net.node(9).read_at_least(now, b"k", ONE, tag).unwrap();
    net.settle_disks();
    let asked = core::mem::take(&mut net.wire);
    let to_3 = asked.iter().find(|asked| asked.to == 3).unwrap();
    net.give(to_3).unwrap();
    // its answer is long on its way
    let late = net.wire.pop_front().unwrap();
    assert_eq!((late.from, late.to), (3, 9));
    raise_floor(&mut net, 3, &[1, 2, 3]);
    assert_eq!(net.node(3).local(b"k"), Some(&value));
    // node 9 stands still, and knows the floor from an answer about another key
    net.now = now;
    net.node(9).read(now, b"other", ONE).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::Found(None)]);
    net.give(&late).unwrap();
    net.run();
    let told = net.told(9);
    assert!(told.is_empty() || told == [Told::Found(Some(value))], "{told:?}");
}
