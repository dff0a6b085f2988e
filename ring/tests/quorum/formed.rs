//! Values that a replica forms from what it holds.

use quorate_clocks::{Siblings, VersionVector};
use quorate_core::NodeId;
use quorate_ring::quorum::{Failure, Level, ReadOptions, RequestError, Value, WriteOptions};

use super::net::{Net, Same, Told};

type Names = quorate_clocks::Inline<3>;
type Both = Siblings<u32, Names>;

/// The value that `local` has become by one more write, which has seen `context`.
fn next(net: &mut Net<Both>, node: u64, context: &VersionVector<Names>, value: u32) -> Both {
    let mut local = net.node(node).local(b"x").cloned().unwrap_or_default();
    local.write(NodeId::new(node).into(), context, value).unwrap();
    local
}

#[test]
fn two_writes_in_a_row_are_two() {
    let mut net = Net::<Both>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let (now, nothing) = (net.now, VersionVector::new());
    for value in [7, 8] {
        let next = next(&mut net, 1, &nothing, value);
        net.node(1).write(now, b"x", next, WriteOptions::default()).unwrap();
    }
    net.run();
    assert_eq!(
        net.told(1),
        [Told::Written { superseded: false }, Told::Written { superseded: false }]
    );
    for node in [1, 2, 3] {
        let values: Vec<u32> = net.node(node).local(b"x").unwrap().values().copied().collect();
        assert_eq!(values, [7, 8], "node {node}"); // neither has seen the other
    }
}

#[test]
fn value_is_sent_once_it_is_durable_here() {
    let mut net = Net::<Both>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let (now, nothing) = (net.now, VersionVector::new());
    net.slow_disks.push(1);
    let value = next(&mut net, 1, &nothing, 7);
    net.node(1).write(now, b"x", value, WriteOptions::default()).unwrap();
    net.settle_disks();
    assert_eq!(net.sent, 0);
    net.slow_disks.clear();
    net.run();
    assert_eq!((net.sent, net.told(1).len()), (4, 1));
}

#[test]
fn another_value_of_the_same_write_is_refused() {
    let mut net = Net::<Both>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let (now, nothing) = (net.now, VersionVector::new());
    let (one, other) = (next(&mut net, 1, &nothing, 7), next(&mut net, 1, &nothing, 8));
    net.node(1).write(now, b"x", one, WriteOptions::default()).unwrap();
    net.node(1).write(now, b"x", other, WriteOptions::default()).unwrap();
    net.run();
    let mut told = net.told(1);
    told.sort_by_key(|told| matches!(told, Told::Failed(..)));
    assert_eq!(told[0], Told::Written { superseded: false });
    assert!(matches!(told[1], Told::Failed(Failure::Conflict, _)), "{told:?}");
}

#[test]
fn only_a_replica_forms_it() {
    let mut net = Net::<Both>::new(&[1, 2, 3, 9], &Same::new(&[1, 2, 3]));
    let (now, nothing) = (net.now, VersionVector::new());
    let value = next(&mut net, 9, &nothing, 7);
    let refused = net.node(9).write(now, b"x", value, WriteOptions::default());
    assert_eq!(refused, Err(RequestError::NotReplica));
}

#[test]
fn write_that_has_seen_both_leaves_one() {
    let mut net = Net::<Both>::new(&[1, 2, 3], &Same::new(&[1, 2, 3]));
    let (now, nothing) = (net.now, VersionVector::new());
    let all = WriteOptions { level: Level::All, ..WriteOptions::default() };
    for node in [1, 2] {
        let value = next(&mut net, node, &nothing, node as u32);
        net.node(node).write(now, b"x", value, all).unwrap();
    }
    net.run();
    net.node(3).read(now, b"x", ReadOptions::default()).unwrap();
    net.run();
    let told = net.told(3);
    let [Told::Found(Some(found))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(found.values().copied().collect::<Vec<_>>(), [1, 2]);
    let settled = next(&mut net, 3, &Value::context(found), 3);
    net.node(3).write(now, b"x", settled, all).unwrap();
    net.run();
    for node in [1, 2, 3] {
        assert_eq!(net.node(node).local(b"x").unwrap().values().collect::<Vec<_>>(), [&3]);
    }
}
