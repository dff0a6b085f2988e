//! Sloppy quorums, and the writes that are kept for others.

use quorate_clocks::{Actor, Stamp, Timestamp};
use quorate_core::{Machine as _, NodeId, Wire as _};
use quorate_ring::quorum::{
    Failure, Level, Lww, Message, ReadOptions, ReadRepair, RequestError, WriteOptions,
};

use super::net::{Net, Same, Told, config};

type Cell = Lww<u32>;

fn at(micros: u64, value: u32) -> Cell {
    let actor = Actor::from(NodeId::new(1));
    Lww::new(Stamp { time: Timestamp::from_micros(micros), actor }, value)
}

const OK: Told<Cell> = Told::Written { superseded: false };

fn sloppy(level: Level) -> WriteOptions {
    WriteOptions { level, sloppy: true, ..WriteOptions::default() }
}

fn layout() -> Same {
    Same { fallbacks: vec![4, 5], ..Same::new(&[1, 2, 3]) }
}

#[test]
fn fallback_takes_the_write_and_hands_it_over() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5], &layout());
    let now = net.now;
    // node 3 is down, and nobody knows: the fallback is asked with the second attempt
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.told(1), []);
    net.tick(1_000);
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.told(1), [OK]);
    assert_eq!((net.node(4).status().hints, net.node(5).status().hints), (1, 0));
    assert_eq!([3, 2].map(|owner| net.node(4).hints_for(NodeId::new(owner))), [1, 0]);
    assert_eq!(net.node(4).local(b"k"), None);
    // it survives the fallback's restart
    net.restart(4, &layout());
    assert_eq!(net.node(4).status().hints, 1);
    // node 3 comes back
    for _ in 0..3 {
        net.tick(config().handoff_us);
        net.run();
    }
    assert_eq!(net.node(3).local(b"k"), Some(&at(1, 5)));
    assert_eq!(net.node(4).status().hints, 0);
    net.restart(4, &layout());
    assert_eq!(net.node(4).status().hints, 0);
}

#[test]
fn hint_is_handed_over_as_soon_as_its_owner_is_known_to_be_back() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5], &layout());
    let now = net.now;
    for node in [1, 4] {
        net.node(node).set_down(NodeId::new(3), true);
    }
    for key in [b"a", b"b", b"c"] {
        net.node(1).write(now, key, at(1, 5), sloppy(Level::All)).unwrap();
        net.run_among(&[1, 2, 4, 5]);
        assert_eq!(net.told(1), [OK]); // with the first attempt
    }
    assert_eq!(net.node(4).status().hints, 3);
    net.tick(config().handoff_us);
    net.run();
    assert_eq!(net.node(4).status().hints, 3); // not tried
    net.node(4).set_down(NodeId::new(3), false);
    net.tick(1);
    net.run();
    assert_eq!((net.node(4).status().hints, net.node(3).status().keys), (0, 3));
}

#[test]
fn hint_that_becomes_another_before_it_is_recorded_stays() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4], &Same { fallbacks: vec![4], ..layout() });
    net.node(1).set_down(NodeId::new(3), true);
    let now = net.now;
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4]);
    for (micros, value) in [(2, 6), (3, 7)] {
        net.node(1).write(now, b"k", at(micros, value), sloppy(Level::All)).unwrap();
    }
    net.settle_disks();
    let later: Vec<_> = net.wire.drain(..).filter(|envelope| envelope.to == 4).collect();
    assert_eq!(later.len(), 2);
    // the second comes when the hint is due to be handed over, and nothing was recorded in between
    for (us, envelope) in [(config().handoff_us - 1, &later[0]), (1, &later[1])] {
        net.now = net.now.after(us);
        let now = net.now;
        let message = Message::from_slice(&envelope.bytes).unwrap();
        net.node(4).receive(now, NodeId::new(1), message).unwrap();
    }
    net.node(1).clone_from(&Net::new(&[1], &layout()).node(1).clone());
    for _ in 0..4 {
        net.run_among(&[3, 4]);
        net.tick(config().handoff_us);
    }
    assert_eq!((net.node(4).status().hints, net.node(3).local(b"k")), (0, Some(&at(3, 7))));
}

#[test]
fn full_hint_store_refuses() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4], &Same { fallbacks: vec![4], ..layout() });
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    for (round, key) in [b"a", b"b", b"c", b"d", b"e"].into_iter().enumerate() {
        net.node(1).write(now, key, at(1, 5), sloppy(Level::All)).unwrap();
        for _ in 0..4 {
            net.run_among(&[1, 2, 4]);
            net.tick(1_000);
        }
        let expected = if round < 4 { OK } else { Told::Failed(Failure::Full, None) };
        assert_eq!(net.told(1), [expected]);
    }
    assert_eq!(net.node(4).status().hints, 4);
}

#[test]
fn primaries_are_owners() {
    let mut net = Net::<Cell>::new(&[1, 4, 5], &layout());
    let now = net.now;
    for down in [2, 3] {
        net.node(1).set_down(NodeId::new(down), true);
    }
    let options = WriteOptions { primaries: 2, ..sloppy(Level::Quorum) };
    let result = net.node(1).write(now, b"k", at(1, 5), options);
    assert_eq!(result, Err(RequestError::Unavailable { required: 2, alive: 1 }));
    let options = WriteOptions { primaries: 1, ..sloppy(Level::Quorum) };
    net.node(1).write(now, b"k", at(1, 5), options).unwrap();
    net.run();
    assert_eq!(net.told(1), [OK]);
}

#[test]
fn sloppy_read_finds_what_a_fallback_keeps() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5, 9], &layout());
    let now = net.now;
    let down = |net: &mut Net<Cell>| {
        for node in [2, 3] {
            net.node(9).set_down(NodeId::new(node), true);
        }
    };
    down(&mut net);
    net.node(9).set_down(NodeId::new(1), true);
    net.node(9).write(now, b"k", at(1, 5), sloppy(Level::Count(2))).unwrap();
    net.run_among(&[4, 5, 9]);
    assert_eq!(net.told(9), [OK]);
    let options = ReadOptions { sloppy: true, repair: ReadRepair::Off, ..ReadOptions::default() };
    net.node(9).read(now, b"k", options).unwrap();
    net.run_among(&[4, 5, 9]);
    assert_eq!(net.told(9), [Told::Found(Some(at(1, 5)))]);
    // a strict read does not, although R + W > N
    for node in [1, 2, 3] {
        net.node(9).set_down(NodeId::new(node), false);
    }
    net.node(9).read(now, b"k", ReadOptions { sloppy: false, ..options }).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::Found(None)]);
}

#[test]
fn old_hint_goes_to_the_other_replicas() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5, 9], &layout());
    let now = net.now;
    for node in [1, 2, 3] {
        net.node(9).set_down(NodeId::new(node), true);
    }
    net.node(9).write(now, b"k", at(1, 5), sloppy(Level::Count(2))).unwrap();
    net.run_among(&[4, 5, 9]);
    assert_eq!(net.told(9), [OK]);
    assert_eq!((net.node(4).status().hints, net.node(5).status().hints), (1, 1));
    for node in [4, 5] {
        for down in [1, 2] {
            net.node(node).set_down(NodeId::new(down), true);
        }
    }
    // nodes 1 and 2, which the hints are for, do not come back; 3 does, and 2 after it
    net.tick(config().hint_life_us);
    for _ in 0..4 {
        net.run_among(&[3, 4, 5, 9]);
        net.tick(1_000);
    }
    assert_eq!(net.node(4).status().hints, 1); // one replica is no quorum
    for _ in 0..8 {
        net.tick(config().handoff_us);
        net.run_among(&[2, 3, 4, 5, 9]);
    }
    assert_eq!((net.node(4).status().hints, net.node(5).status().hints), (0, 0));
    for node in [2, 3] {
        assert_eq!(net.node(node).local(b"k"), Some(&at(1, 5)));
    }
}

#[test]
fn hint_whose_owner_is_no_replica_any_more_goes_to_the_replicas() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5], &layout());
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4]);
    assert_eq!(net.node(4).status().hints, 1);
    let next = Same { epoch: 2, ..Same::new(&[1, 2, 5]) };
    for node in [1, 2, 4, 5] {
        net.node(node).force_layout(next.clone());
    }
    for _ in 0..2 {
        net.tick(config().handoff_us);
        net.run_among(&[1, 2, 4, 5]);
    }
    assert_eq!(net.node(4).status().hints, 0);
    assert_eq!(net.node(5).local(b"k"), Some(&at(1, 5)));
}

#[test]
fn node_that_leaves_keeps_nothing_more_for_others() {
    let leaves = Same { epoch: 2, next: Some(vec![1, 2, 3, 5]), ..layout() };
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5], &leaves);
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.node(1).tick(now);
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.node(4).status().hints, 0);
    assert_eq!(net.told(1), []);
    // a fallback that is its own coordinator does not, either
    net.node(4).set_down(NodeId::new(3), true);
    net.node(4).write(now, b"l", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.node(4).status().hints, 0);
}

#[test]
fn age_of_a_restored_hint_is_counted_from_the_start() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5], &layout());
    net.tick(2 * config().hint_life_us);
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.told(1), [OK]);
    net.restart(4, &layout());
    net.node(4).set_down(NodeId::new(3), true);
    // the clock of the node goes on where it was
    net.tick(config().handoff_us);
    net.tick(config().handoff_us);
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.node(4).status().hints, 1);
    net.tick(config().hint_life_us);
    net.run_among(&[1, 2, 4, 5]);
    assert_eq!(net.node(4).status().hints, 0);
}

#[test]
fn fallback_counts_for_one_owner() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4], &Same { fallbacks: vec![4], ..layout() });
    let now = net.now;
    // nodes 2 and 3 are down, and one node stands in
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 4]);
    for _ in 0..3 {
        net.tick(1_000);
        net.run_among(&[1, 4]);
        assert_eq!(net.told(1), []);
    }
    assert_eq!(net.node(4).status().hints, 1);
    net.tick(1_000);
    assert_eq!(net.told(1), [Told::Failed(Failure::Timeout { acked: 2, required: 3 }, None)]);
}

#[test]
fn hint_that_has_become_another_while_it_was_handed_over_stays() {
    let mut net = Net::<Cell>::new(&[1, 2, 3, 4, 5], &layout());
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    net.node(1).write(now, b"k", at(1, 5), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4]);
    net.tick(config().handoff_us);
    net.settle_disks();
    let handed: Vec<_> = net.wire.drain(..).filter(|one| (one.from, one.to) == (4, 3)).collect();
    assert_eq!(handed.len(), 1);
    let now = net.now;
    net.node(1).write(now, b"k", at(2, 6), sloppy(Level::All)).unwrap();
    net.run_among(&[1, 2, 4]);
    net.give(&handed[0]).unwrap();
    assert_eq!(net.node(3).local(b"k"), Some(&at(1, 5)));
    net.run(); // node 4 learns of that, and hands the other over
    assert_eq!(net.node(3).local(b"k"), Some(&at(2, 6)));
    assert_eq!(net.node(4).status().hints, 0);
}

#[test]
fn hint_that_is_written_more_often_than_the_disk_finishes_can_be_read() {
    let mut net = Net::<Cell>::new(&[1, 2, 4, 9], &Same { fallbacks: vec![4], ..layout() });
    net.slow_disks = vec![4];
    for node in [1, 9] {
        net.node(node).set_down(NodeId::new(3), true);
    }
    let now = net.now;
    let pending = |net: &Net<Cell>| net.disks.iter().find(|(at, ..)| *at == 4).unwrap().2.len();
    let mut read_at = None;
    for micros in 1..20 {
        let before = pending(&net);
        net.node(1).write(now, b"k", at(micros, 5), sloppy(Level::One)).unwrap();
        net.run();
        if micros == 1 {
            let options = ReadOptions {
                level: Level::All,
                repair: ReadRepair::Off,
                sloppy: true,
                ..ReadOptions::default()
            };
            net.node(9).read(now, b"k", options).unwrap();
            net.run();
        }
        // a record comes before the disk of node 4 has finished the one before
        let disk = &mut net.disks.iter_mut().find(|(at, ..)| *at == 4).unwrap().2;
        let finished = disk.drain(..before).next_back();
        if let Some((ticket, _)) = finished {
            net.node(4).persisted(ticket);
        }
        net.run();
        if read_at.is_none() && !net.told(9).is_empty() {
            read_at = Some(micros);
        }
    }
    assert_eq!(read_at, Some(3));
}
