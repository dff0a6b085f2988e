//! Nodes that go by different layouts.

use quorate_core::Machine as _;
use quorate_ring::quorum::{Tagged, WriteOptions};

use super::attack::{SEAL, forge, forged, text};
use super::net::{Net, Same, Told};

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
    net.node(1).set_layout(new.clone());
    net.slow_disks.clear();
    net.run();
    assert_eq!(net.node(1).local(b"k"), Some(&Tagged::nth(1, 5)));
    assert_eq!(net.told(9), []);
    net.node(9).set_layout(new);
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
        net.node(node).set_layout(new.clone());
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
    net.node(3).set_layout(without);
    net.node(3).tick(now);
    for node in [1, 3] {
        net.node(node).set_layout(again.clone());
    }
    net.node(1).write(now, b"k", Tagged::nth(2, 6), WriteOptions::default()).unwrap();
    let message = loop {
        let Some(quorate_core::Output::Send(to, message)) = net.node(1).poll() else { continue };
        if to.get() == 3 {
            let mut bytes = vec![0; quorate_core::Wire::encoded_len(&message)];
            quorate_core::Wire::to_slice(&message, &mut bytes).unwrap();
            break bytes;
        }
    };
    assert!(text(&message).contains("Write"));
    forge(&mut net, 1, 3, message).unwrap();
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(2, 6)));
    net.restart(3, &again);
    assert_eq!(net.node(3).local(b"k"), Some(&Tagged::nth(2, 6)));
}
