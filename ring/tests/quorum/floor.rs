//! What a node tells of itself when it is asked to seal, and what follows from the floor.

use quorate_core::{Machine as _, NodeId};
use quorate_ring::quorum::{Level, Tagged, WriteOptions};

use super::attack::{CATCH_UP, SEAL, erase, forge, forged, seal, text, varint};
use super::net::{Net, Same, Told, config};

type Register = Tagged<u32>;

/// Three nodes that share a key.
fn three() -> Net<Register> {
    let mut net = Net::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let now = net.now;
    let options = WriteOptions { level: Level::All, ..WriteOptions::default() };
    net.node(1).write(now, b"shared", Tagged::nth(9, 5), options).unwrap();
    net.run();
    assert_eq!(net.told(1), [Told::Written { superseded: false }]);
    net
}

/// A write of a register, or a repair, to a key of one byte: its number is also its value.
fn put(number: u64, repair: bool, key: u8) -> Vec<u8> {
    forged(7, number, 0, &[u64::from(repair), 1, u64::from(key), 6, number, 1, 0, 0, 1, number])
}

/// An answer repeats incarnation and number of the question, which are its first four fields with the version.
fn reply(question: &[u8], kind: u8, fields: &[u64]) -> Vec<u8> {
    let mut ends = (1..).zip(question).filter(|(_, byte)| **byte <= 0x7f);
    let mut answer = question[..ends.nth(3).unwrap().0].to_vec();
    answer.push(kind);
    fields.iter().for_each(|field| varint(&mut answer, *field));
    answer
}

/// What a node answers to a message.
fn answer(net: &mut Net<Register>, from: u64, to: u64, bytes: Vec<u8>) -> String {
    net.wire.clear();
    forge(net, from, to, bytes).unwrap();
    let mut answers = net.wire.drain(..).filter(|answer| (answer.from, answer.to) == (to, from));
    text(&answers.next().unwrap().bytes)
}

/// What node 3 tells of itself, sealed up to 5.
fn report(net: &mut Net<Register>) -> String {
    answer(net, 1, 3, seal(5))
}

fn is_done(net: &mut Net<Register>) -> bool {
    let report = report(net);
    assert!(report.contains("done true") || report.contains("done false"), "{report}");
    report.contains("done true")
}

/// A round of sweeps between these nodes, and one more.
fn sweep(net: &mut Net<Register>, among: &[u64]) {
    for _ in 0..8 {
        net.tick(config().sweep_us.max(config().sweep_pause_us));
        net.run_among(among);
    }
}

#[test]
fn node_is_done_when_a_round_of_sweeps_has_gone_through_since_the_seal() {
    let mut net = three();
    assert!(!is_done(&mut net));
    net.wire.clear();
    sweep(&mut net, &[1, 2, 3]);
    assert!(is_done(&mut net));
}

#[test]
fn sweep_that_was_given_up_counts_for_nothing() {
    let mut net = three();
    assert!(!is_done(&mut net));
    for _ in 0..3 {
        sweep(&mut net, &[1, 3]); // node 2 does not answer
        assert!(!is_done(&mut net));
    }
    sweep(&mut net, &[1, 2, 3]);
    assert!(is_done(&mut net));
}

#[test]
fn node_is_not_done_before_the_record_of_its_seal_is_durable() {
    let mut net = three();
    net.slow_disks = vec![3];
    assert!(!is_done(&mut net));
    sweep(&mut net, &[1, 2, 3]);
    assert!(!is_done(&mut net));
    net.slow_disks.clear();
    net.settle_disks();
    assert!(is_done(&mut net));
}

/// Otherwise a crash could take it back, and the tombstone of the key would be forgotten where it is durable.
#[test]
fn node_is_not_done_before_what_it_has_is_durable_on_the_others() {
    let mut net = three();
    assert!(!is_done(&mut net));
    for node in [1, 2, 3] {
        net.slow_disks = vec![1];
        forge(&mut net, 9, node, put(2, true, b'k')).unwrap();
    }
    sweep(&mut net, &[1, 2, 3]);
    assert!(net.node(1).local(b"k").is_some() && !is_done(&mut net));
    net.slow_disks.clear();
    sweep(&mut net, &[1, 2, 3]);
    assert!(is_done(&mut net));
}

#[test]
fn node_that_keeps_a_hint_up_to_the_seal_is_not_done() {
    let layout = Same { fallbacks: vec![3], ..Same::new(&[1, 2, 4]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 4], &layout);
    let now = net.now;
    net.node(1).set_down(NodeId::new(4), true);
    let options = WriteOptions { level: Level::All, sloppy: true, ..WriteOptions::default() };
    net.node(1).write(now, b"k", Tagged::nth(2, 5), options).unwrap();
    net.run_among(&[1, 2, 3]);
    assert_eq!(net.node(3).status().hints, 1);
    net.node(3).set_down(NodeId::new(4), true);
    assert!(!is_done(&mut net));
    sweep(&mut net, &[1, 2, 3, 4]);
    assert!(!is_done(&mut net));
    assert!(!net.node(3).status().synchronized);
    net.node(3).set_down(NodeId::new(4), false);
    sweep(&mut net, &[1, 2, 3, 4]);
    assert_eq!(net.node(3).status().hints, 0);
    assert!(is_done(&mut net));
    assert!(net.node(3).status().synchronized);
}

#[test]
fn hint_up_to_the_seal_is_refused() {
    let layout = Same { fallbacks: vec![3], ..Same::new(&[1, 2, 4]) };
    let mut net = Net::<Register>::new(&[1, 2, 3, 4], &layout);
    report(&mut net);
    for (number, refused) in [(5, true), (6, false)] {
        // for node 4, of the key `k`: a tag, and the value 9
        let hint = forged(7, number, 1, &[4, 1, u64::from(b'k'), 6, number, 1, 0, 0, 1, 9]);
        let said = answer(&mut net, 1, 3, hint);
        assert_eq!(said.contains("Refused"), refused, "{said}");
    }
    assert_eq!(net.node(3).status().hints, 1);
}

#[test]
fn member_that_does_not_know_what_it_holds_is_never_done_and_rebuilds_nobody() {
    let mut net = three();
    erase(&mut net, 3, &Same::new(&[1, 2, 3]));
    for _ in 0..3 {
        assert!(!is_done(&mut net));
        net.wire.clear(); // nobody hears that it wants to be rebuilt
        for _ in 0..8 {
            net.tick(config().sweep_us.max(config().sweep_pause_us));
            net.wire.retain(|envelope| !text(&envelope.bytes).contains("CatchUp"));
            net.run();
        }
    }
    assert!(!net.node(3).status().founded && !net.node(3).status().synchronized);
    let rebuild = forged(7, CATCH_UP | 1, 17, &[]);
    let said = answer(&mut net, 2, 3, rebuild);
    assert!(said.contains("Refused"), "{said}");
    sweep(&mut net, &[1, 2, 3]);
    assert!(net.node(3).status().founded && is_done(&mut net));
}

#[test]
fn changes_of_two_lives_are_never_the_same() {
    let mut net = three();
    let changes = |report: String| report.split("changes ").nth(1).unwrap().to_owned();
    report(&mut net);
    let before = changes(report(&mut net));
    net.restart(3, &Same::new(&[1, 2, 3]));
    assert_ne!(changes(report(&mut net)), before);
}

#[test]
fn seal_and_floor_outlive_a_restart() {
    let mut net = three();
    report(&mut net);
    net.restart(3, &Same::new(&[1, 2, 3]));
    for (number, refused) in [(5, true), (6, false)] {
        let said = answer(&mut net, 1, 3, put(number, false, b'k'));
        assert_eq!(said.contains("Refused"), refused, "{said}");
    }
    forge(&mut net, 1, 3, forged(7, SEAL | 10, 14, &[1, 4, 5])).unwrap();
    net.restart(3, &Same::new(&[1, 2, 3]));
    assert_eq!(net.node(3).status().floor, 4);
    for (number, refused) in [(4, true), (5, false)] {
        let said = answer(&mut net, 1, 3, put(number, true, b'l'));
        assert_eq!(said.contains("Refused"), refused, "{said}");
    }
}

#[test]
fn floor_rises_when_two_rounds_in_a_row_have_the_same_changes() {
    let mut net = Net::<Register>::new(&[1], &Same::new(&[1, 2]));
    // node 2 wants a floor of 5, and takes another change before each of its first answers
    for round in 1..=16 {
        let mut is_asked = false;
        while !is_asked {
            net.tick(config().purge_us);
            for envelope in core::mem::take(&mut net.wire) {
                let asked = text(&envelope.bytes);
                is_asked |= asked.contains("Seal");
                let fields = [0, 5, 1, round.min(12), 5];
                let answer = match () {
                    () if asked.contains("Seal") => reply(&envelope.bytes, 15, &fields),
                    () if asked.contains("Summary") => reply(&envelope.bytes, 8, &[]),
                    () => reply(&envelope.bytes, 13, &[]),
                };
                forge(&mut net, 2, 1, answer).unwrap();
            }
        }
        if round == 12 {
            assert_eq!(net.node(1).status().floor, 0);
        }
    }
    assert_eq!(net.node(1).status().floor, 5);
}

#[test]
fn node_that_is_rebuilt_takes_the_floor_over() {
    let mut net = three();
    let raised = forged(7, SEAL | 9, 14, &[1, 4, 5]);
    for node in [2, 3] {
        forge(&mut net, 1, node, raised.clone()).unwrap();
    }
    erase(&mut net, 3, &Same::new(&[1, 2, 3]));
    // the collector does not say so itself
    for _ in 0..8 {
        net.tick(config().retry_us);
        net.wire.retain(|envelope| !text(&envelope.bytes).contains("Seal"));
        net.run();
    }
    assert!(net.node(3).status().founded);
    assert_eq!(net.node(3).status().floor, 4);
    let said = answer(&mut net, 1, 3, put(5, false, b'k'));
    assert!(said.contains("Refused"), "{said}");
}

#[test]
fn sweep_that_an_earlier_life_asked_for_rebuilds_nobody() {
    let layout = Same::new(&[1, 2, 3]);
    let mut net = three();
    erase(&mut net, 3, &layout);
    let swept = |incarnation, number| forged(7, 1 << 63 | 5, 12, &[incarnation, number, 0, 0]);
    for incarnation in [7, 8] {
        net.tick(config().retry_us); // it asks node 1
        net.wire.clear();
        forge(&mut net, 1, 3, swept(incarnation, CATCH_UP | 1)).unwrap();
        net.tick(config().retry_us);
        let asked: Vec<u64> =
            net.wire.iter().filter(|one| one.from == 3).map(|one| one.to).collect();
        assert_eq!(asked.contains(&2), incarnation == 8, "{asked:?}");
    }
}

/// It waits for all others to rebuild it, and the one that joins waits for a node that knows the floor.
#[test]
fn collector_that_lost_its_disk_is_rebuilt_while_a_node_joins() {
    let old = Same::new(&[1, 2, 3]);
    let moving = Same { epoch: 2, next: Some(vec![1, 2, 4]), ..old.clone() };
    let mut net = three();
    erase(&mut net, 1, &old);
    net.add(&[4], &moving);
    for node in [1, 2, 3] {
        net.node(node).force_layout(moving.clone());
    }
    for _ in 0..100 {
        net.tick(config().sweep_pause_us);
        net.run();
    }
    assert_eq!(net.node(1).local(b"shared"), Some(&Tagged::nth(9, 5)));
    assert!(net.node(1).status().founded);
    assert!(net.node(4).status().founded);
}
