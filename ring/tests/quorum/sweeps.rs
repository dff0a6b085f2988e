//! Anti-entropy: what one node missed, it gets from the sweeps of the others.

use quorate_core::Machine as _;
use quorate_ring::quorum::{Level, Tagged, WriteOptions};

use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

#[test]
fn sweep_brings_what_was_missed() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    let options = WriteOptions { level: Level::Count(2), ..WriteOptions::default() };
    for (number, key) in (1..).zip([b"a", b"b", b"c", b"d"]) {
        net.node(1).write(now, key, Tagged::nth(number, 5), options).unwrap();
        net.run_among(&[1, 2]);
    }
    net.node(2)
        .write(now, b"a", Tagged::nth(9, 7), WriteOptions { level: Level::One, ..options })
        .unwrap();
    net.run_among(&[2]);
    assert_eq!(net.node(3).status().keys, 0);
    for _ in 0..10 {
        net.tick(config().sweep_us);
        net.run();
        net.tick(config().sweep_pause_us);
        net.run();
    }
    for node in [1, 2, 3] {
        assert_eq!(net.node(node).local(b"a"), Some(&Tagged::nth(9, 7)));
        assert_eq!(net.node(node).status().keys, 4);
    }
    let told = net.told(1);
    assert!(told.contains(&Told::Swept(2)) && told.contains(&Told::Swept(3)), "{told:?}");
    // from now on a sweep is one message and its answer, and that it is over
    net.sent = 0;
    net.tick(config().sweep_pause_us);
    net.run();
    assert_eq!(net.sent, 3 * 4);
}

#[test]
fn sweep_sends_what_is_durable_only() {
    let mut net = Net::<Register>::new(&[1, 2], &Same::new(&[1, 2]));
    let now = net.now;
    let options = WriteOptions { level: Level::One, ..WriteOptions::default() };
    net.node(1).write(now, b"k", Tagged::nth(1, 5), options).unwrap();
    net.run_among(&[1]);
    assert_eq!(net.told(1), [Told::Written { superseded: false }]);
    for _ in 0..4 {
        net.tick(config().retry_us); // it is tried for node 2, in vain
        net.run_among(&[1]);
    }
    net.slow_disks = vec![1];
    net.node(1).write(now, b"k", Tagged::nth(2, 6), options).unwrap();
    for _ in 0..4 {
        net.run_among(&[1]);
        net.tick(config().retry_us);
    }
    for _ in 0..4 {
        net.tick(config().sweep_us.max(config().sweep_pause_us));
        net.run();
    }
    assert_eq!(net.node(2).local(b"k"), None);
    net.slow_disks.clear();
    for _ in 0..4 {
        net.tick(config().sweep_us.max(config().sweep_pause_us));
        net.run();
    }
    assert_eq!(net.node(2).local(b"k"), Some(&Tagged::nth(2, 6)));
}

#[test]
fn key_that_changes_after_it_was_offered_is_sent_as_it_is_then() {
    let mut net = Net::<Register>::new(&[1, 2], &Same::new(&[1, 2]));
    let options = WriteOptions { level: Level::One, ..WriteOptions::default() };
    let now = net.now;
    net.node(1).write(now, b"a", Tagged::nth(1, 5), options).unwrap();
    // nothing of it comes to node 2, until the request is given up
    for _ in 0..config().attempts {
        net.settle_disks();
        net.wire.clear();
        net.tick(config().retry_us);
    }
    net.wire.clear();
    net.tick(config().sweep_us);
    // the summary differs, the key is offered, and wanted
    for _ in 0..3 {
        let envelope = net.wire.pop_front().unwrap();
        net.give(&envelope).unwrap();
    }
    let want = net.wire.pop_front().unwrap();
    let now = net.now;
    net.node(1).write(now, b"a", Tagged::nth(2, 6), options).unwrap();
    net.settle_disks();
    net.wire.clear();
    net.told(1);
    net.give(&want).unwrap();
    assert_eq!(net.told(1), []); // node 2 has no value yet, so the sweep is not over
    net.run();
    assert!(net.told(1).contains(&Told::Swept(2)));
    assert_eq!(net.node(2).local(b"a"), Some(&Tagged::nth(2, 6)));
}

/// A key that is written all the time differs whenever it is compared: the keys behind it are repaired nevertheless, and the pass is over.
#[test]
fn key_that_is_written_all_the_time_does_not_hold_a_sweep_up() {
    let mut net = Net::<Register>::new(&[1, 2], &Same::new(&[1, 2]));
    let options = WriteOptions { level: Level::One, ..WriteOptions::default() };
    let now = net.now;
    // what node 2 missed
    for key in [b"b", b"c", b"d", b"e", b"f"] {
        net.node(1).write(now, key, Tagged::nth(1, 5), options).unwrap();
        net.run_among(&[1]);
    }
    for _ in 0..config().attempts {
        net.tick(config().retry_us);
        net.wire.clear();
    }
    net.told.clear();
    net.now = net.now.after(config().sweep_us);
    let mut number = 1;
    for _ in 0..2_000 {
        let now = net.now;
        // node 2 gets each write one step later
        number += 1;
        net.node(1).write(now, b"a", Tagged::nth(number, 5), options).unwrap();
        net.tick(config().sweep_us >> 12);
        for envelope in core::mem::take(&mut net.wire) {
            net.give(&envelope).unwrap();
        }
    }
    for key in [b"b", b"c", b"d", b"e", b"f"] {
        assert_eq!(net.node(2).local(key), Some(&Tagged::nth(1, 5)));
    }
    assert!(net.told(1).contains(&Told::Swept(2)));
    assert!(net.told(2).contains(&Told::Swept(1)));
}
