//! Read repair, siblings, and replica sets that change.

use quorate_clocks::{Actor, Inline, Siblings, VersionVector};
use quorate_core::{Machine as _, NodeId};
use quorate_ring::quorum::{
    Failure, Level, ReadOptions, ReadRepair, RequestError, Tagged, Value as _, WriteOptions,
};

use super::net::{Net, Same, Told, config};

type Cart = Siblings<u32, Inline<4>, Inline<4>>;
type Register = Tagged<u32>;

fn read(repair: ReadRepair) -> ReadOptions {
    ReadOptions { repair, ..ReadOptions::default() }
}

fn write(level: Level) -> WriteOptions {
    WriteOptions { level, ..WriteOptions::default() }
}

const OK: Told<Register> = Told::Written { superseded: false };

/// Three replicas, of which only node 1 has the write.
fn one_of_three() -> Net<Register> {
    let mut net = Net::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::One)).unwrap();
    net.run_among(&[1, 9]);
    assert_eq!(net.told(9), [OK]);
    net.node(9).clone_from(&Net::new(&[9], &Same::new(&[1, 2, 3])).node(9).clone());
    net.sent = 0;
    net
}

#[test]
fn background_repair_comes_after_the_answer_and_only_to_those_behind() {
    let mut net = one_of_three();
    let now = net.now;
    net.node(9).read(now, b"k", read(ReadRepair::Background)).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
    assert_eq!(net.sent, 6 + 4); // nodes 2 and 3 are repaired
    assert_eq!(net.node(9).status().requests, 0);
    for node in [2, 3] {
        assert_eq!(net.node(node).local(b"k"), Some(&Tagged::nth(1, 5)));
    }
}

#[test]
fn background_repair_does_not_wait_for_a_replica_that_is_gone() {
    let mut net = one_of_three();
    let now = net.now;
    net.node(9).read(now, b"k", read(ReadRepair::Background)).unwrap();
    net.run_among(&[1, 2, 9]);
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
    assert_eq!(net.node(2).local(b"k"), None);
    net.tick(1_000);
    net.run_among(&[1, 2, 9]);
    assert_eq!(net.node(2).local(b"k"), Some(&Tagged::nth(1, 5)));
    assert_eq!(net.node(9).status().requests, 0);
}

#[test]
fn blocking_repair_comes_before_the_answer_and_may_time_out() {
    let mut net = one_of_three();
    let now = net.now;
    net.node(9).read(now, b"k", read(ReadRepair::Blocking)).unwrap();
    net.settle_disks();
    // the answers of 1 and 2 arrive, and then node 2 is gone
    let requests: Vec<_> = net.wire.drain(..).collect();
    requests.iter().take(2).for_each(|request| net.give(request).unwrap());
    let answers: Vec<_> = net.wire.drain(..).collect();
    answers.iter().for_each(|answer| net.give(answer).unwrap());
    assert_eq!(net.told(9), []);
    for _ in 0..4 {
        net.run_among(&[1, 9]);
        net.tick(1_000);
    }
    let timeout = Failure::Timeout { acked: 1, required: 2 };
    assert_eq!(net.told(9), [Told::Failed(timeout, Some(Tagged::nth(1, 5)))]);
}

#[test]
fn blocking_repair_writes_nothing_back_where_enough_have_it() {
    let mut net = one_of_three();
    let now = net.now;
    net.node(9).read(now, b"k", read(ReadRepair::Blocking)).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
    net.sent = 0;
    net.node(9).read(now, b"k", read(ReadRepair::Blocking)).unwrap();
    net.run_among(&[1, 2, 9]);
    assert_eq!(net.sent, 3 + 2);
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
}

#[test]
fn context_of_a_reader_is_waited_for() {
    let mut net = one_of_three();
    let now = net.now;
    let one = ReadOptions { level: Level::One, repair: ReadRepair::Off, ..ReadOptions::default() };
    let seen = Tagged::nth(1, 5_u32).context();
    // nodes 2 and 3 do not have what the reader has seen
    net.node(9).read_at_least(now, b"k", one, seen).unwrap();
    net.run_among(&[2, 3, 9]);
    assert_eq!(net.told(9), []);
    net.tick(1_000);
    net.run();
    assert_eq!(net.told(9), [Told::Found(Some(Tagged::nth(1, 5)))]);
    let later = Tagged::nth(2, 6_u32).context();
    net.node(9).read_at_least(now, b"k", one, later).unwrap();
    for _ in 0..4 {
        net.run();
        net.tick(1_000);
    }
    let told = net.told(9);
    assert_eq!(told, [Told::Failed(Failure::Missing, Some(Tagged::nth(1, 5)))]);
}

fn actor(id: u64) -> Actor {
    Actor::from(NodeId::new(id))
}

/// A write of the node: it replaces what the context has seen.
fn put(net: &mut Net<Cart>, id: u64, context: &VersionVector<Inline<4>>, value: u32, level: Level) {
    let mut cart = net.node(id).local(b"k").cloned().unwrap_or_default();
    cart.write(actor(id), context, value).unwrap();
    let now = net.now;
    net.node(id).write(now, b"k", cart, write(level)).unwrap();
}

fn values(cart: Option<&Cart>) -> Vec<u32> {
    cart.map_or(Vec::new(), |cart| cart.values().copied().collect())
}

#[test]
fn concurrent_writes_are_siblings_and_a_later_one_settles_them() {
    let mut net = Net::<Cart>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let nothing = VersionVector::new();
    put(&mut net, 1, &nothing, 10, Level::One);
    net.run_among(&[1]);
    put(&mut net, 2, &nothing, 20, Level::One);
    net.run_among(&[2, 3]);
    let now = net.now;
    net.node(3)
        .read(now, b"k", ReadOptions { level: Level::All, ..read(ReadRepair::Blocking) })
        .unwrap();
    net.run();
    let told = net.told(3);
    let [Told::Found(Some(found))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(values(Some(found)), [10, 20]);
    let context = Siblings::context(found).clone();
    put(&mut net, 3, &context, 30, Level::All);
    net.run();
    for node in [1, 2, 3] {
        assert_eq!(values(net.node(node).local(b"k")), [30]);
    }
}

#[test]
fn obsolete_sibling_does_not_repair_a_newer_one() {
    let mut net = Net::<Cart>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    put(&mut net, 1, &VersionVector::new(), 10, Level::All);
    net.run();
    let context = Siblings::context(net.node(2).local(b"k").unwrap()).clone();
    put(&mut net, 2, &context, 20, Level::One);
    net.run_among(&[2]);
    // 1 and 3 still have the obsolete value
    let now = net.now;
    net.node(1)
        .read(now, b"k", ReadOptions { level: Level::All, ..read(ReadRepair::Background) })
        .unwrap();
    net.run();
    for node in [1, 2, 3] {
        assert_eq!(values(net.node(node).local(b"k")), [20]);
    }
}

#[test]
fn dotted_value_is_sent_when_it_is_durable_here() {
    let mut net = Net::<Cart>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    net.slow_disks = vec![1];
    put(&mut net, 1, &VersionVector::new(), 10, Level::One);
    net.settle_disks();
    assert!(net.wire.is_empty()); // a crash now would let the node give the same dot to another value
    net.slow_disks.clear();
    net.settle_disks();
    assert_eq!(net.wire.len(), 2);
    let now = net.now;
    let mut apart = Net::<Cart>::new(&[9], &Same::new(&[1, 2, 3]));
    let cart = net.node(1).local(b"k").unwrap().clone();
    let result = apart.node(9).write(now, b"k", cart, write(Level::One));
    assert_eq!(result, Err(RequestError::NotReplica));
}

#[test]
fn changing_set_is_asked_with_both_quorums() {
    let old = Same::new(&[1, 2, 3]);
    let moving = Same { epoch: 2, next: Some(vec![3, 4, 5]), ..old.clone() };
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &old);
    net.add(&[4, 5], &moving);
    for node in [1, 2, 3, 9] {
        net.node(node).set_layout(moving.clone()).unwrap();
    }
    while ![4, 5].iter().all(|node| net.node(*node).status().founded) {
        net.tick(config().sweep_pause_us);
        net.run();
    }
    let now = net.now;
    let (enough, too_few) = ([[1, 3, 4], [2, 3, 5]], [[1, 2, 3], [3, 4, 5], [1, 2, 4], [1, 4, 5]]);
    for (sets, done) in [(&enough[..], true), (&too_few[..], false)] {
        for set in sets {
            let mut among = set.to_vec();
            among.push(9);
            net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
            net.run_among(&among);
            assert_eq!(!net.told(9).is_empty(), done, "{set:?} writes");
            let again = Net::new(&[9], &moving).node(9).clone();
            *net.node(9) = again;
            net.node(9).read(now, b"k", read(ReadRepair::Off)).unwrap();
            net.run_among(&among);
            assert_eq!(!net.told(9).is_empty(), done, "{set:?} reads");
            let again = Net::new(&[9], &moving).node(9).clone();
            *net.node(9) = again;
        }
    }
}

#[test]
fn node_joins_while_another_is_down() {
    let before = Same::new(&[1, 2, 3]);
    let during = Same { epoch: 2, next: Some(vec![2, 3, 4]), ..before.clone() };
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &before);
    net.add(&[4], &during);
    for node in [1, 3, 9] {
        net.node(node).force_layout(during.clone());
    }
    // node 2, which is asked before node 4, is down
    for _ in 0..4 * config().attempts {
        net.tick(config().retry_us);
        net.run_among(&[1, 3, 4, 9]);
    }
    assert!(net.node(4).status().founded);
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
    net.run_among(&[1, 3, 4, 9]);
    assert_eq!(net.told(9), [OK]);
}

#[test]
fn collector_that_joins_waits_until_all_have_told_their_floor() {
    let before = Same::new(&[2, 3, 4]);
    let during = Same { epoch: 2, next: Some(vec![1, 2, 3]), ..before.clone() };
    let mut net = Net::<Register>::new(&[2, 3, 4], &before);
    net.add(&[1], &during);
    for node in [2, 3, 4] {
        net.node(node).force_layout(during.clone());
    }
    for (up, founded) in [(&[1, 2, 4][..], false), (&[1, 2, 3, 4], true)] {
        for _ in 0..4 * config().attempts {
            net.tick(config().retry_us);
            net.run_among(up);
        }
        net.tick(config().sweep_pause_us);
        net.run_among(up);
        assert_eq!(net.node(1).status().founded, founded, "{up:?}");
    }
}

#[test]
fn request_of_an_old_topology_is_refused_and_made_again_with_the_new_one() {
    let old = Same { topology: vec![1, 2], ..Same::new(&[1, 2]) };
    let new = Same { epoch: 2, topology: vec![2, 3], ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &new);
    let now = net.now;
    net.node(9).force_layout(old);
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(9), [Told::LayoutChanged, OK]);
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(1, 5)));
    // the other way round: the replicas learn
    let newer = Same { epoch: 3, topology: vec![3, 3], ..Same::new(&[1, 2, 3]) };
    net.node(9).force_layout(newer.clone());
    net.node(9).write(now, b"k", Tagged::nth(2, 6), write(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(9), []);
    net.tick(1_000);
    net.run();
    assert_eq!(net.told(9), [OK]);
    assert_eq!(net.node(1).layout(), &newer);
}

#[test]
fn without_a_way_to_learn_the_request_fails_as_stale() {
    let new = Same { epoch: 2, ..Same::new(&[1, 2, 3]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &new);
    let now = net.now;
    net.node(9).force_layout(Same::new(&[1, 2, 3]));
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
    net.run();
    let told = net.told(9);
    let [Told::Failed(Failure::Stale { version }, None)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(version.epoch, 2);
    assert_eq!(net.node(1).local(b"k"), None);
}

#[test]
fn erased_replica_answers_no_reads() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3], &layout);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::nth(1, 5), write(Level::Count(2))).unwrap();
    net.run_among(&[1, 2]);
    net.disks.iter_mut().for_each(|(id, durable, _)| {
        if *id == 2 {
            durable.clear()
        }
    });
    net.restart(2, &layout);
    net.node(3).read(now, b"k", read(ReadRepair::Off)).unwrap();
    net.run_among(&[2, 3]);
    assert_eq!(net.told(3), []);
    net.run();
    net.tick(1_000);
    net.run();
    assert_eq!(net.told(3), [Told::Found(Some(Tagged::nth(1, 5)))]);
}

#[test]
fn client_that_has_seen_a_purged_key_reads_on() {
    let layout = Same::new(&[1]);
    let mut net = Net::<Register>::new(&[1], &layout);
    let (member, floor) = (vec![3, 1], vec![5, 9]);
    net.disks[0].1 = vec![member, floor];
    net.restart(1, &layout);
    let now = net.now;
    let seen = |number| Register::nth(number, 5).context();
    net.node(1).read_at_least(now, b"k", read(ReadRepair::Off), seen(9)).unwrap();
    net.run();
    assert_eq!(net.told(1), [Told::Found(None)]);
    net.node(1).read_at_least(now, b"k", read(ReadRepair::Off), seen(10)).unwrap();
    net.run();
    assert_eq!(net.told(1), []); // that is above the floor: somebody has it
}
