//! Nodes that come back: with an old disk, without one, or much later.

use quorate_core::{Instant, Machine as _, NodeId};
use quorate_ring::quorum::{Level, Order, Tagged, WriteOptions};

use super::net::{Net, Same, config};

type Register = Tagged<u32>;

const ALL: WriteOptions =
    WriteOptions { level: Level::All, primaries: 0, sloppy: false, order: Order::Formed };

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
