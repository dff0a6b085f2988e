//! Nodes that come back: with an old disk, without one, or much later.

use quorate_core::{Instant, Machine as _, NodeId};
use quorate_ring::quorum::{Level, Order, ReadOptions, ReadRepair, Tagged, WriteOptions};

use super::attack::{erase, text};
use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

const ALL: WriteOptions =
    WriteOptions { level: Level::All, primaries: 0, sloppy: false, order: Order::Formed };
const QUORUM: ReadOptions =
    ReadOptions { level: Level::Quorum, primaries: 0, sloppy: false, repair: ReadRepair::Off };

/// Time for sweeps, floors and purges among these nodes.
fn pass_time(net: &mut Net<Register>, nodes: &[u64]) {
    for _ in 0..600 {
        net.now = net.now.after(config().sweep_pause_us);
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

#[test]
fn clock_that_jumps_to_the_end_of_time_stops_no_request() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), ALL).unwrap();
    net.run_among(&[1]);
    for _ in 0..config().attempts {
        net.node(1).tick(Instant::MAX);
        net.settle_disks();
    }
    assert_eq!(net.told(1).len(), 1);
}

#[test]
fn clock_that_jumps_to_the_end_of_time_stops_no_hints() {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 4], &layout);
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    net.node(4).set_down(NodeId::new(3), true);
    let sloppy = WriteOptions { sloppy: true, ..ALL };
    net.node(1).write(now, b"k", Tagged::nth(1, 5), sloppy).unwrap();
    net.run_among(&[1, 2, 4]);
    assert_eq!(net.node(4).status().hints, 1);
    for _ in 0..2 * config().attempts {
        net.node(4).tick(Instant::MAX);
        net.settle_disks();
    }
    assert_eq!(net.node(4).status().hints, 1);
}

/// A write goes to a quorum of the nodes that were and of those that follow, one of which loses its disk: it is not synchronized before all others have given it
/// again what they have.
#[test]
fn write_is_met_after_a_node_that_joins_was_erased() {
    assert_eq!(read_after_joining_node_was_erased(false), [found(5)]);
}

#[test]
fn write_is_met_after_a_node_that_joins_was_erased_and_the_change_began_anew() {
    assert_eq!(read_after_joining_node_was_erased(true), [found(5)]);
}

fn found(value: u32) -> Told<Register> {
    Told::Found(Some(Tagged::nth(1, value)))
}

fn read_after_joining_node_was_erased(anew: bool) -> Vec<Told<Register>> {
    let old = Same::new(&[1, 2, 3]);
    let moving = Same { epoch: 2, next: Some(vec![1, 2, 4]), ..old.clone() };
    let new = Same { epoch: 5, ..Same::new(&[1, 2, 4]) };
    let mut net = Net::<Register>::new(&[1, 2, 3], &old);
    net.add(&[4], &moving);
    set_layout(&mut net, &[1, 2, 3, 4], &moving);
    pass_time(&mut net, &[1, 2, 3, 4]);
    assert!([1, 2, 3, 4].iter().all(|node| net.node(*node).status().synchronized));
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run_among(&[1, 3, 4]);
    assert_eq!(net.told(1).last(), Some(&Told::Written { superseded: false }));
    assert_eq!(net.node(4).local(b"k"), Some(&Tagged::nth(1, 5)));
    erase(&mut net, 4, &moving);
    let all = [1, 2, 3, 4];
    net.wire.clear();
    if anew {
        set_layout(&mut net, &all, &Same { epoch: 4, ..moving });
    }
    // only that node 4 is told the floor comes from node 1 to the others for a while
    for _ in 0..if anew { 0 } else { 50 } {
        net.tick(config().sweep_pause_us);
        while let Some(envelope) = net.wire.pop_front() {
            if envelope.from != 1 || text(&envelope.bytes).contains("Seal known") {
                net.give(&envelope).unwrap();
            }
        }
    }
    assert!(!net.node(4).status().synchronized);
    pass_time(&mut net, &all);
    assert!(all.iter().all(|node| net.node(*node).status().synchronized));
    set_layout(&mut net, &all, &new);
    net.wire.clear();
    net.told.clear();
    let now = net.now;
    net.node(2).read(now, b"k", QUORUM).unwrap();
    net.run_among(&[2, 4]);
    net.told(2)
}

/// Nobody told it that it was taken out, and its key was deleted meanwhile: it holds the old value for good, as nobody takes it.
#[test]
fn node_that_comes_back_with_an_old_disk_brings_nothing_back() {
    assert_eq!(read_at_node_that_comes_back(false, Level::One), [Told::Found(None)]);
}

#[test]
fn node_that_comes_back_with_an_erased_disk_brings_nothing_back() {
    assert_eq!(read_at_node_that_comes_back(true, Level::One), [Told::Found(None)]);
}

/// Its own answer comes first, and that of a node with the same floor tells that the value is purged.
#[test]
fn quorum_does_not_find_what_one_node_has_brought_back() {
    assert_eq!(read_at_node_that_comes_back(false, Level::Quorum), [Told::Found(None)]);
}

fn read_at_node_that_comes_back(erased: bool, level: Level) -> Vec<Told<Register>> {
    let old = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &old);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), ALL).unwrap();
    net.run();
    // node 3 is down, and is taken out
    set_layout(&mut net, &[1, 2], &Same { epoch: 2, next: Some(vec![1, 2]), ..old });
    pass_time(&mut net, &[1, 2]);
    set_layout(&mut net, &[1, 2], &Same { epoch: 3, ..Same::new(&[1, 2]) });
    let now = net.now;
    let after_read = WriteOptions { order: Order::AfterRead, ..ALL };
    net.node(1).write(now, b"k", Tagged::tombstone(), after_read).unwrap();
    net.run_among(&[1, 2]);
    pass_time(&mut net, &[1, 2]);
    assert_eq!(net.node(1).local(b"k"), None);
    assert_eq!(net.node(1).status().floor, 2);
    // it is put in again
    let moving = Same { epoch: 4, next: Some(vec![1, 2, 3]), ..Same::new(&[1, 2]) };
    if erased {
        erase(&mut net, 3, &moving);
    } else {
        net.restart(3, &moving);
    }
    set_layout(&mut net, &[1, 2], &moving);
    pass_time(&mut net, &[1, 2, 3]);
    assert!([1, 2, 3].iter().all(|node| net.node(*node).status().synchronized));
    set_layout(&mut net, &[1, 2, 3], &Same { epoch: 5, ..Same::new(&[1, 2, 3]) });
    pass_time(&mut net, &[1, 2, 3]);
    net.told.clear();
    let now = net.now;
    net.node(3).read(now, b"k", ReadOptions { level, ..QUORUM }).unwrap();
    net.run_among(&[3]);
    let told = net.told(3);
    if !told.is_empty() {
        return told;
    }
    net.tick(config().retry_us);
    net.run();
    net.told(3)
}

/// A value is written back to a node, and that message is long on its way: the key is deleted and purged meanwhile, and the disk of the node is erased.
fn read_at_node_that_was_rebuilt(level: Level) -> Vec<Told<Register>> {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &layout);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), ALL).unwrap();
    net.run();
    let always = ReadOptions { repair: ReadRepair::Always, ..QUORUM };
    net.node(9).read(now, b"k", always).unwrap();
    net.settle_disks();
    while let Some(envelope) = net.wire.pop_front() {
        net.give(&envelope).unwrap();
        if net.wire.iter().any(|one| text(&one.bytes).contains("Repair")) {
            break;
        }
    }
    let late = net.wire.iter().find(|one| one.to == 3 && text(&one.bytes).contains("Repair"));
    let late = late.unwrap().clone();
    net.wire.clear();
    let after_read = WriteOptions { order: Order::AfterRead, ..ALL };
    net.node(1).write(now, b"k", Tagged::tombstone(), after_read).unwrap();
    net.run_among(&[1, 2, 3]);
    pass_time(&mut net, &[1, 2, 3]);
    assert_eq!(net.node(3).local(b"k"), None);
    assert_eq!(net.node(3).status().floor, 2);
    erase(&mut net, 3, &layout);
    net.give(&late).unwrap();
    pass_time(&mut net, &[1, 2, 3]);
    assert!(net.node(3).status().founded);
    net.told.clear();
    let now = net.now;
    net.node(3).read(now, b"k", ReadOptions { level, ..QUORUM }).unwrap();
    net.run_among(&[1, 2, 3]);
    net.told(3)
}

#[test]
fn node_that_is_rebuilt_takes_nothing_that_was_purged() {
    assert_eq!(read_at_node_that_was_rebuilt(Level::One), [Told::Found(None)]);
}

#[test]
fn quorum_does_not_find_what_a_node_that_is_rebuilt_has_taken() {
    assert_eq!(read_at_node_that_was_rebuilt(Level::Quorum), [Told::Found(None)]);
}

/// Two of three disks are lost, and the operator decides that one of the two goes on, as the documentation says: what the third one has is not lost.
#[test]
fn what_one_disk_has_is_found_after_the_others_were_lost() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let now = net.now;
    net.node(1).write(now, b"alive", Tagged::nth(1, 5), ALL).unwrap();
    net.node(1).write(now, b"k", Tagged::nth(1, 5), ALL).unwrap();
    net.run();
    let after_read = WriteOptions { order: Order::AfterRead, ..ALL };
    net.node(1).write(now, b"k", Tagged::tombstone(), after_read).unwrap();
    net.run();
    pass_time(&mut net, &[1, 2, 3]);
    assert_eq!(net.node(1).status().floor, 2);
    for node in [2, 3] {
        erase(&mut net, node, &layout);
    }
    net.node(2).found();
    // the floor is told before a sweep begins
    while net.node(2).status().sealed == 0 {
        net.tick(config().sweep_pause_us);
        while let Some(envelope) = net.wire.pop_front() {
            if text(&envelope.bytes).contains("Seal") {
                net.give(&envelope).unwrap();
            }
        }
    }
    pass_time(&mut net, &[1, 2, 3]);
    assert!(net.node(3).status().founded);
    assert_eq!(net.node(1).local(b"alive"), Some(&Tagged::nth(1, 5)));
    for among in [[1, 2], [1, 3], [2, 3]] {
        net.told.clear();
        let now = net.now;
        net.node(among[1]).read(now, b"alive", QUORUM).unwrap();
        net.run_among(&among);
        net.tick(config().retry_us);
        net.run_among(&among);
        assert_eq!(net.told(among[1]), [found(5)], "{among:?}");
    }
}
