//! How far the floor rises, and what is read across a purge.

use quorate_clocks::{Actor, Inline, Siblings, Stamp, Timestamp, VersionVector};
use quorate_core::{Machine as _, NodeId};
use quorate_ring::quorum::{Level, Lww, ReadOptions, ReadRepair, WriteOptions};

use super::net::{Net, Same, Told, config};

type Cell = Lww<u32>;

const OK: Told<Cell> = Told::Written { superseded: false };

/// The clocks of the nodes are about here.
const TODAY: u64 = 1_800_000_000_000_000;
const YEAR: u64 = 365 * 24 * 3_600_000_000;

fn stamp(micros: u64) -> Stamp {
    Stamp { time: Timestamp::from_micros(micros), actor: Actor::from(NodeId::new(1)) }
}

/// Two keys are deleted, one of them by a clock that is ten years ahead; then tombstones get old.
fn after_deletes(limited: &[u64]) -> Net<Cell> {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let (now, all) = (net.now, WriteOptions { level: Level::All, ..WriteOptions::default() });
    for node in limited {
        net.node(*node).limit_floor(Timestamp::from_micros(TODAY).to_bits());
    }
    net.node(1).write(now, b"ahead", Cell::tombstone(stamp(TODAY + 10 * YEAR)), all).unwrap();
    net.node(1).write(now, b"today", Cell::tombstone(stamp(TODAY - 1)), all).unwrap();
    net.run();
    for _ in 0..600 {
        net.tick(config().sweep_pause_us);
        net.run();
    }
    net.told.clear();
    net
}

#[test]
fn delete_by_a_clock_far_ahead_takes_the_floor_nowhere() {
    let mut net = after_deletes(&[1, 2, 3]);
    for node in [1, 2, 3] {
        assert_eq!(net.node(node).status().floor, stamp(TODAY - 1).time.to_bits());
        assert_eq!(net.node(node).status().keys, 1); // "ahead" is kept
    }
    let now = net.now;
    let all = WriteOptions { level: Level::All, ..WriteOptions::default() };
    net.node(1).write(now, b"new", Cell::new(stamp(TODAY), 5), all).unwrap();
    net.run();
    assert_eq!(net.told(1), [OK]);
}

#[test]
fn one_node_with_a_limit_holds_the_floor() {
    for limited in [1, 2, 3] {
        let mut net = after_deletes(&[limited]);
        for node in [1, 2, 3] {
            // the others say only what they want most; the one that asks goes by what it wants itself
            let floor = if limited == 1 { stamp(TODAY - 1).time.to_bits() } else { 0 };
            assert_eq!(net.node(node).status().floor, floor);
        }
        let now = net.now;
        let quorum = WriteOptions::default();
        net.node(limited).write(now, b"new", Cell::new(stamp(TODAY), 5), quorum).unwrap();
        net.run();
        // the others were asked to take nothing new up to there, unless the one that asks has the limit
        assert_eq!(net.told(limited) == [OK], limited == 1);
    }
}

/// Siblings, which a purge makes forget what was replaced.
type Cart = Siblings<u32, Inline<4>>;

#[test]
fn old_sibling_that_was_long_on_its_way_is_not_read_beside_a_newer_one() {
    let mut net = Net::<Cart>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let (now, all) = (net.now, WriteOptions { level: Level::All, ..WriteOptions::default() });
    let (first, second) = (Actor::from(NodeId::new(1)), Actor::from(NodeId::new(2)));
    let mut cart = Cart::new();
    cart.write(second, &VersionVector::<Inline<4>>::new(), 10).unwrap();
    net.node(2).write(now, b"k", cart.clone(), all).unwrap();
    net.run();
    let off = ReadOptions { repair: ReadRepair::Off, ..ReadOptions::default() };
    net.node(9).read(now, b"k", off).unwrap();
    net.settle_disks();
    let asked = core::mem::take(&mut net.wire);
    net.give(&asked[2]).unwrap();
    let old = net.wire.pop_front().unwrap();
    let context = Siblings::context(&cart).clone();
    cart.delete(&context).unwrap();
    net.node(1).write(now, b"k", cart, all).unwrap();
    net.run();
    for _ in 0..600 {
        net.now = net.now.after(config().sweep_pause_us);
        let now = net.now;
        for node in [1, 2, 3] {
            net.node(node).tick(now);
            net.run();
        }
    }
    assert_eq!(net.node(1).local(b"k"), None);
    let (now, floor) = (net.now, net.node(1).status().sealed);
    let mut new = Cart::new();
    new.write_above(first, &VersionVector::<Inline<4>>::new(), 20, floor).unwrap();
    net.node(1).write(now, b"k", new.clone(), all).unwrap();
    net.run();
    net.told.clear();
    net.give(&asked[0]).unwrap();
    let answer = net.wire.pop_front().unwrap();
    for answer in [old, answer] {
        net.give(&answer).unwrap();
    }
    let told = net.told(9);
    let [Told::Found(Some(found))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(found, &new);
}

#[test]
fn value_with_a_clock_of_0_is_read() {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let (now, all) = (net.now, WriteOptions { level: Level::All, ..WriteOptions::default() });
    let first = Cell::new(Stamp::default(), 5);
    net.node(1).write(now, b"k", first.clone(), all).unwrap();
    net.run();
    let level = Level::All;
    net.node(1).read(now, b"k", ReadOptions { level, ..ReadOptions::default() }).unwrap();
    net.run();
    assert_eq!(net.told(1), [OK, Told::Found(Some(first.clone()))]);
    // also where some replicas do not have it yet, and answer last
    net.node(1).write(now, b"l", first.clone(), WriteOptions::default()).unwrap();
    net.run_among(&[1, 2]);
    net.node(2).read(now, b"l", ReadOptions { level, ..ReadOptions::default() }).unwrap();
    net.run();
    assert_eq!(net.told(2), [Told::Found(Some(first))]);
}
