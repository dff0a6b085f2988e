//! Nodes that go by different layouts.

use quorate_ring::quorum::{Tagged, WriteOptions};

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
