//! Nodes that are lost for good, and what a change of the replicas waits for.

use quorate_core::{Machine as _, NodeId};
use quorate_ring::quorum::{Level, ReadOptions, ReadRepair, Tagged, WriteOptions};
use quorate_ring::topology::Version;

use super::attack::{erase, text};
use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

const QUORUM: ReadOptions =
    ReadOptions { level: Level::Quorum, primaries: 0, sloppy: false, repair: ReadRepair::Off };

fn written() -> Told<Register> {
    Told::Written { superseded: false }
}

/// So many retries, among these nodes: far less than the pause between two sweeps.
fn retry(net: &mut Net<Register>, nodes: &[u64], times: u32) {
    for _ in 0..times {
        net.now = net.now.after(config().retry_us);
        let now = net.now;
        nodes.iter().for_each(|node| net.node(*node).tick(now));
        net.run_among(nodes);
    }
}

fn are_synchronized(net: &mut Net<Register>, nodes: &[u64]) -> bool {
    nodes.iter().all(|node| net.node(*node).status().synchronized)
}

/// Nodes 1 to 3, one of which is dead, to be replaced by node 4; one write is on the two others.
fn with_a_dead_node(dead: u64) -> (Net<Register>, [u64; 2], Same) {
    let alive: [u64; 2] = match dead {
        1 => [2, 3],
        2 => [1, 3],
        _ => [1, 2],
    };
    let old = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &old);
    let now = net.now;
    net.node(alive[0]).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run_among(&alive);
    assert_eq!(net.told(alive[0]), [written()]);
    let next = vec![alive[0], alive[1], 4];
    let moving = Same { epoch: 2, next: Some(next), ..old };
    net.add(&[4], &moving);
    for node in alive {
        net.node(node).set_layout(moving.clone()).unwrap();
    }
    (net, alive, moving)
}

#[test]
fn dead_node_is_replaced_when_it_is_said_to_be_lost() {
    for dead in [1, 2, 3] {
        let (mut net, alive, _) = with_a_dead_node(dead);
        let up = [alive[0], alive[1], 4];
        retry(&mut net, &up, 200);
        assert!(!up.iter().any(|node| net.node(*node).status().synchronized), "{dead}");
        for node in up {
            net.node(node).set_lost(NodeId::new(dead), true);
        }
        retry(&mut net, &up, 30);
        assert!(are_synchronized(&mut net, &up), "{dead}");
        let new = Same { epoch: 3, ..Same::new(&up) };
        for node in up {
            net.node(node).set_layout(new.clone()).unwrap();
        }
        // also where the new node and one of the others are all that is left of a quorum
        let now = net.now;
        net.node(4).read(now, b"k", QUORUM).unwrap();
        net.run_among(&[alive[1], 4]);
        assert_eq!(net.told(4).last(), Some(&Told::Found(Some(Tagged::nth(1, 5)))), "{dead}");
    }
}

#[test]
fn floor_rises_again_when_the_lost_node_is_taken_out_and_not_before() {
    let (mut net, alive, moving) = with_a_dead_node(3);
    let up = [alive[0], alive[1], 4];
    up.iter().for_each(|node| net.node(*node).set_lost(NodeId::new(3), true));
    let old = Same { epoch: 3, ..Same::new(&[1, 2, 3]) };
    up.iter().for_each(|node| net.node(*node).force_layout(old.clone()));
    let now = net.now;
    let late = WriteOptions { level: Level::Count(2), ..WriteOptions::default() };
    net.node(1).write(now, b"k", Tagged::tombstone(), late).unwrap();
    net.run_among(&up);
    let pass_time = |net: &mut Net<Register>| {
        for _ in 0..300 {
            net.tick(config().sweep_pause_us);
            net.run_among(&up);
        }
    };
    pass_time(&mut net);
    assert_eq!(net.node(1).status().floor, 0);
    let moving = Same { epoch: 4, ..moving };
    up.iter().for_each(|node| net.node(*node).force_layout(moving.clone()));
    pass_time(&mut net);
    assert_eq!(net.node(1).status().floor, 0); // the lost one is passed over, and may still come back
    let new = Same { epoch: 5, ..Same::new(&up) };
    up.iter().for_each(|node| net.node(*node).force_layout(new.clone()));
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(2, 6), late).unwrap();
    net.run_among(&up);
    let after_read = WriteOptions { order: quorate_ring::quorum::Order::AfterRead, ..late };
    net.node(1).write(now, b"k", Tagged::tombstone(), after_read).unwrap();
    net.run_among(&up);
    pass_time(&mut net);
    assert!(net.node(1).status().floor > 0);
    assert_eq!(net.node(4).local(b"k"), None);
}

#[test]
fn erased_node_is_rebuilt_without_one_that_is_lost() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run();
    erase(&mut net, 2, &layout);
    retry(&mut net, &[1, 2], 100);
    assert!(!net.node(2).status().founded);
    net.node(2).set_lost(NodeId::new(3), true);
    retry(&mut net, &[1, 2], 10);
    assert!(net.node(2).status().founded);
    assert_eq!(net.node(2).local(b"k"), Some(&Tagged::nth(1, 5)));
    // it is not lost any more: without records this waits for all others
    erase(&mut net, 1, &layout);
    net.node(1).set_lost(NodeId::new(3), true);
    net.node(1).set_lost(NodeId::new(3), false);
    retry(&mut net, &[1, 2], 100);
    assert!(!net.node(1).status().founded);
}

#[test]
fn hints_for_a_lost_node_go_to_the_others_at_once() {
    let layout = Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 4], &layout);
    let now = net.now;
    for node in [1, 4] {
        net.node(node).set_down(NodeId::new(3), true);
    }
    let sloppy = WriteOptions { level: Level::All, sloppy: true, ..WriteOptions::default() };
    net.node(1).write(now, b"k", Tagged::nth(1, 5), sloppy).unwrap();
    net.run_among(&[1, 2, 4]);
    assert_eq!(net.node(4).status().hints, 1);
    net.tick(2 * config().handoff_us);
    net.run_among(&[1, 2, 4]);
    assert_eq!(net.node(4).status().hints, 1);
    net.node(4).set_lost(NodeId::new(3), true);
    net.run_among(&[1, 2, 4]);
    assert_eq!(net.node(4).status().hints, 0);
}

/// A node that joins gets what those have that are up, though one that is asked before them is down; and all of it once that one is back.
#[test]
fn node_that_is_down_is_passed_over_by_those_that_catch_up() {
    let old = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &old);
    let now = net.now;
    net.node(3).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run_among(&[2, 3]);
    let only_down = WriteOptions { level: Level::One, ..WriteOptions::default() };
    net.node(2).write(now, b"l", Tagged::nth(1, 6), only_down).unwrap();
    net.run_among(&[2]);
    let moving = Same { epoch: 2, next: Some(vec![1, 3, 4]), ..old };
    net.add(&[4], &moving);
    for node in [1, 2, 3] {
        net.node(node).set_layout(moving.clone()).unwrap();
    }
    retry(&mut net, &[1, 3, 4], 50);
    assert_eq!(net.node(4).local(b"k"), Some(&Tagged::nth(1, 5)));
    assert!(!net.node(4).status().synchronized && net.node(4).local(b"l").is_none());
    let before = net.sent;
    retry(&mut net, &[1, 3, 4], 4_000);
    // a round of questions each second, one for each retry
    assert!(net.sent - before < 400, "{}", net.sent - before);
    retry(&mut net, &[1, 2, 3, 4], 4_000);
    assert!(are_synchronized(&mut net, &[1, 2, 3, 4]));
    assert_eq!(net.node(4).local(b"l"), Some(&Tagged::nth(1, 6)));
}

/// No pause between sweeps goes by: each node asks for what it lacks.
#[test]
fn replicas_are_ready_for_the_second_step_after_a_few_round_trips() {
    let old = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &old);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run_among(&[1, 2]);
    let moving = Same { epoch: 2, next: Some(vec![2, 3, 4]), ..old };
    net.add(&[4], &moving);
    for node in [1, 2, 3] {
        net.node(node).set_layout(moving.clone()).unwrap();
    }
    assert!(![1, 2, 3, 4].iter().any(|node| net.node(*node).status().synchronized && *node != 1));
    retry(&mut net, &[1, 2, 3, 4], 20);
    assert!(are_synchronized(&mut net, &[1, 2, 3, 4]));
    for node in [2, 3, 4] {
        assert_eq!(net.node(node).local(b"k"), Some(&Tagged::nth(1, 5)), "{node}");
    }
}

#[test]
fn node_is_synchronized_only_once_that_is_durable() {
    let old = Same::new(&[1, 2]);
    let mut net = Net::<Register>::new(&[1, 2], &old);
    let moving = Same { epoch: 2, next: Some(vec![1, 2]), ..old };
    net.slow_disks = vec![2];
    for node in [1, 2] {
        net.node(node).set_layout(moving.clone()).unwrap();
    }
    retry(&mut net, &[1, 2], 20);
    assert!(net.node(1).status().synchronized && !net.node(2).status().synchronized);
    net.slow_disks.clear();
    net.settle_disks();
    assert!(net.node(2).status().synchronized);
    // and it stays so when the process starts anew
    net.restart(2, &moving);
    net.tick(0);
    assert!(net.node(2).status().synchronized);
}

#[test]
fn node_with_an_old_layout_is_told_once_for_each_newer_one() {
    let mut net = Net::<Register>::new(&[1, 2], &Same::new(&[1, 2]));
    for epoch in [5, 6] {
        net.node(2).force_layout(Same { epoch, ..Same::new(&[1, 2]) });
        for _ in 0..2 {
            while net.node(2).status().requests > 0 {
                net.tick(config().retry_us); // the one before has failed
            }
            let now = net.now;
            net.node(2).read(now, b"k", QUORUM).unwrap();
            net.run();
        }
        let version = Version { epoch, digest: 0 };
        assert_eq!(net.outdated(1), [(2, version)]);
    }
    // given that layout, and asked by a node with an older one, it has nothing to tell
    net.node(1).force_layout(Same { epoch: 6, ..Same::new(&[1, 2]) });
    net.node(2).force_layout(Same { epoch: 3, ..Same::new(&[1, 2]) });
    let now = net.now;
    net.node(2).read(now, b"k", QUORUM).unwrap();
    net.run();
    assert_eq!(net.outdated(1), []);
}

/// A key is written more often than the disk finishes: a sweep sends it nevertheless, as it is on the disk.
#[test]
fn sweep_of_a_key_that_is_never_durable_goes_through() {
    let layout = Same::new(&[1, 2]);
    let mut net = Net::<Register>::new(&[1, 2, 9], &layout);
    net.slow_disks = vec![1];
    erase(&mut net, 2, &layout);
    let mut rounds = 0;
    for number in 1.. {
        let pending =
            |net: &Net<Register>| net.disks.iter().find(|(at, ..)| *at == 1).unwrap().2.len();
        let before = pending(&net);
        let now = net.now;
        net.node(9).write(now, b"k", Tagged::nth(number, 5), WriteOptions::default()).unwrap();
        net.run();
        // a record comes before the disk of node 1 has finished the one before
        let disk = &mut net.disks.iter_mut().find(|(at, ..)| *at == 1).unwrap().2;
        let finished = disk.drain(..before).next_back();
        if let Some((ticket, _)) = finished {
            net.node(1).persisted(ticket);
        }
        net.tick(config().retry_us);
        net.run();
        rounds = number;
        if net.node(2).status().founded || number > 500 {
            break;
        }
    }
    assert!(rounds < 500, "{}", text(&net.wire.pop_front().map_or(Vec::new(), |one| one.bytes)));
}
