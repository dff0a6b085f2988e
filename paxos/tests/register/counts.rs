//! How many messages and writes a change costs, exactly.

use quorate_core::Quorums;
use quorate_paxos::register::{Change, Outcome};

use super::net::Net;

/// The first change of a key at a proposer takes both phases: 4(n - 1) messages and two writes for each node. The next ones take one round
/// trip: 2(n - 1) messages and a write, as the promise of the next ballot rides on the accept.
#[test]
fn stable_proposer_takes_one_round_trip() {
    for n in [2, 3, 5, 7] {
        let mut net = Net::new(n);
        let others = n as usize - 1;
        net.set(1, b"a");
        net.settle();
        let first =
            [("Accept", others), ("Accepted", others), ("Prepare", others), ("Promise", others)];
        assert_eq!(net.sent, first.into(), "{n} nodes");
        assert_eq!((1..=n).map(|id| net.hosts[&id].syncs).collect::<Vec<_>>(), vec![2; n as usize]);
        for change in [Change::Set { value: b"b" }, Change::Read, Change::Delete] {
            net.forget();
            assert_eq!(net.change(1, b"k", change).0, Outcome::Applied);
            net.settle();
            assert_eq!(net.sent, [("Accept", others), ("Accepted", others)].into(), "{n} nodes");
            let syncs: Vec<usize> = (1..=n).map(|id| net.hosts[&id].syncs).collect();
            assert_eq!(syncs, vec![1; n as usize], "{n} nodes");
        }
    }
}

/// One message delay to the acceptors and one back, beside their writes: the answer is there when the accepts were answered.
#[test]
fn stable_change_is_answered_after_one_round_trip() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.settle();
    let request = net.submit(1, b"k", Change::Set { value: b"b" });
    net.sync_all();
    net.deliver_if(|sent| sent.is("Accept"));
    net.sync_all();
    assert!(!net.hosts[&1].answers.contains_key(&request));
    net.deliver_if(|sent| sent.is("Accepted") && sent.from == 2);
    assert!(net.hosts[&1].answers.contains_key(&request));
}

/// The own write of a stable proposer is at the same time as those of the others: nothing waits for it before it is sent.
#[test]
fn accept_does_not_wait_for_own_disk() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.settle();
    net.submit(1, b"k", Change::Set { value: b"b" });
    assert_eq!(net.take(|sent| sent.is("Accept")).len(), 2);
}

#[test]
fn one_node_changes_alone() {
    let mut net = Net::new(1);
    net.set(1, b"a");
    assert_eq!((net.read(1).as_deref(), net.total()), (Some(&b"a"[..]), 0));
}

/// A key of which nothing was ever accepted costs a read no write of a state: a quorum says that there is nothing.
#[test]
fn read_of_nothing_accepts_nothing() {
    let mut net = Net::new(3);
    assert_eq!(net.read(1), None);
    net.settle();
    assert_eq!(net.sent, [("Prepare", 2), ("Promise", 2)].into());
}

/// Sixteen rounds are set aside with one record. A stable proposer takes a round for each change.
#[test]
fn rounds_take_a_record_for_sixteen_changes() {
    let mut net = Net::new(3);
    let rounds = |net: &Net| net.hosts[&1].disk.iter().filter(|record| record[0] == 1).count();
    net.set(1, b"a");
    let before = rounds(&net);
    for _ in 0..32 {
        net.set(1, b"b");
    }
    assert_eq!(rounds(&net) - before, 2);
}

/// Where phase 1 takes more acceptors than phase 2, the next ballot is valid when those have answered as well that were not needed.
#[test]
fn late_acknowledgements_count_for_the_next_ballot() {
    let mut net = Net::with(5, Quorums::flexible(5, 4, 2).unwrap());
    net.set(1, b"a");
    net.settle();
    net.forget();
    net.set(1, b"b");
    net.settle();
    assert_eq!(net.sent, [("Accept", 4), ("Accepted", 4)].into());
    // without them it prepares
    net.forget();
    net.cut = vec![4, 5];
    net.set(1, b"c");
    assert_eq!(net.sent["Accept"], 4);
    net.settle();
    net.cut.clear();
    net.forget();
    net.set(1, b"d");
    assert_eq!(net.sent["Prepare"], 4);
}
