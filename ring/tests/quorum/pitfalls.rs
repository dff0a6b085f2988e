//! What goes wrong in stores without a leader, with the numbers of the project's list of pitfalls.
//!
//! | pitfall | tests elsewhere |
//! |---|---|
//! | 54: no write-back | `registers::second_reader_sees_what_the_first_one_saw` |
//! | 54: sloppy quorums | `hints::sloppy_read_finds_what_a_fallback_keeps` |
//! | 55: copies of an answer | `levels::request_is_done_when_as_many_have_answered_as_it_asks_for` |
//! | 58: obsolete values | `repair::obsolete_sibling_does_not_repair_a_newer_one` |
//! | 59: a full store of hints | `hints::full_hint_store_refuses` |
//! | 60: joint quorums | `repair::changing_set_is_asked_with_both_quorums` |

use std::collections::BTreeSet;

use quorate_clocks::{Actor, Inline, Siblings, Stamp, Timestamp, VersionVector};
use quorate_core::{Instant, Machine as _, NodeId, Output, Rejected, Shown, Wire as _};
use quorate_ring::quorum::{
    self, Coordinator, Failure, Level, LevelError, Lww, Message, Order, ReadOptions, ReadRepair,
    Replica, Replicated, RequestError, Tagged, Value, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};

use super::net::{Envelope, Net, Same, Told, config};

type Register = Tagged<u32>;
type Cell = Lww<u32>;
type Cart = Siblings<u32, Inline<4>, Inline<4>>;

const WRITTEN: Told<Register> = Told::Written { superseded: false };

fn write(level: Level) -> WriteOptions {
    WriteOptions { level, ..WriteOptions::default() }
}

fn after_read(level: Level) -> WriteOptions {
    WriteOptions { order: Order::AfterRead, ..write(level) }
}

fn read(level: Level, repair: ReadRepair) -> ReadOptions {
    ReadOptions { level, repair, ..ReadOptions::default() }
}

fn text<V: Value + 'static>(envelope: &Envelope) -> String {
    Shown(&Message::<V>::from_slice(&envelope.bytes).unwrap()).to_string()
}

/// Delivers all messages but those of this kind to this node, which are long on their way.
fn hold<V: Value + 'static>(net: &mut Net<V>, kind: &str, to: u64) -> Vec<Envelope> {
    let mut held = Vec::new();
    net.settle_disks();
    while let Some(envelope) = net.wire.pop_front() {
        if envelope.to == to && text::<V>(&envelope).contains(kind) {
            held.push(envelope);
        } else {
            net.give(&envelope).unwrap();
        }
    }
    held
}

/// All attempts of requests that have not been answered are made in vain.
fn exhaust_attempts<V: Value + 'static>(net: &mut Net<V>) {
    for _ in 0..config().attempts {
        net.tick(config().retry_us);
        net.wire.clear();
    }
}

/// Hours go by, for these nodes with all that they say to each other.
fn wait_for_purges(net: &mut Net<Register>, among: &[u64]) {
    for _ in 0..600 {
        net.tick(config().sweep_pause_us);
        net.run_among(among);
    }
}

fn stamped(micros: u64, value: u32) -> Cell {
    let actor = Actor::from(NodeId::new(1));
    Lww::new(Stamp { time: Timestamp::from_micros(micros), actor }, value)
}

// 54: with W + R > N the value with the later stamp stays, whichever was written later: a clock that is behind loses writes. Their writer is told.
#[test]
fn write_by_a_clock_that_is_behind_is_lost_and_its_writer_is_told() {
    let mut net = Net::<Cell>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(1).write(now, b"k", stamped(1_000, 10), write(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(1), [Told::Written { superseded: false }]);
    net.node(2).write(now, b"k", stamped(5, 20), write(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(2), [Told::Written { superseded: true }]);
    net.node(3).read(now, b"k", read(Level::All, ReadRepair::Always)).unwrap();
    net.run();
    assert_eq!(net.told(3), [Told::Found(Some(stamped(1_000, 10)))]);
    // who asks first learns it before anything is written
    net.node(2).write(now, b"k", stamped(6, 30), after_read(Level::All)).unwrap();
    net.run();
    assert_eq!(net.told(2), [Told::Failed(Failure::Behind { floor: 0 }, Some(stamped(1_000, 10)))]);
}

// 54: registers ask no clock.
#[test]
fn later_write_of_a_register_stays() {
    let mut net = Net::<Register>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    // whichever node writes, and whichever two hold the value before
    for (value, (node, among)) in (1..).zip([(3, [1, 3]), (1, [1, 2]), (2, [2, 3]), (1, [1, 3])]) {
        net.node(node).write(now, b"k", Tagged::new(value), after_read(Level::Quorum)).unwrap();
        net.run_among(&among);
        assert_eq!(net.told(node), [WRITTEN]);
        exhaust_attempts(&mut net);
        for reader in among {
            net.node(reader).read(now, b"k", read(Level::Quorum, ReadRepair::Off)).unwrap();
            net.run_among(&among);
            let told = net.told(reader);
            let [Told::Found(Some(found))] = &told[..] else { panic!("{told:?}") };
            assert_eq!(found.get(), Some(&value));
        }
    }
}

// 55: a replica is asked again because its answer was late, and answers twice.
#[test]
fn replica_that_answers_two_attempts_counts_once() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        net.settle_disks();
        for request in core::mem::take(&mut net.wire) {
            if request.to == 1 {
                net.give(&request).unwrap();
            }
        }
        answers.extend(core::mem::take(&mut net.wire));
        net.tick(config().retry_us);
    }
    assert_eq!(answers.len(), 2);
    net.wire.clear();
    answers.iter().for_each(|answer| net.give(answer).unwrap());
    assert_eq!(net.told(9), []);
    net.tick(config().retry_us);
    net.run_among(&[2, 9]);
    assert_eq!(net.told(9), [WRITTEN]);
}

// 55: a host with many points on the ring is several replicas of a key.
#[test]
fn host_with_many_points_is_one_replica() {
    let mut ring = HashRing::<quorate_ring::Inline<2, 128>>::new(KeyHash::default(), 64);
    ring.add_all(&[1, 2].map(|id| Member::new(NodeId::new(id)))).unwrap();
    let layout = Replicated::new(Version::default(), ring, 3);
    let client = Coordinator::<Register, _, quorum::Inline<0, 16>>::new(
        NodeId::new(9),
        1,
        layout.clone(),
        config(),
    )
    .unwrap();
    let mut replica =
        Replica::<Register, _, quorum::Inline<32, 16>>::new(NodeId::new(1), 1, layout, config())
            .unwrap();
    replica.found();
    let now = Instant::ZERO;
    for key in 0..20_u8 {
        let mut client = client.clone();
        let too_many = client.write(now, &[key], Tagged::nth(1, 5), write(Level::Count(3)));
        assert_eq!(too_many, Err(RequestError::Level(LevelError::Above { replicas: 2 })));
        client.write(now, &[key], Tagged::nth(1, 5), write(Level::All)).unwrap();
        let mut asked = Vec::new();
        let mut events = 0;
        while let Some(output) = client.poll() {
            let Output::Send(to, message) = output else { panic!() };
            asked.push(to.get());
            if to == NodeId::new(1) {
                replica.receive(now, NodeId::new(9), message).unwrap();
            }
        }
        asked.sort_unstable();
        assert_eq!(asked, [1, 2]);
        loop {
            let mut written = None;
            while let Some(output) = replica.poll() {
                match output {
                    Output::Persist(ticket, _) => written = Some(ticket),
                    Output::Send(_, answer) => {
                        client.receive(now, NodeId::new(1), answer).unwrap();
                        events += usize::from(matches!(client.poll(), Some(Output::Event(_))));
                    }
                    Output::Event(_) => {}
                }
            }
            let Some(ticket) = written else { break };
            replica.persisted(ticket);
        }
        assert!(replica.local(&[key]).is_some());
        assert_eq!(events, 0); // the other one is missing
    }
}

// 56: an answer to an older request is taken for one to this request, which has its place.
#[test]
fn answers_to_an_older_request_count_for_nothing() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
    net.settle_disks();
    for request in core::mem::take(&mut net.wire) {
        net.give(&request).unwrap();
    }
    let answers = core::mem::take(&mut net.wire);
    assert_eq!(answers.len(), 3);
    exhaust_attempts(&mut net);
    assert_eq!(net.told(9), [Told::Failed(Failure::Timeout { acked: 0, required: 2 }, None)]);
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(2, 6), write(Level::Quorum)).unwrap();
    net.settle_disks();
    let requests = core::mem::take(&mut net.wire);
    answers.iter().for_each(|answer| net.give(answer).unwrap());
    assert_eq!(net.told(9), []);
    requests.iter().for_each(|request| net.give(request).unwrap());
    net.run();
    assert_eq!(net.told(9), [WRITTEN]);
}

// 56: the request before was one of the coordinator's life before.
#[test]
fn answers_of_an_earlier_life_count_for_nothing() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &layout);
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    net.settle_disks();
    for request in core::mem::take(&mut net.wire) {
        net.give(&request).unwrap();
    }
    let answers = core::mem::take(&mut net.wire);
    net.restart(9, &layout);
    net.node(9).write(now, b"k", Tagged::nth(2, 6), write(Level::One)).unwrap();
    net.settle_disks();
    let requests = core::mem::take(&mut net.wire);
    answers.iter().for_each(|answer| net.give(answer).unwrap());
    assert_eq!(net.told(9), []);
    requests.iter().for_each(|request| net.give(request).unwrap());
    net.run();
    assert_eq!(net.told(9), [WRITTEN]);
}

// 56: the replicas were others when they took the request.
#[test]
fn answers_from_before_a_change_of_the_topology_count_for_nothing() {
    let next = Same { epoch: 2, ..Same::new(&[1, 2, 3]) };
    // the answers are sent before the replicas change or after, and arrive before the client changes or after
    for (sent_after, arrive_before) in [(false, false), (true, false), (true, true)] {
        let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
        let now = net.now;
        if sent_after {
            net.slow_disks = vec![1, 2, 3];
        }
        net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
        net.settle_disks();
        for request in core::mem::take(&mut net.wire) {
            net.give(&request).unwrap();
        }
        for node in [1, 2, 3] {
            net.node(node).force_layout(next.clone());
        }
        net.slow_disks.clear();
        net.settle_disks();
        let is_answer = |envelope: &Envelope| {
            envelope.to == 9 && text::<Register>(envelope).contains("Written")
        };
        let answers: Vec<Envelope> = net.wire.drain(..).filter(is_answer).collect();
        assert_eq!(answers.len(), 3);
        if !arrive_before {
            net.node(9).force_layout(next.clone());
        }
        net.settle_disks();
        let requests = core::mem::take(&mut net.wire);
        answers.iter().for_each(|answer| net.give(answer).unwrap());
        assert_eq!(net.told(9), [], "{sent_after} {arrive_before}");
        net.node(9).force_layout(next.clone());
        requests.iter().for_each(|request| net.give(request).unwrap());
        net.run();
        assert_eq!(net.told(9), [WRITTEN]);
    }
}

// 57: a write that failed is taken for one that did nothing.
#[test]
fn write_that_failed_may_appear_later() {
    let mut net = Net::<Register>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::All)).unwrap();
    let late = hold(&mut net, "Write", 2);
    let later = hold(&mut net, "Write", 3);
    assert_eq!((late.len(), later.len()), (1, 0)); // that to node 3 has arrived
    exhaust_attempts(&mut net);
    assert_eq!(net.told(9), [Told::Failed(Failure::Timeout { acked: 2, required: 3 }, None)]);
    let now = net.now;
    let one = read(Level::One, ReadRepair::Off);
    let found = |net: &mut Net<Register>| {
        net.node(9).read(now, b"k", one).unwrap();
        net.run_among(&[2, 9]);
        net.told(9)
    };
    assert_eq!(found(&mut net), [Told::Found(None)]);
    net.give(&late[0]).unwrap();
    assert_eq!(found(&mut net), [Told::Found(Some(Tagged::nth(1, 5)))]);
}

fn actor(id: u64) -> Actor {
    Actor::from(NodeId::new(id))
}

/// A write of the node, which replaces what the context has seen.
fn put(net: &mut Net<Cart>, id: u64, context: &VersionVector<Inline<4>>, value: u32, level: Level) {
    let mut cart = net.node(id).local(b"k").cloned().unwrap_or_default();
    cart.write(actor(id), context, value).unwrap();
    let now = net.now;
    net.node(id).write(now, b"k", cart, write(level)).unwrap();
}

fn context_at(net: &mut Net<Cart>, id: u64) -> VersionVector<Inline<4>> {
    Siblings::context(net.node(id).local(b"k").unwrap()).clone()
}

fn values_at(net: &mut Net<Cart>, id: u64) -> Vec<u32> {
    net.node(id).local(b"k").map_or(Vec::new(), |cart| cart.values().copied().collect())
}

// 58: a repair with a value that was replaced meanwhile brings it back.
#[test]
fn repair_that_comes_late_changes_nothing() {
    let mut net = Net::<Cart>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    put(&mut net, 1, &VersionVector::new(), 10, Level::Count(2));
    net.run_among(&[1, 2]);
    exhaust_attempts(&mut net);
    let now = net.now;
    net.node(1).read(now, b"k", read(Level::All, ReadRepair::Background)).unwrap();
    let repairs = hold(&mut net, "Write", 3);
    assert_eq!((repairs.len(), values_at(&mut net, 3)), (1, vec![]));
    let seen = context_at(&mut net, 2);
    put(&mut net, 2, &seen, 20, Level::All);
    net.run();
    let before = net.node(3).local(b"k").cloned();
    assert_eq!(values_at(&mut net, 3), [20]);
    net.give(&repairs[0]).unwrap();
    net.run();
    assert_eq!(net.node(3).local(b"k").cloned(), before);
}

// 58: a repair that is a write of the reader's, with a context of its own, makes one more sibling.
#[test]
fn repairs_make_no_siblings() {
    let mut net = Net::<Cart>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let nothing = VersionVector::new();
    for (node, value) in [(1, 10), (2, 20)] {
        put(&mut net, node, &nothing, value, Level::One);
        net.run_among(&[node]);
    }
    exhaust_attempts(&mut net);
    for repair in [ReadRepair::Background, ReadRepair::Blocking, ReadRepair::Always] {
        let now = net.now;
        for node in [1, 2, 3] {
            net.node(node).read(now, b"k", read(Level::All, repair)).unwrap();
        }
        net.run();
        for node in [1, 2, 3] {
            assert_eq!(values_at(&mut net, node), [10, 20], "{repair:?}");
            let context = context_at(&mut net, node);
            let writes: u64 = context.entries().iter().map(|dot| dot.counter()).sum();
            assert_eq!(writes, 2, "{repair:?}");
        }
    }
    // a client's write that has seen only one of them replaces that one
    let seen_first = {
        let mut cart = Cart::default();
        cart.write(actor(1), &nothing, 10).unwrap();
        Siblings::context(&cart).clone()
    };
    put(&mut net, 3, &seen_first, 30, Level::All);
    net.run();
    for node in [1, 2, 3] {
        assert_eq!(values_at(&mut net, node), [20, 30]);
    }
}

fn with_stand_in() -> Same {
    Same { fallbacks: vec![4], ..Same::new(&[1, 2, 3]) }
}

/// Node 4 is to keep a value for node 3, which was down; the key is deleted on all replicas since.
fn deleted_with_a_hint_for_3() -> (Net<Register>, Vec<Envelope>) {
    let mut net = Net::<Register>::new(&[1, 2, 3, 4], &with_stand_in());
    let now = net.now;
    net.node(1).set_down(NodeId::new(3), true);
    let options = WriteOptions { sloppy: true, ..after_read(Level::Quorum) };
    net.node(1).write(now, b"k", Tagged::new(5), options).unwrap();
    let hints = hold(&mut net, "Hint", 4);
    assert_eq!((hints.len(), net.told(1)), (1, vec![WRITTEN]));
    exhaust_attempts(&mut net);
    net.node(1).set_down(NodeId::new(3), false);
    let now = net.now;
    net.node(1).write(now, b"k", Tagged::tombstone(), after_read(Level::All)).unwrap();
    net.run_among(&[1, 2, 3]);
    assert_eq!(net.told(1), [WRITTEN]);
    (net, hints)
}

// 59: the tombstone is purged while somebody keeps a hint from before, which brings the key back.
#[test]
fn tombstone_stays_until_hints_are_handed_over() {
    let (mut net, hints) = deleted_with_a_hint_for_3();
    net.give(&hints[0]).unwrap();
    assert_eq!(net.node(4).status().hints, 1);
    // node 4 does not reach node 3, and all others reach each other: for so long that the tombstone would be old enough, and the hint is not
    let rounds = config().hint_life_us / config().sweep_pause_us - 1;
    assert!(rounds * config().sweep_pause_us > 2 * config().purge_us);
    for _ in 0..rounds {
        net.tick(config().sweep_pause_us);
        while let Some(envelope) = net.wire.pop_front() {
            if ![(3, 4), (4, 3)].contains(&(envelope.from, envelope.to)) {
                net.give(&envelope).unwrap();
            }
        }
    }
    assert_eq!(net.node(4).status().hints, 1);
    for node in [1, 2, 3] {
        assert_eq!(net.node(node).status().floor, 0);
        assert!(net.node(node).local(b"k").is_some_and(Value::is_tombstone));
    }
    wait_for_purges(&mut net, &[1, 2, 3, 4]);
    assert_eq!(net.node(4).status().hints, 0);
    for node in [1, 2, 3] {
        assert_eq!((net.node(node).status().floor, net.node(node).local(b"k")), (2, None));
    }
}

// 59: a hint that was long on its way comes after the purge.
#[test]
fn hint_older_than_a_purged_tombstone_is_refused() {
    let (mut net, hints) = deleted_with_a_hint_for_3();
    wait_for_purges(&mut net, &[1, 2, 3, 4]);
    assert_eq!((net.node(4).status().floor, net.node(1).local(b"k")), (2, None));
    net.give(&hints[0]).unwrap();
    let answers: Vec<String> = net.wire.iter().map(text::<Register>).collect();
    assert!(answers.iter().any(|answer| answer.contains("Purged")), "{answers:?}");
    assert_eq!(net.node(4).status().hints, 0);
    wait_for_purges(&mut net, &[1, 2, 3, 4]);
    for node in [1, 2, 3] {
        assert_eq!(net.node(node).local(b"k"), None);
    }
}

/// Two of three.
fn pairs(of: [u64; 3]) -> [[u64; 2]; 3] {
    let [a, b, c] = of;
    [[a, b], [a, c], [b, c]]
}

/// What a client apart from the replicas finds, if those of these sets alone answer.
fn found_by(net: &mut Net<Register>, layout: &Same, among: &BTreeSet<u64>) -> Vec<Told<Register>> {
    let fresh = Net::new(&[9], layout).node(9).clone();
    *net.node(9) = fresh;
    let now = net.now;
    net.node(9).read(now, b"k", read(Level::Quorum, ReadRepair::Off)).unwrap();
    net.run_among(&among.iter().copied().chain([9]).collect::<Vec<u64>>());
    net.told(9)
}

// 60: when the replicas change, a read of the new ones misses what the old ones acknowledged, and goes back behind an earlier read.
#[test]
fn every_quorum_has_the_value_before_during_and_after_a_change_of_the_replicas() {
    let (old, new) = ([1, 2, 3], [3, 4, 5]);
    let before = Same::new(&old);
    let during = Same { epoch: 2, next: Some(new.to_vec()), ..before.clone() };
    let after = Same { epoch: 3, ..Same::new(&new) };
    let expected = [Told::Found(Some(Tagged::nth(1, 5)))];
    for acknowledged_by in pairs(old) {
        let mut net = Net::<Register>::new(&[1, 2, 3, 9], &before);
        let now = net.now;
        net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::Quorum)).unwrap();
        net.run_among(&[&acknowledged_by[..], &[9]].concat());
        assert_eq!(net.told(9), [WRITTEN]);
        for asked in pairs(old) {
            let asked = BTreeSet::from(asked);
            assert_eq!(found_by(&mut net, &before, &asked), expected);
        }
        net.add(&[4, 5], &during);
        for node in [1, 2, 3] {
            net.node(node).force_layout(during.clone());
        }
        // nodes 4 and 5 take part once they know the floor, and nothing has moved yet
        while ![4, 5].iter().all(|node| net.node(*node).status().founded) {
            net.tick(1);
            net.run_among(&[1, 2, 3, 4, 5]);
        }
        assert_eq!([4, 5].map(|node| net.node(node).status().keys), [0, 0]);
        for (one, other) in pairs(old).into_iter().flat_map(|a| pairs(new).map(|b| (a, b))) {
            let asked: BTreeSet<u64> = one.into_iter().chain(other).collect();
            assert_eq!(found_by(&mut net, &during, &asked), expected, "{asked:?}");
        }
        let is_synchronized = |(_, node): &(u64, super::net::Store<Register>)| {
            node.status().synchronized || node.status().id == NodeId::new(9)
        };
        let mut rounds = 0;
        while !net.nodes.iter().all(is_synchronized) {
            net.tick(config().sweep_us.max(config().sweep_pause_us));
            net.run_among(&[1, 2, 3, 4, 5]);
            rounds += 1;
            assert!(rounds < 1_000, "it is never over");
        }
        for node in [1, 2, 3, 4, 5] {
            net.node(node).force_layout(after.clone());
        }
        net.run_among(&[1, 2, 3, 4, 5]);
        for asked in pairs(new) {
            let asked = BTreeSet::from(asked);
            assert_eq!(found_by(&mut net, &after, &asked), expected, "{asked:?}");
        }
    }
}

// 61: replicas with the same value have other bytes for it, as it came about in another order, and repair each other for ever.
#[test]
fn values_that_came_about_in_another_order_have_one_digest() {
    let mut net = Net::<Cart>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let nothing = VersionVector::new();
    let mut writes = Vec::new();
    for (node, value) in [(1, 10), (2, 20), (3, 30)] {
        put(&mut net, node, &nothing, value, Level::One);
        net.settle_disks();
        writes.extend(core::mem::take(&mut net.wire));
    }
    // node 1 takes 20 before 30, node 2 takes 30 before 10, node 3 takes 10 before 20
    writes.sort_by_key(|write| (write.to, (write.from + 3 - write.to) % 3));
    for write in &writes {
        net.give(write).unwrap();
    }
    net.wire.clear();
    exhaust_attempts(&mut net);
    for node in [1, 2, 3] {
        assert_eq!(values_at(&mut net, node).len(), 3);
    }
    let mut said = Vec::new();
    for _ in 0..6 {
        net.tick(config().sweep_us.max(config().sweep_pause_us));
        net.settle_disks();
        while let Some(envelope) = net.wire.pop_front() {
            said.push(text::<Cart>(&envelope));
            net.give(&envelope).unwrap();
        }
    }
    let count = |kind: &str| said.iter().filter(|text| text.contains(kind)).count();
    assert!(count("Same") >= 6, "{said:?}");
    assert_eq!((count("Differs"), count("Offer"), count("Write")), (0, 0, 0));
}

// 61: one value in two encodings.
#[test]
fn value_in_another_encoding_is_refused() {
    let mut net = Net::<Register>::new(&[1, 9], &Same::new(&[1]));
    let now = net.now;
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::One)).unwrap();
    net.settle_disks();
    let request = net.wire.pop_front().unwrap();
    let (value, longer) = ([6, 1, 0, 0, 0, 1, 5], [7, 1, 0, 0, 0, 1, 5 | 0x80, 0]);
    let header = request.bytes.strip_suffix(&value).unwrap();
    let forged = |value: &[u8]| Envelope { bytes: [header, value].concat(), ..request.clone() };
    assert_eq!(net.give(&forged(&longer)), Err(Rejected::Malformed));
    let trailing = [7, 1, 0, 0, 0, 1, 5, 0];
    assert_eq!(net.give(&forged(&trailing)), Err(Rejected::Malformed));
    assert_eq!(net.node(1).local(b"k"), None);
    net.give(&forged(&value)).unwrap();
    assert_eq!(net.node(1).local(b"k"), Some(&Tagged::nth(1, 5)));
}

// 62: each request has a timer, and there are as many of them as clients make.
#[test]
fn requests_in_flight_are_bounded_and_have_one_deadline() {
    const REQUESTS: usize = 4;
    type Client = Coordinator<Register, Same, quorum::Inline<0, 16, REQUESTS>>;
    let mut client = Client::new(NodeId::new(9), 1, Same::new(&[1, 2, 3]), config()).unwrap();
    let options = read(Level::Quorum, ReadRepair::Background);
    let at = |micros: u64| Instant::from_micros(micros);
    for (number, key) in (0..).zip([b"a", b"b", b"c", b"d"]) {
        client.read(at(number * 10), key, options).unwrap();
        assert_eq!(client.deadline(), Some(at(config().retry_us))); // of the first
    }
    let before = client.clone();
    assert_eq!(client.read(at(30), b"e", options), Err(RequestError::Busy));
    let refused = client.write(at(30), b"e", Tagged::nth(1, 5), write(Level::One));
    assert_eq!(refused, Err(RequestError::Busy));
    assert_eq!(client, before);
    // nobody answers
    let mut failed = 0;
    while let Some(deadline) = client.deadline() {
        client.tick(deadline);
        while let Some(output) = client.poll() {
            failed += usize::from(matches!(output, Output::Event(_)));
        }
    }
    assert_eq!((failed, client.status().requests), (REQUESTS, 0));
    let now = at(config().retry_us * u64::from(config().attempts) + 30);
    assert!(client.read(now, b"e", options).is_ok());
}

// 62: a replica whose disk is slow owes an answer for each message that anybody sends it.
#[test]
fn answers_that_wait_for_the_disk_are_bounded() {
    const ANSWERS: usize = 16; // of the nodes of `Net`
    let mut net = Net::<Register>::new(&[1, 9], &Same::new(&[1]));
    let now = net.now;
    net.slow_disks = vec![1];
    net.node(9).write(now, b"k", Tagged::nth(1, 5), write(Level::One)).unwrap();
    net.settle_disks();
    let request = net.wire.pop_front().unwrap();
    for _ in 0..ANSWERS {
        net.give(&request).unwrap();
    }
    let before = net.node(1).clone();
    assert_eq!(net.give(&request), Err(Rejected::Full));
    assert_eq!(net.node(1).rejections().total(), before.rejections().total() + 1);
    assert_eq!(net.node(1).status(), before.status());
    net.slow_disks.clear();
    net.settle_disks();
    assert_eq!(net.wire.len(), ANSWERS);
    net.give(&request).unwrap();
    assert_eq!(net.wire.len(), ANSWERS + 1);
}
