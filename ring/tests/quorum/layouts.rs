//! Nodes that go by different layouts.

use quorate_core::{Instant, Machine as _, NodeId, Output, Wire as _};
use quorate_ring::quorum::{
    Config, Heap, Layout as _, LayoutError, Message, Node, Replicated, Tagged, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member, PlanError, Token};

use super::attack::{SEAL, forge, forged, text};
use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

/// A replica that goes by another layout by now may hold the key no longer: its answer to a request of before counts for nothing.
#[test]
fn answer_with_another_layout_counts_for_nothing() {
    let old = Same::new(&[1]);
    let new = Same { epoch: 2, ..old.clone() };
    let mut net = Net::<Register>::new(&[1, 9], &old);
    let now = net.now;
    net.slow_disks = vec![1];
    net.node(9).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run();
    net.node(1).force_layout(new.clone());
    net.slow_disks.clear();
    net.run();
    assert_eq!(net.node(1).local(b"k"), Some(&Tagged::nth(1, 5)));
    assert_eq!(net.told(9), []);
    net.node(9).force_layout(new);
    net.run();
    assert_eq!(net.told(9), [Told::Written { superseded: false }]);
}

/// A replica that was asked in the layout before, and answers in the next one, may have dropped the key in between.
#[test]
fn answer_to_what_was_asked_in_the_layout_before_counts_for_nothing() {
    let old = Same::new(&[1]);
    let new = Same { epoch: 2, ..old.clone() };
    let mut net = Net::<Register>::new(&[1, 9], &old);
    let now = net.now;
    net.slow_disks = vec![1];
    net.node(9).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run();
    for node in [1, 9] {
        net.node(node).force_layout(new.clone());
    }
    net.settle_disks();
    let asked_again = core::mem::take(&mut net.wire);
    net.slow_disks.clear();
    net.run();
    assert_eq!(net.told(9), []);
    asked_again.iter().for_each(|asked| net.give(asked).unwrap());
    net.run();
    assert_eq!(net.told(9), [Told::Written { superseded: false }]);
}

#[test]
fn joining_node_takes_part_when_a_node_that_knows_the_floor_has_told_it() {
    let layout = Same { next: Some(vec![1, 3]), ..Same::new(&[1, 2]) };
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    net.disks.iter_mut().for_each(|disk| disk.1.clear());
    net.restart(3, &layout);
    for known in [0, 1] {
        forge(&mut net, 1, 3, forged(7, SEAL | 9, 14, &[known, 4, 5])).unwrap();
        assert_eq!(net.node(3).status().founded, known == 1);
    }
}

/// Its node was to drop the key, and has not recorded that yet.
#[test]
fn later_value_of_a_key_that_was_about_to_go_stays() {
    let old = Same::new(&[1, 3]);
    let without = Same { epoch: 2, fallbacks: vec![3], ..Same::new(&[1]) };
    let again = Same { epoch: 3, next: Some(vec![1, 3]), ..without.clone() };
    let mut net = Net::<Register>::new(&[1, 3], &old);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.run();
    net.node(3).force_layout(without);
    net.node(3).tick(now);
    for node in [1, 3] {
        net.node(node).force_layout(again.clone());
    }
    net.node(1).write(now, b"k", Tagged::nth(2, 6), WriteOptions::default()).unwrap();
    let message = loop {
        let Some(Output::Send(to, message)) = net.node(1).poll() else { continue };
        if to.get() == 3 {
            let mut bytes = vec![0; message.encoded_len()];
            message.to_slice(&mut bytes).unwrap();
            break bytes;
        }
    };
    assert!(text(&message).contains("Write"));
    forge(&mut net, 1, 3, message).unwrap();
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(2, 6)));
    net.restart(3, &again);
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(2, 6)));
}

/// The record that the key goes was made, and the key is still there.
#[test]
fn key_whose_removal_was_recorded_is_recorded_anew_when_a_write_of_it_comes() {
    let old = Same::new(&[1, 3]);
    let without = Same { epoch: 2, fallbacks: vec![3], ..Same::new(&[1]) };
    let again = Same { epoch: 1, next: Some(vec![1, 3]), ..without.clone() };
    let mut net = Net::<Register>::new(&[1, 3], &old);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    net.settle_disks();
    let write = net.wire.pop_front().unwrap();
    net.give(&write).unwrap();
    net.node(3).force_layout(without);
    net.node(3).tick(now);
    let Some(Output::Persist(ticket, record)) = net.node(3).poll() else { panic!() };
    let mut bytes = vec![0; record.encoded_len()];
    record.to_slice(&mut bytes).unwrap();
    net.disks.iter_mut().find(|(at, ..)| *at == 3).unwrap().2.push((ticket, bytes));
    net.node(3).force_layout(again.clone());
    // the write comes once more; it has the version of this layout
    let message = Message::from_slice(&write.bytes).unwrap();
    net.node(3).receive(now, NodeId::new(1), message).unwrap();
    net.settle_disks();
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(1, 5)));
    net.restart(3, &again);
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(1, 5)));
}

#[test]
fn node_is_synchronized_when_it_has_looked_at_all_it_may_not_hold_any_more() {
    let alone = Same::new(&[1]);
    let id = NodeId::new(1);
    let mut node = Node::<Register, Same, Heap>::new(id, 7, alone.clone(), config()).unwrap();
    node.found();
    let mut now = Instant::ZERO;
    for key in 0..1_000_u16 {
        let value = Tagged::nth(1, 5);
        node.write(now, &key.to_le_bytes(), value, WriteOptions::default()).unwrap();
        settle(&mut node);
    }
    let without = Same { epoch: 2, ..Same::new(&[2]) };
    node.force_layout(without);
    let mut steps = 0;
    while !node.status().synchronized {
        now = now.after(config().sweep_pause_us);
        node.tick(now);
        settle(&mut node);
        steps += 1;
        assert!(steps < 1_000);
    }
    assert_eq!(node.status().keys, 0);
}

fn settle(node: &mut Node<Register, Same, Heap>) {
    loop {
        let mut last = None;
        while let Some(output) = node.poll() {
            if let Output::Persist(ticket, _) = output {
                last = Some(ticket);
            }
        }
        let Some(ticket) = last else { return };
        node.persisted(ticket);
    }
}

#[test]
fn layout_that_would_lose_keys_is_refused() {
    let present = Same::new(&[1, 2, 3]);
    let mut node = Net::<Register>::new(&[1], &present).node(1).clone();
    let at = |epoch, replicas: &[u64]| Same { epoch, ..Same::new(replicas) };
    let to = |next: &[u64], layout: Same| Same { next: Some(next.to_vec()), ..layout };
    for replicas in [&[1, 2, 4][..], &[1, 2], &[1, 2, 3, 4], &[4, 5, 6]] {
        let before = node.clone();
        let refused = node.set_layout(at(2, replicas));
        assert_eq!(refused, Err(LayoutError::Unannounced { at: Token::MIN }), "{replicas:?}");
        let refused = node.set_layout(to(&[1, 2, 3], at(2, replicas)));
        assert_eq!(refused, Err(LayoutError::Unannounced { at: Token::MIN }), "{replicas:?}");
        assert_eq!(node, before);
    }
    node.set_layout(at(2, &[3, 1, 2])).unwrap(); // in another order
    let older = node.set_layout(at(1, &[1, 2, 3]));
    assert_eq!(older, Err(LayoutError::Older { present: at(2, &[1]).version() }));
    // it begins, goes back, begins again with others, and is over
    node.set_layout(to(&[1, 2, 4], at(3, &[1, 2, 3]))).unwrap();
    node.set_layout(at(4, &[1, 2, 3])).unwrap();
    node.set_layout(to(&[1, 4], at(5, &[1, 2, 3]))).unwrap();
    assert!(node.set_layout(at(6, &[1, 2, 4])).is_err()); // those of before
    node.set_layout(at(6, &[4, 1])).unwrap();
    node.force_layout(at(7, &[8]));
    assert_eq!(node.status().version.epoch, 7);
}

type Ring = HashRing<quorate_ring::Heap>;

fn ring(hash: u64, members: &[u64]) -> Ring {
    let mut ring = Ring::new(KeyHash::new([hash, 0]), 8);
    members.iter().for_each(|id| ring.add(Member::new(NodeId::new(*id))).unwrap());
    ring
}

/// Layouts that differ in one thing that nodes must agree on.
fn different(epoch: u64) -> Vec<Replicated<Ring>> {
    let of = |members: &[u64], replicas| Replicated::of(epoch, ring(1, members), replicas);
    let to = |members: &[u64]| of(&[1, 2, 3], 2).moving_to(ring(1, members)).unwrap();
    vec![
        of(&[1, 2, 3], 2),
        of(&[1, 2, 4], 2),
        of(&[1, 2, 3], 3),
        of(&[1, 2, 3], 4), // of three nodes: the lists are those of before
        of(&[1, 2, 3], 2).with_fallbacks(1),
        of(&[1, 2, 3], 2).with_fallbacks(2),
        of(&[1, 2, 3], 0).with_fallbacks(2),
        Replicated::of(epoch, ring(2, &[1, 2, 3]), 2),
        to(&[1, 2, 4]),
        to(&[1, 2]),
        to(&[]),
        to(&[1, 2, 4]).with_fallbacks(1),
        of(&[1, 2, 4], 2).moving_to(ring(1, &[1, 2, 3])).unwrap(),
    ]
}

#[test]
fn version_of_a_layout_follows_from_all_that_nodes_must_agree_on() {
    let mut versions: Vec<Version> =
        [1, 2].into_iter().flat_map(different).map(|l| l.version()).collect();
    assert!(versions[..13].iter().all(|version| version.epoch == 1));
    assert_eq!(versions[0].to_string(), "1-ba65a02f504ec847");
    let all = versions.len();
    versions.sort_by_key(|version| (version.epoch, version.digest));
    versions.dedup();
    assert_eq!(versions.len(), all);
}

#[test]
fn version_of_a_layout_does_not_depend_on_how_it_was_made() {
    let [from, to] = [&[3, 1, 2][..], &[2, 4, 1]].map(|members| ring(1, members));
    let whole = Replicated::of(7, from.clone(), 2).moving_to(to.clone()).unwrap().with_fallbacks(1);
    let version = whole.version();
    let other = Replicated::of(1, from, 2).with_fallbacks(9);
    let other = other.in_epoch(7).with_fallbacks(1).moving_to(to).unwrap();
    assert_eq!((other.version(), other), (version, whole.clone()));
    // a version of the program's own stays
    let own = Version { epoch: 8, digest: 3 };
    let other = whole.in_version(own).with_fallbacks(2).moving_to(ring(1, &[1, 2])).unwrap();
    assert_eq!((other.version(), other.in_epoch(7).version() == version), (own, false));
}

#[test]
fn layout_does_not_move_to_a_placement_with_other_tokens() {
    let layout = Replicated::of(1, ring(1, &[1, 2, 3]), 2);
    let refused = layout.clone().moving_to(ring(2, &[1, 2, 3])).unwrap_err();
    assert_eq!(refused, PlanError::DifferentPositions);
    let nowhere = Replicated::of(1, ring(1, &[1]), 0);
    assert_eq!(nowhere.moving_to(ring(1, &[1])).err(), Some(PlanError::NoReplicas));
}

/// One node keeps each key on three nodes, the other on two.
#[test]
fn nodes_with_another_number_of_replicas_do_not_serve_each_other() {
    let node = |id, replicas| {
        let layout = Replicated::of(1, ring(1, &[1, 2, 3]), replicas);
        let mut node =
            Node::<Register, _, Heap>::new(NodeId::new(id), 1, layout, Config::lan()).unwrap();
        node.found();
        node
    };
    let (mut client, mut same, mut other) = (node(1, 3), node(2, 3), node(2, 2));
    client.write(Instant::ZERO, b"k", Tagged::nth(1, 5), WriteOptions::default()).unwrap();
    let mut taken = 0;
    while let Some(output) = client.poll() {
        let Output::Send(to, message) = output else { continue };
        if to == NodeId::new(2) {
            taken += 1;
            for node in [&mut same, &mut other] {
                let _ = node.receive(Instant::ZERO, NodeId::new(1), message.clone());
            }
        }
    }
    assert_eq!((taken, same.local(b"k").is_some(), other.local(b"k").is_some()), (1, true, false));
}
