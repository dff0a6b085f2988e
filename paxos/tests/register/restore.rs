//! Records: in any order that no node wrote, and every prefix of what one wrote.

use quorate_core::{Corrupt, Instant, Machine, NodeId, Wire};
use quorate_paxos::Ballot;
use quorate_paxos::register::{Change, Record, Sizes, State};

use super::net::Net;
use crate::common::ballot;

const fn promised(ballot: Ballot) -> Record<'static> {
    Record::Promised { key: b"k", ballot }
}

const fn accepted(ballot: Ballot, promised: Ballot, value: &[u8]) -> Record<'_> {
    let state = State { ballot, origin: ballot, value: Some(value) };
    Record::Accepted { key: b"k", state, promised }
}

#[test]
fn records_do_not_go_back() {
    let mut node = Net::new(3).fresh(1);
    let (zero, beyond) = (Ballot::ZERO, ballot(Ballot::MAX_ROUND + 1, 1));
    assert_eq!(node.restore(promised(zero)), Err(Corrupt::Malformed));
    assert_eq!(node.restore(promised(beyond)), Err(Corrupt::Malformed));
    assert_eq!(node.restore(promised(ballot(5, 2))), Ok(()));
    assert_eq!(node.restore(promised(ballot(5, 1))), Err(Corrupt::Regression));
    assert_eq!(node.restore(accepted(ballot(4, 3), ballot(6, 3), b"x")), Err(Corrupt::Regression));
    assert_eq!(node.restore(accepted(ballot(6, 3), ballot(5, 3), b"x")), Err(Corrupt::Malformed));
    assert_eq!(node.restore(accepted(ballot(5, 2), ballot(6, 2), b"x")), Ok(()));
    assert_eq!(node.restore(accepted(ballot(5, 2), ballot(6, 2), b"x")), Ok(()), "once more");
    assert_eq!(node.restore(accepted(ballot(5, 2), ballot(6, 2), b"y")), Err(Corrupt::Regression));
    assert_eq!(node.restore(promised(ballot(5, 2))), Err(Corrupt::Regression), "the next one");
    assert_eq!(node.restore(accepted(ballot(7, 2), ballot(7, 2), &[0; 9])), Err(Corrupt::Full));
    assert_eq!(node.restore(Record::Rounds { through: 0 }), Err(Corrupt::Malformed));
    assert_eq!(node.restore(Record::Rounds { through: 32 }), Ok(()));
    assert_eq!(node.restore(Record::Rounds { through: 16 }), Err(Corrupt::Regression));
    assert_eq!(node.restore(Record::Aged { age: 2, floor: ballot(9, 1) }), Ok(()));
    assert_eq!(
        node.restore(Record::Aged { age: 1, floor: ballot(9, 1) }),
        Err(Corrupt::Regression)
    );
    assert_eq!(node.restore(Record::Fenced { node: NodeId::new(2), age: 2 }), Ok(()));
    assert_eq!(
        node.restore(Record::Fenced { node: NodeId::new(2), age: 1 }),
        Err(Corrupt::Regression)
    );
    assert_eq!(node.restore(Record::Erased { key: b"k" }), Ok(()));
    assert_eq!(node.restore(promised(ballot(1, 1))), Ok(()), "it is another one");
    let configured =
        |version, stage, next| Record::Configured { version, stage, present: None, next, floor: 0 };
    let sizes = Some(Sizes::majority(3));
    assert_eq!(node.restore(configured(1, 3, sizes)), Err(Corrupt::Malformed));
    assert_eq!(node.restore(configured(1, 1, None)), Err(Corrupt::Malformed));
    assert_eq!(node.restore(configured(1, 0, None)), Err(Corrupt::Malformed), "no seats");
    for id in 1..=3 {
        let seat = Record::Seat { node: NodeId::new(id), present: 1, next: 1 };
        assert_eq!(node.restore(seat), Ok(()));
    }
    assert_eq!(node.restore(configured(1, 1, sizes)), Ok(()));
    node.tick(Instant::ZERO);
    assert_eq!(node.restore(Record::Founded { version: 0 }), Err(Corrupt::Started));
    assert_eq!(node.status().version, 1);
}

#[test]
fn more_keys_than_there_is_room_for() {
    let mut node = Net::new(3).fresh(1);
    for name in 0..8 {
        let record = Record::Promised { key: &[name], ballot: ballot(1, 1) };
        assert_eq!(node.restore(record), Ok(()));
    }
    let record = Record::Promised { key: b"k", ballot: ballot(1, 1) };
    assert_eq!(node.restore(record), Err(Corrupt::Full));
}

/// A node comes back with any prefix of its disk that was acknowledged, here with all of it after each step, and goes on; its checkpoint restores
/// the same.
#[test]
fn every_prefix_is_restored() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.set(2, b"b");
    net.change(1, b"other", Change::Set { value: b"c" });
    net.delete(3);
    assert!(net.collect(1));
    net.set(2, b"d");
    net.settle();
    for id in 1..=3 {
        let disk = net.hosts[&id].disk.clone();
        for len in 0..=disk.len() {
            let mut node = net.fresh(id);
            for record in &disk[..len] {
                node.restore(Record::from_slice(record).unwrap()).unwrap();
            }
            let checkpoint: Vec<Vec<u8>> =
                node.checkpoint().map(|record| record.to_vec()).collect();
            let mut again = net.fresh(id);
            for record in &checkpoint {
                again.restore(Record::from_slice(record).unwrap()).unwrap();
            }
            let same: Vec<Vec<u8>> = again.checkpoint().map(|record| record.to_vec()).collect();
            assert_eq!(same, checkpoint, "node {id}, {len} records");
            node.tick(Instant::ZERO);
            again.tick(Instant::ZERO);
            assert_eq!(node.status(), again.status());
        }
    }
    // all of them at once
    for id in 1..=3 {
        net.crash(id);
        net.restart(id);
    }
    assert_eq!(net.read(1).as_deref(), Some(&b"d"[..]));
    assert_eq!(net.change(3, b"other", Change::Read).2.as_deref(), Some(&b"c"[..]));
}
